"""The kinds of occluder. To add one: write its module, and put it here."""

from __future__ import annotations

from collections.abc import Mapping

from fdgen.occluders.base import Occluder, Placement
from fdgen.occluders.eyewear import Sunglasses
from fdgen.occluders.hand import Hand
from fdgen.occluders.mask import Mask

__all__ = ["OCCLUDERS", "Occluder", "Placement"]

OCCLUDERS: Mapping[str, Occluder] = {
    "sunglasses": Sunglasses(),
    "mask": Mask(),
    "hand": Hand(),
}

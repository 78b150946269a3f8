"""The kinds of occluder. To add one: write its module, and put it here."""

from __future__ import annotations

from collections.abc import Mapping

from fdgen.assets import Asset
from fdgen.occluders.base import Occluder, Placement
from fdgen.occluders.cup import Cup
from fdgen.occluders.eyeglasses import Eyeglasses
from fdgen.occluders.eyewear import Sunglasses
from fdgen.occluders.hand import Hand
from fdgen.occluders.hat import Hat
from fdgen.occluders.imported import Imported
from fdgen.occluders.imported_spec import is_imported
from fdgen.occluders.mask import Mask
from fdgen.occluders.microphone import Microphone
from fdgen.occluders.phone import Phone
from fdgen.occluders.shape import Shape

__all__ = ["OCCLUDERS", "Occluder", "Placement", "occluder_of"]

OCCLUDERS: Mapping[str, Occluder] = {
    "sunglasses": Sunglasses(),
    "mask": Mask(),
    "hand": Hand(),
    "eyeglasses": Eyeglasses(),
    "cup": Cup(),
    "microphone": Microphone(),
    "hat": Hat(),
    "phone": Phone(),
    "scarf": Mask("scarf"),
    "shape": Shape(),
}


def occluder_of(asset: Asset) -> Occluder:
    """Return what places and draws an asset: the occluder of its kind, or that of imported pictures and meshes."""
    return Imported(asset.kind) if is_imported(asset) else OCCLUDERS[asset.kind]

"""The kinds of occluder. To add one: write its module, and put it here."""

from __future__ import annotations

from collections.abc import Mapping

from fdgen.assets import Asset
from fdgen.occluders.base import Occluder, Placement
from fdgen.occluders.eyewear.eyeglasses import Eyeglasses
from fdgen.occluders.eyewear.sunglasses import Sunglasses
from fdgen.occluders.hands.hand import Hand
from fdgen.occluders.imported.occluder import Imported
from fdgen.occluders.imported.spec import is_imported
from fdgen.occluders.masks.mask import Mask
from fdgen.occluders.props.cup import Cup
from fdgen.occluders.props.hat import Hat
from fdgen.occluders.props.microphone import Microphone
from fdgen.occluders.props.phone import Phone
from fdgen.occluders.props.shape import Shape

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

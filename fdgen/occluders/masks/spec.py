"""What an asset of a mask may say: the words it chooses among, its ranges, its chances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.occluders.cloth.fabric import PALETTES
from fdgen.occluders.cloth.patterns import PATTERNS
from fdgen.occluders.masks.valve import VALVES

CUTS = frozenset({"pleated", "fold", "panel", "duckbill", "cup", "fitted", "sponge", "bandana", "gaiter", "scarf"})
FABRICS = frozenset({"nonwoven", "woven", "knit", "fleece", "neoprene", "moulded"})
STRAPS = frozenset({"ears", "head", "ties", "none"})
_WORDS: Mapping[str, frozenset[str]] = {
    "cut": CUTS,
    "fabric": FABRICS,
    "straps": STRAPS,
    "palette": PALETTES,
    "valve": VALVES,
}

CHANCES = ("under_nose", "under_chin", "straps_match", "binding", "stitches", "clip", "print")
"""Keys of [shape] that are a chance in [0, 1]."""

RANGES: Mapping[str, tuple[float, float]] = {
    # key of [shape]: default [low, high]; units: cm, degrees, or shares, by the name
    "top": (1.4, 3.2),  # place on the middle of the face: 0 between the eyes, 6 under the nose, 9 the upper lip
    "side_deg": (58.0, 68.0),  # how far round the head the sides reach
    "side_curve": (0.0, 0.05),  # how much the sides are hollowed (negative: bulge)
    "corner_top": (0.72, 0.92),  # height of the upper corners: 0 at the chin, 1 at the ear
    "corner_bottom": (0.18, 0.34),  # of the lower ones
    "cheek": (0.35, 0.6),  # height of the edge half-way to the corner, 1 level with the side of the nose
    "nose_deg": (11.0, 16.0),  # half the width of the rise over the nose
    "taut": (0.8, 1.0),  # how straight the cloth runs from nose to chin instead of following the face
    "tent": (0.25, 0.75),  # the same across, from nose to cheeks
    "stiff": (1.2, 2.2),  # vertices over which it bends
    "peak_cm": (0.8, 1.3),  # how far the edge rises over the nose
    "wrap_deg": (7.0, 14.0),  # how far it goes under the jaw
    "gap": (0.12, 0.2),  # between skin and the middle of the cloth
    "pressure": (0.0, 0.01),  # how much it is blown up
    "hug": (0.3, 0.9),  # how closely the rim follows the skin
    "beak_cm": (0.2, 0.7),  # how far it stands off
    "apex": (0.45, 0.55),  # where it stands off most, 0 top to 1 bottom
    "drop_cm": (2.0, 5.0),  # how far a hem hangs below the chin
    "drop_taper": (0.6, 0.9),  # how much less it hangs at the sides
    "inward": (0.1, 0.4),  # how much it falls back towards the neck, a cm of drop
    "tension": (0.05, 0.16),  # height of the folds that radiate from the corners, cm
    "tension_reach": (3.5, 6.5),  # and how far they run, cm
    "slack": (0.3, 1.5),  # strength of sagging folds
    "lean": (0.2, 0.9),  # how steeply they hang towards the middle
    "bow_shift_cm": (-2.5, 2.5),  # where that middle is
    "rolls_cm": (0.0, 0.0),  # height of broad rolls of wound cloth
    "gather": (0.02, 0.1),  # height of upright folds at the lower edge, cm
    "gather_reach": (2.2, 3.2),  # and how far up they run, cm
    "pleats": (3.0, 3.0),  # their number
    "pleat_cm": (0.08, 0.2),
    "pleat_step": (0.15, 0.21),  # share of the height between them
    "pleat_shift": (-0.06, 0.06),  # share by which all are moved down
    "seam_cm": (0.0, 0.0),  # height of a seam down the middle
    "wire_cm": (0.0, 0.0),  # height of the wire over the nose
    "wire_length": (8.0, 11.0),
    "thick_cm": (0.05, 0.1),  # thickness at the edge
    "hem_cm": (0.5, 0.9),  # width of hem or weld
    "groove_cm": (0.0, 0.02),  # depth of its seam
    "ribs": (2.0, 5.0),  # number pressed into a moulded cup
    "rib_deep_cm": (0.0, 0.0),
    "hem_dashes": (0.0, 0.0),  # above 0.5: the weld is a row of bars
    "weave_cm": (0.004, 0.01),  # height of the fabric's grain
    "rib_cm": (0.35, 0.6),  # pitch of a knit
    "strap_cm": (0.25, 0.4),  # width
    "ear_up_cm": (-0.2, 0.5),  # where the upper strand meets the ear, above its root
    "ear_down_cm": (-0.3, 0.5),
    "band_up_cm": (1.5, 3.0),  # how much higher a band passes than a loop
    "band_down_cm": (0.5, 2.0),
    "valve_cm": (1.3, 1.8),  # radius
    "valve_high": (0.35, 0.7),
    "valve_across": (0.3, 0.42),  # of the middle, 0 at the seam to 1 at the side
    "valve_down": (0.52, 0.64),
    "softness": (0.05, 0.2),  # share of light that the cloth scatters
    "specular": (0.0, 0.02),
    "gloss": (6.0, 14.0),
}

_LIMITS = {"apex": (0.25, 0.75), "side_deg": (20.0, 115.0), "valve_across": (0.0, 0.9), "valve_down": (0.1, 0.9)}
"""Beyond these a cut has no meaning."""


def range_of(asset: Asset, key: str) -> tuple[float, float]:
    """Return the range of a parameter: the asset's, or the default."""
    value = asset.shape.get(key, RANGES[key])
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        raise AssetError(f"the asset {asset.id} wants [low, high] for {key}, not {value!r}") from None
    if not low <= high:
        raise AssetError(f"the asset {asset.id} has a range for {key} that runs backwards: {value!r}")
    least, most = _LIMITS.get(key, (-100.0, 180.0))
    if low < least or high > most:
        raise AssetError(f"the asset {asset.id} has {key} {value!r}, which leaves [{least:g}, {most:g}]")
    return low, high


def validated(asset: Asset) -> Mapping[str, Any]:
    """Return the shape table of a mask; raise `AssetError` for a word, a key or a number that means nothing."""
    shape = asset.shape
    for key, known in _WORDS.items():
        if key == "valve" and key not in shape:
            continue
        if shape.get(key) not in known:
            raise AssetError(
                f"the asset {asset.id} has {key} {shape.get(key)!r}", hint=f"known are {', '.join(sorted(known))}"
            )
    odd = set(shape) - set(RANGES) - set(_WORDS) - set(CHANCES) - {"patterns"}
    if odd:
        raise AssetError(f"the asset {asset.id} has unknown keys: {', '.join(sorted(odd))}")
    patterns = shape.get("patterns", {"plain": 1.0})
    odd = set(patterns) - set(PATTERNS)
    if odd:
        raise AssetError(
            f"the asset {asset.id} has unknown patterns: {', '.join(sorted(odd))}",
            hint=f"known are {', '.join(sorted(PATTERNS))}",
        )
    if not sum(patterns.values()) > 0 or min(patterns.values()) < 0:
        raise AssetError(f"the asset {asset.id} has weights of patterns that are negative or all zero")
    for key in CHANCES:
        if not 0 <= shape.get(key, 0.0) <= 1:
            raise AssetError(f"the asset {asset.id} has {key} {shape[key]!r}, which is no chance in [0, 1]")
    for key in RANGES:
        range_of(asset, key)
    return shape

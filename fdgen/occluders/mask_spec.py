"""What an asset of a mask may say: the words it chooses among, its ranges, its chances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.occluders.cloth import PALETTES, PATTERNS
from fdgen.occluders.mask_valve import VALVES

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
    "top": (1.4, 3.2),
    "side_deg": (58.0, 68.0),
    "side_curve": (0.0, 0.05),
    "corner_top": (0.72, 0.92),
    "corner_bottom": (0.18, 0.34),
    "cheek": (0.35, 0.6),
    "nose_deg": (11.0, 16.0),
    "taut": (0.8, 1.0),
    "tent": (0.25, 0.75),
    "stiff": (1.2, 2.2),
    "peak_cm": (0.8, 1.3),
    "wrap_deg": (7.0, 14.0),
    "gap": (0.12, 0.2),
    "pressure": (0.0, 0.01),
    "hug": (0.3, 0.9),
    "beak_cm": (0.2, 0.7),
    "apex": (0.45, 0.55),
    "drop_cm": (2.0, 5.0),
    "drop_taper": (0.6, 0.9),
    "inward": (0.1, 0.4),
    "tension": (0.05, 0.16),
    "tension_reach": (3.5, 6.5),
    "slack": (0.3, 1.5),
    "lean": (0.2, 0.9),
    "bow_shift_cm": (-2.5, 2.5),
    "rolls_cm": (0.0, 0.0),
    "gather": (0.02, 0.1),
    "gather_reach": (2.2, 3.2),
    "pleats": (3.0, 3.0),
    "pleat_cm": (0.08, 0.2),
    "pleat_step": (0.15, 0.21),
    "pleat_shift": (-0.06, 0.06),
    "seam_cm": (0.0, 0.0),
    "wire_cm": (0.0, 0.0),
    "wire_length": (8.0, 11.0),
    "thick_cm": (0.05, 0.1),
    "hem_cm": (0.5, 0.9),
    "groove_cm": (0.0, 0.02),
    "ribs": (2.0, 5.0),
    "rib_deep_cm": (0.0, 0.0),
    "hem_dashes": (0.0, 0.0),
    "weave_cm": (0.004, 0.01),
    "rib_cm": (0.35, 0.6),
    "strap_cm": (0.25, 0.4),
    "ear_up_cm": (-0.2, 0.5),
    "ear_down_cm": (-0.3, 0.5),
    "band_up_cm": (1.5, 3.0),
    "band_down_cm": (0.5, 2.0),
    "valve_cm": (1.3, 1.8),
    "valve_high": (0.35, 0.7),
    "valve_across": (0.3, 0.42),
    "valve_down": (0.52, 0.64),
    "softness": (0.05, 0.2),
    "specular": (0.0, 0.02),
    "gloss": (6.0, 14.0),
}


def range_of(asset: Asset, key: str) -> tuple[float, float]:
    """Return the range of a parameter: the asset's, or the default."""
    value = asset.shape.get(key, RANGES[key])
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        raise AssetError(f"the asset {asset.id} wants [low, high] for {key}, not {value!r}") from None
    if not low <= high:
        raise AssetError(f"the asset {asset.id} has a range for {key} that runs backwards: {value!r}")
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
    odd = set(patterns) - PATTERNS
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

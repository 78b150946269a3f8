"""What the asset of an imported occluder says: its form, its picture or mesh, its anchor points, how it is worn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.kinds import kind_of

ANCHORS: Mapping[str, tuple[str, ...]] = {
    "drape": ("nose", "left_top", "right_top", "left_bottom", "right_bottom", "chin"),
    "plate": ("bridge", "left_lens", "right_lens", "left_hinge", "right_hinge"),
    "card": ("centre",),
}
"""The named points of each form. Left and right are the viewer's."""

FORMS = tuple(ANCHORS)

PLACES = ("mouth", "nose", "chin", "left_cheek", "right_cheek", "left_eye", "right_eye", "forehead", "top")
"""Where a card may be held."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "view": ("worn", "flat"),
    "straps": ("ears", "head", "ties", "none"),
}

RANGES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    # key of [shape]: default [low, high]; units: cm, degrees, or shares, by the name
    "drape": {
        "top": (1.6, 2.8),  # place of the nose anchor on the middle of the face: 0 between the eyes, 6 under the nose
        "side_deg": (58.0, 66.0),  # how far round the head the corners lie
        "corner_top": (0.74, 0.9),  # height of the upper corners: 0 at the chin, 1 at the ear
        "corner_bottom": (0.2, 0.32),  # of the lower ones
        "wrap_deg": (6.0, 12.0),  # how far the chin anchor lies under the jaw
        "gap": (0.12, 0.22),  # between skin and cloth
        "taut": (0.75, 0.98),  # how straight it runs from nose to chin instead of following the face
        "tent": (0.25, 0.6),  # the same across, from nose to cheeks
        "stiff": (1.2, 2.0),  # vertices over which it bends
        "beak_cm": (0.2, 0.7),  # how far it stands off
        "hug": (0.6, 0.95),  # how closely its rim follows the skin
        "folds_cm": (0.05, 0.09),  # depth of the folds that are read off the picture's own shading
        "strap_cm": (0.25, 0.4),  # width of straps
    },
    "plate": {
        "width": (0.93, 1.0),  # from hinge to hinge, as a share of the head's width at the temples
        "curve_cm": (9.0, 13.0),  # radius to which the front is bent
        "slip_cm": (-0.1, 0.3),  # how far it has slid down the nose
        "stand_cm": (0.03, 0.12),  # and stands off it
        "tilt_deg": (4.0, 9.0),  # of its lower edge towards the cheeks
        "thick_cm": (0.2, 0.3),  # thickness of the frame
        "temple_height_cm": (0.35, 0.6),
    },
    "card": {
        "width_cm": (8.0, 11.0),  # of the whole cut-out
        "turn_deg": (-12.0, 12.0),  # how it is turned in the picture plane
        "across_cm": (-0.8, 0.8),  # off its place
        "up_cm": (-0.8, 0.8),
        "thick_cm": (1.2, 2.2),  # how far its middle bulges towards the viewer
        "bend": (0.3, 0.7),  # how much it gives way to the face behind it: 0 stiff, 1 like cloth
        "gap": (0.02, 0.15),  # between skin and its back
    },
}

_NUMBERS: Mapping[str, tuple[float, float, float]] = {
    # key of [shape]: default, least, most
    "delight": (0.7, 0.0, 1.0),  # share of the picture's own broad shading that is taken out
    "exposure": (1.0, 0.05, 20.0),  # factor on its brightness
    "specular": (0.01, 0.0, 1.0),
    "gloss": (12.0, 1.0, 200.0),
    "mirror": (0.0, 0.0, 1.0),  # chance that a card is worn as its mirror image
    "least_alpha": (0.5, 0.01, 0.99),  # what is more transparent is not there; its kind may say another default
}
_FILES = ("picture", "mesh")
_LIMITS = {"side_deg": (20.0, 100.0), "width": (0.3, 3.0), "curve_cm": (4.0, 1e4), "top": (-3.0, 12.0)}


@dataclass(frozen=True, slots=True)
class ImportedSpec:
    """The validated table `shape` of an imported asset.

    `anchors` are points by name: x right, y down in px of a picture; x right, y up, z to the viewer in a mesh's units.
    """

    form: str
    file: str
    is_mesh: bool
    view: str
    straps: str
    keep_thin: bool
    places: tuple[str, ...]
    numbers: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    anchors: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, asset: Asset) -> ImportedSpec:
        """Read it; raise `AssetError` for what is missing, unknown, or out of its range."""
        shape = asset.shape
        form = _word(asset, "form", FORMS, kind_of(asset.kind).form)
        named = [key for key in _FILES if key in shape]
        if len(named) != 1 or shape[named[0]] not in asset.files:
            raise _wrong(asset, "must name one of its files as `picture` or as `mesh`")
        odd = set(shape) - {"form", "anchors", "places", "keep_thin", *_FILES, *WORDS, *_NUMBERS, *RANGES[form]}
        if odd:
            raise _wrong(asset, f"has unknown keys: {', '.join(sorted(odd))}")
        keep_thin, places = shape.get("keep_thin", False), shape.get("places", ["mouth"])
        if not isinstance(keep_thin, bool):
            raise _wrong(asset, f"has keep_thin {keep_thin!r}, which is neither true nor false")
        if not isinstance(places, list) or not places or any(place not in PLACES for place in places):
            raise _wrong(asset, f"has places {places!r}; known are {', '.join(PLACES)}")
        is_mesh = named[0] == "mesh"
        return cls(
            form=form,
            file=shape[named[0]],
            is_mesh=is_mesh,
            view=_word(asset, "view", WORDS["view"], "worn"),
            straps=_word(asset, "straps", WORDS["straps"], kind_of(asset.kind).straps),
            keep_thin=keep_thin,
            places=tuple(places),
            numbers={key: _number(asset, key) for key in _NUMBERS},
            ranges={key: _range(asset, key, default) for key, default in RANGES[form].items()},
            anchors=_anchors(asset, form, 3 if is_mesh else 2),
        )


def is_imported(asset: Asset) -> bool:
    """Tell whether an asset is a picture or a mesh of somebody's own, and no shape that we draw."""
    return any(key in asset.shape for key in _FILES)


def _wrong(asset: Asset, what: str) -> AssetError:
    return AssetError(f"the asset {asset.id} {what}", hint="mend its TOML file, then run `fdgen assets index`")


def _word(asset: Asset, key: str, known: tuple[str, ...], default: str) -> str:
    word = asset.shape.get(key, default)
    if word not in known:
        raise _wrong(asset, f"has {key} {word!r}; known are {', '.join(known)}")
    return str(word)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(asset: Asset, key: str) -> float:
    default, least, most = _NUMBERS[key]
    if key == "least_alpha":
        default = kind_of(asset.kind).least_alpha
    value = asset.shape.get(key, default)
    if not _is_number(value) or not least <= value <= most:
        raise _wrong(asset, f"has {key} {value!r}, which is not in [{least:g}, {most:g}]")
    return float(value)


def _range(asset: Asset, key: str, default: tuple[float, float]) -> tuple[float, float]:
    value = asset.shape.get(key, list(default))
    least, most = _LIMITS.get(key, (-100.0, 180.0))
    if not isinstance(value, list) or len(value) != 2 or not all(map(_is_number, value)) or value[0] > value[1]:
        raise _wrong(asset, f"wants [low, high] for {key}, not {value!r}")
    if value[0] < least or value[1] > most:
        raise _wrong(asset, f"has {key} {value!r}, which leaves [{least:g}, {most:g}]")
    return float(value[0]), float(value[1])


def _anchors(asset: Asset, form: str, axes: int) -> dict[str, tuple[float, ...]]:
    given = asset.shape.get("anchors", {})
    names = ANCHORS[form]
    if not isinstance(given, Mapping) or set(given) != set(names):
        raise _wrong(asset, f"wants the anchors {', '.join(names)}")
    for name, point in given.items():
        if not isinstance(point, list) or len(point) != axes or not all(map(_is_number, point)):
            raise _wrong(asset, f"has the anchor {name} {point!r}, which is no point of {axes} numbers")
    return {name: tuple(float(x) for x in given[name]) for name in names}

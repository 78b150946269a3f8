"""Accessories already present in the photograph: glasses, a mask, a hat.

No occluder may be placed on an accessory: a second pair of glasses looks false at once. CelebA's own attributes are
used where they are known, else a linear classifier over gradients and colours of the aligned face
(`fdgen/analysis/models/worn.md`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.gradient_histograms import BINS, CELL_PX, gradient_histograms
from fdgen.arrays import F32, Image
from fdgen.kinds import kind_of

WORN = ("eyewear", "mask", "hat")
"""What is told; of eyewear sunglasses too, of hats also caps, hoods and helmets. Hands before the face are not: neither
this classifier nor MediaPipe's palm detector tells them from faces well enough to act on (see `models/worn.md`)."""

SIZE_PX = 96
_BLOCKS = SIZE_PX // CELL_PX - 1
_COLOURS = 16
_SKIN = (slice(8, 12), slice(5, 11))
"""Cheeks and nose on the colour grid: colours are told from this person's own."""

ROWS: Mapping[str, tuple[float, float]] = {
    "eyewear": (0.30, 0.72),
    "mask": (0.45, 1.0),
    "hat": (0.0, 0.55),
}
"""The part of the aligned face that is looked at, from its top 0 to its bottom 1."""

_STEPS = 64
"""Scores are rounded to such parts before they decide: their last bits may differ between platforms."""

_ATTRIBUTES = {"Eyeglasses": "eyewear", "Wearing_Hat": "hat"}
"""CelebA's attributes that say the same."""


def detect_preexisting(clean_HWC: Image) -> tuple[str, ...]:
    """Return which of `WORN` the classifier sees in a crop."""
    seen = features(clean_HWC)
    model = _model()
    worn = []
    for kind in WORN:
        weights, offset = model[kind]
        score = float(np.einsum("i,i->", seen[looked_at(kind)], weights, dtype=np.float64)) + offset
        if round(score * _STEPS) >= 0:
            worn.append(kind)
    return tuple(worn)


def worn_by(attributes: Iterable[str] | None, seen: Iterable[str]) -> tuple[str, ...]:
    """Return what counts as worn: what CelebA's attributes say where they are known, else what was seen.

    Attributes tell of eyewear and hats only; masks are always what was seen.
    """
    worn = set(seen)
    if attributes is not None:
        worn -= set(_ATTRIBUTES.values())
        worn |= {_ATTRIBUTES[name] for name in attributes if name in _ATTRIBUTES}
    return tuple(kind for kind in WORN if kind in worn)


def fits(kinds: Iterable[str], worn: Iterable[str]) -> bool:
    """Tell whether nothing worn stands in the way of occluders of these kinds."""
    taken = set(worn)
    return not any(taken.intersection(kind_of(kind).excluded_by) for kind in kinds)


def features(clean_HWC: Image) -> F32:
    """Return what the classifier looks at: histograms of gradients, and colours against those of the cheeks."""
    shrinks = clean_HWC.shape[0] > SIZE_PX
    small = cv2.resize(clean_HWC, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    lab = cv2.resize(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), (_COLOURS, _COLOURS), interpolation=cv2.INTER_AREA)
    colours = lab.astype(np.float32) / 255
    colours -= colours[_SKIN].reshape(-1, 3).mean(0)
    found: F32 = np.concatenate([gradient_histograms(np.asarray(small, np.uint8)), colours.ravel()])
    return found


@cache
def looked_at(kind: str) -> npt.NDArray[np.bool_]:
    """Return which features lie within the rows of a kind."""
    top, bottom = ROWS[kind]
    # Blocks are listed column by column.
    block = np.tile(np.arange(_BLOCKS), _BLOCKS)
    middle = np.repeat((block + 1) * CELL_PX / SIZE_PX, 4 * BINS)
    colour = np.repeat((np.arange(_COLOURS) + 0.5) / _COLOURS, 3 * _COLOURS)
    rows = np.concatenate([middle, colour])
    inside: npt.NDArray[np.bool_] = (rows > top) & (rows < bottom)
    return inside


@cache
def _model() -> Mapping[str, tuple[F32, float]]:
    """Read the classifier: weights and offset of each kind, once a process."""
    with resources.files("fdgen.analysis.models").joinpath("worn.npz").open("rb") as file, np.load(file) as data:
        return {kind: (data[kind][:-1].astype(np.float32), float(data[kind][-1])) for kind in WORN}

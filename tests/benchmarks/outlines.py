"""Outlines drawn by hand over photographs of real occluders, and how well a prediction meets them.

`real_outlines.json` says what is labelled and how; the photographs themselves are not distributed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

OUTLINES = Path(__file__).parent / "real_outlines.json"
WIDTH_PX, HEIGHT_PX = 178, 218
CROP = slice(20, 198)
"""Rows of the picture that a crop of CelebA shows."""
KINDS = ("mask", "sunglasses", "hand")

_FINE = 4
"""Outlines are filled at so many times the size, and a pixel counts where half of it is inside: opencv's filling takes
in the whole of every pixel that the outline touches.
"""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Labelled:
    """One photograph: its name under the folder, the kind that covers most, and what is where."""

    name: str
    kind: str
    sha256: str
    outlines: tuple[tuple[str, npt.NDArray[np.float64]], ...]

    def regions(self, kind: str | None = None) -> tuple[Bools, Bools]:
        """Return (covered_HW, counts_HW) of the crop, 178x178: what an occluder covers, and what is scored.

        With a `kind`, what occluders of other kinds cover is not scored.
        """
        fine = (_FINE * HEIGHT_PX, _FINE * WIDTH_PX)
        covered, ignored = np.zeros(fine, np.uint8), np.zeros(fine, np.uint8)
        for what, xy in self.outlines:
            vertices = np.round(_FINE * xy - 0.5).astype(np.int32)
            target = covered if what == "hole" or kind in (None, what) else ignored
            cv2.fillPoly(ignored if what == "ignore" else target, [vertices], (0 if what == "hole" else 255,))
        side = (WIDTH_PX, HEIGHT_PX)
        covered_HW, ignored_HW = (
            cv2.resize(at_fine, side, interpolation=cv2.INTER_AREA)[CROP] >= 128 for at_fine in (covered, ignored)
        )
        return covered_HW, ~ignored_HW | covered_HW


def load(path: Path = OUTLINES) -> list[Labelled]:
    """Read all labelled photographs, in the order of their names."""
    pictures: dict[str, Any] = json.loads(path.read_text())["pictures"]
    return [
        Labelled(
            name,
            entry["kind"],
            entry["sha256"],
            tuple((outline["what"], np.array(outline["xy"], np.float64)) for outline in entry["outlines"]),
        )
        for name, entry in sorted(pictures.items())
    ]


def read_crop(folder: Path, labelled: Labelled, size_px: int) -> npt.NDArray[np.uint8]:
    """Read the crop of a photograph, (size_px, size_px, 3) RGB; raise `ValueError` where it is another picture."""
    data = (folder / labelled.name).read_bytes()
    if hashlib.sha256(data).hexdigest() != labelled.sha256:
        raise ValueError(f"{folder / labelled.name} is not the picture that was labelled")
    picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return np.asarray(cv2.resize(picture[CROP], (size_px, size_px), interpolation=cv2.INTER_AREA), np.uint8)


def iou(found_HW: Bools, labelled: Labelled) -> float:
    """Return intersection over union of a prediction over the 178x178 crop, ignored pixels left out."""
    covered, counts = labelled.regions()
    return float((found_HW & covered & counts).sum() / max(((found_HW | covered) & counts).sum(), 1))


def bootstrap(values: Sequence[float], *, rounds: int = 10_000, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean over photographs and its 95 % interval, by drawing the photographs anew."""
    sample = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).integers(len(sample), size=(rounds, len(sample)))
    low, high = np.percentile(sample[drawn].mean(1), (2.5, 97.5))
    return float(sample.mean()), float(low), float(high)

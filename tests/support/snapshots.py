"""A first version of a dataset without faces, and ways in which the next one may differ from it."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.arrays import Image
from fdgen.contract.records import Reject, Triplet
from fdgen.faces.face import Face
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.versions.lock import write_lock
from tests.support.fake_build import FakeFaces, detect, generate, run

FACES = FakeFaces.of(40)
COUNT = 24


def build_first(folder: Path) -> Path:
    """Build `set` in a folder, and beside it its `card`; return the dataset."""
    out = folder / "set"
    run(out, FACES, count=COUNT, name="lost", version="1.0.0")
    write_lock(out, folder / "card")
    return out


@dataclasses.dataclass(frozen=True)
class Replaced(FakeFaces):
    """Faces of which one photograph has other bytes."""

    number: int = -1

    def source(self, number: int) -> Source:
        found = super().source(number)
        if number != self.number:
            return found
        return dataclasses.replace(found, sha256=hashlib.sha256(b"new %d" % number).hexdigest())


def brighter(face: Face, *arguments: Any, **options: Any) -> Triplet | Reject:
    """Generate with a pixel of the occluded picture changed, and nothing recorded of it."""
    made = generate(face, *arguments, **options)
    if isinstance(made, Reject):
        return made
    rows, columns = np.nonzero(made.mask_HW)
    occluded: Image = made.occluded_HWC.copy()
    occluded[rows[0], columns[0]] ^= 1
    return dataclasses.replace(made, occluded_HWC=occluded)


def shifted(*arguments: Any, **options: Any) -> Any:
    return {
        sha256: one
        if isinstance(one, Reject)
        else Landmarks(one.points_px + np.float32(1 / 16), one.frame, one.size_px)
        for sha256, one in detect(*arguments, **options).items()
    }

"""What both transforms do to one picture: draw an occluder, or leave a picture alone that takes none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.contract.records import Triplet
from fdgen.errors import FdError, PictureError
from fdgen.synthesis.one_picture import MOST_REMEMBERED, OccluderOf, PictureInMemory, kinds_asked

Missing = Literal["raise", "keep"]


@dataclass
class FaceOccluder:
    """Put an occluder on pictures: picklable, for the workers of a loader.

    `picture_seed` makes what a picture gets a function of the seed, its pixels and a variant alone: so runs repeat with
    any number of workers. Without one, the caller's random numbers are the seeds. `missing` says what becomes of a
    picture without a face, or one that no occluder fits: `raise` raises `PictureError`, `keep` leaves it alone.
    """

    kind: InitVar[str | Sequence[str] | None] = None
    recipe: InitVar[str | Path] = "default"
    picture_seed: int | None = None
    missing: Missing = "raise"
    _occluder: OccluderOf = field(init=False, repr=False)

    def __post_init__(self, kind: str | Sequence[str] | None, recipe: str | Path) -> None:
        if self.missing not in ("raise", "keep"):
            raise FdError(f"missing is raise or keep, got {self.missing!r}")
        if self.picture_seed is not None and self.picture_seed < 0:
            raise FdError(f"the seed is a whole number from 0, got {self.picture_seed}")
        self._occluder = OccluderOf(recipe, kinds_asked(kind), remember=MOST_REMEMBERED)

    def __call__(self, picture_HWC: Image, drawn: int, variant: int = 0) -> Triplet | None:
        """Return the triplet of a picture, uint8 RGB; `drawn` is the seed where none was given. None: left as it is."""
        seed = drawn if self.picture_seed is None else self.picture_seed
        try:
            return self._occluder(PictureInMemory.of(picture_HWC), seed=seed, variant=variant)
        except PictureError as error:
            if self.missing == "keep" and error.reason != "not-a-picture":
                return None
            raise


def marked(mask: npt.NDArray[Any], occluder_HW: Image) -> npt.NDArray[Any]:
    """Return a mask with the occluder's pixels at the most of its type: 255 of bytes, 1 of anything else."""
    most = 255 if mask.dtype == np.uint8 else 1
    hidden = (occluder_HW > 0).reshape(occluder_HW.shape + (1,) * (mask.ndim - 2))
    return np.where(hidden, np.asarray(most, mask.dtype), mask)

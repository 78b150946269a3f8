"""Restores photographs in turn: finds the faces of each, or treats it as one aligned face."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdtrain.inference.maskers import Masker
from fdtrain.inference.method import Method
from fdtrain.inference.model_label import ModelLabel
from fdtrain.restoration.aligned import ALIGNED, find_crop, restore_by
from fdtrain.restoration.face_frame import FaceFrame
from fdtrain.restoration.photograph import (
    LEAST_EXPECTED_IOU,
    Eyes,
    RestoredFace,
    RestoredPhotograph,
    restore_photograph,
)

How = Literal["auto", "aligned", "find"]

LARGEST_CROP_PX = 512
"""A square picture up to this counts as a crop of a face where its mask is given: larger ones may show anything."""


@dataclass(frozen=True, eq=False)
class PhotoRestorer:
    """Restores photographs by `method`, at `size_px`.

    `find` returns the faces of a photograph. With `how` of `aligned` each picture is one aligned face, with `find` none
    is; `auto` distinguishes them by their size. `labels` say which models `method` and `masker` are.
    """

    method: Method
    size_px: int
    find: Callable[[Image], Sequence[Eyes]]
    masker: Masker | None = None
    how: How = "auto"
    with_grain: bool = True
    jaw_line: bool = True
    sharpen: bool = True
    least_expected_iou: float = LEAST_EXPECTED_IOU
    beside: bool = False
    labels: tuple[ModelLabel, ...] = ()

    def restore(
        self, photo_HWC: Image, *, mask_HW: Image | None = None, strokes_HW: npt.NDArray[np.int8] | None = None
    ) -> tuple[RestoredPhotograph, float]:
        """Restore one photograph; return how long its faces were looked for, too, in seconds.

        An aligned picture whose mask is given is restored as it always was: what the network makes is pasted as it is.
        Raises `PictureError`.
        """
        if mask_HW is not None and strokes_HW is None and self._is_aligned(photo_HWC):
            return self._as_it_is(photo_HWC, mask_HW), 0.0
        start = time.perf_counter()
        faces = self._faces(photo_HWC)
        searched_s = time.perf_counter() - start
        if mask_HW is not None and strokes_HW is None and not faces and self.how == "auto" and _is_square(photo_HWC):
            return self._as_it_is(photo_HWC, mask_HW), searched_s  # a crop too large to count as one at once
        return restore_photograph(
            photo_HWC,
            faces,
            self.method,
            self.size_px,
            masker=self.masker,
            mask_HW=mask_HW,
            strokes_HW=strokes_HW,
            with_grain=self.with_grain,
            jaw_line=self.jaw_line,
            sharpen=self.sharpen,
            least_expected_iou=self.least_expected_iou,
            beside=self.beside,
        ), searched_s  # fmt: skip

    def _is_aligned(self, photo_HWC: Image) -> bool:
        height, width = photo_HWC.shape[:2]
        if self.how == "auto":
            return (height, width) in ALIGNED or (_is_square(photo_HWC) and height <= LARGEST_CROP_PX)
        return self.how == "aligned"

    def _faces(self, photo_HWC: Image) -> Sequence[Eyes | FaceFrame]:
        height, width = photo_HWC.shape[:2]
        if self.how == "aligned" or (self.how == "auto" and (height, width) in ALIGNED):
            return [_frame(photo_HWC)]
        return self.find(photo_HWC)

    def _as_it_is(self, photo_HWC: Image, mask_HW: Image) -> RestoredPhotograph:
        start = time.perf_counter()
        done = restore_by(self.method, photo_HWC, mask_HW, size_px=self.size_px)
        crop = find_crop(photo_HWC, "the photograph")
        replaced_HW = np.zeros_like(mask_HW)
        crop.of(replaced_HW)[...] = crop.of(mask_HW)
        beyond = 1 - int((replaced_HW > 0).sum()) / int((mask_HW > 0).sum())
        face = RestoredFace(
            _frame(photo_HWC),
            "restored",
            None,
            None,
            {},
            float((crop.of(mask_HW) > 0).mean()),
            done.input_HWC,
            done.mask_HW,
            done.coarse_HWC,
            done.refined_HWC,
            {"restore": time.perf_counter() - start},
        )
        return RestoredPhotograph(done.picture_HWC, replaced_HW, (face,), beyond)


def _is_square(photo_HWC: Image) -> bool:
    return photo_HWC.shape[0] == photo_HWC.shape[1]


def _frame(photo_HWC: Image) -> FaceFrame:
    crop = find_crop(photo_HWC, "the photograph")
    return FaceFrame.of_square(crop.left, crop.top, crop.side)

"""Restores any photograph: each face is aligned, its mask predicted, restored at the network's size, and pasted back.

Imports neither torch nor a face detector: the method, the masker and the faces come in as arguments.

The content of the inpainted region (hole) is invented. It is no evidence of how a person looks.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Bools, Image
from fdgen.errors import PictureError
from fdtrain.inference.mask_decision import expected_iou, middle_of_face, threshold_mask, with_lines
from fdtrain.inference.maskers import REACH, Masker
from fdtrain.restoration.beyond_crop import going_on
from fdtrain.restoration.blending import fill
from fdtrain.restoration.face_frame import Box, FaceFrame
from fdtrain.restoration.jaw_line import with_jaw_line

if TYPE_CHECKING:
    from fdtrain.inference.method import Method


SMALLEST_SIDE_PX = 32
"""A face whose crop has fewer pixels a side (its eyes are 7 apart) is left alone, unless its mask was given."""

SMALLEST_PHOTO_PX = 8
"""Fewer pixels a side hold no face."""

MASKED_PX = 256
"""Side of the crop that a masker is asked about, where its own is smaller: its answer is enlarged smoothly."""

_AROUND = 0.16
"""What is looked at around a hole for its levels, sharpness and grain, as a share of the crop's side."""

LEAST_EXPECTED_IOU = 0.5
"""A predicted mask whose expected IoU (`mask_decision.expected_iou`) is less than this is left out: it is more likely
wrong than right, and would spoil a bare face."""

OUTCOMES = ("restored", "nothing to remove", "mask unsure", "too small")
"""What may become of a face."""


class Eyes(Protocol):
    """A face that was found: the centres of its eyes in pixels of the photograph, the viewer's left first in an upright
    face, and how sure the finder is, in [0, 1].
    """

    @property
    def left_eye_xy(self) -> tuple[float, float]: ...
    @property
    def right_eye_xy(self) -> tuple[float, float]: ...
    @property
    def score(self) -> float: ...


@dataclass(frozen=True, eq=False)
class RestoredFace:
    """One face: where it lies, what became of it, and the squares as the network saw and made them.

    `face_score` is the face finder's, None where the face's place was given. `expected_mask_iou` is that of the mask as
    it was predicted, by its own probabilities (`mask_decision.expected_iou`); None where it was given. `covered` is the
    share of the crop that is replaced. `seconds` has an entry a step. Of a face that is not restored the mask is empty
    and `restored_HWC` None.
    """

    frame: FaceFrame
    outcome: str
    face_score: float | None
    expected_mask_iou: float | None
    kinds: Mapping[str, float]
    covered: float
    crop_HWC: Image
    mask_HW: Image
    coarse_HWC: Image | None
    restored_HWC: Image | None
    seconds: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class RestoredPhotograph:
    """A photograph and what was replaced in it.

    `picture_HWC` equals the photograph wherever `mask_HW` (0 or 255) is 0. `beyond` is the share of the mask asked for
    that lies in no face's crop, and was therefore left.
    """

    picture_HWC: Image
    mask_HW: Image
    faces: tuple[RestoredFace, ...]
    beyond: float


@dataclass(eq=False)
class _Open:
    """A face on its way."""

    frame: FaceFrame
    box: Box
    face_score: float | None
    most: float = 1.0
    """How far out its pixels lie at most, by `FaceFrame.eccentricity`: 1 is the crop's edge."""
    expected_mask_iou: float | None = None
    small: bool = False
    unsure: bool = False
    kinds: Mapping[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def restore_photograph(
    photo_HWC: Image,
    faces: Sequence[Eyes | FaceFrame],
    method: Method,
    size_px: int,
    *,
    masker: Masker | None = None,
    mask_HW: Image | None = None,
    strokes_HW: npt.NDArray[np.int8] | None = None,
    reach: float = REACH,
    least_expected_iou: float = LEAST_EXPECTED_IOU,
    beside: bool = False,
    with_grain: bool = True,
    jaw_line: bool = True,
    sharpen: bool = True,
) -> RestoredPhotograph:
    """Remove occluders from every face of a photograph. The same photograph gives the same picture.

    Args:
        photo_HWC: RGB uint8 of any size from 8 px a side.
        faces: Each face by its eyes, or by its frame where that is known.
        method: What fills squares of `size_px`.
        size_px: Side of the squares in px.
        masker: Predicts the mask of each face where no `mask_HW` is given; None predicts none.
        mask_HW: The inpainted region, 0 or 255, of the photograph's size, taken as it is; None leaves it to `masker`.
        strokes_HW: Corrections of the mask: 1 adds a pixel, -1 takes it away, 0 leaves it; None for none.
        reach: How far a predicted mask is widened, as a share of the crop's side.
        least_expected_iou: A face is left alone where the expected IoU of its predicted mask, in [0, 1], is below this.
        beside: Whether parts of a predicted mask count, too, that hide next to nothing of the middle of the face.
        with_grain: Whether the photograph's grain is added to what is filled in.
        jaw_line: Whether what lies beside a face goes on up to its outline (`jaw_line.with_jaw_line`).
        sharpen: Whether what is filled in is made as sharp as the photograph around (`sharpness.sharpened`).

    Raises `PictureError` where sizes differ or the photograph is too small, `ValueError` where there is no mask of any
    sort.
    """
    height, width = photo_HWC.shape[:2]
    _check(photo_HWC, mask_HW, strokes_HW)
    if masker is None and mask_HW is None and strokes_HW is None:
        raise ValueError("give a mask, a masker, or strokes")
    predicts = mask_HW is None and masker is not None
    opened = [_opened(photo_HWC, face, small_counts=predicts) for face in faces]
    wanted_HW = np.zeros((height, width), np.bool_) if mask_HW is None else mask_HW > 0
    if predicts and masker is not None:
        for one in opened:
            if not one.small:
                _predict(photo_HWC, one, masker, wanted_HW, reach, least_expected_iou, beside=beside)
    if strokes_HW is not None:
        wanted_HW |= strokes_HW > 0
        wanted_HW &= strokes_HW >= 0
    whole_HW = wanted_HW.view(np.uint8) * np.uint8(255)
    rng = np.random.default_rng(_seed(photo_HWC)) if with_grain else None
    feather_px = reach / 2 if predicts else 0.0
    picture_HWC, replaced_HW, done = photo_HWC.copy(), np.zeros((height, width), np.uint8), []
    for index, one in enumerate(opened):
        others = [other for i, other in enumerate(opened) if i != index and not other.small]
        done.append(
            _restored(
                photo_HWC, picture_HWC, replaced_HW, whole_HW, one, others, method, size_px, feather_px, rng,
                jaw_line=jaw_line, sharpen=sharpen,
            )
        )  # fmt: skip
    asked = int(wanted_HW.sum())
    beyond = 1 - int((replaced_HW > 0).sum()) / asked if asked else 0.0
    return RestoredPhotograph(picture_HWC, replaced_HW, tuple(done), beyond)


def _check(photo_HWC: Image, mask_HW: Image | None, strokes_HW: npt.NDArray[np.int8] | None) -> None:
    height, width = photo_HWC.shape[:2]
    if min(height, width) < SMALLEST_PHOTO_PX:
        raise PictureError(
            f"a photograph has {SMALLEST_PHOTO_PX} px a side or more, this one is {width}x{height}",
            reason="too-small",
            hint="give a larger one",
        )
    for what, given in (("mask", mask_HW), ("picture of strokes", strokes_HW)):
        if given is not None and given.shape != (height, width):
            raise PictureError(
                f"the {what} is {given.shape[1]}x{given.shape[0]}, its photograph {width}x{height}",
                reason="mask-size",
                hint="it covers its photograph pixel by pixel: draw it at the same size",
            )


def _opened(photo_HWC: Image, face: Eyes | FaceFrame, *, small_counts: bool) -> _Open:
    frame = face if isinstance(face, FaceFrame) else FaceFrame.of_eyes(face.left_eye_xy, face.right_eye_xy)
    face_score = None if isinstance(face, FaceFrame) else face.score
    return _Open(frame, frame.box(photo_HWC), face_score, small=small_counts and frame.side_px < SMALLEST_SIDE_PX)


def _predict(
    photo_HWC: Image,
    face: _Open,
    masker: Masker,
    wanted_HW: Bools,
    reach: float,
    least_expected_iou: float,
    *,
    beside: bool,
) -> None:
    """Add what a masker finds in a face to the mask of the photograph."""
    start = time.perf_counter()
    crop_HWC = face.frame.cut(photo_HWC, max(MASKED_PX, masker.size_px))
    face.seconds["align"] = time.perf_counter() - start
    prediction = masker.predict([crop_HWC])[0]
    face.expected_mask_iou, face.kinds = expected_iou(prediction.occluder_HW), prediction.kinds
    probability_HW = np.asarray(face.frame.spread(with_lines(prediction.occluder_HW, crop_HWC), face.box), np.float32)
    within_HW = face.frame.eccentricity(face.box) <= 1
    probability_HW[~within_HW] = 0
    middle_HW = None if beside else middle_of_face(*face.frame.coordinates(face.box))
    found_HW = within_HW & threshold_mask(probability_HW, face.frame.side_px, middle_HW=middle_HW, reach=reach)
    face.unsure = bool(found_HW.any()) and face.expected_mask_iou < least_expected_iou
    if not face.unsure:
        face.box.of(wanted_HW)[...] |= found_HW
        where_HW = np.zeros(photo_HWC.shape[:2], np.bool_)
        face.box.of(where_HW)[...] = found_HW
        if (further := going_on(photo_HWC, face.frame, where_HW, masker, reach)) is not None:
            face.box, face.most = further.box, further.most
            further.box.of(wanted_HW)[...] |= further.mask_HW
    face.seconds["mask"] = time.perf_counter() - start - face.seconds["align"]


def _restored(
    photo_HWC: Image,
    picture_HWC: Image,
    replaced_HW: Image,
    whole_HW: Image,
    face: _Open,
    others: Sequence[_Open],
    method: Method,
    size_px: int,
    feather: float,
    rng: np.random.Generator | None,
    *,
    jaw_line: bool,
    sharpen: bool,
) -> RestoredFace:
    """Restore one face into `picture_HWC` and mark what was replaced."""
    start = time.perf_counter()
    frame, side_px = face.frame, face.frame.side_px
    crop_HWC, crop_mask_HW = frame.cut(photo_HWC, size_px), frame.cut_mask(whole_HW, size_px)
    face.seconds["align"] = face.seconds.get("align", 0.0) + time.perf_counter() - start
    hole_HW = _own(face, others) & (face.box.of(whole_HW) > 0)
    if face.small or not hole_HW.any():
        outcome = "too small" if face.small else "mask unsure" if face.unsure else "nothing to remove"
        empty_HW = np.zeros((size_px, size_px), np.uint8)
        return RestoredFace(
            frame, outcome, face.face_score, face.expected_mask_iou, face.kinds, 0.0,
            crop_HWC, empty_HW, None, None, face.seconds,
        )  # fmt: skip
    start = time.perf_counter()
    *coarse, restored_HWC = method.restore([(crop_HWC, crop_mask_HW)])[0]
    if jaw_line:
        restored_HWC = with_jaw_line(restored_HWC, crop_HWC, crop_mask_HW)
    pasting = time.perf_counter()
    face.seconds["restore"] = pasting - start
    tight = face.box.bounds(hole_HW)
    box = tight.grown(max(8, round(_AROUND * side_px)), photo_HWC)
    hole_in_box_HW = np.zeros((box.bottom - box.top, box.right - box.left), np.bool_)
    tight.within(box).of(hole_in_box_HW)[...] = tight.within(face.box).of(hole_HW)
    outward_HW = frame.eccentricity(box)
    unmasked_HW = box.of(whole_HW) == 0
    filled_HWC = fill(
        np.asarray(box.of(photo_HWC), np.uint8),
        np.asarray(frame.spread(restored_HWC, box), np.uint8),
        hole_in_box_HW,
        np.asarray(unmasked_HW & (outward_HW < 1), np.bool_),
        face.most - outward_HW,
        beyond_HW=np.asarray(unmasked_HW & (outward_HW >= 1), np.bool_) if face.most > 1 else None,
        seen_HWC=np.asarray(frame.spread(crop_HWC, box), np.uint8) if sharpen else None,
        zoom=side_px / size_px,
        side_px=side_px,
        feather_px=feather * side_px,
        rng=rng,
    )
    box.of(picture_HWC)[hole_in_box_HW] = filled_HWC[hole_in_box_HW]
    box.of(replaced_HW)[hole_in_box_HW] = 255
    face.seconds["paste"] = time.perf_counter() - pasting
    return RestoredFace(
        frame,
        "restored",
        face.face_score,
        face.expected_mask_iou,
        face.kinds,
        float(hole_HW.sum()) / side_px**2,
        crop_HWC,
        crop_mask_HW,
        coarse[0] if coarse else None,
        restored_HWC,
        face.seconds,
    )


def _own(face: _Open, others: Sequence[_Open]) -> Bools:
    """Return which pixels of a face's box are its own: no farther out than any may be, and farther from all others."""
    own_HW = face.frame.eccentricity(face.box)
    mine_HW = own_HW <= face.most
    for other in others:
        if other.box.meets(face.box):
            mine_HW &= own_HW <= other.frame.eccentricity(face.box)
    return np.asarray(mine_HW, np.bool_)


def _seed(photo_HWC: Image) -> int:
    """Return a number that the photograph's pixels decide."""
    digest = hashlib.blake2b(np.ascontiguousarray(photo_HWC).data, digest_size=8, person=b"grain")
    digest.update(repr(photo_HWC.shape).encode())
    return int.from_bytes(digest.digest(), "big")

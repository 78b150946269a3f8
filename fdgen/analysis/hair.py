"""Hair that falls over the face, so that it can lie over an occluder: bangs over frames, locks over loops and cloth.

Any part of the person next to the face that does not look like this face's skin is hair, or a hat, which covers an
occluder in the same way. The face's own pixels are compared with both colours; hair over it must join the hair next to
it. Only certain pixels count: where hair and skin are too alike none does, and the record says `unsure`. Brows, eyes
and beard never count, nor does short hair next to the face, which temples and loops run over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.face_grid import GRID_PX, FaceGrid
from fdgen.analysis.geometry import HeadPose, median
from fdgen.analysis.hair_colours import Colours
from fdgen.analysis.person_segmentation import find_person
from fdgen.arrays import F32, Bools, Image
from fdgen.contract.face_points import BROWS, EYES
from fdgen.runtime.jit import compiled

STATES = ("none", "measured", "unsure")
_LEVELS = 15

_LEAST_BESIDE_CM2 = 6.0
"""Less hair than this next to the face, and the head is bald or shaved."""
_LEAST_CONTRAST = 2.9
"""Of hair against skin, in standard deviations of skin: below, blond hair on fair skin and dark on dark are guesses."""
_MOST_SHADE = 0.9
"""Log difference of the cheeks past which the dark half of a face could be anything."""
_MOST_CONFUSED, _PER_CONTRAST, _GOOD_CONTRAST = 0.06, 0.4, 3.4
"""Share of cheeks and nose that may be classified as hair, and how much more where the contrast is better than good:
locks do hang there, but where hair and skin are alike it is skin. Set on 119 portraits, judged by eye."""
_BANGS = 0.75
"""Share of the skin above a brow that bangs hide where they hide the brow too."""
_LONG_CM2 = 3.0
"""Hair at the side of the jaw from which the hair of that side is long, and hangs over loops and temples."""

_BARE_EYE_CM, _BARE_EYE = (1.6, 4.2, 1.2), 0.3
"""From where to where at the side of the nose, and how far above and below its middle, an eye is; the share of it that
hair hides from which it is not bare."""
_FRONT_CM = (7.2, 8.0)
"""To the side of the nose: where the front of eyewear ends, and where hair hangs over its temples."""
_BROW_CM = (2.6, 3.4)
"""Above the eyes: up to where locks go under a front, and from where they are a fringe that hangs over it."""

_LOWEST_CM = (-10.5, -8.5)
"""From the eyes down to about the jaw: below, hair cannot be distinguished from clothes, and the matte fades out."""


@dataclass(frozen=True, slots=True)
class Hair:
    """`matte` (GRID_PX, GRID_PX) is 0 to 15, how far hair hides what is put on the face; `state` is one of `STATES`.

    Where the state is not `measured`, the matte is 0 throughout.
    """

    matte: Image
    state: str

    def at_size(self, size_px: int) -> F32:
        """Return the matte (size_px, size_px), 0 to 1."""
        levels = cv2.resize(self.matte, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
        return np.asarray(levels, np.float32) / np.float32(_LEVELS)

    def opened(self, size_px: int, width_px: float) -> F32:
        """Return `at_size` less what is narrower than `width_px` pixels of it, by whole cells of the grid."""
        side = 2 * round(0.5 * width_px * GRID_PX / size_px) + 1
        kernel = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
        wide = np.asarray(cv2.morphologyEx(self.matte, cv2.MORPH_OPEN, kernel), np.uint8)
        return Hair(wide, self.state).at_size(size_px)


def find_hair(clean_HWC: Image, landmarks_px: npt.NDArray[np.floating[Any]], pose: HeadPose) -> Hair:
    """Return the hair over and next to the face in a crop with landmarks (N, 3) in its px."""
    scale = GRID_PX / clean_HWC.shape[0]
    face = FaceGrid.of(landmarks_px[:, :2] * scale, pose, scale)
    colours = Colours.of(clean_HWC, face)
    if colours is None:
        return _nothing("unsure")
    person = find_person(clean_HWC, GRID_PX)
    rim = max(1, round(0.5 * face.px_per_cm))
    around = cv2.dilate(face.oval.view(np.uint8), np.ones((3, 3), np.uint8), iterations=rim).astype(bool)
    beside = (person > 0.8) & ~around & (face.up_cm > _LOWEST_CM[0])
    head = (face.up_cm > -6.5) & (np.hypot(face.right_cm / 11, (face.up_cm - 1) / 11) < 1)
    seeds = beside & head & (colours.from_skin > 2.2)
    if seeds.sum() < _LEAST_BESIDE_CM2 * face.px_per_cm**2:
        return _nothing("none")
    contrast = float(median(colours.from_skin[seeds]))
    if contrast < _LEAST_CONTRAST or colours.shade > _MOST_SHADE:
        return _nothing("unsure")
    evidence = colours.evidence(seeds)
    like_hair = (evidence > 1.5) & (colours.from_skin > 2.6) & (person > 0.5)
    cheeks = face.middle & (face.up_cm > -3.8) & (face.up_cm < -1.2)
    confused = float(like_hair[cheeks].mean()) if cheeks.any() else 1.0
    if confused > _MOST_CONFUSED + _PER_CONTRAST * max(0.0, contrast - _GOOD_CONTRAST):
        return _nothing("unsure")
    doubt = np.where(face.up_cm < -0.8, 0.8, 0.0)  # cheeks lie in shadow more often than under locks
    over_face = face.oval & (evidence > 2.5 + doubt) & (colours.from_skin > 3.0 + doubt) & (person > 0.5)
    whole = cv2.morphologyEx(over_face.view(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).astype(bool)
    hair = _joined(whole & face.oval | like_hair & around & ~face.oval, beside & like_hair)
    allowed = ~_never(face, hair)
    hair = _joined(hair & allowed, beside & like_hair & allowed)
    if not hair[face.near].any():
        return _nothing("none")
    fading = np.clip((face.up_cm - _LOWEST_CM[0]) / (_LOWEST_CM[1] - _LOWEST_CM[0]), 0.0, 1.0)
    return Hair(np.round(_softened(hair, clean_HWC) * fading * _LEVELS).astype(np.uint8), "measured")


def over_frames(matte_HW: F32, right_cm: F32, up_cm: F32) -> F32:
    """Return how far hair hides eyewear, 0 to 1, of a matte (H, W) over the face.

    Eyewear is put on over the locks at the side of an eye, which go under the outer part of its front; what hangs into
    the eye itself, or from above, hangs over it. `right_cm` and `up_cm` (H, W) are as `FaceGrid` has them.
    """
    over: F32 = matte_HW.copy()
    inner, outer, tall = _BARE_EYE_CM
    for side in (-1, 1):
        beside = side * right_cm
        eye = (beside > inner) & (beside < outer) & (np.abs(up_cm) < tall)
        if not eye.any() or over[eye].mean() > _BARE_EYE:
            continue
        _thin_over_front(over, beside, up_cm)
    return over


@compiled
def _thin_over_front(over_HW: F32, beside_cm: F32, up_cm: F32) -> None:
    """Take hair away, in place, where a front of eyewear is put on over it: of the side where `beside_cm` is over 0."""
    none, all_, reach = np.float32(0), np.float32(1), np.float32(_BARE_EYE_CM[1] + 0.8)
    front, front_width = np.float32(_FRONT_CM[0]), np.float32(_FRONT_CM[1] - _FRONT_CM[0])
    brow, brow_width = np.float32(_BROW_CM[0]), np.float32(_BROW_CM[1] - _BROW_CM[0])
    for y in range(over_HW.shape[0]):
        for x in range(over_HW.shape[1]):
            beside = beside_cm[y, x]
            if beside <= none or over_HW[y, x] == none:
                continue
            past = min(all_, max(none, (beside - front) / front_width))
            fringe = min(all_, max(none, (up_cm[y, x] - brow) / brow_width))
            within = min(all_, max(none, reach - beside))  # locks that reach into the eye lie before the lens
            over_HW[y, x] *= max(past, fringe, within * within)


def _nothing(state: str) -> Hair:
    return Hair(np.zeros((GRID_PX, GRID_PX), np.uint8), state)


def _joined(what: Bools, to: Bools) -> Bools:
    """Return `to` and those connected parts of `what` that touch it."""
    together = what | to
    n_parts, numbered = cv2.connectedComponents(together.view(np.uint8), connectivity=4)
    touches = np.zeros(n_parts, np.bool_)
    touches[numbered[to]] = True
    joined: Bools = together & touches[numbered]
    return joined


def _never(face: FaceGrid, hair: Bools) -> Bools:
    """Return where nothing counts as hair, even if it looks like hair."""
    never: Bools = face.middle & face.oval | face.grown(EYES, 1.3)
    for polygon in BROWS:
        if face.share_above(polygon, hair) < _BANGS:
            never |= face.grown((polygon,), 1.25)
    for side in (-1, 1):
        here = side * face.right_cm > 0
        below = ~face.oval & here & (np.abs(face.right_cm) < 11) & (face.up_cm < -2.5) & (face.up_cm > -5.5)
        if (hair & below).sum() < _LONG_CM2 * face.px_per_cm**2:
            never |= here & ((np.abs(face.right_cm) > 5.2) & (face.up_cm < 2.2) | (face.up_cm < -0.8))
    return never


def _softened(hair: Bools, clean_HWC: Image) -> F32:
    """Return a matte, 0 to 1, whose rim follows the picture's edges: the guided filter of He et al. (2010)."""
    grey = np.asarray(cv2.cvtColor(clean_HWC, cv2.COLOR_RGB2GRAY), np.uint8)
    how = cv2.INTER_AREA if grey.shape[0] > GRID_PX else cv2.INTER_LINEAR
    luma = np.asarray(cv2.resize(grey, (GRID_PX, GRID_PX), interpolation=how), np.float32) * np.float32(1 / 255)
    window, ridge = (5, 5), np.float32(0.002)

    def mean(image: F32) -> F32:
        return np.asarray(cv2.blur(image, window), np.float32)

    sure = hair.astype(np.float32)
    mean_luma, mean_sure = mean(luma), mean(sure)
    slope = (mean(luma * sure) - mean_luma * mean_sure) / (mean(luma * luma) - mean_luma**2 + ridge)
    level = mean_sure - slope * mean_luma
    soft = mean(slope) * luma + mean(level)
    near = cv2.dilate(hair.view(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    matte: F32 = np.clip((soft - 0.25) / 0.5, 0.0, 1.0) * near
    return matte

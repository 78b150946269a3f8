"""What a mask has beyond the crop of its face: long masks, scarves and hands go on below it and beside it.

    mask that touches the crop's edge --> a wider crop, further down --> its mask beyond the crop, where it goes on

The generator sees none of this: what it fills in at the edge goes on to there, at the levels of what lies around.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from fdgen.arrays import Bools, Image
from fdtrain.inference.mask_decision import grown
from fdtrain.inference.maskers import THRESHOLD, Masker
from fdtrain.restoration.face_frame import Box, FaceFrame

_WIDER, _DOWN = 1.3, 0.15
"""The wider crop: so many times as wide, and so much lower, as a share of the side. Hats and hair above are no part."""

_MOST = 1.6
"""The eccentricity of its lower edge."""

_TOUCHES = 0.97
"""From this eccentricity on a mask touches the edge of the crop."""

_MOST_SHARE = 0.15
"""What would add more than this share of the mask within the crop is clothing."""


class Further(NamedTuple):
    """A mask that goes on: which pixels of a box it has beyond the crop, and how far out they lie at most."""

    box: Box
    mask_HW: Bools
    most: float


def going_on(photo_HWC: Image, frame: FaceFrame, mask_HW: Bools, masker: Masker, reach: float) -> Further | None:
    """Return where a mask goes on beyond the crop of its face; None where it does not.

    Args:
        photo_HWC: The photograph, RGB uint8.
        frame: The crop.
        mask_HW: The mask of the face within its crop, of the photograph's size.
        masker: What found it.
        reach: How far a mask is widened, as a share of the crop's side.
    """
    outward_HW = frame.eccentricity(frame.box(photo_HWC))
    if not (frame.box(photo_HWC).of(mask_HW) & (outward_HW >= _TOUCHES)).any():
        return None
    wide = frame.widened(_WIDER, down=_DOWN)
    box = frame.box(photo_HWC, (_MOST - 1) / 2 * frame.side_px)
    prediction = masker.predict([wide.cut(photo_HWC, masker.size_px)])[0]
    likely_HW = np.asarray(wide.spread(prediction.occluder_HW, box), np.float32) >= THRESHOLD
    outward_HW = frame.eccentricity(box)
    within_HW = np.asarray(box.of(mask_HW), np.bool_)
    beyond_HW = likely_HW & (outward_HW > 1) & (wide.eccentricity(box) <= 1)
    _, parts_HW = cv2.connectedComponents((beyond_HW | within_HW).view(np.uint8), connectivity=8)
    beyond_HW &= np.isin(parts_HW, np.unique(parts_HW[within_HW]))
    if not 0 < beyond_HW.sum() <= _MOST_SHARE * within_HW.sum():
        return None
    widened_HW = grown(beyond_HW, reach * frame.side_px) & (outward_HW > 1) & (outward_HW <= _MOST)
    return Further(box, np.asarray(widened_HW, np.bool_), _MOST)

"""Person against background: MediaPipe's selfie segmentation."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.networks.engine import Network, as_floats
from fdgen.runtime.kept_results import kept_for_objects

_INPUT_PX = 256
_STEPS = 64
"""Probabilities are rounded to such parts: their last bits may differ between platforms and releases of the engine."""


@kept_for_objects(1, most=4)
def find_person(clean_HWC: Image, size_px: int) -> npt.NDArray[np.float32]:
    """Return the probability (size_px, size_px) that a pixel of a crop shows the person.

    The last few answers are kept: hair and the room of a hat both ask. Raises `FdError` where the engine of the
    networks is not installed. One thread, regardless of what the process is set to.
    """
    shown_HWC = np.asarray(cv2.resize(clean_HWC, (_INPUT_PX, _INPUT_PX)), np.uint8)
    (person_HW1,) = _network()(as_floats(shown_HWC, 0, 1))
    small = cv2.resize(person_HW1[..., 0], (size_px, size_px), interpolation=cv2.INTER_AREA)
    rounded: npt.NDArray[np.float32] = np.round(np.asarray(small, np.float32) * _STEPS) / np.float32(_STEPS)
    return rounded


@cache
def _network() -> Network:
    """Read the network, once a process."""
    return Network("person_segmentation.tflite")

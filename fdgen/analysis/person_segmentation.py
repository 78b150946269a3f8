"""Person against background: MediaPipe's selfie segmentation, a part of mediapipe that runs in opencv's dnn."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.errors import FdError

_MODEL = "modules/selfie_segmentation/selfie_segmentation.tflite"
_INPUT_PX = 256
_STEPS = 64
"""Probabilities are rounded to such parts: their last bits may differ between platforms and releases of opencv."""


def find_person(clean_HWC: Image, size_px: int) -> npt.NDArray[np.float32]:
    """Return the probability (size_px, size_px) that a pixel of a crop shows the person.

    Raises `FdError` where mediapipe, or the model in it, is not installed. One thread, whatever the process is set to.
    """
    network = _load()
    with _one_thread():
        network.setInput(cv2.dnn.blobFromImage(clean_HWC, 1 / 255, (_INPUT_PX, _INPUT_PX)))
        person = network.forward()[0, 0]
    small = cv2.resize(person, (size_px, size_px), interpolation=cv2.INTER_AREA)
    rounded: npt.NDArray[np.float32] = np.round(np.asarray(small, np.float32) * _STEPS) / np.float32(_STEPS)
    return rounded


@cache
def _load() -> Any:
    """Read the network, once a process, without importing mediapipe."""
    found = importlib.util.find_spec("mediapipe")
    places = [] if found is None else [Path(place) / _MODEL for place in found.submodule_search_locations or ()]
    for path in places:
        if path.is_file():
            return cv2.dnn.readNetFromTFLite(str(path))
    raise FdError("mediapipe's selfie segmentation is not installed", hint="pip install mediapipe==0.10.21")


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)

"""The network that finds accessories and hands in an aligned face, run by OpenCV: `fdgen/analysis/models/parser.onnx`.

It gives a coarse map and a score for each class; its card is `fdgen/analysis/models/parser.md`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np

from fdgen.arrays import F32, Image
from fdgen.errors import FdError
from fdgen.io.pictures.images import resize
from fdgen.networks.engine import REINSTALL

CLASSES = ("eyewear", "mask", "hat", "hand")
"""In the order of the network's outputs: sunglasses are eyewear, hoods and caps are hats, what is held is a hand."""

INPUT_PX, MAP_PX = 96, 24

_LOCK = threading.Lock()
"""A network of OpenCV keeps its input: threads wait for each other."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the network sees in a crop.

    `maps_CHW` (4, 24, 24) is the probability that a cell of the crop shows each of `CLASSES`; `scores_C` (4,) are the
    logits of each being there at all, which are learned by themselves.
    """

    maps_CHW: F32
    scores_C: F32


def parse(clean_HWC: Image) -> Parsed:
    """Look at an aligned crop, RGB of any size, and at its mirror image, and return the mean of both.

    A mirrored crop has the same scores. Raises `FdError` where the network cannot be read.
    """
    small = resize(clean_HWC, INPUT_PX, INPUT_PX)
    maps, scores = _look(small)
    mirrored_maps, mirrored_scores = _look(small[:, ::-1])
    logits = (maps + mirrored_maps[..., ::-1]) / 2
    return Parsed(1 / (1 + np.exp(-logits)), (scores + mirrored_scores) / 2)


def _look(small_HWC: Image) -> tuple[F32, F32]:
    """Return the logits of maps (4, 24, 24) and scores (4,) of a crop at the network's size."""
    picture_1CHW = np.ascontiguousarray(small_HWC.transpose(2, 0, 1)[None], np.float32)
    network = _network()
    with _LOCK:
        network.setInput(picture_1CHW, "picture")
        maps, scores = network.forward(["maps", "scores"])
        # Copied: OpenCV writes the next answer where this one is.
        return np.array(maps[0], np.float32), np.array(scores[0], np.float32)


@cache
def _network() -> Any:
    """Read the network, once a process."""
    try:
        data = resources.files("fdgen.analysis.models").joinpath("parser.onnx").read_bytes()
        network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    except (OSError, cv2.error) as error:
        raise FdError(f"the network parser.onnx cannot be read: {error}", hint=REINSTALL) from error
    network.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    network.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    return network

"""Videos as frames, through opencv: read one after the other, and written without loss."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fdgen.arrays import Image
from fdgen.errors import PictureError
from fdgen.io.atomic import take_name
from fdtrain.errors import RunError

SUFFIX = ".mkv"
"""Of what is written: FFV1 in Matroska, lossless in RGB. Opencv's wheel carries it, what builds on ffmpeg plays it."""

_USUAL_RATE = 25.0  # frames a second of a video that does not say


class Frames:
    """The frames of a video, RGB uint8, upright; raises `PictureError` where opencv cannot read it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise PictureError(
                f"{path} is no video that can be read", reason="not-a-video", hint="convert it to MP4, or to pictures"
            )
        # Phones store what they film lying, with the turn in the header; opencv 4.11 follows it only where asked to.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else _USUAL_RATE

    def __iter__(self) -> Iterator[Image]:
        there, frame_HWC = self._capture.read()
        if not there:
            raise PictureError(f"{self.path} holds no frame", reason="empty", hint="is the file whole?")
        while there:
            yield np.ascontiguousarray(frame_HWC[..., ::-1])  # opencv's channels run the other way
            there, frame_HWC = self._capture.read()
        self._capture.release()


class VideoFile:
    """A video being written. It has its name once it is closed as whole; until then a name that says that it is not."""

    def __init__(self, path: Path, rate: float) -> None:
        self.path, self.rate = path, rate
        self.n_frames = 0
        self.part = path.with_name(f"{path.stem}.part{SUFFIX}")
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame_HWC: Image) -> None:
        """Add a frame; all have one size. Raises `RunError` where the file cannot be written."""
        if self._writer is None:
            height, width = frame_HWC.shape[:2]
            fourcc = cv2.VideoWriter.fourcc(*"FFV1")
            self._writer = cv2.VideoWriter(str(self.part), fourcc, self.rate, (width, height))
            if not self._writer.isOpened():
                raise RunError(f"{self.part} cannot be written", hint="name another folder with --out")
        self._writer.write(np.ascontiguousarray(frame_HWC[..., ::-1]))
        self.n_frames += 1

    def close(self, *, whole: bool) -> Path:
        """End the file and return where it lies: under its own name only where it is whole.

        Raises `RunError` where the disk refused a part of it, of which opencv itself says nothing.
        """
        if self._writer is not None:
            self._writer.release()
            self._writer = None
        if not whole or not self.n_frames:
            return self.part
        if _n_whole_frames(self.part) != self.n_frames:
            raise RunError(
                f"{self.part} cannot be written: frames are missing, perhaps because the disk is full",
                hint="free some space, or name another folder with --out, and run the same command again",
            )
        take_name(self.part, self.path, error=RunError)
        return self.path


def _n_whole_frames(path: Path) -> int:
    """Return how many frames a file holds, which are counted and not decoded; 0 where its end was never written."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    if not capture.isOpened() or capture.get(cv2.CAP_PROP_FRAME_COUNT) <= 0:
        return 0
    n_frames = 0
    while capture.grab():
        n_frames += 1
    capture.release()
    return n_frames

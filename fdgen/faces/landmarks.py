"""The 478 landmarks of FaceMesh on a crop, and how they are packed."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.contract.face_points import N_POINTS, STEP_PX

__all__ = ["EYE_RINGS", "N_POINTS", "STEP_PX", "Landmarks", "Points", "eye_centres", "landmarks_digest"]

EYE_RINGS = (
    (33, 133, 159, 145, 158, 153, 160, 144),
    (263, 362, 386, 374, 385, 380, 387, 373),
)
"""Corners and lids of either eye, the viewer's left first: their mean stays while the iris wanders."""

Points = npt.NDArray[np.float32]

_HEADER = struct.Struct("<H6d")  # size_px, frame
_LIMIT = 2**15


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Where a face lies in its crop.

    `points_px` is float32 (478, 3) in pixels of the crop, multiples of 1/16: x right, y down, z away from the viewer.
    `frame` is float64 (2, 3), the affine map from pixels of the picture to pixels of the crop, multiples of 2^-20.
    `size_px` is the crop's side. Coordinates are continuous: the centre of pixel i lies at i + 0.5.
    """

    points_px: Points
    frame: npt.NDArray[np.float64]
    size_px: int

    @classmethod
    def rounded(
        cls, points_px: npt.NDArray[np.floating[Any]], frame: npt.NDArray[np.float64], size_px: int
    ) -> Landmarks:
        """Round points to 1/16 px; raise `ValueError` where one lies absurdly far (2,048 px) off."""
        steps = np.round(np.asarray(points_px, np.float64) / STEP_PX)
        if steps.shape != (N_POINTS, 3) or not (np.abs(steps) < _LIMIT).all():
            raise ValueError(f"landmarks are ({N_POINTS}, 3) within {_LIMIT * STEP_PX:.0f} px, got {steps.shape}")
        return cls((steps * STEP_PX).astype(np.float32), np.array(frame, np.float64), size_px)

    def to_bytes(self) -> bytes:
        """Pack into about 2 kB: size, frame, and the points as 16-bit sixteenths of a pixel."""
        # All x, then y, then z, and the low bytes apart from the high ones, which repeat: an eighth smaller.
        planes = self._steps().T.reshape(-1, 1).view(np.uint8).T
        return self._header() + zlib.compress(planes.tobytes(), 6)

    @classmethod
    def from_bytes(cls, data: bytes) -> Landmarks:
        """Unpack; raise `ValueError` where the bytes are not what `to_bytes` writes."""
        try:
            size_px, *frame = _HEADER.unpack_from(data)
            planes = np.frombuffer(zlib.decompress(data[_HEADER.size :]), np.uint8).reshape(2, 3 * N_POINTS)
            steps = np.ascontiguousarray(planes.T).view("<i2").reshape(3, N_POINTS).T
        except (struct.error, zlib.error, ValueError) as error:
            raise ValueError(f"these are no packed landmarks: {error}") from error
        return cls(np.ascontiguousarray(steps * np.float32(STEP_PX)), np.array(frame).reshape(2, 3), size_px)

    def digest(self) -> str:
        """Return the sha256 of the size, the frame and the points: equal landmarks, equal digest."""
        return landmarks_digest(self.size_px, self.frame, self._steps().tobytes())

    def _header(self) -> bytes:
        return _HEADER.pack(self.size_px, *self.frame.ravel().tolist())

    def _steps(self) -> npt.NDArray[np.int16]:
        steps: npt.NDArray[np.int16] = np.rint(self.points_px / STEP_PX).astype("<i2")
        return steps


def landmarks_digest(size_px: int, frame: npt.NDArray[np.float64], steps: bytes) -> str:
    """Return `Landmarks.digest` of what tables hold of them: `steps` are the points in sixteenths of a pixel, "<i2"."""
    return hashlib.sha256(_HEADER.pack(size_px, *frame.ravel()) + steps).hexdigest()


def eye_centres(points_px: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Return the centres of both eyes, (2, 2) px, the viewer's left first."""
    return np.array([points_px[list(ring), :2].mean(axis=0, dtype=np.float64) for ring in EYE_RINGS])

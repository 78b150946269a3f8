"""FaceMesh with attention: the 478 landmarks of each face in a picture.

BlazeFace finds the faces; each is cut out upright, half as large again as its box, and shown to the mesh network.
Kartynnik et al., Real-time facial surface geometry from monocular video on mobile GPUs, 2019.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from fdgen.arrays import F32, F64, Image
from fdgen.networks.engine import Network, as_floats
from fdgen.networks.face_detector import DetectedFace, FaceDetector
from fdgen.networks.refinement import Refinement
from fdgen.networks.warp import Square, cut_square

N_POINTS = 478
_N_MESH_POINTS = 468
_INPUT_PX = 192
_MARGIN = 1.5  # side of what the network is shown, in sides of the face's box

_MIDDLE, _SHARE = (np.float32(0.5), np.float32(0.56)), np.float32(0.95)
"""Of an aligned crop: where its face is, and how much of the side the network is shown at first."""

_LOOKS = 2
"""At an aligned crop: at where its face should be, then at where it was found."""

_EYE_CORNERS = (33, 263)  # the outer ones, the viewer's left first


class AlignedFaceMesh:
    """The mesh network alone, for crops whose face lies where CelebA has it: no detector has to find one first.

    It places all points in any face, those behind an occluder too, by the pose, by what is visible, and by the occluder
    itself. The same crop gives the same points, whatever came before.
    """

    def __init__(self) -> None:
        self._mesh = Network("face_mesh.tflite")

    def find(self, crop_HWC: Image) -> F64 | None:
        """Return the points (468, 3) of the face of a square RGB crop, in px; None where the network sees no face."""
        side = np.float32(crop_HWC.shape[0])
        square = Square(_MIDDLE[0] * side, _MIDDLE[1] * side, _SHARE * side, np.float32(0))
        for _ in range(_LOOKS):
            presence, mesh, _ = _seen(self._mesh, crop_HWC, square)
            if presence <= 0:
                return None
            points_px = _placed(mesh, square)
            square = _square_around(points_px)
        return points_px


class FaceMesh:
    """The networks, made once. The same picture gives the same points, whatever came before."""

    def __init__(self) -> None:
        self._detector = FaceDetector("short")
        self._mesh = Network("face_mesh.tflite")
        self._refinements = [Refinement(part) for part in ("lips", "left_eye", "right_eye")]

    def find(self, picture_HWC: Image, least_score: float, most_faces: int) -> list[F64]:
        """Return the points (478, 3) of each face of an RGB picture (H, W, 3), in px; depth is counted from the head.

        The surest first. `least_score` is that of the face detector.
        """
        found = []
        for face in self._detector.find(picture_HWC, least_score)[:most_faces]:
            square = _square(face)
            presence, mesh, features_HWC = _seen(self._mesh, picture_HWC, square)
            if presence > 0:
                found.append(_placed(self._refined(mesh, features_HWC), square))
        return found

    def _refined(self, mesh: F32, features_HWC: F32) -> F32:
        refined = np.empty((N_POINTS, 3), np.float32)
        refined[:_N_MESH_POINTS] = mesh
        for refinement in self._refinements:
            refinement.refine(mesh, features_HWC, refined)
        return refined


def _seen(network: Network, picture_HWC: Image, square: Square) -> tuple[float, F32, F32]:
    """Return the logit that a square shows a face, the points (468, 3) in px of the network, and its features."""
    shown_HWC = cut_square(picture_HWC, square, _INPUT_PX, cv2.BORDER_REPLICATE)
    presence, mesh, features_HWC = sorted(network(as_floats(shown_HWC, 0, 1)), key=lambda output: output.size)
    return float(presence.item()), mesh.reshape(_N_MESH_POINTS, 3), features_HWC


def _square_around(points_px: F64) -> Square:
    """Return the square around the points of a face, turned so that its eyes are level."""
    x, y = (points_px[:, :2].min(0) + points_px[:, :2].max(0)) / 2
    side = np.ptp(points_px[:, :2], axis=0).max() * _MARGIN
    across = points_px[_EYE_CORNERS[1], :2] - points_px[_EYE_CORNERS[0], :2]
    turn = math.atan2(float(across[1]), float(across[0]))
    return Square(np.float32(x), np.float32(y), np.float32(side), np.float32(turn))


def _square(face: DetectedFace) -> Square:
    """Return the square around a face, turned so that its eyes are level."""
    across = face.points[1] - face.points[0]
    turn = math.atan2(float(across[1]), float(across[0]))
    x, y = (face.box[0] + face.box[1]) / 2
    side = (face.box[1] - face.box[0]).max() * np.float32(_MARGIN)
    return Square(np.float32(x), np.float32(y), np.float32(side), np.float32(turn))


def _placed(points: F32, square: Square) -> F64:
    """Return points of the network's picture in px of the picture that the square was cut from."""
    cos, sin = np.float32(math.cos(square.turn)), np.float32(math.sin(square.turn))
    parts = points / np.float32(_INPUT_PX)
    x, y = parts[:, 0] - np.float32(0.5), parts[:, 1] - np.float32(0.5)
    placed = np.stack(
        [
            (cos * x - sin * y) * square.side + square.centre_x,
            (sin * x + cos * y) * square.side + square.centre_y,
            parts[:, 2] * square.side,
        ],
        axis=1,
    )
    points_px: F64 = placed.astype(np.float64)
    return points_px

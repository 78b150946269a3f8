"""The two things that are asked of networks, finding faces and finding their landmarks, and who answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import cv2

from fdgen.arrays import F64, Image
from fdgen.networks import DetectorName
from fdgen.networks.engine import ENGINE, network_digests
from fdgen.networks.face_detector import DetectedFace, FaceDetector, Range
from fdgen.networks.face_mesh import FaceMesh
from fdgen.runtime.installed import installed_version


class FaceNetworks(Protocol):
    """Networks, made once. The same picture gives the same answer, whatever came before; a picture is RGB (H, W, 3)."""

    def faces(self, picture_HWC: Image, reach: Range, least_score: float) -> list[DetectedFace]:
        """Return the faces of a picture, the surest first."""

    def meshes(self, picture_HWC: Image, least_score: float, most_faces: int) -> list[F64]:
        """Return the landmarks (478, 3) in px of each face of a picture, the surest first."""


class OwnNetworks:
    """The networks that come with the package; each is read when it is first asked."""

    def __init__(self) -> None:
        self._mesh = FaceMesh()
        self._detectors: dict[Range, FaceDetector] = {}

    def faces(self, picture_HWC: Image, reach: Range, least_score: float) -> list[DetectedFace]:
        """Return the faces of a picture, the surest first."""
        if reach not in self._detectors:
            self._detectors[reach] = FaceDetector(reach)
        return self._detectors[reach].find(picture_HWC, least_score)

    def meshes(self, picture_HWC: Image, least_score: float, most_faces: int) -> list[F64]:
        """Return the landmarks (478, 3) in px of each face of a picture, the surest first."""
        return self._mesh.find(picture_HWC, least_score, most_faces)


def open_networks(name: DetectorName) -> FaceNetworks:
    """Return the networks of a detector; raise `FdError` where what runs them is not installed."""
    if name == "mediapipe":
        from fdgen.networks.reference import MediapipeNetworks

        return MediapipeNetworks()
    return OwnNetworks()


def networks_version(name: DetectorName) -> str:
    """Name all that the answers of networks depend on: who runs them, in which release, and what warps pictures."""
    engine = "mediapipe" if name == "mediapipe" else ENGINE
    runs = f"{'' if name == 'mediapipe' else 'FaceMesh in '}{engine} {installed_version(engine) or 'none'}"
    return f"{runs}, opencv {cv2.__version__}"


def networks_of(name: DetectorName) -> Mapping[str, str]:
    """Return the sha256 of each network of a detector, by the name of its file; none where mediapipe is missing."""
    if name == "mediapipe":
        from fdgen.networks.reference import mediapipe_digests

        return mediapipe_digests()
    return network_digests()

"""mediapipe itself, in place of our own runner of its networks: `--detector mediapipe`.

It is imported inside functions, which takes a second. Never fork a process that has used it: the child hangs or aborts.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.arrays import F64, Image
from fdgen.errors import FdError
from fdgen.networks.face_detector import DetectedFace, Range
from fdgen.runtime.native_stderr import native_stderr

INSTALL = "pip install 'fd-stackgan[mediapipe]', on Python 3.10 to 3.12"

_MODELS = ("face_detection", "face_landmark")  # folders of the networks that are used
_SELECTIONS: dict[Range, int] = {"short": 0, "full": 1}
_WARM_UP_PX = 256


class MediapipeNetworks:
    """FaceMesh and the face detectors of mediapipe 0.10.21.

    Its notices are kept from the user by a lock of the whole process, so that two threads look one after the other.
    Raises `FdError` where mediapipe is not installed, or is a release without them.
    """

    def __init__(self) -> None:
        with _silenced():
            try:
                import mediapipe

                self._solutions: Any = mediapipe.solutions
            except (ImportError, AttributeError) as error:
                raise FdError(f"mediapipe's detector cannot be loaded: {error}", hint=INSTALL) from error
        self._meshes: dict[tuple[float, int], Any] = {}
        self._detectors: dict[tuple[Range, float], Any] = {}

    def faces(self, picture_HWC: Image, reach: Range, least_score: float) -> list[DetectedFace]:
        """Return the faces of a picture, the surest first."""
        height, width = picture_HWC.shape[:2]
        scale = np.array([width, height], np.float32)
        with _silenced():
            if (reach, least_score) not in self._detectors:
                self._detectors[reach, least_score] = self._solutions.face_detection.FaceDetection(
                    model_selection=_SELECTIONS[reach], min_detection_confidence=least_score
                )
            detections = self._detectors[reach, least_score].process(picture_HWC).detections or ()
        faces = []
        for detection in detections:
            place = detection.location_data
            box = place.relative_bounding_box
            corners = np.array([[box.xmin, box.ymin], [box.xmin + box.width, box.ymin + box.height]], np.float32)
            points = np.array([[point.x, point.y] for point in place.relative_keypoints], np.float32)
            faces.append(DetectedFace(float(detection.score[0]), corners * scale, points * scale))
        return faces

    def meshes(self, picture_HWC: Image, least_score: float, most_faces: int) -> list[F64]:
        """Return the landmarks (478, 3) in px of each face of a picture, the surest first."""
        height, width = picture_HWC.shape[:2]
        with _silenced():
            if (least_score, most_faces) not in self._meshes:
                self._meshes[least_score, most_faces] = self._make_mesh(least_score, most_faces)
            found = self._meshes[least_score, most_faces].process(picture_HWC).multi_face_landmarks or ()
        scale = (width, height, width)
        return [np.array([[p.x, p.y, p.z] for p in face.landmark], np.float64) * scale for face in found]

    def _make_mesh(self, least_score: float, most_faces: int) -> Any:
        # Static mode only: with tracking, a picture's landmarks would depend on the picture before it.
        mesh = self._solutions.face_mesh.FaceMesh(
            static_image_mode=True,
            max_num_faces=most_faces,
            refine_landmarks=True,
            min_detection_confidence=least_score,
        )
        # Its threads write notices while they start; when a first picture is done they have started.
        mesh.process(np.zeros((_WARM_UP_PX, _WARM_UP_PX, 3), np.uint8))
        return mesh


@functools.cache
def mediapipe_digests() -> dict[str, str]:
    """Return the sha256 of each network of mediapipe that is used, by its file's name; none where it is missing."""
    spec = importlib.util.find_spec("mediapipe")  # not imported: that takes a second
    folders = [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]
    paths = [path for folder in folders for part in _MODELS for path in folder.glob(f"modules/{part}/*.tflite")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep mediapipe's notices from the user: it writes some only when it meets its first face."""
    with native_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

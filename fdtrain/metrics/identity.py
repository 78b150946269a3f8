"""Identity: how far the restored face is from the clean one for dlib's face recognition (King 2017); less is nearer.

The distance of two descriptors of 128 numbers. On aligned portraits two people are about 0.8 apart, two photographs of
one person about 0.3; 0.6 is where dlib says that it is somebody else.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdtrain.metrics.not_computed import NotComputed
from fdtrain.metrics.recent_results import RecentResults

PROTOCOL = "distance of dlib's face descriptors from the clean picture's, at that one's landmarks"

LEAST_PX = 64
"""Here a portrait is 0.26 away from itself at 178 px; below, the network guesses."""

FACE_BOX = (0.230, 0.371, 0.758, 0.876)
"""Left, top, right and bottom of the box that dlib's detector finds in aligned crops, as shares: the median of 34
portraits, of which it found no face in six more."""

REMEMBERED = 256
"""Clean faces whose descriptors are kept for the next method."""

FILES = ("shape_predictor_5_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")


class Identity:
    """Scores a restored face against the clean one: `identity(result_HWC, clean_HWC)` of RGB uint8 crops."""

    def __init__(self, landmarks: Any, describer: Any) -> None:
        self.landmarks, self.describer = landmarks, describer
        self._clean: RecentResults[tuple[Any, npt.NDArray[np.float64]]] = RecentResults(REMEMBERED)

    @classmethod
    def open(cls, size_px: int) -> Identity:
        """Load dlib and its models; raise `NotComputed` where pictures are too small, or either is missing."""
        if size_px < LEAST_PX:
            raise NotComputed(f"identity says nothing under {LEAST_PX} px (pictures are {size_px} px)")
        hint = "`pip install dlib-bin face-recognition-models==0.3.0` brings dlib and its models"
        spec = util.find_spec("face_recognition_models")
        places = (spec.submodule_search_locations or []) if spec is not None else []
        folder = next((path for place in places if (path := Path(place) / "models").is_dir()), None)
        if folder is None:
            raise NotComputed("its models are not installed", hint=hint)
        try:
            import dlib
        except ImportError as error:
            raise NotComputed("dlib is not installed", hint=hint) from error
        try:
            landmarks = dlib.shape_predictor(str(folder / FILES[0]))
            describer = dlib.face_recognition_model_v1(str(folder / FILES[1]))
        except RuntimeError as error:
            raise NotComputed(f"its models cannot be read: {error}", hint=hint) from error
        return cls(landmarks, describer)

    def __call__(self, result_HWC: Image, clean_HWC: Image) -> float:
        """Return the distance of two faces in the same place."""
        shape, clean = self._clean.get(clean_HWC, self._describe)
        result = np.array(self.describer.compute_face_descriptor(np.ascontiguousarray(result_HWC), shape))
        return float(np.linalg.norm(result - clean))

    def _describe(self, clean_HWC: Image) -> tuple[Any, npt.NDArray[np.float64]]:
        """Return landmarks and descriptor of a clean picture."""
        import dlib

        box = dlib.rectangle(*(round(share * len(clean_HWC)) for share in FACE_BOX))
        shape = self.landmarks(clean_HWC, box)
        return shape, np.array(self.describer.compute_face_descriptor(clean_HWC, shape))

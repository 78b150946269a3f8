"""The colours of one person's skin and hair, learned from the photograph itself."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.face_grid import GRID_PX, FaceGrid
from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F32, Bools, Image
from fdgen.contract.face_points import EYES

_LEAST_SKIN_PX = 60
_HAIR_COLOURS = 3
_KMEANS_SEED = 1


@dataclass(frozen=True, slots=True)
class Colours:
    """Log luminance and two log ratios of channels (H, W, 3), and how far each pixel is from this face's skin.

    `from_skin` counts standard deviations; `shade` is how much darker one cheek is than the other, as a logarithm.
    """

    features: F32
    from_skin: F32
    shade: float

    @classmethod
    def of(cls, clean_HWC: Image, face: FaceGrid) -> Colours | None:
        """Learn the skin between eyes and mouth; None where too little of it is seen.

        Shadow makes skin darker and leaves its colour, so that darkness counts less than colour; the darker half of a
        face is compared with its own cheek. In the dark colours are noise and count less, too.
        """
        shrinks = clean_HWC.shape[0] > GRID_PX
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = np.asarray(cv2.resize(clean_HWC, (GRID_PX, GRID_PX), interpolation=how), np.uint8)
        colour = to_linear(np.asarray(cv2.GaussianBlur(small, (0, 0), 0.7), np.uint8))
        logs = np.log(colour + np.float32(0.008))
        bright = np.log(luminance(colour) + np.float32(0.004))
        features = np.stack([bright, logs[..., 0] - logs[..., 1], logs[..., 2] - logs[..., 1]], -1)
        rim = max(1, round(0.8 * face.px_per_cm))
        inner = cv2.erode(face.oval.view(np.uint8), np.ones((3, 3), np.uint8), iterations=rim).astype(bool)
        skin = inner & (face.up_cm < -1.2) & (face.up_cm > -4.2) & ~face.grown(EYES, 1.5)
        if skin.sum() < _LEAST_SKIN_PX:
            return None
        seen = features[skin]
        middle = np.median(seen, 0)
        for _ in range(2):  # locks and glasses over the cheeks drop out
            kept = (np.abs(seen - middle) < (0.9, 0.35, 0.45)).all(1)
            if kept.sum() < _LEAST_SKIN_PX // 2:
                return None
            middle = np.median(seen[kept], 0)
        spread = np.maximum(1.4826 * np.median(np.abs(seen[kept][:, 1:] - middle[1:]), 0), (0.05, 0.06))
        cheeks = [bright[skin & (side * face.right_cm > 1.5)] for side in (-1, 1)]
        levels = [float(np.median(cheek)) if len(cheek) > 15 else float(middle[0]) for cheek in cheeks]
        darker = np.where(face.right_cm < 0, *(max(float(middle[0]) - level, 0.0) for level in levels))
        above = bright - (middle[0] - darker * np.clip(np.abs(face.right_cm) / 3, 0, 1))
        dim = np.clip((-0.8 - (bright - middle[0])) / 1.5, 0, 1)[..., None]
        off = (features[..., 1:] - middle[1:]) / (1.4 * spread + 0.25 * dim)
        from_skin = np.sqrt((above / np.where(above > 0, 0.5, 0.75)) ** 2 + (off**2).sum(-1))
        return cls(features, from_skin.astype(np.float32), abs(levels[0] - levels[1]))

    def evidence(self, seeds: Bools) -> F32:
        """Return the log likelihood ratio (H, W) of hair to skin, hair being up to three colours seen at `seeds`."""
        seen = self.features[seeds]
        cv2.setRNGSeed(_KMEANS_SEED)
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.01)
        which: npt.NDArray[np.int32]
        _, which, centres = cv2.kmeans(seen, _HAIR_COLOURS, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
        nearest = np.full(seeds.shape, 6.0, np.float32)
        for number, centre in enumerate(centres):
            own = seen[which.ravel() == number]
            if len(own) > 0.08 * len(seen):
                spread = np.maximum(own.std(0), (0.3, 0.12, 0.15)).astype(np.float32)
                nearest = np.minimum(nearest, np.sqrt((((self.features - centre) / spread) ** 2).sum(-1)))
        ratio: F32 = (0.5 * (np.minimum(self.from_skin, 6.0) ** 2 - nearest**2)).astype(np.float32)
        return ratio

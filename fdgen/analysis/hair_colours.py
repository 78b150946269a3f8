"""The colours of one person's skin and hair, learned from the photograph itself."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.face_grid import GRID_PX, FaceGrid
from fdgen.analysis.geometry import median
from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F32, F64, Bools, Image
from fdgen.contract.face_points import EYES
from fdgen.runtime.jit import compiled

_LEAST_SKIN_PX = 60
_HAIR_COLOURS = 3
_KMEANS_SEED = 1
_LOG_LIGHT = np.log(to_linear(np.arange(256, dtype=np.uint8)) + np.float32(0.008))
"""Of the light of each level, kept off zero."""
_FARTHEST = np.float32(6.0)
"""Standard deviations past which a colour is simply another."""


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
        smooth = np.asarray(cv2.GaussianBlur(small, (0, 0), 0.7), np.uint8)
        bright = np.log(luminance(to_linear(smooth)) + np.float32(0.004))
        features = _features(smooth, bright, _LOG_LIGHT)
        rim = max(1, round(0.8 * face.px_per_cm))
        inner = cv2.erode(face.oval.view(np.uint8), np.ones((3, 3), np.uint8), iterations=rim).astype(bool)
        skin = inner & (face.up_cm < -1.2) & (face.up_cm > -4.2) & ~face.grown(EYES, 1.5)
        if skin.sum() < _LEAST_SKIN_PX:
            return None
        seen = features[skin]
        middle = median(seen)
        for _ in range(2):  # locks and glasses over the cheeks drop out
            kept = (np.abs(seen - middle) < (0.9, 0.35, 0.45)).all(1)
            if kept.sum() < _LEAST_SKIN_PX // 2:
                return None
            middle = median(seen[kept])
        spread = np.maximum(1.4826 * median(np.abs(seen[kept][:, 1:] - middle[1:])), (0.05, 0.06))
        cheeks = [bright[skin & (side * face.right_cm > 1.5)] for side in (-1, 1)]
        levels = [float(median(cheek)) if len(cheek) > 15 else float(middle[0]) for cheek in cheeks]
        darker = np.array([max(float(middle[0]) - level, 0.0) for level in levels])
        from_skin = _from_skin(features, face.right_cm, middle, darker, 1.4 * spread)
        return cls(features, from_skin, abs(levels[0] - levels[1]))

    def evidence(self, seeds: Bools) -> F32:
        """Return the log likelihood ratio (H, W) of hair to skin, hair being up to three colours seen at `seeds`."""
        seen = self.features[seeds]
        cv2.setRNGSeed(_KMEANS_SEED)
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.01)
        which: npt.NDArray[np.int32]
        _, which, centres = cv2.kmeans(seen, _HAIR_COLOURS, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
        counts, spreads = _spreads(seen, which.ravel(), _HAIR_COLOURS)
        kept = counts > 0.08 * len(seen)
        wide = np.maximum(spreads[kept], np.array((0.3, 0.12, 0.15), np.float32))
        return _evidence(self.features, self.from_skin, centres[kept], wide, _FARTHEST)


@compiled
def _spreads(seen: F32, which: npt.NDArray[np.int32], n_groups: int) -> tuple[npt.NDArray[np.int64], F32]:
    """Return how many colours (N, 3) are in each of some groups, and their standard deviations there (K, 3).

    Sums are taken in the order in which `np.std` takes them.
    """
    counts = np.zeros(n_groups, np.int64)
    means, spreads = np.zeros((n_groups, 3), np.float32), np.zeros((n_groups, 3), np.float32)
    for n in range(seen.shape[0]):
        counts[which[n]] += 1
        for q in range(3):
            means[which[n], q] += seen[n, q]
    sizes = np.maximum(counts, 1).astype(np.float32)
    means /= sizes.reshape(-1, 1)
    for n in range(seen.shape[0]):
        for q in range(3):
            off = seen[n, q] - means[which[n], q]
            spreads[which[n], q] += off * off
    return counts, np.sqrt(spreads / sizes.reshape(-1, 1))


@compiled
def _features(levels: Image, bright: F32, log_light: F32) -> F32:
    """Return brightness and two log ratios of channels (H, W, 3) of a picture and its log luminance (H, W)."""
    out = np.empty(levels.shape, np.float32)
    for y in range(levels.shape[0]):
        for x in range(levels.shape[1]):
            green = log_light[levels[y, x, 1]]
            out[y, x, 0] = bright[y, x]
            out[y, x, 1] = log_light[levels[y, x, 0]] - green
            out[y, x, 2] = log_light[levels[y, x, 2]] - green
    return out


@compiled
def _from_skin(features: F32, right_cm: F32, middle: F32, darker: F64, spread: F64) -> F32:
    """Return how many standard deviations pixels (H, W) are from skin.

    Args:
        features: Of the pixels (H, W, 3), as `Colours` has them.
        right_cm: Where the pixels are, to the right of the face's middle.
        middle: Features of the skin (3,).
        darker: How much darker the left and the right cheek are (2,).
        spread: Of the skin's colours (2,), where there is light.
    """
    out = np.empty(right_cm.shape, np.float32)
    none, all_ = np.float32(0), np.float32(1)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            bright, right = features[y, x, 0], right_cm[y, x]
            shade = darker[0] if right < none else darker[1]
            outward = min(max(abs(right) / np.float32(3), none), all_)
            above = bright - (middle[0] - shade * np.float64(outward))
            above /= 0.5 if above > 0.0 else 0.75
            dim = min(max((np.float32(-0.8) - (bright - middle[0])) / np.float32(1.5), none), all_)
            wider = np.float64(np.float32(0.25) * dim)
            red = np.float64(features[y, x, 1] - middle[1]) / (spread[0] + wider)
            blue = np.float64(features[y, x, 2] - middle[2]) / (spread[1] + wider)
            out[y, x] = np.sqrt(above * above + (red * red + blue * blue))
    return out


@compiled
def _evidence(features: F32, from_skin: F32, centres: F32, spreads: F32, farthest: np.float32) -> F32:
    """Return the log likelihood ratio (H, W) of some colours to skin.

    Args:
        features: Of the pixels (H, W, 3).
        from_skin: How far they are from skin, in standard deviations.
        centres: The colours (K, 3).
        spreads: Their standard deviations (K, 3).
        farthest: What any distance is held to.
    """
    out = np.empty(from_skin.shape, np.float32)
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            nearest = farthest
            for k in range(centres.shape[0]):
                squared = np.float32(0)
                for q in range(3):
                    off = (features[y, x, q] - centres[k, q]) / spreads[k, q]
                    squared += off * off
                nearest = min(nearest, np.sqrt(squared))
            skin = min(from_skin[y, x], farthest)
            out[y, x] = np.float32(0.5) * (skin * skin - nearest * nearest)
    return out

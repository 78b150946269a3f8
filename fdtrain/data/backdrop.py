"""The backdrop of a studio portrait, recognised by its own colour, so that another can be put behind the head.

    both sides above the shoulders --> a surface of colour --> what looks like it and hangs together with the sides

fdtrain has no network that finds people, and needs none for this: where a backdrop is not plain it is left as it is.
Positions are shares of the crop, whose frame is CelebA's.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image

Values = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_SIDES, _SHOULDERS = 0.09, 0.5  # the strips that are backdrop in most portraits: so wide, and down to here
_HEAD_CENTRE, _HEAD_RADII = (0.5, 0.56), (0.25, 0.38)  # never backdrop, in any colour
_SPREAD, _LEAST_TOLERANCE, _MOST_TOLERANCE = 3.0, 6.0, 26.0  # of a colour against the surface: in spreads, and levels
_PLAIN = 0.75  # share of the strips that the surface explains, at least
_LEAST_SHARE = 0.06  # of the crop that is backdrop; less is not worth while


def backdrop_share(clean_HWC: Image) -> Values | None:
    """Return how far each pixel of a portrait is backdrop, float32 (H, W, 1) in [0, 1]; None where it is not plain.

    It depends on the picture alone.
    """
    side = len(clean_HWC)
    columns, rows = np.meshgrid((np.arange(side) + 0.5) / side, (np.arange(side) + 0.5) / side)
    strips_HW = ((columns < _SIDES) | (columns > 1 - _SIDES)) & (rows < _SHOULDERS)
    surface_HW5 = np.stack([np.ones_like(columns), columns, rows, rows * rows, columns * rows], -1)
    (x, y), (across, down) = _HEAD_CENTRE, _HEAD_RADII
    head_HW = ((columns - x) / across) ** 2 + ((rows - y) / down) ** 2 < 1
    off_HW = _distance(clean_HWC, surface_HW5[..., :3], strips_HW)  # so little of it bends no surface
    tolerance = float(np.clip(_SPREAD * np.median(off_HW[strips_HW]), _LEAST_TOLERANCE, _MOST_TOLERANCE))
    if (off_HW[strips_HW] < tolerance).mean() < _PLAIN:
        return None
    found_HW = _hanging_together((off_HW < tolerance) & ~head_HW, strips_HW)
    for _ in range(2):  # further down, by what was found
        if found_HW.mean() < _LEAST_SHARE:
            return None
        off_HW = _distance(clean_HWC, surface_HW5, found_HW)
        tolerance = float(np.clip(_SPREAD * np.median(off_HW[found_HW]), _LEAST_TOLERANCE, tolerance))
        found_HW = _hanging_together((off_HW < tolerance) & ~head_HW, strips_HW)
    # Soft, and half a pixel of 96 into the head: a rim of the old backdrop shows more than a hair less.
    soft_HW = cv2.GaussianBlur(found_HW.astype(np.float32), (0, 0), max(0.5, side / 110))
    return np.asarray(np.clip(1.9 * soft_HW - 0.2, 0, 1)[..., None], np.float32) * ~head_HW[..., None]


def drawn_backdrop(side_px: int, rng: np.random.Generator) -> Values:
    """Return a backdrop out of focus, float32 (S, S, 3) in [0, 255]: a colour, and patches of others over it."""
    cells = int(rng.integers(2, 7))
    base = rng.uniform(15, 235) + rng.normal(0, 18, 3)
    patches = base + rng.normal(0, rng.uniform(4, 45), (cells, cells, 1)) + rng.normal(0, 10, (cells, cells, 3))
    smooth = cv2.resize(patches.astype(np.float32), (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(smooth, 0, 255), np.float32)


def drawn_place(side_px: int, rng: np.random.Generator) -> Values:
    """Return a place full of things, float32 (S, S, 3) in [0, 255]: mostly out of focus, as behind a head.

    Things of a few colours lie over each other, many small and few large ones, which gives pictures the statistics of
    natural ones ("dead leaves": Lee, Mumford and Huang, Occlusion models for natural images, 2001).
    """
    palette = np.clip(rng.uniform(5, 250, (6, 1)) + rng.normal(0, 24, (6, 3)), 0, 255)
    place = np.full((side_px, side_px, 3), palette[0], np.uint8)
    upright = rng.random() < 0.5
    for _ in range(int(rng.integers(12, 90))):
        radius = side_px * min(0.03 / np.sqrt(max(rng.random(), 1e-3)), 0.5)
        x, y = (float(one) for one in rng.uniform(-0.1, 1.1, 2) * side_px)
        colour = [float(one) for one in np.clip(palette[rng.integers(6)] + rng.normal(0, 14, 3), 0, 255)]
        stretch = float(np.exp(rng.normal(0, 0.9)))
        size = (max(1.0, radius * stretch), max(1.0, radius / stretch))
        turned = float(rng.choice([0.0, 90.0]) if upright else rng.uniform(0, 180))
        if rng.random() < 0.35:
            cv2.ellipse(place, ((x, y), (2 * size[0], 2 * size[1]), turned), colour, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints(((x, y), (2 * size[0], 2 * size[1]), turned))
            cv2.fillConvexPoly(place, np.rint(corners).astype(np.int32), colour, cv2.LINE_AA)
    blurred = cv2.GaussianBlur(place.astype(np.float32), (0, 0), side_px * float(10 ** rng.uniform(-2.3, -1.0)))
    return np.asarray(np.clip(blurred, 0, 255), np.float32)


def before(occluded_HWC: Image, clean_HWC: Image, alpha_HW: Image, behind_HWC: Values, share_HW1: Values) -> Image:
    """Return the occluded picture, uint8 (H, W, 3), before another backdrop.

    Args:
        occluded_HWC: The picture with its occluder, and
        clean_HWC: without it; both RGB uint8.
        alpha_HW: How far each pixel is the occluder's, 0 to 255. Where it lets the old backdrop through, it lets the
            new one through as far.
        behind_HWC: The other backdrop, in [0, 255].
        share_HW1: How far each pixel of the clean picture is backdrop, in [0, 1].
    """
    through_HW1 = (1 - alpha_HW[..., None].astype(np.float32) / 255) * share_HW1
    changed = occluded_HWC + through_HW1 * (behind_HWC - clean_HWC)
    return np.rint(np.clip(changed, 0, 255)).astype(np.uint8)


def _hanging_together(alike_HW: Mask, strips_HW: Mask) -> Mask:
    """Return what of some pixels hangs together with those in the strips, small gaps closed."""
    alike = np.asarray(
        cv2.morphologyEx(alike_HW.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8
    )
    _, labels_HW = cv2.connectedComponents(alike, connectivity=4)
    beside = np.unique(labels_HW[strips_HW])
    return np.isin(labels_HW, beside[beside > 0])


def _distance(clean_HWC: Image, surface_HWK: npt.NDArray[np.float64], of_HW: Mask) -> npt.NDArray[np.float64]:
    """Return how many levels each pixel is from the surface of colour through some of them, in its worst channel."""
    values_HWC = clean_HWC.astype(np.float64)
    kept_HW = of_HW
    for _ in range(3):  # what is no backdrop, such as hair, leaves the fit
        weights_KC = np.linalg.lstsq(surface_HWK[kept_HW], values_HWC[kept_HW], rcond=None)[0]
        off_HW = np.abs(values_HWC - surface_HWK @ weights_KC).max(-1)
        kept_HW = of_HW & (off_HW <= np.quantile(off_HW[of_HW], 0.8))
    return np.asarray(off_HW)

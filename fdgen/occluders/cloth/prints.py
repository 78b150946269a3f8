"""Bolder prints of cloth: a figure before the mouth, colour thrown, dyed or woven in, panels, mesh, worn-out letters.

Each draws a tile as those of `patterns` do.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.occluders.cloth.relief import noise

Canvas = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
Drawn = tuple[Canvas, float]
"""A tile and the length of its side in cm."""

SIDE = 192
"""Pixels of the side of a tile."""
WHOLE_CM = 30.0
"""Side of a tile that is larger than any mask: what is drawn in its middle appears once."""
WHOLE_SIDE = 480
"""Pixels of its side: finer than the pictures', or the edges of what is drawn are blurred."""


def _filled(colour: Colour, side: int = SIDE) -> Canvas:
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = colour
    return canvas


def scales(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """Rows of overlapping arcs, as waves on a kimono or tiles on a roof."""
    canvas = _filled(colours[0])
    n = 4
    step, rings = SIDE // n, int(rng.integers(1, 4))
    line = int(rng.integers(2, 5))
    for row in range(2 * n + 3):  # from above, so that each row lies over the one before
        for column in range(-1, n + 2):
            at = (int((column + 0.5 * (row % 2)) * step), row * step // 2)
            cv2.circle(canvas, at, step // 2, colours[0], -1, cv2.LINE_AA)
            for k in range(rings):
                cv2.circle(canvas, at, int(step / 2 * (1 - k / rings)), colours[1], line, cv2.LINE_AA)
    return canvas, 3.0 + 6.0 * scale


def figure(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """One large figure before the mouth or beside it: patches of colour, a mirrored pair of eyes, a heart, a badge."""
    canvas = _filled(colours[0], WHOLE_SIDE)
    k = WHOLE_SIDE / WHOLE_CM
    middle = WHOLE_SIDE / 2 + np.array([rng.normal(0, 1.5) * k, rng.normal(0, 1.0) * k])
    mirrored = rng.random() < 0.5
    for colour in colours[1 : 2 + int(rng.integers(1, 4))]:
        angle = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(5, 11))))
        reach = rng.uniform(0.5, 1.0, len(angle)) * rng.uniform(1.0, 3.4) * k * (0.6 + 0.6 * scale)
        blob = np.stack([np.cos(angle), np.sin(angle)], -1) * reach[:, None]
        shift = np.array([rng.uniform(0.8, 4.0) if mirrored else rng.normal(0, 1.6), rng.normal(0, 1.2)]) * k
        for side in (-1, 1) if mirrored else (1,):
            points = np.round((middle + (blob + shift) * (side, 1)) * 16).astype(np.int32)
            cv2.fillPoly(canvas, [points], colour, cv2.LINE_AA, 4)
            if rng.random() < 0.5:
                cv2.polylines(canvas, [points], True, colours[4], 2, cv2.LINE_AA, 4)
    return canvas, WHOLE_CM


def dyed(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """Tie-dye, batik, a sky: colours that run into each other."""
    grid = np.arange(SIDE, dtype=np.float32) / np.float32(12.0)  # 192 / 12 = 16 units: the noise tile's period
    x, y = (np.ascontiguousarray(a) for a in np.broadcast_arrays(grid[None], grid[:, None]))
    picture = np.empty((SIDE, SIDE, 3), np.float32)
    picture[:] = colours[0]
    sharp = rng.uniform(0.8, 5.0)
    for k in range(1, 4):
        field = noise(x, y, float(rng.random()), k % 4)
        share = 1 / (1 + np.exp(-np.float32(sharp) * (field - np.float32(rng.uniform(-0.2, 0.9)))))
        picture += share[..., None] * (np.array(colours[k], np.float32) - picture)
    return picture.astype(np.uint8), 8.0 + 16.0 * scale


def splashed(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """Drops and strokes of paint of every size."""
    canvas = _filled(colours[0])
    for _ in range(int(rng.integers(20, 70))):
        x, y = rng.integers(0, SIDE, 2)
        size = int(1 + 14 * rng.random() ** 3)
        colour = colours[1 + int(rng.integers(3))]
        far = np.array([x, y]) + rng.normal(0, 22, 2)
        stroke = rng.random() < 0.2
        for dx in (-SIDE, 0, SIDE):
            for dy in (-SIDE, 0, SIDE):
                at = (int(x + dx), int(y + dy))
                if stroke:
                    cv2.line(canvas, at, (int(far[0] + dx), int(far[1] + dy)), colour, max(1, size // 3), cv2.LINE_AA)
                cv2.circle(canvas, at, size, colour, -1, cv2.LINE_AA)
    return canvas, 5.0 + 9.0 * scale


def panels(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """Cloths of two or three colours sewn together: a middle panel, sides, a band above or below."""
    canvas = _filled(colours[1], WHOLE_SIDE)
    k, middle = WHOLE_SIDE / WHOLE_CM, WHOLE_SIDE // 2
    half, lean = (2.0 + 3.5 * scale) * k, rng.uniform(-0.12, 0.12) * middle
    left = np.array([[middle - half - lean, 0], [middle - half + lean, WHOLE_SIDE]])
    seams = [np.round(side * 16).astype(np.int32) for side in (left, (WHOLE_SIDE, 0) + left * (-1, 1))]
    cv2.fillPoly(canvas, [np.concatenate([seams[0], seams[1][::-1]])], colours[0], cv2.LINE_AA, 4)
    if rng.random() < 0.5:
        above, below = int(rng.uniform(2.0, 5.0) * k), int(rng.uniform(1.0, 4.0) * k)
        canvas[slice(middle - above) if rng.random() < 0.5 else slice(middle + below, None)] = colours[2]
    if rng.random() < 0.4:
        cv2.polylines(canvas, seams, False, colours[3], round(0.5 * k), cv2.LINE_AA, 4)
    return canvas, WHOLE_CM


def perforated(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """A sports fabric full of little holes."""
    side = 48
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = colours[0]
    hole = tuple(int(c * rng.uniform(0.1, 0.5)) for c in colours[0]) if rng.random() < 0.7 else colours[1]
    radius = int(rng.integers(5, 10))
    for at in ((12, 12), (36, 36)):
        cv2.circle(canvas, at, radius, hole, -1, cv2.LINE_AA)
    return canvas, 0.5 + 1.0 * scale


def slogan(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """A line or two of large letters that say nothing."""
    canvas = _filled(colours[0], WHOLE_SIDE)
    glyphs = "ABCDEFGHKLMNOPRSTUVXZ0123456789&#"
    k = WHOLE_SIDE / WHOLE_CM
    for line in range(int(rng.integers(1, 3))):
        text = "".join(glyphs[int(i)] for i in rng.integers(len(glyphs), size=int(rng.integers(3, 9))))
        font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX]))
        size = (1.25 + 1.75 * scale) * rng.uniform(0.7, 1.2)
        thick = round(size * rng.uniform(2.0, 4.0))
        (wide, _), _ = cv2.getTextSize(text, font, size, thick)
        aside = rng.choice([0.0, -2.5, 2.5]) * k
        at = (int(WHOLE_SIDE / 2 - wide / 2 + aside), int(WHOLE_SIDE / 2 + (2.6 * line - 0.6) * k))
        cv2.putText(canvas, text, at, font, size, colours[1 + line], thick, cv2.LINE_AA)
    return canvas, WHOLE_CM

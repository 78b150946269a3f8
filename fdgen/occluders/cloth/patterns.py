"""Prints of cloth, each drawn once as a tile that repeats: stripes, plaids, flowers, camouflage, a drawn muzzle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.occluders.cloth.prints import (
    WHOLE_CM,
    WHOLE_SIDE,
    dyed,
    figure,
    panels,
    perforated,
    scales,
    slogan,
    splashed,
)
from fdgen.occluders.cloth.relief import noise

Canvas = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
Drawn = tuple[Canvas, float]
"""A tile and the length of its side in cm."""

_CANVAS = 192
"""Pixels of the side of a tile."""


def to_levels(colour: Sequence[float]) -> Colour:
    r, g, b = (round(255 * min(max(c, 0.0), 1.0)) for c in colour)
    return (r, g, b)


def _blank(colour: Colour, side: int = _CANVAS) -> Canvas:
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = colour
    return canvas


def _plain(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    return _blank(colours[0], 1), 1.0


def _stripes(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    canvas, at = _blank(colours[0]), 0
    n = int(rng.integers(2, 5))
    widths = rng.dirichlet(np.full(2 * n, 2.0)) * _CANVAS
    for k, width in enumerate(widths):
        canvas[:, int(at) : int(at + width)] = colours[(k % 2) * (1 + k // 2 % int(rng.integers(1, 4)))]
        at += width
    return canvas, n * (0.5 + 1.8 * scale)


def _check(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    half = _CANVAS // 2
    band = np.zeros(_CANVAS, np.float32)
    band[:half] = 1
    both = (band[:, None] + band[None]) / 2
    if rng.random() < 0.3:
        both = np.abs(band[:, None] - band[None])
    a, b = np.array(colours[0], np.float32), np.array(colours[1], np.float32)
    return (a + (b - a) * both[..., None]).astype(np.uint8), 0.6 + 2.2 * scale


def _plaid(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    warp = np.empty((_CANVAS, 3), np.float32)
    warp[:] = colours[0]
    for k in range(int(rng.integers(3, 7))):
        start, width = rng.integers(_CANVAS), int(_CANVAS * rng.choice([0.03, 0.05, 0.15, 0.25]))
        warp[(start + np.arange(width)) % _CANVAS] = colours[1 + k % 4]
    return ((warp[:, None] + warp[None]) / 2).astype(np.uint8), 2.5 + 4.5 * scale


def _dots(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    canvas = _blank(colours[0])
    radius = int(_CANVAS * rng.uniform(0.07, 0.2))
    for x, y in ((0.25, 0.25), (0.75, 0.75)):
        cv2.circle(canvas, (int(x * _CANVAS), int(y * _CANVAS)), radius, colours[1], -1, cv2.LINE_AA)
    return canvas, 0.8 + 2.4 * scale


def _everywhere(rng: np.random.Generator, n: int, size: float, motif: Callable[[int, int], None]) -> None:
    """Call `motif` at n places that keep apart, again beyond the edge where one would be cut off."""
    side = int(np.ceil(np.sqrt(n)))
    pad = int(size)
    for k in range(n):
        x = int((k % side + rng.uniform(0.15, 0.85)) / side * _CANVAS)
        y = int((k // side + rng.uniform(0.15, 0.85)) / side * _CANVAS)
        for dx in (-_CANVAS, 0, _CANVAS):
            for dy in (-_CANVAS, 0, _CANVAS):
                if -pad < x + dx < _CANVAS + pad and -pad < y + dy < _CANVAS + pad:
                    motif(x + dx, y + dy)


def _floral(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    canvas = _blank(colours[0])
    green = to_levels((rng.uniform(0.1, 0.35), rng.uniform(0.3, 0.55), rng.uniform(0.1, 0.35)))

    def leaf(x: int, y: int) -> None:
        cv2.ellipse(canvas, (x, y), (13, 5), float((x * 7 + y * 3) % 180), 0, 360, green, -1, cv2.LINE_AA)

    def flower(x: int, y: int) -> None:
        petals, size = 5 + (x + y) % 3, 7 + (x * 5 + y) % 6
        colour = colours[1 + (x // 7 + y // 5) % 3]
        for k in range(petals):
            a = 2 * np.pi * k / petals + x
            at = (int(x + size * np.cos(a)), int(y + size * np.sin(a)))
            cv2.circle(canvas, at, int(size * 0.62), colour, -1, cv2.LINE_AA)
        cv2.circle(canvas, (x, y), int(size * 0.5), colours[4], -1, cv2.LINE_AA)

    _everywhere(rng, 16, 14, leaf)
    _everywhere(rng, 12, 20, flower)
    return canvas, 3.5 + 4.0 * scale


def _leaves(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    canvas = _blank(colours[0])

    def frond(x: int, y: int) -> None:
        a = (x * 13 + y * 29) % 360
        colour = colours[1 + (x + y) % 2]
        for k in range(-4, 5):
            angle = np.radians(a + 16 * k)
            reach = 34 - 2 * abs(k)
            tip = (int(x + reach * np.cos(angle)), int(y + reach * np.sin(angle)))
            cv2.line(canvas, (x, y), tip, colour, 4, cv2.LINE_AA)

    _everywhere(rng, 9, 40, frond)
    return canvas, 4.0 + 4.0 * scale


def _camouflage(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    grid = np.arange(_CANVAS, dtype=np.float32) / np.float32(12.0)  # 192 / 12 = 16 units: the noise tile's period
    x, y = (np.ascontiguousarray(a) for a in np.broadcast_arrays(grid[None], grid[:, None]))
    canvas = _blank(colours[0])
    for k in range(1, 4):
        field = noise(x, y, float(rng.random()), k % 4)
        canvas[field > 0.45] = colours[k]
    return canvas, 10.0 + 14.0 * scale


def _leopard(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    canvas = _blank(colours[0])

    def spot(x: int, y: int) -> None:
        size = 7 + (x * 3 + y) % 4
        a = float((x * 31 + y * 17) % 360)
        cv2.circle(canvas, (x, y), size - 3, colours[1], -1, cv2.LINE_AA)
        cv2.ellipse(canvas, (x, y), (size, size - 2), a, 0, 140, colours[2], 3, cv2.LINE_AA)
        cv2.ellipse(canvas, (x, y), (size, size - 2), a, 190, 300, colours[2], 4, cv2.LINE_AA)

    _everywhere(rng, 49, 10, spot)
    return canvas, 6.0 + 6.0 * scale


def _houndstooth(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    k = np.arange(8)
    weave = (k[:, None] + k[None]) % 4 < 2  # a 2/2 twill of four light and four dark threads
    tile = np.where(weave, (k < 4)[None], (k < 4)[:, None])
    picture = np.where(tile[..., None], np.array(colours[0], np.uint8), np.array(colours[1], np.uint8))
    side = _CANVAS // 8
    return np.ascontiguousarray(np.kron(picture, np.ones((side, side, 1), np.uint8))), 0.9 + 1.8 * scale


def _zigzag(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    y, x = np.mgrid[:_CANVAS, :_CANVAS]
    bent = y + np.abs((x % 96) - 48) * rng.uniform(0.5, 1.5)
    n = int(rng.integers(2, 4))
    band = (bent // 24).astype(int) % n
    return np.array(colours[:n], np.uint8)[band], 3.0 + 4.0 * scale


def _shapes(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    canvas = _blank(colours[0])

    def shape(x: int, y: int) -> None:
        kind, size = (x * 7 + y * 11) % 4, 9 + (x + 2 * y) % 10
        colour = colours[1 + (x * 3 + y) % 4]
        if kind == 0:
            cv2.circle(canvas, (x, y), size, colour, 3, cv2.LINE_AA)
        elif kind == 1:
            cv2.fillPoly(
                canvas, [np.array([[x - size, y + size], [x + size, y + size], [x, y - size]])], colour, cv2.LINE_AA
            )
        elif kind == 2:
            cv2.line(canvas, (x - size, y), (x + size, y), colour, 4, cv2.LINE_AA)
            cv2.line(canvas, (x, y - size), (x, y + size), colour, 4, cv2.LINE_AA)
        else:
            cv2.circle(canvas, (x, y), size // 2, colour, -1, cv2.LINE_AA)

    _everywhere(rng, 16, 22, shape)
    return canvas, 4.0 + 6.0 * scale


def _letters(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """Words in rows, no two of which touch."""
    canvas, font = _blank(colours[0]), int(rng.integers(4))
    glyphs = "ABCDEFGHKLMNOPRSTUVXZ0123456789&#"
    for row in range(4):
        begin = int(rng.integers(_CANVAS))
        for x in (begin, begin + _CANVAS // 2):
            text = "".join(glyphs[int(k)] for k in rng.integers(len(glyphs), size=int(rng.integers(2, 5))))
            for there in (x - _CANVAS, x):  # what goes on beyond the right edge begins at the left one
                cv2.putText(canvas, text, (there, 48 * row + 36), font, 0.8, colours[1 + row % 2], 2, cv2.LINE_AA)
    return canvas, 6.0 + 6.0 * scale


def _two_tone(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    canvas = _blank(colours[0], WHOLE_SIDE)
    if rng.random() < 0.5:
        canvas[:, WHOLE_SIDE // 2 :] = colours[1]
    else:
        canvas[int(WHOLE_SIDE * (0.4 + 0.25 * scale)) :] = colours[1]
    return canvas, 40.0


def _gradient(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    ramp = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_CANVAS) / _CANVAS)[:, None, None]
    picture = np.array(colours[0]) * (1 - ramp) + np.array(colours[1]) * ramp
    return np.broadcast_to(picture, (_CANVAS, _CANVAS, 3)).astype(np.uint8).copy(), 30.0 + 20 * scale


def _muzzle(colours: Sequence[Colour], scale: float, rng: np.random.Generator) -> Drawn:
    """A drawn animal's mouth or a grin before one's own: in the middle of a canvas larger than the mask."""
    canvas = _blank(colours[0], WHOLE_SIDE)
    k = WHOLE_SIDE / WHOLE_CM  # pixels a cm
    x, y = WHOLE_SIDE // 2, int(WHOLE_SIDE / 2 - 0.3 * k)
    ink = (12, 12, 14) if sum(colours[0]) > 200 else (232, 232, 230)
    if rng.random() < 0.55:
        pale = (235, 233, 228) if sum(colours[0]) < 420 else colours[1]
        w, h = rng.uniform(2.4, 4.2), rng.uniform(1.8, 2.8)
        cv2.ellipse(canvas, (x, y), (int(w * k), int(h * k)), 0, 0, 360, pale, -1, cv2.LINE_AA)
        dark = (18, 16, 16)
        nose = (x, int(y - h * 0.4 * k))
        cv2.ellipse(canvas, nose, (int(1.0 * k), int(0.65 * k)), 0, 0, 360, dark, -1, cv2.LINE_AA)
        cv2.line(canvas, nose, (x, int(y + 0.3 * k)), dark, 4, cv2.LINE_AA)
        for side in (-1, 1):
            at = (int(x + side * 0.9 * k), int(y + 0.3 * k))
            cv2.ellipse(canvas, at, (int(0.9 * k), int(0.7 * k)), 0, 0, 180, dark, 4, cv2.LINE_AA)
    else:
        w, h = int(rng.uniform(3.0, 4.6) * k), int(rng.uniform(0.8, 1.6) * k)
        cv2.ellipse(canvas, (x, y), (w, h * 2), 0, 0, 180, (238, 236, 228), -1, cv2.LINE_AA)
        cv2.ellipse(canvas, (x, y), (w, h * 2), 0, 0, 180, ink, 4, cv2.LINE_AA)
        cv2.line(canvas, (x - w, y), (x + w, y), ink, 4, cv2.LINE_AA)
        for j in range(-4, 5):
            reach = int(2 * h * np.sqrt(max(0.0, 1 - (j / 5) ** 2)))
            cv2.line(canvas, (x + j * w // 5, y), (x + j * w // 5, y + reach), ink, 3, cv2.LINE_AA)
    return canvas, WHOLE_CM


PATTERNS: Mapping[str, Callable[[Sequence[Colour], float, np.random.Generator], Drawn]] = {
    "plain": _plain,
    "stripes": _stripes,
    "check": _check,
    "plaid": _plaid,
    "dots": _dots,
    "floral": _floral,
    "leaves": _leaves,
    "camouflage": _camouflage,
    "leopard": _leopard,
    "houndstooth": _houndstooth,
    "zigzag": _zigzag,
    "shapes": _shapes,
    "letters": _letters,
    "two_tone": _two_tone,
    "gradient": _gradient,
    "muzzle": _muzzle,
    "scales": scales,
    "figure": figure,
    "dyed": dyed,
    "splashed": splashed,
    "panels": panels,
    "mesh": perforated,
    "slogan": slogan,
}
UPRIGHT = frozenset({"two_tone", "gradient", "muzzle", "scales", "figure", "panels", "slogan", "letters"})
"""Patterns that have an up and a down."""

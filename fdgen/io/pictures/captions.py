"""Lines of text for sheets of pictures: dark on white, sized for the pictures, never wider than they are."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

LEAST_TEXT_PX = 11
"""Smaller letters can't be read; a text that is too long is cut before it becomes so small."""

_MOST_TEXT_PX = 20
_PAPER, _INK = (255, 255, 255), (20, 20, 20)


def text_px_for(cell_px: int) -> int:
    """Return the size of letters under pictures of this width: about a twelfth of it."""
    return min(max(LEAST_TEXT_PX, cell_px // 12), _MOST_TEXT_PX)


def line_px(text_px: int) -> int:
    """Return the height of a line of text, with room above and below."""
    return text_px + text_px // 2


def text_line(text: str, width_px: int, text_px: int) -> npt.NDArray[np.uint8]:
    """Return a line of text as a picture (`line_px(text_px)`, `width_px`, 3); one too long gets smaller, then is cut.

    >>> text_line("clean", 64, 12).shape
    (18, 64, 3)
    """
    strip = PIL.Image.new("RGB", (width_px, line_px(text_px)), _PAPER)
    fitted, size_px = _fitted(text, width_px - 2, text_px)
    PIL.ImageDraw.Draw(strip).text((1, strip.height / 2), fitted, _INK, _font(size_px), anchor="lm")
    return np.asarray(strip, np.uint8)


def wrapped(text: str, width_px: int, text_px: int, *, most: int = 3) -> list[str]:
    """Return a text in lines that fit into a width, `most` of them: the last holds what is left, and is cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and (len(lines) == most or _font(text_px).getlength(f"{lines[-1]} {word}") <= width_px - 2):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _fitted(text: str, width_px: int, text_px: int) -> tuple[str, int]:
    """Return what of a text fits into a width, and the size of its letters."""
    for size_px in range(text_px, LEAST_TEXT_PX - 1, -1):
        if _font(size_px).getlength(text) <= width_px:
            return text, size_px
    kept = text
    while kept and _font(LEAST_TEXT_PX).getlength(f"{kept}...") > width_px:
        kept = kept[:-1]
    return f"{kept.rstrip()}..." if kept else "", LEAST_TEXT_PX


@functools.cache
def _font(size_px: int) -> PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont:
    return PIL.ImageFont.load_default(size_px)  # comes with Pillow: the same letters on every machine

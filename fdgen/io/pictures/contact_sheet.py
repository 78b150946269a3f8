"""Contact sheets: many small pictures in one, to inspect a dataset."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import PIL.Image

from fdgen.arrays import Image
from fdgen.io.pictures.captions import line_px, text_line, text_px_for, wrapped

GAP_PX = 4
PAPER = 255
"""Grey level between the pictures."""


def contact_sheet(
    rows: Sequence[Sequence[npt.NDArray[np.uint8]]],
    *,
    gap_px: int = GAP_PX,
    headings: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
) -> Image:
    """Return a grid of pictures, RGB HWC or grey HW of any size, row by row with thin gaps.

    A column is as wide as its widest picture, a row as high as its highest; each picture is in its upper left.
    `headings` are above the columns, over and over. `captions` has for each row the texts below it: one for each
    picture, or, with headings, one for as many pictures as there are of those. Raises `ValueError` where there is no
    picture.

    >>> contact_sheet([[np.zeros((8, 8), np.uint8)] * 3] * 2, gap_px=1).shape
    (19, 28, 3)
    """
    if not any(rows):
        raise ValueError("a contact sheet needs at least one picture")
    heights = [max((picture.shape[0] for picture in row), default=0) for row in rows]
    columns = itertools.zip_longest(*rows)
    widths = [max(picture.shape[1] for picture in column if picture is not None) for column in columns]
    text_px, span = text_px_for(max(widths)), len(headings) or 1
    lefts = gap_px + np.cumsum([0, *(width + gap_px for width in widths)])
    starts = range(0, len(widths), span)
    places = [(lefts[first], lefts[min(first + span, len(widths))] - gap_px) for first in starts]
    lines = [
        [wrapped(text, right - left, text_px) for text, (left, right) in zip(texts, places, strict=False)]
        for texts in captions
    ]
    head_px = line_px(text_px) if headings else 0
    caption_px = line_px(text_px) * max((len(text) for texts in lines for text in texts), default=0)
    tops = gap_px + head_px + np.cumsum([0, *(height + caption_px + gap_px for height in heights)])
    sheet = np.full((int(tops[-1]), int(lefts[-1]), 3), PAPER, np.uint8)
    for row, top in zip(rows, tops, strict=False):
        for picture, left in zip(row, lefts, strict=False):
            height, width = picture.shape[:2]
            sheet[top : top + height, left : left + width] = picture if picture.ndim == 3 else picture[..., None]
    for left, width, text in zip(lefts, widths, itertools.cycle(headings), strict=False):
        sheet[gap_px : gap_px + head_px, left : left + width] = text_line(text, width, text_px)
    for texts, top, height in zip(lines, tops, heights, strict=False):
        for lines_of_one, (left, right) in zip(texts, places, strict=False):
            for number, line in enumerate(lines_of_one):
                at = top + height + number * line_px(text_px)
                sheet[at : at + line_px(text_px), left:right] = text_line(line, right - left, text_px)
    return sheet


def encode_jpeg(picture_HWC: Image, quality: int = 90) -> bytes:
    """Encode a sheet as JPEG, for people: never for training data."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture_HWC).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()

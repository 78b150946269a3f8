"""Sheets of pictures to look at: rows of cells with captions, and the worst and best results of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fdgen.arrays import Image
from fdgen.io.pictures.captions import line_px, text_line, text_px_for

GAP_PX, PAPER = 4, 255

CELL_PX = 128
"""Smaller pictures are enlarged to about this, by a whole factor and unsmoothed: what one sees is what is there."""


def sheet(
    rows: Sequence[Sequence[Image]], captions: Sequence[Sequence[str]] = (), headings: Sequence[str] = ()
) -> Image:
    """Arrange square pictures in rows; `captions` has a text below each cell, `headings` one above each column.

    >>> sheet([[np.zeros((128, 128, 3), np.uint8)] * 2]).shape
    (136, 268, 3)
    """
    if not rows or not rows[0]:
        raise ValueError("a sheet needs at least one picture")
    side = rows[0][0].shape[0]
    factor = max(1, round(CELL_PX / side))
    cell = side * factor
    text_px = text_px_for(cell)
    head, caption = (line_px(text_px) if texts else 0 for texts in (headings, captions))
    high, wide = head + len(rows) * (cell + caption + GAP_PX) + GAP_PX, max(map(len, rows)) * (cell + GAP_PX) + GAP_PX
    page = np.full((high, wide, 3), PAPER, np.uint8)
    for j, text in enumerate(headings):
        left = GAP_PX + j * (cell + GAP_PX)
        page[GAP_PX : GAP_PX + head, left : left + cell] = text_line(text, cell, text_px)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = GAP_PX + head + i * (cell + caption + GAP_PX), GAP_PX + j * (cell + GAP_PX)
            page[top : top + cell, left : left + cell] = cv2.resize(
                picture, (cell, cell), interpolation=cv2.INTER_NEAREST
            ).reshape(cell, cell, -1)
            if captions:
                page[top + cell : top + cell + caption, left : left + cell] = text_line(captions[i][j], cell, text_px)
    return page

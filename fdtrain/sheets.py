"""Sheets of pictures for the eye: rows of cells with captions, and the worst and best results of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from fdgen.contract import Image
from fdgen.io.captions import line_px, text_line, text_px_for
from fdtrain.methods import Method
from fdtrain.pictures import pasted

if TYPE_CHECKING:
    import pandas as pd

    from fdtrain.data import TripletDataset

GAP_PX, PAPER = 4, 255

CELL_PX = 128
"""Smaller pictures are enlarged to about this, by a whole factor and unsmoothed: what one sees is what is there."""


def sheet(
    rows: Sequence[Sequence[Image]], captions: Sequence[Sequence[str]] = (), headings: Sequence[str] = ()
) -> Image:
    """Lay square pictures out in rows; `captions` has a text below each cell, `headings` one above each column.

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


def gallery(methods: Sequence[Method], dataset: TripletDataset, keys: Sequence[str], frame: pd.DataFrame) -> Image:
    """Return a sheet, a row a key: the input, every method's result pasted into the hole, and the clean picture.

    Headings name the columns; captions give the hole-only PSNR in dB of an evaluation's `frame`, kind and coverage
    under the input, and the key under the clean picture.
    """
    found = frame.set_index(["method", "key"])
    rows, captions = [], []
    for key in keys:
        index = dataset.keys.index(key)
        clean_HWC, occluded_HWC, mask_HW = dataset.pictures(index)
        stratum = dataset.table.iloc[index]
        row, texts = [occluded_HWC], [f"{stratum['kind']} {stratum['coverage']:.0%}"]
        for method in methods:
            for name, output in zip(method.names, method.restore([(occluded_HWC, mask_HW)])[0], strict=True):
                row.append(pasted(output, occluded_HWC, mask_HW))
                psnr = found["psnr_hole"].loc[(name, key)]
                texts.append(f"{psnr:.1f} dB")
        rows.append([*row, clean_HWC])
        captions.append([*texts, key])
    names = [name for method in methods for name in method.names]
    return sheet(rows, captions, ["occluded", *names, "clean"])


def extremes(frame: pd.DataFrame, method: str, n: int) -> tuple[list[str], list[str]]:
    """Return the keys of the worst and of the best n results of a method, the extreme ones first, by hole-only PSNR."""
    order = frame[frame["method"] == method].dropna(subset=["psnr_hole"]).sort_values(["psnr_hole", "key"])["key"]
    return order.iloc[:n].tolist(), order.iloc[::-1].iloc[:n].tolist()

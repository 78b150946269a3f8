"""Sheets of pictures for the eye: rows of cells with captions, and the worst and best results of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw

from fdgen.contract import Image
from fdtrain.methods import Method
from fdtrain.pictures import pasted

if TYPE_CHECKING:
    import pandas as pd

    from fdtrain.data import TripletDataset

GAP_PX, CAPTION_PX, PAPER = 4, 14, 255

CELL_PX = 128
"""Smaller pictures are enlarged to about this, by a whole factor and unsmoothed: what one sees is what is there."""


def sheet(rows: Sequence[Sequence[Image]], captions: Sequence[Sequence[str]] = ()) -> Image:
    """Lay square pictures out in rows; `captions` has a text below each cell, or nothing.

    >>> sheet([[np.zeros((128, 128, 3), np.uint8)] * 2]).shape
    (136, 268, 3)
    """
    if not rows or not rows[0]:
        raise ValueError("a sheet needs at least one picture")
    side = rows[0][0].shape[0]
    factor = max(1, round(CELL_PX / side))
    cell, caption = side * factor, CAPTION_PX if captions else 0
    high, wide = len(rows) * (cell + caption + GAP_PX) + GAP_PX, max(map(len, rows)) * (cell + GAP_PX) + GAP_PX
    page = np.full((high, wide, 3), PAPER, np.uint8)
    places = []
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = GAP_PX + i * (cell + caption + GAP_PX), GAP_PX + j * (cell + GAP_PX)
            page[top : top + cell, left : left + cell] = cv2.resize(
                picture, (cell, cell), interpolation=cv2.INTER_NEAREST
            ).reshape(cell, cell, -1)
            places.append((i, j, top + cell, left))
    if not captions:
        return page
    drawn = PIL.Image.fromarray(page)
    draw = PIL.ImageDraw.Draw(drawn)
    for i, j, top, left in places:
        draw.text((left, top + 1), captions[i][j], "black")
    result: Image = np.asarray(drawn)
    return result


def gallery(methods: Sequence[Method], dataset: TripletDataset, keys: Sequence[str], frame: pd.DataFrame) -> Image:
    """Return a sheet, a row a key: the input, every method's result pasted into the hole, and the clean picture.

    Captions give the hole-only PSNR in dB of an evaluation's `frame`, and kind and coverage under the input.
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
                texts.append(f"{name} {psnr:.1f}")
        rows.append([*row, clean_HWC])
        captions.append([*texts, key])
    return sheet(rows, captions)


def extremes(frame: pd.DataFrame, method: str, n: int) -> tuple[list[str], list[str]]:
    """Return the keys of the worst and of the best n results of a method, the extreme ones first, by hole-only PSNR."""
    order = frame[frame["method"] == method].dropna(subset=["psnr_hole"]).sort_values(["psnr_hole", "key"])["key"]
    return order.iloc[:n].tolist(), order.iloc[::-1].iloc[:n].tolist()

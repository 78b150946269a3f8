"""Contact sheets: many small pictures in one, to look a dataset over."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import PIL.Image

from fdgen.contract import Image, Manifest
from fdgen.errors import DatasetError
from fdgen.images import decode_png, resize
from fdgen.io.captions import line_px, text_line, text_px_for, wrapped

GAP_PX = 4
PAPER = 255
"""Grey level between the pictures."""

TRIPLE = ("clean", "occluded", "mask")
"""Pictures of a sample on a sheet, as the headings of its columns call them."""


def contact_sheet(
    rows: Sequence[Sequence[npt.NDArray[np.uint8]]],
    *,
    gap_px: int = GAP_PX,
    headings: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
) -> Image:
    """Return a grid of pictures, RGB HWC or grey HW of any size, row by row with thin gaps.

    A column is as wide as its widest picture, a row as high as its highest; each picture stands in its upper left.
    `headings` stand above the columns, over and over. `captions` has for each row the texts below it: one for each
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


def samples_sheet(
    samples: Sequence[Sequence[npt.NDArray[np.uint8]]], texts: Sequence[str], columns: int, headings: Sequence[str]
) -> Image:
    """Return a sheet of samples, `columns` of them side by side: the pictures of each, with its text below.

    `headings` names the pictures of a sample; with none, each has one.
    """
    starts = range(0, len(samples), columns)
    return contact_sheet(
        [list(itertools.chain(*samples[start : start + columns])) for start in starts],
        headings=headings,
        captions=[texts[start : start + columns] for start in starts],
    )


def described(kinds: Sequence[str], coverage: float, split: str) -> str:
    """Return what stands below a sample: its kinds, the share of the picture that is covered, and its split."""
    return f"{' + '.join(kinds)}, {coverage:.0%}, {split}"


def dataset_sheet(manifest: Manifest, n: int = 24, columns: int = 3, *, cell_px: int = 160) -> Image:
    """Return a sheet of `n` samples, each clean, occluded and mask with its kinds below, `columns` side by side.

    The kinds of occluders take turns, and of each kind the samples stand apart in the dataset, so that a few show what
    many hold. Raises `DatasetError` where a member cannot be read.
    """
    keys = spread(manifest, n)
    rows = manifest.table.set_index("key").loc[keys]
    texts = [
        described(json.loads(kinds), coverage, split)
        for kinds, coverage, split in zip(rows["kinds"], rows["coverage"], rows["split"], strict=True)
    ]
    return samples_sheet([_triple(manifest, key, cell_px) for key in keys], texts, columns, TRIPLE)


def spread(manifest: Manifest, n: int) -> list[str]:
    """Return the keys of `n` samples, or of all if there are fewer: kinds in turn, each evenly over the dataset."""
    groups = [group["key"].tolist() for _, group in manifest.table.groupby("kinds", sort=True)]
    turns = [min(len(group), -(-n // len(groups))) for group in groups]
    while sum(turns) < min(n, len(manifest)):  # kinds with few samples leave their turns to the others
        index = max(range(len(groups)), key=lambda i: len(groups[i]) - turns[i])
        turns[index] += 1
    picked = [[group[i * len(group) // turn] for i in range(turn)] for group, turn in zip(groups, turns, strict=True)]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*picked))
    return [key for key in in_turn if key is not None][:n]


def encode_jpeg(picture_HWC: Image, quality: int = 90) -> bytes:
    """Encode a sheet as JPEG, for people: never for training data."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture_HWC).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _triple(manifest: Manifest, key: str, cell_px: int) -> list[npt.NDArray[np.uint8]]:
    try:
        pictures = [decode_png(manifest.read_member(key, f"{name}.png")) for name in TRIPLE]
    except OSError as error:
        raise DatasetError(f"{key} of {manifest.root} cannot be read: {error}") from error
    return [resize(picture, cell_px, cell_px) for picture in pictures]

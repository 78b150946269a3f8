"""The methods of a comparison on photographs without a clean picture (sections 5.1 and 5.2, figure 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdgen.arrays import Image
from fdgen.errors import FdError, PictureError
from fdgen.io.path_inside import path_inside
from fdgen.io.pictures.formats import PICTURE_SUFFIXES
from fdtrain.comparison.plan import Ask, Task
from fdtrain.comparison.runner import Done
from fdtrain.comparison.statistics import mean_of
from fdtrain.comparison.task import RUN, open_method
from fdtrain.data.pictures import pasted, resized, resized_mask, write_png
from fdtrain.data.sheets import sheet
from fdtrain.errors import RunError
from fdtrain.metrics.registry import MEASURES
from fdtrain.metrics.suite import open_suite
from fdtrain.restoration.aligned import find_crop, read_mask, read_photo, restore_by
from fdtrain.restoration.mask_files import MaskFolder, is_named_as_mask


@dataclass(frozen=True)
class Photograph:
    """An aligned, occluded photograph, and its mask of 0 and 255."""

    path: Path
    photo_HWC: Image
    mask_HW: Image


@dataclass(frozen=True)
class OnPhotographs:
    """What was made: a table of the unpaired measures, a head first; why one is missing; how many pictures."""

    grid: list[list[str]]
    not_computed: dict[str, str]
    n: int
    skipped: dict[str, str]


def read_photographs(folder: Path, *, threshold: int | None = None) -> tuple[list[Photograph], dict[str, str]]:
    """Return the photographs of a folder with their masks, and why others cannot be used, by file name.

    The mask of NAME.jpg is NAME.mask.png or NAME_mask.png next to it, or NAME.png in the folder `masks` below, in any
    format that is read. Raises `FdError` where there is no photograph that has one.
    """
    if not folder.is_dir():
        raise FdError(f"--real {folder} is not a folder", hint="name one that holds photographs and their masks")
    photographs, skipped = [], {}
    beside = MaskFolder(folder)
    below = MaskFolder(folder / "masks") if (folder / "masks").is_dir() else None
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PICTURE_SUFFIXES or path.stem.endswith((".clean", ".alpha")):
            continue
        if is_named_as_mask(path):
            continue
        try:
            mask = beside.find(path, beside=True) or (below.find(path) if below else None)
            if mask is None:
                skipped[path.name] = f"there is no mask for it ({path.stem}.mask.png, say)"
                continue
            photo_HWC = read_photo(path)
            photographs.append(Photograph(path, photo_HWC, read_mask(mask, photo_HWC, threshold=threshold)))
        except PictureError as error:
            skipped[path.name] = error.message
    if not photographs:
        listed = "".join(f"; {name}: {reason}" for name, reason in list(skipped.items())[:3])
        raise FdError(
            f"{folder} holds no photograph with a mask{listed}",
            hint="put NAME.mask.png next to NAME.jpg: white where the occluder is, of the same size",
        )
    return photographs, skipped


def restore_photographs(
    folder: Path, tasks: Sequence[Task], done: Done, ask: Ask, out: Path, *, on_method: Callable[[str], None]
) -> OnPhotographs:
    """Restore every photograph by every method that has a result, into out/real/METHOD/NAME.png and out/real/sheet.png.

    Of a method with several seeds the first is taken. NIQE and BRISQUE are of the restored crop at its own size.

    Args:
        folder: Photographs with their masks.
        tasks: All rows and seeds.
        done: Which of them have results.
        ask: The terms that all share; its `size_px` is the side of what methods fill.
        out: Folder of the comparison.
        on_method: Called with the name of each method before its turn.

    Raises `RunError` where a file would lie outside of `out`, and what reading photographs and weights raises.
    """
    photographs, skipped = read_photographs(folder)
    unpaired = {name: row for name, row in MEASURES.items() if row.of == "pictures"}
    names = list(dict.fromkeys(task.name for task in tasks if task in done.results))
    columns: dict[str, list[Image]] = {}
    scores: dict[str, dict[str, list[float]]] = {}
    reasons: dict[str, str] = {}
    for name in names:
        task = next(task for task in tasks if task.name == name and task in done.results)
        on_method(name)
        method = open_method(task, ask, done.results[task] / RUN)
        columns[name], scores[name] = [], {measure: [] for measure in unpaired}
        for one in photographs:
            made = restore_by(method, one.photo_HWC, one.mask_HW, size_px=ask.size_px)
            write_png(path_inside(out, f"real/{name}/{one.path.stem}.png", error=RunError), made.picture_HWC)
            columns[name].append(pasted(made.refined_HWC, made.input_HWC, made.mask_HW))
            crop_HWC = find_crop(made.picture_HWC, one.path.name).of(made.picture_HWC)
            suite = open_suite(crop_HWC.shape[0], [*unpaired])
            for measure in unpaired:
                score = suite.unpaired[measure](np.ascontiguousarray(crop_HWC)) if measure in suite.unpaired else np.nan
                scores[name][measure].append(score)
            reasons |= suite.not_computed
    first = [_seen(one, ask.size_px) for one in photographs]
    rows = [[*pair, *(columns[name][place] for name in names)] for place, pair in enumerate(first)]
    captions = [[one.path.name, *[""] * (1 + len(names))] for one in photographs]
    write_png(out / "real" / "sheet.png", sheet(rows, captions, ["photograph", "mask", *names]))
    grid = [["method", *(f"{one.title} {one.better}" for one in unpaired.values())]]
    for name in names:
        means = [mean_of(np.asarray([scores[name][measure]], np.float64)) for measure in unpaired]
        grid.append([name, *("-" if not mean.pictures else f"{mean.value:.2f} ±{mean.error:.2f}" for mean in means)])
    return OnPhotographs(grid, reasons, len(photographs), skipped)


def _seen(one: Photograph, size_px: int) -> tuple[Image, Image]:
    """Return a photograph and its mask as the methods see them."""
    crop = find_crop(one.photo_HWC, one.path.name)
    return resized(crop.of(one.photo_HWC), size_px), resized_mask(crop.of(one.mask_HW), size_px)

"""A sheet of the results of methods on chosen samples: the best, the worst, and those between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fdgen.arrays import Image
from fdtrain.data.pictures import pasted
from fdtrain.inference.method import Method
from fdtrain.metrics.registry import MEASURES

if TYPE_CHECKING:
    import pandas as pd

    from fdtrain.data.triplets import TripletDataset
from fdtrain.data.sheets import sheet


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
                texts.append(f"{psnr:.1f} {MEASURES['psnr'].unit}")
        rows.append([*row, clean_HWC])
        captions.append([*texts, key])
    names = [name for method in methods for name in method.names]
    return sheet(rows, captions, ["occluded", *names, "clean"])


def extremes(frame: pd.DataFrame, method: str, n: int) -> tuple[list[str], list[str]]:
    """Return the keys of the worst and of the best n results of a method, the extreme ones first, by hole-only PSNR."""
    order = frame[frame["method"] == method].dropna(subset=["psnr_hole"]).sort_values(["psnr_hole", "key"])["key"]
    return order.iloc[:n].tolist(), order.iloc[::-1].iloc[:n].tolist()

"""Evaluation: every method on every picture of a split, one row for each.

Three views of a result, since papers seldom say which they mean: `raw`, what the method puts out; `composited`, that
pasted into the hole of the input; `hole`, the masked pixels alone. Numbers are taken from 8-bit pictures, as they would
be saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdtrain.data.pictures import pasted
from fdtrain.data.triplets import Pictures, TripletDataset
from fdtrain.inference.method import Method
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.metrics.fidelity import fidelity, hole_fidelity
from fdtrain.metrics.registry import VIEWS, always
from fdtrain.metrics.suite import Suite, open_suite

if TYPE_CHECKING:
    import pandas as pd

BATCH = 16


def evaluate(
    methods: nn.Module | Sequence[Method],
    dataset: TripletDataset,
    *,
    suite: Suite | None = None,
    batch: int = BATCH,
    on_image: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Restore a dataset by each method; return a row for each picture and method.

    Columns: `method`, `key`, `kind`, `coverage` and what else the manifest says of a sample, then the measures by view:
    `psnr_raw`, `psnr_composited`, `psnr_hole`, `ssim_raw` ...; beyond PSNR, SSIM and MSE they see whole pictures only.

    Args:
        methods: What restores. A model counts as a method with two rows a picture, one a stage.
        dataset: Triplets of one size and split.
        suite: The measures; None opens all that can be, at the dataset's size.
        batch: Pictures restored at once.
        on_image: Called as (done, of) with numbers of pictures, the methods counted alike.

    Raises `FdError` where two methods have one name, and what reading the dataset raises.
    """
    import pandas as pd

    methods = [ModelMethod(methods)] if isinstance(methods, nn.Module) else methods
    suite = open_suite(dataset.size_px) if suite is None else suite
    names = [name for method in methods for name in method.names]
    if twice := {name for name in names if names.count(name) > 1}:
        raise FdError(f"two methods are both called {min(twice)!r}: give each a name of its own")
    strata: list[dict[str, object]] = [
        {str(column): value for column, value in row.items()} for row in dataset.table.to_dict("records")
    ]
    found: dict[str, list[dict[str, object]]] = {name: [] for name in names}
    for indices, pictures in _batches(dataset, batch):
        pairs = [(one.occluded_HWC, one.mask_HW) for one in pictures]
        for place, method in enumerate(methods):
            for index, one, outputs in zip(indices, pictures, method.restore(pairs), strict=True):
                for name, raw_HWC in zip(method.names, outputs, strict=True):
                    found[name].append({"method": name, **strata[index], **scores(raw_HWC, one, suite)})
                if on_image is not None:
                    measured = place * len(indices) + index - indices.start + 1
                    on_image(indices.start + measured // len(methods), len(dataset))
    return pd.DataFrame([row for name in names for row in found[name]])


def compare_sets(
    methods: Sequence[Method], dataset: TripletDataset, suite: Suite, *, batch: int = BATCH
) -> pd.DataFrame:
    """Return a row a method: the distance of all its composited pictures from all clean ones, by each set measure."""
    import pandas as pd

    rows: list[dict[str, object]] = []
    if suite.features is not None:
        clean: list[Image] = []
        results: dict[str, list[Image]] = {name: [] for method in methods for name in method.names}
        for _, pictures in _batches(dataset, batch):
            clean += [one.clean_HWC for one in pictures]
            pairs = [(one.occluded_HWC, one.mask_HW) for one in pictures]
            for method in methods:
                for (occluded_HWC, mask_HW), outputs in zip(pairs, method.restore(pairs), strict=True):
                    for name, raw_HWC in zip(method.names, outputs, strict=True):
                        results[name].append(pasted(raw_HWC, occluded_HWC, mask_HW))
        truth = suite.features(clean)
        for name, restored in results.items():
            found = suite.features(restored)
            rows.append({"method": name, **{key: distance(found, truth) for key, distance in suite.sets.items()}})
    return pd.DataFrame(rows, columns=["method", *suite.sets])


def scores(raw_HWC: Image, truth: Pictures, suite: Suite) -> dict[str, float]:
    """Return every measure of one result, by view."""
    clean_HWC, occluded_HWC, mask_HW = truth
    composited_HWC = pasted(raw_HWC, occluded_HWC, mask_HW)
    same = np.array_equal(raw_HWC, composited_HWC)
    values: dict[str, float] = {}
    values |= _named("composited", fidelity(composited_HWC, clean_HWC))
    values |= _named("raw", fidelity(raw_HWC, clean_HWC)) if not same else _renamed(values)
    values |= _named("hole", hole_fidelity(composited_HWC, clean_HWC, mask_HW))
    for name, score in suite.unpaired.items():
        values[f"{name}_composited"] = score(composited_HWC)
        values[f"{name}_raw"] = values[f"{name}_composited"] if same else score(raw_HWC)
    for name, distance in suite.paired.items():
        values[f"{name}_composited"] = distance(composited_HWC, clean_HWC)
        values[f"{name}_raw"] = values[f"{name}_composited"] if same else distance(raw_HWC, clean_HWC)
    return {f"{name}_{view}": values[f"{name}_{view}"] for name, view in columns(suite)}


def columns(suite: Suite) -> list[tuple[str, str]]:
    """Return the measures and views that an evaluation has, in the order of its columns."""
    names = (*always(), *suite.unpaired, *suite.paired)
    return [(name, view) for name in names for view in VIEWS if view != "hole" or name in always()]


def _named(view: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}_{view}": value for name, value in zip(always(), values, strict=True)}


def _renamed(composited: dict[str, float]) -> dict[str, float]:
    return {name.replace("_composited", "_raw"): value for name, value in composited.items()}


def _batches(dataset: TripletDataset, batch: int) -> Iterator[tuple[range, list[Pictures]]]:
    for start in range(0, len(dataset), batch):
        indices = range(start, min(start + batch, len(dataset)))
        yield indices, [dataset.pictures(index) for index in indices]

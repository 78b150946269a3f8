"""The numbers of an evaluation, of generators or of segmentation networks, read back from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fdtrain.comparison.image_table import read_images
from fdtrain.comparison.markup import difference_cells
from fdtrain.comparison.statistics import Difference, Values, differences
from fdtrain.comparison.tables import with_capital
from fdtrain.comparison.task import IMAGES_FILE
from fdtrain.errors import RunError
from fdtrain.evaluation.mask_results import MaskResults
from fdtrain.evaluation.results import Evaluation, Results
from fdtrain.inference.finish import finish_in
from fdtrain.inference.predicted_mask import PREDICTED
from fdtrain.metrics.registry import MEASURES, SILHOUETTES, Measure, columns_tested
from fdtrain.report.measurements import Given, Grid, Measured, shown, strata_grids, values_of
from fdtrain.report.records import EVALUATION_FILE, read_json

OF_PICTURES = (
    "mean; between methods that train nothing its 95 % interval and p, Student's over pictures, adjusted after Holm "
    "for the rows. Weights are one seed of their training, and no test says how another one would differ"
)


EVALUATED = {
    "copy of the input": "copy",
    "Telea": "telea",
    "Navier-Stokes": "navier-stokes",
    "biharmonic": "biharmonic",
    "Mumford-Shah-Euler": "mumford-shah-euler",
    "structure + texture": "structure-texture",
    "joint interpolation": "joint-interpolation",
    "PatchMatch": "patchmatch",
    "mean face": "mean-face",
}
"""What an evaluation calls the references; eigenfaces have their number in their name."""


@dataclass(frozen=True)
class Sort:
    """A sort of evaluation: its class, what it calls its methods, and what its files must hold."""

    results: type[Evaluation]
    noun: str
    ranked_by: str
    measures: Mapping[str, Measure]
    facts: Mapping[str, type]
    columns: tuple[str, ...]


SHARED = {"dataset": dict, "methods": list, "size_px": int, "protocols": dict, "notes": list}

RESTORES = Sort(
    Results, "method", "psnr_hole", MEASURES, {**SHARED, "not_computed": dict}, ("psnr_hole", "mse_hole")
)  # fmt: skip
FINDS = Sort(MaskResults, "mask network", "iou", SILHOUETTES, {**SHARED, "calibration": dict}, ("iou", "boundary_f"))


def read_evaluation(folder: Path) -> Measured:
    """Read what `fdtrain eval --out` wrote; raise `RunError` where it is damaged."""
    path = folder / EVALUATION_FILE
    facts = read_json(path, {"versions": dict, "summary": list})
    sort = FINDS if "calibration" in facts else RESTORES
    read_json(path, sort.facts)
    images = read_images(folder / IMAGES_FILE, ("method", "key", "kind", "coverage", *sort.columns))
    methods, dataset = [str(name) for name in facts["methods"]], facts["dataset"]
    if set(methods) != set(images["method"]) or images.duplicated(["method", "key"]).any():
        raise RunError(f"{folder / IMAGES_FILE} and {path} are of different evaluations", hint="measure again")
    try:
        results = sort.results(images, pd.DataFrame(facts["summary"]), facts)
        grids = {title: grid for title, grid in results.grids().items() if len(grid) > 1}
        lead = (
            f"{len(methods)} {sort.noun}{'s' if len(methods) > 1 else ''} on {dataset['pictures']:,} pictures of the "
            f"{dataset['split']} split, at {facts['size_px']} px"
        )
        content_id, split = str(dataset["content_id"]), str(dataset["split"])
        calibration = {name: _shares(facts["calibration"][name]) for name in methods} if sort is FINDS else {}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise RunError(f"{path} is damaged: {error!r}", hint="measure again") from error
    frames = {name: images[images["method"] == name].set_index("key") for name in methods}
    values = values_of({name: [frame] for name, frame in frames.items()})
    focus = next((name for name in reversed(methods) if not name.endswith(PREDICTED)), methods[-1])
    tests = _tests(values, focus, columns_tested(sort.measures))
    if tests:
        grids[f"Against {focus}"] = _test_grid(methods, tests)
    sentences = ["± is the standard error over pictures"]
    if tests:
        sentences.append(f"differences are those of the same pictures, method minus {focus}: {OF_PICTURES}")
    pictures = frames[methods[0]][["kind", "coverage"]]
    return Measured(
        kind="evaluation",
        title="Evaluation",
        lead=lead,
        content_id=content_id,
        split=split,
        size_px=facts["size_px"],
        focus=focus,
        against=focus if tests else None,
        grids=grids,
        strata=strata_grids(values, pictures),
        findings=[],
        notes=[with_capital(one) for one in (*sentences, *results.sentences())],
        tests=tests,
        values=values,
        pictures=pictures,
        given=[Given(name, None, None, None) for name in methods],
        versions=facts["versions"],
        unfinished=[],
        failed={},
        ranked_by=sort.ranked_by,
        calibration=calibration,
    )


def reference_of(name: str) -> str | None:
    """Return the reference that an evaluation calls so; None where it is none of them, but has weights."""
    return "eigenfaces" if name.endswith(" eigenfaces") else EVALUATED.get(name)


def _shares(calibration: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return mean predicted and true share of occluder, of each bin that holds any pixel."""
    bins = zip(calibration["pixels"], calibration["predicted"], calibration["true"], strict=True)
    return [(float(predicted) / int(n), float(true) / int(n)) for n, predicted, true in bins if int(n)]


def _tests(
    values: Mapping[str, Mapping[str, Values]], focus: str, columns: Sequence[str]
) -> dict[str, dict[str, Difference]]:
    found = {}
    for measure in columns:
        by_name = {name: there[measure] for name, there in values.items() if measure in there}
        if focus in by_name and len(by_name) > 1:
            trained = [name for name in by_name if reference_of(finish_in(name)[0]) is None]
            found[measure] = differences(by_name, focus, trained)
    return found


def _test_grid(names: Sequence[str], tests: Mapping[str, Mapping[str, Difference]]) -> Grid:
    grid = [["method", *(text for measure in tests for text in (shown()[measure].head, "p"))]]
    for name in names:
        found = [(there.get(name), shown()[measure].digits) for measure, there in tests.items()]
        if any(one is not None for one, _ in found):
            cells = [difference_cells(one, digits) for one, digits in found]
            grid.append([name, *(cell for pair in cells for cell in pair)])
    return grid

"""Test pictures restored while a report is made, by the weights that were measured; as data URIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from fdgen.arrays import Image
from fdgen.contract.manifest import Manifest
from fdgen.io.json_file import read_object
from fdtrain.comparison.task import RESULT_FILE, RUN, weights_of
from fdtrain.data.pictures import pasted, webp_uri
from fdtrain.data.stored_samples import StoredSamples
from fdtrain.data.triplets import Pictures, TripletDataset
from fdtrain.errors import RunError
from fdtrain.evaluation.references import open_references
from fdtrain.inference.blend import blend_in, blended
from fdtrain.inference.finish import finish_in, finish_of_faces, finished, finished_name
from fdtrain.inference.method import Method
from fdtrain.inference.predicted_mask import PREDICTED
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.methods import FINISHES, Finish
from fdtrain.metrics.fidelity import hole_fidelity
from fdtrain.report.evaluations import reference_of
from fdtrain.report.examples import Case
from fdtrain.report.measurements import Given, Measured
from fdtrain.report.sources import Source
from fdtrain.training.checkpoint import load_model, read_facts
from fdtrain.training.weight_files import find_weights, weights_sha256

LOSSLESS_PX = 128
"""Up to this size pictures are kept exactly; larger ones at a quality whose losses the eye does not see: a page with
hundreds of them is to be sent by mail."""

QUALITY = 90

TELLING_DB = 0.1
"""By so much a picture may differ from what was measured before the page says so: another machine rounds otherwise."""


@dataclass(frozen=True)
class Words:
    """What a gallery calls what was made and what is true, how it describes them, and how it prints scores."""

    made: str
    truth: str
    made_alt: str
    truth_alt: str
    ranked_by: str
    score: str


RESTORED = Words(
    "restored", "clean", "The face restored by", "The face without an occluder", "PSNR inside the mask", "{:.1f} dB"
)


@dataclass(frozen=True)
class Result:
    """What one method made of a picture: by whom, the picture, and its score (dB inside the mask, or IoU)."""

    name: str
    uri: str
    score: float


@dataclass(frozen=True)
class Exhibit:
    """One test picture, the truth, and what methods made of it."""

    case: Case
    occluded: str
    truth: str
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Gallery:
    """Groups of exhibits by title; sentences on them; the method that is shown first; what all is called."""

    groups: Mapping[str, Sequence[Exhibit]]
    notes: tuple[str, ...]
    first: str
    size_px: int
    words: Words = RESTORED


def require_same_data(source: Source, manifest: Manifest) -> None:
    """Raise `RunError` where a dataset is not the one that a source was trained or measured on."""
    content_id = str(manifest.dataset["content_id"])
    if content_id != source.content_id:
        raise RunError(
            f"{source.name} is of dataset {source.content_id[:16]}, and {manifest.root} is {content_id[:16]}",
            hint="name the dataset that it was trained or measured on, or leave out --data",
        )


def restored(
    source: Source,
    groups: Mapping[str, Sequence[Case]],
    data: str | Path,
    *,
    weights: Mapping[str, Path],
    only: Sequence[str] = (),
    on_stage: Callable[[str], None] | None = None,
) -> Gallery:
    """Restore the cases of an evaluation or comparison by every method that can be run again.

    Args:
        source: The evaluation or comparison.
        groups: The cases by the name of their group.
        data: The dataset: a folder or URL.
        weights: Files of the methods whose place nothing recorded, by name.
        only: Methods to show; empty shows all.
        on_stage: Called with what is being done; None for none.

    Raises `RunError` where weights are not those that were measured, `ValueError` where nothing was measured, and what
    reading the dataset raises.
    """
    measured = source.measured
    if measured is None:
        raise ValueError(f"{source.name} was not measured")
    torch.set_num_threads(1)  # another number may round otherwise: the page would have other bytes
    dataset = TripletDataset(data, measured.split, size_px=measured.size_px)
    wanted = [given for given in measured.given if not only or given.name in only]
    methods, notes = _opened(wanted, measured, data, weights, on_stage)
    order = {given.name: place for place, given in enumerate(measured.given)}
    exhibits = exhibited(groups, dataset, lambda case, place: _exhibit(case, dataset.pictures(place), methods, order))
    if (worst_db := farthest(exhibits, measured)) > TELLING_DB:
        notes.append(
            f"restored here, pictures differ from what was measured by up to {worst_db:.2f} dB inside the mask"
        )
    if any(len(there) > 1 for values in measured.values.values() for there in values.values()):
        notes.append("of methods with several seeds, the pictures and their dB are of the first; ranks are of the mean")
    first = measured.focus if any(name == measured.focus for name, _ in methods) else methods[-1][0] if methods else ""
    return Gallery(exhibits, tuple(notes), first or "", measured.size_px)


def sampled(source: Source, n: int, data: str | Path) -> Gallery:
    """Restore the first n test pictures, which are a random choice already, by a run; raise where it has no weights."""
    training = source.trainings[0]
    torch.set_num_threads(1)
    model = ModelMethod(load_model(training.folder), name="restored")
    if len(model.names) > 1:
        model.names = ("stage I", "stage II")
    dataset = TripletDataset(data, "test", size_px=int(training.record.config["data"]["size_px"]), limit=n)
    methods: list[tuple[str, Method]] = [(model.names[-1], model)]
    return sample_of(dataset, lambda case, place: _exhibit(case, dataset.pictures(place), methods), model.names[-1])


def exhibited(
    groups: Mapping[str, Sequence[Case]], dataset: StoredSamples[Any], make: Callable[[Case, int], Exhibit]
) -> dict[str, list[Exhibit]]:
    """Make an exhibit of each case from its place in the dataset; raise `RunError` where it has none."""
    places = {key: place for place, key in enumerate(dataset.keys)}
    if missing := [case.key for cases in groups.values() for case in cases if case.key not in places]:
        raise RunError(f"{missing[0]} was measured, and is not in the {dataset.split} split of {dataset.root}")
    return {title: [make(case, places[case.key]) for case in cases] for title, cases in groups.items()}


def sample_of(
    dataset: StoredSamples[Any], make: Callable[[Case, int], Exhibit], first: str, words: Words = RESTORED
) -> Gallery:
    """Return a gallery of all of a dataset: the first of the test split."""
    cases = [
        Case(key, str(row["kind"]), float(row["coverage"]), {})
        for key, (_, row) in zip(dataset.keys, dataset.table.iterrows(), strict=True)
    ]
    groups = exhibited({f"First {len(cases)} of the test split": cases}, dataset, make)
    return Gallery(groups, ("they are a random choice, not the best",), first, dataset.size_px, words)


def data_uri(picture_HWC: Image) -> str:
    """Return a picture as a WebP data URI: exact up to `LOSSLESS_PX`."""
    return webp_uri(picture_HWC, quality=None if max(picture_HWC.shape[:2]) <= LOSSLESS_PX else QUALITY)


def _exhibit(
    case: Case,
    pictures: Pictures,
    methods: Sequence[tuple[str, Method]],
    order: Mapping[str, int] = MappingProxyType({}),
) -> Exhibit:
    """Restore one case by all methods, the results in the order of the tables where that is given."""
    clean_HWC, occluded_HWC, mask_HW = pictures
    results = []
    for name, method in methods:
        for own, raw_HWC in zip(_names(name, method), method.restore([(occluded_HWC, mask_HW)])[0], strict=True):
            composited_HWC = pasted(raw_HWC, occluded_HWC, mask_HW)
            psnr_db = float(hole_fidelity(composited_HWC, clean_HWC, mask_HW)[0])
            results.append(Result(own, data_uri(composited_HWC), psnr_db))
    results.sort(key=lambda one: order.get(one.name, len(order)))
    return Exhibit(case, data_uri(occluded_HWC), data_uri(clean_HWC), tuple(results))


def _names(name: str, method: Method) -> tuple[str, ...]:
    return (*method.names[:-1], name)


def farthest(exhibits: Mapping[str, Sequence[Exhibit]], measured: Measured) -> float:
    """Return by how much a score differs from what was measured at the most, of methods with one seed."""
    single = {name for name, there in measured.values.items() if all(len(values) == 1 for values in there.values())}
    differences = [
        abs(one.score - exhibit.case.scores[one.name])
        for there in exhibits.values()
        for exhibit in there
        for one in exhibit.results
        if one.name in single and one.name in exhibit.case.scores
    ]
    return max((one for one in differences if np.isfinite(one)), default=0.0)


def _opened(
    wanted: Sequence[Given],
    measured: Measured,
    data: str | Path,
    weights: Mapping[str, Path],
    on_stage: Callable[[str], None] | None,
) -> tuple[list[tuple[str, Method]], list[str]]:
    """Return methods by name in the order of the tables, and a sentence on each that cannot be run again."""
    references = {given.name: found for given in wanted if (found := _reference(given)) is not None}
    opened = open_references(
        [name for name in references.values() if name != "copy"],
        lambda: TripletDataset(data, "train", size_px=measured.size_px),
        on_stage=on_stage,
    )
    by_reference = dict(zip([name for name in references.values() if name != "copy"], opened, strict=True))
    methods: list[tuple[str, Method]] = []
    missing = []
    for given in wanted:
        if given.name in references:
            if references[given.name] != "copy":  # it is there as the input
                finish = finish_of_faces(_finish(given))
                methods.append((given.name, finished(by_reference[references[given.name]], finish)))
        elif (path := _weights(given, weights)) is not None:
            methods.append((given.name, _model(given, path, measured)))
        elif not _unfinished(given).endswith((", stage I", PREDICTED)):
            missing.append(given.name)
    notes = notes_on(missing)
    if any(given.name.endswith(PREDICTED) for given in wanted):
        notes.append("pictures are those by the masks that are given, not by predicted ones")
    return methods, notes


def notes_on(missing: Sequence[str]) -> list[str]:
    """Return a sentence on methods whose weights are not known, if there are any."""
    listed = ", ".join(missing)
    return [f"no pictures by {listed}: name the weights, as --weights NAME=FILE"] if missing else []


def _reference(given: Given) -> str | None:
    if given.task is not None:
        return given.task.what if given.task.kind == "reference" else None
    return reference_of(_unfinished(given))


def _weights(given: Given, weights: Mapping[str, Path]) -> Path | None:
    for name in (given.name, _unfinished(given), _model_name(given)):
        if name in weights:
            return find_weights(weights[name])
    if given.task is not None and given.task.kind == "trained" and given.folder is not None:
        return weights_of(given.task, given.folder / RUN)
    return None


def _model(given: Given, path: Path, measured: Measured) -> Method:
    """Open weights; raise `RunError` where they are not those that were measured."""
    if given.sha256 is not None and weights_sha256(path) != given.sha256:
        raise RunError(f"{path} is not what {given.name} was measured with", hint="measure again, or leave out --data")
    size_px = int(read_facts(path)["config"]["data"]["size_px"])
    if size_px != measured.size_px:
        raise RunError(f"{path} is of {size_px} px, {given.name} was measured at {measured.size_px}")
    (name, share), finish = blend_in(_unfinished(given)), _finish(given)
    if share < 1:  # the row of the model itself has the stages
        return finished(blended(ModelMethod(load_model(path), name=name), [share], beside="nothing"), finish)
    stages = finished_name(f"{name}, stage I", finish) in measured.values
    return finished(ModelMethod(load_model(path), name=name, stages=stages), finish)


def _unfinished(given: Given) -> str:
    """Return the name of a method without the finish that an evaluation adds to it; a comparison's row has none."""
    return given.name if given.task is not None else finish_in(given.name)[0]


def _model_name(given: Given) -> str:
    """Return the name of the model of a row, without a finish or a blend of its stages."""
    return blend_in(_unfinished(given))[0]


def _finish(given: Given) -> Finish:
    """Return how a row's pictures were finished: by the result of a comparison's row, or by the name of another."""
    path = given.folder / RESULT_FILE if given.folder is not None else None
    if path is None or not path.exists():
        return finish_in(given.name)[1]
    told = read_object(path, error=RunError, hint="delete it: the row is measured again").get("finish", "none")
    return next((finish for finish in FINISHES if finish == told), "none")

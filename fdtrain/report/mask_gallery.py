"""Test pictures segmented while a report is made: the predicted silhouettes next to the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from fdtrain.data.silhouettes import SOLID, Seen, SilhouetteDataset
from fdtrain.errors import RunError
from fdtrain.evaluation.masks import Measured as Network
from fdtrain.evaluation.masks import open_measured
from fdtrain.metrics.segmentation import EVEN, iou
from fdtrain.report.examples import Case
from fdtrain.report.gallery import Exhibit, Gallery, Result, Words, data_uri, exhibited, farthest, notes_on, sample_of
from fdtrain.report.measurements import Measured
from fdtrain.report.sources import Source
from fdtrain.restoration.before_after import marked

FOUND = Words(
    "found", "silhouette", "What was found to be an occluder by", "The true silhouette of the occluder", "IoU",
    "IoU {:.2f}",
)  # fmt: skip

TELLING_IOU = 0.01
"""By so much a picture may differ from what was measured before the page says so: another machine rounds otherwise."""


def found(
    measured: Measured,
    groups: Mapping[str, Sequence[Case]],
    data: str | Path,
    *,
    weights: Mapping[str, Path],
    only: Sequence[str] = (),
) -> Gallery:
    """Mark what each network whose weights are known finds on the cases of an evaluation.

    Args:
        measured: What was measured, at which size.
        groups: The cases by the name of their group.
        data: The dataset: a folder or URL.
        weights: Files of the networks, by name.
        only: Networks to show; empty shows all.

    Raises `RunError` where weights are of another size, and what reading weights and dataset raises.
    """
    torch.set_num_threads(1)  # another number may round otherwise: the page would have other bytes
    wanted = [given.name for given in measured.given if not only or given.name in only]
    networks = {one: open_measured([weights[one]], device="cpu")[0] for one in wanted if one in weights}
    for one, network in networks.items():
        if (own_px := network.masker.size_px) != measured.size_px:
            raise RunError(f"{weights[one]} is of {own_px} px, {one} was measured at {measured.size_px}")
    notes = notes_on([one for one in wanted if one not in networks])
    dataset = SilhouetteDataset(data, measured.split, size_px=measured.size_px)
    exhibits = exhibited(groups, dataset, lambda case, place: _exhibit(case, dataset.seen(place), networks))
    if (worst := farthest(exhibits, measured)) > TELLING_IOU:
        notes.append(f"found here, silhouettes differ from what was measured by up to {worst:.2f} of IoU")
    first = measured.focus if measured.focus in networks else next(reversed(networks), "")
    return Gallery(exhibits, tuple(notes), first or "", measured.size_px, FOUND)


def sampled(source: Source, n: int, data: str | Path) -> Gallery:
    """Mark what a run's network finds on the first n test pictures, which are a random choice already."""
    torch.set_num_threads(1)
    network = open_measured([source.folder], device="cpu")[0]
    dataset = SilhouetteDataset(data, "test", size_px=network.masker.size_px, limit=n)
    named = {"found": network}
    return sample_of(dataset, lambda case, place: _exhibit(case, dataset.seen(place), named), "found", FOUND)


def _exhibit(case: Case, seen: Seen, networks: Mapping[str, Network]) -> Exhibit:
    occluded_HWC, truth_HW = seen.occluded_HWC, seen.alpha_HW >= SOLID
    results = []
    for name, network in networks.items():
        found_HW = network.masker.predict([occluded_HWC])[0].occluder_HW >= EVEN
        picture_HWC = marked(occluded_HWC, found_HW * np.uint8(255))
        results.append(Result(name, data_uri(picture_HWC), iou(found_HW, truth_HW)))
    true_HWC = marked(occluded_HWC, truth_HW * np.uint8(255))
    return Exhibit(case, data_uri(occluded_HWC), data_uri(true_HWC), tuple(results))

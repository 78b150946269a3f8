"""Evaluation of segmentation networks: each on every picture of a split, and the calibration of their probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fdgen.arrays import Bools, Image
from fdgen.errors import FdError
from fdtrain.data.sheets import sheet
from fdtrain.data.silhouettes import SOLID, Seen
from fdtrain.evaluation.evaluator import BATCH
from fdtrain.inference.mask_decision import middle_of_crop, threshold_mask
from fdtrain.inference.maskers import MaskPrediction, Probabilities, TorchMasker
from fdtrain.inference.model_label import ModelLabel
from fdtrain.inference.models import short_names
from fdtrain.metrics.segmentation import EVEN, Calibration, boundary_f, iou
from fdtrain.runtime.device import open_device
from fdtrain.training.checkpoint import load_masknet, read_facts
from fdtrain.training.weight_files import find_weights, weights_sha256

if TYPE_CHECKING:
    import pandas as pd


class Silhouettes(Protocol):
    """Pictures with silhouettes: a `SilhouetteDataset`, or a folder of photographs (`restoration.outlined_folder`).

    `knows_kinds`: whether the table's `kind` says what is worn.
    """

    size_px: int
    split: str
    content_id: str
    table: pd.DataFrame
    knows_kinds: bool

    @property
    def keys(self) -> list[str]: ...

    def __len__(self) -> int: ...

    def seen(self, index: int) -> Seen:
        """Return a picture and its alpha."""
        ...

    def bare_face(self, index: int) -> Image | None:
        """Return the same face without its occluder, None where that is not known."""
        ...

    def counts(self, index: int) -> Bools | None:
        """Return which pixels are scored; None scores all."""
        ...

    def notes(self) -> list[str]:
        """Return what a reader must know of these pictures."""
        ...


@dataclass(frozen=True)
class Measured:
    """A mask network in an evaluation: what it is called, its temperature, and which data it was trained on."""

    name: str
    masker: TorchMasker
    temperature: float
    trained_on: str


@dataclass(frozen=True)
class MaskScores:
    """`frame` has a row for each picture and network; calibration is by network, as it is and at a temperature of 1.

    Columns: `method`, `key`, `kind`, `coverage` and what else the manifest says of a sample, then `iou`, `boundary_f`,
    `precision` and `recall` of pixels, `kind_found` (0 or 1: the likeliest kind is worn; NaN where the network
    distinguishes none), `bare_left` (0 or 1: of the same face without its occluder, `mask_decision.decided` would mark
    nothing; NaN where that face is not known).
    """

    frame: pd.DataFrame
    calibration: dict[str, Calibration] = field(default_factory=dict)
    uncooled: dict[str, Calibration] = field(default_factory=dict)


def holds_masknet(path: str | Path) -> bool:
    """Return whether weights are those of a mask network; raise `CheckpointError` where they cannot be read."""
    return read_facts(find_weights(path))["config"].get("mask") is not None


def open_measured(paths: Sequence[str | Path], *, device: str = "auto") -> list[Measured]:
    """Load mask networks; raise `FdError` where one is none, or their sizes differ."""
    found = []
    where = str(open_device(device))
    for name, path in zip(short_names([Path(path) for path in paths]), paths, strict=True):
        masknet, facts = load_masknet(path)
        config = facts["config"]
        masker = TorchMasker(
            masknet,
            size_px=config["data"]["size_px"],
            kinds=config["mask"]["kinds"] or (),
            device=where,
            label=ModelLabel.of_facts(path, facts, weights_sha256(path)),
        )
        found.append(Measured(name, masker, masknet.temperature, str(facts.get("content_id", ""))))
    if len({one.masker.size_px for one in found}) > 1:
        listed = ", ".join(f"{one.name} of {one.masker.size_px} px" for one in found)
        raise FdError(
            f"the segmentation networks are of different sizes: {listed}", hint="evaluate each size by itself"
        )
    return found


def evaluate_masks(
    measured: Sequence[Measured],
    dataset: Silhouettes,
    *,
    batch: int = BATCH,
    on_image: Callable[[int, int], None] | None = None,
) -> MaskScores:
    """Find the silhouettes of a dataset by each network. `on_image` hears how many pictures are done of how many."""
    import pandas as pd

    strata = [{str(column): value for column, value in row.items()} for row in dataset.table.to_dict("records")]
    rows: dict[str, list[dict[str, object]]] = {one.name: [] for one in measured}
    calibration, uncooled = ({one.name: Calibration() for one in measured} for _ in range(2))
    for start in range(0, len(dataset), batch):
        indices = range(start, min(start + batch, len(dataset)))
        seen = [dataset.seen(index) for index in indices]
        bare = [dataset.bare_face(index) for index in indices]
        truths = [one.alpha_HW >= SOLID for one in seen]
        scored = [dataset.counts(index) for index in indices]
        known_bare = [face for face in bare if face is not None]
        for place, one in enumerate(measured):
            predictions = one.masker.predict([picture.occluded_HWC for picture in seen])
            of_bare = iter(one.masker.predict(known_bare) if known_bare else ())
            left = [_left(next(of_bare), dataset.size_px) if face is not None else float("nan") for face in bare]
            for index, prediction, bare_left, truth_HW, counts_HW in zip(
                indices, predictions, left, truths, scored, strict=True
            ):
                found_HW = prediction.occluder_HW >= EVEN
                if counts_HW is not None:
                    found_HW = found_HW & counts_HW
                shared = float((found_HW & truth_HW).sum())
                likeliest = max(prediction.kinds, key=lambda kind: prediction.kinds[kind], default=None)
                worn = str(strata[index]["kind"]).split("+")
                rows[one.name].append(
                    {
                        "method": one.name,
                        **strata[index],
                        "iou": iou(found_HW, truth_HW),
                        "boundary_f": boundary_f(found_HW, truth_HW),
                        "precision": shared / max(found_HW.sum(), 1),
                        "recall": shared / max(truth_HW.sum(), 1),
                        "kind_found": float(likeliest in worn) if dataset.knows_kinds and likeliest else float("nan"),
                        "bare_left": bare_left,
                    }
                )
                inside = slice(None) if counts_HW is None else counts_HW
                calibration[one.name].add(prediction.occluder_HW[inside], truth_HW[inside])
                cooled_HW = at_temperature_1(prediction.occluder_HW, one.temperature)
                uncooled[one.name].add(cooled_HW[inside], truth_HW[inside])
                if on_image is not None:
                    done = place * len(indices) + index - start + 1
                    on_image(start + done // len(measured), len(dataset))
    return MaskScores(pd.DataFrame([row for one in rows.values() for row in one]), calibration, uncooled)


def _left(prediction: MaskPrediction, size_px: int) -> float:
    """Return 1 where `fdtrain restore` would replace nothing of a face, else 0."""
    return float(not threshold_mask(prediction.occluder_HW, size_px, middle_HW=middle_of_crop(size_px)).any())


def at_temperature_1(probability_HW: Probabilities, temperature: float) -> Probabilities:
    """Return what probabilities would have been had their logits not been divided by `temperature`."""
    held_HW = np.clip(probability_HW.astype(np.float64), 1e-7, 1 - 1e-7)
    logits_HW = np.log(held_HW / (1 - held_HW)) * temperature
    return np.asarray(1 / (1 + np.exp(-logits_HW)), np.float32)


def extreme_masks(frame: pd.DataFrame, name: str, n: int) -> tuple[list[str], list[str]]:
    """Return the keys of the worst and of the best n results of a network, the extreme ones first, by IoU."""
    order = frame[frame["method"] == name].sort_values(["iou", "key"])["key"]
    return order.iloc[:n].tolist(), order.iloc[::-1].iloc[:n].tolist()


def mask_gallery(measured: Sequence[Measured], dataset: Silhouettes, keys: Sequence[str], frame: pd.DataFrame) -> Image:
    """Return a sheet, a row a key: the occluded picture, its silhouette, and what each network found, with its IoU."""
    scores = frame.set_index(["method", "key"])["iou"]
    rows, captions = [], []
    for key in keys:
        index = dataset.keys.index(key)
        occluded_HWC, alpha_HW = dataset.seen(index)
        predictions = [one.masker.predict([occluded_HWC])[0].occluder_HW for one in measured]
        greys = [np.where(alpha_HW >= SOLID, np.uint8(255), np.uint8(0))]
        greys += [np.rint(prediction_HW * 255).astype(np.uint8) for prediction_HW in predictions]
        stratum = dataset.table.iloc[index]
        rows.append([occluded_HWC, *(np.repeat(grey_HW[..., None], 3, 2) for grey_HW in greys)])
        captions.append(
            [
                f"{stratum['kind']} {stratum['coverage']:.0%}",
                key,
                *(f"IoU {scores.loc[(one.name, key)]:.3f}" for one in measured),
            ]
        )
    return sheet(rows, captions, ["occluded", "silhouette", *(one.name for one in measured)])

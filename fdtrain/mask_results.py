"""The results of evaluating mask networks as tables, JSON and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fdtrain.atomic import write_text
from fdtrain.mask_evaluation import MaskScores, Measured
from fdtrain.metrics.segmentation import N_BINS, TOLERANCE
from fdtrain.results import PACKAGES, plain, table_lines
from fdtrain.silhouettes import SOLID, SilhouetteDataset
from fdtrain.summary import main_table, mean_and_error, strata, strata_table

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("iou", "boundary_f", "precision", "recall", "kind_found", "bare_left")

FILES = ("images.csv", "summary.csv", "table.txt", "eval.json")

COLUMNS = (
    ("IoU", "iou", "", 3),
    ("boundary F", "boundary_f", "", 3),
    ("precision", "precision", "", 3),
    ("recall", "recall", "", 3),
    ("kind", "kind_found", "", 3),
    ("bare left", "bare_left", "", 3),
)
"""Title, column of the summary, sign and digits."""


@dataclass(frozen=True)
class MaskResults:
    """An evaluation: a row a picture and network, a row a stratum and network, and the facts that both rest on."""

    images: pd.DataFrame
    summary: pd.DataFrame
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, scores: MaskScores, measured: Sequence[Measured], dataset: SilhouetteDataset) -> MaskResults:
        """Sum up what `evaluate_masks` returned."""
        facts = {
            "dataset": {"content_id": dataset.content_id, "split": dataset.split, "pictures": len(dataset)},
            "size_px": dataset.size_px,
            "methods": [one.name for one in measured],
            "calibration": {
                one.name: {
                    "temperature": one.temperature,
                    "error": scores.calibration[one.name].error,
                    "error_at_temperature_1": scores.uncooled[one.name].error,
                    "pixels": scores.calibration[one.name].n.tolist(),
                    "predicted": scores.calibration[one.name].predicted.tolist(),
                    "true": scores.calibration[one.name].true.tolist(),
                }
                for one in measured
            },
            "protocols": PROTOCOLS,
            "notes": notes_on(measured, dataset),
            "versions": {name: metadata.version(name) for name in PACKAGES},
        }
        return cls(scores.frame, summarise_masks(scores.frame), facts)

    def text(self) -> str:
        """Return the tables with all that is needed to read them."""
        dataset, calibration = self.facts["dataset"], self.facts["calibration"]
        head = ["network", "calibration error", "at temperature 1", "temperature"]
        calibrated = [
            [name, f"{of['error']:.4f}", f"{of['error_at_temperature_1']:.4f}", f"{of['temperature']:.2f}"]
            for name, of in calibration.items()
        ]
        lines = [
            f"{dataset['pictures']:,} pictures, {dataset['split']} split of dataset {dataset['content_id'][:12]}, "
            f"at {self.facts['size_px']} px: mean ± standard error over pictures",
            *table_lines("Silhouettes", main_table(self.summary, COLUMNS)),
            *table_lines("Probabilities of pixels", [head, *calibrated]),
        ]
        for title, name in (("IoU", "iou"), ("Boundary F", "boundary_f")):
            for what, words in (("kind", "kind of occluder"), ("coverage", "coverage")):
                rows = strata_table(self.summary, what, name, 3)
                lines += table_lines(f"{title}, by {words} (pictures)", rows)
        lines += ["", *(f"{name}: {protocol}." for name, protocol in self.facts["protocols"].items())]
        lines += [f"Note: {note}." for note in self.facts["notes"]]
        return "\n".join(lines) + "\n"

    def json(self) -> dict[str, Any]:
        """Return facts and summary as JSON; a number that there is none of is null."""
        return {**self.facts, "summary": [plain(row) for row in self.summary.to_dict("records")]}

    def write(self, folder: Path) -> None:
        """Write images.csv, summary.csv, table.txt and eval.json, each whole; raise `FdError` where that fails."""
        write_text(folder / "images.csv", self.images.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        write_text(folder / "summary.csv", self.summary.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        write_text(folder / "table.txt", self.text())
        write_text(folder / "eval.json", json.dumps(self.json(), indent=2, allow_nan=False) + "\n")


PROTOCOLS = {
    "IoU": f"of the pixels of probability 0.5 or more and those of alpha {SOLID} or more, a picture, then the mean",
    "boundary F": f"F1 of boundary pixels within {TOLERANCE:.2%} of the diagonal of each other (Csurka et al. 2013)",
    "kind": "the share of pictures that wear the kind which is the likeliest to the network",
    "bare left": "the share of the faces, without their occluders, of which `fdtrain restore` would replace nothing",
    "calibration error": f"mean gap between predicted and true share of occluder, of {N_BINS} bins of equal width over "
    "[0, 1], weighted by pixels (Guo et al. 2017); the temperature was fitted on the validation split",
}


def summarise_masks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each network and stratum: of each measure its mean and, as `_se`, its standard error."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for stratum, inside in strata(frame).items():
        for method, part in frame[inside].groupby("method", sort=False):
            row: dict[str, Any] = {"method": method, "stratum": stratum, "n": len(part)}
            for name in MEASURES:
                row[name], row[f"{name}_se"] = mean_and_error(part[name])
            rows.append(row)
    return pd.DataFrame(rows)


def notes_on(measured: Sequence[Measured], dataset: SilhouetteDataset) -> list[str]:
    """Return what a reader must know of these networks and this dataset."""
    if dataset.split == "train":
        return ["this is the train split: the networks have seen these pictures"]
    return [
        f"{one.name} was trained on another dataset ({one.trained_on[:12]}), whose train split may hold these faces"
        for one in measured
        if one.trained_on and one.trained_on != dataset.content_id
    ]

"""The results of evaluating segmentation networks as tables, JSON and files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fdgen.runtime.installed import installed_version
from fdtrain.data.silhouettes import SOLID
from fdtrain.evaluation.masks import MaskScores, Measured, Silhouettes
from fdtrain.evaluation.results import PACKAGES, Evaluation
from fdtrain.evaluation.summary import main_table, mean_and_error, people_note, strata, strata_table
from fdtrain.inference.model_label import ModelLabel, toy_note
from fdtrain.metrics.registry import SILHOUETTES, columns_by_stratum, columns_of_silhouettes
from fdtrain.metrics.segmentation import N_BINS, TOLERANCE

if TYPE_CHECKING:
    import pandas as pd


class MaskResults(Evaluation):
    """An evaluation of what finds occluders."""

    @classmethod
    def of(cls, scores: MaskScores, measured: Sequence[Measured], dataset: Silhouettes) -> MaskResults:
        """Sum up what `evaluate_masks` returned."""
        facts = {
            "dataset": {"content_id": dataset.content_id, "split": dataset.split, "pictures": len(dataset)},
            "size_px": dataset.size_px,
            "methods": [one.name for one in measured],
            "models": [label.json() for label in labels_of(measured)],
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
            "versions": {name: installed_version(name) for name in PACKAGES},
        }
        return cls(scores.frame, summarise_masks(scores.frame), facts)

    def grids(self) -> dict[str, list[list[str]]]:
        """Return the tables over all pictures by their titles: a head, then a row a network."""
        columns = tuple((one.title, one.name, "", one.digits) for one in columns_of_silhouettes().values())
        head = ["method", "calibration error ↓", "at temperature 1 ↓", "temperature"]
        calibrated = [
            [name, f"{of['error']:.4f}", f"{of['error_at_temperature_1']:.4f}", f"{of['temperature']:.2f}"]
            for name, of in self.facts["calibration"].items()
        ]
        return {"Silhouettes": main_table(self.summary, columns), "Probabilities of pixels": [head, *calibrated]}

    def strata_grids(self) -> dict[str, list[list[str]]]:
        """Return the measures that are shown by kind and by coverage."""
        return {
            f"{one.title[:1].upper()}{one.title[1:]}, by {words} (pictures)": strata_table(
                self.summary, what, one.name, one.digits
            )
            for one in map(columns_of_silhouettes().__getitem__, columns_by_stratum(SILHOUETTES))
            for what, words in (("kind", "kind of occluder"), ("coverage", "coverage"))
        }

    def sentences(self) -> list[str]:
        """Return how each number is measured, and what a reader must know."""
        sentences = [f"{name}: {protocol}" for name, protocol in self.facts["protocols"].items()]
        return sentences + [f"Note: {note}" for note in self.facts["notes"]]


PROTOCOLS = {
    "IoU": f"of the pixels of probability 0.5 or more and those of alpha {SOLID} or more, a picture, then the mean",
    "boundary F": f"F1 of boundary pixels within {TOLERANCE:.2%} of the diagonal of each other (Csurka et al. 2013)",
    "kind": "the share of pictures with the kind that the network finds most likely",
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
            for name in SILHOUETTES:
                row[name], row[f"{name}_se"] = mean_and_error(part[name])
            rows.append(row)
    return pd.DataFrame(rows)


def labels_of(measured: Sequence[Measured]) -> list[ModelLabel]:
    """Return the labels of the networks that have one."""
    return [one.masker.label for one in measured if one.masker.label is not None]


def notes_on(measured: Sequence[Measured], dataset: Silhouettes) -> list[str]:
    """Return what a reader must know of these networks and this dataset."""
    toys = [note] if (note := toy_note(labels_of(measured))) else []
    toys += dataset.notes()
    if dataset.split == "train" or not dataset.content_id:
        return toys
    toys += people_note(dataset.table)
    return toys + [
        f"{one.name} was trained on another dataset ({one.trained_on[:12]}), whose train split may hold these faces"
        for one in measured
        if one.trained_on and one.trained_on != dataset.content_id
    ]

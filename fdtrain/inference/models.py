"""Trained models opened for use, with the facts in their files: the size and the data of their training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fdgen.errors import FdError
from fdtrain.data.stored_samples import division_of
from fdtrain.data.triplets import TripletDataset
from fdtrain.inference.model_label import ModelLabel, model_name
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.runtime.device import open_device
from fdtrain.training.checkpoint import load_model, read_facts
from fdtrain.training.weight_files import find_weights, weights_sha256


@dataclass(frozen=True)
class Models:
    """Models of one size; `trained_on` has the content_id of the data of each, by the name that it has in tables.

    `divisions` says who was in which split, of models that were trained on the fly (`division_of`).
    """

    methods: tuple[ModelMethod, ...]
    size_px: int | None
    trained_on: dict[str, str]
    labels: tuple[ModelLabel, ...] = ()
    divisions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, paths: Sequence[str | Path], *, device: str = "auto") -> Models:
        """Load weights from files or run folders; raise `FdError` where one is none, or their sizes differ."""
        names = short_names([Path(path) for path in paths])
        methods, sizes, trained_on, labels, divisions = [], {}, {}, [], {}
        for name, path in zip(names, paths, strict=True):
            facts = read_facts(find_weights(path))
            labels.append(ModelLabel.of_facts(path, facts, weights_sha256(path)))
            sizes[name] = int(facts["config"]["data"]["size_px"])
            trained_on[name] = str(facts.get("content_id", ""))
            if (drawn := facts.get("on_the_fly")) is not None:
                divisions[name] = division_of(drawn)
            methods.append(ModelMethod(load_model(path), name=name, device=open_device(device)))
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name} of {size} px" for name, size in sizes.items())
            raise FdError(f"the models are of different sizes: {listed}", hint="evaluate each size by itself")
        return cls(tuple(methods), next(iter(sizes.values()), None), trained_on, tuple(labels), divisions)

    def notes(self, dataset: TripletDataset) -> list[str]:
        """Return what a reader must know of these models and this dataset: whether they may have trained on it."""
        if dataset.split == "train":
            return ["this is the train split: models and learned references have seen these pictures"]
        return [
            f"{name} was trained on another dataset ({content_id[:12]}), whose train split may hold these faces"
            for name, content_id in self.trained_on.items()
            if content_id and content_id != dataset.content_id and self.divisions.get(name) != dataset.division
        ]


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return short names: of the run folder, or of the file; the whole path where two would be the same."""
    short = [model_name(path) for path in paths]
    return [str(path) if short.count(name) > 1 else name for name, path in zip(short, paths, strict=True)]

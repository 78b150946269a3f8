"""Trained models opened for use, with the facts in their files: the size and the data of their training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fdgen.errors import FdError
from fdtrain.data.triplets import TripletDataset
from fdtrain.inference.model_label import ModelLabel, model_name
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.runtime.device import open_device
from fdtrain.training.checkpoint import load_model, read_facts
from fdtrain.training.weight_files import find_weights, weights_sha256


@dataclass(frozen=True)
class Models:
    """Models of one size; `trained_on` has the content_id of the data of each, by the name that it has in tables."""

    methods: tuple[ModelMethod, ...]
    size_px: int | None
    trained_on: dict[str, str]
    labels: tuple[ModelLabel, ...] = ()

    @classmethod
    def open(cls, paths: Sequence[str | Path], *, device: str = "auto") -> Models:
        """Load weights from files or run folders; raise `FdError` where one is none, or their sizes differ."""
        names = short_names([Path(path) for path in paths])
        methods, sizes, trained_on, labels = [], {}, {}, []
        for name, path in zip(names, paths, strict=True):
            facts = read_facts(find_weights(path))
            labels.append(ModelLabel.of_facts(path, facts, weights_sha256(path)))
            sizes[name] = int(facts["config"]["data"]["size_px"])
            trained_on[name] = str(facts.get("content_id", ""))
            methods.append(ModelMethod(load_model(path), name=name, device=open_device(device)))
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name} of {size} px" for name, size in sizes.items())
            raise FdError(f"the models are of different sizes: {listed}", hint="evaluate each size by itself")
        return cls(tuple(methods), next(iter(sizes.values()), None), trained_on, tuple(labels))

    def notes(self, dataset: TripletDataset) -> list[str]:
        """Return what a reader must know of these models and this dataset: whether they may have trained on it."""
        if dataset.split == "train":
            return ["this is the train split: models and learned references have seen these pictures"]
        return [
            f"{name} was trained on another dataset ({content_id[:12]}), whose train split may hold these faces"
            for name, content_id in self.trained_on.items()
            if content_id and content_id != dataset.content_id
        ]


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return short names: of the run folder, or of the file; the whole path where two would be the same."""
    short = [model_name(path) for path in paths]
    return [str(path) if short.count(name) > 1 else name for name, path in zip(short, paths, strict=True)]

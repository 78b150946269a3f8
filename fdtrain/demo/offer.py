"""What the page offers to its visitors: models to choose from, and examples to click."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fdgen.arrays import Image
from fdtrain.inference.model_label import ModelLabel
from fdtrain.restoration.photo_restorer import PhotoRestorer

_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, eq=False)
class OfferedModel:
    """A generator, with its mask network if there is one, by the name that visitors choose it by."""

    name: str
    restorer: PhotoRestorer

    @property
    def file_part(self) -> str:
        """The name as a part of the name of a file."""
        return _UNSAFE.sub("-", self.name).strip("-.") or "model"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model, for visitors: how it is introduced, its limits, and its whole card, as Markdown.

    `limits` is a part of `text`; either may be empty.
    """

    title: str
    limits: str
    text: str


@dataclass(frozen=True, eq=False)
class Example:
    """A photograph to click, uint8 RGB (height, width, 3), on which the occluder was drawn.

    So the face behind it is known (`clean_HWC`), and the mask is exact (`mask_HW`, 0 or 255).
    """

    name: str
    title: str
    occluded_HWC: Image
    clean_HWC: Image
    mask_HW: Image


@dataclass(frozen=True, eq=False)
class Offer:
    """All that a page offers. `credit` says of whom the examples are, and who may use them."""

    models: Sequence[OfferedModel]
    cards: Sequence[ModelCard] = ()
    examples: Sequence[Example] = ()
    credit: str = ""

    def __post_init__(self) -> None:
        """Raise `ValueError` where there is no model, or two have one name."""
        names = self.names
        if not names or len(set(names)) < len(names):
            raise ValueError(f"models need a name of their own each, got {names}")

    @property
    def names(self) -> list[str]:
        """The names of the models, in their order."""
        return [model.name for model in self.models]

    @property
    def labels(self) -> list[ModelLabel]:
        """Labels of all networks, each once."""
        return list(dict.fromkeys(label for model in self.models for label in model.restorer.labels))

    @property
    def finds_masks(self) -> bool:
        """Return whether masks are predicted; else visitors paint them."""
        return all(model.restorer.masker is not None for model in self.models)

    def model(self, name: str | None) -> OfferedModel:
        """Return the model of a name; the first where nothing was chosen. Raises `KeyError` for one that is not."""
        return self.models[0] if name is None else {model.name: model for model in self.models}[name]

"""The interface of an occluder: `place` draws all that is random, `render` turns it into a layer and draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from fdgen.assets import Asset
from fdgen.errors import DatasetError
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how one asset is worn: JSON all through, in head centimetres, so that it moves with the landmarks.

    `values` are the occluder's own parameters; `grain_seed` seeds the sensor noise over the layer.
    """

    kind: str
    asset_id: str
    grain_seed: int
    values: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kind": self.kind,
            "asset_id": self.asset_id,
            "grain_seed": self.grain_seed,
            "values": dict(self.values),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Placement:
        """Read it back; raise `DatasetError` where something is missing."""
        try:
            return cls(data["kind"], data["asset_id"], int(data["grain_seed"]), data["values"])
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"not a placement: {error}") from error


class Occluder(Protocol):
    """A kind of occluder. Adding one is a new module in this folder and a row in `fdgen.kinds`."""

    @property
    def kind(self) -> str:
        """The kind's name in recipes and in the asset index."""
        ...

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw how this asset is worn on this face. All randomness is here."""
        ...

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the placement over the scene. Pure."""
        ...

"""What training asks of triplets that are made when they are asked for: the side of fdtrain, which knows no renderer.

`fdgen.pipeline.fresh_triplets` makes them; `fdtrain.data.on_the_fly.faces` brings the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fdgen.contract.records import Triplet
from fdgen.io.storage import Place


class Photograph(Protocol):
    """Whose face a triplet shows."""

    @property
    def path(self) -> str:
        """Where it lies below the folder of the photographs."""

    @property
    def sha256(self) -> str:
        """Digest of its file."""

    @property
    def identity(self) -> str | None:
        """Who is on it, None where that is not known."""


class Drawn(Protocol):
    """One triplet, and the place of the face in it: another than was asked for where that one gave none."""

    @property
    def triplet(self) -> Triplet:
        """The pictures and their record."""

    @property
    def place(self) -> int:
        """The place of the face in its split."""


class FreshSamples(Protocol):
    """The triplets of one split by place and epoch, functions of these alone; picklable."""

    split: str

    @property
    def is_fixed(self) -> bool:
        """Whether they are the same in every epoch."""

    @property
    def root(self) -> Place:
        """The folder of the photographs."""

    @property
    def name(self) -> str:
        """What the data is called in records."""

    @property
    def content_id(self) -> str:
        """Digest of all that decides what is made."""

    @property
    def size_px(self) -> int:
        """Side of the pictures."""

    def __len__(self) -> int: ...

    def facts(self) -> Mapping[str, Any]:
        """Return what a run records of its data."""

    def source(self, place: int) -> Photograph:
        """Return the photograph of a face."""

    def key(self, place: int) -> str:
        """Return the key of a sample."""

    def kinds(self, place: int) -> str:
        """Return what is worn, `hand+mask` where there are two; nothing where that changes with the epoch."""

    def make(self, place: int, epoch: int) -> Drawn:
        """Return the triplet of a face in an epoch; raise `DatasetError` where there is none."""

    def points_px(self, place: int, epoch: int) -> npt.NDArray[np.float32]:
        """Return the landmarks of the face in `make(place, epoch)` (478, 3), px of its pictures."""

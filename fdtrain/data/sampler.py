"""The order of training samples: a function of (seed, epoch, position) that a resumed run continues exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from fdgen.errors import DatasetError


class Draw(NamedTuple):
    """What the sampler asks for: a sample by its place, and the epoch that seeds its augmentation.

    The epoch travels along because a worker process holds its own copy of the dataset: setting the epoch on
    ours would reach neither a worker that persists nor a batch fetched ahead.
    """

    place: int
    epoch: int


class EpochSampler(Sampler[Draw]):
    """An endless order of samples that (seed, epoch, position) decide, and that goes on where it was left.

    Positions count samples over all ranks since the first; each epoch is one permutation of the n samples, and rank r
    of w takes every w-th position, so that the ranks together see one order for any number of them. The state is what
    the training loop has used (`advance`), not what a loader has fetched ahead: iterate again after loading it.

    >>> sampler = EpochSampler(3, seed=1)
    >>> first = [draw.place for draw, _ in zip(sampler, range(6))]
    >>> sorted(first[:3]), sorted(first[3:])
    ([0, 1, 2], [0, 1, 2])
    """

    def __init__(self, n: int, *, seed: int, shuffle: bool = True, rank: int = 0, world: int = 1) -> None:
        if n < 1:
            raise DatasetError("there is nothing to sample from: the dataset is empty", hint="build a larger one")
        if not 0 <= rank < world:
            raise ValueError(f"rank must be in [0, {world}), got {rank}")
        self.n, self.seed, self.shuffle, self.rank, self.world = n, seed, shuffle, rank, world
        self.epoch = self.position = 0

    def __iter__(self) -> Iterator[Draw]:
        place = self.epoch * self.n + self.position + self.rank
        epoch, order = -1, np.empty(0, np.int64)
        while True:
            if place // self.n != epoch:
                epoch = place // self.n
                order = self.order(epoch)
            yield Draw(int(order[place % self.n]), epoch)
            place += self.world

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the order of one epoch: a permutation of the samples, by (seed, epoch) alone."""
        if not self.shuffle:
            return np.arange(self.n)
        # Ranks of raw bits: numpy promises these for all versions to come, and its own shuffling for none.
        raw = np.random.PCG64(np.random.SeedSequence((self.seed, epoch))).random_raw(self.n)
        return np.argsort(raw, kind="stable")

    def advance(self, n_images: int) -> None:
        """Count images that were trained on, over all ranks."""
        done = self.epoch * self.n + self.position + n_images
        self.epoch, self.position = divmod(done, self.n)

    def state_dict(self) -> dict[str, int]:
        """Return all that decides the rest of the order."""
        return {"n": self.n, "seed": self.seed, "epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where that state was taken; raise `DatasetError` where it speaks of another order."""
        for name in ("n", "seed"):
            if state[name] != getattr(self, name):
                raise DatasetError(
                    f"the order of samples cannot go on: {name} was {state[name]}, now it is {getattr(self, name)}",
                    hint="resume with the dataset, kinds and seed of the run",
                )
        self.epoch, self.position = state["epoch"], state["position"]


def sample_seed(seed: int, epoch: int, key: str) -> int:
    """Return the 64-bit seed of one sample in one epoch."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{epoch}:{key}".encode()).digest()[:8], "big")

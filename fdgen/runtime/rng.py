"""Random numbers: one generator a sample, derived from what the sample is and from nothing else."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

Option = TypeVar("Option")


def sample_rng(seed: int, source_sha256: str, variant: int) -> np.random.Generator:
    """Return the generator of one sample: it depends on (seed, source digest, variant) alone.

    Spawn from it (`rng.spawn(n)`) where one step must not shift the draws of the next.

    >>> a, b = sample_rng(7, "ab" * 32, 0), sample_rng(7, "ab" * 32, 0)
    >>> bool(a.random() == b.random())
    True
    """
    words = np.frombuffer(bytes.fromhex(source_sha256), dtype=">u4").tolist()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(*words, variant))))


def draw_key(rng: np.random.Generator, weights: Mapping[Option, float]) -> Option:
    """Draw a key of a table of weights: the same as `rng.choice` with their shares, in a tenth of its time."""
    return list(weights)[draw_index(rng, tuple(weights.values()))]


def draw_index(rng: np.random.Generator, weights: tuple[float, ...]) -> int:
    """Draw a number from 0, each as often as its weight says; see `draw_key`."""
    return bisect_right(_running_shares(weights), rng.random())


def draw_one(rng: np.random.Generator, options: Sequence[Option]) -> Option:
    """Draw one of some options, all alike: the same as `rng.choice`, which makes an array of them first."""
    return options[int(rng.integers(len(options)))]


@lru_cache(maxsize=1_000)
def _running_shares(weights: tuple[float, ...]) -> list[float]:
    shares = np.array(weights, np.float64)
    running = (shares / shares.sum()).cumsum()
    found: list[float] = (running / running[-1]).tolist()
    return found


def rank(seed: int, source_sha256: str) -> bytes:
    """Return the sort key that orders faces: a digest, so that dropping one face moves no other past a third."""
    return hashlib.sha256(f"{seed}:{source_sha256}".encode()).digest()


def fraction(salt: str, text: str) -> float:
    """Hash `text` to a number in [0, 1): the same on every machine, for splits by identity or by source."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{text}".encode()).digest()[:7], "big") / 2.0**56

"""Random numbers: one generator a sample, derived from what the sample is and from nothing else."""

from __future__ import annotations

import hashlib

import numpy as np


def sample_rng(seed: int, source_sha256: str, variant: int) -> np.random.Generator:
    """Return the generator of one sample: it depends on (seed, source digest, variant) alone.

    Spawn from it (`rng.spawn(n)`) where one step must not shift the draws of the next.

    >>> a, b = sample_rng(7, "ab" * 32, 0), sample_rng(7, "ab" * 32, 0)
    >>> bool(a.random() == b.random())
    True
    """
    words = np.frombuffer(bytes.fromhex(source_sha256), dtype=">u4").tolist()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(*words, variant))))


def rank(seed: int, source_sha256: str) -> bytes:
    """Return the sort key that orders faces: a digest, so that dropping one face moves no other past a third."""
    return hashlib.sha256(f"{seed}:{source_sha256}".encode()).digest()


def fraction(salt: str, text: str) -> float:
    """Hash `text` to a number in [0, 1): the same on every machine, for splits by identity or by source."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{text}".encode()).digest()[:7], "big") / 2.0**56

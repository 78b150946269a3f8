"""Digests of values: canonical JSON, and the Merkle root of what was made. Standard library alone."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from typing import Any

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
"""Made once: `json.dumps` makes one at each call."""


def canonical_json(value: Any) -> str:
    """Serialise so that equal values give equal text: sorted keys, no spaces, shortest floats, no NaN."""
    return _ENCODER.encode(value)


def digest_json(value: Any) -> str:
    """Return the sha256 of the canonical JSON of `value`, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def merkle_root(leaves: Iterable[str]) -> str:
    """Return the Merkle root of hex digests, in their order; a lone node at a level moves up as it is.

    Leaves and inner nodes are hashed under different prefixes, so that neither can pass for the other.
    """
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(bytes.fromhex(leaf))
    return tree.root()


class MerkleTree:
    """The Merkle root of digests that come one by one: of them, one node a level is kept.

    >>> tree = MerkleTree()
    >>> tree.add(bytes(32))
    >>> tree.root() == merkle_root(["00" * 32])
    True
    """

    def __init__(self) -> None:
        self._whole: list[tuple[int, bytes]] = []  # trees of 2^level leaves, the largest first

    def add(self, leaf: bytes) -> None:
        """Add the next digest."""
        level, node = 0, hashlib.sha256(b"\x00" + leaf).digest()
        while self._whole and self._whole[-1][0] == level:
            level, node = level + 1, _inner(self._whole.pop()[1], node)
        self._whole.append((level, node))

    def root(self) -> str:
        """Return the root of the digests that were added so far, in hex."""
        nodes = [node for _, node in self._whole]
        if not nodes:
            return hashlib.sha256(b"").hexdigest()
        return functools.reduce(lambda right, left: _inner(left, right), reversed(nodes)).hex()


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()

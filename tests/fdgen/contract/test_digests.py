"""The Merkle root that is computed digest by digest is that of the whole tree."""

from __future__ import annotations

import hashlib

import pytest

from fdgen.contract.digests import MerkleTree, merkle_root


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100])
def test_the_root_of_digests_that_come_one_by_one(n: int) -> None:
    leaves = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(n)]
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(bytes.fromhex(leaf))
    assert tree.root() == merkle_root(leaves) == level_by_level(leaves)
    assert tree.root() == level_by_level(leaves)  # asking changes nothing


def level_by_level(leaves: list[str]) -> str:
    """Compute the root as it is defined: pairs at each level, a lone node moves up."""
    level = [hashlib.sha256(b"\x00" + bytes.fromhex(leaf)).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0].hex()

"""The truth layers: what a sample may hold next to its pair, where a recipe asks for it. Standard library alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fdgen.contract.records import MEMBERS

TRUTH: Mapping[str, str] = {
    "caption": "caption.txt",
    "depth": "depth.png",
    "mattes": "mattes.png",
    "normals": "normals.png",
    "shadow": "shadow.png",
}
"""Layers that `truth.layers` of a recipe may name, and the member of a sample that each is.

- `caption`: one line of text that says what covers the face.
- `depth`: 16 bits; how far the uppermost occluder lies before the plane through the middle of the head that faces the
  camera: `DEPTH_ZERO` in that plane, more towards the viewer, `DEPTH_STEPS` to a centimetre; 0 where there is none.
- `mattes`: RGB, a channel an occluder in the order of the record's `kinds`: what it hides of all behind it, so that a
  dark lens is between 0 and 255, and hair before it takes from it. Occluders over it take nothing: it is amodal.
- `normals`: RGB of the same surface as `depth`: x to the right, y up, z to the viewer, each 128 + 127 n; 0 where there
  is none.
- `shadow`: the share of light that all occluders take from what lies behind, 255 for all of it; how much of it a colour
  channel loses is the occluder's own.
"""

DEPTH_ZERO = 32_768
DEPTH_STEPS = 1_000


def layers_of(recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the truth layers that a recipe, as a dataset.json has it, asks for.

    >>> layers_of({"truth": {"layers": ["depth"]}}), layers_of({})
    (('depth',), ())
    """
    return tuple(recipe.get("truth", {}).get("layers", ()))


def members_with(layers: Iterable[str]) -> tuple[str, ...]:
    """Return the members of samples with these truth layers, in their order in a shard.

    >>> members_with(["shadow"])
    ('alpha.png', 'clean.png', 'json', 'mask.png', 'occluded.png', 'shadow.png')
    """
    return tuple(sorted((*MEMBERS, *(TRUTH[layer] for layer in layers))))


def members_in(columns: Iterable[str], *, whole: bool = True) -> tuple[str, ...]:
    """Return the members whose sizes are in columns of a manifest, in their order.

    `whole` adds those that every sample has, whether their sizes are there or not.
    """
    there = set(columns)
    known = members_with(TRUTH)
    return tuple(
        member for member in known if f"{member.replace('.', '_')}_size" in there or (whole and member in MEMBERS)
    )

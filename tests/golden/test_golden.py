"""Pixels do not change unnoticed: the generator's version is raised with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fdgen.io.pictures.images import decode_png
from fdgen.io.pictures.png import encode_png
from fdgen.version import GENERATOR_VERSION
from tests.golden.regenerate import HERE, KINDS, golden_triplet

pytestmark = pytest.mark.processor

MOST_LEVELS = 2
MOST_PIXELS = 0.002
"""Another processor rounds some floats otherwise: this many pixels may differ, by this many levels."""


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_of_this_version(kind: str, tmp_path: Path) -> None:
    triplet = golden_triplet(kind)
    for name, made in (("occluded", triplet.occluded_HWC), ("alpha", triplet.alpha_HW)):
        golden = decode_png((HERE / f"{kind}.{name}.png").read_bytes())
        off = np.abs(golden.astype(np.int16) - made)
        different = float((off.reshape(*golden.shape[:2], -1).max(-1) > 0).mean())
        if off.max() > MOST_LEVELS or different > MOST_PIXELS:
            picture = tmp_path / f"{kind}.{name}.difference.png"
            picture.write_bytes(
                encode_png(np.concatenate([golden, made, np.clip(off * 8, 0, 255).astype(np.uint8)], 1))
            )
            pytest.fail(
                f"{different:.1%} of the pixels differ, by up to {off.max()} levels (golden, made, difference times 8: "
                f"{picture}); if that is meant, raise GENERATOR_VERSION and run python -m tests.golden.regenerate"
            )


@pytest.mark.parametrize("kind", KINDS)
def test_placements_are_those_of_this_version(kind: str) -> None:
    """Everything that is drawn at random, near enough for any processor."""
    golden = json.loads((HERE / f"{kind}.json").read_text(encoding="utf-8"))
    made = json.loads(json.dumps(golden_triplet(kind).record.placement[0]))
    assert made == near(json.loads(golden["placement"][0]))


def test_the_golden_triplets_are_of_this_generator() -> None:
    assert json.loads((HERE / "versions.json").read_text(encoding="utf-8"))["generator"] == GENERATOR_VERSION


def near(value: object) -> object:
    """Let every float in parsed JSON equal what is within 0.002 of it."""
    if isinstance(value, float):
        return pytest.approx(value, abs=2e-3)
    if isinstance(value, dict):
        return {key: near(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [near(inner) for inner in value]
    return value

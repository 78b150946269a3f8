"""The weights that come with the package: they are there, small, of what their card says, and they do something."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fdgen.arrays import Image
from fdgen.io.regular_file import sha256_of
from fdtrain.data.pictures import decode_grey, decode_rgb
from fdtrain.data.silhouettes import SOLID
from fdtrain.inference.maskers import open_masker
from fdtrain.inference.model_label import ModelLabel
from fdtrain.inference.models import Models
from fdtrain.inference.open_generator import open_generator
from fdtrain.metrics.segmentation import EVEN, iou
from fdtrain.restoration.aligned import restore_by
from fdtrain.training.checkpoint import read_facts
from fdtrain.training.starter import STARTERS, is_starter, starter_file
from fdtrain.training.weight_files import find_weights
from tests.support.paths import TESTS
from tests.support.weights import write_weights

CARD = TESTS.parent / "fdtrain" / "training" / "starter" / "MODEL_CARD.md"
GOLDEN = TESTS / "golden"

MOST_BYTES = 20 * 10**6


def golden(kind: str) -> tuple[Image, Image]:
    """Return a composite, RGB uint8, and the alpha of its occluder."""
    names = [GOLDEN / f"{kind}.{member}.png" for member in ("occluded", "alpha")]
    return decode_rgb(names[0].read_bytes(), kind), decode_grey(names[1].read_bytes(), kind)


def test_they_are_small_and_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [find_weights(name) for name in STARTERS]
    assert files == [starter_file(name) for name in STARTERS]
    assert sum(file.stat().st_size for file in files) < MOST_BYTES
    # A folder of that name may hold anything.
    (tmp_path / "starter").mkdir()
    assert is_starter("starter")
    (tmp_path / "starter").rmdir()
    # A file of that name is the user's own.
    write_weights(tmp_path / "starter")
    assert not is_starter("starter")
    assert find_weights("starter") == Path("starter")


def test_the_card_tells_what_they_are() -> None:
    card = " ".join(CARD.read_text(encoding="utf-8").split())
    for name in STARTERS:
        facts = read_facts(starter_file(name))
        assert f"{facts['images']:,}" in card
        assert facts["content_id"][:12] in card
    assert "must not be used to identify" in card


def test_their_files_say_what_they_are_whatever_they_are_called(tmp_path: Path) -> None:
    labels = [ModelLabel.of_facts(name, read_facts(starter_file(name))) for name in STARTERS]
    assert [(label.name, label.task) for label in labels] == [("starter", "restore"), ("starter-mask", "mask")]
    copy = tmp_path / "mine.safetensors"
    shutil.copy(starter_file("starter"), copy)
    assert ModelLabel.of_facts(copy, read_facts(copy)) == replace(labels[0], name="mine")
    assert [open_generator("starter", device="cpu").label, open_masker("starter-mask", "cpu").label] == labels
    with_digest = replace(labels[0], sha256=sha256_of(starter_file("starter")))
    assert Models.open(["starter"], device="cpu").labels == (with_digest,)


def test_the_generator_fills_holes_and_touches_nothing_else() -> None:
    models = Models.open(["starter"], device="cpu")
    assert models.size_px == read_facts(starter_file("starter"))["config"]["data"]["size_px"]
    occluded_HWC, alpha_HW = golden("mask")
    mask_HW = np.where(alpha_HW > 0, np.uint8(255), np.uint8(0))
    done = restore_by(models.methods[0], occluded_HWC, mask_HW, size_px=models.size_px)
    kept = mask_HW == 0
    assert np.array_equal(done.picture_HWC[kept], occluded_HWC[kept])
    assert (done.picture_HWC[~kept] != occluded_HWC[~kept]).mean() > 0.5


@pytest.mark.parametrize(("kind", "least"), [("mask", 0.8), ("sunglasses", 0.7), ("hand", 0.6)])
def test_the_masker_finds_occluders(kind: str, least: float) -> None:
    masker = open_masker("starter-mask", "cpu")
    assert masker.size_px == read_facts(starter_file("starter-mask"))["config"]["data"]["size_px"]
    occluded_HWC, alpha_HW = golden(kind)
    (guess,) = masker.predict([occluded_HWC])
    assert iou(guess.occluder_HW >= EVEN, alpha_HW >= SOLID) > least
    assert max(guess.kinds, key=lambda one: guess.kinds[one]) == kind

"""What `auto` comes to in a comparison: the same for all rows, written down before the first, kept when it goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fdgen.errors import FdError
from fdtrain.comparison.ablation import open_table
from fdtrain.comparison.plan import Ask, Task, config_of, make_tasks, preset_of
from fdtrain.comparison.resolve_auto import resolve_auto
from fdtrain.comparison.runner import Watch, compare
from fdtrain.errors import RunError
from fdtrain.methods import LEARNED
from fdtrain.training.run import require_run
from tests.support.asks import SMALL, ask_of
from tests.support.clock import Clock

OPEN = tuple(override for override in SMALL if "precision" not in override)


def begin(ask: Ask, out: Path, *names: str) -> dict[str, Any]:
    """Begin a comparison of presets, and stop before the first row; return its record."""
    quiet = Watch(lambda task, done, of: None, lambda task, images: None, lambda task, reason: None)
    tasks = make_tasks(names, {}, seeds=1, size_px=ask.size_px)
    compare(tasks, ask, out, watch=quiet, asked_to_stop=lambda: True)
    found: dict[str, Any] = json.loads((out / "compare.json").read_text())
    return found


def precisions(ask: Ask, *methods: str) -> set[str]:
    """Return the precisions that rows train in."""
    tasks = [Task(name, "trained", preset_of(name, ask.size_px), 0) for name in methods]
    return {config_of(ask, task, 1000).training.precision for task in tasks}


@pytest.mark.usefixtures("bare")
def test_all_rows_have_one_precision_and_one_network_and_a_later_call_keeps_them(
    clock: Clock,
    triplets: Path,
    tmp_path: Path,
) -> None:
    clock.convolution = (0.01, 0.18)
    ask = ask_of(triplets, size_px=64, overrides=(), perceptual=None)
    record = begin(ask, tmp_path / "out", *LEARNED)["auto"]
    assert (record["precision"], record["perceptual"]) == ("fp32", "off")
    assert record["seconds"] == {"fp32": 0.01, "bf16": 0.18}
    assert len(record["why"]) == 2
    clock.convolution = (0.01, 0.005)  # gone on with elsewhere, or by a machine that is less busy
    presets = [preset_of(name, 64) for name in LEARNED]
    again = resolve_auto(ask, presets, tmp_path / "out" / "compare.json")
    assert precisions(again, *LEARNED) == {"fp32"}
    assert config_of(again, Task("", "trained", "modern-64", 0), 1000).loss.perceptual == "off"
    assert config_of(again, Task("", "trained", "faithful-64", 0), 1000).loss.perceptual == "vgg19"  # strict
    assert begin(ask, tmp_path / "out", *LEARNED)["auto"] == record
    elsewhere = resolve_auto(ask, presets, tmp_path / "other" / "compare.json")
    assert precisions(elsewhere, *LEARNED) == {"bf16"}


@pytest.mark.slow
def test_a_row_trains_in_what_was_decided(clock: Clock, triplets: Path, tmp_path: Path) -> None:
    """In a process of its own, where no timing is injected: it would decide for bf16 by itself."""
    clock.convolution = (0.01, 0.18)
    quiet = Watch(lambda task, done, of: None, lambda task, images: None, lambda task, reason: None)
    narrow = (*OPEN, "network.widths=[8,8,16,16,16]", "network.dilations=[1,2]", "discriminator.width=4")
    tasks = [Task("tiny", "trained", "tiny", 0)]
    ask = ask_of(triplets, images=8, overrides=narrow)
    done = compare(tasks, ask, tmp_path, watch=quiet, asked_to_stop=lambda: False)
    assert not done.failed
    record = require_run(tmp_path / tasks[0].folder / "run")
    assert record.config["training"]["precision"] == "fp32"


def test_what_is_said_is_not_decided(triplets: Path, tmp_path: Path) -> None:
    assert begin(ask_of(triplets), tmp_path / "out", "tiny")["auto"] is None
    assert resolve_auto(ask_of(triplets), ["tiny"], tmp_path / "out" / "compare.json").auto is None


def test_the_first_row_that_needs_it_decides_for_those_that_follow(
    clock: Clock,
    triplets: Path,
    tmp_path: Path,
) -> None:
    ask = ask_of(triplets, overrides=OPEN)
    assert begin(ask, tmp_path / "out", "telea")["auto"] is None
    assert begin(ask, tmp_path / "out", "telea", "tiny")["auto"]["precision"] == "bf16"
    clock.convolution = (0.01, 0.18)
    assert begin(ask, tmp_path / "out", "telea", "tiny", "glcm-64")["auto"]["precision"] == "bf16"


def test_a_comparison_of_before_there_was_any_goes_on_as_it_was(
    clock: Clock,
    triplets: Path,
    tmp_path: Path,
) -> None:
    ask = ask_of(triplets, size_px=64, overrides=(), perceptual=None)
    path = tmp_path / "out" / "compare.json"
    old = begin(ask, tmp_path / "out", "tiny")
    del old["auto"]
    path.write_text(json.dumps(old))
    assert begin(ask, tmp_path / "out", "tiny") == old  # neither refused nor altered
    then = resolve_auto(ask, ["modern-64"], path)
    assert precisions(then, "faithful", "din") == {"fp32"}
    assert precisions(then, "modern", "glcm", "gca", "edgeconnect", "context-encoder", "pix2pix") == {"bf16"}
    assert config_of(then, Task("", "trained", "modern-64", 0), 1000).loss.perceptual == "vgg19"
    at_256 = replace(then, size_px=256)
    assert precisions(at_256, "faithful", "glcm", "pix2pix") == {"fp32"}
    assert precisions(at_256, "modern") == {"bf16"}
    path.write_text("{")
    with pytest.raises(RunError, match=r"compare\.json cannot be read"):
        resolve_auto(ask, ["modern-64"], path)


@pytest.mark.usefixtures("bare", "clock")
def test_an_ablation_knows_what_its_rows_compare_by(triplets: Path, tmp_path: Path) -> None:
    """Table 3 needs a perceptual network; `auto` may come to none."""
    ask = resolve_auto(
        ask_of(triplets, size_px=64, overrides=(), perceptual="auto"), ["faithful-64"], tmp_path / "x.json"
    )
    with pytest.raises(FdError, match="needs a perceptual network, and faithful-64 is to train without"):
        open_table(3, "faithful-64", ask)
    named = resolve_auto(
        ask_of(triplets, size_px=64, overrides=(), perceptual="vgg16-stlpips"), ["faithful-64"], tmp_path / "x.json"
    )
    assert "P is of vgg16-stlpips" in open_table(3, "faithful-64", named).notes

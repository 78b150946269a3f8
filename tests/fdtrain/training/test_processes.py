"""Several processes train the model of one: the same pictures in each step, gradients averaged, however interrupted."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

import pytest
import torch

from fdtrain.errors import ConfigError, RunError
from fdtrain.training import loop
from fdtrain.training.checkpoint import receipts
from fdtrain.training.loop import fit
from tests.fdtrain.training.test_loop import Pretended, assert_equal, state_of
from tests.support.micro import micro
from tests.support.processes import start_together, train_together

STEPS = 20
SMOOTH = (
    "network.norm=none",
    "loss.adversarial=nonsaturating",
    "training.lr_generator=1e-4",
    "training.lr_discriminator=2e-5",
    "training.images=80",
    "loss.adversarial_from_images=24",
    "data.mix=0.5",
    "output.checkpoint_images=40",
)
"""No instance normalisation: the bias before one has no gradient but rounding, of which Adam makes steps of full size.
No hinge either, where rounding decides on which side of the kink a patch lies."""


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    """Return all weights of a run, of generators, discriminators and the average, by name."""
    state = state_of(run_dir)
    assert state["images"] == 4 * STEPS
    judges = {f"judge{place}": stage["discriminator"] or {} for place, stage in enumerate(state["stages"])}
    named = {"model": state["model"], "average": state["average"], **judges}
    every = {f"{part}.{name}": value for part, held in named.items() for name, value in held.items()}
    # What a power iteration has come to is no weight: where two singular values are near, it turns by more.
    return {name: value for name, value in every.items() if not name.endswith(("._u", "._v"))}


def assert_near(one: Path, other: Path) -> None:
    """See that two runs ended with the same weights but for rounding, and that these have moved by more than that."""
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    away = {name: float((ours[name] - theirs[name]).abs().max()) for name in ours}
    assert max(away.values()) < 1e-4, max(away, key=lambda name: away[name])


@pytest.fixture(scope="module")
def alone(triplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of one process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    assert fit(micro(triplets, *SMOOTH), run).finished
    return run


@pytest.mark.slow
@pytest.mark.sample
def test_two_processes_end_with_the_weights_of_one_and_one_goes_on_from_two(
    alone: Path, triplets: Path, tmp_path: Path
) -> None:
    two = tmp_path / "two"
    train_together(triplets, two, *SMOOTH, "training.images=40")
    assert len(state_of(two)["random"]) == 2
    halfway = state_of(two)["model"]
    notes: list[str] = []
    assert fit(micro(triplets, *SMOOTH), two, on_note=notes.append).made_now == 40
    assert any("the run had 2 processes, now 1" in note for note in notes)
    assert_near(two, alone)
    moved = max(float((value - halfway[name]).abs().max()) for name, value in state_of(two)["model"].items())
    assert moved > 1e-3  # ten times what the comparison lets through


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_bit_by_bit(alone: Path, triplets: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_together(triplets, whole, *SMOOTH)
    assert_near(whole, alone)
    processes = start_together(triplets, killed, *SMOOTH)
    while not receipts(killed / "checkpoints"):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.005)
    for process in processes:
        process.kill()
        process.wait()
    assert receipts(killed / "checkpoints")[-1].images < 4 * STEPS
    train_together(triplets, killed, *SMOOTH)
    assert_equal(state_of(killed), state_of(whole))
    for name in ("best", "last"):
        files = [run / "weights" / f"{name}.safetensors" for run in (killed, whole)]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["training.accumulate=2"],
        ["training.stages=joint"],
        ["loss.gamma=[0,0.5]", "discriminator.spectral_norm=false"],
    ],
    ids=" ".join,
)
def test_so_do_other_ways_to_learn(overrides: list[str], triplets: Path, tmp_path: Path) -> None:
    """A batch in parts sends gradients once; stages that rest, or learn from each other's terms, are found out."""
    fit(micro(triplets, *SMOOTH, *overrides), tmp_path / "alone")
    train_together(triplets, tmp_path / "two", *SMOOTH, *overrides)
    assert_near(tmp_path / "two", tmp_path / "alone")


class Apart(Pretended):
    """The first of two processes, of which the second finds a folder of no run: on machines that share none."""

    def gather(self, value: object) -> list[object]:
        return [value, (None, None)]


@pytest.mark.parametrize("kept", ["checkpoint", "record"])
def test_processes_that_see_other_folders_are_refused_before_they_decide_anything(
    kept: str, alone: Path, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is `auto` is as recorded to one of them, and measured by the other, which would wait for ever."""
    run, phases = Path(shutil.copytree(alone, tmp_path / "run")), list[str]()
    if kept == "record":  # killed before its first checkpoint
        shutil.rmtree(run / "checkpoints")
    monkeypatch.setattr(loop, "joined", lambda device: contextlib.nullcontext(Apart(0, 2, run)))
    with pytest.raises(RunError, match="process 1 does not find in") as raised:
        fit(micro(triplets, *SMOOTH, "training.precision=auto"), run, on_phase=phases.append)
    assert "share" in raised.value.hint
    assert phases == []


def test_processes_that_all_begin_are_not(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "joined", lambda device: contextlib.nullcontext(Apart(0, 2, tmp_path)))
    with pytest.raises(ConfigError, match="accumulate must divide the 2 pictures"):
        fit(micro(triplets, "training.accumulate=4"), tmp_path / "run")

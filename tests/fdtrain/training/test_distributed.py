"""Several processes only where all that makes a group is set; else alone, and it is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from fdtrain.errors import ConfigError, DeviceError
from fdtrain.runtime import distributed
from fdtrain.runtime.distributed import TOGETHER, _without_advice, group_notes, joined, local_rank, place_in_group
from fdtrain.training.loop import fit
from tests.support.micro import micro

GROUP = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Clear what a scheduler may have set."""
    for name in (*TOGETHER, *distributed._LAUNCHERS, "LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def setting(environment: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        environment.setenv(name, value)


def test_a_group_is_one_where_all_is_set(environment: pytest.MonkeyPatch) -> None:
    assert place_in_group() == (0, 1)
    setting(environment, {**GROUP, "LOCAL_RANK": "1"})
    assert place_in_group() == (1, 2)
    assert local_rank() == 1
    assert group_notes() == []


@pytest.mark.parametrize("missing", TOGETHER)
def test_where_one_is_missing_a_process_is_alone_and_the_note_names_it(
    missing: str, environment: pytest.MonkeyPatch
) -> None:
    setting(environment, {**GROUP, "LOCAL_RANK": "3"})
    environment.delenv(missing)
    assert place_in_group() == (0, 1)
    assert local_rank() == 0
    notes = group_notes()
    if missing == "WORLD_SIZE":
        assert notes == []
    else:
        assert f"WORLD_SIZE=2 is set, and {missing} is not: this process trains alone" in notes[0]


def test_world_size_alone_trains_and_says_so(environment: pytest.MonkeyPatch, triplets: Path, tmp_path: Path) -> None:
    environment.setenv("WORLD_SIZE", "2")
    notes: list[str] = []
    assert fit(micro(triplets, "training.images=4"), tmp_path / "run", on_note=notes.append).finished
    assert any("RANK, MASTER_ADDR, MASTER_PORT are not" in note for note in notes)


@pytest.mark.parametrize("name", ["SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"])
def test_a_command_that_a_launcher_started_several_times_is_told(name: str, environment: pytest.MonkeyPatch) -> None:
    environment.setenv(name, "4")
    assert "4 times at once" in group_notes()[0]
    environment.setenv(name, "1")
    assert group_notes() == []
    setting(environment, {**GROUP, name: "4"})
    assert group_notes() == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WORLD_SIZE", "two", "WORLD_SIZE=two is set, and is no number"),
        ("WORLD_SIZE", "0", "do not go together"),
        ("RANK", "2", "RANK=2 and WORLD_SIZE=2 do not go together"),
        ("RANK", "-1", "RANK=-1 is set, and is no number"),
        ("MASTER_PORT", "99999", "is no port"),
        ("LOCAL_RANK", "first", "LOCAL_RANK=first is set, and is no number"),
    ],
)
def test_values_without_sense_are_refused(name: str, value: str, words: str, environment: pytest.MonkeyPatch) -> None:
    setting(environment, {**GROUP, name: value})
    with pytest.raises(ConfigError, match=words) as raised:
        local_rank()
    assert "torchrun" in raised.value.hint


def test_what_was_said_before_a_failure_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    """Of all that a backward pass writes, the advice on unused parameters alone is left out."""

    def backward() -> None:
        os.write(2, b"NCCL: no route\nWarning: find_unused_parameters=True was specified\n")
        raise RuntimeError("the backward pass failed")

    with pytest.raises(RuntimeError, match="failed"), _without_advice():
        backward()
    assert capfd.readouterr().err == "NCCL: no route\n"


def test_a_group_that_is_not_met_is_a_sentence(environment: pytest.MonkeyPatch) -> None:
    def refuse(backend: str) -> None:
        raise torch.distributed.DistNetworkError("The client socket has failed to connect\nmore")

    setting(environment, GROUP)
    environment.setattr(distributed.dist, "init_process_group", refuse)
    words = r"process 1 of 2 did not meet the others at 127.0.0.1:29500: The client"
    with pytest.raises(DeviceError, match=words), joined(torch.device("cpu")):
        pass

"""A batch in parts: the gradients of the whole, less memory, and the same bits however it is interrupted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from fdtrain.config.schema import FitConfig
from fdtrain.data.open_samples import open_samples
from fdtrain.errors import ConfigError
from fdtrain.objectives.base import Objective
from fdtrain.objectives.open_objective import open_objective
from fdtrain.objectives.step import Learners, Learnt, learn
from fdtrain.runtime.distributed import Group
from fdtrain.training.checkpoint import load_state, receipts
from fdtrain.training.cost import cost_of
from fdtrain.training.loop import fit
from tests.support.micro import micro
from tests.support.paths import TESTS

CPU = torch.device("cpu")
FAR = 10_000
"""Images after which every term is on."""


def taken(config: FitConfig, n_steps: int = 1) -> tuple[Objective, Learnt]:
    """Take steps over the first pictures of the train split; return what the last one found."""
    torch.manual_seed(0)
    train = open_samples(config, "train", fixed=True)
    objective = open_objective(config, CPU, None, torch.Generator().manual_seed(0))
    learners = Learners(objective, Group())
    for step in range(n_steps):
        sample = default_collate([train[4 * step + place] for place in range(4)])
        learnt = learn(objective, sample, CPU, FAR, step, learners)
    return objective, learnt


def gradients(objective: Objective) -> dict[str, torch.Tensor]:
    """Return the gradients of the generators, and the weights of the discriminators, which have made their step."""
    found = {name: p.grad.clone() for name, p in objective.model.named_parameters() if p.grad is not None}
    for stage in objective.stages:
        if stage.discriminator is not None:
            found |= {f"judge{stage.place}.{name}": p for name, p in stage.discriminator.named_parameters()}
    return {name: value.detach() for name, value in found.items()}


@pytest.mark.parametrize("n_parts", [2, 4])
@pytest.mark.parametrize("other", [(), ("discriminator.spectral_norm=false", "training.clip_norm=0.1")])
def test_parts_have_the_gradients_of_the_whole(triplets: Path, n_parts: int, other: tuple[str, ...]) -> None:
    shared = ("training.lr_discriminator=1e-6", *other)
    whole, learnt = taken(micro(triplets, *shared))
    parts, found = taken(micro(triplets, *shared, f"training.accumulate={n_parts}"))
    assert found.terms.keys() == learnt.terms.keys()
    for name, value in learnt.terms.items():
        torch.testing.assert_close(found.terms[name], value, rtol=1e-4, atol=1e-6, msg=name)
    expected, made = gradients(whole), gradients(parts)
    assert expected.keys() == made.keys()
    largest = max(float(value.norm()) for value in expected.values())
    for name, value in expected.items():  # of a bias before a normalisation the gradient is 0, and all else rounding
        assert (made[name] - value).norm() <= 1e-3 * value.norm() + 1e-5 * largest, name


def test_what_networks_count_is_counted_as_by_the_whole(triplets: Path) -> None:
    """The vectors of the spectral norms move once for each learner, not once a part."""
    found = [taken(micro(triplets, f"training.accumulate={n}"))[0] for n in (1, 4)]
    judges = [[stage.discriminator for stage in one.stages] for one in found]
    for whole, parts in zip(*judges, strict=True):
        assert whole is not None
        assert parts is not None
        buffers = dict(parts.named_buffers())
        assert any("parametrizations" in name for name in buffers)
        for name, value in whole.named_buffers():
            torch.testing.assert_close(buffers[name], value, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.slow
def test_it_resumes_bit_by_bit(triplets: Path, tmp_path: Path) -> None:
    asked = ("training.accumulate=2", "training.images=48")
    fit(micro(triplets, *asked), tmp_path / "whole")
    told = [0]

    def stop() -> bool:
        told[0] += 1
        return told[0] >= 5

    assert not fit(micro(triplets, *asked), tmp_path / "stopped", stop=stop).finished
    fit(micro(triplets, *asked), tmp_path / "stopped")
    for name in ("best", "last"):
        path = Path("weights", f"{name}.safetensors")
        assert (tmp_path / "whole" / path).read_bytes() == (tmp_path / "stopped" / path).read_bytes()


@pytest.mark.parametrize("method", ["pix2pix-64", "edgeconnect-64"])
def test_a_part_that_is_seen_twice_counts_once(triplets: Path, method: str) -> None:
    """Batch statistics are counted when the generators learn, and not when the discriminators do."""
    shared = ("data.size_px=64", "training.batch=4", "training.precision=fp32", "loss.perceptual=off")
    config = FitConfig.load(method, overrides=[*shared, ("data.root", str(triplets)), "training.accumulate=2"])
    one, other = taken(config)[0], taken(config)[0]
    for ours, theirs in zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    counted = [value for name, value in one.model.state_dict().items() if name.endswith("num_batches_tracked")]
    assert all(int(value) == 2 for value in counted)
    assert bool(counted) == (method == "pix2pix-64")


def test_parts_must_be_equal(triplets: Path) -> None:
    with pytest.raises(ConfigError, match="must have a batch that accumulate divides, got 4 and 3"):
        micro(triplets, "training.accumulate=3")


def test_memory_is_that_of_a_part(triplets: Path) -> None:
    whole, parts = (cost_of(micro(triplets, "training.batch=64", f"training.accumulate={n}")) for n in (1, 8))
    small = cost_of(micro(triplets, "training.batch=8"))
    assert parts.memory_bytes == small.memory_bytes < whole.memory_bytes


@pytest.mark.slow
def test_two_processes_take_their_shares_in_parts(triplets: Path, tmp_path: Path) -> None:
    """As one process does with the whole batch: the same pictures in each step, and gradients but for rounding."""
    still = ("training.lr_generator=1e-7", "training.lr_discriminator=1e-7", "training.images=8", "data.mix=0.0")
    alone, together = tmp_path / "alone", tmp_path / "together"
    fit(micro(triplets, *still), alone)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = [str(triplets), str(together), *still, "training.accumulate=2"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.micro", *asked],
            cwd=TESTS.parent,
            env={
                **os.environ, "RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
            },
        )
        for rank in range(2)
    ]  # fmt: skip
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    states = [load_state(receipts(run / "checkpoints")[-1]) for run in (alone, together)]
    moments = [state["stages"][0]["generator_optimiser"]["state"] for state in states]
    largest = max(float(one["exp_avg"].norm()) for one in moments[0].values())
    for ours, theirs in zip(moments[0].values(), moments[1].values(), strict=True):
        difference = (ours["exp_avg"] - theirs["exp_avg"]).norm()
        assert difference <= 1e-2 * ours["exp_avg"].norm() + 1e-4 * largest

"""Settings of the machine: they change how fast a run is, never what it learns from, and nothing of older runs."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import default_collate

from fdtrain.config.schema import FitConfig
from fdtrain.data import loader
from fdtrain.data.loader import MOST_WORKERS, workers_for
from fdtrain.data.open_samples import open_samples, resolve_kinds
from fdtrain.data.pictures import to_values
from fdtrain.data.tensors import mask_to_levels, mask_to_tensor, masks_on, pictures_on, to_levels, to_tensor
from fdtrain.errors import RunError
from fdtrain.methods import baselines
from fdtrain.objectives import base
from fdtrain.objectives.open_objective import open_objective
from fdtrain.objectives.step import Learners, learn
from fdtrain.runtime.device import computing
from fdtrain.runtime.distributed import Group
from fdtrain.training.loop import fit
from tests.fdtrain.networks.test_baselines import micro as small
from tests.fdtrain.training.test_loop import assert_equal, state_of
from tests.support.micro import micro

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
SHORT = ("training.images=16", "loss.adversarial_from_images=8")


def test_every_level_becomes_the_value_that_it_was() -> None:
    picture_HWC = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    mask_HW = picture_HWC[..., 0] // 128 * np.uint8(255)
    for channels_last in (False, True):
        found = pictures_on(CPU, to_levels(picture_HWC)[None], channels_last)
        assert torch.equal(found, to_tensor(picture_HWC)[None])
        assert torch.equal(found[0], torch.from_numpy(to_values(picture_HWC)))
        assert found.is_contiguous(memory_format=torch.channels_last) == channels_last
        assert torch.equal(pictures_on(CPU, to_tensor(picture_HWC)[None], channels_last), found)
        assert torch.equal(masks_on(CPU, mask_to_levels(mask_HW)[None], channels_last), mask_to_tensor(mask_HW)[None])


@pytest.mark.parametrize("preset", ["tiny", "mask"])
def test_batches_of_bytes_take_a_quarter_and_are_the_same(preset: str, triplets: Path) -> None:
    settings = [("data.root", str(triplets)), "data.size_px=64"]
    config = resolve_kinds(FitConfig.load(preset, overrides=settings))
    values, levels = (open_samples(config, "train", levels=asked) for asked in (False, True))
    for ours, theirs in ((values[3], levels[3]), (values[0], levels[0])):
        for name in ("occluded", "clean", "mask", "silhouette"):
            if name in ours:
                assert theirs[name].nbytes * 4 == ours[name].nbytes
                put = pictures_on if theirs[name].shape[0] == 3 else masks_on
                assert torch.equal(put(CPU, theirs[name][None], False)[0], ours[name])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_makes_the_same_values_of_bytes() -> None:
    picture_HWC = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert torch.equal(pictures_on(GPU, to_levels(picture_HWC)[None], False).cpu()[0], to_tensor(picture_HWC))


def test_workers_are_as_many_as_a_gpu_needs_and_the_machine_has(
    triplets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = open_samples(micro(triplets), "train", levels=True)
    cores, usage = [4], namedtuple("usage", "free")
    monkeypatch.setattr(loader.os, "sched_getaffinity", lambda _: set(range(cores[0])), raising=False)
    monkeypatch.setattr(loader.shutil, "disk_usage", lambda _: usage(1 << 40))
    assert workers_for(train, CPU, batch=4) == 0
    assert workers_for(train, GPU, batch=4) == 3
    assert workers_for(train, GPU, batch=4, processes=2) == 1
    cores[0] = 1
    assert workers_for(train, GPU, batch=4) == 0
    cores[0] = 96
    assert workers_for(train, GPU, batch=4) == MOST_WORKERS
    needed = loader.shared_bytes(train[0], batch=4, workers=2)
    monkeypatch.setattr(loader.shutil, "disk_usage", lambda _: usage(needed))
    if loader.SHARED.is_dir():
        assert workers_for(train, GPU, batch=4) == 2


def test_a_run_records_how_many_workers_it_took(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert micro(triplets).machine.workers is None
    monkeypatch.setattr("fdtrain.training.loop.workers_for", lambda *_, **__: 1)
    fit(micro(triplets, *SHORT), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["config"]["machine"]["workers"] == 1
    fit(micro(triplets, *SHORT, "machine.workers=0"), tmp_path / "other")
    ours, theirs = state_of(tmp_path / "run"), state_of(tmp_path / "other")
    for part in ("model", "average", "stages", "sampler"):
        assert_equal(ours[part], theirs[part])


@pytest.mark.parametrize("deterministic", [True, False])
def test_fast_kernels_are_taken_where_bits_may_differ(
    deterministic: bool, triplets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    config = micro(triplets, ("machine.deterministic", deterministic))
    before = torch.backends.cudnn.benchmark
    with computing(config, GPU):
        assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert torch.backends.cudnn.benchmark != deterministic
        assert ("CUBLAS_WORKSPACE_CONFIG" in os.environ) == deterministic
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark == before


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # of what torch traces, in its tracer
@pytest.mark.parametrize("preset", [pytest.param("tiny", marks=pytest.mark.slow), "mask"])
def test_networks_are_compiled_on_request_and_keep_their_names(
    preset: str, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a backend that runs what torch traced as it is: the same weights, by the same names."""
    graphs: list[Any] = []

    def traced(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Any:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(base, "COMPILER", traced)
    own = ("data.size_px=32", "mask.widths=[8,8]", "training.batch=4", "training.precision=fp32", "machine.threads=1")

    def config(*more: str) -> FitConfig:
        if preset == "tiny":
            return micro(triplets, *SHORT, *more)
        return FitConfig.load("mask", overrides=[*own, ("data.root", str(triplets)), "training.images=8", *more])

    fit(config("machine.compile=true"), tmp_path / "compiled")
    assert graphs
    torch.compiler.reset()
    fit(config(), tmp_path / "plain")
    ours, theirs = state_of(tmp_path / "compiled"), state_of(tmp_path / "plain")
    assert ours["model"].keys() == theirs["model"].keys()
    for name, value in theirs["model"].items():
        torch.testing.assert_close(ours["model"][name], value, rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("method", baselines())
def test_all_that_learns_is_compiled_where_it_is_called(
    method: str, triplets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module whose parts are called one by one would be compiled for nothing, and nobody would notice."""
    calls: dict[nn.Module, int] = {}

    def compiled(module: nn.Module, **_: object) -> None:
        calls[module] = 0

        def call(*args: Any, **named: Any) -> Any:
            calls[module] += 1
            return module._call_impl(*args, **named)

        module._compiled_call_impl = call

    monkeypatch.setattr(nn.Module, "compile", compiled)
    config = small(triplets, method)
    objective = open_objective(config, torch.device("cpu"), None, torch.Generator().manual_seed(0))
    objective.compile()
    train = open_samples(config, "train", levels=True)
    sample, learners = default_collate([train[place] for place in range(4)]), Learners(objective, Group())
    for images in (0, 32):  # in either phase, of methods that have them
        learn(objective, sample, torch.device("cpu"), images, 1, learners)
    assert all(calls.values()), [type(module).__name__ for module, n in calls.items() if not n]
    networks = [network for stage in objective.stages for network in (stage.generator, stage.discriminator) if network]
    ours = {id(one) for module in calls for one in module.parameters()}
    assert ours == {id(one) for network in networks for one in network.parameters()}


def test_a_run_of_before_these_settings_goes_on(triplets: Path, tmp_path: Path) -> None:
    """Its record and checkpoint have no such keys, and a number of workers."""
    fit(micro(triplets, *SHORT), tmp_path / "run")
    old = Path(shutil.copytree(tmp_path / "run", tmp_path / "old"))
    record = json.loads((old / "run.json").read_text())
    machine = record["config"]["machine"]
    assert (machine.pop("deterministic"), machine.pop("compile"), machine["workers"]) == (True, False, 0)
    (old / "run.json").write_text(json.dumps(record))
    longer = ("training.images=32", "loss.adversarial_from_images=8")
    fit(micro(triplets, *longer), old)
    fit(micro(triplets, *longer), tmp_path / "run")
    assert_equal(state_of(old), state_of(tmp_path / "run"))
    for other in ("machine.deterministic=false", "machine.compile=true"):
        with pytest.raises(RunError, match=r"machine\.\w+ was (True|False), now it is"):
            fit(micro(triplets, *longer, other), old)

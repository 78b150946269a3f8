"""A step taken apart: all of its arithmetic, each part, and no more waits than there are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fdtrain.config.schema import FitConfig
from fdtrain.runtime import waiting
from fdtrain.training.timing.step_parts import STEP, count_waits, step_parts
from tests.support.micro import micro

CPU = torch.device("cpu")


def taken_apart(config: FitConfig) -> int:
    before = torch.get_rng_state()
    found = step_parts(config, CPU, None, total=1000)
    assert torch.equal(before, torch.get_rng_state())
    assert set(found.seconds) == {"forward", "backward", "optimiser"}
    assert all(seconds > 0 for seconds in found.seconds.values())
    assert found.waits is None
    return found.flops // found.pictures


def test_arithmetic_is_counted_by_picture_of_both_passes_and_all_networks(triplets: Path) -> None:
    plain = micro(triplets, "loss.gamma=[0,0]", "loss.ssim=0")
    alone = taken_apart(plain)
    assert taken_apart(micro(triplets, "loss.gamma=[0,0]", "loss.ssim=0", "training.batch=8")) == alone
    assert taken_apart(micro(triplets, "loss.ssim=0")) > alone  # judged as well
    config = plain.network
    first = 2 * 9 * config.widths[0] * (32 // config.strides[0]) ** 2 * 4  # of the first convolution alone, forwards
    assert alone > 3 * first


def test_waits_are_counted_on_cuda_alone(triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of other GPUs torch's profiler reports none: 0 would be a claim."""
    monkeypatch.setattr(waiting, "waits", lambda device: True)
    assert step_parts(micro(triplets), CPU, None, total=1000).waits is None


def test_waits_are_those_within_a_step() -> None:
    step = (STEP, 100.0, 200.0)
    inside, outside = ("cudaStreamSynchronize", 120.0, 130.0), ("cudaDeviceSynchronize", 210.0, 220.0)
    assert count_waits([step, inside, outside, ("aten::conv2d", 110.0, 120.0)]) == 1
    assert count_waits([step, inside, inside, ("hipEventSynchronize", 150.0, 151.0)]) == 3
    assert count_waits([step]) == 0
    assert count_waits([inside]) == 0

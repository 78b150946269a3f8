"""What takes longer: kill -9, two processes, and learning something by heart."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from fdtrain.config.schema import FitConfig
from fdtrain.data.loader import Batches
from fdtrain.data.triplets import TripletDataset
from fdtrain.networks.build import build_model
from fdtrain.objectives.validation import SCORE, validate
from fdtrain.training.checkpoint import load_model
from fdtrain.training.loop import fit
from fdtrain.training.stats import read_stats
from tests.fdtrain.training.test_loop import assert_equal, assert_same_end, state_of
from tests.support.micro import micro
from tests.support.paths import ROOT
from tests.support.sets import write_set

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(data: Path, run_dir: Path, *overrides: str) -> subprocess.Popen[bytes]:
    """Start a training in a process of its own."""
    command = [sys.executable, "-m", "tests.support.micro", str(data), str(run_dir), *overrides]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT)


@pytest.mark.slow
@pytest.mark.parametrize("n_kills", [3, 20])
def test_killed_anywhere_and_run_again_it_ends_with_the_same_weights(
    n_kills: int, triplets: Path, tmp_path: Path
) -> None:
    """Kill -9 some lines of the log, and then some milliseconds, after each start; there is room for every kill."""
    n_images = 400 + 160 * n_kills
    overrides = (f"training.images={n_images}", "output.validation_images=240", "output.checkpoint_images=40")
    rng = random.Random(n_kills)
    kills = 0
    while kills < n_kills:
        process = start(triplets, tmp_path / "killed", *overrides)
        log = tmp_path / "killed" / "stats.jsonl"
        seen = log.stat().st_size if log.is_file() else 0
        more = rng.randrange(0, 4000)  # bytes of the log: the start-up is hit as well
        while process.poll() is None and (not log.is_file() or log.stat().st_size < seen + more):
            time.sleep(0.005)
        time.sleep(rng.random() * 0.1)
        assert process.poll() is None, f"it ended after {kills} kills"
        process.kill()
        process.wait()
        kills += 1
    assert start(triplets, tmp_path / "killed", *overrides).wait() == 0
    assert start(triplets, tmp_path / "whole", *overrides).wait() == 0
    assert_same_end(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_train_one_model(triplets: Path, tmp_path: Path) -> None:
    """With gloo: they run, resume bit by bit, and stay as near to one process as rounding lets them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone"]

    def pair(run_dir: Path, *overrides: str) -> None:
        done = subprocess.run(
            [*command, "-m", "tests.support.micro", str(triplets), str(run_dir), *overrides],
            cwd=ROOT, env=ENVIRONMENT, timeout=300, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    pair(tmp_path / "two", "training.images=48")
    pair(tmp_path / "parts", "training.images=32")
    pair(tmp_path / "parts", "training.images=48")
    two, parts = state_of(tmp_path / "two"), state_of(tmp_path / "parts")
    for key in ("model", "average", "stages", "sampler", "random"):
        assert_equal(two[key], parts[key])
    assert len(two["random"]) == 2
    fit(micro(triplets, "training.images=48"), tmp_path / "one")
    lines = [[line for line in read_stats(tmp_path / name) if "lr" in line] for name in ("one", "two")]
    for one, other in zip(*lines, strict=True):
        assert one["stage2/l1"] == pytest.approx(other["stage2/l1"], rel=1e-2)


@pytest.mark.slow
def test_eight_triplets_are_learnt_by_heart(tmp_path: Path) -> None:
    """Hole-only PSNR of the pasted result rises by 10 dB over the untrained network's."""
    data = write_set(tmp_path / "set", 20)
    train = TripletDataset(data, "train", size_px=64, limit=8)
    config = FitConfig.load(
        "tiny",
        overrides=[
            ("data.root", str(data)),
            "data.augment=none",
            "data.mix=0.0",
            "loss.gamma=[0,0]",
            "training.batch=8",
            "training.images=1600",
            "training.warmup_images=100",
            "training.precision=fp32",
            "training.ema_decay=0.95",
            "machine.threads=1",
            "machine.device=cpu",
            "output.checkpoint_images=100000",
        ],
    )
    assert len(train) == 8
    torch.manual_seed(0)
    before = validate(build_model(config), Batches(train, batch=8), torch.device("cpu"))[SCORE]
    fit(config, tmp_path / "run")
    after = validate(
        load_model(tmp_path / "run" / "weights" / "last.safetensors"), Batches(train, batch=8), torch.device("cpu")
    )
    assert after[SCORE] > before + 10

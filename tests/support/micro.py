"""A config small enough to train in a second, and the program that tests kill.

Run as a program it trains: `python -m tests.support.micro DATASET RUN [KEY=VALUE ...]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from fdtrain.config.schema import FitConfig

MICRO = (
    "data.size_px=32",
    "network.widths=[8,8,16,16,16]",
    "network.strides=[2,2,1,1,1]",
    "network.dilations=[1,2]",
    "network.norm=instance",
    "discriminator.width=4",
    "loss.gamma=[0.5,0.5]",
    "loss.adversarial_from_images=24",
    "training.batch=4",
    "training.images=96",
    "training.warmup_images=16",
    "training.precision=fp32",
    "output.stats_images=16",
    "output.checkpoint_images=16",
    "output.validation_images=32",
    "output.sample_images=48",
    "output.validation_limit=4",
    "output.samples=2",
    "machine.threads=1",
    "machine.device=cpu",
)


def micro(root: Path, *overrides: str | tuple[str, Any]) -> FitConfig:
    """Return the config, on the dataset `root`."""
    return FitConfig.load("tiny", overrides=[*MICRO, ("data.root", str(root)), *overrides])


def main() -> None:
    """Train as the command line says."""
    from fdtrain.training.loop import fit

    torch.set_num_threads(1)
    root, run_dir, *overrides = sys.argv[1:]
    fit(micro(Path(root), *overrides), run_dir)


if __name__ == "__main__":
    main()

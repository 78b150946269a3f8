"""Weights & Biases, offline unless WANDB_MODE says otherwise: `wandb sync` sends a run later."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdgen.arrays import Image
from fdtrain.training.trackers.tracker import tracker_package

NAME = "wandb"
"""Of the tracker in settings, and of its folder in a run's."""


class WeightsAndBiases:
    """A run of W&B, in the folder `wandb`; offline unless WANDB_MODE says otherwise."""

    def __init__(self, run_dir: Path, images: int, config: Mapping[str, Any]) -> None:
        self.wandb = tracker_package("wandb", NAME, "trackers")
        settings = self.wandb.Settings(console="off", silent=True, disable_git=True, x_disable_stats=True)
        self.run = self.wandb.init(
            project="fdtrain",
            name=run_dir.resolve().name,
            dir=str(run_dir),
            mode=os.environ.get("WANDB_MODE", "offline"),
            config=dict(config),
            settings=settings,
        )
        self.run.define_metric("images")
        self.run.define_metric("*", step_metric="images")

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Log values against images."""
        self.run.log({"images": images, **values})

    def picture(self, images: int, sheet_HWC: Image) -> None:
        """Log a sheet."""
        self.run.log({"images": images, "samples": self.wandb.Image(sheet_HWC)})

    def close(self) -> None:
        """End the run."""
        self.run.finish()

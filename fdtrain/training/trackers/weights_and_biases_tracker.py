"""Weights & Biases, offline unless WANDB_MODE says otherwise: `wandb sync` sends a run later."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdgen.arrays import Image
from fdtrain.training.trackers.tracker import keep_id, kept_id, tracker_package

NAME = "wandb"
"""Of the tracker in settings, and of its folder in a run's."""


class WeightsAndBiases:
    """A run of W&B, in the folder `wandb`; offline unless WANDB_MODE says otherwise.

    A run that goes on is the same one there: its id is kept in that folder. Offline each call of `fit` makes a folder,
    of the same id, and `wandb sync --append` sends them as one run. Its steps are images, so that what is logged once
    more falls on what is there.
    """

    def __init__(self, run_dir: Path, images: int, config: Mapping[str, Any]) -> None:
        self.wandb = tracker_package("wandb", NAME, "trackers")
        settings = self.wandb.Settings(console="off", silent=True, disable_git=True, x_disable_stats=True)
        self.run = self.wandb.init(
            project="fdtrain",
            name=run_dir.resolve().name,
            dir=str(run_dir),
            mode=os.environ.get("WANDB_MODE", "offline"),
            id=kept_id(run_dir, NAME),
            resume="allow",
            config=dict(config),
            settings=settings,
        )
        keep_id(run_dir, NAME, str(self.run.id))
        self.run.define_metric("images")
        self.run.define_metric("*", step_metric="images")

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Log values against images."""
        self.run.log({"images": images, **values}, step=images)

    def picture(self, images: int, sheet_HWC: Image) -> None:
        """Log a sheet."""
        self.run.log({"images": images, "samples": self.wandb.Image(sheet_HWC)}, step=images)

    def close(self, *, failed: bool) -> None:
        """End the run, as failed where an error ends it."""
        self.run.finish(exit_code=int(failed))

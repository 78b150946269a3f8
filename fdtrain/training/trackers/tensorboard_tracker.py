"""TensorBoard: event files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdgen.arrays import Image
from fdtrain.training.trackers.tracker import tracker_package

NAME = "tensorboard"
"""Of the tracker in settings, and of its folder in a run's."""


class TensorBoard:
    """Event files, in the folder `tensorboard`."""

    def __init__(self, run_dir: Path, images: int, config: Mapping[str, Any]) -> None:
        writer = tracker_package("torch.utils.tensorboard", NAME, "train").SummaryWriter
        self.board = writer(str(run_dir / NAME), purge_step=images)

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Add scalars."""
        for name, value in values.items():
            self.board.add_scalar(name, value, images)

    def picture(self, images: int, sheet_HWC: Image) -> None:
        """Add a sheet."""
        self.board.add_image("samples", sheet_HWC, images, dataformats="HWC")

    def close(self, *, failed: bool) -> None:
        """Close the event file, which says nothing of how a run ended."""
        self.board.close()

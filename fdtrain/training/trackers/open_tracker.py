"""Experiment trackers (`output.tracker`): what a run logs goes to TensorBoard, Weights & Biases or MLflow, too.

Each writes below the run's folder and needs no network: W&B is offline unless WANDB_MODE says otherwise (`wandb sync`
sends it later), MLflow keeps its own database there unless MLFLOW_TRACKING_URI names a server. The numbers are those of
stats.jsonl, by images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fdtrain.training.trackers.mlflow_tracker import Mlflow
from fdtrain.training.trackers.tensorboard_tracker import TensorBoard
from fdtrain.training.trackers.tracker import Tracker
from fdtrain.training.trackers.weights_and_biases_tracker import WeightsAndBiases


def open_tracker(name: str, run_dir: Path, images: int, config: Mapping[str, Any]) -> Tracker | None:
    """Return a tracker that goes on after so many images; None for `none`.

    Args:
        name: Which one, as `output.tracker` says.
        run_dir: Folder of the run; its name is the run's in the tracker.
        images: Images so far: what an interrupted run logged beyond them comes again, and is held once.
        config: All settings, flat, without paths.

    Raises `ConfigError` where its package is not installed, or does not show the run as which this one began.
    """
    openers: Mapping[str, Callable[[Path, int, Mapping[str, Any]], Tracker]] = {
        "tensorboard": TensorBoard,
        "wandb": WeightsAndBiases,
        "mlflow": Mlflow,
    }
    return openers[name](run_dir, images, config) if name in openers else None

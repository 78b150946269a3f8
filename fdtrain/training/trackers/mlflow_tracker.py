"""MLflow: a database of its own in the folder of the run, unless MLFLOW_TRACKING_URI names a server."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdgen.arrays import Image
from fdtrain.training.trackers.tracker import tracker_package

NAME = "mlflow"
"""Of the tracker in settings, and of its folder in a run's."""


class Mlflow:
    """A run of MLflow, in the folder `mlflow` unless MLFLOW_TRACKING_URI names another place."""

    def __init__(self, run_dir: Path, images: int, config: Mapping[str, Any]) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        tracker_package("mlflow", NAME, "trackers")
        self.folder = run_dir / NAME
        self.folder.mkdir(exist_ok=True)
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(self.folder / 'runs.db').resolve().as_posix()}"
        self.client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=uri)
        experiment = self.client.get_experiment_by_name("fdtrain")
        place = (self.folder / "files").resolve().as_uri()
        known = experiment.experiment_id if experiment else self.client.create_experiment("fdtrain", place)
        self.run_id = self.client.create_run(known, run_name=run_dir.resolve().name).info.run_id
        for key, value in config.items():
            self.client.log_param(self.run_id, key, value)

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Log values against images; MLflow takes no value that is no number."""
        for name, value in values.items():
            if math.isfinite(value):
                self.client.log_metric(self.run_id, name, value, step=images)

    def picture(self, images: int, sheet_HWC: Image) -> None:
        """Keep a sheet."""
        self.client.log_image(self.run_id, sheet_HWC, artifact_file=f"samples/{images:012d}.png")

    def close(self) -> None:
        """End the run."""
        self.client.set_terminated(self.run_id)

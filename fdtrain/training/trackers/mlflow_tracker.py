"""MLflow: a database of its own in the folder of the run, unless MLFLOW_TRACKING_URI names a server."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fdgen.arrays import Image
from fdgen.io.json_file import why
from fdtrain.errors import ConfigError
from fdtrain.training.trackers.tracker import id_file, keep_id, kept_id, tracker_package

NAME = "mlflow"
"""Of the tracker in settings, and of its folder in a run's."""

DATABASE = "runs.db"


class Mlflow:
    """A run of MLflow, in the folder `mlflow` unless MLFLOW_TRACKING_URI names another place.

    A run that goes on is the same one there: its id is kept in that folder. What it logs once more is left out, as
    MLflow would hold it twice. A folder that was moved holds another run from there on: MLflow would write pictures to
    where it was.
    """

    def __init__(self, run_dir: Path, images: int, config: Mapping[str, Any]) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        tracker_package("mlflow", NAME, "trackers")
        self.folder = run_dir / NAME
        self.folder.mkdir(exist_ok=True)
        server = os.environ.get("MLFLOW_TRACKING_URI")
        uri = server or f"sqlite:///{(self.folder / DATABASE).resolve().as_posix()}"
        self.client = importlib.import_module("mlflow.tracking").MlflowClient(tracking_uri=uri)
        self.logged: dict[str, int] = {}
        # A server has a place of its own for files; this machine's folder would say nothing to its other users.
        place = None if server else (self.folder / "files").resolve().as_uri()
        known = kept_id(run_dir, NAME)
        if known is not None:
            self.run_id = known
            if self._reopens(place, id_file(run_dir, NAME)):
                return
        experiment = self._experiment(place)
        self.run_id = self.client.create_run(experiment, run_name=run_dir.resolve().name).info.run_id
        for key, value in config.items():
            self.client.log_param(self.run_id, key, value)
        keep_id(run_dir, NAME, self.run_id)

    def _experiment(self, place: str | None) -> str:
        """Return the id of the experiment whose files go to a place; None is where the server puts them."""
        name, n = "fdtrain", 1
        while (found := self.client.get_experiment_by_name(name)) is not None:
            if place is None or found.artifact_location == place:
                return str(found.experiment_id)
            n += 1
            name = f"fdtrain-{n}"
        return str(self.client.create_experiment(name, place))

    def _reopens(self, place: str | None, kept: Path) -> bool:
        """Go on with the run, and learn up to which images it has each value; not where its files go elsewhere."""
        try:
            run = self.client.get_run(self.run_id)
        except importlib.import_module("mlflow.exceptions").MlflowException as error:
            where = "the server" if place is None else f"{self.folder / DATABASE}"  # a URI may hold a password
            raise ConfigError(
                f"output.tracker = {NAME}: {where} does not show the run {self.run_id}, as which this one began: "
                f"{why(error)}",
                hint=f"set MLFLOW_TRACKING_URI as it was then, or delete {kept} to begin another run there",
            ) from error
        if place is not None and not str(run.info.artifact_uri).startswith(f"{place}/"):
            return False
        for name in run.data.metrics:
            self.logged[name] = max(one.step for one in self.client.get_metric_history(self.run_id, name))
        self.client.update_run(self.run_id, status="RUNNING")
        return True

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Log values against images; MLflow takes no value that is no number."""
        for name, value in values.items():
            if math.isfinite(value) and images > self.logged.get(name, -1):
                self.client.log_metric(self.run_id, name, value, step=images)

    def picture(self, images: int, sheet_HWC: Image) -> None:
        """Keep a sheet."""
        self.client.log_image(self.run_id, sheet_HWC, artifact_file=f"samples/{images:012d}.png")

    def close(self, *, failed: bool) -> None:
        """End the run, as failed where an error ends it."""
        self.client.set_terminated(self.run_id, "FAILED" if failed else "FINISHED")

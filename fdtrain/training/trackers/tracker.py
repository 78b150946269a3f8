"""The interface of an experiment tracker, and how its package is found."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from fdgen.arrays import Image
from fdgen.io.json_file import read_object
from fdtrain.errors import ConfigError, RunError
from fdtrain.run_files import write_text

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")  # a tracker names folders by it


class Tracker(Protocol):
    """Where numbers and sheets of a run go."""

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Take values after so many images."""

    def picture(self, images: int, sheet_HWC: Image) -> None:
        """Take a sheet of samples."""

    def close(self, *, failed: bool) -> None:
        """Write out what is held back; `failed` says that an error ends the run."""


def id_file(run_dir: Path, tracker: str) -> Path:
    """Return the file, in the folder of a tracker, that keeps by which id it knows this run."""
    return run_dir / tracker / "run_id.json"


def kept_id(run_dir: Path, tracker: str) -> str | None:
    """Return the id by which a tracker knows a run that goes on; None where the run is new to it.

    Raises `RunError` where the file is damaged.
    """
    path = id_file(run_dir, tracker)
    if not path.exists():
        return None
    hint = "delete it: the run begins anew in the tracker"
    told = read_object(path, within=run_dir, error=RunError, hint=hint).get("id")
    if not isinstance(told, str) or not _ID.fullmatch(told):
        raise RunError(f"{path} is damaged: it has no id of a run", hint=hint)
    return told


def keep_id(run_dir: Path, tracker: str, known: str) -> None:
    """Keep the id by which a tracker knows a run."""
    path = id_file(run_dir, tracker)
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps({"id": known}) + "\n")


def tracker_package(module: str, tracker: str, extra: str) -> Any:
    """Import the package of a tracker; raise `ConfigError`, naming the extra that brings it, where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"output.tracker = {tracker}: its package cannot be imported: {error}",
            hint=f"run `pip install 'fd-stackgan[{extra}]'`, or leave output.tracker out",
        ) from error

"""The interface of an experiment tracker, and how its package is found."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from fdgen.arrays import Image
from fdtrain.errors import ConfigError


class Tracker(Protocol):
    """Where numbers and sheets of a run go."""

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Take values after so many images."""

    def picture(self, images: int, sheet_HWC: Image) -> None:
        """Take a sheet of samples."""

    def close(self) -> None:
        """Write out what is held back."""


def tracker_package(module: str, tracker: str, extra: str) -> Any:
    """Import the package of a tracker; raise `ConfigError`, naming the extra that brings it, where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"output.tracker = {tracker}: its package cannot be imported: {error}",
            hint=f"run `pip install 'fd-stackgan[{extra}]'`, or leave output.tracker out",
        ) from error

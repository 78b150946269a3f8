"""What workers of a pool do in tests: apart, since each process imports it, and all that it imports."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from typing import Any

from fdgen.errors import FdError


def crash() -> None:
    """Die as native code does."""
    ctypes.string_at(0)


def hang() -> None:
    """Do nothing for longer than any test."""
    time.sleep(1000)


def nothing(_: Any) -> None:
    """Prepare nothing."""


def work(task: str, given_up: Any, at: Callable[[int], None]) -> Any:
    """Go through four photographs; the task says what goes wrong."""
    for place in range(4):
        if place in given_up:
            continue
        at(place)
        if task == "both" and place in (1, 2):
            crash()
        if task == "large":
            return bytes(5_000_000)
        if task == "raise":
            raise FdError("a sentence", hint="a hint")
    at(-1)
    return sorted(given_up), os.getpid()


def wait_for_ever(task: str, given_up: Any, at: Callable[[int], None]) -> None:
    """Hang at the first photograph."""
    at(0)
    hang()

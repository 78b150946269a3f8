"""A real browser for tests of pages: the one that FDTRAIN_TEST_BROWSER names, or Chromium or Chrome where it is."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")

PATIENCE_MS = 60_000
"""A browser starts in a second, on a machine that does nothing else."""


def find_browser() -> str | None:
    """Return the program of a browser, None where there is none."""
    return os.environ.get("FDTRAIN_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


def browser_options() -> list[str]:
    """Return the options that the browser is started with."""
    return [] if not hasattr(os, "geteuid") or os.geteuid() else ["--no-sandbox"]  # it refuses root with one


@contextlib.contextmanager
def headless_browser(*options: str) -> Iterator[Any]:
    """Start the browser for the block, without a window; skip the test where it or playwright is not there."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if (program := find_browser()) is None:
        pytest.skip("no browser: name one in FDTRAIN_TEST_BROWSER")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=program, args=[*browser_options(), *options], timeout=PATIENCE_MS
        )
        yield found
        found.close()

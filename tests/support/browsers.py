"""A real browser for tests of pages: the one that FDTRAIN_TEST_BROWSER names, or Chromium or Chrome where it is."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")

PATIENCE_MS = 60_000
"""A browser starts in a second, on a machine that does nothing else."""


def find_browser() -> str | None:
    """Return the program of a browser, None where there is none."""
    return os.environ.get("FDTRAIN_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


def browser_options() -> list[str]:
    """Return the options that the browser is started with."""
    return [] if not hasattr(os, "geteuid") or os.geteuid() else ["--no-sandbox"]  # it refuses root with one

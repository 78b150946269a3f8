"""The cache folder of fdgen: landmarks, analyses, compiled code.

The library platformdirs names other folders in cases that exist: on macOS it follows XDG_CACHE_HOME, on Windows it asks
the shell and not LOCALAPPDATA, and a relative XDG_CACHE_HOME it ignores. A user's cache would not be
found there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return fdgen's folder in the platform's place for caches; it need not be there."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fdgen"

"""Which releases of packages are installed, without importing any of them."""

from __future__ import annotations

import contextlib
from importlib import metadata

OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
"""The wheels that bring `cv2`, of which one is enough; the first is what this package asks for."""

_RECORDED_AS = {"opencv-python": OPENCV}
"""Records name opencv so whichever wheel brought it: they did before there was a choice, and are compared by name."""


def installed_version(package: str) -> str | None:
    """Return the release of an installed package, None where there is none; of opencv, whichever wheel brings it.

    >>> installed_version("numpy") is None
    False
    >>> installed_version("no-such-package") is None
    True
    """
    for name in _RECORDED_AS.get(package, (package,)):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return None

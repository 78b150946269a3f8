"""Versions: that of the package, and that of the pixels it makes."""

from __future__ import annotations

__version__ = "0.1.0"
"""The release, as in pyproject.toml."""

GENERATOR_VERSION = 9
"""Raised whenever the same recipe, faces and assets would give other bytes, and only then.

It is a part of `spec_id`, so that a build never mixes the pixels of two generators; a release that changes no pixel
still resumes what an older one began.
"""

"""Settings of a run: schema, baselines, segmentation network, presets, files.

The name below is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdgen.lazy import lazy_names

if TYPE_CHECKING:
    from fdtrain.config.schema import FitConfig

_HOMES = {
    "FitConfig": "schema",
}

__all__ = [
    "FitConfig",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

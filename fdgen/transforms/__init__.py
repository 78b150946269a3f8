"""Occluders inside a training pipeline, without a dataset on disk: `OccludeFace` and `OccludeFaceV2`.

The first is a transform of albumentations, the second one of torchvision's v2; either library must be installed. They
are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdgen.lazy import lazy_names

if TYPE_CHECKING:
    from fdgen.transforms.for_albumentations import OccludeFace
    from fdgen.transforms.for_torchvision import OccludeFaceV2

_HOMES = {"OccludeFace": "for_albumentations", "OccludeFaceV2": "for_torchvision"}

__all__ = ["OccludeFace", "OccludeFaceV2"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

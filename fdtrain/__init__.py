"""fdtrain: the stacked GAN that removes occluders from faces; trained, measured and used on what fdgen makes.

The names below are imported when they are first used, so that `import fdtrain` costs nothing. A function that is called
as its module is (`evaluate`, `restore`) is imported from there: `from fdtrain.evaluate import evaluate`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fdgen.version import __version__

if TYPE_CHECKING:
    from fdtrain.augment import PairAugment
    from fdtrain.checkpoint import load_model
    from fdtrain.config import FitConfig
    from fdtrain.data import EpochSampler, TripletDataset
    from fdtrain.loading import Batches
    from fdtrain.loop import fit
    from fdtrain.networks.fdstack import StackedGAN
    from fdtrain.networks.restorer import Restoration

_HOMES = {
    "Batches": "loading",
    "EpochSampler": "data",
    "FitConfig": "config",
    "PairAugment": "augment",
    "Restoration": "networks.restorer",
    "StackedGAN": "networks.fdstack",
    "TripletDataset": "data",
    "fit": "loop",
    "load_model": "checkpoint",
}

__all__ = [
    "Batches",
    "EpochSampler",
    "FitConfig",
    "PairAugment",
    "Restoration",
    "StackedGAN",
    "TripletDataset",
    "__version__",
    "fit",
    "load_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fdtrain.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

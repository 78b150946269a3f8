"""fdtrain: the stacked GAN that removes occluders from faces; trained, measured and used on datasets of fdgen.

`fdtrain.fit(...)` trains, `fdtrain.evaluate(...)` measures, `fdtrain.restore_photograph(...)` restores. The names below
are imported when they are first used, so that `import fdtrain` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdgen.lazy import lazy_names
from fdgen.version import __version__

if TYPE_CHECKING:
    from fdtrain.config.schema import FitConfig
    from fdtrain.data.augment_pairs import PairAugment
    from fdtrain.data.loader import Batches
    from fdtrain.data.sampler import EpochSampler
    from fdtrain.data.triplets import TripletDataset
    from fdtrain.evaluation.evaluator import evaluate
    from fdtrain.inference.exporter import export
    from fdtrain.inference.maskers import open_masker
    from fdtrain.inference.open_generator import open_generator
    from fdtrain.networks.fdstack import StackedGAN
    from fdtrain.networks.restorer import Restoration
    from fdtrain.restoration.photograph import restore_photograph
    from fdtrain.training.checkpoint import load_model
    from fdtrain.training.loop import fit

_HOMES = {
    "Batches": "data.loader",
    "EpochSampler": "data.sampler",
    "FitConfig": "config.schema",
    "PairAugment": "data.augment_pairs",
    "Restoration": "networks.restorer",
    "StackedGAN": "networks.fdstack",
    "TripletDataset": "data.triplets",
    "evaluate": "evaluation.evaluator",
    "export": "inference.exporter",
    "fit": "training.loop",
    "load_model": "training.checkpoint",
    "open_generator": "inference.open_generator",
    "open_masker": "inference.maskers",
    "restore_photograph": "restoration.photograph",
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
    "evaluate",
    "export",
    "fit",
    "load_model",
    "open_generator",
    "open_masker",
    "restore_photograph",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

"""The samples that a config trains on: triplets for generators, silhouettes for segmentation networks."""

from __future__ import annotations

from typing import Any

from fdgen.contract.manifest import Manifest
from fdtrain.config.schema import FitConfig
from fdtrain.data.augment_pairs import NAMED
from fdtrain.data.augment_photographs import PhotographPairs
from fdtrain.data.augment_silhouettes import SILHOUETTE_AUGMENTS
from fdtrain.data.on_the_fly.faces import FacesOnTheFly, kinds_drawn
from fdtrain.data.on_the_fly.samples import FreshSamples
from fdtrain.data.silhouettes import SilhouetteDataset
from fdtrain.data.stored_samples import StoredSamples, kinds_of
from fdtrain.data.triplets import Augment, TripletDataset
from fdtrain.methods import LEARNED


def open_samples(
    config: FitConfig,
    split: str,
    *,
    fixed: bool = False,
    limit: int | None = None,
    levels: bool = False,
    faces: FacesOnTheFly | None = None,
) -> StoredSamples[Any]:
    """Open a split as the config says.

    Args:
        config: Every setting.
        split: train, val or test.
        fixed: Whether what makes an epoch differ from another is left out.
        limit: How many samples at most; None takes all.
        levels: Whether pictures are bytes, as an objective takes them too; else they are float32 in [-1, 1].
        faces: What is occluded on the fly; None reads the dataset of the config.

    Raises `DatasetError` for the data.
    """
    data = config.data
    root: str | FreshSamples = data.root
    if faces is not None:
        root = faces.fixed(split, limit) if fixed else faces.samples(split, seed=config.seed)
    without_samples = data.without_samples if split == "train" else None  # what models are measured on stays the same
    augment = "none" if fixed else data.augment
    if config.mask is not None:
        return SilhouetteDataset(
            root,
            split,
            size_px=data.size_px,
            known_kinds=config.mask.kinds or (),
            kinds=data.kinds,
            without=data.without,
            without_samples=without_samples,
            limit=limit,
            augment=SILHOUETTE_AUGMENTS[augment],
            bare=0.0 if fixed else config.mask.bare,
            backdrop=0.0 if fixed else config.mask.backdrop,
            levels=levels,
            seed=config.seed,
            verify=data.verify and not fixed,
        )
    return TripletDataset(
        root,
        split,
        size_px=data.size_px,
        kinds=data.kinds,
        without=data.without,
        without_samples=without_samples,
        limit=limit,
        augment=_pair_augment(augment, data.augment_without),
        mix=0.0 if fixed else data.mix,
        grey=0.0 if fixed else data.grey,
        tells_grey=not (fixed or config.loss.grey_chroma),
        landmarks=not fixed and learns_from_landmarks(config),
        landmark_maps=not fixed and config.is_stack and config.network.landmarks,
        levels=levels,
        seed=config.seed,
        verify=data.verify and not fixed,
    )


def learns_from_landmarks(config: FitConfig) -> bool:
    """Return whether the method of a config learns from the landmarks of clean faces."""
    return config.baseline is not None and LEARNED[config.baseline.method].learns_from_landmarks


def _pair_augment(name: str, without: tuple[str, ...]) -> Augment | None:
    return PhotographPairs(without) if name == "photograph" else NAMED[name]


def resolve_kinds(config: FitConfig) -> FitConfig:
    """Return the config of a mask network with its kinds said: where they were left open, those of the data."""
    if config.mask is None or config.mask.kinds is not None:
        return config
    data = config.data
    there = (
        kinds_drawn(data.on_the_fly) if data.is_on_the_fly else kinds_of(Manifest.load(data.root, columns=("kinds",)))
    )
    kinds = [kind for kind in there if kind not in (data.without or ())]
    return config.model_copy(update={"mask": config.mask.model_copy(update={"kinds": tuple(kinds)})})

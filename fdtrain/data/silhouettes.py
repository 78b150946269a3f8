"""Silhouettes for training: a picture, and where in it an occluder is.

    shard --> occluded, alpha --> resize --> augment --> alpha >= 128 --> tensors
       '----> clean, nothing, now and then

Most faces wear nothing, so some of the pictures are the clean ones: a network that has seen none of these finds
something on every face.

Unlike a triplet, such a pair has no clean picture to be exact with, so that augmentation may blur and compress the
occluder into its surroundings as a camera does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol, TypedDict

import numpy as np
import torch

from fdgen.arrays import Bools, Image
from fdgen.errors import DatasetError, PictureError
from fdgen.io.storage import Place
from fdtrain.data.backdrop import backdrop_share, before, drawn_place
from fdtrain.data.on_the_fly.samples import FreshSamples
from fdtrain.data.pictures import is_grey, member_grey, member_rgb, resized
from fdtrain.data.sampler import Draw, sample_seed
from fdtrain.data.stored_samples import StoredSamples
from fdtrain.data.tensors import to_levels, to_tensor

SOLID = 128
"""From this `alpha` on a pixel belongs to the silhouette: what a hand would outline, too."""

_BARE, _BACKDROP = 1, 2  # keep these draws apart from the augmentation's, which has the same seed


class _SometimesThere(TypedDict, total=False):
    gave_none: int


class Silhouette(_SometimesThere):
    """One sample as tensors: picture (3, S, S) in [-1, 1], silhouette (1, S, S) 0 or 1, kinds worn (K,) 0 or 1.

    `gave_none` is there as in `fdtrain.data.triplets.Sample`.
    """

    occluded: torch.Tensor
    silhouette: torch.Tensor
    kinds: torch.Tensor
    index: int


class Seen(NamedTuple):
    """An occluded picture, RGB uint8 `_HWC`, and how far each pixel is the occluder's, 0 to 255."""

    occluded_HWC: Image
    alpha_HW: Image


class SilhouetteAugment(Protocol):
    """Changes a picture and its alpha, by what is drawn from `seed` alone; must be picklable."""

    def __call__(self, seen: Seen, seed: int) -> Seen:
        """Return them changed."""
        ...


class SilhouetteDataset(StoredSamples[Silhouette]):
    """Occluded pictures of one split, their silhouettes, and which of `known_kinds` are worn.

    `root`, `split` and what chooses samples are those of `StoredSamples`. `augment` is called with a seed made of
    (`seed`, epoch, key). `bare` is how often a sample is drawn without its occluder, `backdrop` how often the
    person is put before a place full of things, where what lies behind is plain. `levels` gives pictures and
    silhouettes as bytes, of which `fdtrain.data.tensors` makes values on a device. Raises `DatasetError` as
    `StoredSamples` does, and where a shard holds what it should not.
    """

    reads = ("alpha.png", "clean.png", "occluded.png")
    knows_kinds = True

    def __init__(
        self,
        root: str | Place | FreshSamples,
        split: str,
        *,
        size_px: int | None,
        known_kinds: Sequence[str] = (),
        kinds: Collection[str] | None = None,
        without: Collection[str] | None = None,
        without_samples: Collection[str] | None = None,
        limit: int | None = None,
        augment: SilhouetteAugment | None = None,
        bare: float = 0.0,
        backdrop: float = 0.0,
        levels: bool = False,
        seed: int = 0,
        verify: bool = False,
    ) -> None:
        super().__init__(
            root,
            split,
            size_px=size_px,
            kinds=kinds,
            without=without,
            without_samples=without_samples,
            limit=limit,
            seed=seed,
            verify=verify,
        )
        self.augment, self.bare, self.backdrop, self.levels = augment, bare, backdrop, levels
        self.known_kinds = tuple(known_kinds)
        self._worn = np.array([self._worn_by(text.split("+")) for text in self.table["kind"]], np.float32)

    def __getitem__(self, draw: int | Draw) -> Silhouette:
        index, epoch = draw if isinstance(draw, tuple) else (draw, self.epoch)
        occluded_HWC, alpha_HW = self.seen(index, epoch)
        made = self._made(index, epoch)
        worn_K = self._worn[index] if made is None else np.array(self._worn_by(made.record.kinds), np.float32)
        worn_K = np.zeros_like(worn_K) if self.is_bare(index, epoch) else worn_K
        sample: Silhouette = {
            "occluded": to_levels(occluded_HWC) if self.levels else to_tensor(occluded_HWC),
            "silhouette": torch.from_numpy((alpha_HW >= SOLID).astype(np.uint8 if self.levels else np.float32)[None]),
            "kinds": torch.from_numpy(worn_K),
            "index": int(index),
        }
        if (gave_none := self._gave_none(index, epoch)) is not None:
            sample["gave_none"] = gave_none
        return sample

    def _worn_by(self, kinds: Collection[str]) -> list[bool]:
        return [kind in kinds for kind in self.known_kinds]

    def seen(self, index: int, epoch: int = 0) -> Seen:
        """Return one sample at the training size, bare or not and augmented for that epoch, as uint8 pictures."""
        bare = self.is_bare(index, epoch)
        stored = self._stored(index, epoch, bare=bare)
        small = Seen(resized(stored.occluded_HWC, self.size_px), resized(stored.alpha_HW, self.size_px))
        if self.backdrop > 0:
            small = self._elsewhere(small, index, epoch, bare=bare)
        if self.augment is None:
            return small
        return self.augment(small, sample_seed(self.seed, epoch, self.key(index)))

    def _elsewhere(self, seen: Seen, index: int, epoch: int, *, bare: bool) -> Seen:
        """Put a person before a plain backdrop before another place, as (`seed`, epoch, key) decide."""
        rng = np.random.default_rng((sample_seed(self.seed, epoch, self.key(index)), _BACKDROP))
        if rng.random() >= self.backdrop:
            return seen
        clean_HWC = seen.occluded_HWC if bare else self.bare_face(index, epoch)
        if (share_HW1 := backdrop_share(clean_HWC)) is None:
            return seen
        place_HWC = drawn_place(self.size_px, rng)
        if is_grey(seen.occluded_HWC):
            place_HWC = place_HWC.mean(-1, keepdims=True, dtype=np.float32).repeat(3, -1)
        return seen._replace(occluded_HWC=before(seen.occluded_HWC, clean_HWC, seen.alpha_HW, place_HWC, share_HW1))

    def bare_face(self, index: int, epoch: int = 0) -> Image:
        """Return the clean picture of one sample at the training size."""
        return resized(self._stored(index, epoch, bare=True).occluded_HWC, self.size_px)

    def counts(self, index: int) -> Bools | None:
        """Return None: every pixel of a sample is scored."""
        return None

    def notes(self) -> list[str]:
        """Return what a reader must know of these pictures."""
        if self.split == "train":
            return ["this is the train split: the networks have seen these pictures"]
        return []

    def is_bare(self, index: int, epoch: int = 0) -> bool:
        """Return whether a sample is drawn without its occluder in an epoch, as (`seed`, epoch, key) decide."""
        drawn = np.random.default_rng((sample_seed(self.seed, epoch, self.key(index)), _BARE))
        return bool(drawn.random() < self.bare)

    def stored(self, index: int, epoch: int = 0) -> Seen:
        """Return one sample exactly as it lies in its shard, or as it is made for that epoch."""
        return self._stored(index, epoch, bare=False)

    def _stored(self, index: int, epoch: int, *, bare: bool) -> Seen:
        """Return the same, or the clean picture and an alpha of nothing."""
        if (made := self._made(index, epoch)) is not None:
            return (
                Seen(made.clean_HWC, np.zeros_like(made.alpha_HW)) if bare else Seen(made.occluded_HWC, made.alpha_HW)
            )
        where, (alpha, clean, occluded) = self._read(index)
        try:
            if bare:
                picture_HWC = member_rgb(clean, f"the clean picture of {where}")
                alpha_HW = np.zeros(picture_HWC.shape[:2], np.uint8)
            else:
                picture_HWC = member_rgb(occluded, f"the occluded picture of {where}")
                alpha_HW = member_grey(alpha, f"the alpha of {where}")
        except PictureError as error:
            raise DatasetError(error.message, hint=self._next_step()) from error
        self._refuse_other_sides(where, {"picture": picture_HWC, "alpha": alpha_HW})
        return Seen(picture_HWC, alpha_HW)

    def refuse_wrong(self, index: int) -> None:
        """Raise `DatasetError` where a stored alpha marks nothing or everything."""
        solid_HW = self.stored(index).alpha_HW >= SOLID
        if solid_HW.all() or not solid_HW.any():
            what = "covers everything" if solid_HW.any() else "is empty"
            raise DatasetError(
                f"the silhouette of {self.key(index)} in {self.root} {what}",
                hint=f"`fdgen verify {self.root}` lists all that is wrong",
            )

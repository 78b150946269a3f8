"""Triplets for training: random access into the shards of a dataset, in an order that any run can repeat.

    manifest.parquet --> rows of one split and stratum --> byte offsets --> one read a sample --> resize --> augment
    --> occluded := clean where the mask is 0 --> tensors

Nothing is unpacked. What a sample is depends on the dataset, the size and (seed, epoch, key) alone: not on the number
of workers or ranks, nor on any global random state.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol, TypedDict, runtime_checkable

import numpy as np
import torch

from fdgen.arrays import Image
from fdgen.errors import DatasetError, PictureError
from fdgen.io.storage import Place
from fdtrain.data.on_the_fly.samples import FreshSamples
from fdtrain.data.pictures import as_grey, is_grey, member_grey, member_rgb, pasted, resized, resized_mask
from fdtrain.data.sampler import Draw, EpochSampler, sample_seed
from fdtrain.data.stored_samples import StoredSamples
from fdtrain.data.tensors import mask_to_levels, mask_to_tensor, to_levels, to_tensor
from fdtrain.faces.face_mesh import Points
from fdtrain.faces.landmark_maps import MISSED, landmark_maps, no_maps

__all__ = ["Augment", "Draw", "EpochSampler", "Pictures", "Sample", "TripletDataset"]

READ = ("clean.png", "mask.png", "occluded.png")
"""Members that training reads, in their order in a shard."""


class _SometimesThere(TypedDict, total=False):
    points: torch.Tensor
    landmark_maps: torch.Tensor
    gave_none: int


class Sample(_SometimesThere):
    """One triplet as tensors: pictures (3, S, S) float32 in [-1, 1], mask (1, S, S) 0 or 1, its place in the set.

    `coloured` (1, 1, 1) is 0 where the photograph is grey as it is stored, regardless of augmentation, and 1 where it
    is not, where the pair was turned grey on purpose, or where nobody asked (`tells_grey`). Only where they are asked
    for (`landmarks`, `landmark_maps`) there are `points` (468, 3), those of the clean face in px of these pictures, and
    `landmark_maps` (5, S, S) uint8, those of the occluded picture; only where triplets are made again in each epoch
    there is `gave_none`: the same place where this face gave none and another took its turn, else -1.
    """

    occluded: torch.Tensor
    clean: torch.Tensor
    mask: torch.Tensor
    coloured: torch.Tensor
    index: int


class Pictures(NamedTuple):
    """One triplet as pictures: RGB uint8 `_HWC`, mask 0 or 255."""

    clean_HWC: Image
    occluded_HWC: Image
    mask_HW: Image


class Augment(Protocol):
    """Changes both pictures of a pair with the same parameters, drawn from `seed` alone; must be picklable."""

    def __call__(self, pictures: Pictures, seed: int) -> Pictures:
        """Return the changed triplet; what it does outside the mask is set right afterwards."""
        ...


@runtime_checkable
class MovingAugment(Augment, Protocol):
    """One that also returns where points of the face go, for samples with landmarks."""

    def moved(self, points_px: Points, size_px: int, seed: int) -> Points:
        """Return the points of the picture that the call with this seed makes, by their numbers in any face."""
        ...


class TripletDataset(StoredSamples[Sample]):
    """Triplets of one split, read from the shards by byte offset; `len()`, `[index]`, `keys` and `table` as expected.

    `root`, `split` and what chooses samples are those of `StoredSamples`. Below the stored size pictures are averaged,
    above it interpolated, and the pair stays exact. `augment` is called with a seed made of (`seed`, epoch, key). `mix`
    is how often a face wears the occluder of another sample in place of its own, drawn from the same three: a few
    thousand faces with one hole each are learnt by heart. `grey` is how often both pictures lose their colour, drawn in
    the same way. `tells_grey` has every photograph looked at for whether it has colour, which `coloured` then says.
    `landmarks` gives each sample the points of its clean face, moved as its pictures are (`MovingAugment`);
    `landmark_maps` what `fdtrain.faces.landmark_maps` sees in its occluded picture, and now and then nothing.
    `levels` gives pictures and masks as bytes, of which `fdtrain.data.tensors` makes those values on a device.

    Raises `DatasetError` as `StoredSamples` does, and where a shard holds what it should not, or photographs have no
    landmarks.
    """

    reads = READ

    def __init__(
        self,
        root: str | Place | FreshSamples,
        split: str,
        *,
        size_px: int | None,
        kinds: Collection[str] | None = None,
        without: Collection[str] | None = None,
        without_samples: Collection[str] | None = None,
        coverage: tuple[float, float] | None = None,
        limit: int | None = None,
        augment: Augment | None = None,
        mix: float = 0.0,
        grey: float = 0.0,
        tells_grey: bool = False,
        landmarks: bool = False,
        landmark_maps: bool = False,
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
            coverage=coverage,
            limit=limit,
            landmarks=landmarks,
            seed=seed,
            verify=verify,
        )
        self.augment, self.mix, self.grey, self.tells_grey = augment, mix, grey, tells_grey
        if landmarks and augment is not None and not isinstance(augment, MovingAugment):
            raise DatasetError(
                f"{type(augment).__name__} does not say where it moves landmarks", hint="give it a method `moved`"
            )
        self.levels, self.landmark_maps = levels, landmark_maps

    def __getitem__(self, draw: int | Draw) -> Sample:
        index, epoch = draw if isinstance(draw, tuple) else (draw, self.epoch)
        stored = self.stored(index, epoch)
        turns_grey = self._turns_grey(index, epoch)
        clean_HWC, occluded_HWC, mask_HW = self._varied(stored, index, epoch, turns_grey)
        coloured = turns_grey or not self.tells_grey or not is_grey(stored.clean_HWC)
        picture, mask = (to_levels, mask_to_levels) if self.levels else (to_tensor, mask_to_tensor)
        sample: Sample = {
            "occluded": picture(occluded_HWC),
            "clean": picture(clean_HWC),
            "mask": mask(mask_HW),
            "coloured": torch.full((1, 1, 1), float(coloured)),
            "index": int(index),
        }
        if (gave_none := self._gave_none(index, epoch)) is not None:
            sample["gave_none"] = gave_none
        if (points_px := self._points_px(index, epoch)) is not None:
            if isinstance(self.augment, MovingAugment):
                seed = sample_seed(self.seed, epoch, self.key(index))
                points_px = self.augment.moved(points_px, self.size_px, seed)
            sample["points"] = torch.from_numpy(points_px)
        if self.landmark_maps:
            misses = self._chance(index, epoch, "maps") < MISSED
            maps_MHW = no_maps(self.size_px) if misses else landmark_maps(occluded_HWC)
            sample["landmark_maps"] = torch.from_numpy(maps_MHW)
        return sample

    def pictures(self, index: int, epoch: int = 0) -> Pictures:
        """Return one triplet at the training size, augmented for that epoch, as uint8 pictures."""
        return self._varied(self.stored(index, epoch), index, epoch, self._turns_grey(index, epoch))

    def _varied(self, stored: Pictures, index: int, epoch: int, turns_grey: bool) -> Pictures:
        """Return a stored triplet at the training size, as an epoch varies it."""
        clean_HWC, occluded_HWC, mask_HW = stored
        if self.mix > 0 and (other := self._partner(index, epoch)) != index:
            _, worn_HWC, mask_HW = self.stored(other, epoch)
            occluded_HWC = pasted(worn_HWC, clean_HWC, mask_HW)
        small = Pictures(
            resized(clean_HWC, self.size_px), resized(occluded_HWC, self.size_px), resized_mask(mask_HW, self.size_px)
        )
        if self.augment is not None:
            small = self.augment(small, sample_seed(self.seed, epoch, self.key(index)))
        if turns_grey:
            small = small._replace(clean_HWC=as_grey(small.clean_HWC), occluded_HWC=as_grey(small.occluded_HWC))
        return small._replace(occluded_HWC=pasted(small.occluded_HWC, small.clean_HWC, small.mask_HW))

    def stored(self, index: int, epoch: int = 0) -> Pictures:
        """Return one triplet exactly as it lies in its shard, or as it is made for that epoch."""
        if (made := self._made(index, epoch)) is not None:
            return Pictures(made.clean_HWC, made.occluded_HWC, made.mask_HW)
        where, data = self._read(index)
        try:
            found = Pictures(
                member_rgb(data[0], f"the clean picture of {where}"),
                member_rgb(data[2], f"the occluded picture of {where}"),
                member_grey(data[1], f"the mask of {where}"),
            )
        except PictureError as error:
            raise DatasetError(error.message, hint=self._next_step()) from error
        self._refuse_other_sides(
            where, {"clean picture": found.clean_HWC, "occluded picture": found.occluded_HWC, "mask": found.mask_HW}
        )
        if odd := int(((found.mask_HW != 0) & (found.mask_HW != 255)).sum()):
            raise DatasetError(
                f"the mask of {where} is not binary: {odd} pixels are neither 0 nor 255", hint=self._next_step()
            )
        return found

    def _partner(self, index: int, epoch: int) -> int:
        """Return whose occluder a sample wears in an epoch."""
        seed = sample_seed(self.seed, epoch, f"{self.key(index)}+mix")
        chance, place = np.random.default_rng(seed).random(2)
        return int(place * len(self)) if chance < self.mix else index

    def _turns_grey(self, index: int, epoch: int) -> bool:
        """Return whether a pair loses its colour in an epoch."""
        return self.grey > 0 and self._chance(index, epoch, "grey") < self.grey

    def _chance(self, index: int, epoch: int, what: str) -> float:
        """Return a number in [0, 1) that decides something about a sample in an epoch."""
        seed = sample_seed(self.seed, epoch, f"{self.key(index)}+{what}")
        return float(np.random.default_rng(seed).random())

    def refuse_wrong(self, index: int) -> None:
        """Raise `DatasetError` where a stored sample is no exact pair with a hole in it."""
        clean_HWC, occluded_HWC, mask_HW = self.stored(index)  # raises where the mask has greys
        key, hint = self.key(index), f"`fdgen verify {self.root}` lists all that is wrong"
        hole_HW, changed_HW = mask_HW > 0, (clean_HWC != occluded_HWC).any(2)
        if not (changed_HW & ~hole_HW).any():
            if hole_HW.any() and not hole_HW.all():
                return
            what = "covers everything" if hole_HW.any() else "is empty"
            raise DatasetError(f"the mask of {key} in {self.root} {what}", hint=hint)
        if not (changed_HW & hole_HW).any():
            raise DatasetError(
                f"the masks of {self.root} are upside down: {key} is occluded where its mask is 0, and clean where it "
                "is 255",
                hint="a mask must be 255 on the occluder",
            )
        n_other = int((changed_HW & ~hole_HW).sum())
        raise DatasetError(
            f"{key} in {self.root} is not an exact pair: {n_other} pixels outside its mask differ", hint=hint
        )

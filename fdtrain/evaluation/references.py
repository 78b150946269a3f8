"""References for the table of results: methods without training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdtrain.data.pictures import pasted
from fdtrain.data.triplets import Pictures, TripletDataset
from fdtrain.evaluation.classical import RADIUS_PX, Biharmonic, Inpainting, PatchMatch, open_patchmatch
from fdtrain.evaluation.eigenfaces import N_FACES, FaceSpace, Vectors, clean_faces, fit_face_space
from fdtrain.inference.method import Method, OneByOne
from fdtrain.methods import REFERENCES

N_TUNING = 150
"""Photographs kept from the eigenfaces to choose their ridge; at most a fifth of the split."""


class Copy(OneByOne):
    """The input as it is."""

    names: tuple[str, ...] = ("copy of the input",)

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return the occluded picture."""
        return occluded_HWC


class MeanFace(OneByOne):
    """The mean of the training faces in the hole, shifted to meet its surroundings."""

    names: tuple[str, ...] = ("mean face",)

    def __init__(self, mean_HWC: Vectors) -> None:
        self.mean_HWC = mean_HWC

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return the mean face plus the inpainted residual."""
        return with_residual(self.mean_HWC, occluded_HWC, mask_HW)


class Eigenfaces(OneByOne):
    """The face of an eigenspace that fits the known pixels, shifted to meet its surroundings."""

    def __init__(self, space: FaceSpace) -> None:
        self.space = space
        self.names = (f"{len(space.components)} eigenfaces",)

    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Return the completed face plus the inpainted residual."""
        return with_residual(self.space.complete(occluded_HWC, mask_HW)[0], occluded_HWC, mask_HW)


def with_residual(face_HWC: Vectors, occluded_HWC: Image, mask_HW: Image) -> Image:
    """Return the known pixels, and in the hole `face_HWC` plus what it lacks around the hole, carried inwards.

    The residual of the known pixels is continued by the membrane that they span (Laplace's equation), which on faces is
    0.3 to 1.2 dB better than painting it by Telea's method.
    """
    residual = membrane(occluded_HWC.astype(np.float32) - face_HWC, mask_HW)
    filled = np.rint(face_HWC + residual).clip(0, 255).astype(np.uint8)
    return pasted(filled, occluded_HWC, mask_HW)


def membrane(picture_HWC: Vectors, mask_HW: Image) -> Vectors:
    """Return the picture with masked pixels replaced by the mean of their four neighbours, all at once.

    A hole without any surroundings becomes 0.
    """
    hole = mask_HW > 0
    result = picture_HWC.copy()
    if hole.all():
        return np.zeros_like(result)
    rows, columns = np.nonzero(hole)
    n = len(rows)
    if n == 0:
        return result
    place = np.full(hole.shape, -1)
    place[rows, columns] = np.arange(n)
    around = np.pad(place, 1, constant_values=-2)
    values = np.pad(picture_HWC, ((1, 1), (1, 1), (0, 0)))
    degree, known = np.zeros(n), np.zeros((n, picture_HWC.shape[2]))
    links: list[tuple[np.ndarray, np.ndarray]] = []  # type: ignore[type-arg]
    for down, right in ((0, 1), (1, 2), (2, 1), (1, 0)):
        neighbour = around[rows + down, columns + right]
        degree += neighbour > -2  # beyond the edge of the picture there is nothing to be the mean of
        inside = np.flatnonzero(neighbour >= 0)
        links.append((inside, neighbour[inside]))
        outside = np.flatnonzero(neighbour == -1)
        known[outside] += values[rows[outside] + down, columns[outside] + right]
    one, other = (np.concatenate(side) for side in zip(*links, strict=True))
    index = np.arange(n)
    matrix = csc_matrix(
        (
            np.concatenate([np.full(len(one), -1.0), degree]),
            (np.concatenate([one, index]), np.concatenate([other, index])),
        )
    )
    result[rows, columns] = spsolve(matrix, known).reshape(n, -1)
    return result


def open_references(
    names: Sequence[str], train: Callable[[], TripletDataset], *, on_stage: Callable[[str], object] | None = None
) -> list[Method]:
    """Make the references of these names. `train` opens the training split, which only the faces need.

    Raises `FdError` for an unknown name, and what `train` raises.
    """
    if unknown := [name for name in names if name not in REFERENCES]:
        raise FdError(f"there is no reference {unknown[0]!r}", hint=f"the references are {', '.join(REFERENCES)}")
    methods: list[Method] = []
    space: FaceSpace | None = None
    for name in names:
        if name == "copy":
            methods.append(Copy())
        elif name in ("telea", "navier-stokes"):
            methods.append(Inpainting(name))
        elif name == "biharmonic":
            methods.append(Biharmonic())
        elif name == "patchmatch":
            methods.append(open_patchmatch())
        else:
            if space is None:
                space = learn_faces(train(), n=N_FACES if "eigenfaces" in names else 1, on_stage=on_stage)
            methods.append(MeanFace(space.mean_HWC) if name == "mean-face" else Eigenfaces(space))
    return methods


def reference_notes(methods: Sequence[Method]) -> list[str]:
    """Return what a reader must know of the references among these methods to make them again."""
    notes = []
    for method in methods:
        if isinstance(method, Inpainting):
            notes.append(f"{method.names[0]}: OpenCV's, with a radius of {RADIUS_PX:g} px")
        if isinstance(method, PatchMatch):
            notes.append(f"{method.names[0]}: {method.protocol}")
        if isinstance(method, Eigenfaces):
            space = method.space
            notes.append(
                f"{method.names[0]}: of {space.n_faces:,} photographs of the train split, with a ridge of "
                f"{space.ridge:g} times the noise left over, tuned on others of that split"
            )
    return notes


def learn_faces(
    train: TripletDataset, *, n: int = N_FACES, on_stage: Callable[[str], object] | None = None
) -> FaceSpace:
    """Find the eigenfaces of a training split, and their ridge on a part of it that did not make them."""
    photographs = train.table["source"].drop_duplicates().tolist()
    n_tuning = min(N_TUNING, len(photographs) // 5)
    kept_out = set(photographs[len(photographs) - n_tuning :])
    parts: tuple[list[int], list[int]] = ([], [])
    for index, source in enumerate(train.table["source"]):
        parts[source in kept_out].append(index)
    faces, tuning = parts
    if on_stage is not None:
        on_stage("finding eigenfaces")
    space = fit_face_space(clean_faces(train, faces), n=n)
    triplets: list[Pictures] = [train.pictures(index) for index in tuning[:N_TUNING]]
    if not triplets or n == 1:
        return space
    if on_stage is not None:
        on_stage("tuning their ridge")
    return space.tuned(triplets, with_residual)

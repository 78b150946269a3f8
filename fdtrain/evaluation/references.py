"""References for the table of results: methods without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdtrain.data.eigenfaces import N_FACES, FaceSpace, Vectors, clean_faces, fit_face_space
from fdtrain.data.triplets import Pictures, TripletDataset
from fdtrain.evaluation.classical import RADIUS_PX, Biharmonic, Inpainting, PatchMatch, open_patchmatch
from fdtrain.evaluation.variational.hole_window import Variational
from fdtrain.evaluation.variational.joint_interpolation import JointInterpolation
from fdtrain.evaluation.variational.mumford_shah_euler import MumfordShahEuler
from fdtrain.evaluation.variational.structure_texture import StructureTexture
from fdtrain.inference.finish import with_residual
from fdtrain.inference.method import Method, OneByOne
from fdtrain.methods import REFERENCES

VARIATIONAL: Mapping[str, type[Variational]] = {
    "mumford-shah-euler": MumfordShahEuler,
    "structure-texture": StructureTexture,
    "joint-interpolation": JointInterpolation,
}

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
        elif name in VARIATIONAL:
            methods.append(VARIATIONAL[name]())
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
        if isinstance(method, Variational):
            notes.append(f"{method.names[0]}: {method.paper}; {method.protocol}")
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


def convergence_notes(methods: Sequence[Method]) -> list[str]:
    """Return a sentence on each of these methods that ended at its limit of steps for some of the pictures so far."""
    return [
        f"{method.names[0]}: {method.n_unconverged:,} of {method.n_filled:,} fillings ended at the limit of steps, "
        "before the stopping rule was met"
        for method in methods
        if isinstance(method, Variational) and method.n_unconverged
    ]


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

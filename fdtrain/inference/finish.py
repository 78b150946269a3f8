"""What costs no training: means over moved and mirrored pictures, and the membrane that closes the edge of the hole.

Layers that stride leave a grid, which stays where it is when the picture moves: the mean over restorations of moved
pictures, each moved back, is rid of it (cycle spinning, Coifman and Donoho 1995). A face is nearly its own mirror
image, so that the mean of a restoration and of the mirrored one's has less error than either. What a network makes of
the known pixels shows by how much it is off next to the hole: that residual, continued inwards by the membrane that it
spans, is added in the hole. Eigenfaces and the mean face always have the membrane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

from fdgen.arrays import Image
from fdtrain.data.pictures import pasted
from fdtrain.inference.method import Method
from fdtrain.methods import FINISHES, Finish

Vectors = npt.NDArray[np.float32]
Pixels = TypeVar("Pixels", Image, Vectors)

MOVES = ((0, 0), (1, 2), (2, -1), (-1, 1))
"""How far pictures are moved across and down, in px: each remainder of 4 once, both ways."""

_MOST = max(abs(step) for move in MOVES for step in move)


class Finished:
    """A method whose pictures are finished; its names say so, each in place of its own.

    The mean over moved pictures asks the method four times, that with the mirrored one twice, both eight times. With
    the membrane pictures have the known pixels outside the hole: raw output and composited output are the same.
    """

    def __init__(self, method: Method, finish: Finish) -> None:
        self.method, self.finish = method, finish
        self.names: tuple[str, ...] = tuple(finished_name(name, finish) for name in method.names)

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Restore and finish pictures."""
        results = self._means(pairs)
        if "membrane" in self.finish:
            return [tuple(with_residual(one, *pair) for one in made) for made, pair in zip(results, pairs, strict=True)]
        return [tuple(np.rint(one).astype(np.uint8) for one in made) for made in results]

    def _means(self, pairs: Sequence[tuple[Image, Image]]) -> list[list[Vectors]]:
        """Return for each picture the means of what the method makes of its variants, one for each name."""
        moves = MOVES if "shift" in self.finish else MOVES[:1]
        flips = (False, True) if "mirror" in self.finish else (False,)
        made = [self._of_variants(pairs, move, flip) for move in moves for flip in flips]
        return [[_mean(outputs) for outputs in zip(*variants, strict=True)] for variants in zip(*made, strict=True)]

    def _of_variants(
        self, pairs: Sequence[tuple[Image, Image]], move: tuple[int, int], flip: bool
    ) -> list[list[Vectors]]:
        variants = [tuple(_variant(picture, move, flip) for picture in pair) for pair in pairs]
        restored = self.method.restore([(occluded_HWC, mask_HW) for occluded_HWC, mask_HW in variants])
        return [[_undone(output.astype(np.float32), move, flip) for output in outputs] for outputs in restored]


def finished(method: Method, finish: Finish) -> Method:
    """Return a method with its pictures finished; itself where there is nothing to do."""
    return method if finish == "none" else Finished(method, finish)


def finished_name(name: str, finish: Finish) -> str:
    """Return the name of a row whose pictures are finished.

    >>> finished_name("mine", "mirror+membrane"), finished_name("mine", "none")
    ('mine, mirror+membrane', 'mine')
    """
    return name if finish == "none" else f"{name}, {finish}"


def finish_notes(methods: Sequence[Method]) -> list[str]:
    """Return a sentence on what finishes are, where any of these methods has one."""
    if not any(isinstance(method, Finished) for method in methods):
        return []
    return [
        f"shift: the mean of the restorations of the picture moved by {len(MOVES)} steps of up to {_MOST} px; mirror: "
        "the mean with the mirrored restoration of the mirrored picture; membrane: what the output lacks around the "
        "hole, continued inwards, as eigenfaces and the mean face always have it"
    ]


def finish_in(name: str) -> tuple[str, Finish]:
    """Return the name of a method and its finish from the name of its row.

    >>> finish_in("mine, membrane"), finish_in("mine, stage I")
    (('mine', 'membrane'), ('mine, stage I', 'none'))
    """
    for finish in FINISHES[1:]:
        if name.endswith(f", {finish}"):
            return name.removesuffix(f", {finish}"), finish
    return name, "none"


def finish_of_faces(finish: Finish) -> Finish:
    """Return what eigenfaces and the mean face have of a finish of networks.

    They have the membrane by themselves. They have no layers that leave a grid, and of moved pictures, to which they
    are not aligned, they know less.

    >>> finish_of_faces("shift+mirror+membrane"), finish_of_faces("shift+membrane")
    ('mirror', 'none')
    """
    return "mirror" if "mirror" in finish else "none"


def _mean(pictures: Sequence[Vectors]) -> Vectors:
    """Return the mean of those pictures that have a pixel; the first has them all."""
    return np.asarray(np.nanmean(np.stack(pictures), axis=0), np.float32)


def _variant(picture: Image, move: tuple[int, int], flip: bool) -> Image:
    """Return a picture moved across and down by px, its border mirrored, and then mirrored itself where asked."""
    moved = _cut(picture, -move[0], -move[1], mode="reflect")
    return np.ascontiguousarray(moved[:, ::-1] if flip else moved)


def _undone(variant: Vectors, move: tuple[int, int], flip: bool) -> Vectors:
    """Return what was made of a variant in the picture's own place, NaN where the move had cut it off."""
    return _cut(variant[:, ::-1] if flip else variant, *move, mode="constant", constant_values=np.nan)


def _cut(picture: Pixels, right: int, down: int, **border: Any) -> Pixels:
    """Return the window that lies so far right and down of a picture, on a border as `np.pad` makes it."""
    height, width = picture.shape[:2]
    padded: Pixels = np.pad(picture, ((_MOST, _MOST), (_MOST, _MOST), (0, 0))[: picture.ndim], **border)
    return padded[_MOST + down : _MOST + down + height, _MOST + right : _MOST + right + width]


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

"""Fills a hole with the face that fits what is visible best, of all that eigenfaces span, before the generators see it.

    visible pixels -> coefficients, by conjugate gradients -> mean + components + what these lack around the hole

What a linear model knows of a face costs no training: the generators begin there, and learn what it lacks. The face is
that of `fdtrain.data.eigenfaces`, with two differences that make it a graph of products alone, which every engine
runs: coefficients are found on a coarser picture, and by a number of steps that is fixed.

`B3HW` is pictures in [-1, 1], `B1HW` masks of 0 and 1 (1 where the occluder is).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

from fdtrain.config.schema import eigenface_px
from fdtrain.networks.preparation.membrane import continued
from fdtrain.networks.restorer import full_precision

SOLVED_PX = 32
"""Coefficients are found on pictures of about this side, at a quarter or less of the price."""

STEPS = 24
"""Of conjugate gradients: a face is then that of an exact solution to 0.03 grey levels (300 components, 100 faces)."""


class EigenFill(nn.Module):
    """K spaces of faces, side by side: each has a mean and n components, faces of P = 3 S S values.

    S is `eigenface_px`. A component has the length of its standard deviation; spaces that span less have components of
    0 at their end. `ridge` is what the squares of coefficients cost. Before anything is learnt all faces are 0, and
    holes continue what surrounds them.
    """

    mean_KP: Tensor
    basis_KNP: Tensor
    ridge_K: Tensor

    def __init__(self, n: int, size_px: int, *, spaces: int = 1) -> None:
        super().__init__()
        self.side_px = eigenface_px(size_px)
        self.register_buffer("mean_KP", torch.zeros(spaces, 3 * self.side_px**2))
        self.register_buffer("basis_KNP", torch.zeros(spaces, n, 3 * self.side_px**2))
        self.register_buffer("ridge_K", torch.ones(spaces))

    def forward(self, picture_B3HW: Tensor, mask_B1HW: Tensor, space_B: Tensor | None = None) -> Tensor:
        """Return the pictures with their holes filled, each by the space of its number; the first where none is given.

        What the face lacks around the hole is continued into it. In full precision, whatever the generators compute in.
        """
        with full_precision(picture_B3HW.device):
            face_B3SS = self.faces(picture_B3HW.float(), mask_B1HW.float(), space_B)
            if face_B3SS.shape[-1] != picture_B3HW.shape[-1]:
                size = picture_B3HW.shape[-2:]
                face_B3SS = F.interpolate(face_B3SS, size=size, mode="bilinear", align_corners=False)
            lacks_B3HW = continued(picture_B3HW.float() - face_B3SS, 1 - mask_B1HW.float())
            return torch.where(mask_B1HW > 0, (face_B3SS + lacks_B3HW).clamp(-1, 1), picture_B3HW)

    def faces(self, picture_B3HW: Tensor, mask_B1HW: Tensor, space_B: Tensor | None = None) -> Tensor:
        """Return the faces that fit what is visible best (B, 3, S, S)."""
        side = self.side_px
        coarser = max(factor for factor in range(1, max(1, side // SOLVED_PX) + 1) if side % factor == 0)
        known_BQ, seen_BQ = _visible(picture_B3HW, mask_B1HW, side // coarser)
        mean_KQ, basis_KNQ = (_pooled(faces, side, coarser) for faces in (self.mean_KP, self.basis_KNP))
        ridge_K11 = (self.ridge_K / coarser**2).view(-1, 1, 1)
        z_KBN = _solved(basis_KNQ, ridge_K11, seen_BQ, known_BQ - mean_KQ[:, None])
        flat_KBP = self.mean_KP[:, None] + z_KBN @ self.basis_KNP
        if space_B is None:
            chosen_BP = flat_KBP[0]
        else:
            chosen_BP = flat_KBP[space_B, torch.arange(len(space_B), device=space_B.device)]
        return chosen_BP.view(-1, 3, side, side)


class CrossFills(NamedTuple):
    """Spaces of which each lacks a part of the people, and of each training sample the space that lacks its own face.

    A space fits the faces that made it better than any other: generators that learnt from those would trust it.
    """

    fill: EigenFill
    space_of_N: Tensor

    def filled(self, picture_B3HW: Tensor, mask_B1HW: Tensor, index_B: Tensor) -> Tensor:
        """Return pictures of training samples, by their places in the split, with their holes filled."""
        space_B = self.space_of_N[index_B.to(self.space_of_N.device, non_blocking=True)]
        filled_B3HW: Tensor = self.fill(picture_B3HW, mask_B1HW, space_B)
        return filled_B3HW


def _pooled(faces: Tensor, side: int, factor: int) -> Tensor:
    """Return faces (..., 3 S S) that are so many times smaller along a side."""
    small_F3SS = F.avg_pool2d(faces.reshape(-1, 3, side, side), factor)
    return small_F3SS.reshape(*faces.shape[:-1], -1)


def _visible(picture_B3HW: Tensor, mask_B1HW: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Return means over what is visible (B, 3 S S), and how much of each is: one picture a row."""
    factor = picture_B3HW.shape[-1] // side
    visible_B1HW = 1 - mask_B1HW
    seen_B1SS = F.avg_pool2d(visible_B1HW, factor)
    known_B3SS = F.avg_pool2d(picture_B3HW * visible_B1HW, factor) / seen_B1SS.clamp_min(1e-6)
    return known_B3SS.flatten(1), seen_B1SS.expand(-1, 3, -1, -1).flatten(1)


def _solved(basis_KNP: Tensor, ridge_K11: Tensor, seen_BP: Tensor, known_KBP: Tensor) -> Tensor:
    """Return the coefficients (K, B, n) that minimise the squared error of what is seen and what their squares cost.

    Conjugate gradients, preconditioned by the lengths of the components: they are about at right angles to each other.
    """
    turned_KPN = basis_KNP.transpose(1, 2)
    scale_K1N = 1 / ((basis_KNP**2).sum(2)[:, None] + ridge_K11)

    def operator(z_KBN: Tensor) -> Tensor:
        return ((z_KBN @ basis_KNP) * seen_BP) @ turned_KPN + ridge_K11 * z_KBN

    left_KBN = (known_KBP * seen_BP) @ turned_KPN
    z_KBN = torch.zeros_like(left_KBN)
    way_KBN = scale_K1N * left_KBN
    size_KB1 = (left_KBN * way_KBN).sum(2, keepdim=True)
    for _ in range(STEPS):
        moved_KBN = operator(way_KBN)
        step_KB1 = size_KB1 / (way_KBN * moved_KBN).sum(2, keepdim=True).clamp_min(1e-12)
        z_KBN = z_KBN + step_KB1 * way_KBN
        left_KBN = left_KBN - step_KB1 * moved_KBN
        scaled_KBN = scale_K1N * left_KBN
        now_KB1 = (left_KBN * scaled_KBN).sum(2, keepdim=True)
        way_KBN = scaled_KBN + now_KB1 / size_KB1.clamp_min(1e-12) * way_KBN
        size_KB1 = now_KB1
    return z_KBN

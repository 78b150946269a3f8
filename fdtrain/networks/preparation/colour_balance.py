"""Brings the visible face to one colour before a network sees it, and what the network paints back to the face's own.

Von Kries' adaptation with the mean of the visible face in place of a white point: one factor a channel, in light that
is about linear. Brightness stays. Skin differs from skin, which is mended along with the lamp: the network learns how
colours differ within a face, and never has to guess the face's own.

`B3HW` is pictures in [-1, 1], `B1HW` masks of 0 and 1 (1 where the occluder is).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fdtrain.networks.restorer import luma

GAMMA = 2.2
"""Light is about the stored value to this power."""

_CENTRE, _HALF_AXES = (0.5, 0.575), (0.26, 0.36)
"""The face in an aligned crop: an ellipse, in units of its sides."""

LEAST_VISIBLE = 0.02
"""Where less than this share of the picture is visible face, colours stay: a wall says nothing of skin."""

LEAST_COLOUR = 0.03
"""A face whose channels differ by less than this, as shares of their mean, is grey and gets no colour."""

LEAST_CHROMA, LEAST_COLOURED = 0.06, 0.005
"""A pixel has a colour where its channels lie so far apart, in [-1, 1]; a photograph has, where so large a share of its
visible pixels do: a white wall and black hair leave little skin to tell by.
"""

MOST = 4.0
"""No factor is larger, nor smaller than one by it: night lights have no blue to bring back."""


def tint(
    occluded_B3HW: Tensor, mask_B1HW: Tensor, colour: Sequence[float], outlined_B1HW: Tensor | None = None
) -> Tensor:
    """Return the factor (B, 3, 1, 1) of each channel's light by which the visible face differs from `colour`.

    Of both only the ratios of the channels count. 1 for a grey picture, which stays grey, and where too little of the
    face is visible. `outlined_B1HW` is 1 within the outline of the face, by landmarks: caps and hair do not count then.
    Where it is 0 everywhere, for no face was seen, the ellipse is taken that a face fills.
    """
    light_B3HW = _light(occluded_B3HW)
    seen_B1HW = (1 - mask_B1HW.float()) * _face(occluded_B3HW)
    face_B1HW = seen_B1HW
    if outlined_B1HW is not None:
        was_seen_B111 = outlined_B1HW.amax((1, 2, 3), keepdim=True) > 0
        face_B1HW = torch.where(was_seen_B111, seen_B1HW * outlined_B1HW.float(), seen_B1HW)
    enough_B111 = face_B1HW.mean((1, 2, 3), keepdim=True) >= LEAST_VISIBLE
    mean_B311 = (light_B3HW * face_B1HW).sum((2, 3), keepdim=True)
    own_B311 = mean_B311 / mean_B311.mean(1, keepdim=True).clamp_min(1e-6)
    wanted_311 = torch.tensor(colour, dtype=torch.float32).view(3, 1, 1)
    wanted_311 = wanted_311.to(occluded_B3HW.device, non_blocking=True)  # no GPU is waited for
    factor_B311 = (own_B311 / (wanted_311 / wanted_311.mean())).clamp(1 / MOST, MOST)
    is_coloured_B111 = (own_B311 - 1).abs().amax(1, keepdim=True) >= LEAST_COLOUR
    is_told_B111 = enough_B111 & is_coloured_B111 & (mean_B311.sum(1, keepdim=True) > 0)
    return torch.where(is_told_B111, factor_B311, 1.0)


def without_tint(picture_B3HW: Tensor, tint_B311: Tensor) -> Tensor:
    """Return a picture as it would be if its face had the colour asked for; what gets too bright is cut off."""
    return _stored(_light(picture_B3HW) / tint_B311)


def with_tint(picture_B3HW: Tensor, tint_B311: Tensor) -> Tensor:
    """Give a picture back what `without_tint` took."""
    return _stored(_light(picture_B3HW) * tint_B311)


def as_colourless(made_B3HW: Tensor, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Take the colour out of what is made of a photograph that shows none outside its mask; others stay as they are."""
    seen_B1HW = 1 - mask_B1HW.float()
    chroma_B1HW = occluded_B3HW.float().amax(1, keepdim=True) - occluded_B3HW.float().amin(1, keepdim=True)
    n_coloured_B111 = ((chroma_B1HW > LEAST_CHROMA) * seen_B1HW).sum((2, 3), keepdim=True)
    n_seen_B111 = seen_B1HW.sum((2, 3), keepdim=True)
    is_grey_B111 = (n_coloured_B111 <= LEAST_COLOURED * n_seen_B111) & (n_seen_B111 > 0)
    return torch.where(is_grey_B111, luma(made_B3HW), made_B3HW)


def _light(picture_B3HW: Tensor) -> Tensor:
    return ((picture_B3HW.float() + 1) / 2).clamp(0, 1) ** GAMMA


def _stored(light_B3HW: Tensor) -> Tensor:
    return light_B3HW.clamp(0, 1) ** (1 / GAMMA) * 2 - 1


def _face(picture_B3HW: Tensor) -> Tensor:
    """Return 1 in the face and 0 around it (H, W)."""
    height, width = picture_B3HW.shape[-2:]
    down, across = (
        (torch.arange(n, device=picture_B3HW.device, dtype=torch.float32) + 0.5) / n - centre
        for n, centre in ((height, _CENTRE[1]), (width, _CENTRE[0]))
    )
    return ((down[:, None] / _HALF_AXES[1]) ** 2 + (across / _HALF_AXES[0]) ** 2 <= 1).float()

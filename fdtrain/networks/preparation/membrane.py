"""Continues what is known around a hole into it, smoothly, as a graph of sums and means that every engine runs.

Near to the membrane that the surroundings span (`fdtrain.inference.finish.membrane` finds that exactly): pictures are
halved while there is a hole, filled from the coarsest on, and smoothed at each size.

`BCHW` is any maps, `B1HW` masks of 0 and 1 (1 where something is known).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

LEAST_PX = 4
"""The coarsest maps have this side, or the next larger one that halving gives."""

SWEEPS = 6
"""Of smoothing at each size."""


def continued(maps_BCHW: Tensor, known_B1HW: Tensor) -> Tensor:
    """Return the maps, and in place of what is not known what surrounds it. 0 where nothing is known at all."""
    side = maps_BCHW.shape[-1]
    known_BCHW = maps_BCHW * known_B1HW
    if side % 2 or side // 2 < LEAST_PX:
        mean_BC11 = known_BCHW.sum((2, 3), keepdim=True) / known_B1HW.sum((2, 3), keepdim=True).clamp_min(1e-6)
        begun_BCHW = mean_BC11.expand_as(maps_BCHW)
    else:
        share_B1HW = F.avg_pool2d(known_B1HW, 2)
        smaller_BCHW = F.avg_pool2d(known_BCHW, 2) / share_B1HW.clamp_min(1e-6)
        begun_BCHW = F.interpolate(
            continued(smaller_BCHW, (share_B1HW > 0).to(maps_BCHW.dtype)),
            scale_factor=2.0,
            mode="bilinear",
            align_corners=False,
        )
    for _ in range(SWEEPS):
        begun_BCHW = _means_of_neighbours(torch.where(known_B1HW > 0, maps_BCHW, begun_BCHW))
    return torch.where(known_B1HW > 0, maps_BCHW, begun_BCHW)


def _means_of_neighbours(maps_BCHW: Tensor) -> Tensor:
    """Return the mean of the four neighbours of each pixel; beyond an edge lies the pixel itself."""
    wide_BCHW = F.pad(maps_BCHW, (1, 1, 1, 1), mode="replicate")
    return (
        wide_BCHW[..., :-2, 1:-1] + wide_BCHW[..., 2:, 1:-1] + wide_BCHW[..., 1:-1, :-2] + wide_BCHW[..., 1:-1, 2:]
    ) / 4

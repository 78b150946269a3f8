"""Contextual attention (Yu et al. 2018, section 4): features of the inpainted region (hole) made of known patches."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn

PATCH, RATE = 3, 2
"""Patches of 3x3 are matched on features halved once more, and pasted at twice that: 4x4 with a stride of 2."""

SHARPNESS = 10.0
"""lambda of eq. 7, by which similarities are scaled before the softmax."""

REACH = 3
"""k of eq. 9: attention is propagated along so many neighbours, to the left and right, then up and down."""

SMALL = 1e-4
"""Keeps a patch of zeros from dividing by zero."""


class ContextualAttention(nn.Module):
    """Replace features by a softmax mixture of known patches. (B, C, H, W) to the same shape; H and W must be even.

    Known is a patch of which nothing lies in the hole; a picture without any such patch keeps its features.
    """

    def forward(self, features_BCHW: Tensor, mask_B1HW: Tensor) -> Tensor:
        """Attend to what is known; `mask_B1HW` is at the picture's size."""
        height, width = features_BCHW.shape[-2] // RATE, features_BCHW.shape[-1] // RATE
        small_BChw = features_BCHW[..., ::RATE, ::RATE]
        patches_BDN = F.unfold(small_BChw, PATCH, padding=PATCH // 2)
        lengths_B1N = patches_BDN.norm(dim=1, keepdim=True).clamp(min=SMALL)
        # Cosine similarity of every place (columns) with every known patch (rows), eq. 6.
        similar_BNN = torch.bmm((patches_BDN / lengths_B1N).transpose(1, 2), patches_BDN)
        similar_BNN = _propagated(similar_BNN, height, width)

        holes_B1hw = F.adaptive_max_pool2d(mask_B1HW.to(small_BChw.dtype), (height, width))
        touched_BN1 = F.unfold(holes_B1hw, PATCH, padding=PATCH // 2).amax(1)[..., None]
        known_BN1 = (touched_BN1 == 0).to(similar_BNN.dtype)
        attention_BNN = F.softmax(similar_BNN * known_BN1 * SHARPNESS, dim=1) * known_BN1  # eq. 7

        # Paste: overlapping patches of the features themselves, each pixel in four of them.
        side = 2 * RATE
        pasted_BDN = torch.bmm(F.unfold(features_BCHW, side, padding=RATE // 2, stride=RATE), attention_BNN)
        size = (height * RATE, width * RATE)
        counts = F.fold(
            torch.ones_like(pasted_BDN[:1, : side * side]), size, side, padding=RATE // 2, stride=RATE
        ).clamp(min=1)
        mixed_BCHW = F.fold(pasted_BDN, size, side, padding=RATE // 2, stride=RATE) / counts
        return torch.where(known_BN1.amax((1, 2))[:, None, None, None] > 0, mixed_BCHW, features_BCHW)


def _propagated(similar_BNN: Tensor, height: int, width: int) -> Tensor:
    """Sum similarities along diagonals (eq. 8): what matches here makes the next patch match the next place."""
    n = height * width
    kernel = torch.eye(REACH, device=similar_BNN.device, dtype=similar_BNN.dtype).view(1, 1, REACH, REACH)
    grid = F.conv2d(similar_BNN[:, None], kernel, padding=REACH // 2)
    # The same down the columns: places are numbered column by column for it.
    grid = grid.view(-1, height, width, height, width).permute(0, 2, 1, 4, 3).reshape(-1, 1, n, n)
    grid = F.conv2d(grid, kernel, padding=REACH // 2)
    return grid.view(-1, width, height, width, height).permute(0, 2, 1, 4, 3).reshape(-1, n, n)

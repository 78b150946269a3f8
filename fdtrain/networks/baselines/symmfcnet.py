"""SymmFCNet of Li et al. 2018: what one half of a face hides is taken from the other, the rest is made up.

    blanked, its mirror image -> FlowNet -> flow;  mirror image, warped by it -> the other half on each pixel
    blanked, the other half -> LightNet -> a factor for each pixel and channel
    blanked, hidden pixels whose counterparts are seen filled -> RecNet -> picture

Flow is in shares of the side, from a pixel to where its counterpart is in the mirror image: short in an aligned face.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdtrain.config.baselines import SymmFcNetConfig
from fdtrain.networks.baselines.encoder_decoder import Decoded, UNet
from fdtrain.networks.restorer import Restoration, Restorer, blanked


class Warped(NamedTuple):
    """What the warping subnet makes.

    `lit_B3HW` is the other half on each pixel, lit as this one, in [-1, 1]; `light_B3HW` by what factor; `seen_B1HW`
    is 1 where the counterpart of a pixel is known, 0 where it is hidden, too.
    """

    flow_B2HW: Tensor
    light_B3HW: Tensor
    lit_B3HW: Tensor
    seen_B1HW: Tensor


class SymmFcNet(Restorer):
    """All three networks. The side must be a power of 2."""

    @classmethod
    def of(cls, settings: Any, size_px: int) -> SymmFcNet:
        """Return the networks of these settings: how often they halve the picture is of its size."""
        return cls(settings, size_px)

    def __init__(self, config: SymmFcNetConfig, size_px: int) -> None:
        super().__init__()
        self.flow = UNet(8, 2, config.width, size_px)
        self.light = UNet(8, 3, config.width, size_px)
        self.reconstruction = UNet(5, 3, config.width, size_px)

    def forward(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Restoration:
        """Complete the picture; what lies in the hole is not looked at."""
        warped = self.warped(occluded_B3HW, mask_B1HW)
        image_B3HW = torch.tanh(self.reconstructed(occluded_B3HW, mask_B1HW, warped).raw_BCHW)
        return Restoration(image_B3HW, image_B3HW)

    def warped(self, occluded_B3HW: Tensor, mask_B1HW: Tensor) -> Warped:
        """Return the other half of the face on this one, pixel by pixel."""
        known_B4HW = torch.cat([blanked(occluded_B3HW, mask_B1HW), mask_B1HW], 1)
        turned_B4HW = known_B4HW.flip(3)
        found: Decoded = self.flow(torch.cat([known_B4HW, turned_B4HW], 1))
        flow_B2HW = torch.tanh(found.raw_BCHW.float())
        other_B4HW = warp(turned_B4HW, flow_B2HW).to(known_B4HW.dtype)
        made: Decoded = self.light(torch.cat([known_B4HW, other_B4HW], 1))
        light_B3HW = 2 * made.raw_BCHW.sigmoid().float()
        lit_B3HW = (light_B3HW * (other_B4HW[:, :3].float() * 0.5 + 0.5)).clamp(0, 1) * 2 - 1
        seen_B1HW = (other_B4HW[:, 3:].detach() < 0.5).to(mask_B1HW.dtype)
        return Warped(flow_B2HW, light_B3HW, lit_B3HW, seen_B1HW)

    def reconstructed(self, occluded_B3HW: Tensor, mask_B1HW: Tensor, warped: Warped) -> Decoded:
        """Return the picture before its tanh, and the features that it is made of."""
        filled_B1HW = mask_B1HW * warped.seen_B1HW
        known_B3HW = blanked(occluded_B3HW, mask_B1HW) + filled_B1HW * warped.lit_B3HW.to(occluded_B3HW.dtype)
        made: Decoded = self.reconstruction(torch.cat([known_B3HW, mask_B1HW, filled_B1HW], 1))
        return made


def warp(image_BCHW: Tensor, flow_B2HW: Tensor) -> Tensor:
    """Return for each pixel what lies where its flow leads, x before y, in shares of the side; borders go on.

    >>> row = torch.tensor([[[[0.0, 1.0, 2.0, 3.0]] * 4]])
    >>> right = torch.tensor([0.25, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    >>> warp(row, right)[0, 0, 0].tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    side = image_BCHW.shape[-1]
    places_S = (torch.arange(side, device=image_BCHW.device, dtype=torch.float32) * 2 + 1) / side - 1
    x_HW, y_HW = places_S[None, :].expand(side, side), places_S[:, None].expand(side, side)
    grid_BHW2 = torch.stack([x_HW, y_HW], -1)[None] + 2 * flow_B2HW.permute(0, 2, 3, 1)
    return F.grid_sample(image_BCHW.float(), grid_BHW2, padding_mode="border", align_corners=False)

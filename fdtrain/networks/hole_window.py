"""The inpainted region (hole): its window for local discriminators, and the distance of its pixels from its edge."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor


def window_at(image_BCHW: Tensor, mask_B1HW: Tensor, side_px: int) -> Tensor:
    """Cut a square of `side_px` out of each picture (B, C, side, side), centred on its hole as far as edges allow."""
    covered_BHW = mask_B1HW[:, 0] > 0
    rows_BS, columns_BS = (_places(covered_BHW.any(axis), side_px) for axis in (2, 1))
    pictures_B11 = torch.arange(len(image_BCHW), device=image_BCHW.device)[:, None, None]
    # By places and not by slices, for which a GPU would be asked where each hole is; channels come last, and go back.
    windows_BHWC = image_BCHW.permute(0, 2, 3, 1)[pictures_B11, rows_BS[:, :, None], columns_BS[:, None]]
    return windows_BHWC.permute(0, 3, 1, 2).contiguous()


def _places(covered_BN: Tensor, side_px: int) -> Tensor:
    """Return the places (B, side_px) of a window along one side, centred between the first and last covered place."""
    length = covered_BN.shape[1]
    first_B = covered_BN.int().argmax(1)
    last_B = length - 1 - covered_BN.flip(1).int().argmax(1)
    centre_B = torch.where(covered_BN.any(1), (first_B + last_B + 1) // 2, length // 2)
    start_B = (centre_B - side_px // 2).clamp(0, length - side_px)
    return start_B[:, None] + torch.arange(side_px, device=covered_BN.device)


def depths_px(mask_B1HW: Tensor) -> Tensor:
    """Return for each pixel of the hole its distance in px from the nearest known one; 0 outside (B, 1, H, W).

    A hole without any surroundings is as deep as the picture is wide.
    """
    if mask_B1HW.is_meta:  # shapes only
        return torch.empty_like(mask_B1HW)
    depths = []
    for mask_HW in mask_B1HW[:, 0].cpu().numpy():
        hole = mask_HW > 0
        deep = distance_transform_edt(hole) if not hole.all() else np.full(hole.shape, float(hole.shape[1]))
        depths.append(torch.from_numpy(np.asarray(deep, np.float32)))
    return torch.stack(depths)[:, None].to(mask_B1HW.device)

"""The inpainted region (hole): its window for local discriminators, and the distance of its pixels from its edge."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor


def window_at(image_BCHW: Tensor, mask_B1HW: Tensor, side_px: int) -> Tensor:
    """Cut a square of `side_px` out of each picture (B, C, side, side), centred on its hole as far as edges allow."""
    if mask_B1HW.is_meta:  # shapes only
        return image_BCHW[..., :side_px, :side_px]
    windows = []
    for image_CHW, mask_HW in zip(image_BCHW, mask_B1HW[:, 0], strict=True):
        top, left = (_start(mask_HW.any(axis), side_px) for axis in (1, 0))
        windows.append(image_CHW[:, top : top + side_px, left : left + side_px])
    return torch.stack(windows)


def _start(covered: Tensor, side_px: int) -> int:
    """Return where a window begins along one side, centred between the first and the last covered place."""
    places = covered.nonzero().flatten()
    length = len(covered)
    centre = (int(places[0]) + int(places[-1]) + 1) // 2 if len(places) else length // 2
    return min(max(centre - side_px // 2, 0), length - side_px)


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

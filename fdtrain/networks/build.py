"""Builds the network that a config names, before its weights are trained or loaded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fdgen.runtime.load_by_name import load_by_name
from fdtrain.config.schema import FitConfig
from fdtrain.methods import LEARNED
from fdtrain.networks.fdstack import BaseNet, StackedGAN
from fdtrain.networks.masknet import MaskNet
from fdtrain.networks.restorer import Restorer


def build_model(config: FitConfig) -> Restorer:
    """Return the network of a config: the stack, its Base-Net alone, or the baseline in its place."""
    if config.baseline is not None:
        network: type[Restorer] = load_by_name(LEARNED[config.baseline.method].network)
        return network.of(config.baseline, config.data.size_px)
    if config.mask is not None:
        raise TypeError("a network that finds occluders restores nothing")
    return build_stack(config)


def build_stack(config: FitConfig) -> BaseNet:
    """Return the network of a config that names no baseline: both stages, or the Base-Net alone."""
    stack = BaseNet if config.training.n_stages == 1 else StackedGAN
    return stack(config.network, config.data.size_px)


def build_masknet(config: FitConfig) -> MaskNet:
    """Return the network that finds occluders; its kinds must have been settled."""
    if config.mask is None:
        raise TypeError("a segmentation network needs a table of settings")
    return MaskNet(kinds=len(config.mask.kinds or ()), widths=config.mask.widths)


def build_network(config: FitConfig) -> nn.Module:
    """Return the network of a config, for any task."""
    return build_model(config) if config.mask is None else build_masknet(config)


def blank_inputs(config: FitConfig, pictures: int = 1) -> tuple[Tensor, ...]:
    """Return what that network takes, pictures of zeros: occluded pictures, and where it restores, their masks."""
    side = config.data.size_px
    picture_B3HW, mask_B1HW = torch.zeros(pictures, 3, side, side), torch.ones(pictures, 1, side, side)
    return (picture_B3HW, mask_B1HW) if config.mask is None else (picture_B3HW,)

"""The network that a config names, with weights yet to be learnt or loaded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fdtrain.config.baselines import (
    ContextEncoderConfig,
    DinConfig,
    EdgeConnectConfig,
    GcaConfig,
    GlcmConfig,
    Pix2pixConfig,
)
from fdtrain.config.schema import FitConfig
from fdtrain.networks.context_encoder import ContextEncoder
from fdtrain.networks.din import Din
from fdtrain.networks.edgeconnect import EdgeConnect
from fdtrain.networks.fdstack import BaseNet, StackedGAN
from fdtrain.networks.gca import Gca
from fdtrain.networks.glcm import Glcm
from fdtrain.networks.masknet import MaskNet
from fdtrain.networks.pix2pix import Pix2pix
from fdtrain.networks.restorer import Restorer


def build_model(config: FitConfig) -> Restorer:
    """Return the network of a config: the stack, its Base-Net alone, or the baseline that stands in its place."""
    settings, size_px = config.baseline, config.data.size_px
    if config.is_stack:
        return BaseNet(config.network) if config.training.n_stages == 1 else StackedGAN(config.network)
    if isinstance(settings, GlcmConfig):
        return Glcm(settings)
    if isinstance(settings, GcaConfig):
        return Gca(settings)
    if isinstance(settings, EdgeConnectConfig):
        return EdgeConnect(settings)
    if isinstance(settings, ContextEncoderConfig):
        return ContextEncoder(settings, size_px)
    if isinstance(settings, Pix2pixConfig):
        return Pix2pix(settings, size_px)
    if isinstance(settings, DinConfig):
        return Din(settings)
    raise TypeError(f"no network for {type(settings).__name__}")


def build_masknet(config: FitConfig) -> MaskNet:
    """Return the network that finds occluders; its kinds must have been settled."""
    if config.mask is None:
        raise TypeError("no mask network without a table of settings for it")
    return MaskNet(kinds=len(config.mask.kinds or ()), widths=config.mask.widths)


def build_network(config: FitConfig) -> nn.Module:
    """Return the network of a config, whatever it is for."""
    return build_model(config) if config.mask is None else build_masknet(config)


def blank_inputs(config: FitConfig, pictures: int = 1) -> tuple[Tensor, ...]:
    """Return what that network takes, pictures of zeros: occluded pictures, and where it restores, their masks."""
    side = config.data.size_px
    picture_B3HW, mask_B1HW = torch.zeros(pictures, 3, side, side), torch.ones(pictures, 1, side, side)
    return (picture_B3HW, mask_B1HW) if config.mask is None else (picture_B3HW,)

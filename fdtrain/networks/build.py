"""The network that a config names, with weights yet to be learnt or loaded."""

from __future__ import annotations

from fdtrain.baseline_config import (
    ContextEncoderConfig,
    DinConfig,
    EdgeConnectConfig,
    GcaConfig,
    GlcmConfig,
    Pix2pixConfig,
)
from fdtrain.config import FitConfig
from fdtrain.networks.context_encoder import ContextEncoder
from fdtrain.networks.din import Din
from fdtrain.networks.edgeconnect import EdgeConnect
from fdtrain.networks.fdstack import BaseNet, StackedGAN
from fdtrain.networks.gca import Gca
from fdtrain.networks.glcm import Glcm
from fdtrain.networks.pix2pix import Pix2pix
from fdtrain.networks.restorer import Restorer


def build_model(config: FitConfig) -> Restorer:
    """Return the network of a config: the stack, its Base-Net alone, or the baseline that stands in its place."""
    settings, size_px = config.baseline, config.data.size_px
    if settings is None:
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

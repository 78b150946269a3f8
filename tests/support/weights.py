"""Weights of an untrained model, written as training writes them."""

from __future__ import annotations

from pathlib import Path

import torch

from fdtrain.config.schema import FitConfig
from fdtrain.networks.build import build_masknet
from fdtrain.networks.fdstack import StackedGAN, initialise
from fdtrain.training.checkpoint import save_model
from tests.support.micro import micro


def write_weights(path: Path, *, seed: int = 0, content_id: str = "", size_px: int = 32, **facts: object) -> Path:
    """Write a model small enough to run in no time, `facts` beside it; every seed gives another."""
    config = micro(Path(), f"data.size_px={size_px}")
    model = StackedGAN(config.network, size_px)
    initialise(model, torch.Generator().manual_seed(seed))
    save_model(path, model, {"config": config.as_dict(), "content_id": content_id, **facts})
    return path


def write_mask_weights(
    path: Path, *, seed: int = 0, content_id: str = "", temperature: float = 1.0, size_px: int = 32
) -> Path:
    """Write a mask network as small, of three kinds."""
    overrides = [f"data.size_px={size_px}", "mask.widths=[8,12,16]", 'mask.kinds=["hand","mask","sunglasses"]']
    config = FitConfig.load("mask-96", overrides=overrides)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build_masknet(config)
    facts = {"config": config.as_dict(), "content_id": content_id, "temperature": temperature}
    save_model(path, net, facts)
    return path

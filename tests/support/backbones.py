"""Weights of perceptual networks drawn at random."""

from __future__ import annotations

import torch

from fdtrain.objectives.perceptual import BACKBONES


def vgg_state(name: str, prefix: str) -> dict[str, torch.Tensor]:
    """Return weights of a VGG drawn at random, as its file has them."""
    state, n_in, place = {}, 3, 0
    generator = torch.Generator().manual_seed(0)
    for n_out, n_layers in zip((64, 128, 256, 512, 512), BACKBONES[name].blocks, strict=True):
        for _ in range(n_layers):
            state[f"{prefix}{place}.weight"] = torch.randn(n_out, n_in, 3, 3, generator=generator) / (3 * n_in**0.5)
            state[f"{prefix}{place}.bias"] = torch.zeros(n_out)
            n_in, place = n_out, place + 2
        place += 1
    return state

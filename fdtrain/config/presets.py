"""Presets: one name for all settings of a run. `faithful` is the paper; other presets name only their differences."""

from __future__ import annotations

from typing import Any, NamedTuple

from fdtrain.config.baseline_presets import BASELINE_DESCRIPTIONS, BASELINE_PRESETS
from fdtrain.config.mask import MASK_DESCRIPTIONS, MASK_PRESETS


class Shape(NamedTuple):
    """What depends on the size of the pictures and on how long one is ready to wait."""

    size_px: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    discriminator_width: int
    batch: int
    images: int | None  # None: the paper's 1,000 epochs


# The modern recipe: what is measured to matter. Faces change occluders with each other, so that no face is learnt by
# heart with one hole. The hole counts six times and is blanked, what is judged is the composited picture, stage II
# starts from the composited coarse one, and the averaged weights are used. Without instance normalisation, which
# forgets the level of each channel, a step takes half the time and the rate may be twenty times the paper's. Stage I
# only reconstructs; stage II reconstructs as heavily (at the paper's 10 it loses PSNR) and also faces the perceptual
# and the adversarial term.
_MODERN: dict[str, Any] = {
    "data.augment": "flip",
    "data.mix": 0.8,
    "network.norm": "none",
    "network.order": "conv-norm-act",
    "network.tanh_ends": False,
    "network.upsample": "nearest",
    "network.residual_middle": True,
    "network.blank_hole": True,
    "network.refine_input": "composited",
    "discriminator.norm": "none",
    "discriminator.spectral_norm": True,
    "loss.alpha": [100.0, 100.0],
    "loss.beta": [0.0, 5.0],
    "loss.gamma": [0.0, 2.0],
    "loss.perceptual": "auto",
    "loss.perceptual_layers": ["relu1_1", "relu2_1", "relu3_1"],
    "loss.perceptual_relative": True,
    "loss.adversarial": "hinge",
    "loss.hole_weight": 6.0,
    "loss.composite": True,
    "training.lr_generator": 1e-3,
    "training.lr_discriminator": 4e-4,
    "training.betas": [0.5, 0.99],
    "training.warmup_images": 2_000,
    "training.clip_norm": 100.0,
    "training.ema_decay": 0.999,
    "training.channels_last": True,
}

_FAITHFUL: dict[str, Any] = {}

# Under 256 px fewer layers stride, so that the bottleneck keeps 8x8; at 8x8 dilations past 4 see only their centre.
_WIDE, _THIN = (64, 128, 256, 512, 512), (32, 64, 128, 256, 256)
_HALF, _NARROW = (48, 96, 192, 256, 256), (32, 64, 96, 128, 128)

_TABLE: dict[str, tuple[dict[str, Any], Shape, str]] = {
    # name           recipe     size  widths   strides          dilations      D   batch  images
    "faithful":     (_FAITHFUL, Shape(256, _WIDE,   (2, 2, 2, 2, 2), (2, 4, 8, 16), 64, 10, None),
                     "the paper to the letter"),
    "modern":       (_MODERN,   Shape(256, _HALF,   (2, 2, 2, 2, 1), (1, 2, 4, 8),  64, 16, 3_000_000),
                     "no instance norm, masked pixels blanked, occluders swapped"),
    "modern-128":   (_MODERN,   Shape(128, _HALF,   (2, 2, 2, 2, 1), (1, 2, 4, 2),  64, 16, 1_500_000),
                     "the same for 128 px"),
    "faithful-64":  (_FAITHFUL, Shape(64,  _THIN,   (2, 2, 2, 1, 1), (2, 4, 8, 16), 32, 10, None),
                     "the paper at 64 px: three layers stride, half as wide"),
    "modern-64":    (_MODERN,   Shape(64,  _HALF,   (2, 2, 2, 1, 1), (1, 2, 4, 2),  32, 16, 160_000),
                     "a real result on a CPU in hours"),
    "tiny":         (_MODERN,   Shape(64,  _NARROW, (2, 2, 2, 1, 1), (1, 2, 4),     16, 16, 4_000),
                     "the modern recipe, narrow: minutes on a processor with AVX2"),
}  # fmt: skip

_OWN: dict[str, dict[str, Any]] = {
    "modern": {
        "loss.perceptual_from_images": 500_000,
        "loss.adversarial_from_images": 500_000,
        "training.decay_from_images": 500_000,
    },
    "modern-128": {
        "loss.perceptual_from_images": 200_000,
        "loss.adversarial_from_images": 200_000,
        "training.decay_from_images": 200_000,
    },
    "modern-64": {
        "discriminator.most_width": 128,
        "loss.perceptual_from_images": 80_000,
        "loss.adversarial_from_images": 80_000,
        "training.lr_generator": 2e-3,
        "training.decay_from_images": 40_000,
    },
    "tiny": {
        "discriminator.most_width": 128,
        "loss.perceptual": "off",  # no weights need be there
        "loss.adversarial_from_images": 2_400,
        "training.lr_generator": 2e-3,
        "training.warmup_images": 400,
        "training.decay_from_images": 1_400,
        "output.stats_images": 200,
        "output.checkpoint_images": 2_000,
        "output.validation_images": 2_000,
        "output.sample_images": 2_000,
        "output.validation_limit": 100,
    },
}


def _settings(name: str) -> dict[str, Any]:
    recipe, shape, _ = _TABLE[name]
    ends = {} if shape.images is None else {"training.epochs": "none", "training.images": shape.images}
    return {
        **recipe,
        "data.size_px": shape.size_px,
        "network.widths": list(shape.widths),
        "network.strides": list(shape.strides),
        "network.dilations": list(shape.dilations),
        "discriminator.width": shape.discriminator_width,
        "training.batch": shape.batch,
        **ends,
        **_OWN.get(name, {}),
    }


PRESETS: dict[str, dict[str, Any]] = {name: _settings(name) for name in _TABLE} | BASELINE_PRESETS | MASK_PRESETS
"""What each preset sets, by dotted key."""

DESCRIPTIONS: dict[str, str] = (
    {name: line for name, (_, _, line) in _TABLE.items()} | BASELINE_DESCRIPTIONS | MASK_DESCRIPTIONS
)

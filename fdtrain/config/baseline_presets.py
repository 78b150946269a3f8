"""Presets of the baselines: each as in its paper at 256 px, and a 64 px form that a CPU can train.

What a paper does not say is what pix2pix or the stack does. The 64 px forms are half as wide, and their phases have the
shares of the paper's training. What differs by method is in `fdtrain.methods`.
"""

from __future__ import annotations

from typing import Any

from fdtrain.methods import LEARNED, Training, baselines

_SMALL_IMAGES, _SMALL_BATCH = 160_000, 16
"""Those of modern-64."""


def _settings(name: str, training: Training, size_px: int) -> dict[str, Any]:
    method, small = LEARNED[name], size_px == 64
    return {
        "baseline.method": name,
        "data.size_px": size_px,
        # Like `modern`, so that all see the same data: mirrored faces that change occluders with each other.
        "data.augment": "flip",
        "data.mix": 0.8,
        **({} if method.compares_features else {"loss.perceptual": "off"}),
        "training.batch": _SMALL_BATCH if small else training.batch,
        "training.epochs": "none",
        "training.images": _SMALL_IMAGES if small else training.images,
        "training.lr_generator": training.rates[0],
        "training.lr_discriminator": training.rates[1],
        "training.betas": list(training.betas),
        **(method.small if small else {}),
    }


BASELINE_PRESETS: dict[str, dict[str, Any]] = {
    f"{name}{suffix}": _settings(name, method.training, size_px)
    for suffix, size_px in (("", 256), ("-64", 64))
    for name, method in baselines().items()
    if method.training is not None
}
"""What each preset sets, by dotted key."""

BASELINE_DESCRIPTIONS: dict[str, str] = {
    **{name: method.paper for name, method in baselines().items()},
    **{f"{name}-64": f"{method.paper}, half as wide at 64 px" for name, method in baselines().items()},
}

"""Presets of the baselines: each as its paper has it at 256 px, and a 64 px form whose training a CPU can pay for.

What a paper does not say is what pix2pix or the stack does. The 64 px forms are half as wide, and their phases have the
shares of the paper's training; GCA's critics take one step for each of the generator, not five, since budgets here are
counted in images and four fifths of them would teach the generator nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class _Paper(NamedTuple):
    """How a paper trains: batch, images in all (None: 1,000 epochs are not said otherwise), rates, betas, a line."""

    batch: int
    images: int
    rates: tuple[float, float]
    betas: tuple[float, float]
    perceptual: bool
    line: str


_PAPERS: dict[str, _Paper] = {
    # name             batch images       rates of G and D   betas          features  what it is
    "glcm":            _Paper(96, 48_000_000, (1.0, 1.0),     (0.5, 0.999), False, "Iizuka et al. 2017"),
    "gca":             _Paper(16, 16_000_000, (1e-4, 1e-4),   (0.5, 0.9),   False, "Yu et al. 2018"),
    "edgeconnect":     _Paper(8,  2_000_000,  (1e-4, 1e-5),   (0.0, 0.9),   True,  "Nazeri et al. 2019"),
    "context-encoder": _Paper(64, 6_000_000,  (2e-3, 2e-4),   (0.5, 0.999), False, "Pathak et al. 2016"),
    "pix2pix":         _Paper(4,  4_000_000,  (2e-4, 2e-4),   (0.5, 0.999), False, "Isola et al. 2017"),
    "din":             _Paper(10, 2_000_000,  (2e-4, 2e-4),   (0.5, 0.999), True,  "Din et al. 2020, editing module"),
}  # fmt: skip

_SMALL_IMAGES, _SMALL_BATCH = 160_000, 16
"""Those of modern-64."""

_SMALL: dict[str, dict[str, Any]] = {
    "glcm": {
        "baseline.width": 32,
        "baseline.discriminator_width": 32,
        # Of 500,000 iterations: 90,000 alone, 10,000 for the discriminators (section 4).
        "baseline.discriminator_from_images": 28_800,
        "baseline.adversarial_from_images": 32_000,
    },
    "gca": {"baseline.width": 16, "baseline.discriminator_width": 32, "baseline.critic_steps": 1},
    "edgeconnect": {
        "baseline.width": 32,
        "baseline.discriminator_width": 32,
        "baseline.joint_from_images": 128_000,
    },
    "context-encoder": {"baseline.width": 32, "baseline.discriminator_width": 32, "baseline.bottleneck": 1000},
    "pix2pix": {"baseline.width": 32, "baseline.discriminator_width": 32},
    "din": {"baseline.width": 32, "baseline.discriminator_width": 32, "baseline.mask_from_images": 64_000},
}


_FAST = {"training.channels_last": True}
"""As `modern-64`: with bf16, 1.1 (pix2pix) to 2.7 times (GLCM) the images a second on a CPU that has it. Not where
instances are normalised and nothing else takes long: `din` is a sixth slower with both."""


def _settings(name: str, size_px: int) -> dict[str, Any]:
    paper, small = _PAPERS[name], size_px == 64
    return {
        "baseline.method": name,
        "data.size_px": size_px,
        # Like `modern`, so that all see the same data: mirrored faces that change occluders with each other.
        "data.augment": "flip",
        "data.mix": 0.8,
        **({} if paper.perceptual else {"loss.perceptual": "off"}),
        "training.batch": _SMALL_BATCH if small else paper.batch,
        "training.epochs": "none",
        "training.images": _SMALL_IMAGES if small else paper.images,
        "training.lr_generator": paper.rates[0],
        "training.lr_discriminator": paper.rates[1],
        "training.betas": list(paper.betas),
        **(_SMALL[name] if small else {}),
        **(_FAST if small and name != "din" else {}),
    }


BASELINE_PRESETS: dict[str, dict[str, Any]] = {
    **{name: _settings(name, 256) for name in _PAPERS},
    **{f"{name}-64": _settings(name, 64) for name in _PAPERS},
}
"""What each preset sets, by dotted key."""

BASELINE_DESCRIPTIONS: dict[str, str] = {
    **{name: paper.line for name, paper in _PAPERS.items()},
    **{f"{name}-64": f"{paper.line}, half as wide at 64 px" for name, paper in _PAPERS.items()},
}

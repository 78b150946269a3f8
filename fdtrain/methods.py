"""The methods of a comparison, one row for each: the only place that lists them. Standard library alone.

It is on the ground floor, and not with the networks, because settings and presets read it too. To add a method: write
its network (`fdtrain/networks/`) and its objective (`fdtrain/objectives/`) and put a row here; where it has settings
beyond widths, a table in `fdtrain/config/baselines.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REFERENCES = ("copy", "telea", "navier-stokes", "biharmonic", "patchmatch", "mean-face", "eigenfaces")
"""Methods that train no network; `fdtrain.evaluation.references` opens them."""


@dataclass(frozen=True, slots=True)
class Training:
    """How a paper trains: batch, images in all, learning rates of G and D, betas of Adam."""

    batch: int
    images: int
    rates: tuple[float, float]
    betas: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Method:
    """What is known of one method that trains.

    Args:
        name: As in options and in tables. The preset of that name is for 256 px; others begin with it.
        paper: Which paper it is from, for lists.
        network: `module:Class` of a `Restorer`.
        objective: `module:Class` of an `Objective`, called with config, settings and perceptual network.
        settings: `module:Class` of its table `baseline`; "" where it has widths alone.
        training: How the paper trains: what its preset says. None for the stack, whose presets are in
            `fdtrain.config.presets`.
        compares_features: Whether its loss looks at pictures through the perceptual network.
        small: What the preset for 64 px changes beside.
    """

    name: str
    paper: str
    network: str
    objective: str
    settings: str = ""
    training: Training | None = None
    compares_features: bool = False
    small: Mapping[str, Any] = field(default_factory=dict)


# As `modern-64`: with bf16, 1.1 (pix2pix) to 2.7 times (GLCM) the images a second on a CPU that has it. Not where
# instances are normalised and nothing else takes long: `din` is a sixth slower with both.
_FAST = {"training.channels_last": True}
_HALF = {"baseline.width": 32, "baseline.discriminator_width": 32}
_STACK = ("fdtrain.networks.fdstack:StackedGAN", "fdtrain.objectives.stacked:StackedObjective")

_ROWS = (
    Method("faithful", "FD-StackGAN", *_STACK, compares_features=True),
    Method("modern", "FD-StackGAN, changed where that was measured to matter", *_STACK, compares_features=True),
    Method(
        "glcm",
        "Iizuka et al. 2017",
        "fdtrain.networks.glcm:Glcm",
        "fdtrain.objectives.glcm:GlcmObjective",
        "fdtrain.config.baselines:GlcmConfig",
        Training(96, 48_000_000, (1.0, 1.0), (0.5, 0.999)),
        small={
            **_HALF,
            # Of 500,000 iterations: 90,000 alone, 10,000 for the discriminators (section 4).
            "baseline.discriminator_from_images": 28_800,
            "baseline.adversarial_from_images": 32_000,
            **_FAST,
        },
    ),
    Method(
        "gca",
        "Yu et al. 2018",
        "fdtrain.networks.gca:Gca",
        "fdtrain.objectives.gca:GcaObjective",
        "fdtrain.config.baselines:GcaConfig",
        Training(16, 16_000_000, (1e-4, 1e-4), (0.5, 0.9)),
        # One step of the critics for each of the generator, not five: budgets are counted in images, and four fifths of
        # them would teach the generator nothing.
        small={"baseline.width": 16, "baseline.discriminator_width": 32, "baseline.critic_steps": 1, **_FAST},
    ),
    Method(
        "edgeconnect",
        "Nazeri et al. 2019",
        "fdtrain.networks.edgeconnect:EdgeConnect",
        "fdtrain.objectives.edgeconnect:EdgeConnectObjective",
        "fdtrain.config.baselines:EdgeConnectConfig",
        Training(8, 2_000_000, (1e-4, 1e-5), (0.0, 0.9)),
        compares_features=True,
        small={**_HALF, "baseline.joint_from_images": 128_000, **_FAST},
    ),
    Method(
        "context-encoder",
        "Pathak et al. 2016",
        "fdtrain.networks.context_encoder:ContextEncoder",
        "fdtrain.objectives.context_encoder:ContextEncoderObjective",
        "fdtrain.config.baselines:ContextEncoderConfig",
        Training(64, 6_000_000, (2e-3, 2e-4), (0.5, 0.999)),
        small={**_HALF, "baseline.bottleneck": 1000, **_FAST},
    ),
    Method(
        "pix2pix",
        "Isola et al. 2017",
        "fdtrain.networks.pix2pix:Pix2pix",
        "fdtrain.objectives.pix2pix:Pix2pixObjective",
        "fdtrain.config.baselines:Pix2pixConfig",
        Training(4, 4_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        small={**_HALF, **_FAST},
    ),
    Method(
        "din",
        "Din et al. 2020, editing module",
        "fdtrain.networks.din:Din",
        "fdtrain.objectives.din:DinObjective",
        "fdtrain.config.baselines:DinConfig",
        Training(10, 2_000_000, (2e-4, 2e-4), (0.5, 0.999)),
        compares_features=True,
        small={**_HALF, "baseline.mask_from_images": 64_000},
    ),
)

LEARNED: Mapping[str, Method] = {row.name: row for row in _ROWS}
"""Methods that train, in the order of the tables."""


def baselines() -> dict[str, Method]:
    """Return by name those that are not the stack."""
    return {name: row for name, row in LEARNED.items() if row.training is not None}

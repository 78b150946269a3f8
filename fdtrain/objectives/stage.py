"""A GAN in training: its networks and two optimisers; and the losses of the stack's two stages (3.3 and 3.5)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fdtrain.config.schema import FitConfig
from fdtrain.config.training import TrainingConfig
from fdtrain.data.tensors import maps_on, masks_on, pictures_on
from fdtrain.networks.discriminator import PatchDiscriminator, initialise_discriminator
from fdtrain.networks.fdstack import BaseNet, StackedGAN, input_channels, with_maps
from fdtrain.networks.preparation.colour_balance import without_tint
from fdtrain.networks.preparation.eigen_fill import CrossFills
from fdtrain.networks.restorer import composite
from fdtrain.objectives.losses import (
    DiscriminatorScores,
    discriminator_loss,
    generator_loss,
    l1,
    pixel_weights,
    ssim_loss,
    without_chroma,
)
from fdtrain.objectives.perceptual import PerceptualLoss, true_features
from fdtrain.runtime.device import autocast
from fdtrain.runtime.optimiser import load_optimiser, settle


class Batch(NamedTuple):
    """What both stages are trained on: pictures in [-1, 1], masks of 0 and 1, I_o, weights of pixels, true features.

    `coloured_B111` is 0 for pictures whose chroma counts nothing; None where all of them count whole. `maps_BMHW` are
    those of landmarks, for networks that are shown them; discriminators see them with I_o.
    """

    occluded_B3HW: Tensor
    clean_B3HW: Tensor
    mask_B1HW: Tensor
    input_BCHW: Tensor
    weights_B1HW: Tensor
    clean_features: list[Tensor]
    coloured_B111: Tensor | None = None
    maps_BMHW: Tensor | None = None

    def counted(self, output_B3HW: Tensor) -> Tensor:
        """Return of an output what counts, as `clean_B3HW` is already."""
        return output_B3HW if self.coloured_B111 is None else without_chroma(output_B3HW, self.coloured_B111)


@dataclass(frozen=True)
class Stage:
    """A generator that learns, and what judges it: of the stack, Base-Net (place 0) or Refine-Net (place 1).

    `generator` is a part of the model, or all of it. A stage without an adversarial term has no discriminator.
    """

    place: int
    generator: nn.Module
    generator_optimiser: torch.optim.Optimizer
    discriminator: nn.Module | None
    discriminator_optimiser: torch.optim.Optimizer | None

    def settle(self, device: torch.device) -> None:
        """Have both optimisers compute as is fastest on a device, where the networks are."""
        for optimiser in (self.generator_optimiser, self.discriminator_optimiser):
            if optimiser is not None:
                settle(optimiser, device)

    def set_rates(self, training: TrainingConfig, images: int, factor: float = 1.0) -> None:
        """Set the learning rates for the step that begins after `images` images, `factor` being the stage's own."""
        scale = rate_scale(training, images) * factor
        for optimiser, rate in (
            (self.generator_optimiser, training.lr_generator),
            (self.discriminator_optimiser, training.lr_discriminator),
        ):
            for group in optimiser.param_groups if optimiser else ():
                group["lr"] = rate * scale

    def state_dict(self) -> dict[str, Any]:
        """Return all of a stage that its model does not hold."""
        return {
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "discriminator": self.discriminator.state_dict() if self.discriminator else None,
            "discriminator_optimiser": self.discriminator_optimiser.state_dict()
            if self.discriminator_optimiser
            else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        load_optimiser(self.generator_optimiser, state["generator_optimiser"])
        if self.discriminator and self.discriminator_optimiser:
            self.discriminator.load_state_dict(state["discriminator"])
            load_optimiser(self.discriminator_optimiser, state["discriminator_optimiser"])


def make_stages(config: FitConfig, model: BaseNet, device: torch.device, rng: torch.Generator) -> tuple[Stage, ...]:
    """Return a stage around each generator of `model`, with discriminators drawn from `rng`."""
    training = config.training
    betas = (training.betas[0], training.betas[1])

    def adam(module: nn.Module, rate: float) -> torch.optim.Adam:
        return torch.optim.Adam(module.parameters(), lr=rate, betas=betas, foreach=True)

    def stage(place: int, generator: nn.Module) -> Stage:
        optimiser = adam(generator, training.lr_generator)
        if config.loss.gamma[place] == 0:
            return Stage(place, generator, optimiser, None, None)
        on_picture = place == 1 and config.discriminator.refine_condition != "input"
        channels = 3 if on_picture else input_channels(config.network)
        discriminator = PatchDiscriminator(config.discriminator, condition_channels=channels)
        initialise_discriminator(discriminator, rng)
        discriminator.to(device)
        return Stage(place, generator, optimiser, discriminator, adam(discriminator, training.lr_discriminator))

    base = stage(0, model.base)
    return (base, stage(1, model.refine)) if isinstance(model, StackedGAN) else (base,)


def make_batch(
    config: FitConfig,
    device: torch.device,
    model: BaseNet,
    perceptual: PerceptualLoss | None,
    sample: Any,
    cross_fills: CrossFills | None = None,
) -> Batch:
    """Return a batch on the device, from what the loader gave.

    Args:
        config: Every setting.
        device: Where the batch goes.
        model: Makes its input of the occluded picture and the mask.
        perceptual: Gives the features of the clean pictures, where a loss compares them; None gives none.
        sample: `occluded` and `clean` (B, 3, H, W) in [-1, 1] or as bytes, `mask` (B, 1, H, W) of 0 and 1; `coloured`
            (B, 1, 1, 1) where the chroma of grey photographs does not count; `index` (B) for `cross_fills`;
            `landmark_maps` (B, M, H, W) as bytes, for a network that is shown them.
        cross_fills: Fills holes by what other people taught; None fills them as the model does.
    """
    channels_last = config.training.channels_last
    occluded, clean = (pictures_on(device, sample[name], channels_last) for name in ("occluded", "clean"))
    mask = masks_on(device, sample["mask"], channels_last)
    maps = maps_on(device, sample["landmark_maps"], channels_last) if model.config.landmarks else None
    if (tint := model.tint(occluded, mask, maps)) is not None:  # what is trained on is what the generators see
        occluded, clean = without_tint(occluded, tint), without_tint(clean, tint)
    if cross_fills is None:
        occluded = model.filled(occluded, mask)
    else:
        occluded = cross_fills.filled(occluded, mask, sample["index"])
    coloured: Tensor | None = None
    if not config.loss.grey_chroma:
        coloured = sample["coloured"].to(device, non_blocking=True)
        clean = without_chroma(clean, coloured)
    features: list[Tensor] = []
    if perceptual is not None and any(config.loss.beta[: config.training.n_stages]):
        with autocast(config, device):
            features = true_features(perceptual, clean)  # once, for all stages
    weights = pixel_weights(mask, config.loss.hole_weight)
    shown = with_maps(model.input(occluded, mask), maps)
    return Batch(occluded, clean, mask, shown, weights, features, coloured, maps)


def rate_scale(training: TrainingConfig, images: int) -> float:
    """Return the factor on both learning rates after so many images: a linear rise, a level, a slow fall, an end.

    >>> config = TrainingConfig(warmup_images=100, decay_from_images=1000)
    >>> [rate_scale(config, images) for images in (0, 50, 100, 1000, 4000)]
    [0.0, 0.5, 1.0, 1.0, 0.5]
    >>> config = TrainingConfig(epochs=None, images=1000, cooldown_images=200)
    >>> [rate_scale(config, images) for images in (800, 900, 1000)]
    [1.0, 0.5, 0.0]
    """
    rise = min(images / training.warmup_images, 1.0) if training.warmup_images else 1.0
    fall = math.sqrt(max(images / training.decay_from_images, 1.0)) if training.decay_from_images else 1.0
    left = 1.0
    if training.cooldown_images and training.images is not None:
        left = min(max(training.images - images, 0) / training.cooldown_images, 1.0)
    return rise * left / fall


def discriminator_term(
    stage: Stage, config: FitConfig, batch: Batch, coarse_B3HW: Tensor, output_B3HW: Tensor
) -> Tensor:
    """Return what the discriminator of a stage minimises, 0 where it has none.

    Args:
        stage: The stage.
        config: Every setting.
        batch: What is trained on.
        coarse_B3HW: Output of Base-Net, in [-1, 1].
        output_B3HW: Output of the stage, in [-1, 1]; no gradient flows through it.
    """
    if stage.discriminator is None:
        return output_B3HW.new_zeros(())
    fake_B3HW = judged(config, batch, output_B3HW).detach()
    given = condition(stage, config, batch, coarse_B3HW, output_B3HW)
    # Real and generated as one batch: half as many, larger operations.
    scores = stage.discriminator(torch.cat([given, given]), torch.cat([batch.clean_B3HW, fake_B3HW]))
    real, fake = scores.chunk(2)
    return discriminator_loss(config.loss.adversarial, DiscriminatorScores(real, fake))


def generator_terms(
    stage: Stage,
    config: FitConfig,
    batch: Batch,
    coarse_B3HW: Tensor,
    output_B3HW: Tensor,
    perceptual: PerceptualLoss | None,
    *,
    adversarial: bool,
) -> dict[str, Tensor]:
    """Return the terms of eq. 2 or 8 by name, unweighted, and under `total` their weighted sum.

    Args:
        stage: The stage.
        config: Every setting; `loss` has the weights.
        batch: What is trained on.
        coarse_B3HW: Output of Base-Net, in [-1, 1].
        output_B3HW: Output of the stage, in [-1, 1].
        perceptual: The perceptual loss; None leaves that term out.
        adversarial: Whether the adversarial term is in, where the stage has a discriminator.
    """
    loss, place = config.loss, stage.place
    seen_B3HW = judged(config, batch, output_B3HW)
    terms = {"l1": l1(batch.counted(output_B3HW.float()), batch.clean_B3HW, batch.weights_B1HW)}
    total = loss.alpha[place] * loss.l1 * terms["l1"]
    if loss.alpha[place] * loss.ssim > 0:
        terms["ssim"] = ssim_loss(seen_B3HW, batch.clean_B3HW, batch.weights_B1HW)
        total = total + loss.alpha[place] * loss.ssim * terms["ssim"]
    if perceptual is not None and loss.beta[place] > 0:
        terms["perceptual"] = perceptual.distance(seen_B3HW, batch.clean_features)
        total = total + loss.beta[place] * terms["perceptual"]
    if stage.discriminator is not None and adversarial:
        given = condition(stage, config, batch, coarse_B3HW, output_B3HW)
        terms["adversarial"] = generator_loss(loss.adversarial, stage.discriminator(given, seen_B3HW))
        total = total + loss.gamma[place] * terms["adversarial"]
    return {**terms, "total": total}


def judged(config: FitConfig, batch: Batch, output_B3HW: Tensor) -> Tensor:
    """Return the picture that is looked at as a whole: the raw output, or that pasted into the hole."""
    output_B3HW = batch.counted(output_B3HW.float())
    return composite(output_B3HW, batch.clean_B3HW, batch.mask_B1HW) if config.loss.composite else output_B3HW


def condition(stage: Stage, config: FitConfig, batch: Batch, coarse_B3HW: Tensor, output_B3HW: Tensor) -> Tensor:
    """Return what the discriminator is given with the picture (eq. 7 and 9), without a gradient.

    Args:
        stage: The stage; Base-Net's discriminator always gets the input.
        config: Every setting; `discriminator.refine_condition` decides for Refine-Net.
        batch: What is trained on.
        coarse_B3HW: Output of Base-Net, in [-1, 1].
        output_B3HW: Output of the stage, in [-1, 1].
    """
    which = config.discriminator.refine_condition if stage.place == 1 else "input"
    return {"input": batch.input_BCHW, "coarse": coarse_B3HW, "output": output_B3HW}[which].detach().float()

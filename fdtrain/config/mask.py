"""The settings of the segmentation network, which detects occluders, and its presets."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator

from fdgen.settings.values import Count, Names, NotNegative, Section, Share, listed, none_from_text


def _some(values: tuple[Count, ...]) -> tuple[Count, ...]:
    if not values:
        raise ValueError("must have one value or more, got []")
    return values


class MaskConfig(Section):
    """A U-Net (`fdtrain.networks.masknet`) that learns silhouettes, and which kinds are worn."""

    glorot: ClassVar[bool] = True
    """As every network whose paper says nothing of its first weights."""

    # Channels from half the picture's size downwards; each but the first halves it again.
    widths: Annotated[tuple[Count, ...], BeforeValidator(listed), AfterValidator(_some)] = (32, 64, 128, 192)
    # Kinds of occluder that it distinguishes; none means those of the dataset, [] that it distinguishes none.
    kinds: Annotated[Names | None, BeforeValidator(none_from_text)] = None
    # Weights of soft Dice and of the kinds' cross-entropy, next to the pixels' cross-entropy of weight 1.
    dice: NotNegative = 0.5
    kind: NotNegative = 0.1
    # How often a training picture shows the face without its occluder, with nothing to find.
    bare: Share = 0.2
    # How often a person before a plain backdrop is put before a place full of things, in training.
    backdrop: Share = 0.0
    # Of AdamW.
    weight_decay: NotNegative = 1e-4

    def check_size(self, size_px: int) -> None:
        """Raise `ValueError` where the network cannot take pictures of this side."""
        multiple = 2 ** len(self.widths)
        if size_px % multiple:
            raise ValueError(f"must have a data.size_px that {multiple} divides for this network, got {size_px}")


def _settings(size_px: int, images: int) -> dict[str, Any]:
    return {
        "data.size_px": size_px,
        "data.augment": "photograph",
        "loss.perceptual": "off",
        "training.batch": 16,
        "training.epochs": "none",
        "training.images": images,
        "training.lr_generator": 2e-3,
        "training.betas": [0.9, 0.999],
        "training.warmup_images": 2_000,
        "training.decay_from_images": 10_000,
        "training.ema_decay": 0.998,
        "training.channels_last": True,
        "output.stats_images": 2_000,
        "output.checkpoint_images": 10_000,
        "output.validation_images": 10_000,
        "output.sample_images": 10_000,
    }


MASK_PRESETS: dict[str, dict[str, Any]] = {"mask": _settings(128, 120_000), "mask-96": _settings(96, 60_000)}
"""What each preset sets, by dotted key."""

MASK_DESCRIPTIONS: dict[str, str] = {
    "mask": "finds occluders, at 128 px",
    "mask-96": "the same at 96 px: ten minutes of one core with bf16",
}

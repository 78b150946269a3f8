"""The settings of a training run: frozen models whose defaults are exactly those of the FD-StackGAN paper.

Every point that the paper leaves open is a key here, and its comment says what the choices are. Presets
(`fdtrain.config.presets`) change some of them, then a TOML file, then overrides (`loss.hole_weight=6`): the later wins.
Pairs are (stage I, stage II). `_px` is pixels, `_images` counts training images over all processes.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, create_model, model_validator

from fdgen.contract.digests import digest_json
from fdgen.runtime.load_by_name import load_by_name
from fdgen.settings.toml import flatten, write_tables
from fdgen.settings.values import (
    Count,
    Names,
    NotNegative,
    Number,
    Positive,
    Section,
    at_least,
    listed,
    none_from_text,
    of_length,
    within,
)
from fdtrain.config.baselines import BaselineSettings
from fdtrain.config.data import DataConfig, OnTheFlyConfig
from fdtrain.config.face_maps import REGIONS
from fdtrain.config.files import law_of, names_key, read_settings
from fdtrain.config.mask import MASK_PRESETS, MaskConfig
from fdtrain.config.presets import PRESETS
from fdtrain.config.training import MachineConfig, OutputConfig, TrainingConfig
from fdtrain.errors import ConfigError
from fdtrain.methods import LEARNED, Method, baselines


def _settings_of(method: Method) -> type[BaselineSettings]:
    if method.settings:
        settings: type[BaselineSettings] = load_by_name(method.settings)
        return settings
    own: Any = (Literal[method.name], method.name)
    return create_model(method.name, __base__=BaselineSettings, method=own)


BASELINES = {name: _settings_of(method) for name, method in baselines().items()}
"""The table of settings of each method, by the name that presets and tables use."""

if TYPE_CHECKING:
    Baseline = BaselineSettings
else:
    Baseline = Annotated[functools.reduce(operator.or_, BASELINES.values()), Field(discriminator="method")]

N_LAYERS = 5
"""Section 3.2: five convolutions encode, five de-convolutions decode."""

LEAST_BOTTLENECK_PX = 4
"""A smaller map is normalised away: an instance of 1x1 is always zero."""

EIGENFACE_PX = (32, 64)
"""Eigenfaces inside a network have a side of so many px: what a filling lacks in detail is the generators' part."""

Rates = Annotated[tuple[Count, ...], BeforeValidator(listed), Field(max_length=64)]
Weights = Annotated[
    tuple[NotNegative, ...], BeforeValidator(listed), of_length(2, "two values, of stage I and of stage II")
]
Colour = Annotated[tuple[Positive, ...], BeforeValidator(listed), of_length(3, "three values, of red, green and blue")]
Layers = Annotated[tuple[Count, ...], BeforeValidator(listed), of_length(N_LAYERS, f"{N_LAYERS} values, one a layer")]


def eigenface_px(size_px: int) -> int:
    """Return the side in px of eigenfaces for pictures of a size, which is a multiple of it.

    >>> [eigenface_px(size_px) for size_px in (64, 96, 128, 256)]
    [64, 48, 64, 64]
    """
    return max(side for side in range(1, min(size_px, EIGENFACE_PX[1]) + 1) if size_px % side == 0)


class NetworkConfig(Section):
    """The two generators, Base-Net and Refine-Net (sections 3.2 and 3.4)."""

    # Channels and strides of the five encoder layers; the decoder mirrors them.
    widths: Layers = (64, 128, 256, 512, 512)
    strides: Layers = (2, 2, 2, 2, 2)
    # Dilated convolutions between encoder and decoder, each followed by squeeze-and-excitation of this ratio (0: none).
    dilations: Rates = (2, 4, 8, 16)
    se_ratio: Annotated[int, at_least(0)] = 16
    # Whether each dilated block adds to its input or replaces it.
    residual_middle: bool = False
    # Instance normalisation is the paper's; without any, the colours of a hole are easier to match.
    norm: Literal["instance", "none"] = "instance"
    # "in a relu + a convolution + an instance normalization layer": read literally, or in the usual order.
    order: Literal["act-conv-norm", "conv-norm-act"] = "act-conv-norm"
    # "except the first and last layers, which use a tanh in place of a relu": of the encoder, or of the output only.
    tanh_ends: bool = True
    # Transposed convolutions (the paper's), or nearest-neighbour and convolution, which leaves no checkerboard.
    upsample: Literal["deconv", "nearest"] = "deconv"
    # I_o "is a combined input": occluded picture and mask, 4 channels. True paints the hole grey first.
    blank_hole: bool = False
    # Colour, as three amounts of light, that the visible face is given before the generators see it, and that what they
    # paint loses again: lamps and cameras colour faces in more ways than any dataset shows. What is painted into a
    # photograph without colour has none. None leaves colours alone.
    face_colour: Annotated[Colour | None, BeforeValidator(none_from_text)] = None
    # Eigenfaces, found in the train split, whose best fit to what is visible fills the hole before the generators see
    # it: they then paint what it lacks. In training a face is filled by what other people taught. 0 leaves them out.
    eigenfaces: Annotated[int, within(0, 1000)] = 0
    # Whether the generators are shown where the parts of the face lie, hidden ones too: five maps, drawn from landmarks
    # that are detected in the occluded picture, through the occluder. A jaw and a turned head then have their place.
    # With data.mix, occluders of other faces point to places that are not this face's: unless asked for, it is 0 then.
    landmarks: bool = False
    # What stage II sees of stage I: its raw output, or that output pasted into the hole.
    refine_input: Literal["raw", "composited"] = "raw"
    # Where the mask of a real photograph comes from. Sections 2.4 and 3.2 disagree; training uses the dataset's.
    mask: Literal["given"] = "given"

    @model_validator(mode="after")
    def _strides_are_1_or_2(self) -> NetworkConfig:
        if not set(self.strides) <= {1, 2}:
            raise ValueError(f"must have strides of 1 or 2, got {list(self.strides)}")
        return self

    @property
    def n_maps(self) -> int:
        """How many maps of landmarks the generators are shown in addition to the picture and the mask."""
        return len(REGIONS) if self.landmarks else 0

    @property
    def reduction(self) -> int:
        """How many times smaller the bottleneck is than the picture, along a side."""
        return math.prod(self.strides)


class DiscriminatorConfig(Section):
    """The conditional PatchGAN of each stage (section 3.2)."""

    # "a window size of 32x32 pixels": a receptive field of exactly 32, or pix2pix's of 34 or 70 (whose output map is
    # 32x32 for 256 px, the other reading).
    window: Literal["rf32", "rf34", "rf70"] = "rf32"
    # Channels of its first layer; they double from layer to layer, up to the most.
    width: Count = 64
    most_width: Count = 512
    norm: Literal["instance", "none"] = "instance"
    # Section 4.2 speaks of a "regularized discriminator" and does not say how.
    spectral_norm: bool = False
    # What D_2 is conditioned on: I_o as D_1 is, stage I's output, or as eq. 9 is printed, the very picture it judges.
    refine_condition: Literal["input", "coarse", "output"] = "input"


class LossConfig(Section):
    """Equations 2 to 10. Every term is a mean over pixels of pictures in [-1, 1] (SSIM: in [0, 1])."""

    alpha: Weights = (100.0, 10.0)
    beta: Weights = (33.0, 3.3)
    # Weight of the adversarial term, 1 in eq. 2 and 8.
    gamma: Weights = (1.0, 1.0)
    # The parts of the reconstruction loss (eq. 3); Table 3 turns them off in turn.
    l1: NotNegative = 1.0
    ssim: NotNegative = 1.0
    # Eq. 6 is of VGG-19; other networks have their own names. `auto` takes the first of the three whose weights are at
    # hand, and a run keeps it.
    perceptual: Literal["auto", "vgg19", "vgg16-stlpips", "off"] = "vgg19"
    perceptual_layers: Names = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    # Divide each layer's distance by the mean of the true features, so that no layer drowns the others.
    perceptual_relative: bool = False
    # File of weights for it; its hash is written down, its path is not.
    perceptual_weights: str = Field(default="", exclude=True)
    # Eq. 7 to the letter (log(1 - D) for the generator), or one that trains better.
    adversarial: Literal["minimax", "nonsaturating", "hinge", "lsgan"] = "minimax"
    # How much more a pixel in the hole counts than one outside.
    hole_weight: Annotated[Number, at_least(1)] = 1.0
    # Whether a photograph that is stored without colour teaches that its filling has none; else it teaches form alone,
    # and colour is learnt from the others. Pictures that `data.grey` turned grey always teach both.
    grey_chroma: bool = True
    # Judge (perceptual and adversarial) the output pasted into the hole, which is what is used, or the raw output.
    composite: bool = False
    # Train without the perceptual and without the adversarial term up to here.
    perceptual_from_images: Annotated[int, at_least(0)] = 0
    adversarial_from_images: Annotated[int, at_least(0)] = 0


class FitConfig(Section):
    """Everything that a training run is asked to do. Immutable; made by `FitConfig.load` or `FitConfig.from_dict`.

    >>> config = FitConfig.load("modern-64", overrides=["loss.hole_weight=4", "training.batch=8"])
    >>> config.data.size_px, config.loss.hole_weight, config.training.batch
    (64, 4.0, 8)
    """

    preset: str
    seed: Annotated[int, at_least(0)] = 0
    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    output: OutputConfig = OutputConfig()
    machine: MachineConfig = MachineConfig()
    # Another network, as its own paper describes it, in place of the stack; it leaves `network`, `discriminator` and,
    # but for the choice of perceptual weights, `loss` alone.
    baseline: Annotated[Baseline | None, BeforeValidator(none_from_text)] = None
    # No generator but a network that finds occluders; it leaves the same alone, and `data.mix`.
    mask: Annotated[MaskConfig | None, BeforeValidator(none_from_text)] = None

    @property
    def is_stack(self) -> bool:
        """Whether it is the stack of the paper, or a part of it, that is trained."""
        return self.baseline is None and self.mask is None

    @model_validator(mode="after")
    def _the_picture_fits(self) -> FitConfig:
        if (own := self.baseline or self.mask) is not None:
            own.check_size(self.data.size_px)
            return self
        size_px, reduction = self.data.size_px, self.network.reduction
        if size_px % reduction:
            raise ValueError(f"must have a data.size_px that network.strides divide ({reduction}), got {size_px}")
        if size_px // reduction < LEAST_BOTTLENECK_PX:
            raise ValueError(
                f"must leave a bottleneck of {LEAST_BOTTLENECK_PX} px or more, got {size_px // reduction} "
                f"(data.size_px {size_px} over network.strides {reduction})"
            )
        if self.network.eigenfaces and eigenface_px(size_px) < min(EIGENFACE_PX[0], size_px):
            raise ValueError(
                f"must have a data.size_px with a divisor from {EIGENFACE_PX[0]} to {EIGENFACE_PX[1]} for "
                f"network.eigenfaces, got {size_px}"
            )
        return self

    @model_validator(mode="after")
    def _features_are_there_to_choose_by(self) -> FitConfig:
        if self.training.best_by == "perceptual" and self.loss.perceptual == "off":
            raise ValueError("must have a loss.perceptual to choose weights by it (training.best_by), got off")
        return self

    @model_validator(mode="after")
    def _nothing_is_set_in_vain(self) -> FitConfig:
        if self.is_stack:
            return self
        method, table = (
            (self.baseline.method, "baseline") if self.baseline is not None else ("a segmentation network", "mask")
        )
        plain = LossConfig()
        kept = ("perceptual", "perceptual_layers", "perceptual_weights")
        loss = self.loss.model_copy(update={name: getattr(plain, name) for name in kept})
        for section, seen, untouched in (
            ("network", self.network, NetworkConfig()),
            ("discriminator", self.discriminator, DiscriminatorConfig()),
            ("loss", loss, plain),
        ):
            if seen != untouched:
                raise ValueError(f"must leave {section} alone: {method} has its own settings under {table}")
        if self.training.stages != "detached":
            raise ValueError(f"must leave training.stages alone: {method} has its own settings under {table}")
        if not (self.baseline and LEARNED[self.baseline.method].compares_features) and self.loss.perceptual != "off":
            raise ValueError(f"must have loss.perceptual off: {method} compares no features")
        return self

    @model_validator(mode="after")
    def _the_data_is_varied_as_it_can_be(self) -> FitConfig:
        data, what = self.data, "a segmentation network"
        if self.mask is not None:
            for name, value in (("mix", data.mix), ("grey", data.grey)):
                if value > 0:
                    raise ValueError(f"must have a data.{name} of 0 for {what}, got {value:g}")
            if data.augment not in ("none", "photograph"):
                raise ValueError(f"must have a data.augment of none or photograph for {what}, got {data.augment}")
        if data.augment_without and (self.mask is not None or data.augment != "photograph"):
            raise ValueError(
                "must leave data.augment_without empty, but for generators with data.augment=photograph, "
                f"got {list(data.augment_without)}"
            )
        return self

    @classmethod
    def load(
        cls, preset: str = "modern", file: str | Path | None = None, overrides: Sequence[str | tuple[str, Any]] = ()
    ) -> FitConfig:
        """Take a preset, apply a TOML file to it, then overrides in their order.

        An override is `"a.b=c"`, c in TOML's notation or a bare string, or a pair `("a.b", value)`. Raises
        `ConfigError`, naming the file or the override and the law that it breaks.
        """
        defaults = cls(preset=preset).as_dict()
        if method := PRESETS.get(preset, {}).get("baseline.method"):
            defaults["baseline"] = BASELINES[method].model_validate({}).model_dump(mode="json")
        if preset in MASK_PRESETS:
            defaults["mask"] = MaskConfig().model_dump(mode="json")
        # Excluded from what is written down:
        defaults["data"]["root"] = defaults["loss"]["perceptual_weights"] = defaults["training"]["start_from"] = ""
        defaults["data"]["on_the_fly"] = OnTheFlyConfig().model_dump(mode="json")
        values, blame = read_settings(defaults, PRESETS, preset, file, overrides)
        # Presets mix since a dataset pairs a face with one occluder for ever.
        unmixed = values["data"]["on_the_fly"]["faces"] or values["network"]["landmarks"]
        if unmixed and not names_key("data.mix", blame, overrides):
            values["data"]["mix"] = 0.0
        return cls._validated(values, blame)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, root: str = "", perceptual_weights: str = "") -> FitConfig:
        """Make a config of what `as_dict` gave, with the two paths that it leaves out."""
        config = cls._validated(values, {})
        return config.model_copy(
            update={
                "data": config.data.model_copy(update={"root": root}),
                "loss": config.loss.model_copy(update={"perceptual_weights": perceptual_weights}),
            }
        )

    @classmethod
    def _validated(cls, values: Mapping[str, Any], blame: Mapping[str, str]) -> FitConfig:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            laws = "; ".join(law_of(problem, blame) for problem in error.errors())
            raise ConfigError(laws, hint="`fdtrain presets --show NAME` lists every key with its value") from error

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, strings and numbers, as JSON and TOML hold them; paths are left out."""
        values = self.model_dump(mode="json")
        for table in ("baseline", "mask"):
            if values[table] is None:
                del values[table]  # the stack has no such table, and had none when its first runs were recorded
        return values

    def flat(self) -> dict[str, Any]:
        """Return one level of dotted keys, as in overrides."""
        return dict(flatten(self.as_dict()))

    def digest(self) -> str:
        """Return the sha256 of all that decides the weights: everything but names, cadences and the end."""
        return digest_json({key: value for key, value in self.flat().items() if not is_free(key)})

    def to_toml(self) -> str:
        """Write the whole config as TOML; `FitConfig.load(file=...)` reads it back to an equal one."""
        return write_tables(self.as_dict())


FREE = (
    "preset",
    "output.",
    "training.epochs",
    "training.images",
    "training.patience_images",
    "machine.workers",
    "data.verify",
)
"""Keys that a run may change when it is resumed: none of them reaches a weight."""


def is_free(key: str) -> bool:
    """Return whether a dotted key may change when a run is resumed."""
    return key.startswith(FREE)

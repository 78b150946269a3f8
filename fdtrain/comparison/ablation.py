"""Changes of a preset, to measure their effect: the paper's tables 2 and 3, and axes that the paper fixes.

An ablation is rows of a comparison that train one preset, each with some settings changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fdgen.contract.manifest import Manifest
from fdgen.errors import FdError
from fdgen.io.json_file import read_json
from fdtrain.comparison.plan import Ask, Task, config_of, preset_of
from fdtrain.config.schema import LEAST_BOTTLENECK_PX, N_LAYERS, FitConfig, NetworkConfig
from fdtrain.data.stored_samples import kinds_of
from fdtrain.errors import ConfigError, RunError
from fdtrain.run_files import write_text

ABLATION_FILE = "ablation.json"

MEASURED_THERE = ("ssim", "psnr", "mse", "niqe", "brisque")
"""Columns of the paper's tables."""

RATIOS = (1.0, 2.0, 4.0, 8.0)
"""Rates of the discriminators over those of the generators; the paper's two time-scale update rule has 4."""


@dataclass(frozen=True)
class Variant:
    """A row: what it changes in the preset, and what the paper reports of it, by measure."""

    name: str
    overrides: tuple[str, ...] = ()
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ablation:
    """A table: its rows, the one that the others are tested against, methods next to them, sentences on it.

    `unseen` is the kind of occluder that a row has not trained on.
    """

    title: str
    preset: str
    variants: tuple[Variant, ...]
    against: str
    beside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unseen: str | None = None

    def tasks(self, seeds: int) -> list[Task]:
        """Return every row and seed, all rows with one seed first, then the next."""
        return [Task(name, "reference", name) for name in self.beside] + [
            Task(one.name, "trained", self.preset, seed, one.overrides)
            for seed in range(seeds)
            for one in self.variants
        ]


def record(ablation: Ablation, out: Path) -> None:
    """Write down in the folder what is changed; raise `RunError` where it is of another ablation."""
    path, text = out / ABLATION_FILE, json.dumps(asdict(ablation), indent=2, ensure_ascii=False) + "\n"
    if path.exists() and read_json(path, error=RunError, hint="name another folder with --out") != json.loads(text):
        raise RunError(f"{out} is of another ablation, or of other data for it", hint="name another folder with --out")
    write_text(path, text)


def open_table(number: int, preset: str, ask: Ask) -> Ablation:
    """Return the paper's table 2 or 3 for a preset; raise `FdError` where it has no such rows."""
    preset, config = _stack(preset, ask)
    if config.training.n_stages == 1:
        raise FdError("the preset is to train the Base-Net alone: there is no second stage to leave out")
    return _checked(_table_2(preset, config) if number == 2 else _table_3(preset, config), ask)


def _table_2(preset: str, config: FitConfig) -> Ablation:
    alone, note = _alone(config)
    variants = (
        Variant("one stage", alone, _paper(0.963, 30.128, 68.860, 4.3315, 40.2936)),
        Variant("two stages", (), _paper(0.981, 32.803, 34.145, 4.3315, 40.2936)),
    )
    notes = (
        note,
        "the paper prints the same NIQE and BRISQUE for both, and its text says that two stages lose in SSIM, where "
        "its table has 0.981 against 0.963: the table is what is compared with",
    )
    return Ablation("Table 2: one stage against two", preset, variants, "one stage", notes=notes)


def _table_3(preset: str, config: FitConfig) -> Ablation:
    if config.loss.perceptual == "off":
        raise FdError(
            f"the last row of table 3 needs a perceptual network, and {preset} is to train without",
            hint="name one with --perceptual",
        )
    alone, note = _alone(config)
    plain = (*_without(alone, "loss.beta"), "loss.beta=[0.0, 0.0]", "loss.perceptual=off")
    variants = (
        Variant("L1", (*plain, "loss.ssim=0.0"), _paper(0.984, 32.346, 43.238, 4.7284, 41.9486)),
        Variant("L1 + SSIM", plain, _paper(0.989, 32.263, 45.501, 4.6846, 42.1193)),
        Variant("L1 + SSIM + P", alone, _paper(0.963, 30.128, 68.860, 4.3315, 40.2936)),
    )
    gamma = config.loss.gamma[0] or config.loss.gamma[1]
    notes = (
        note,
        f"all three rows face the adversarial term, at a weight of {gamma:g}: the paper's last row repeats that of the "
        "whole Base-Net in table 2",
        f"P is of {config.loss.perceptual}",
    )
    return Ablation("Table 3: losses of the Base-Net", preset, variants, "L1", notes=notes)


def open_axis(name: str, preset: str, ask: Ask) -> Ablation:
    """Return the choices on an axis as rows, that of the preset among them; raise `FdError` for an unknown axis."""
    if name not in AXES:
        raise FdError(f"there is no axis {name!r}", hint=f"there are {', '.join(AXES)}")
    preset, config = _stack(preset, ask)
    title, choices = AXES[name][0], AXES[name][1](config)
    variants = [Variant(one, overrides) for one, overrides in choices.items()]

    def digest(overrides: tuple[str, ...]) -> str:
        return config_of(ask, Task("", "trained", preset, 0, overrides), ask.images or 1).digest()

    own = next((one.name for one in variants if digest(one.overrides) == digest(())), None)
    if own is None:
        variants.insert(0, Variant("as the preset", ()))
    return _checked(Ablation(title, preset, tuple(variants), own or "as the preset"), ask)


def open_unseen(kind: str, preset: str, ask: Ask) -> Ablation:
    """Return a training with a kind of occluder and one without (section 5.3); raise `FdError` where there is none."""
    preset, _ = _stack(preset, ask)
    manifest = Manifest.load(ask.data, columns=("split", "kinds"))
    n_pictures = {}
    for split in ("train", "test"):
        worn = [set(json.loads(text)) for text in manifest.samples(split)["kinds"]]
        n_pictures[split] = len(worn), sum(kind in one for one in worn)
        if not n_pictures[split][1]:
            raise FdError(
                f"no sample of the {split} split of {ask.data} is of kind {kind!r}",
                hint=f"its kinds are {', '.join(kinds_of(manifest))}",
            )
    n_train, n_worn = n_pictures["train"]
    if n_train == n_worn:
        raise FdError(f"without {kind} nothing is left to train on", hint="build a dataset with other kinds too")
    variants = (Variant(f"with {kind}"), Variant(f"without {kind}", (f"data.without={json.dumps([kind])}",)))
    notes = (
        f"trained on {n_train:,} pictures with {kind} among them, and on the {n_train - n_worn:,} without it; both "
        "on the same number of images in all",
    )
    title = f"Unseen occluders: trained with {kind} and without"
    found = Ablation(title, preset, variants, f"with {kind}", beside=("telea",), notes=notes, unseen=kind)
    return _checked(found, ask)


def _stack(preset: str, ask: Ask) -> tuple[str, FitConfig]:
    """Return the preset for the size that is asked, and what it trains with."""
    preset = preset_of(preset, ask.size_px)
    config = config_of(ask, Task("", "trained", preset, 0), ask.images or 1)
    if not config.is_stack:
        raise FdError(f"{preset} is not the paper's network", hint="ablate faithful, modern or another form of these")
    return preset, config


def _alone(config: FitConfig) -> tuple[tuple[str, ...], str]:
    """Return what trains the Base-Net alone, and a sentence on its losses.

    It keeps the weights of stage I. A term that the preset leaves to stage II would be missing from the only stage
    there is, so the term takes its weight of stage II.
    """
    overrides, taken = ["training.stages=base"], []
    for name, title in (("beta", "perceptual"), ("gamma", "adversarial")):
        first, second = getattr(config.loss, name)
        if first == 0 and second > 0:
            overrides.append(f"loss.{name}=[{second}, 0.0]")
            taken.append(title)
    note = "the Base-Net alone has the losses of stage I" + (
        f", and of stage II, where the preset has them, the {' and the '.join(taken)} term" if taken else ""
    )
    return tuple(overrides), note


def _without(overrides: Sequence[str], key: str) -> tuple[str, ...]:
    return tuple(one for one in overrides if not one.startswith(f"{key}="))


def _paper(*values: float) -> dict[str, float]:
    return dict(zip(MEASURED_THERE, values, strict=True))


def _checked(ablation: Ablation, ask: Ask) -> Ablation:
    """Refuse settings of the whole comparison that its rows differ in, and rows that cannot be."""
    keys = {one.partition("=")[0] for variant in ablation.variants for one in variant.overrides}
    for override in ask.overrides:
        if (key := override.partition("=")[0].strip()) in keys:
            raise ConfigError(f"--set {override}: the rows of this table differ in {key}", hint="leave it out")
    for task in ablation.tasks(1):
        if task.kind == "trained":
            config_of(ask, task, ask.images or 1)
    return ablation


# Axes: what FD-StackGAN fixes or leaves open. Each gives, by the name of its row, what is changed.


def _ttur(config: FitConfig) -> dict[str, tuple[str, ...]]:
    rate = config.training.lr_generator
    own = config.training.lr_discriminator / rate
    ratios = sorted({*RATIOS, *([own] if not any(abs(own / one - 1) < 1e-9 for one in RATIOS) else [])})
    return {f"D {ratio:g} x G": (f"training.lr_discriminator={float(f'{ratio * rate:.9g}')!r}",) for ratio in ratios}


def _patch(config: FitConfig) -> dict[str, tuple[str, ...]]:
    return {window: (f"discriminator.window={window}",) for window in ("rf32", "rf34", "rf70")}


def _strides(config: FitConfig) -> dict[str, tuple[str, ...]]:
    side = config.data.size_px
    counts = [n for n in range(2, N_LAYERS + 1) if side % 2**n == 0 and side >> n >= LEAST_BOTTLENECK_PX]
    return {f"{n} of {N_LAYERS} stride": (f"network.strides={[2] * n + [1] * (N_LAYERS - n)}",) for n in counts}


def _norm(config: FitConfig) -> dict[str, tuple[str, ...]]:
    return {
        "instance norm" if norm == "instance" else "no norm": (f"network.norm={norm}", f"discriminator.norm={norm}")
        for norm in ("instance", "none")
    }


def _se(config: FitConfig) -> dict[str, tuple[str, ...]]:
    ratio = config.network.se_ratio or NetworkConfig().se_ratio
    return {"SE": (f"network.se_ratio={ratio}",), "no SE": ("network.se_ratio=0",)}


def _dilation(config: FitConfig) -> dict[str, tuple[str, ...]]:
    """Without dilation as many convolutions are left, so that the parameters are the same."""
    rates = config.network.dilations
    wide = rates if any(rate > 1 for rate in rates) else NetworkConfig().dilations[: len(rates)]
    return {
        "dilated": (f"network.dilations={list(wide)}",),
        "not dilated": (f"network.dilations={[1] * len(rates)}",),
    }


Choices = Callable[[FitConfig], dict[str, tuple[str, ...]]]

AXES: dict[str, tuple[str, Choices]] = {
    "ttur": ("Rate of the discriminators over that of the generators", _ttur),
    "patch": ("Window of the discriminators in px", _patch),
    "strides": ("How many of the five layers stride", _strides),
    "norm": ("Instance normalisation, of generators and discriminators", _norm),
    "se": ("Squeeze-and-excitation after each dilated convolution", _se),
    "dilation": ("Dilation between encoder and decoder", _dilation),
}
"""Title and choices of each axis, by name."""

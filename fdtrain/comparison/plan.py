"""The plan of a comparison: which methods, how many trainings, and the budget of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from fdgen.contract.manifest import Manifest
from fdgen.errors import FdError
from fdgen.io.path_inside import path_inside
from fdtrain.config.mask import MASK_PRESETS
from fdtrain.config.presets import PRESETS
from fdtrain.config.schema import FitConfig
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import ConfigError, RunError
from fdtrain.methods import LEARNED, REFERENCES, Finish

METHODS = (*REFERENCES, *LEARNED)
"""Rows of the table, in its order."""

PHASE = "_from_images"
"""How settings end that are moments of training: with another budget they keep their share of it."""

LONGEST_WARM_UP = 4
"""Rates rise over as many images as in the preset, a number of steps that Adam needs, but over a quarter at most."""

SETTLED = {
    "seed": "--seeds",
    "training.images": "--images or --seconds",
    "training.epochs": "--images or --seconds",
    "data.size_px": "--size",
    "machine.threads": "--threads",
    "machine.device": "--device",
}
"""Settings that an option of the comparison decides, so that all rows have them alike."""

NEVER = 10**12

VALIDATIONS, VALIDATED = 5, 100
"""Validations of a training, and pictures of each: 500 restorations, of which a training of 5,000 images takes 3 %."""

Kind = Literal["reference", "trained", "weights"]


FORMERLY_BF16 = ("modern", "tiny", "mask", "glcm-64", "gca-64", "edgeconnect-64", "context-encoder-64", "pix2pix-64")
"""Presets, or how their names begin, that computed in bf16 before precisions were measured; all others did in fp32."""


@dataclass(frozen=True)
class Auto:
    """What `auto` comes to for all rows alike; sentences on why, seconds of what was timed, on what processor.

    The precision `former` is of comparisons begun before it was measured: that which each preset had then.
    """

    precision: str
    perceptual: str
    why: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    processor: str = ""

    def precision_of(self, preset: str) -> str:
        """Return the precision that a preset computes in."""
        if self.precision != "former":
            return self.precision
        return "bf16" if preset.startswith(FORMERLY_BF16) else "fp32"


@dataclass(frozen=True)
class Ask:
    """Everything that decides the numbers of a comparison, but for its rows. `images` or `seconds` is the budget.

    `seconds` is CPU time of training; how many images a method gets for it is measured once, then fixed. `limit` takes
    the first so many test pictures. `perceptual` replaces the perceptual network of the methods that have one.
    """

    data: str
    size_px: int
    images: int | None
    seconds: float | None
    limit: int | None
    measures: tuple[str, ...]
    perceptual: str | None
    perceptual_weights: str
    overrides: tuple[str, ...]
    threads: int
    device: str
    # What is done to the pictures of all rows that learnt, and but for `shift` of the eigenfaces, alike.
    finish: Finish = "none"
    # Settled by `fdtrain.comparison.resolve_auto` before the first row; until then rows that need it have `auto`.
    auto: Auto | None = None

    def recorded(self) -> dict[str, Any]:
        """Return it as JSON holds it, without paths."""
        values = asdict(self)
        del values["data"], values["perceptual_weights"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True)
class Task:
    """One row of the table and one seed of it. `what` is a reference, a preset, or a file of weights.

    `overrides` are what the row changes in its preset, applied after those of the whole comparison.
    """

    name: str
    kind: Kind
    what: str
    seed: int | None = None
    overrides: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its result goes, below that of the comparison."""
        return Path("rows", self.name, f"seed-{self.seed}" if self.seed is not None else "once")

    def place(self, out: Path) -> Path:
        """Return that folder in the one of a comparison; raise `RunError` where its name leads elsewhere."""
        return path_inside(out, self.folder.as_posix(), error=RunError)


def make_tasks(methods: Sequence[str], weights: Mapping[str, Path], *, seeds: int, size_px: int) -> list[Task]:
    """Return every row and seed, in the order in which they are worked: all methods with one seed, then the next.

    A method is a reference, one of `LEARNED`, or any preset. Raises `FdError` for an unknown one and for a name twice.
    """
    names = [*methods, *weights]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise FdError(f"two rows are both called {twice!r}: give each a name of its own")
    if odd := next((name for name in weights if not name or set(name) & set("/\\\0") or name.startswith(".")), None):
        raise FdError(f"--weights {odd}=...: a row's name is also a folder's", hint="use letters, digits and dashes")
    once = [Task(name, "reference", name) for name in methods if name in REFERENCES]
    once += [Task(name, "weights", str(path)) for name, path in weights.items()]
    trained = [(name, preset_of(name, size_px)) for name in methods if name not in REFERENCES]
    return once + [Task(name, "trained", preset, seed) for seed in range(seeds) for name, preset in trained]


def preset_of(method: str, size_px: int) -> str:
    """Return the preset of a method for pictures of a size: its own form for it, else that for 256 px."""
    if method in MASK_PRESETS:
        raise FdError(
            f"{method} is no method to compare: it finds occluders and restores nothing",
            hint="`fdtrain eval` measures segmentation networks",
        )
    if method in LEARNED and f"{method}-{size_px}" in PRESETS:
        return f"{method}-{size_px}"
    if method in PRESETS:
        return method
    raise FdError(
        f"there is no method {method!r}", hint=f"there are {', '.join(METHODS)}, and every preset of `fdtrain presets`"
    )


def config_of(ask: Ask, task: Task, images: int) -> FitConfig:
    """Return what a task trains with, its phases at the same shares of `images` as in its preset.

    A few pictures are validated a few times, for `training.best_by`, and no sheet is drawn. Raises `ConfigError`.
    """
    own: list[str | tuple[str, Any]] = [
        ("data.root", ask.data),
        ("data.size_px", ask.size_px),
        ("machine.threads", ask.threads),
        ("machine.device", ask.device),
        ("loss.perceptual_weights", ask.perceptual_weights),
    ]
    for override in ask.overrides:
        if (key := override.partition("=")[0].strip()) in SETTLED:
            raise ConfigError(f"--set {override}: {key} is the comparison's own", hint=f"use {SETTLED[key]}")
    changed = (*ask.overrides, *task.overrides)
    config = FitConfig.load(task.what, overrides=[*own, *changed])
    own += [*changed, ("seed", task.seed or 0), ("training.images", images)]
    perceptual: str = config.loss.perceptual
    if ask.perceptual is not None and perceptual != "off":
        perceptual = ask.perceptual
    if ask.auto is not None and perceptual == "auto":
        perceptual = ask.auto.perceptual
    own.append(("loss.perceptual", perceptual))
    if ask.auto is not None and config.training.precision == "auto":
        own.append(("training.precision", ask.auto.precision_of(task.what)))
    if config.training.images is not None:
        flat = config.flat()
        scale = images / config.training.images
        own += [(key, max(round(flat[key] * scale), 1)) for key in flat if key.endswith(PHASE) and flat[key]]
        own.append(("training.cooldown_images", min(round(config.training.cooldown_images * scale), images)))
        own.append(("training.warmup_images", min(config.training.warmup_images, images // LONGEST_WARM_UP)))
    batch = config.training.batch
    own += [
        ("output.stats_images", max(images // 50, batch)),
        ("output.checkpoint_images", max(images // 10, batch)),
        ("output.validation_images", max(images // VALIDATIONS, batch)),
        ("output.sample_images", NEVER),
        ("output.validation_limit", VALIDATED),
        ("output.keep", 1),
    ]
    return FitConfig.load(task.what, overrides=own)


def split_sha256(dataset: TripletDataset) -> str:
    """Return a hash of the pictures of a split: of the keys and digests of clean, occluded and mask, in their order."""
    digests = ["clean_png_sha256", "occluded_png_sha256", "mask_png_sha256"]
    table = Manifest.load(dataset.root, columns=["key", *digests]).table.set_index("key").loc[dataset.keys]
    rows = table[digests].to_numpy().tolist()
    listed = [[key, *sums] for key, sums in zip(dataset.keys, rows, strict=True)]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()

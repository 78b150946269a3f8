"""Options that commands of fdtrain share, and the config that they add up to.

Settings come from the preset, then `--config`, then `--set`, then an option of their own such as `--seed`: the later
wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .path_types import LocalPath

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from fdtrain.config.schema import FitConfig

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_PRESET = "modern"


def _complete_preset(ctx: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from fdtrain.config.presets import PRESETS

    return [CompletionItem(name) for name in PRESETS if name.startswith(text)]


def config_options(function: Function) -> Function:
    """Add what decides the config: `--preset`, `--config`, `--set`, `--seed`, `--device`, `--perceptual-weights`."""
    options = (
        click.option(
            "--preset",
            default=DEFAULT_PRESET,
            show_default=True,
            metavar="NAME",
            shell_complete=_complete_preset,
            help="Preset of all settings; `fdtrain presets` lists the presets.",
        ),
        click.option(
            "--config",
            "file",
            type=LocalPath(dir_okay=False),
            metavar="FILE",
            help="TOML file whose values replace the preset's.",
        ),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change one setting, as in `--set training.batch=8`; may be repeated.",
        ),
        click.option("--seed", type=int, metavar="N", help="Seed of all random choices.  [default: the preset's]"),
        click.option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps.  [default: a GPU if there is one]"),
        click.option(
            "--perceptual-weights",
            metavar="FILE",
            help="Weights of the perceptual network.  [default: torchvision's cache]",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def on_the_fly_options(function: Function) -> Function:
    """Add what takes the place of a dataset: `--faces` and `--recipe`."""
    faces = click.option(
        "--faces",
        metavar="FOLDER",
        help="Train without a dataset: photographs to occlude while training, or `samples` (data.on_the_fly.faces).",
    )
    recipe = click.option(
        "--recipe",
        metavar="NAME|FILE",
        help="With --faces: the recipe of the occluders (data.on_the_fly.recipe).  [default: default]",
    )
    return faces(recipe(function))


def data_flags(data: str | Path | None, faces: str | None, recipe: str | None) -> dict[str, str | None]:
    """Return the settings that say what is trained on."""
    return {
        "data.root": None if data is None else str(data),
        "data.on_the_fly.faces": faces,
        "data.on_the_fly.recipe": recipe,
    }


def require_data(config: FitConfig, *, or_else: str = "") -> None:
    """Refuse a config without data, or whose dataset is none, before a word of progress.

    `or_else` ends the sentence with what else would do.
    """
    from fdgen.contract.manifest import read_finished
    from fdgen.io.storage import open_place

    if config.data.is_on_the_fly:
        return
    if not config.data.root:
        raise click.UsageError(
            f"name a dataset with --data, or photographs with --faces{or_else}",
            click.get_current_context(silent=True),
        )
    read_finished(open_place(config.data.root))


def resolve_config(
    preset: str, file: Path | None, overrides: Sequence[str], flags: Mapping[str, Any] | None = None
) -> FitConfig:
    """Return the config that the options ask for; raise `ConfigError`, naming the option or file at fault."""
    from fdtrain.config.schema import FitConfig

    given = [(key, value) for key, value in (flags or {}).items() if value is not None]
    return FitConfig.load(preset, file, [*overrides, *given])

"""Options that several commands share, and the recipe that they add up to.

Settings come from the defaults, then `--recipe`, then `--set`, then an option of their own such as `--seed`: the later
wins.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fdgen.networks import DETECTORS

from .path_types import LocalPath, PathOrURL

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from fdgen.faces.cache import FaceCache
    from fdgen.recipe.schema import Recipe

Function = TypeVar("Function", bound=Callable[..., Any])

MOST_WORKERS = 8
"""Default limit: more are seldom free on a shared machine, and each uses memory. `--workers` may exceed it."""


class DatasetType(PathOrURL):
    """A folder that `fdgen build` wrote, or its URL; one on the Hub is `hf://datasets/OWNER/NAME@REVISION`.

    `fetched_dataset` fetches what is on the Hub when the command runs.
    """


def _complete_recipe(ctx: click.Context, parameter: click.Parameter, text: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from fdgen.recipe.files import recipe_names

    names = [CompletionItem(name) for name in recipe_names() if name.startswith(text)]
    return [*names, CompletionItem(text, type="file")]


pack_option = click.option(
    "--pack",
    "packs",
    type=LocalPath(file_okay=False),
    multiple=True,
    metavar="FOLDER",
    help="Folder of your own occluders, used besides those of fdgen; may be repeated.",
)


def recipe_options(function: Function) -> Function:
    """Add what decides the recipe: `--recipe`, `--set`, `--seed`, `--size` and `--pack`."""
    options = (
        click.option(
            "--recipe",
            default="default",
            show_default=True,
            metavar="NAME|FILE",
            shell_complete=_complete_recipe,
            help="Built-in recipe, or your own TOML file.",
        ),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change one value of the recipe, as in `--set coverage.max=0.4`; may be repeated.",
        ),
        click.option("--seed", type=int, metavar="N", help="Seed of all random choices.  [default: the recipe's]"),
        click.option(
            "--size",
            "size_px",
            type=int,
            metavar="PX",
            help="Side of the square pictures, in pixels.  [default: the recipe's]",
        ),
        pack_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


faces_option = click.option(
    "--faces",
    metavar="FOLDER",
    shell_complete=lambda ctx, parameter, text: click.Path(file_okay=False).shell_complete(ctx, parameter, text),
    # Text and not a path: `samples` means the faces that come with fdgen, `./samples` a folder of that name.
    help="Folder of photographs, CelebA, tars or Parquet; or a URL.  [default: samples, those included with fdgen]",
)

cache_option = click.option(
    "--cache",
    type=LocalPath(dir_okay=False),
    metavar="FILE",
    help="File in which landmarks are kept between runs.  [default: `fdgen doctor` prints it]",
)


detector_option = click.option(
    "--detector",
    type=click.Choice(DETECTORS),
    default="builtin",
    show_default=True,
    help="Finds landmarks: the networks that are included, or mediapipe itself, which is an extra.",
)


def cache_options(function: Function) -> Function:
    """Add `--cache` and `--no-cache`."""
    return cache_option(
        click.option("--no-cache", is_flag=True, help="Detect landmarks again, and keep none after this run.")(function)
    )


quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print errors only.")

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")


def workers_option(function: Function) -> Function:
    """Add `--workers`."""
    return click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=default_workers,
        metavar="N",
        help=f"Worker processes; any number gives the same result.  [default: one per core, at most {MOST_WORKERS}]",
    )(function)


def time_limit_option(function: Function) -> Function:
    """Add `--time-limit`."""
    return click.option(
        "--time-limit",
        "time_limit_s",
        type=click.FloatRange(min=0),
        default=60,
        show_default=True,
        metavar="SECONDS",
        help="Longest time for one photograph before it is skipped; 0 means no limit. Building needs 2 workers for it.",
        callback=lambda context, parameter, value: value or None,
    )(function)


def default_workers() -> int:
    """Return how many processes to use: one for each core that we may run on, up to a limit."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_WORKERS)


def check_occluders(recipe: Recipe) -> None:
    """Refuse packs that are none, and names that no occluder has, before anything is read or compiled."""
    from fdgen.packs.library import open_library

    recipe.check_assets(open_library(recipe.assets.packs).digests().keys())


@contextlib.contextmanager
def open_cache(path: Path | None, no_cache: bool) -> Iterator[FaceCache | None]:
    """Open the cache that the options ask for; raise `FdError` where it cannot be used."""
    if no_cache:
        if path is not None:
            raise click.UsageError("--cache and --no-cache exclude each other", click.get_current_context())
        yield None
        return
    from fdgen.faces.cache import FaceCache, default_cache_path

    with FaceCache(path or default_cache_path()) as cache:
        yield cache


def resolve_recipe(
    recipe: str,
    overrides: Sequence[str] = (),
    *,
    seed: int | None = None,
    size_px: int | None = None,
    packs: Sequence[Path] = (),
) -> Recipe:
    """Load the recipe that the options ask for.

    Args:
        recipe: A built-in name, or a file.
        overrides: `key=value` settings.
        seed: The seed, over all others; None leaves it.
        size_px: Side of the crops in px, over all others; None leaves it.
        packs: Folders of occluders to add to the recipe's.

    Raises `RecipeError`, naming the option or file at fault.
    """
    from fdgen.recipe.schema import Recipe

    flags: list[tuple[str, Any]] = []
    if seed is not None:
        flags.append(("seed", seed))
    if size_px is not None:
        flags.append(("size_px", size_px))
    found = Recipe.load(recipe, [*overrides, *flags])
    if not packs:
        return found
    named = [*found.assets.packs, *map(str, packs)]
    return Recipe.load(recipe, [*overrides, *flags, ("assets.packs", list(dict.fromkeys(named)))])

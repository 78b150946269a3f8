"""The options of a comparison: what is measured, with which settings, on which machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fdtrain.metrics.registry import optional

from .model_options import device_option, finish_option, measures_option
from .path_types import LocalPath

if TYPE_CHECKING:
    from fdtrain.comparison.plan import Ask
    from fdtrain.methods import Finish

Function = TypeVar("Function", bound=Callable[..., Any])


def places_options(function: Function) -> Function:
    """Add `--data` and `--out`."""
    data = click.option(
        "--data",
        type=LocalPath(),
        required=True,
        metavar="DATASET",
        help="Folder that `fdgen build` wrote.",
    )
    out = click.option("--out", type=LocalPath(), required=True, metavar="DIR", help="Folder to write all results to.")
    return data(out(function))


def budget_options(function: Function) -> Function:
    """Add `--images` and `--seconds`."""
    images = click.option(
        "--images", type=click.IntRange(min=1), metavar="N", help="Budget: train each row on this number of images."
    )
    seconds = click.option(
        "--seconds",
        type=click.FloatRange(min=0, min_open=True),
        metavar="S",
        help="Budget instead of --images: train each row for S CPU seconds.",
    )
    return images(seconds(function))


def terms_options(function: Function) -> Function:
    """Add `--size`, `--limit`, `--measures`, `--finish`, those of the perceptual network, `--set` and the machine's."""
    options: tuple[Callable[[Function], Function], ...] = (
        click.option("--size", "size_px", type=int, metavar="PX", help="[default: the dataset's]"),
        click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N test pictures."),
        measures_option(optional(sets=False)),
        finish_option(" (as that of the eigenfaces always is). All rows alike, but eigenfaces are not moved."),
        click.option(
            "--perceptual",
            type=click.Choice(["auto", "vgg19", "vgg16-stlpips", "off"]),
            help="Perceptual network of the methods that use one.  [default: each preset's]",
        ),
        click.option(
            "--perceptual-weights",
            default="",
            metavar="FILE",
            help="File of its weights.  [default: torchvision's cache]",
        ),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change a setting of all methods that are trained.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            metavar="N",
            help="Number of torch's threads.",
        ),
        device_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def ask_of(
    data: Path,
    images: int | None,
    seconds: float | None,
    *,
    size_px: int | None,
    limit: int | None,
    measures: tuple[str, ...],
    finish: Finish,
    perceptual: str | None,
    perceptual_weights: str,
    overrides: tuple[str, ...],
    threads: int,
    device: str | None,
) -> Ask:
    """Return what these options ask for on a dataset.

    Args:
        data: Folder of the dataset.
        images: Training images of each method; None where `seconds` is the budget.
        seconds: CPU seconds of training of each method; None where `images` is the budget.
        size_px: Side of the pictures in px; None takes the dataset's.
        limit: Number of test pictures, the first ones; None takes all.
        measures: Names of the optional measures.
        finish: What is done to the pictures of all rows that learnt.
        perceptual: Perceptual network of the methods that have one; None leaves each its own.
        perceptual_weights: File of its weights; empty for none.
        overrides: `key=value` settings of every method.
        threads: Threads of each training.
        device: Where methods run; None is `auto`.

    Raises `FdError` where the dataset has no test split.
    """
    from fdtrain.comparison.plan import Ask
    from fdtrain.data.triplets import TripletDataset

    dataset = TripletDataset(data, "test", size_px=size_px, limit=limit)
    return Ask(
        data=str(data.resolve()),
        size_px=dataset.size_px,
        images=images,
        seconds=seconds,
        limit=limit,
        measures=measures,
        finish=finish,
        perceptual=perceptual,
        perceptual_weights=perceptual_weights and str(Path(perceptual_weights).resolve()),
        overrides=overrides,
        threads=threads,
        device=device or "auto",
    )

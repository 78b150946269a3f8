"""Options of commands that open trained models, and choose what to measure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fdtrain.methods import FINISHES, REFERENCES, VARIATIONAL

from .fetched import WeightsType

if TYPE_CHECKING:
    pass

Function = TypeVar("Function", bound=Callable[..., Any])

device_option = click.option(
    "--device", metavar="NAME", help="cpu, cuda, cuda:N or mps.  [default: a GPU if there is one]"
)

engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "torch", "onnx"]),
    default="auto",
    show_default=True,
    help="Library that runs the weights: torch, or onnxruntime (an .onnx file; torch need not be installed).",
)

_GENERATOR = (
    "A .safetensors file, a run's folder (its best weights by training.best_by), an ONNX file, the included `starter`, "
    "hf://OWNER/NAME@REVISION or https://..."
)

generator_option = click.option("--weights", required=True, type=WeightsType(), metavar="FILE|RUN|URL", help=_GENERATOR)

generators_option = click.option(
    "--weights",
    required=True,
    multiple=True,
    type=WeightsType(),
    metavar="FILE|RUN|URL",
    help=f"{_GENERATOR} May be repeated: visitors choose a model by its name.",
)


def finish_option(words: str, *, multiple: bool = False, auto: bool = False) -> Callable[[Function], Function]:
    """Return the option `--finish`, with what is finished here; `auto` leaves it to the weights unless it is given."""
    default = "auto" if auto else "none"
    by_weights = " auto is shift for the included starter, else none." if auto else ""
    return click.option(
        "--finish",
        type=click.Choice([default, *FINISHES] if auto else FINISHES),
        default=(default,) if multiple else default,
        multiple=multiple,
        show_default=True,
        metavar="FINISH",
        help=f"Without any training, one of {', '.join(FINISHES)}: shift is the mean of the restorations of the "
        "picture moved by 4 small steps, mirror the mean with the mirrored picture's, membrane carries what the output "
        f"lacks around the hole inwards{words}{by_weights}",
    )


def blend_option(words: str, *, multiple: bool = False) -> Callable[[Function], Function]:
    """Return the option `--blend`, with what is blended here."""
    return click.option(
        "--blend",
        type=click.FloatRange(0, 1),
        default=() if multiple else 1.0,
        multiple=multiple,
        show_default=not multiple,
        metavar="SHARE",
        help=f"Mean of both stages with this share of the last: less is smoother, and mostly nearer in PSNR{words}",
    )


def masker_option(words: str) -> Callable[[Function], Function]:
    """Return the option `--masker`, with what a mask network is for here."""
    return click.option("--masker", type=WeightsType(), metavar="FILE|RUN|URL", help=f"A segmentation network{words}")


def _references(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
    if text == "fast":
        return tuple(name for name in REFERENCES if name not in VARIATIONAL)
    return _chosen(ctx, parameter, text, REFERENCES)


def _chosen(ctx: click.Context, parameter: click.Parameter, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Read a list of names, or all, or none."""
    if text in ("all", "none"):
        return known if text == "all" else ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if unknown := [name for name in names if name not in known]:
        there = ", ".join(("all", "none", *known))
        raise click.BadParameter(f"there is no {unknown[0]!r}; there are {there}", ctx, parameter)
    return names


def measures_option(known: tuple[str, ...]) -> Callable[[Function], Function]:
    """Return the option `--measures`, for some of these."""

    def read(ctx: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
        return _chosen(ctx, parameter, text, known)

    return click.option(
        "--measures",
        callback=read,
        default="all",
        show_default=True,
        metavar="NAME,...",
        help=f"What to compute beyond PSNR, SSIM and MSE: all, none, or some of {', '.join(known)}.",
    )

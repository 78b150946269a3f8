"""`fdtrain presets`: description, parameters and cost of each preset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..shared.fdgen_options import json_option
from ..shared.fdtrain_options import resolve_config
from ..shared.output import aligned, emit, emit_json

if TYPE_CHECKING:
    from fdtrain.config.schema import FitConfig


@click.command("presets")
@click.option("--show", "name", metavar="NAME", help="Print every setting of one preset as TOML, for --config.")
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the presets with parameters and cost, or print one.

    Parameters are those of both generators (and of the discriminators that training adds). GMACs are billions of
    multiply-adds of both generators for one picture. Memory is an estimate for a training step.
    """
    if name is not None:
        config = resolve_config(name, None, ())
        if as_json:
            emit_json(config.as_dict())
        else:
            emit("\n".join([*(f"# deviates: {line}" for line in deviations(name)), config.to_toml().rstrip()]))
        return
    rows = gather()
    if as_json:
        emit_json(rows)
        return
    head = ("preset", "px", "params M", "D params M", "GMACs", "batch", "GB", "length", "description")
    table = [
        (
            row["preset"],
            str(row["size_px"]),
            f"{row['parameters'] / 1e6:.1f}",
            f"{row['discriminator_parameters'] / 1e6:.1f}",
            f"{row['gmacs']:.2f}",
            str(row["batch"]),
            f"{row['memory_bytes'] / 1e9:.1f}",
            f"{row['images']:,} images" if row["images"] else f"{row['epochs']:,} epochs",
            row["description"],
        )
        for row in rows
    ]
    for line in aligned([head, *table]):
        emit(line)


def deviations(preset: str) -> tuple[str, ...]:
    """Return where the method of a preset deviates from its paper: nothing for a preset of none."""
    from fdtrain.methods import LEARNED

    method = LEARNED.get(preset) or LEARNED.get(preset.rpartition("-")[0])
    return method.deviations if method is not None else ()


def counted(config: FitConfig) -> dict[str, Any]:
    """Return what a preset costs that nobody has counted beforehand."""
    from dataclasses import asdict

    from fdtrain.training.cost import cost_of

    return asdict(cost_of(config))


def gather() -> list[dict[str, Any]]:
    """Return a row a preset, as JSON holds it."""
    from fdtrain.config.preset_costs import preset_costs
    from fdtrain.config.presets import DESCRIPTIONS
    from fdtrain.config.schema import FitConfig

    costs = preset_costs()
    rows = []
    for name, description in DESCRIPTIONS.items():
        config = FitConfig.load(name)
        cost = costs.get(name) or counted(config)
        rows.append(
            {
                "preset": name,
                "description": description,
                "size_px": config.data.size_px,
                "parameters": cost["parameters"],
                "discriminator_parameters": cost["discriminator_parameters"],
                "gmacs": round(cost["gmacs"], 3),
                "batch": config.training.batch,
                "memory_bytes": cost["memory_bytes"],
                "checkpoint_bytes": cost["checkpoint_bytes"],
                "images": config.training.images,
                "epochs": config.training.epochs,
            }
        )
    return rows

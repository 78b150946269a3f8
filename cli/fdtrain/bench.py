"""`fdtrain bench`: measure the speed of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..shared.fdgen_options import DatasetType, json_option, quiet_option
from ..shared.fdtrain_options import config_options, data_flags, on_the_fly_options, require_data, resolve_config
from ..shared.fetched import fetched_dataset
from ..shared.output import Voice, aligned, emit, emit_json
from ..shared.progress import metered


@click.command("bench")
@click.option("--data", type=DatasetType(), metavar="DATASET", help="Folder that `fdgen build` wrote, or its URL.")
@on_the_fly_options
@click.option(
    "--steps", type=click.IntRange(min=4), default=12, show_default=True, metavar="N", help="Number of steps to time."
)
@click.option("--all", "all_networks", is_flag=True, help="Time every network's restoration at 256 px, without --data.")
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    metavar="N",
    help="Number of rounds of --all.",
)
@config_options
@quiet_option
@json_option
def command(
    data: str | Path | None,
    faces: str | None,
    recipe: str | None,
    steps: int,
    all_networks: bool,
    repeats: int,
    preset: str,
    file: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    device: str | None,
    perceptual_weights: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Time training on DATASET and inference: medians and spread over steps, memory, the loader's share, the parts of a
    step, its share of what a matrix product reaches here, and how often a step waits for a GPU.

    The run is made in a temporary folder, and deleted afterwards. With --all, the baselines and both forms of the
    stack are timed in turns instead, one picture of 256 px at a time.
    """
    voice = Voice(quiet)
    if all_networks:
        time_all(repeats, device or "auto", voice, as_json)
        return
    data = fetched_dataset(data, voice)
    flags = {
        **data_flags(data, faces, recipe),
        "seed": seed,
        "machine.device": device,
        "loss.perceptual_weights": perceptual_weights,
    }
    config = resolve_config(preset, file, overrides, flags)
    require_data(config, or_else=", or use --all")
    from fdtrain.training.benchmark import measure

    voice.say(f"{steps} steps of {config.training.batch} images at {config.data.size_px} px ...")
    facts = measure(config, steps=steps)
    if as_json:
        emit_json(facts)
        return
    both = ", ".join(f"{name} {one['images_per_s']:.2f} images/s" for name, one in facts["precisions"].items())
    n = facts["precisions"]["fp32"]["pictures"]
    rows = [
        ("training", f"{facts['images_per_s']:.2f} images/s ({facts['images_per_s_low']:.2f} to "
         f"{facts['images_per_s_high']:.2f}), {facts['step_s']:.3f} s a step of {facts['batch']}"),
        ("precision", f"{both} in steps of {n} without the loader; {facts['precision']} was used"),
        ("loader", f"{facts['loader_share']:.1%} of a step, with {facts['workers']} workers"),
        ("parts", ", ".join(f"{name} {s:.4f} s" for name, s in facts["parts_s"].items())
         + f" in a step of {facts['parts_pictures']}"),
        ("peak", f"{facts['share_of_peak']:.1%} of {facts['peak_flops'] / 1e9:,.0f} GFLOP/s, a {facts['precision']} "
         f"matrix product here; {facts['flops_per_image'] / 1e9:.2f} GFLOP a picture"),
        ("waits", "not counted: torch reports them of CUDA alone" if facts["waits"] is None
         else f"{facts['waits']} for {facts['device']} within a step"),
        ("inference", ", ".join(f"{name} {s:.4f} s" for name, s in facts["inference_s"].items()) + " a picture"),
        ("memory", f"{facts['peak_bytes'] / 1e9:.2f} GB at its peak (estimate {facts['estimated_bytes'] / 1e9:.2f})"),
        ("device", f"{facts['device']} ({facts['processor']}), {facts['threads']} threads, torch {facts['torch']}"),
    ]  # fmt: skip
    for line in aligned(rows):
        emit(line)


def time_all(repeats: int, device: str, voice: Voice, as_json: bool) -> None:
    """Print the table of `--all`."""
    from fdtrain.training.speed import WARM_UP, fastest_of_the_papers_four, measure_speed

    with metered(voice, "restoring with each network", "turns", repeats + WARM_UP) as meter:
        facts = measure_speed(repeats=repeats, device=device, on_repeat=meter.update)
    verdict = fastest_of_the_papers_four(facts["networks"])
    if as_json:
        emit_json({**facts, "verdict": verdict})
        return
    for line in aligned(speed_table(facts["networks"])):
        emit(line)
    emit("")
    side_px, where = facts["networks"][0]["size_px"], f"{facts['device']}, {facts['threads']} threads"
    emit(f"One picture of {side_px} px, float32: median of {repeats} (lowest to highest), measured in turns.")
    emit(f"On {where}, torch {facts['torch']}.")
    for row in facts["networks"]:
        if "timed_steps" in row:
            emit(f"Of {row['network']}, {row['timed_steps']} of the {row['steps']:,} steps of its search were timed.")
    if verdict is not None:
        emit(f"{verdict}.".capitalize())


def speed_table(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the table of networks, the fastest first, under its head."""
    first = rows[0]["network"]
    head = ("network", "ms a picture", "", f"of {first}", "parameters M", "GMACs")
    ranked = sorted(rows, key=lambda row: float(row["seconds"]))
    return [head] + [
        (
            row["network"],
            f"{row['seconds'] * 1e3:.0f}",
            f"({row['low'] * 1e3:.0f} to {row['high'] * 1e3:.0f})",
            f"{row['of_first']:.2f}",
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['gmacs']:.2f}",
        )
        for row in ranked
    ]

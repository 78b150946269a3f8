"""`fdtrain bench`: what this machine can do."""

from __future__ import annotations

from pathlib import Path

import click

from .output import Voice, aligned, emit, emit_json
from .settings import DatasetType, json_option, quiet_option
from .train_settings import config_options, resolve_config


@click.command("bench")
@click.option(
    "--data", type=DatasetType(), required=True, metavar="DATASET", help="Folder that `fdgen build` wrote, or its URL."
)
@click.option("--steps", type=click.IntRange(min=4), default=12, show_default=True, metavar="N", help="Steps to time.")
@config_options
@quiet_option
@json_option
def command(
    data: str | Path,
    steps: int,
    preset: str,
    file: Path | None,
    overrides: tuple[str, ...],
    seed: int | None,
    device: str | None,
    perceptual_weights: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Time the training loop on DATASET and inference: median and spread over steps, memory, the loader's share.

    A run is made in a temporary folder, and thrown away.
    """
    flags = {
        "data.root": str(data),
        "seed": seed,
        "machine.device": device,
        "loss.perceptual_weights": perceptual_weights,
    }
    config = resolve_config(preset, file, overrides, flags)
    from fdtrain.benchmark import measure

    voice = Voice(quiet)
    voice.say(f"{steps} steps of {config.training.batch} images at {config.data.size_px} px ...")
    facts = measure(config, steps=steps)
    if as_json:
        emit_json(facts)
        return
    rows = [
        ("training", f"{facts['images_per_s']:.2f} images/s ({facts['images_per_s_low']:.2f} to "
         f"{facts['images_per_s_high']:.2f}), {facts['step_s']:.3f} s a step of {facts['batch']}"),
        ("loader", f"{facts['loader_share']:.1%} of a step"),
        ("inference", ", ".join(f"{name} {s:.4f} s" for name, s in facts["inference_s"].items()) + " a picture"),
        ("memory", f"{facts['peak_bytes'] / 1e9:.2f} GB at its peak (estimate {facts['estimated_bytes'] / 1e9:.2f})"),
        ("device", f"{facts['device']}, {facts['threads']} threads, torch {facts['torch']}"),
    ]  # fmt: skip
    for line in aligned(rows):
        emit(line)

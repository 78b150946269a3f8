"""`fdtrain status`: the progress of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..shared.fdgen_options import json_option
from ..shared.output import aligned, duration, emit, emit_json
from ..shared.path_types import LocalPath


@click.command("status")
@click.argument("run", type=LocalPath())
@json_option
def command(run: Path, as_json: bool) -> None:
    """Report the progress, speed and quality of the run in folder RUN."""
    facts = gather(run)
    if as_json:
        emit_json(facts)
        return
    for line in aligned(report(facts)):
        emit(line)


def gather(run: Path) -> dict[str, Any]:
    """Return what is reported of a run, as JSON holds it."""
    from fdtrain.objectives.validation import MASK_SCORE, SCORE
    from fdtrain.run_files import is_locked
    from fdtrain.training.best import criterion_of
    from fdtrain.training.checkpoint import receipts
    from fdtrain.training.run import CHECKPOINTS, require_run
    from fdtrain.training.stats import read_stats

    record = require_run(run)
    lines = read_stats(run)
    training: dict[str, Any] = next((line for line in reversed(lines) if "images_per_s" in line), {})
    score, sign = criterion_of(record.config) or (MASK_SCORE if record.config.get("mask") else SCORE, 1)
    validations = [line for line in lines if line.get(score) is not None]
    best = max(validations, key=lambda line: sign * line[score], default=None)
    images = max((line["images"] for line in lines), default=0)
    rate = training.get("images_per_s")
    return {
        "run": str(run),
        "running": is_locked(run),
        "preset": record.config["preset"],
        "dataset": record.dataset,
        "content_id": record.content_id,
        "images": images,
        "total_images": record.total_images,
        "epochs": round(images / record.n_train, 2),
        "images_per_s": rate,
        "left_s": (record.total_images - images) / rate if rate else None,
        "loader_share": training.get("loader_share"),
        "terms": {name: value for name, value in training.items() if name.startswith("stage")},
        "last_validation": validations[-1] if validations else None,
        "best_validation": best,
        "gave_up": _gave_up(record.config, [line["images"] for line in lines if score in line], best),
        "checkpoints": [receipt.images for receipt in receipts(run / CHECKPOINTS)],
    }


def _gave_up(config: Mapping[str, Any], checked: Sequence[int], best: Mapping[str, Any] | None) -> bool:
    """Return whether a run stopped since no validation was better for as long as it waits.

    `checked` has the images after which there was one.
    """
    patience: int | None = config["training"].get("patience_images")
    if patience is None or not checked:
        return False
    best_images: int = best["images"] if best is not None else 0
    return max(checked) - best_images >= patience


def report(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the rows for a person."""
    done = facts["images"] >= facts["total_images"] or facts["gave_up"]
    share = facts["images"] / facts["total_images"]
    rows = [
        ("run", f"{facts['run']}: {'finished' if done else 'running' if facts['running'] else 'not running'}"),
        ("preset", f"{facts['preset']} on {facts['dataset']} ({facts['content_id'][:16]})"),
        ("images", f"{facts['images']:,} of {facts['total_images']:,} ({share:.1%}), {facts['epochs']} epochs"),
    ]
    if facts["images_per_s"]:
        left = "" if done else f", {duration(facts['left_s'])} left"
        rows.append(("speed", f"{facts['images_per_s']:.1f} images/s{left}, loader {facts['loader_share']:.0%}"))
    for name, value in facts["terms"].items():
        rows.append((name, "not finite" if value is None else f"{value:.4g}"))
    named = ((name, facts[f"{name}_validation"]) for name in ("last", "best"))
    rows.extend((f"{name} validation", validation_of(line)) for name, line in named if line)
    rows.append(("checkpoints", ", ".join(f"{images:,}" for images in facts["checkpoints"]) or "none yet"))
    return rows


def validation_of(line: dict[str, Any]) -> str:
    """Return what one validation found, in words."""
    if "val/iou" in line:
        return f"IoU {line['val/iou']:.4f}, after {line['images']:,} images"
    psnr_db, ssim = line["val/hole_psnr_db"], line["val/ssim"]
    return f"{psnr_db:.2f} dB in the inpainted region, SSIM {ssim:.4f}, after {line['images']:,} images"

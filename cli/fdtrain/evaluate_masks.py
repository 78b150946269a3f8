"""`fdtrain eval` of segmentation networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ..shared.output import counted
from ..shared.progress import Stages

if TYPE_CHECKING:
    from fdtrain.evaluation.mask_results import MaskResults


def refuse_for_masks(ctx: click.Context, names: Sequence[str]) -> None:
    """Refuse options that were given and mean nothing to mask networks."""
    for name in names:
        if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name} is for networks that restore: a segmentation network detects occluders", ctx
            )


def measure_masks(
    data: str | Path,
    weights: Sequence[Path],
    split: str,
    *,
    size_px: int | None,
    kinds: Sequence[str],
    limit: int | None,
    batch: int,
    device: str,
    verify: bool,
    rows: int,
    out: Path | None,
    stages: Stages,
) -> MaskResults:
    """Measure mask networks on a split.

    Args:
        data: The dataset: a folder or URL.
        weights: Files of weights, or folders of runs.
        split: The split that is measured.
        size_px: Side of the pictures in px; None takes the first network's.
        kinds: Kinds of occluder that are measured; empty takes all.
        limit: Number of pictures, the first ones; None takes all.
        batch: Pictures at once.
        device: Where networks run.
        verify: Whether every byte read is compared with the dataset's digests.
        rows: Rows of the sheets.
        out: Folder for numbers and sheets; None writes none.
        stages: Where progress is shown.

    Raises `FdError` where some weights restore faces instead, or weights and data cannot be opened.
    """
    from fdgen.errors import FdError
    from fdtrain.data.pictures import write_png
    from fdtrain.data.silhouettes import SilhouetteDataset
    from fdtrain.evaluation.mask_results import MaskResults, labels_of
    from fdtrain.evaluation.masks import evaluate_masks, extreme_masks, holds_masknet, mask_gallery, open_measured
    from fdtrain.inference.model_label import toy_note
    from fdtrain.run_files import make_folder

    if others := [path for path in weights if not holds_masknet(path)]:
        raise FdError(
            f"{others[0]} restores faces, the segmentation networks detect occluders: they have no measure in common",
            hint="evaluate segmentation networks separately",
        )
    stages.wait("opening models and data")
    measured = open_measured(weights, device=device)
    if note := toy_note(labels_of(measured)):
        stages.close()
        stages.voice.say(f"note: {note}")
    dataset = SilhouetteDataset(
        data, split, size_px=size_px or measured[0].masker.size_px, kinds=kinds or None, limit=limit, verify=verify
    )
    if out is not None:
        make_folder(out)
    meter = stages.stage(f"evaluating {counted(len(dataset), 'picture')}", "pictures", len(dataset))
    scores = evaluate_masks(measured, dataset, batch=batch, on_image=meter.update)
    results = MaskResults.of(scores, measured, dataset)
    if out is not None:
        stages.wait("drawing the sheets")
        results.write(out)
        for name, keys in zip(("worst", "best"), extreme_masks(scores.frame, measured[-1].name, rows), strict=True):
            write_png(out / f"{name}.png", mask_gallery(measured, dataset, keys, scores.frame))
    return results

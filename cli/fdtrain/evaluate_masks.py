"""`fdtrain eval` of segmentation networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from ..shared.output import counted
from ..shared.progress import Stages

if TYPE_CHECKING:
    from fdgen.arrays import Image
    from fdtrain.evaluation.mask_results import MaskResults
    from fdtrain.restoration.outlined_folder import OutlinedFolder, Shows

_FOUND_PX = 256
"""Size of the crop in which landmarks are found; they are used in units of its side."""


@dataclass(frozen=True)
class PictureFolders:
    """Photographs and their masks: two folders; what white marks in a mask, `occluder` or `face`."""

    pictures: Path
    masks: Path
    shows: Shows

    def open(self, size_px: int, limit: int | None, stages: Stages) -> OutlinedFolder:
        """Read them, and find the faces; raise `PictureError` where nothing can be measured."""
        from fdgen.contract.crop_limit import MOST_OUTSIDE
        from fdgen.contract.face_points import OVAL
        from fdgen.faces.detector import Detector
        from fdtrain.restoration.face_frame import FaceFrame
        from fdtrain.restoration.outlined_folder import OutlinedFolder, Place

        detector = Detector()

        def place(photo_HWC: Image, name: str) -> Place:
            found = detector.find(photo_HWC, _FOUND_PX, name=name, max_outside=MOST_OUTSIDE)
            oval = found.points_px[list(OVAL), :2].astype("float64") / _FOUND_PX
            return Place(FaceFrame(found.frame / _FOUND_PX), oval)

        meter = stages.stage(f"reading {self.pictures}", "pictures", None)
        return OutlinedFolder(
            self.pictures,
            self.masks,
            size_px=size_px,
            place=place,
            shows=self.shows,
            limit=limit,
            on_picture=meter.update,
        )


def refuse_for_masks(ctx: click.Context, names: Sequence[str]) -> None:
    """Refuse options that were given and mean nothing to mask networks."""
    for name in names:
        if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name} is for networks that restore: a segmentation network detects occluders", ctx
            )


def refuse_for_photographs(ctx: click.Context, names: Sequence[str]) -> None:
    """Refuse options that were given and that photographs have nothing of."""
    for name in names:
        if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            option = "kind" if name == "kinds" else name
            raise click.UsageError(f"--{option} is of a dataset: --pictures are photographs without one", ctx)


def measure_masks(
    data: str | Path | PictureFolders,
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
        data: The dataset, a folder or URL; or folders of photographs and of their masks.
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
    from fdtrain.evaluation.masks import (
        Silhouettes,
        evaluate_masks,
        extreme_masks,
        holds_masknet,
        mask_gallery,
        open_measured,
    )
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
    side = size_px or measured[0].masker.size_px
    dataset: Silhouettes
    if isinstance(data, PictureFolders):
        dataset = data.open(side, limit, stages)
    else:
        dataset = SilhouetteDataset(data, split, size_px=side, kinds=kinds or None, limit=limit, verify=verify)
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

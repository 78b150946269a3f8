"""`fdtrain restore`: remove occluders from photographs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from .evaluate import device_option, engine_option
from .output import Voice, counted, emit, emit_json
from .reporting import FAILED, complain
from .settings import json_option, quiet_option


@click.command("restore")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO...")
@click.option(
    "--weights",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE|RUN",
    help="A .safetensors file, a run's folder (its best weights), or an ONNX file.",
)
@click.option(
    "--mask",
    "masks",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE|FOLDER",
    help="White where the occluder is; one for each PHOTO in their order, or a folder of masks with the photos' names.",
)
@click.option("--threshold", type=click.IntRange(1, 255), metavar="N", help="Values of a grey mask that mean white.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the pictures go.")
@engine_option
@device_option
@quiet_option
@json_option
def command(
    photos: tuple[Path, ...],
    weights: Path,
    masks: tuple[Path, ...],
    threshold: int | None,
    out: Path,
    engine: str,
    device: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Remove what a mask marks from each PHOTO, an aligned face: 178x218, 89x109, or a square crop.

    Writes DIR/NAME.png of the photograph's own size, every pixel outside the mask as it was, and DIR/sheet.png: input,
    mask, the stages. A photograph that cannot be used is told of, and the others are restored.
    """
    names = [photo.stem for photo in photos]
    if twice := next((name for name in names if names.count(name) > 1 or name == "sheet"), None):
        raise click.UsageError(f"two pictures would be called {twice}.png in {out}", click.get_current_context())
    paired = pair_masks(photos, masks)

    from fdgen.errors import PictureError
    from fdtrain.atomic import make_folder
    from fdtrain.engines import open_generator
    from fdtrain.pictures import pasted, write_png
    from fdtrain.restore import read_mask, read_photo, restore_by
    from fdtrain.sheets import sheet

    voice = Voice(quiet)
    opened = open_generator(weights, engine=engine, device=device or "auto")
    make_folder(out)
    rows, captions, written = [], [], []
    for photo, mask in zip(photos, paired, strict=True):
        try:
            photo_HWC = read_photo(photo)
            mask_HW = read_mask(mask, photo_HWC, threshold=threshold)
            done = restore_by(opened.method, photo_HWC, mask_HW, size_px=opened.size_px)
        except PictureError as error:
            complain(f"error: {error.message}", error.hint)
            continue
        path = out / f"{photo.stem}.png"
        write_png(path, done.picture_HWC)
        written.append(str(path))
        if not as_json:
            emit(str(path))
        made = {} if done.coarse_HWC is None else {"stage I": done.coarse_HWC}
        made["stage II" if made else "result"] = done.refined_HWC
        stages = [pasted(stage_HWC, done.input_HWC, done.mask_HW) for stage_HWC in made.values()]
        rows.append([done.input_HWC, done.mask_HW, *stages])
        captions.append([photo.name, "mask", *made])
    if rows:
        write_png(out / "sheet.png", sheet(rows, captions))
        voice.say(f"{counted(len(rows), 'picture')} restored; before and after in {out / 'sheet.png'}")
    if as_json:
        emit_json({"restored": written, "failed": len(photos) - len(written)})
    if len(written) < len(photos):
        sys.exit(FAILED)


def pair_masks(photos: Sequence[Path], masks: Sequence[Path]) -> list[Path]:
    """Return the mask of each photograph; raise `UsageError` where there are too few, too many, or one is missing."""
    from fdtrain.restore import mask_candidates

    context = click.get_current_context(silent=True)
    if len(masks) == 1 and masks[0].is_dir():
        found = []
        for photo in photos:
            candidates = mask_candidates(photo, masks[0])
            there = next((path for path in candidates if path.is_file()), None)
            if there is None:
                raise click.UsageError(f"{masks[0]} holds no mask for {photo}: {candidates[1].name}, say", context)
            found.append(there)
        return found
    if len(masks) != len(photos):
        raise click.UsageError(
            f"there are {counted(len(photos), 'photograph')} and {counted(len(masks), 'mask')}: "
            "name a mask for each, or one folder that holds them",
            context,
        )
    return list(masks)

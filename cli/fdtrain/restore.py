"""`fdtrain restore`: remove occluders from photographs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..shared.errors import FAILED, Interrupted
from ..shared.fdgen_options import json_option, quiet_option
from ..shared.fetched import fetched
from ..shared.model_options import (
    blend_option,
    device_option,
    engine_option,
    finish_option,
    generator_option,
    masker_option,
)
from ..shared.open_restorer import finish_of, open_restorers
from ..shared.output import Voice, a_few, counted, emit, emit_json
from ..shared.path_types import LocalPath
from .restore_output import Outcomes, names_of, refuse_overwriting

if TYPE_CHECKING:
    from fdgen.arrays import Image
    from fdtrain.methods import Finish
    from fdtrain.restoration.photo_restorer import PhotoRestorer
    from fdtrain.restoration.strokes import Strokes


@click.command("restore")
@click.argument("photos", nargs=-1, required=True, type=LocalPath(), metavar="PHOTO...")
@generator_option
@masker_option(", which detects what covers each face without a --mask; `starter-mask` is included with the package.")
@click.option(
    "--mask",
    "masks",
    multiple=True,
    type=LocalPath(),
    metavar="FILE|FOLDER",
    help="Mask, white where the occluder is: one for each PHOTO in order, or a folder of NAME.png, NAME_mask.png...",
)
@click.option(
    "--threshold", type=click.IntRange(1, 255), metavar="N", help="Lowest value of a grey mask that means white."
)
@click.option(
    "--strokes",
    multiple=True,
    type=LocalPath(),
    metavar="FILE|FOLDER",
    help="Corrections of the mask, of the photo's size: pure green adds, pure red removes. Named like --mask.",
)
@click.option("--out", required=True, type=LocalPath(), metavar="DIR", help="Folder to write the pictures to.")
@click.option(
    "--faces",
    "how",
    type=click.Choice(["auto", "find", "aligned"]),
    default="auto",
    show_default=True,
    help="Find faces, or treat each PHOTO as one aligned face; auto does so for 178x218, 89x109 and small squares.",
)
@click.option(
    "--sure",
    type=click.FloatRange(0, 1),
    default=None,
    show_default="0.65 for the included starter-mask, else 0.5",
    metavar="SHARE",
    help="Leave a face unchanged if the expected IoU of its predicted mask, by its own probabilities, is below this.",
)
@click.option(
    "--beside",
    is_flag=True,
    help="Also replace what hides little of the face's middle: hair, hats, what lies beside it.",
)
@click.option("--save-masks", is_flag=True, help="Write DIR/NAME.mask.png too: the inpainted region.")
@click.option("--side-by-side", "sides", is_flag=True, help="Write DIR/NAME.side.png too: before, mask, after.")
@click.option("--no-grain", is_flag=True, help="Add no grain to the inpainted region, which is smooth.")
@click.option(
    "--no-jaw-line",
    is_flag=True,
    help="Leave the outline of faces to the generator. Else what lies beside them goes on up to the outline that "
    "landmarks, detected through the occluder, show.",
)
@click.option("--no-sharpen", is_flag=True, help="Leave what is filled in as soft as the generator's size makes it.")
@blend_option(".")
@finish_option(".", auto=True)
@engine_option
@device_option
@quiet_option
@json_option
def command(
    photos: tuple[Path, ...],
    weights: str | Path,
    masker: str | Path | None,
    masks: tuple[Path, ...],
    threshold: int | None,
    strokes: tuple[Path, ...],
    out: Path,
    how: str,
    sure: float | None,
    beside: bool,
    save_masks: bool,
    sides: bool,
    no_grain: bool,
    no_jaw_line: bool,
    no_sharpen: bool,
    blend: float,
    finish: Finish | Literal["auto"],
    engine: str,
    device: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Remove what covers the faces of each PHOTO: a picture of any size, a folder of them, or a video.

    It writes DIR/NAME.png, upright and of the photograph's own size, with every pixel outside the mask unchanged. It
    also writes DIR/sheet.png: each face, its mask, the stages, the result. A video becomes DIR/NAME.mkv, lossless and
    without sound, each frame restored by itself. Where there is no face or nothing to remove, the picture is written
    unchanged. A photograph that cannot be used is reported, and the others are restored.

    What is filled in is invented. It is no evidence of how a person looks, and must not be used to identify anybody.
    """
    from fdtrain.restoration.files import is_video, list_photos
    from fdtrain.training.weight_files import refuse_missing

    context, voice = click.get_current_context(), Voice(quiet)
    for path in (weights, masker):
        if isinstance(path, Path):
            refuse_missing(path)
    if not (masks or masker or strokes):
        raise click.UsageError(
            "name a mask for each photograph with --mask, or a segmentation network with --masker", context
        )
    listed, passed_over = list_photos(photos)
    names = names_of(listed, out)
    extras = [suffix for suffix, wanted in ((".mask.png", save_masks), (".side.png", sides)) if wanted]
    paired = pair(listed, masks, "mask", needed=masker is None and not strokes)
    corrections = pair(listed, strokes, "stroke picture", needed=masker is None and not masks)
    refuse_overwriting(listed, names, out, extras=extras, drawn=[*paired, *corrections])
    if passed_over:
        files = counted(len(passed_over), "file")
        few = a_few([path.name for path in passed_over])
        voice.say(f"{files} in the folders skipped, no photograph by name: {few}")
    generator = fetched(weights, voice)
    finished_by = finish_of(generator, finish)
    [restorer] = open_restorers(
        [generator],
        None if masker is None else fetched(masker, voice),
        how,
        engine=engine,
        device=device or "auto",
        with_grain=not no_grain,
        voice=voice,
        finish=finished_by,
        blend=blend,
        jaw_line=not no_jaw_line,
        sharpen=not no_sharpen,
        sure=sure,
        beside=beside,
    )

    from fdtrain.run_files import make_folder

    make_folder(out)
    outcomes = Outcomes(
        out,
        voice,
        as_json,
        save_masks,
        sides,
        restorer.size_px,
        labels=restorer.labels,
        passed_over=passed_over,
        finished_by=finished_by,
        blend=blend,
    )
    try:
        for photo, name, mask, stroke in zip(listed, names, paired, corrections, strict=True):
            one = _restore_video if is_video(photo) else _restore_photo
            with outcomes.failures_told():
                one(restorer, outcomes, photo, name, mask, stroke, threshold)
    except KeyboardInterrupt:
        outcomes.finish()
        done = f"{outcomes.n_done} of {counted(len(listed), 'photograph')}"
        raise Interrupted(f"{done} done and kept in {out}; name the others to go on") from None
    outcomes.finish()
    if as_json:
        emit_json(outcomes.document())
    if outcomes.n_failed:
        sys.exit(FAILED)


def _restore_photo(
    restorer: PhotoRestorer,
    outcomes: Outcomes,
    photo: Path,
    name: str,
    mask: Path | None,
    strokes: Path | None,
    threshold: int | None,
) -> None:
    from fdtrain.restoration.aligned import read_mask
    from fdtrain.restoration.files import read_photo_file
    from fdtrain.restoration.strokes import read_strokes

    read = read_photo_file(photo)
    photo_HWC = read.picture_HWC
    done, searched_s = restorer.restore(
        photo_HWC,
        mask_HW=None if mask is None else read_mask(mask, photo_HWC, threshold=threshold),
        strokes_HW=None if strokes is None else read_strokes(strokes, photo_HWC),
    )
    outcomes.keep(
        name, str(photo), photo_HWC, done, searched_s=searched_s, profile=read.profile, notes=read.notes
    )  # fmt: skip


def _restore_video(
    restorer: PhotoRestorer,
    outcomes: Outcomes,
    video: Path,
    name: str,
    mask: Path | None,
    strokes: Path | None,
    threshold: int | None,
) -> None:
    """Restore each frame by itself; one mask and one picture of strokes count for all of them."""
    from fdtrain.restoration.aligned import read_mask
    from fdtrain.restoration.strokes import read_strokes
    from fdtrain.restoration.video import SUFFIX, Frames, VideoFile

    frames = Frames(video)
    written = VideoFile(outcomes.place(f"{name}{SUFFIX}"), frames.rate)
    mask_HW: Image | None = None
    strokes_HW: Strokes | None = None
    whole = False
    try:
        for index, frame_HWC in enumerate(frames, 1):
            if mask is not None and mask_HW is None:
                mask_HW = read_mask(mask, frame_HWC, threshold=threshold)
            if strokes is not None and strokes_HW is None:
                strokes_HW = read_strokes(strokes, frame_HWC)
            done, searched_s = restorer.restore(frame_HWC, mask_HW=mask_HW, strokes_HW=strokes_HW)
            written.write(done.picture_HWC)
            outcomes.keep_extras(f"{name}.{index:06d}", frame_HWC, done)
            where = f"{video}, frame {index}"
            outcomes.tell(where, str(written.path), done, searched_s=searched_s, table=False)
        whole = True
    finally:
        path = written.close(whole=whole)
        if not whole and written.n_frames:
            outcomes.voice.say(f"{counted(written.n_frames, 'frame')} of {video} are kept in {path}")
    if not outcomes.as_json:
        emit(str(path))


def pair(photos: Sequence[Path], given: Sequence[Path], what: str, *, needed: bool) -> list[Path | None]:
    """Return what was given for each photograph, a mask say; None where a folder has none and none is needed.

    Raises `UsageError` where there are too few, too many, or one is missing that is needed.
    """
    from fdtrain.restoration.mask_files import MaskFolder, looked_for

    context = click.get_current_context(silent=True)
    if not given:
        return [None] * len(photos)
    if len(given) == 1 and given[0].is_dir():
        folder = MaskFolder(given[0])
        found = [folder.find(photo) for photo in photos]
        if needed and None in found:
            photo = photos[found.index(None)]
            raise click.UsageError(
                f"{given[0]} holds no {what} for {photo}: looked for {looked_for(photo)}, in any format that is read",
                context,
            )
        return found
    if len(given) != len(photos):
        raise click.UsageError(
            f"there are {counted(len(photos), 'photograph')} and {counted(len(given), what)}: "
            "name one for each, or one folder that holds them",
            context,
        )
    return list(given)

"""`fdtrain eval`: measure models and untrained references on a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fdtrain.methods import REFERENCES, VARIATIONAL
from fdtrain.metrics.registry import optional

from ..shared.fdgen_options import DatasetType, json_option, quiet_option
from ..shared.fetched import WeightsType, fetched, fetched_dataset
from ..shared.model_options import (
    _references,
    blend_option,
    device_option,
    finish_option,
    masker_option,
    measures_option,
)
from ..shared.output import Voice, counted, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.progress import Stages
from .evaluate_masks import PictureFolders, measure_masks, refuse_for_masks, refuse_for_photographs

if TYPE_CHECKING:
    import pandas as pd

    from fdtrain.data.triplets import TripletDataset
    from fdtrain.evaluation.mask_results import MaskResults
    from fdtrain.evaluation.results import Results
    from fdtrain.inference.method import Method
    from fdtrain.methods import Finish
    from fdtrain.restoration.outlined_folder import Shows


@click.command("eval")
@click.option("--data", type=DatasetType(), metavar="DATASET", help="Folder that `fdgen build` wrote, or its URL.")
@click.option(
    "--pictures",
    type=LocalPath(file_okay=False, exists=True),
    metavar="FOLDER",
    help="In place of --data, for segmentation networks: photographs, such as those of RealOcc or CelebAMat.",
)
@click.option(
    "--masks",
    type=LocalPath(file_okay=False, exists=True),
    metavar="FOLDER",
    help="Masks of --pictures, of the same names.  [default: the same folder]",
)
@click.option(
    "--masks-show",
    type=click.Choice(["occluder", "face"]),
    default="occluder",
    show_default=True,
    help="What white marks in them: what covers the face, or the face that is left to see.",
)
@click.option(
    "--weights",
    "named",
    multiple=True,
    type=WeightsType(),
    metavar="FILE|RUN|URL",
    help="A .safetensors file, or a run's folder (its best weights by training.best_by); may be repeated, or omitted.",
)
@click.option(
    "--restored",
    multiple=True,
    type=LocalPath(),
    metavar="FOLDER",
    help="Pictures that another program restored, each named for its key (KEY.png); may be repeated.",
)
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="What these are called, one for each --restored in turn."
)
@blend_option("; may be repeated: models have a row for each.", multiple=True)
@finish_option("; may be repeated: models have a row for each.", multiple=True)
@masker_option(": measure each model also with the masks that it predicts, as for photographs without a mask.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@click.option(
    "--size",
    "size_px",
    type=int,
    metavar="PX",
    help="Side of the pictures, in pixels.  [default: the models', else the dataset's]",
)
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this occluder type; may be repeated.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Measure only the first N pictures.")
@click.option(
    "--references",
    callback=_references,
    default="fast",
    show_default=True,
    metavar="NAME,...",
    help=f"Untrained references to compare with: all, fast (without {', '.join(VARIATIONAL)}), none, or some of "
    f"{', '.join(REFERENCES)}.",
)
@click.option(
    "--learn-from",
    metavar="DATASET",
    help="Mean face and eigenfaces learn from the train split of this dataset.  [default: that of --data]",
)
@measures_option(optional())
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    metavar="N",
    help="Pictures per batch of the models.",
)
@device_option
@click.option("--verify", is_flag=True, help="Compare every byte read with the dataset's digests.")
@click.option(
    "--rows", type=click.IntRange(min=1), default=8, show_default=True, metavar="N", help="Rows of the sheets."
)
@click.option("--out", type=LocalPath(), metavar="FOLDER", help="Write numbers and sheets here.")
@quiet_option
@json_option
def command(
    data: str | Path | None,
    pictures: Path | None,
    masks: Path | None,
    masks_show: Shows,
    named: tuple[str | Path, ...],
    restored: tuple[Path, ...],
    names: tuple[str, ...],
    blend: tuple[float, ...],
    finish: tuple[Finish, ...],
    masker: str | Path | None,
    split: str,
    size_px: int | None,
    kinds: tuple[str, ...],
    limit: int | None,
    references: tuple[str, ...],
    learn_from: str | None,
    measures: tuple[str, ...],
    batch: int,
    device: str | None,
    verify: bool,
    rows: int,
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure models and untrained references on a split of DATASET, or segmentation networks on photographs.

    Measures are PSNR, SSIM, MSE, and where they can be computed NIQE, BRISQUE, LPIPS, ST-LPIPS, identity, FID and KID.
    Each is of the raw output, of the composited output, and of the inpainted region (the hole) alone, by occluder type
    and by coverage. Measures of segmentation networks, which detect occluders, are IoU, boundary F and calibration of
    the silhouettes. The tables go to standard output. With --out every number is kept, as CSV and JSON, next to sheets
    of the worst and the best pictures.
    """
    context = click.get_current_context()
    if (data is None) == (pictures is None):
        raise click.UsageError("name either --data or --pictures", context)
    if pictures is None and (masks is not None or masks_show != "occluder"):
        raise click.UsageError("--masks and --masks-show are of --pictures", context)
    if not named and not references and not restored:
        raise click.UsageError("there is nothing to measure: name --weights, --restored or --references", context)
    if names and len(names) != len(restored):
        raise click.UsageError(
            f"--name is given {len(names)} times and --restored {len(restored)} times: give each folder its name",
            context,
        )
    folders = dict(zip(names or [folder.resolve().name for folder in restored], restored, strict=True))
    if len(folders) < len(restored):
        raise click.UsageError("two folders of --restored have one name: give each a --name", context)
    voice = Voice(quiet)
    data = fetched_dataset(data, voice)
    weights = tuple(fetched(one, voice) for one in named)
    masker = None if masker is None else fetched(masker, voice)
    with Stages(voice) as stages:
        stages.wait("starting torch")
        from fdtrain.evaluation.masks import holds_masknet

        if any(holds_masknet(path) for path in weights):
            others = ("references", "learn_from", "measures", "masker", "blend", "finish", "restored")
            refuse_for_masks(context, others)
            photographs = None if pictures is None else PictureFolders(pictures, masks or pictures, masks_show)
            if photographs is not None:
                refuse_for_photographs(context, ("split", "kinds", "verify"))
            found: MaskResults | Results = measure_masks(
                photographs or data or "",
                weights,
                split,
                size_px=size_px,
                kinds=kinds,
                limit=limit,
                batch=batch,
                device=device or "auto",
                verify=verify,
                rows=rows,
                out=out,
                stages=stages,
            )
        elif data is None:
            raise click.UsageError(
                "--pictures is for segmentation networks: name weights of one with --weights", context
            )
        else:
            found = measure_models(
                data,
                weights,
                masker,
                split,
                restored=folders,
                blends=blend,
                finishes=finish,
                size_px=size_px,
                kinds=kinds,
                limit=limit,
                references=references,
                learn_from=learn_from or data,
                measures=measures,
                batch=batch,
                device=device or "auto",
                verify=verify,
                rows=rows,
                out=out,
                stages=stages,
            )
    if as_json:
        emit_json(found.json())
    else:
        emit(found.text().rstrip("\n"))
    if out is not None:
        voice.say(f"numbers and sheets in {out}")


def measure_models(
    data: str | Path,
    weights: Sequence[Path],
    masker: Path | None,
    split: str,
    *,
    restored: Mapping[str, Path],
    blends: Sequence[float],
    finishes: Sequence[Finish],
    size_px: int | None,
    kinds: Sequence[str],
    limit: int | None,
    references: Sequence[str],
    learn_from: str | Path,
    measures: Sequence[str],
    batch: int,
    device: str,
    verify: bool,
    rows: int,
    out: Path | None,
    stages: Stages,
) -> Results:
    """Measure models and references on a split.

    Args:
        data: The dataset: a folder or URL.
        weights: Files of weights, or folders of runs.
        masker: Weights of a mask network: each model is measured by its masks, too. None leaves that out.
        split: The split that is measured.
        restored: Folders of pictures that other programs restored, by what they are called.
        blends: Shares of the last stage in blended pictures, a row of each model for each.
        finishes: What is done to the models' pictures, a row for each; mirrored, eigenfaces have one too.
        size_px: Side of the pictures in px; None takes the models', else the dataset's.
        kinds: Kinds of occluder that are measured; empty takes all.
        limit: Number of pictures, the first ones; None takes all.
        references: Names of what to compare with.
        learn_from: Dataset whose train split the mean face and the eigenfaces learn from.
        measures: Names of the optional measures.
        batch: Pictures that models restore at once.
        device: Where models run.
        verify: Whether every byte read is compared with the dataset's digests.
        rows: Rows of the sheets.
        out: Folder for numbers and sheets; None writes none.
        stages: Where progress is shown.

    Raises `FdError` for weights, data and measures that cannot be opened.
    """
    from fdtrain.data.triplets import TripletDataset
    from fdtrain.evaluation.evaluator import compare_sets, evaluate
    from fdtrain.evaluation.references import (
        Eigenfaces,
        MeanFace,
        convergence_notes,
        open_references,
        reference_notes,
    )
    from fdtrain.evaluation.restored_folder import RestoredFolder
    from fdtrain.evaluation.results import Results
    from fdtrain.evaluation.summary import people_note
    from fdtrain.inference.blend import blend_notes, blended
    from fdtrain.inference.finish import Finished, finish_notes, finish_of_faces, finished
    from fdtrain.inference.maskers import open_masker
    from fdtrain.inference.model_label import toy_note
    from fdtrain.inference.models import Models
    from fdtrain.inference.predicted_mask import ByPredictedMask
    from fdtrain.metrics.suite import open_suite
    from fdtrain.run_files import make_folder
    from fdtrain.training.weight_files import weights_sha256

    stages.wait("opening models and data")
    models = Models.open(weights, device=device)
    dataset = TripletDataset(
        data, split, size_px=size_px or models.size_px, kinds=kinds or None, limit=limit, verify=verify
    )
    learned = open_references(
        references,
        lambda: TripletDataset(learn_from, "train", size_px=dataset.size_px, verify=verify),
        on_stage=lambda text: stages.stage(text, ""),
    )
    asked = list(dict.fromkeys(finishes))
    made: list[Method] = [finished(blended(method, blends), finish) for finish in asked for method in models.methods]
    means = [finish for finish in dict.fromkeys(map(finish_of_faces, asked)) if finish != "none"]
    faces: list[Method] = [Finished(one, finish) for finish in means for one in learned if isinstance(one, Eigenfaces)]
    foreign = [RestoredFolder.open(folder, name, dataset) for name, folder in restored.items()]
    methods: list[Method] = [*learned, *faces, *foreign, *made]
    labels = list(models.labels)
    if masker is not None:
        opened = open_masker(masker, device)
        methods += [ByPredictedMask(method, opened) for method in made]
        labels += [replace(opened.label, sha256=weights_sha256(masker))] if opened.label else []
    toys = [note] if (note := toy_note(labels)) else []
    for note in toys:
        stages.close()
        stages.voice.say(f"note: {note}")
    if out is not None:
        make_folder(out)
    stages.wait("opening the measures")
    suite = open_suite(dataset.size_px, measures, n_pictures=len(dataset))
    meter = stages.stage(f"evaluating {counted(len(dataset), 'picture')}", "pictures", len(dataset))
    frame = evaluate(methods, dataset, suite=suite, batch=batch, on_image=meter.update)
    stages.wait("comparing the sets")
    sets = compare_sets(methods, dataset, suite, batch=batch)
    notes = [*toys, *reference_notes(learned), *convergence_notes(learned)]
    notes += [*blend_notes(methods), *finish_notes(methods), *models.notes(dataset)]
    if str(learn_from) != str(data) and any(isinstance(one, MeanFace | Eigenfaces) for one in learned):
        notes.append(f"mean face and eigenfaces learned from {learn_from}")
    notes += [f"{name}: restored by another program; what it was trained on is not known here" for name in restored]
    notes += people_note(dataset.table)
    results = Results.of(frame, dataset, suite, notes, sets=sets, labels=labels)
    if out is not None:
        stages.wait("drawing the sheets")
        results.write(out)
        write_sheets(out, methods, dataset, frame, rows)
    return results


def write_sheets(out: Path, methods: Sequence[Method], dataset: TripletDataset, frame: pd.DataFrame, rows: int) -> None:
    """Write worst.png and best.png: of the last method, which is the last model where there is one.

    Args:
        out: Folder of the sheets.
        methods: What is shown.
        dataset: What was measured on.
        frame: A row for each picture and method.
        rows: Rows of a sheet, a picture each.

    Raises `FdError` where a sheet cannot be written.
    """
    from fdtrain.data.pictures import write_png
    from fdtrain.evaluation.gallery import extremes, gallery
    from fdtrain.evaluation.references import Copy

    shown = [method for method in methods if not isinstance(method, Copy)]  # the input is in the sheet anyway
    for name, keys in zip(("worst", "best"), extremes(frame, methods[-1].names[-1], rows), strict=True):
        write_png(out / f"{name}.png", gallery(shown, dataset, keys, frame))

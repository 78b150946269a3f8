"""`fdgen preview`: a contact sheet without a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..shared.build_progress import Trials
from ..shared.fdgen_options import (
    cache_options,
    check_occluders,
    detector_option,
    faces_option,
    quiet_option,
    recipe_options,
    resolve_recipe,
    workers_option,
)
from ..shared.lazy_group import refuse_unknown
from ..shared.output import Voice, counted
from ..shared.prepare import prepare
from ..shared.progress import starting
from ..shared.sheets import sheet_option, write_sheet

CELL_PX = 192


if TYPE_CHECKING:
    from fdgen.networks import DetectorName


@click.command("preview")
@sheet_option
@faces_option
@recipe_options
@click.option("--kind", metavar="KIND", help="Only this kind, such as mask; `fdgen assets list` lists the kinds.")
@click.option(
    "--count", type=click.IntRange(min=1), default=24, show_default=True, metavar="N", help="Number of samples to draw."
)
@click.option(
    "--columns", type=click.IntRange(min=1), default=3, show_default=True, metavar="N", help="Samples in a row."
)
@click.option("--occluded-only", is_flag=True, help="Leave out the clean pictures and the masks.")
@detector_option
@workers_option
@cache_options
@quiet_option
def command(
    out: Path,
    faces: str | None,
    recipe: str,
    overrides: tuple[str, ...],
    seed: int | None,
    size_px: int | None,
    packs: tuple[Path, ...],
    kind: str | None,
    count: int,
    columns: int,
    occluded_only: bool,
    detector: DetectorName,
    workers: int,
    cache: Path | None,
    no_cache: bool,
    quiet: bool,
) -> None:
    """Draw a contact sheet of what a build would make, and write nothing else: clean, occluded, mask."""
    voice = Voice(quiet)
    with starting(voice):
        from fdgen.dataset.contact_sheet import TRIPLE, described, samples_sheet
        from fdgen.errors import FacesError
        from fdgen.io.pictures.images import resize
        from fdgen.kinds import KINDS
        from fdgen.pipeline.preview import preview_samples

    resolved = resolve_recipe(recipe, overrides, seed=seed, size_px=size_px, packs=packs)
    if kind is not None:
        names = [*KINDS]
        refuse_unknown("--kind", [kind], names)
        only = [f"kinds.{name}={1.0 if name == kind else 0.0}" for name in names]
        only += ["several.two=0", "several.three=0"]
        resolved = resolve_recipe(recipe, [*overrides, *only], seed=seed, size_px=size_px, packs=packs)
    check_occluders(resolved)
    cell_px = min(resolved.size_px, CELL_PX)
    samples, texts = [], []
    with prepare(faces, voice, cache, no_cache, notes=True) as ready:
        stages = ready.stages
        triplets = preview_samples(
            resolved,
            ready.source,
            ready.photographs,
            count,
            cache=ready.cache,
            detector=detector,
            workers=workers,
            on_trial=Trials(stages).update,
            on_face=lambda done, total: stages.stage("landmarks", "photographs", total).update(done, total),
        )
        for triplet in triplets:
            pictures = [triplet.occluded_HWC]
            if not occluded_only:
                pictures = [triplet.clean_HWC, triplet.occluded_HWC, triplet.mask_HW]
            samples.append([resize(picture, cell_px, cell_px) for picture in pictures])
            record = triplet.record
            texts.append(described(record.kinds, record.coverage, record.split))
            stages.stage("drawing", "pairs", count).update(len(samples))
    if not samples:
        raise FacesError(
            f"no face in {ready.source.root} gave a sample", hint="widen the pose and coverage of the recipe with --set"
        )
    write_sheet(out, samples_sheet(samples, texts, columns, () if occluded_only else TRIPLE))
    voice.say(f"{counted(len(samples), 'sample')} drawn in {out}")

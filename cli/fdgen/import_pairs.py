"""`fdgen import`: make a dataset of pairs that another program made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

import click

from ..shared.errors import Interrupted
from ..shared.fdgen_options import DatasetType, json_option, quiet_option
from ..shared.output import Voice, by_count, counted, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.progress import Stages

_FOLDER = LocalPath(file_okay=False)


@click.command("import")
@click.option("--clean", type=_FOLDER, required=True, metavar="FOLDER", help="Clean pictures.")
@click.option("--occluded", type=_FOLDER, required=True, metavar="FOLDER", help="The same pictures, occluded.")
@click.option("--masks", type=_FOLDER, required=True, metavar="FOLDER", help="Masks: white where the occluder is.")
@click.option(
    "--out",
    type=DatasetType(),
    required=True,
    metavar="FOLDER",
    help="Folder to write the dataset to, or a URL: s3://, gs:// or az://.",
)
@click.option(
    "--size",
    "size_px",
    type=click.IntRange(64, 1024),
    metavar="PX",
    help="Cut the middle square out of the pictures, and resize it.  [default: they are square, and of one size]",
)
@click.option(
    "--threshold",
    type=click.IntRange(1, 255),
    metavar="LEVEL",
    help="Take mask pixels from this level on for the occluder.  [default: masks have 0 and 255 alone]",
)
@click.option("--invert", is_flag=True, help="Masks are black where the occluder is.")
@click.option(
    "--outside",
    type=click.Choice(("refuse", "clean")),
    default="refuse",
    show_default=True,
    help="Where an occluded picture differs outside its mask, as after a JPEG: refuse it, or take the clean one there.",
)
@click.option("--kind", default="imported", show_default=True, metavar="NAME", help="What the occluders are called.")
@click.option(
    "--identity",
    type=click.Choice(("auto", "folder")),
    default="auto",
    show_default=True,
    help="Who is on a picture: as an identities.csv in the clean folder says, or its folder.",
)
@click.option(
    "--splits",
    "shares",
    type=(float, float, float),
    default=(0.9, 0.05, 0.05),
    show_default=True,
    metavar="TRAIN VAL TEST",
    help="Shares of the splits; of no account where the clean pictures are in folders train, val and test.",
)
@click.option("--skip-faulty", is_flag=True, help="Leave pairs with a fault out, and list them in rejects.csv.")
@click.option("--name", metavar="NAME", help="Name of the dataset.  [default: as before, else imported]")
@click.option(
    "--version", metavar="X.Y.Z", help="Version of the dataset, as in semver.org.  [default: as before, else none]"
)
@quiet_option
@json_option
def command(
    clean: Path,
    occluded: Path,
    masks: Path,
    out: str | Path,
    size_px: int | None,
    threshold: int | None,
    invert: bool,
    outside: Literal["refuse", "clean"],
    kind: str,
    identity: Literal["auto", "folder"],
    shares: tuple[float, float, float],
    skip_faulty: bool,
    name: str | None,
    version: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make a dataset of clean, occluded and mask pictures that another program made, or resume one.

    Pictures of one name, but for the suffix, are a pair. Every pair is looked at before anything is written: faults
    are listed on standard output (reason, file, problem), and the command exits with 3.
    """
    from fdgen.errors import PairsError, RecipeError
    from fdgen.pipeline.pairs.foreign_pairs import Reading
    from fdgen.pipeline.pairs.importer import import_pairs

    if any(not 0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-9:
        raise RecipeError(
            f"--splits must be shares that add up to 1, got {' '.join(map(str, shares))}",
            hint="for example --splits 0.8 0.1 0.1",
        )
    voice = Voice(quiet)
    try:
        with Stages(voice) as stages:
            manifest = import_pairs(
                clean,
                occluded,
                masks,
                out,
                reading=Reading(size_px, threshold, invert, outside, kind),
                identity=identity,
                shares=shares,
                skip_faulty=skip_faulty,
                name=name,
                version=version,
                on_file=lambda done, total: stages.stage("reading", "files", total).update(done),
                on_pair=lambda done, total: stages.stage("checking", "pairs", total).update(done),
                on_shard=lambda receipt: stages.stage("writing", "shards").line(
                    f"{receipt.name}: {counted(len(receipt.samples), 'sample')}"
                ),
            )
    except PairsError as error:
        if as_json:
            faults = [dict(zip(("reason", "file", "problem"), fault, strict=True)) for fault in error.faults]
            emit_json({"out": str(out), "ok": False, "faults": faults})
        else:
            for fault in error.faults:
                emit("\t".join(fault))
        raise
    except KeyboardInterrupt:
        raise Interrupted(f"finished shards are kept in {out}; run the same command again to resume") from None
    dataset = manifest.dataset
    rejects = dict(dataset["rejects"])
    if as_json:
        facts = ("name", "version", "spec_id", "content_id", "made", "splits", "rejects")
        emit_json({"out": str(out), "ok": True, **{fact: dataset[fact] for fact in facts}})
    left_out = f"; left out: {by_count(Counter(rejects))}" if rejects else ""
    voice.say(f"{counted(len(manifest), 'sample')} of {dataset['recipe']['size_px']} px in {out}{left_out}")
    for text in dataset["notes"]:
        voice.say(f"note: {text}")

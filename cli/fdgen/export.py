"""`fdgen export`: write a dataset in a format that other tools read."""

from __future__ import annotations

from pathlib import Path

import click

from ..shared.errors import Interrupted
from ..shared.fdgen_options import DatasetType, json_option, quiet_option
from ..shared.output import Voice, counted, emit_json
from ..shared.path_types import LocalPath
from ..shared.progress import Stages

FORMATS = ("imagefolder", "parquet", "coco")


@click.command("export")
@click.argument("dataset", type=DatasetType())
@click.option("--to", type=click.Choice(FORMATS), required=True, help="Format.")
@click.option("--out", type=LocalPath(), required=True, metavar="FOLDER", help="Folder to write to.")
@quiet_option
@json_option
def command(dataset: str | Path, to: str, out: Path, quiet: bool, as_json: bool) -> None:
    """Write DATASET, a folder or a URL, in a format that other tools read.

    Hugging Face datasets reads imagefolder and parquet: the occluded picture is `image`, next to `clean`, `mask` and
    `alpha`, and the truth layers that the dataset has. coco has the occluded pictures, with masks and silhouettes as
    run lengths, and no place for truth layers. Every picture is compared with its digest. Running the same command
    again resumes, and keeps what is complete.
    """
    from fdgen.contract.manifest import Manifest
    from fdgen.exporters.exporter import export

    voice = Voice(quiet)
    manifest = Manifest.load(dataset)
    try:
        with Stages(voice) as stages:
            done = export(
                manifest,
                to,
                out,
                on_progress=lambda at, total: stages.stage(f"writing {to}", "samples", total).update(at),
            )
    except KeyboardInterrupt:
        raise Interrupted(f"finished shards are kept in {out}; run the same command again to resume") from None
    if as_json:
        emit_json({"out": str(out), **done})
    made = counted(done["made_now"], "sample") if done["made_now"] else "nothing: all of it was there"
    voice.say(f"{counted(done['files'], 'file')} in {out}, {done['bytes'] / 1e6:,.1f} MB; written now: {made}")
    if done["left_out"]:
        named = ", ".join(done["left_out"])
        voice.say(f"left out: {named}; {to} has no place for truth layers, imagefolder and parquet have")

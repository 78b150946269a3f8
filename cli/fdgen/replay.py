"""`fdgen replay`: render one sample again from its record."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import DatasetType, json_option, pack_option
from ..shared.output import Voice, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.prepare import ready_renderer
from ..shared.sheets import check_suffix, write_sheet

AMPLIFIED = 32
"""How much the differences are amplified in the drawing: one grey level, which nobody sees, becomes a dark grey."""


@click.command("replay")
@click.argument("key")
@click.option(
    "--dataset", type=DatasetType(), required=True, metavar="FOLDER", help="Dataset of the sample: a folder or a URL."
)
@click.option(
    "--out",
    type=LocalPath(dir_okay=False),
    callback=check_suffix,
    metavar="FILE",
    help="Draw the stored sample, the new one, and their difference (amplified) to this .png or .jpg.",
)
@pack_option
@json_option
def command(key: str, dataset: str | Path, out: Path | None, packs: tuple[Path, ...], as_json: bool) -> None:
    """Render the sample KEY again from its record, and compare it with what is stored.

    Reports for each picture how many pixels differ and by how many grey levels. Exits with 3 if anything differs.
    """
    from fdgen.contract.manifest import Manifest
    from fdgen.verification.replay import replay_sample

    manifest = Manifest.load(dataset)
    manifest.row(key)  # refuses an unknown key before anything is compiled
    ready_renderer(Voice())
    found = replay_sample(manifest, key, packs)
    if out is not None:
        from fdgen.dataset.picture_difference import amplified, pictures_of
        from fdgen.io.pictures.contact_sheet import contact_sheet

        now = pictures_of(found.again)
        order = ("clean", "occluded", "mask", "alpha")
        rows = [[found.stored[name] for name in order], [now[name] for name in order]]
        if not any(one.pixels is None for one in found.pictures):
            rows.append([amplified(found.stored[name], now[name], AMPLIFIED) for name in order])
        texts = ("stored", "rendered now", f"their difference times {AMPLIFIED}")
        write_sheet(out, contact_sheet(rows, headings=order, captions=[[text] for text in texts[: len(rows)]]))
        click.echo(f"drawn in {out}: stored, rendered now, their difference times {AMPLIFIED}", err=True)
    if as_json:
        emit_json(
            {
                "key": key,
                "same": found.same,
                "pictures": [asdict(one) for one in found.pictures],
                "fields": list(found.fields),
                "record": asdict(found.again.record),
            }
        )
    elif found.same:
        emit(f"{key}: the same, every pixel and every value")
    else:
        for one in found.pictures:
            emit(f"{key}: {one}")
        for name in found.fields:
            emit(f"{key}: {name} {getattr(found.record, name)!r} -> {getattr(found.again.record, name)!r}")
    if not found.same:
        sys.exit(PROBLEMS)

"""`fdgen show`: show one sample of a dataset."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..shared.fdgen_options import DatasetType
from ..shared.fetched import fetched_dataset
from ..shared.output import Voice, emit_json
from ..shared.path_types import LocalPath
from ..shared.sheets import check_suffix, write_sheet

PICTURES = ("clean", "occluded", "mask", "alpha")


@click.command("show")
@click.argument("key")
@click.option("--dataset", type=DatasetType(), required=True, metavar="FOLDER|URL", help="Dataset of the sample.")
@click.option(
    "--out",
    type=LocalPath(dir_okay=False),
    callback=check_suffix,
    metavar="FILE",
    help="Draw clean, occluded, mask, alpha and truth layers to this .png or .jpg.",
)
def command(key: str, dataset: str | Path, out: Path | None) -> None:
    """Show the sample KEY: its record on standard output, and its pictures, truth layers too, with --out."""
    from fdgen.contract.manifest import read_finished
    from fdgen.contract.manifest_columns import read_member, read_row
    from fdgen.contract.records import SampleRecord
    from fdgen.contract.truth import TRUTH, layers_of
    from fdgen.io.storage import open_place

    root = open_place(fetched_dataset(dataset, Voice(quiet=False)))
    facts = read_finished(root)
    layers = layers_of(facts["recipe"])
    row = read_row(root, facts, key)
    record = SampleRecord.from_json(read_member(root, row, "json"))
    if out is not None:
        from fdgen.dataset.truth_view import viewable
        from fdgen.io.pictures.contact_sheet import contact_sheet
        from fdgen.io.pictures.images import decode_png

        pictures = [decode_png(read_member(root, row, f"{name}.png")) for name in PICTURES]
        drawn = [layer for layer in layers if layer != "caption"]
        pictures += [viewable(layer, read_member(root, row, TRUTH[layer])) for layer in drawn]
        headings = (*PICTURES, *drawn)
        write_sheet(out, contact_sheet([pictures], headings=headings))
        click.echo(f"drawn in {out}: {', '.join(headings)}", err=True)
    caption = {"caption": read_member(root, row, TRUTH["caption"]).decode("utf-8")} if "caption" in layers else {}
    emit_json({**asdict(record), "shard": row["shard"], **caption})

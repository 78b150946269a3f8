"""`fdgen assets add`, `index`, `check`: the user's own occluders."""

from __future__ import annotations

from pathlib import Path

import click

from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import json_option
from ..shared.lazy_group import refuse_unknown
from ..shared.output import counted, emit, emit_json
from ..shared.path_types import LocalPath

DEFAULT_PACK = Path("my-occluders")
_folder = LocalPath(file_okay=False)
pack_argument = click.argument("pack", type=_folder, default=DEFAULT_PACK, metavar="[PACK]")


@click.command("add")
@click.argument("file", type=LocalPath(dir_okay=False), metavar="PICTURE")
@click.option("--kind", required=True, metavar="KIND", help="Kind of occluder: mask, sunglasses, hand, and so on.")
@click.option(
    "--pack", type=_folder, default=DEFAULT_PACK, show_default=True, metavar="FOLDER", help="Folder of the pack."
)
@click.option(
    "--id", "asset_id", metavar="ID", help="Id of the occluder in recipes.  [default: KIND and the file's name]"
)
@click.option("--title", metavar="TEXT", help="Title for people to read.")
@click.option("--licence", default="", metavar="TEXT", help="Licence under which it may be used.")
@click.option("--origin", default="", metavar="TEXT", help="Its author, or where it comes from.")
@click.option("--form", metavar="FORM", help="How it is placed on the face: drape, plate, card.  [default: the kind's]")
@click.option("--held-out", is_flag=True, help="Use it in the test split only.")
def add(
    file: Path,
    kind: str,
    pack: Path,
    asset_id: str | None,
    title: str | None,
    licence: str,
    origin: str,
    form: str | None,
    held_out: bool,
) -> None:
    """Add a cut-out PICTURE (PNG with transparency) or a GLB mesh to a pack, which is created if it does not exist.

    Anchor points are estimated from its outline. They are in a TOML file next to the copy, for you to edit.
    """
    from fdgen.kinds import KINDS
    from fdgen.occluders.imported.spec import FORMS
    from fdgen.packs.add import Addition, add_asset
    from fdgen.packs.check import check_pack

    refuse_unknown("--kind", [kind], list(KINDS))
    refuse_unknown("--form", [form] if form else [], FORMS)
    asset = add_asset(pack, file, Addition(kind, asset_id, title, licence, origin, form, held_out))
    emit(asset.id)
    table = pack / kind / f"{asset.id.removeprefix(kind + '-')}.toml"
    click.echo(f"added; its anchor points are in {table}", err=True)
    for one in check_pack(pack):
        if one.where == asset.id:
            click.echo(f"note: {one.problem}: {one.remedy}", err=True)
    click.echo(f"look at it: fdgen assets preview {asset.id} --pack {pack} --out sheet.png", err=True)


@click.command("index")
@pack_argument
def index(pack: Path) -> None:
    """Rewrite the index of PACK after intended edits: datasets identify occluders by the index."""
    from fdgen.packs.library import write_index

    library = write_index(pack)
    click.echo(f"{pack} holds {counted(len(library.assets), 'occluder')}, all in its index now", err=True)


@click.command("check")
@pack_argument
@json_option
def check(pack: Path, as_json: bool) -> None:
    """Check PACK: transparency, anchors, size, licence and origin, duplicates, index.

    Problems are listed on standard output: place, problem, remedy. Exits with 3 if there are any.
    """
    from dataclasses import asdict

    from fdgen.packs.check import check_pack

    findings = check_pack(pack)
    if as_json:
        emit_json({"pack": str(pack), "ok": not findings, "findings": [asdict(one) for one in findings]})
    else:
        for one in findings:
            emit(f"{one.where}\t{one.problem}\t{one.remedy}")
    if findings:
        click.echo(f"{counted(len(findings), 'problem')} in {pack}", err=True)
        raise SystemExit(PROBLEMS)
    click.echo(f"{pack} is in order", err=True)

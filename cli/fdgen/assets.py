"""`fdgen assets`: list and preview occluders; add, index and check your own packs."""

from __future__ import annotations

from pathlib import Path

import click

from ..shared.fdgen_options import (
    cache_options,
    faces_option,
    json_option,
    pack_option,
    quiet_option,
    workers_option,
)
from ..shared.lazy_group import Group, refuse_unknown
from ..shared.output import Voice, aligned, counted, emit, emit_json
from ..shared.prepare import prepare
from ..shared.sheets import labelled, sheet_option, write_sheet
from .packs import add, check, index

CELL_PX = 192
MOST_FACES = 4
"""Number of faces that each occluder is drawn on: as many as there are sample faces."""

kind_option = click.option(
    "--kind", metavar="KIND", help="Only this kind, such as mask; `fdgen assets list` lists the kinds."
)


@click.group("assets", cls=Group)
def command() -> None:
    """List or draw the occluders, or add your own."""


for own in (add, index, check):
    command.add_command(own)


@command.command("list")
@kind_option
@pack_option
@json_option
def list_(kind: str | None, packs: tuple[Path, ...], as_json: bool) -> None:
    """List the occluders: id, kind, title, licence, and whether it is held out for the test split."""
    from fdgen.assets import AssetLibrary

    library = AssetLibrary.load()
    if packs:
        from fdgen.packs.library import open_library  # which needs the renderer, and that the compiler

        library = open_library(packs)
    assets = [asset for _, asset in sorted(library.assets.items())]
    kinds = sorted({asset.kind for asset in assets})
    if kind is not None:
        refuse_unknown("--kind", [kind], kinds)
        assets = [asset for asset in assets if asset.kind == kind]
    if as_json:
        names = ("id", "kind", "title", "licence", "origin", "held_out", "weight", "sha256")
        emit_json([{name: getattr(asset, name) for name in names} for asset in assets])
        return
    rows = [(a.id, a.kind, a.title, a.licence, "test only" if a.held_out else "every split") for a in assets]
    for line in aligned([("id", "kind", "title", "licence", "used in"), *rows]):
        emit(line)


@command.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@sheet_option
@kind_option
@pack_option
@faces_option
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Seed of the placements.")
@click.option(
    "--columns", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Occluders in a row."
)
@workers_option
@cache_options
@quiet_option
def preview(
    ids: tuple[str, ...],
    out: Path,
    kind: str | None,
    packs: tuple[Path, ...],
    faces: str | None,
    seed: int,
    columns: int,
    workers: int,
    cache: Path | None,
    no_cache: bool,
    quiet: bool,
) -> None:
    """Draw occluders, all or the given IDs, on the faces that are included with fdgen.

    With --pack, draw the occluders of the pack as it is: its index need not be up to date.
    """
    from fdgen.assets import AssetLibrary
    from fdgen.errors import FacesError
    from fdgen.faces.detection import Landmarks, detect, load_face
    from fdgen.io.pictures.contact_sheet import contact_sheet
    from fdgen.packs.library import read_pack
    from fdgen.pipeline.preview import try_on

    voice = Voice(quiet)
    library = AssetLibrary({}) if packs else AssetLibrary.load()
    for pack in packs:
        library = library.joined(read_pack(pack, indexed=False), str(pack))
    refuse_unknown("ID", ids, library.assets)
    kinds = sorted({asset.kind for asset in library.assets.values()})
    if kind is not None:
        refuse_unknown("--kind", [kind], kinds)
    wanted = [
        asset for id_, asset in sorted(library.assets.items()) if (id_ in ids or not ids) and kind in (None, asset.kind)
    ]
    groups = []
    with prepare(faces, voice, cache, no_cache, notes=True) as ready:
        source, photographs = ready.source, ready.photographs[:MOST_FACES]
        found = detect(source, photographs, size_px=CELL_PX, cache=ready.cache, workers=workers)
        known = [(p, one) for p in photographs if isinstance(one := found[p.sha256], Landmarks)]
        if not known:
            raise FacesError(
                f"no photograph in {source.root} shows a face that can be used",
                hint="`fdgen landmarks` reports why not",
            )
        worn_by = [load_face(source, photograph, landmarks) for photograph, landmarks in known]
        for asset in wanted:
            pictures = contact_sheet([try_on(asset.id, worn_by, library, seed=seed)], gap_px=1)
            held_out = ", test only" if asset.held_out else ""
            groups.append(labelled(pictures, f"{asset.id}: {asset.title}{held_out}"))
            ready.stages.stage("drawing", "occluders", len(wanted)).update(len(groups))
    write_sheet(out, contact_sheet([groups[i : i + columns] for i in range(0, len(groups), columns)]))
    voice.say(f"{counted(len(wanted), 'occluder')} drawn in {out}")

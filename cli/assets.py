"""`fdgen assets`: list, preview."""

from __future__ import annotations

import click

from .lazy import Group, refuse_unknown
from .output import aligned, emit, emit_json
from .settings import json_option


@click.group("assets", cls=Group)
def command() -> None:
    """List or draw the occluders."""


@command.command("list")
@click.option("--kind", metavar="KIND", help="Only this kind: sunglasses, mask, hand.")
@json_option
def list_(kind: str | None, as_json: bool) -> None:
    """List the occluders: id, kind, title, licence, and whether it is held out for the test split."""
    from fdgen.assets import AssetLibrary

    assets = [asset for _, asset in sorted(AssetLibrary.load().assets.items())]
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

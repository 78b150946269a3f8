"""`fdgen diff`: what changed between two versions of a dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..shared.fdgen_options import DatasetType, json_option
from ..shared.output import aligned, counted, emit, emit_json

if TYPE_CHECKING:
    from fdgen.versions.difference import Difference, Names
    from fdgen.versions.snapshot import Snapshot

EXAMPLES = 3
WIDEST = 60
"""Characters of a value that are shown; `--json` has all."""


@click.command("diff")
@click.argument("before", type=DatasetType(), metavar="A")
@click.argument("after", type=DatasetType(), metavar="B")
@click.option("--details", is_flag=True, help="List every sample that changed, after the summary.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="List at most this many entries of each.  [default: 3 names, all samples]",
)
@json_option
def command(before: str | Path, after: str | Path, details: bool, limit: int | None, as_json: bool) -> None:
    """Report what changed from A to B: recipe, photographs, occluders, and the reason for each changed sample.

    A and B are datasets, in folders or at URLs, or folders of cards. With --details, one line for each sample follows:
    change, key, reason, the files that differ, the photograph. The exit code is 0 whether they differ or not.
    """
    from fdgen.versions.difference import diff

    found = diff(before, after)
    if as_json:
        emit_json(as_dict(found))
        return
    for line in report(found, EXAMPLES if limit is None else limit):
        emit(line)
    if details:
        emit("")
        for one in found.samples[:limit]:
            key = one.key if one.before is None else f"{one.before} -> {one.key}"
            emit("\t".join([one.change, key, " + ".join(one.reasons), ", ".join(one.members) or "-", one.source]))
        if limit is not None and len(found.samples) > limit:
            emit(f"... and {len(found.samples) - limit:,} more")


def as_dict(found: Difference) -> dict[str, Any]:
    """Return all that differs, as JSON holds it."""
    return {
        "same": found.same,
        "before": head(found.before),
        "after": head(found.after),
        "fields": [asdict(one) for one in found.fields],
        "assets": names(found.assets),
        "sources": names(found.sources),
        "counts": found.counts(),
        "why": found.why(),
        "samples": [asdict(one) for one in found.samples],
    }


def names(found: Names) -> dict[str, Any]:
    """Return what of named things differs, without what does not."""
    return {what: list(listed) for what, listed in asdict(found).items() if listed}


def head(snapshot: Snapshot) -> dict[str, Any]:
    """Return what identifies one of the two."""
    ids = {name: snapshot.facts[name] for name in ("name", "version", "spec_id", "content_id", "generator")}
    return {"path": str(snapshot.where), "kind": "dataset" if snapshot.is_dataset else "card", **ids}


def report(found: Difference, limit: int) -> list[str]:
    """Return the summary for a person, a line each."""
    lines = aligned(
        [
            (mark, one.title, counted(len(one.samples), "sample"), f"content {one.facts['content_id'][:12]}", one.where)
            for mark, one in (("A", found.before), ("B", found.after))
        ]
    )
    if found.same:
        return [*lines, "", "the same: the settings and the samples are equal, byte by byte"]
    if found.before.facts["content_id"] == found.after.facts["content_id"]:
        lines += ["", "the samples are the same, byte by byte; the settings are not"]
    if found.fields:
        lines += ["", "settings and versions"]
        lines += aligned([(one.name, shown(one.before), "->", shown(one.after)) for one in found.fields], indent=2)
    for title, listed in (("occluders", found.assets), ("photographs", found.sources)):
        if listed:
            lines += ["", title, *aligned(list(named(listed, limit)), indent=2)]
    rows: list[tuple[str, int, str]] = [("same", found.counts()["same"], "")]
    for change, reasons in found.why().items():
        rows += [(change, number, explained(reason, change)) for reason, number in reasons.items()]
    return [*lines, "", "samples", *aligned(rows, indent=2)]


def named(found: Names, limit: int) -> Sequence[tuple[str, int, str]]:
    """Return a row for each way in which named things differ, with the first few."""
    rows = []
    words = {"known": "same bytes, other identity, split or attributes"}
    for what, listed in names(found).items():
        texts = [" -> ".join(one) if isinstance(one, (list, tuple)) else one for one in listed[:limit]]
        more = f", ... and {len(listed) - limit:,} more" if len(listed) > limit else ""
        rows.append((words.get(what, what), len(listed), ", ".join(texts) + more if texts else ""))
    return rows


def explained(reason: str, change: str) -> str:
    """Return a reason, and what it means where it is a single one."""
    from fdgen.versions.difference import REASONS

    photographs = {"added": "its photograph is new", "removed": "its photograph is missing, or has other bytes"}
    meaning = photographs.get(change) if reason == "source" else None
    meaning = meaning or REASONS.get(reason)
    return f"{reason}: {meaning}" if meaning else reason


def shown(value: Any) -> str:
    """Return a value as a line can hold it."""
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."

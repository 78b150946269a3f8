"""`fdgen reproduce`: rebuild a published version, and report whether it is the same."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..shared.build_progress import Watch
from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import (
    cache_options,
    faces_option,
    json_option,
    pack_option,
    quiet_option,
    time_limit_option,
    workers_option,
)
from ..shared.output import Voice, counted, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.prepare import prepare

if TYPE_CHECKING:
    from fdgen.versions.reproduction import Reproduction


@click.command("reproduce")
@click.argument("card", type=LocalPath())
@faces_option
@click.option("--out", type=LocalPath(), metavar="FOLDER", help="Folder to build it in.  [default: NAME-VERSION]")
@click.option(
    "--landmarks",
    type=LocalPath(dir_okay=False),
    metavar="FILE",
    help="The version's landmarks.parquet, in place of a landmark detection.",
)
@click.option(
    "--against",
    type=LocalPath(file_okay=False),
    metavar="DATASET",
    help="The published dataset: compare pictures too, in grey levels.",
)
@click.option("--anyway", is_flag=True, help="Build even if the settings differ, so that the ids must differ.")
@pack_option
@workers_option
@time_limit_option
@cache_options
@quiet_option
@json_option
def command(
    card: Path,
    faces: str | None,
    out: Path | None,
    landmarks: Path | None,
    against: Path | None,
    anyway: bool,
    packs: tuple[Path, ...],
    workers: int,
    time_limit_s: float | None,
    cache: Path | None,
    no_cache: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Rebuild the version of CARD from the photographs in --faces, and compare its ids.

    CARD is a folder that `fdgen card` wrote. The command reports what differs and which sample differs first. It exits
    with 0 only if both ids are equal, else with 3. Running it again resumes.
    """
    from fdgen.io.path_inside import path_inside
    from fdgen.versions.lock import read_lock
    from fdgen.versions.reproduction import reproduce

    voice = Voice(quiet)
    facts = read_lock(card).facts
    folder = out or path_inside(Path(), f"{facts['name']}-{facts['version']}")
    with prepare(faces, voice, cache, no_cache, listed=False) as ready:
        watch = Watch(ready.stages)
        with watch.telling_what_is_kept(folder, landmarks_too=ready.cache is not None):
            found = reproduce(
                card,
                ready.source,
                folder,
                landmarks=landmarks,
                against=against,
                packs=packs,
                anyway=anyway,
                workers=workers,
                time_limit_s=time_limit_s,
                cache=ready.cache,
                on_file=ready.listing.update,
                **watch.hooks(),
            )
    if as_json:
        emit_json(as_dict(found))
    else:
        for line in report(found):
            emit(line)
    if found.same:
        voice.say(f"{found.lock.title} was rebuilt in {folder}, byte by byte")
        return
    if found.difference is None:
        voice.say("nothing was built: --anyway builds it, and reports which samples differ")
    else:
        voice.say(f"{found.lock.title} was not reproduced: `fdgen diff {card} {folder} --details` lists every sample")
    sys.exit(PROBLEMS)


def as_dict(found: Reproduction) -> dict[str, Any]:
    """Return what came of it, as JSON holds it."""
    from fdgen.versions.reproduction import beyond_a_level

    facts, built = found.lock.facts, found.difference
    ids = {
        name: {"card": facts[name], "rebuilt": None if built is None else built.after.facts[name]}
        for name in ("spec_id", "content_id")
    }
    return {
        "name": facts["name"],
        "version": facts["version"],
        "same": found.same,
        **ids,
        "findings": [asdict(one) for one in found.findings],
        "counts": None if built is None else built.counts(),
        "why": None if built is None else built.why(),
        "first": None if found.first is None else asdict(found.first),
        "compared": len(found.apart),
        "beyond_one_grey_level": beyond_a_level(found.apart),
        "pictures": {key: [asdict(one) for one in apart] for key, apart in found.apart.items()},
    }


def report(found: Reproduction) -> list[str]:
    """Return what came of it for a person, a line each."""
    from fdgen.versions.reproduction import beyond_a_level

    facts, built = found.lock.facts, found.difference
    lines = [f"{found.lock.title}, {counted(facts['made'], 'sample')}"]
    lines += [f"{one.what:<10} {one.message}" for one in found.findings]
    if built is None:
        return lines
    for name in ("spec_id", "content_id"):
        here = built.after.facts[name]
        lines.append(f"{name:<10} {facts[name]}{' is equal' if here == facts[name] else f' in the card, {here} here'}")
    if found.first is None:
        return lines
    counts = built.counts()
    lines.append("samples    " + ", ".join(f"{counts[name]:,} {name}" for name in counts if counts[name]))
    for change, reasons in built.why().items():
        lines += [f"{change:<10} {number:,}: {reason}" for reason, number in reasons.items()]
    first = found.first
    lines.append(
        f"first      {first.key} {first.change} ({' + '.join(first.reasons)}): {', '.join(first.members) or '-'}"
    )
    if not found.apart:
        lines.append(
            "pixels     a card holds no pictures: --against DATASET reports by how many grey levels they differ"
        )
        return lines
    beyond = beyond_a_level(found.apart)
    within = len(found.apart) - len(beyond)
    lines.append(f"pixels     {counted(within, 'sample')} within one grey level, {len(beyond):,} beyond")
    shown = beyond[0] if beyond else next(iter(found.apart))
    lines.append(f"           {shown}: " + (", ".join(map(str, found.apart[shown])) or "the record alone"))
    return lines

"""`fdgen verify`: check a dataset."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import DatasetType, json_option, pack_option, quiet_option, workers_option
from ..shared.fetched import fetched_dataset
from ..shared.output import Voice, by_count, counted, emit, emit_json
from ..shared.progress import Stages


@click.command("verify")
@click.argument("dataset", type=DatasetType())
@click.option("--deep", is_flag=True, help="Render every sample again from its record, and compare. This is slow.")
@click.option(
    "--deep-share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    metavar="SHARE",
    help="Render only this random share again: 0.05 is one sample in twenty.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, metavar="N", help="Seed of the samples that --deep-share chooses."
)
@pack_option
@workers_option
@quiet_option
@json_option
def command(
    dataset: str | Path,
    deep: bool,
    deep_share: float | None,
    seed: int,
    packs: tuple[Path, ...],
    workers: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Check DATASET, a folder or a URL, or the folder of a card: every byte, pixel and count.

    Problems are listed on standard output: law, file, sample, problem. Exits with 3 if there are any.
    """
    from fdgen.dataset.folder import maker
    from fdgen.io.storage import open_place
    from fdgen.verification.verifier import verify
    from fdgen.versions.lock import is_card

    voice = Voice(quiet)
    place = open_place(fetched_dataset(dataset, voice))
    with Stages(voice) as stages:
        problems = verify(
            place,
            deep=deep or deep_share is not None,
            share=1.0 if deep_share is None else deep_share,
            seed=seed,
            packs=packs,
            workers=workers,
            on_progress=lambda done, total: stages.stage("checking", "samples", total).update(done),
        )
    if as_json:
        emit_json({"dataset": str(place), "ok": not problems, "problems": [asdict(one) for one in problems]})
    else:
        for one in problems:
            emit(f"{one.law}\t{one.file}\t{one.key or '-'}\t{one.message}")
    if not problems:
        voice.say(f"{place} is complete: no problems")
        return
    laws = by_count(Counter(one.law for one in problems))
    voice.say(f"{counted(len(problems), 'problem')} in {place}: {laws}")
    if isinstance(place, Path) and is_card(place):
        voice.say("  download the card again, or write it again from the dataset")
    else:
        voice.say(f"  running the same `{maker(place)}` again replaces what is damaged, and keeps the rest")
    sys.exit(PROBLEMS)

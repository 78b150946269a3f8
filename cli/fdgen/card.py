"""`fdgen card`: the data card of a dataset."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import json_option, pack_option, quiet_option
from ..shared.output import Voice, counted, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.progress import Stages


@click.command("card")
@click.argument("dataset", type=LocalPath())
@click.option("--out", type=LocalPath(), metavar="FOLDER", help="[default: data_cards/NAME-VERSION]")
@click.option("--check", is_flag=True, help="Write nothing; report where the card and the numbers disagree.")
@click.option("--replace", is_flag=True, help="Replace a card that has another content_id.")
@pack_option
@quiet_option
@json_option
def command(
    dataset: Path, out: Path | None, check: bool, replace: bool, packs: tuple[Path, ...], quiet: bool, as_json: bool
) -> None:
    """Write the data card of DATASET: what it contains, how it was made, its terms of use, and how to rebuild it.

    README.md and croissant.json go into the dataset's folder as well. Numbers are counted. The text
    is in the card's card.toml: edit it, then run the command again. With --check, DATASET may also be a card, which is
    then compared with its own lock. Problems are printed to standard output, and the exit code is 3 if there are any. A
    card without a lock, whose dataset is not built yet, gets its README.md from its recipe and card.toml.
    """
    from dataclasses import asdict

    from fdgen.cards import card as cards

    voice = Voice(quiet)
    unfilled = cards.is_planned(dataset)
    with Stages(voice) as stages:

        def on_face(done: int, total: int) -> None:
            stages.stage("looking at skin tones", "photographs", total).update(done)

        if not check:
            if unfilled:
                card = cards.write_planned(dataset)
            else:
                card = cards.write_card(dataset, out, packs=packs, replace=replace, on_face=on_face)
        else:
            found = cards.check(dataset, out, packs=packs, on_face=on_face)
    if not check:
        if as_json:
            emit_json({"card": str(card), "planned": unfilled})
        voice.say(f"{card / 'README.md'} is written; its text is in {card / 'card.toml'}")
        return
    if as_json:
        problems = [asdict(one) for one in found.problems]
        emit_json({"card": str(dataset), "ok": not problems, "planned": found.planned, "problems": problems})
    else:
        for one in found.problems:
            emit(f"{one.law}\t{one.file}\t{one.message}")
    if found.problems:
        voice.say(f"{counted(len(found.problems), 'problem')}: correct what was edited, or write the card again")
        sys.exit(PROBLEMS)
    voice.say(
        f"{dataset} has no numbers yet, because its dataset is not built; text and recipe agree"
        if found.planned
        else "the card and its numbers agree"
    )

"""`fdgen card`: the data card of a dataset."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import json_option, pack_option, quiet_option
from ..shared.output import Voice, counted, emit, emit_json
from ..shared.progress import Stages


@click.command("card")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="[default: data_cards/NAME-VERSION]")
@click.option("--check", is_flag=True, help="Write nothing; tell where the card and the numbers disagree.")
@click.option("--replace", is_flag=True, help="Let another content take the place of a card that is there.")
@pack_option
@quiet_option
@json_option
def command(
    dataset: Path, out: Path | None, check: bool, replace: bool, packs: tuple[Path, ...], quiet: bool, as_json: bool
) -> None:
    """Write the data card of DATASET: what is in it, how it was made, under which terms, and how to build it again.

    README.md and croissant.json go into the dataset's folder as well. Numbers are counted; words stand in the card's
    card.toml, which is yours to edit: run the command again afterwards. With --check, DATASET may also be a card, which
    is then compared with its own lock; problems go to standard output, and the exit code is 3 where there is one. A
    card without a lock, whose dataset nobody has built yet, gets its README.md from its recipe and card.toml.
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
        voice.say(f"{card / 'README.md'} is written; its words stand in {card / 'card.toml'}")
        return
    if as_json:
        problems = [asdict(one) for one in found.problems]
        emit_json({"card": str(dataset), "ok": not problems, "planned": found.planned, "problems": problems})
    else:
        for one in found.problems:
            emit(f"{one.law}\t{one.file}\t{one.message}")
    if found.problems:
        voice.say(f"{counted(len(found.problems), 'problem')}: mend what was edited, or write the card again")
        sys.exit(PROBLEMS)
    voice.say(
        f"{dataset} is not yet filled: nobody has built its dataset; words and recipe agree"
        if found.planned
        else "the card and its numbers agree"
    )

"""`fdtrain card`: the model card of a run or an exported network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from ..shared.errors import PROBLEMS
from ..shared.fdgen_options import json_option, quiet_option
from ..shared.output import Voice, counted, emit, emit_json
from ..shared.path_types import LocalPath
from ..shared.progress import Stages


@click.command("card")
@click.argument("model", metavar="RUN|FILE", type=LocalPath())
@click.option("--out", type=LocalPath(), metavar="FOLDER", help="[default: the run, or NAME-card]")
@click.option("--data", type=LocalPath(), metavar="DATASET", help="Folder of the dataset that it was trained on.")
@click.option(
    "--eval",
    "evaluations",
    multiple=True,
    type=LocalPath(),
    metavar="FOLDER",
    help="What `fdtrain eval --out` measured; may be repeated.",
)
@click.option("--check", is_flag=True, help="Write nothing; report where the card and the numbers disagree.")
@quiet_option
@json_option
def command(
    model: Path,
    out: Path | None,
    data: Path | None,
    evaluations: tuple[Path, ...],
    check: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the model card of RUN|FILE: what it learned from, how, how well it does, its limits and terms of use.

    RUN|FILE is a run's folder, a .safetensors file or an ONNX file. Numbers are read from it, the dataset and
    evaluations; with --data, evaluations on that dataset are split by tone of skin. The text is in the card's
    card.toml: edit it, then run the command again. With --check, RUN|FILE may also be the folder of a card, which is
    compared with its own numbers. Problems are printed to standard output, and the exit code is 3 if there are any.
    """
    from dataclasses import asdict

    from fdtrain.cards import model_card
    from fdtrain.cards.words import WORDS
    from fdtrain.training.run import RUN_FILE

    voice = Voice(quiet)
    folder = model_card.default_out(model) if out is None else out
    if check and model_card.is_card(model) and not (model / RUN_FILE).is_file():
        facts, folder = None, model
    else:
        tones, order = _tones(voice, data, evaluations)
        facts = model_card.gather(model, data=data, evaluations=evaluations, tones=tones, tone_order=order)
    if not check and facts is not None:
        card = model_card.write_card(model, facts, out)
        if as_json:
            emit_json({"card": str(card)})
        voice.say(f"{card / model_card.README} is written; its text is in {card / WORDS}")
        return
    problems = model_card.check(folder, facts)
    if as_json:
        emit_json({"card": str(folder), "ok": not problems, "problems": [asdict(one) for one in problems]})
    else:
        for one in problems:
            emit(f"card\t{one.file}\t{one.message}")
    if problems:
        voice.say(f"{counted(len(problems), 'problem')}: correct what was edited, or write the card again")
        sys.exit(PROBLEMS)
    voice.say("the card and its numbers agree")


def _tones(voice: Voice, data: Path | None, evaluations: Sequence[Path]) -> tuple[dict[str, str], Sequence[str]]:
    """Return the class of skin of each picture that was measured, and the classes in their order."""
    if data is None or not evaluations:
        return {}, ()
    from fdgen.cards.sample_tones import tones_of
    from fdgen.cards.skin_tones import TONES
    from fdtrain.cards.measures import GREY
    from fdtrain.comparison.image_table import read_images

    keys = {key for folder in evaluations for key in read_images(folder / "images.csv", ("key", "kind"))["key"]}
    with Stages(voice) as stages:
        return (
            tones_of(
                data,
                sorted(keys),
                GREY,
                lambda done, total: stages.stage("looking at skin tones", "pictures", total).update(done),
            ),
            TONES,
        )

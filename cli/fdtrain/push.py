"""`fdtrain push`: write weights and their card to a repository on the Hub."""

from __future__ import annotations

from pathlib import Path

import click

from ..shared.fdgen_options import quiet_option
from ..shared.output import Voice
from ..shared.path_types import LocalPath
from ..shared.push import push, push_options


@click.command("push")
@click.argument("model", metavar="RUN|FILE", type=LocalPath())
@click.argument("repository", metavar="OWNER/NAME")
@click.option("--card", type=LocalPath(), metavar="FOLDER", help="[default: as of `fdtrain card`]")
@push_options
@quiet_option
def command(model: Path, repository: str, card: Path | None, yes: bool, public: bool, quiet: bool) -> None:
    """Write the weights of RUN|FILE and their card to the repository OWNER/NAME on the Hub. It asks first.

    The card must be there, and must agree with the weights: `fdtrain card` writes it. No picture is sent.
    """
    from fdgen.errors import FdError
    from fdtrain.cards import model_card
    from fdtrain.cards.words import WORDS
    from fdtrain.training.weight_files import find_weights

    folder = model_card.default_out(model) if card is None else card
    if problems := model_card.check(folder, model_card.gather(model)):
        raise FdError(
            f"the card in {folder} does not agree with {model}: {problems[0].file}, {problems[0].message}",
            hint=f"write it again with `fdtrain card {model}`",
        )
    weights = model if model.suffix.lower() == ".onnx" else find_weights(model)
    files = {weights.name: weights}
    files |= {name: folder / name for name in (model_card.README, model_card.NUMBERS, WORDS)}
    push(files, repository, "model", yes=yes, public=public, voice=Voice(quiet))

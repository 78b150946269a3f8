"""What `fdtrain demo` offers: the models by their names, their cards, and examples that fdgen draws."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..shared.fetched import fetched
from ..shared.open_restorer import open_restorers
from ..shared.output import Voice

if TYPE_CHECKING:
    from fdtrain.demo.offer import Example, ModelCard, Offer

EXAMPLES = (
    ("eileen_collins", "mask", "Face mask", 10),
    ("eileen_collins", "sunglasses", "Sunglasses", 8),
    ("grace_hopper", "mask", "Face mask", 9),
    ("grace_hopper", "scarf", "Scarf", 3),
)
"""Included face, kind of occluder, title, seed of the recipe's choices. `starter` learned from portraits of neither
person; the other two included faces are among its people."""

CREDIT = (
    "Official portraits in the public domain (NASA, U.S. Navy). `fdgen` drew what covers the faces, so the true "
    "face is known."
)

_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


def open_offer(
    weights: Sequence[str | Path],
    masker: str | Path | None,
    *,
    engine: str,
    device: str,
    with_examples: bool,
    voice: Voice,
) -> Offer:
    """Open the models, find their cards, and draw the examples.

    Args:
        weights: Files, run folders or addresses of the generators.
        masker: That of the mask network; None opens none.
        engine: What runs the generators.
        device: Where networks run.
        with_examples: Whether examples are drawn.
        voice: Where notes go.

    Raises `FdError` where weights cannot be opened, or two are the same.
    """
    from fdgen.errors import FdError
    from fdtrain.demo.offer import Offer, OfferedModel

    paths = [fetched(one, voice) for one in weights]
    if twice := [path for path, n in Counter(path.resolve() for path in paths).items() if n > 1]:
        raise FdError(f"{twice[0].name} is named twice", hint="name each --weights once")
    of_masker = None if masker is None else fetched(masker, voice)
    restorers = open_restorers(paths, of_masker, "auto", engine=engine, device=device, with_grain=True, voice=voice)
    names = model_names(paths, [restorer.labels[0].name for restorer in restorers])
    titles = dict(zip(paths, names, strict=True))
    if of_masker is not None:
        titles.setdefault(of_masker, restorers[0].labels[-1].name)
    return Offer(
        [OfferedModel(name, restorer) for name, restorer in zip(names, restorers, strict=True)],
        model_cards(titles),
        drawn_examples(voice) if with_examples else (),
        CREDIT if with_examples else "",
    )


def model_names(paths: Sequence[Path], names: Sequence[str]) -> list[str]:
    """Return names that differ: where two are alike, with the folder, and with a number where those are alike too.

    >>> model_names([Path("a/run"), Path("b/run"), Path("c")], ["run", "run", "c"])
    ['a/run', 'b/run', 'c']
    """
    count = Counter(names)
    longer = [
        name if count[name] == 1 else f"{path.resolve().parent.name}/{name}"
        for path, name in zip(paths, names, strict=True)
    ]
    return [
        name if longer.count(name) == 1 else f"{name} ({longer[: place + 1].count(name)})"
        for place, name in enumerate(longer)
    ]


def model_cards(titles: dict[Path, str]) -> list[ModelCard]:
    """Return the card of each file or run, by its path and name; models of one card share it."""
    from fdgen.io.hub.weights import stated_limits
    from fdtrain.demo.offer import ModelCard

    texts: dict[str, list[str]] = {}
    for path, title in titles.items():
        texts.setdefault(_card_text(path), []).append(title)
    return [ModelCard(" and ".join(names), stated_limits(text), text) for text, names in texts.items()]


def _card_text(path: Path) -> str:
    """Return a model's card, without its front matter: the one next to it, or what its own file says."""
    from fdgen.io.hub.weights import MOST_CARD_BYTES
    from fdgen.io.regular_file import read_regular
    from fdtrain.cards import model_card
    from fdtrain.training.starter import CARD_FILE, is_starter

    if is_starter(path):
        text = CARD_FILE.read_text(encoding="utf-8")
    elif (readme := _own_readme(path)) is not None:
        text = read_regular(readme, most_bytes=MOST_CARD_BYTES).decode("utf-8", "replace")
    else:
        with tempfile.TemporaryDirectory() as folder:
            text = (model_card.write_card(path, model_card.gather(path), Path(folder)) / model_card.README).read_text(
                encoding="utf-8"
            )
    return _FRONT.sub("", text).strip()


def _own_readme(path: Path) -> Path | None:
    """Return the card that `fdtrain card` wrote for a run or file, or that came with fetched weights; None without."""
    from fdgen.io.hub.weights import ORIGIN_FILE
    from fdtrain.cards import model_card

    folder = model_card.default_out(path)
    if model_card.is_card(folder) and (folder / model_card.README).is_file():
        return folder / model_card.README
    readme = path.parent / model_card.README
    return readme if (path.parent / ORIGIN_FILE).is_file() and readme.is_file() and readme.stat().st_size else None


def drawn_examples(voice: Voice) -> list[Example]:
    """Draw the examples: the same ones each time, by this version of fdgen. Raises `FdError`."""
    from importlib import resources

    from fdgen.synthesis.one_picture import occlude
    from fdtrain.demo.offer import Example

    voice.say(f"drawing {len(EXAMPLES)} examples; the first time on a machine, code is compiled for them ...")
    drawn = []
    for number, (face, kind, title, seed) in enumerate(EXAMPLES, 1):
        with resources.as_file(resources.files("fdgen.faces.sample_faces") / f"{face}.jpg") as path:
            triplet = occlude(path, kind, seed=seed)
        name = f"example-{number}-{kind}"
        drawn.append(Example(name, title, triplet.occluded_HWC, triplet.clean_HWC, triplet.mask_HW))
    return drawn

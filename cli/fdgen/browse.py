"""`fdgen browse`: look through a dataset, or two versions of one, in the browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..shared.fdgen_options import DatasetType, quiet_option
from ..shared.fetched import fetched_dataset
from ..shared.output import Voice, counted, emit
from ..shared.path_types import LocalPath
from ..shared.sheets import ends_in

if TYPE_CHECKING:
    from fdgen.browser.version import Version

LIMIT = 200


@click.command("browse")
@click.argument("dataset", type=DatasetType(), metavar="DATASET")
@click.argument("older", type=DatasetType(), required=False, metavar="[DATASET2]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7861,
    show_default=True,
    help="Port of the page; 0 is any.",
)
@click.option(
    "--out",
    type=LocalPath(dir_okay=False),
    callback=ends_in(".html", ".htm"),
    metavar="FILE",
    help="Write a part of the dataset as one self-contained .html, and serve nothing.",
)
@click.option(
    "--samples",
    type=LocalPath(dir_okay=False, exists=True),
    metavar="FILE",
    help="With --out: the samples whose keys are in this file, as the page writes them of what is marked.",
)
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="With --out: samples that wear it; repeatable.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), help="With --out: samples of one split.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=LIMIT,
    show_default=True,
    metavar="N",
    help="With --out: at most so many, evenly spread.",
)
@quiet_option
def command(
    dataset: str | Path,
    older: str | Path | None,
    port: int,
    out: Path | None,
    samples: Path | None,
    kinds: tuple[str, ...],
    split: str | None,
    limit: int,
    quiet: bool,
) -> None:
    """Look through DATASET in the browser: a wall of all samples, with filters, sorting and marks.

    DATASET is a folder that `fdgen build` wrote, or its URL. With DATASET2, an older version, samples are shown side by
    side, with what changed. A sample opens with its layers under a slider, its placement, its siblings and the command
    that replays it. What is marked is written as a list that leaves samples out of a training or a build.

    The address is printed, and served until Ctrl-C, on this machine only, under a path that nobody can guess. Nothing
    is unpacked or written, and nothing fetched from the internet but a DATASET that is a URL. --out writes a page to
    keep instead.
    """
    from fdgen.browser.version import Version

    voice = Voice(quiet)
    if out is not None and older is not None:
        raise click.UsageError("--out writes a page of one dataset: leave out DATASET2", click.get_current_context())
    if out is None and (samples is not None or kinds or split is not None):
        raise click.UsageError(
            "--samples, --kind and --split choose what --out writes; the page has filters of its own",
            click.get_current_context(),
        )
    version = Version.open(fetched_dataset(dataset, voice))
    older = fetched_dataset(older, voice)
    if out is not None:
        _write(out, version, samples, kinds, split, limit)
        voice.say(f"written: {out}")
        return
    from fdgen.browser.answers import Answers
    from fdgen.browser.server import serving

    answers = Answers(version, None if older is None else Version.open(older))
    with serving(answers, port=port, on_fault=lambda sentence: voice.say(f"fault: {sentence}")) as address:
        emit(address)
        voice.say(f"{counted(len(version), 'sample')}; serving until Ctrl-C")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            voice.say("stopped")


def _write(
    out: Path, version: Version, samples: Path | None, kinds: tuple[str, ...], split: str | None, limit: int
) -> None:
    from fdgen.browser.saved_page import chosen_rows, saved_page
    from fdgen.io.atomic import write_whole

    keys = None if samples is None else set(samples.read_text(encoding="utf-8-sig").split())
    rows = chosen_rows(version, keys=keys, kinds=kinds, split=split, limit=limit)
    write_whole(out, saved_page(version, rows).encode())

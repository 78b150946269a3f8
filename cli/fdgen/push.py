"""`fdgen push`: write a dataset, or the card of one, to a repository on the Hub."""

from __future__ import annotations

from pathlib import Path

import click

from ..shared.fdgen_options import quiet_option
from ..shared.output import Voice
from ..shared.push import push, push_options

TWICE = 2


@click.command("push")
@click.argument("folder", metavar="DATASET|CARD", type=click.Path(path_type=Path))
@click.argument("repository", metavar="OWNER/NAME")
@click.option(
    "--although-forbidden",
    "forbidden",
    count=True,
    help="Given twice, send pictures whose terms forbid it or are not known: you answer for it.",
)
@push_options
@quiet_option
def command(folder: Path, repository: str, forbidden: int, yes: bool, public: bool, quiet: bool) -> None:
    """Write DATASET, or the CARD of one, to the repository OWNER/NAME on the Hub. It asks first.

    A card has digests and counts, and no picture. A dataset must have its card, which `fdgen card` writes. It is
    refused where the terms of its photographs forbid to pass pictures on, as those of CelebA do.
    """
    from fdgen.contract.licences import terms_of
    from fdgen.contract.manifest import Manifest
    from fdgen.dataset.checksums import SUMS, present, sum_problems
    from fdgen.dataset.folder import ADDED
    from fdgen.errors import DatasetError
    from fdgen.versions.lock import is_card

    if not is_card(folder):
        dataset = Manifest.load(folder).dataset
        terms = terms_of(dataset["sources"].get("kind", ""))
        if not terms.shareable and forbidden < TWICE:
            raise DatasetError(
                f"the terms of the photographs in {folder} ({terms.name}) do not let its pictures be passed on",
                hint=f"send its card: `fdgen card {folder}`, then `fdgen push CARD {repository}`",
            )
        if missing := [name for name in ADDED if not (folder / name).is_file()]:
            raise DatasetError(f"{folder} has no {missing[0]}", hint=f"run `fdgen card {folder}` first")
    elif problems := sum_problems(folder):
        raise DatasetError(f"{folder / problems[0].file}: {problems[0].message}", hint="write the card again")
    files = {name: folder / name for name in (*present(folder), SUMS) if not name.startswith(".")}
    push(files, repository, "dataset", yes=yes, public=public, voice=Voice(quiet))

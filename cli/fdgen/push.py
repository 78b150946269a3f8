"""`fdgen push`: write a dataset, or the card of one, to a repository on the Hub."""

from __future__ import annotations

from pathlib import Path

import click

from ..shared.fdgen_options import quiet_option
from ..shared.output import Voice
from ..shared.path_types import LocalPath
from ..shared.progress import Stages
from ..shared.push import push, push_options

TWICE = 2


@click.command("push")
@click.argument("folder", metavar="DATASET|CARD", type=LocalPath())
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
    refused where the terms of its photographs forbid to pass pictures on, as those of CelebA do, and where a file is
    not the one that SHA256SUMS lists. Files that it does not list are not sent.
    """
    from fdgen.contract.licences import terms_of
    from fdgen.contract.manifest import Manifest
    from fdgen.dataset.checksums import SUMS, present, sound_files
    from fdgen.dataset.folder import ADDED
    from fdgen.errors import DatasetError
    from fdgen.io.hub.upload import check_repository
    from fdgen.versions.lock import is_card

    voice, again = Voice(quiet), "write the card again"
    if not is_card(folder):
        again = f"`fdgen verify {folder}` lists all that is wrong; the `fdgen build` that made it repairs it"
        dataset = Manifest.load(folder).dataset
        terms = terms_of(dataset["sources"].get("kind", ""))
        if not terms.shareable and forbidden < TWICE:
            raise DatasetError(
                f"the terms of the photographs in {folder} ({terms.name}) do not let its pictures be passed on",
                hint=f"send its card: `fdgen card {folder}`, then `fdgen push CARD {repository}`",
            )
        if missing := [name for name in ADDED if not (folder / name).is_file()]:
            raise DatasetError(f"{folder} has no {missing[0]}", hint=f"run `fdgen card {folder}` first")
    check_repository(repository)
    with Stages(voice) as stages:
        sound = sound_files(
            folder,
            hint=again,
            on_file=lambda done, of: stages.stage(f"comparing with {SUMS}", "files", of).update(done),
        )
    if strays := [name for name in present(folder) if name not in sound and not name.startswith(".")]:
        voice.say(f"not sent, since {SUMS} does not list it: {', '.join(strays[:10])}{' ...' if strays[10:] else ''}")
    files = {name: folder / name for name in (*sound, SUMS)}
    push(files, repository, "dataset", yes=yes, public=public, voice=voice)

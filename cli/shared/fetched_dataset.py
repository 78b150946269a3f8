"""A dataset that is named on the Hub, fetched with what is said of it before its first use."""

from __future__ import annotations

from pathlib import Path

from .output import Voice, counted
from .progress import Stages


def fetched_dataset(address: str) -> Path:
    """Return the folder of the dataset on this machine, and tell on standard error what was fetched now.

    Raises `FdError` where it cannot be had.
    """
    from fdgen.io.hub import stated_licence
    from fdgen.io.hub_datasets import fetch_dataset

    voice = Voice(quiet=False)
    with Stages(voice) as stages:
        found = fetch_dataset(address, lambda done, of: stages.stage("fetching", "files", of).update(done, of))
    if found.is_new:
        n_files = sum(1 for path in found.folder.rglob("*") if path.is_file())
        voice.say(f"dataset {found.repository} at {found.revision[:12]}: {counted(n_files, 'file')}, digests compared")
        voice.say(
            f"licence: {stated_licence(found.card) or 'not stated, so nothing is allowed until its owner says so'}"
        )
    return found.folder

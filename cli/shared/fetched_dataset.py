"""A dataset that is named on the Hub, fetched with what is said of it before its first use."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from .output import Voice, counted
from .progress import Stages

Given = TypeVar("Given", bound=str | Path | None)


def fetched_dataset(dataset: Given, voice: Voice) -> Given | Path:
    """Return the folder on this machine of a dataset that is named on the Hub; any other is returned as it is.

    What is fetched now is told of. Raises `FdError` where it cannot be had.
    """
    if not (isinstance(dataset, str) and dataset.startswith("hf://datasets/")):
        return dataset
    from fdgen.io.hub import stated_licence
    from fdgen.io.hub_datasets import fetch_dataset

    with Stages(voice) as stages:
        found = fetch_dataset(dataset, lambda done, of: stages.stage("fetching", "files", of).update(done, of))
    if found.is_new:
        n_files = sum(1 for path in found.folder.rglob("*") if path.is_file())
        voice.say(f"dataset {found.repository} at {found.revision[:12]}: {counted(n_files, 'file')}, digests compared")
        voice.say(
            f"licence: {stated_licence(found.card) or 'not stated, so nothing is allowed until its owner says so'}"
        )
    return found.folder

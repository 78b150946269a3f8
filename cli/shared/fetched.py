"""Weights and datasets that are named by an address, fetched with what is said of them before their first use."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from .output import Voice, counted
from .path_types import PathOrURL
from .progress import Stages

Given = TypeVar("Given", bound=str | Path | None)


class WeightsType(PathOrURL):
    """A file of weights or the folder of a run, or the address that `fetched` gets them from."""


def fetched(weights: str | Path, voice: Voice) -> Path:
    """Return the file on this machine; what is behind an address is fetched and reported. Raises `FdError`."""
    if isinstance(weights, Path):
        return weights
    from fdgen.io.hub.weights import fetch_weights, stated_licence, stated_limits

    found = fetch_weights(weights)
    at = f" at {found.revision[:12]}" if found.revision else ""
    voice.say(f"weights {found.address}{at}: sha256 {found.sha256}")
    if found.kept:
        voice.say(f"note: from the cache: {found.kept}")
    if found.is_new:
        voice.say(
            f"licence: {stated_licence(found.card) or 'not stated, so nothing is allowed until its owner says so'}"
        )
        voice.say(f"limits: {stated_limits(found.card) or 'not stated'}")
    return found.path


def fetched_dataset(dataset: Given, voice: Voice) -> Given | Path:
    """Return the folder on this machine of a dataset that is named on the Hub; any other is returned as it is.

    What is fetched now is reported. Raises `FdError` where it cannot be had.
    """
    if not (isinstance(dataset, str) and dataset.startswith("hf://datasets/")):
        return dataset
    from fdgen.io.hub.datasets import fetch_dataset
    from fdgen.io.hub.weights import stated_licence

    with Stages(voice) as stages:
        found = fetch_dataset(dataset, lambda done, of: stages.stage("fetching", "files", of).update(done, of))
    if found.is_new:
        n_files = sum(1 for path in found.folder.rglob("*") if path.is_file())
        voice.say(f"dataset {found.repository} at {found.revision[:12]}: {counted(n_files, 'file')}, digests compared")
        voice.say(
            f"licence: {stated_licence(found.card) or 'not stated, so nothing is allowed until its owner says so'}"
        )
    return found.folder

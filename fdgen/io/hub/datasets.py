"""Datasets by name: `hf://datasets/OWNER/NAME@REVISION` on the Hub, fetched whole into the cache.

    address --> commit --> SHA256SUMS --> every file that it lists, in the formats of a dataset, else refused
    --> cache: datasets/OWNER--NAME/COMMIT/, an ordinary dataset, and next to it COMMIT.json (whence), written last

huggingface_hub (extra `hub`) is imported when an address is fetched, and not before.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fdgen.errors import DatasetError
from fdgen.io.atomic import make_folder, remove, take_name, write_whole
from fdgen.io.hub.api import hub_api
from fdgen.io.path_inside import path_inside
from fdgen.io.regular_file import read_regular, sha256_of
from fdgen.io.size_text import size_text
from fdgen.runtime.cache_dir import cache_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PREFIX = "hf://datasets/"
SUMS = "SHA256SUMS"
MOST_SUMS_BYTES = 256_000_000
MOST_CARD_BYTES = 1_000_000
MOST_NOTE_BYTES = 100_000

TAKEN = (".tar", ".json", ".parquet", ".csv", ".md", ".jpg", ".jpeg", ".png", ".toml")
"""What a dataset and its card are made of. Nothing else is fetched: a pickle runs what a stranger wrote."""

PICKLED = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz", ".dill")

WAIT_S = 30.0

_NAME = r"[A-Za-z0-9][\w.-]*"
_ADDRESS = re.compile(rf"hf://datasets/(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>{_NAME}(?:/{_NAME})*))?/?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SUM = re.compile(r"([0-9a-f]{64})  (\S.*)")

OnFile = Callable[[int, int], None]


@dataclass(frozen=True)
class FetchedDataset:
    """A dataset of the Hub on this machine: its folder, whence it is, and whether it was fetched just now.

    `revision` is the commit; `card` the text of its README.md, empty without one.
    """

    folder: Path
    repository: str
    revision: str
    is_new: bool

    @property
    def card(self) -> str:
        """Its README.md."""
        path = self.folder / "README.md"
        if not path.is_file():
            return ""
        return read_regular(path, most_bytes=MOST_CARD_BYTES, within=self.folder).decode("utf-8", "replace")


def is_dataset_address(text: str | Path) -> bool:
    """Return whether a dataset is asked for by its name on the Hub.

    >>> is_dataset_address("hf://datasets/someone/faces@v1"), is_dataset_address("my-set")
    (True, False)
    """
    return isinstance(text, str) and text.startswith(PREFIX)


@functools.cache
def fetch_dataset(address: str, on_file: OnFile | None = None) -> FetchedDataset:
    """Fetch a dataset into the cache, or take it from there; within a process an address stays one commit.

    Args:
        address: `hf://datasets/OWNER/NAME`, with `@REVISION` for a branch, a tag or a commit. One that names a whole
            commit is not asked for again.
        on_file: Called as (done, of) as files come; those that an earlier call has left are kept.

    Raises `DatasetError` where it cannot be had, is no dataset, holds what is not fetched, or differs from its sums.
    """
    asked = _ADDRESS.fullmatch(address)
    if asked is None:
        raise DatasetError(
            f"{address} is no dataset on the Hub", hint="write hf://datasets/OWNER/NAME, or ...NAME@REVISION"
        )
    home = cache_folder() / "datasets" / asked["repo"].replace("/", "--")
    revision = asked["revision"] or ""
    if _COMMIT.fullmatch(revision) and _note(home / revision).is_file():
        return FetchedDataset(home / revision, asked["repo"], revision, is_new=False)
    with _asking(address) as api:
        facts = api.dataset_info(asked["repo"], revision=asked["revision"], files_metadata=True, timeout=WAIT_S)
    commit, sizes = str(facts.sha), {one.rfilename: one.size or 0 for one in facts.siblings or ()}
    if not _COMMIT.fullmatch(commit):
        raise DatasetError(f"{address} answers with {commit[:50]!r}, which is no commit", hint="check the address")
    found = FetchedDataset(home / commit, asked["repo"], commit, is_new=not _note(home / commit).is_file())
    if found.is_new:
        _fetch(address, found, sizes, on_file)
    return found


def origin_of(root: object) -> dict[str, str] | None:
    """Return repository and commit of a dataset that was fetched by its name; None for any other place."""
    if not isinstance(root, Path) or not _COMMIT.fullmatch(root.name) or not _note(root).is_file():
        return None
    try:
        held = json.loads(read_regular(_note(root), most_bytes=MOST_NOTE_BYTES))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{_note(root)} cannot be read: {error}", hint=f"delete {root}: it is fetched again"
        ) from error
    return {name: str(held[name]) for name in ("repository", "revision") if name in held}


def _fetch(address: str, wanted: FetchedDataset, sizes: Mapping[str, int], on_file: OnFile | None) -> None:
    """Bring the files of a commit into its folder; each takes its name when its digest is right."""
    folder = wanted.folder
    if SUMS not in sizes:
        raise DatasetError(
            f"{address} is no dataset of fdgen: it has no {SUMS}",
            hint="a data card holds no pictures: `fdgen reproduce` builds them; else load it by the library `datasets`",
        )
    for name in sizes:
        _refuse_odd(address, folder, name)
    make_folder(folder.parent)
    staging = folder.parent / f"{folder.name}.part"  # on the same disk; what is cut off there goes on the next time

    def fetched(name: str) -> Path:
        with _asking(address) as api:
            staged = api.hf_hub_download(
                wanted.repository, name, repo_type="dataset", revision=wanted.revision, local_dir=staging
            )
        return Path(staged)

    listed = _listed(address, folder, fetched(SUMS))
    missing = {name: sha256 for name, sha256 in listed.items() if _digest(folder / name) != sha256}
    if absent := sorted(set(missing) - set(sizes)):
        raise DatasetError(
            f"{address} lacks {absent[0]}, which its {SUMS} lists", hint="ask its owner to push it again"
        )
    _check_room(address, folder.parent, sum(sizes[name] for name in missing))
    for done, (name, sha256) in enumerate(missing.items(), len(listed) - len(missing) + 1):
        staged = fetched(name)
        if _digest(staged) != sha256:
            remove(staged)
            raise DatasetError(
                f"{name} of {address} is not what its {SUMS} says: it was altered, or came damaged",
                hint="run the same command again; if it stays so, ask its owner to push the dataset again",
            )
        _keep(staged, path_inside(folder, name))
        if on_file is not None:
            on_file(done, len(listed))
    _keep(fetched(SUMS), folder / SUMS)
    shutil.rmtree(staging, ignore_errors=True)
    facts = {"address": address, "repository": wanted.repository, "revision": wanted.revision}
    write_whole(_note(folder), (json.dumps(facts, indent=2) + "\n").encode())  # last: it says that the rest is there


def _listed(address: str, folder: Path, path: Path) -> dict[str, str]:
    """Return the sha256 of each file of a dataset by its name; raise `DatasetError` where the list is none."""
    listed: dict[str, str] = {}
    try:
        lines = read_regular(path, most_bytes=MOST_SUMS_BYTES).decode("utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise DatasetError(f"the {SUMS} of {address} cannot be read: {error}") from error
    for line in lines[:-1]:
        match = _SUM.fullmatch(line)
        if match is None:
            raise DatasetError(f"the {SUMS} of {address} has a line that is no sum: {line[:80]!r}")
        _refuse_odd(address, folder, match[2])
        if Path(match[2]).suffix.lower() not in TAKEN:
            raise DatasetError(
                f"{match[2]!r} of {address} is in no format of a dataset, and nothing else is fetched",
                hint=f"ask its owner to leave it out; what is fetched: {', '.join(TAKEN)}",
            )
        listed[match[2]] = match[1]
    if "dataset.json" not in listed or lines[-1]:
        raise DatasetError(f"{address} is no dataset of fdgen: its {SUMS} is cut, or lists no dataset.json")
    return listed


def _refuse_odd(address: str, folder: Path, name: str) -> None:
    """Raise `DatasetError` for a pickle, and for a name that leads out of the folder."""
    try:
        path_inside(folder, name)
    except DatasetError as error:
        raise DatasetError(f"{address} names a file outside its folder: {name!r}", hint="do not use it") from error
    if Path(name).suffix.lower() in PICKLED:
        raise DatasetError(
            f"{address} holds {name!r}, which may be a pickle, and a pickle runs what it holds: nothing was fetched",
            hint="ask its owner to remove it",
        )


def _check_room(address: str, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DatasetError(
            f"{address} takes {size_text(needed)}, and {folder} has {size_text(free)} free",
            hint="free some space, or name another folder for caches with XDG_CACHE_HOME",
        )


def _keep(staged: Path, path: Path) -> None:
    make_folder(path.parent)
    take_name(staged, path)


def _digest(path: Path) -> str | None:
    """Return the sha256 of a file, None where there is none."""
    try:
        return sha256_of(path)
    except OSError:
        return None


def _note(folder: Path) -> Path:
    """Return the file that says whence a fetched dataset is, and that it is whole."""
    return folder.parent / f"{folder.name}.json"


def _asking(address: str) -> contextlib.AbstractContextManager[HfApi]:
    hint = "check the name, the revision and the connection; one with @COMMIT that was fetched before needs none"
    return hub_api(address, does="reads", fails="cannot be had", hint=hint, refused=DatasetError)

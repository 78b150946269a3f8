"""Files to a repository on the Hub that the user names, in one commit. huggingface_hub (extra `hub`) sends them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from fdgen.errors import FdError
from fdgen.io.hub.api import hub_api

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def check_repository(name: str) -> None:
    """Raise `FdError` where a name is not OWNER/NAME."""
    if not _REPO.fullmatch(name):
        raise FdError(f"{name} is no name of a repository", hint="write OWNER/NAME")


def upload(
    files: Mapping[str, Path], repo: str, kind: Literal["model", "dataset"], *, message: str, private: bool = True
) -> str:
    """Write files in one commit and return its id; a repository that is not there is made.

    Args:
        files: What is sent, by its path in the repository.
        repo: OWNER/NAME.
        kind: What the repository holds: a model or a dataset.
        message: That of the commit.
        private: Whether a new repository is private.

    Raises `FdError` where huggingface_hub is not installed, or the Hub refuses.
    """
    check_repository(repo)
    with hub_api(repo, does="writes to", fails="cannot be written to", hint="log in with `hf auth login`") as api:
        from huggingface_hub import CommitOperationAdd

        api.create_repo(repo, repo_type=kind, private=private, exist_ok=True)
        added = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in sorted(files.items())]
        done = api.create_commit(repo, added, commit_message=message, repo_type=kind)
    return str(done.oid)

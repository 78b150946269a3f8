"""The members of a sample, read straight from its shard: one range of bytes brings them all, nothing is unpacked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from fdgen.contract.records import MemberEntry
from fdgen.errors import DatasetError, in_words
from fdgen.io.storage import Place, read_range


def column_of(member: str) -> str:
    """Return how a member's columns of the manifest begin: `mask_png` for `mask.png`."""
    return member.replace(".", "_")


def member_entries(row: Mapping[str, Any], members: Iterable[str]) -> dict[str, MemberEntry]:
    """Return where members lie, by their names, as a row of the manifest says."""
    return {
        name: MemberEntry(int(row[f"{column}_offset"]), int(row[f"{column}_size"]), str(row[f"{column}_sha256"]))
        for name, column in ((name, column_of(name)) for name in members)
    }


def read_members(
    shard: Place, key: str, entries: Mapping[str, MemberEntry], *, verify: bool, hint: str = ""
) -> dict[str, bytes]:
    """Return the bytes of members of one sample, by their names.

    Args:
        shard: The tar that holds them, a file or what is at a URL.
        key: The sample's, for messages.
        entries: Where the members lie in the shard.
        verify: Whether each is compared with the sha256 of its entry.
        hint: What to do about a shard that is missing or damaged, for the error.

    Raises `DatasetError` where the shard cannot be read, is cut short, or `verify` finds other bytes.
    """
    first = min(entry.offset for entry in entries.values())
    end = max(entry.offset + entry.size for entry in entries.values())
    try:
        data = read_range(shard, first, end - first)
    except OSError as error:
        raise DatasetError(f"{shard} cannot be read: {in_words(error)}", hint=hint) from error
    if len(data) < end - first:
        raise DatasetError(f"{shard} is cut short: {key} is beyond its end", hint=hint)
    members = {name: data[entry.offset - first :][: entry.size] for name, entry in entries.items()}
    if verify:
        for name, content in members.items():
            if hashlib.sha256(content).hexdigest() != entries[name].sha256:
                raise DatasetError(
                    f"{name} of {key} in {shard} is not what was written: its sha256 differs from the manifest's",
                    hint=hint,
                )
    return members

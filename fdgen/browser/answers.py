"""What the server answers to each path below its token. Knows of datasets, not of sockets."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fdgen.browser.page_files import SCRIPT, STYLE, page
from fdgen.browser.request_guard import RefusedError
from fdgen.browser.thumbnails import SIDES_PX, Kept, thumbnail
from fdgen.browser.tones import Tones
from fdgen.browser.version import ON_WALL, PICTURES, Version, columns_of
from fdgen.contract.records import SampleRecord

Answer = tuple[str, bytes, bool]
"""Media type, body, and whether it stays the same as long as the server runs."""

_HTML, _CSS, _JS, _JSON = (
    f"{kind}; charset=utf-8" for kind in ("text/html", "text/css", "text/javascript", "application/json")
)

_THUMBNAIL = re.compile(r"t/([01])/([0-9]{1,9})/([a-z]{1,20})-([0-9]{2,4})\.jpg\Z")
_PICTURE = re.compile(r"p/([01])/([0-9]{1,9})/([a-z]{1,20})\.png\Z")
_RECORD = re.compile(r"s/([01])/([0-9]{1,9})\.json\Z")


class Answers:
    """The page over a dataset, or over two versions of one: `versions` are the newer one and, perhaps, the older."""

    def __init__(self, after: Version, before: Version | None = None) -> None:
        self.versions = (after,) if before is None else (after, before)
        self.kept = Kept()
        self.tones = Tones(after)
        self._index = as_json(index(after, before))
        self._rejects: bytes | None = None
        self._lock = threading.Lock()
        self._files: Mapping[str, Callable[[], Answer]] = {
            "": lambda: (_HTML, page(), False),
            "page.css": lambda: (_CSS, STYLE, True),
            "page.js": lambda: (_JS, SCRIPT, True),
            "index.json": lambda: (_JSON, self._index, True),
            "rejects.json": lambda: (_JSON, self._reject_list(), True),
            "tones.json": lambda: (_JSON, as_json(self.tones.progress()), False),
        }

    def answer(self, path: str) -> Answer:
        """Return what is at a path.

        Raises `RefusedError` where nothing is there, `DatasetError` where a shard cannot be read.
        """
        if (file := self._files.get(path)) is not None:
            return file()
        if (found := _THUMBNAIL.match(path)) is not None:
            version, row = self._sample(found)
            picture, side = found[3], int(found[4])
            if picture in ON_WALL and side in SIDES_PX:
                jpeg = self.kept.get(found.groups(), lambda: thumbnail(version, row, picture, side))
                return "image/jpeg", jpeg, True
        elif (found := _PICTURE.match(path)) is not None:
            version, row = self._sample(found)
            if found[3] in version.pictures:
                member = PICTURES[found[3]]
                return "image/png", version.read(row, [member])[member], True
        elif (found := _RECORD.match(path)) is not None:
            version, row = self._sample(found)
            return _JSON, as_json(sample(version, row)), True
        raise RefusedError(404, "This page has nothing here.")

    def _sample(self, found: re.Match[str]) -> tuple[Version, int]:
        place, row = int(found[1]), int(found[2])
        if place >= len(self.versions) or row >= len(self.versions[place]):
            raise RefusedError(404, "There is no such sample.")
        return self.versions[place], row

    def _reject_list(self) -> bytes:
        with self._lock:
            if self._rejects is None:
                self._rejects = as_json(self.versions[0].rejects())
            return self._rejects


def index(after: Version, before: Version | None, rows: Sequence[int] | None = None) -> dict[str, Any]:
    """Return all that the page knows of all samples from the start; of one dataset alone, of some `rows`."""
    facts = after.facts()
    commands = {"dataset": shlex.quote(str(after.root)), "replays": not (after.remote or facts["imported"])}
    head: dict[str, Any] = {"datasets": [facts], "commands": commands, "tones": not (after.remote or facts["imported"])}
    if before is None:
        return {**head, "columns": columns_of(after.table if rows is None else after.table.take(list(rows)))}
    from fdgen.browser.comparison import compare  # imports what one dataset needs nothing of, for half a second

    found = compare(before, after)
    return {
        **head,
        "datasets": [facts, before.facts()],
        "commands": {**commands, "before": shlex.quote(str(before.root))},
        "columns": found.columns,
        "comparison": found.summary,
    }


def sample(version: Version, row: int) -> dict[str, Any]:
    """Return the record of a sample, its caption where it has one, and where it lies."""
    members = ["json", *(name for name in ("caption.txt",) if name in version.members)]
    data = version.read(row, members)
    record = SampleRecord.from_json(data["json"])
    found = {**asdict(record), "shard": version.table["shard"][row].as_py()}
    if "caption.txt" in data:
        found["caption"] = data["caption.txt"].decode("utf-8", "replace").strip()
    return found


def as_json(value: Any) -> bytes:
    """Return a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

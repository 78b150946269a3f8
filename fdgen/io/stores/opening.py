"""The store of a place: a folder of this machine, or objects behind a URL."""

from __future__ import annotations

from pathlib import Path

from fdgen.io.storage import Place, Remote
from fdgen.io.stores.local_folder import LocalFolder
from fdgen.io.stores.store import OutputStore


def store_of(place: Place) -> OutputStore:
    """Return what lists a place and writes to it. It holds no connection."""
    if isinstance(place, Remote):
        from fdgen.io.stores.object_store import ObjectStore

        return ObjectStore(place)
    return LocalFolder(Path(place))

"""The output of a build, a folder or a URL: accepted only if it is empty, or already holds the same dataset."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.records import SCHEMA, is_imported
from fdgen.dataset.parts import Part, build_lock, is_part_lock, other_part_at_work
from fdgen.dataset.shards import receipt_path, whole_receipt
from fdgen.dataset.spec import differences, spec_id
from fdgen.dataset.tables import read_sources
from fdgen.errors import DatasetError, MixingError, UnreachableError
from fdgen.faces.sources import Source
from fdgen.io.json_file import read_object
from fdgen.io.lock import LOCK_NAME
from fdgen.io.size_text import size_text
from fdgen.io.storage import Place
from fdgen.io.stores.opening import store_of
from fdgen.io.stores.store import OutputStore

WRITTEN = ("manifest.parquet", LANDMARKS_FILE, "sources.parquet", "rejects.csv", "preview.jpg", "dataset.json")
"""What a build writes in addition to the shards, without the list of sums."""

ADDED = ("README.md", "croissant.json")
"""What other commands may add to a dataset."""


def refuse_foreign(out: Place) -> None:
    """Raise `DatasetError` where `out` is a file, or a folder that holds anything but a dataset of ours."""
    store = store_of(out)
    store.refuse_file()
    names = [name for name in store.names() if not _is_ours_in_passing(store, name)]
    if names and not store.exists("dataset.json") and not _receipt_ids(out):  # another part may write it just now
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise DatasetError(
            f"{out} already holds something else ({shown}) and no dataset of fdgen",
            hint="name a new or empty folder as the output",
        )


@contextlib.contextmanager
def claimed(out: Place, spec: Mapping[str, Any], sources: Sequence[Source], part: Part | None = None) -> Iterator[None]:
    """Make `out` where it is not there, and hold it for one build of `spec`, or for a part of it.

    Raises `MixingError` where it holds a dataset of another spec, naming each field that differs; `DatasetError` where
    it is not ours, cannot be written, or another build holds it.
    """
    refuse_foreign(out)
    refuse_other_spec(out, spec, sources)  # before anything is written
    store = store_of(out)
    store.make()
    with build_lock(out, part):
        barren = part is None or not other_part_at_work(out, part)  # else its first shard may be under way
        refuse_other_spec(out, spec, sources, barren=barren)
        for folder in () if part is not None else ("", "shards/"):  # other parts are writing theirs
            for name in store.names(folder):
                if store.is_temporary(folder + name):
                    store.remove(folder + name)
        yield


def refuse_other_spec(out: Place, spec: Mapping[str, Any], sources: Sequence[Source], *, barren: bool = True) -> None:
    """Raise `MixingError` where `out` holds samples of another spec; a damaged dataset.json is left to receipts.

    What a build left that never made a shard (no face was found, the disk was too small) keeps nobody from asking again
    with other settings: there is nothing to mix with. Without `barren` it does, too.
    """
    wanted = spec_id(spec)
    dataset = read_dataset(out)
    if dataset is None:
        ids = _receipt_ids(out)
        if ids - {wanted} or (store_of(out).exists("dataset.json") and not ids):
            raise DatasetError(
                f"{out / 'dataset.json'} is damaged or was not written by this version of fdgen, "
                "and no shard shows that it belongs to the same dataset",
                hint="name a new or empty folder as the output",
            )
        return
    if dataset["spec_id"] == wanted or (barren and _is_barren(out, dataset)):
        return
    try:
        old_sources = read_sources(out / "sources.parquet")
    except DatasetError:
        old_sources = None
    lines = differences(dataset, spec, old_sources, sources)
    raise MixingError(
        f"{out} holds another dataset, and the two must not be mixed: " + "; ".join(lines),
        differences=lines,
        hint=_back_to(dataset["assets"], spec["assets"]),
    )


def _back_to(assets: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """Say how to go on with a dataset of these assets."""
    if assets.keys() - wanted.keys():
        return "name its packs again with --pack to resume it, or name another output folder"
    return "name another output folder, or go back to the settings of this one"


def read_dataset(out: Place) -> dict[str, Any] | None:
    """Return a dataset.json that is whole in itself, finished or not; None where there is none or it is damaged.

    Raises `UnreachableError` where that is not known.
    """
    try:
        dataset = read_object(out / "dataset.json", within=out)
        if dataset["schema"] == SCHEMA and dataset["spec_id"] == spec_id(dataset):
            return dataset
    except UnreachableError:
        raise
    except (DatasetError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def maker(out: Place) -> str:
    """Return the command that made a dataset, as messages call it."""
    return "fdgen import" if is_imported(read_dataset(out) or {"sources": {}}) else "fdgen build"


def write_dataset(out: Place, values: Mapping[str, Any]) -> None:
    """Write dataset.json."""
    store_of(out).write_whole("dataset.json", dataset_text(values))


def dataset_text(values: Mapping[str, Any]) -> bytes:
    """Return the bytes of dataset.json: for people too, so indented, in the order given."""
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def check_space(out: Place, needed: int) -> None:
    """Raise `DatasetError` where the disk has less room than `needed` bytes."""
    free = store_of(out).free_bytes()
    if free is not None and free < needed:
        raise DatasetError(
            f"{out} has room for {size_text(free)}, the samples still to be made need about {size_text(needed)}",
            hint="free some space, name another output folder, or ask for a smaller --count",
        )


def receipt_names(out: Place) -> list[str]:
    """Return the names of the shards that have a receipt, readable or not, sorted."""
    return [name.removesuffix(".json") for name in store_of(out).names("shards") if name.endswith(".json")]


def tar_names(out: Place) -> list[str]:
    """Return the names of the shards that have a tar, sorted."""
    return [name.removesuffix(".tar") for name in store_of(out).names("shards") if name.endswith(".tar")]


def _is_ours_in_passing(store: OutputStore, name: str) -> bool:
    """Return whether a build that was killed at its very start may have left this."""
    is_empty = name == "shards" and store.is_empty_folder(name)
    lock = store.lock_of(name)
    return lock == LOCK_NAME or (lock is not None and is_part_lock(lock)) or store.is_temporary(name) or is_empty


def _is_barren(out: Place, dataset: Mapping[str, Any]) -> bool:
    """Return whether an unfinished dataset has no shard, not even one without its receipt."""
    return "content_id" not in dataset and not tar_names(out)


def _receipt_ids(out: Place) -> set[str]:
    """Return the spec_id of every readable receipt in the folder."""
    receipts = (whole_receipt(receipt_path(out, name)) for name in receipt_names(out))
    return {receipt.spec_id for receipt in receipts if receipt is not None}

"""The output folder of a build: accepted only if it is empty, or already holds the same dataset."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.records import SCHEMA, is_imported
from fdgen.dataset.parts import Part, build_lock, is_part_lock, other_part_at_work
from fdgen.dataset.shards import read_receipt
from fdgen.dataset.spec import differences, spec_id
from fdgen.dataset.tables import read_sources
from fdgen.errors import DatasetError, MixingError
from fdgen.faces.sources import Source
from fdgen.io.atomic import is_temporary, make_folder, naming, remove, write_whole
from fdgen.io.json_file import read_object
from fdgen.io.lock import LOCK_NAME
from fdgen.io.size_text import size_text

WRITTEN = ("manifest.parquet", LANDMARKS_FILE, "sources.parquet", "rejects.csv", "preview.jpg", "dataset.json")
"""What a build writes beside the shards, without the list of sums."""

ADDED = ("README.md", "croissant.json")
"""What other commands may add to a dataset."""


def refuse_foreign(out: Path) -> None:
    """Raise `DatasetError` where `out` is a file, or a folder that holds anything but a dataset of ours."""
    with naming(out):
        if not out.exists():
            return
        if not out.is_dir():
            raise DatasetError(f"{out} is a file, not a folder", hint="name a new or empty folder as the output")
        names = sorted(path.name for path in out.iterdir() if not _is_ours_in_passing(path))
    if names and not (out / "dataset.json").exists() and not _receipt_ids(out):  # another part may write it just now
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise DatasetError(
            f"{out} already holds something else ({shown}) and no dataset of fdgen",
            hint="name a new or empty folder as the output",
        )


@contextlib.contextmanager
def claimed(out: Path, spec: Mapping[str, Any], sources: Sequence[Source], part: Part | None = None) -> Iterator[None]:
    """Make `out` where it is not there, and hold it for one build of `spec`, or for a part of it.

    Raises `MixingError` where it holds a dataset of another spec, naming each field that differs; `DatasetError` where
    it is not ours, cannot be written, or another build holds it.
    """
    refuse_foreign(out)
    refuse_other_spec(out, spec, sources)  # before anything is written
    make_folder(out / "shards")
    with build_lock(out, part):
        barren = part is None or not other_part_at_work(out, part)  # else its first shard may be under way
        refuse_other_spec(out, spec, sources, barren=barren)
        for folder in () if part is not None else (out, out / "shards"):  # other parts are writing theirs
            for path in folder.iterdir():
                if is_temporary(path):
                    remove(path)
        yield


def refuse_other_spec(out: Path, spec: Mapping[str, Any], sources: Sequence[Source], *, barren: bool = True) -> None:
    """Raise `MixingError` where `out` holds samples of another spec; a damaged dataset.json is left to receipts.

    What a build left that never made a shard (no face was found, the disk was too small) keeps nobody from asking again
    with other settings: there is nothing to mix with. Without `barren` it does, too.
    """
    wanted = spec_id(spec)
    dataset = read_dataset(out)
    if dataset is None:
        ids = _receipt_ids(out)
        if ids - {wanted} or ((out / "dataset.json").exists() and not ids):
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


def read_dataset(out: Path) -> dict[str, Any] | None:
    """Return a dataset.json that is whole in itself, finished or not; None where there is none or it is damaged."""
    try:
        dataset = read_object(out / "dataset.json", within=out)
        if dataset["schema"] == SCHEMA and dataset["spec_id"] == spec_id(dataset):
            return dataset
    except (DatasetError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def maker(out: Path) -> str:
    """Return the command that made a dataset, as messages call it."""
    return "fdgen import" if is_imported(read_dataset(out) or {"sources": {}}) else "fdgen build"


def write_dataset(out: Path, values: Mapping[str, Any]) -> None:
    """Write dataset.json."""
    write_whole(out / "dataset.json", dataset_text(values))


def dataset_text(values: Mapping[str, Any]) -> bytes:
    """Return the bytes of dataset.json: for people too, so indented, in the order given."""
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def check_space(out: Path, needed: int) -> None:
    """Raise `DatasetError` where the disk has less room than `needed` bytes."""
    with naming(out):
        free = shutil.disk_usage(out).free
    if free < needed:
        raise DatasetError(
            f"{out} has room for {size_text(free)}, the samples still to be made need about {size_text(needed)}",
            hint="free some space, name another output folder, or ask for a smaller --count",
        )


def _is_ours_in_passing(path: Path) -> bool:
    """Tell whether a build that was killed at its very start may have left this."""
    empty_shards = path.name == "shards" and path.is_dir() and not any(path.iterdir())
    return path.name == LOCK_NAME or is_part_lock(path) or is_temporary(path) or empty_shards


def _is_barren(out: Path, dataset: Mapping[str, Any]) -> bool:
    """Tell whether an unfinished dataset has no shard, not even one without its receipt."""
    return "content_id" not in dataset and not any((out / "shards").glob("*.tar"))


def _receipt_ids(out: Path) -> set[str]:
    """Return the spec_id of every readable receipt in the folder."""
    found = set()
    for path in sorted((out / "shards").glob("*.json")):
        with contextlib.suppress(DatasetError):
            found.add(read_receipt(path).spec_id)
    return found

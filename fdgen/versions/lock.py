"""The lock of a dataset version: all that is needed to rebuild it, and to check that the result is the same.

    card/
      recipe.toml       the whole recipe
      lock.json         name, version, ids, digests of assets, shards and landmark models, versions, counts, the command
      samples.parquet   a row a sample: digests of its photograph, landmarks, placement and members
      sources.parquet   a row a photograph that there was to choose from
      SHA256SUMS        of every other file

It proves itself: `spec_id` and `content_id` are computed from the content of these files, so that no part can be
changed without the others. It holds no picture, no landmark, no absolute path, no host and no time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from fdgen.assets import AssetLibrary
from fdgen.contract.dataset_facts import AskedRecipe, LockFacts
from fdgen.contract.dataset_validation import invalid_shard_row, invalid_value
from fdgen.contract.face_points import LANDMARKS_FILE
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SCHEMA
from fdgen.dataset.checksums import SUMS, file_sha256, listed_sums, write_sums
from fdgen.dataset.folder import WRITTEN
from fdgen.dataset.invariants import Problem
from fdgen.dataset.naming import UNVERSIONED, check_label
from fdgen.dataset.spec import spec_id
from fdgen.dataset.tables import read_landmark_digests, read_manifest, read_sources
from fdgen.errors import AssetError, DatasetError, RecipeError
from fdgen.faces.detection import networks_by_version
from fdgen.io.atomic import make_folder, write_whole
from fdgen.io.folders import mistaken
from fdgen.io.json_file import fits, read_json, why
from fdgen.io.toml_file import read_toml
from fdgen.settings.toml import write_tables
from fdgen.versions.lock_tables import SAMPLES, SOURCES, content_of, read_table, sample_rows, source_table, write_table

FORMAT = 1
"""Version of the layout of a lock; a reader refuses any other."""

LOCK = "lock.json"
RECIPE = "recipe.toml"
TABLES = ("samples.parquet", "sources.parquet")

_COPIED = ("name", "version", "spec_id", "content_id", "schema", "generator", "count", "made", "sources", "assets")
_COPIED_TOO = ("landmarks", "splits", "kinds", "rejects", "shards", "notes", "warnings", "environment")
_COPIED_WHERE_THERE = ("given_up", "codec")


@dataclass(frozen=True)
class Lock:
    """A lock, opened and found whole.

    `facts` is lock.json, `recipe` the recipe as dataset.json holds it; `samples` and `sources` have the columns of
    `fdgen.versions.lock_tables`.
    """

    folder: Path
    facts: Mapping[str, Any]
    recipe: Mapping[str, Any]
    samples: pa.Table = field(repr=False)
    sources: pa.Table = field(repr=False)

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.facts['name']} {self.facts['version']}"

    @property
    def spec(self) -> dict[str, Any]:
        """What was asked, as dataset.json holds it."""
        return {**self.facts, "recipe": self.recipe}


def write_lock(root: str | Path, out: str | Path, *, replace: bool = False) -> Lock:
    """Write the lock of the finished dataset in `root` into the folder `out`, made where it is not there; return it.

    Other files of the folder stay, and are listed in SHA256SUMS as they are. A lock or recipe that is there already
    must be of the same content, unless `replace`: a version that was published never changes. The dataset's tables are
    checked against its sums and its content_id; its pictures are not read (`fdgen verify` does).

    Raises `DatasetError` where the dataset is unfinished or damaged, the folder holds another version, or it cannot be
    written.
    """
    root, out = Path(root), Path(out)
    dataset = Manifest.load(root).dataset
    _refuse_damaged(root, dataset["shards"])
    manifest = read_manifest(root / "manifest.parquet")
    if content_of(dataset["shards"], manifest) != dataset["content_id"]:
        raise DatasetError(
            f"the manifest of {root} is not that of its content_id", hint=f"run `fdgen verify {root}`, then repair it"
        )
    if not replace:
        _refuse_other(out, dataset)
    make_folder(out)
    title = f"{dataset['name']} {dataset['version']}"
    heading = f"# The recipe of {title}, whole: `fdgen build --recipe {RECIPE}` asks for the same again.\n\n"
    write_whole(out / RECIPE, (heading + write_tables(dataset["recipe"])).encode())
    samples = sample_rows(manifest, read_landmark_digests(root / LANDMARKS_FILE))
    sources = source_table(read_sources(root / "sources.parquet"))
    for name, table in zip(TABLES, (samples, sources), strict=True):
        write_table(out / name, table)
    facts = {
        "lock": FORMAT,
        **{name: dataset[name] for name in _COPIED},
        "release": dataset["environment"].get("fd-stackgan") or "",
        "command": command_of(dataset),
        **{name: dataset[name] for name in _COPIED_TOO},
        **{name: dataset[name] for name in _COPIED_WHERE_THERE if name in dataset},
        "landmark_models": networks_by_version(dataset["landmarks"]),
        "files": {name: file_sha256(out / name) for name in (RECIPE, *TABLES)},
    }
    write_whole(out / LOCK, (json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
    write_sums(out)
    return Lock(out, facts, dataset["recipe"], samples, sources)


def read_lock(folder: str | Path) -> Lock:
    """Open the lock in the folder of a card; raise `DatasetError` where there is none, or a part of it was altered."""
    folder = Path(folder)
    if not (folder / LOCK).is_file():
        raise _no_lock(folder)
    hint = "download the card again"
    problems: list[Problem] = []
    listed = listed_sums(folder, problems)
    for name in (RECIPE, *TABLES, LOCK):
        if not problems and listed.get(name) != file_sha256(folder / name, within=folder):
            raise DatasetError(f"{folder / name} is missing or was altered: it is not what {SUMS} lists", hint=hint)
    if problems:
        raise DatasetError(f"{folder / SUMS}: {problems[0].message}", hint=hint)
    try:
        facts = read_json(folder / LOCK, within=folder, hint=hint)
        recipe = read_toml(folder / RECIPE, within=folder)
        _check_fields(facts)
        asked = spec_id({**facts, "recipe": recipe})
        digests = {name: file_sha256(folder / name) for name in (RECIPE, *TABLES)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{folder / LOCK} is not a lock of fdgen: {why(error)}", hint=hint) from error
    if facts["files"] != digests:
        raise DatasetError(f"{folder / LOCK} is not the lock of the tables next to it", hint=hint)
    if (wrong := fits(AskedRecipe, recipe)) is not None:
        raise DatasetError(f"{folder / RECIPE} is not in the form that fdgen writes: {wrong}", hint=hint)
    if facts["spec_id"] != asked:
        raise DatasetError(f"the spec_id of {folder / LOCK} is not that of its recipe, sources and assets", hint=hint)
    samples, sources = (read_table(folder / name, schema) for name, schema in zip(TABLES, _SCHEMAS, strict=True))
    if (wrong := invalid_value(samples)) is not None:
        raise DatasetError(f"{folder / TABLES[0]} is not in the form that fdgen writes: {wrong}", hint=hint)
    if content_of(facts["shards"], samples) != facts["content_id"]:
        raise DatasetError(f"the content_id of {folder / LOCK} is not that of its samples and shards", hint=hint)
    if (len(samples), len(sources)) != (facts["made"], facts["sources"]["count"]):
        raise DatasetError(f"{folder / LOCK} counts other samples or photographs than its tables list", hint=hint)
    return Lock(folder, facts, recipe, samples, sources)


def is_card(folder: Path) -> bool:
    """Return whether a folder is that of a card, and not a dataset: it has a recipe, with or without its lock."""
    return (folder / RECIPE).is_file() and not (folder / "dataset.json").exists() and not (folder / "shards").exists()


def command_of(dataset: Mapping[str, Any]) -> str:
    """Return the command that builds a dataset again, as typed in the folder of its card."""
    words = ["fdgen build", f"--recipe {RECIPE}"]
    if dataset["sources"].get("kind") != "samples":
        words.append("--faces FOLDER")
    if dataset["count"] is not None:
        words.append(f"--count {dataset['count']}")
    if dataset["assets"].keys() - _own_assets():
        words.append("--pack FOLDER")
    words.append(f"--name {dataset['name']}")
    if not dataset["version"].startswith(UNVERSIONED):
        words.append(f"--version {dataset['version']}")
    return " ".join([*words, "--out FOLDER"])


_SCHEMAS = (SAMPLES, SOURCES)


def _own_assets() -> set[str]:
    try:
        return set(AssetLibrary.load().assets)
    except AssetError:  # an installation that was altered: then nothing is known to be our own
        return set()


def _refuse_damaged(root: Path, shards: Sequence[Mapping[str, Any]]) -> None:
    """Raise `DatasetError` where a file of a dataset was altered; of tars, the sums are compared."""
    problems: list[Problem] = []
    listed = listed_sums(root, problems)
    sums = {f"shards/{row['name']}.tar": row["sha256"] for row in shards if row["samples"]}
    names = {*listed, *WRITTEN, *sums}
    damaged = sorted(
        name for name in names if (sums.get(name) or file_sha256(root / name, within=root)) != listed.get(name)
    )
    if problems or damaged:
        raise DatasetError(
            f"{root / (SUMS if problems else damaged[0])} is damaged, so no lock can vouch for it",
            hint=f"run `fdgen verify {root}`, then the same `fdgen build` again, which repairs it",
        )


def _refuse_other(out: Path, dataset: Mapping[str, Any]) -> None:
    """Raise `DatasetError` where `out` holds the lock or the recipe of another version."""
    hint = "give what changed a version of its own with `fdgen build --version`, or name another folder"
    lock, recipe = out / LOCK, out / RECIPE
    try:
        if lock.is_file():
            found = read_json(lock, within=out)["content_id"]
            if found != dataset["content_id"]:
                raise DatasetError(f"{out} holds the lock of another content ({str(found)[:12]})", hint=hint)
        elif recipe.is_file():
            values = read_toml(recipe, within=out)
            if spec_id({**dataset, "recipe": values}) != dataset["spec_id"]:
                raise DatasetError(f"{recipe} is not the recipe that the dataset was made by", hint=hint)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{out} holds a damaged card: {why(error)}", hint="remove what is in the way") from error


def _no_lock(folder: Path) -> DatasetError:
    if is_card(folder):
        return DatasetError(
            f"the card {folder} has no lock yet: it has not been built",
            hint=f"build it with `fdgen build --recipe {folder / RECIPE}`, and write its card",
        )
    hint = "name a folder that `fdgen card DATASET --out FOLDER` wrote"
    sentence, hint = mistaken(folder, "is not a card", f"it has no {LOCK}", hint)
    return DatasetError(sentence, hint=hint)


def _check_fields(facts: Any) -> None:
    """Raise `ValueError` where a field is missing or of another type than we write."""
    if not isinstance(facts, dict) or facts.get("lock") != FORMAT or facts.get("schema") != SCHEMA:
        raise ValueError(f"it is not of format {FORMAT} and schema {SCHEMA}, which this version reads")
    if (wrong := fits(LockFacts, facts) or invalid_shard_row(facts["shards"])) is not None:
        raise ValueError(wrong)
    try:  # both become the name of a folder, and the card may be a stranger's
        check_label(facts["name"], facts["version"])
    except RecipeError as error:
        raise ValueError(error.message) from error

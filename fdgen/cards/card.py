"""The card of a dataset version: its contents, how it was made, the uses that are not allowed, and its lock.

    dataset + card.toml --> numbers.json, README.md, croissant.json, and the lock --> SHA256SUMS

`check` makes all of it again and names what differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fdgen.cards.croissant import croissant_json, manifest_sum
from fdgen.cards.numbers import gather, of_facts, of_samples
from fdgen.cards.prose import CARD, Prose, read_prose, starting_text
from fdgen.cards.readme import card_text, planned_text
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import is_imported
from fdgen.dataset.checksums import SUMS, file_sha256, listed_sums, sum_problems, sums_text, write_sums
from fdgen.dataset.folder import ADDED
from fdgen.dataset.invariants import Problem
from fdgen.dataset.naming import check_label
from fdgen.errors import DatasetError, RecipeError
from fdgen.io.atomic import write_whole
from fdgen.io.differences import MOST_BYTES, text_differences, value_differences
from fdgen.io.json_file import read_json, why
from fdgen.io.lock import folder_lock
from fdgen.io.path_inside import path_inside
from fdgen.io.regular_file import read_regular
from fdgen.recipe.schema import Recipe
from fdgen.settings.toml import write_tables
from fdgen.versions.lock import LOCK, RECIPE, is_card, read_lock, write_lock

NUMBERS = "numbers.json"

_ODD = (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError, ZeroDivisionError)
"""All errors that writing out numbers can raise where these are of other types than ours."""

OnFace = Callable[[int, int], None]


@dataclass(frozen=True)
class Checked:
    """What `check` found; `planned` is a card whose dataset nobody has built yet."""

    problems: tuple[Problem, ...]
    planned: bool = False


def is_planned(folder: Path) -> bool:
    """Return whether a folder is that of a card that nobody has filled yet: with a recipe, without lock and numbers."""
    return is_card(folder) and not (folder / LOCK).exists() and not (folder / NUMBERS).exists()


def default_out(dataset: Mapping[str, Any]) -> Path:
    """Return the folder of a version's card: `data_cards/NAME-VERSION`."""
    return path_inside(Path("data_cards"), f"{dataset['name']}-{dataset['version']}")


def write_card(
    root: Path,
    out: Path | None = None,
    *,
    packs: Sequence[str | Path] = (),
    replace: bool = False,
    on_face: OnFace | None = None,
) -> Path:
    """Write the card of the dataset in `root` into the folder `out`, and README.md and croissant.json into `root` too.

    Words come from card.toml there, which is made where it is missing and never changed. Returns the folder.

    Args:
        root: Folder of the dataset.
        out: Folder of the card, outside of the dataset; None is `default_out`.
        packs: Folders of occluders in addition to our own.
        replace: Whether another version that the folder holds may be replaced.
        on_face: Called as (done, of) while the faces of the dataset are gone through; None for none.

    Raises `DatasetError` where the dataset is unfinished, damaged or imported, or the folder holds another version
    (unless `replace`), `RecipeError` where card.toml is wrong, `AssetError` for a pack.
    """
    manifest = Manifest.load(root)
    _refuse_imported(root, manifest.dataset)
    out = default_out(manifest.dataset) if out is None else out
    _refuse_within(out, root)
    _refuse_unnamed(root, manifest.dataset)
    kind, name = manifest.dataset["sources"]["kind"], manifest.dataset["name"]
    prose = read_prose(out / CARD) if (out / CARD).exists() else None
    numbers = gather(manifest, packs, on_face)
    write_lock(root, out, replace=replace)
    if prose is None:
        write_whole(out / CARD, starting_text(kind, name).encode())
        prose = read_prose(out / CARD)
    files = _files(numbers, prose, manifest.dataset["shards"], root)
    for name, data in files.items():
        write_whole(path_inside(out, name), data)
    write_sums(out)
    _add_to_dataset(root, {name: files[name] for name in ADDED})
    return out


def write_planned(out: Path) -> Path:
    """Write README.md of a card that has a recipe, a card.toml with `[planned]`, and no lock yet; return its folder.

    Its recipe is written out whole: whoever fills the card must not depend on the defaults of his version.
    """
    text, recipe = _planned(out), Recipe.load(out / RECIPE)
    write_whole(out / "README.md", text)
    heading = "# The recipe of a dataset that is to be built, whole.\n\n"
    write_whole(out / RECIPE, (heading + write_tables(recipe.as_dict())).encode())
    write_sums(out)
    return out


def check(
    folder: Path, out: Path | None = None, *, packs: Sequence[str | Path] = (), on_face: OnFace | None = None
) -> Checked:
    """Compare a card with the dataset in `folder`; or, where `folder` is a card, with its own lock.

    Without the dataset, what only its records and pictures show (skin tone, what is worn already) is taken from
    numbers.json, which SHA256SUMS vouches for. Raises `DatasetError` or `RecipeError` where nothing can be compared.
    """
    if is_planned(folder):
        text = _planned(folder)
        problems = [*_text_problems("README.md", _text(folder / "README.md"), text.decode()), *sum_problems(folder)]
        return Checked(tuple(problems), planned=True)
    if is_card(folder) or ((folder / CARD).is_file() and not (folder / "dataset.json").exists()):
        return Checked(tuple(_own_problems(folder)))
    manifest = Manifest.load(folder)
    _refuse_imported(folder, manifest.dataset)
    out = default_out(manifest.dataset) if out is None else out
    if not (out / CARD).is_file():
        raise DatasetError(
            f"{out} is no card of {folder}: it has no {CARD}", hint=f"write it with `fdgen card {folder}`"
        )
    numbers = gather(manifest, packs, on_face)
    files = _files(numbers, read_prose(out / CARD), manifest.dataset["shards"], folder)
    problems = [*_lock_problems(out, manifest.dataset), *_file_problems(out, files), *sum_problems(out)]
    for name in ADDED:
        path = path_inside(folder, name)
        if path.exists() and _bytes(path) != files[name]:
            problems.append(Problem(str(path), None, "card", "it is not that of the card: write the card again"))
    return Checked(tuple(_once(problems)))


def _files(
    numbers: Mapping[str, Any], prose: Prose, shards: Sequence[Mapping[str, Any]], root: Path
) -> dict[str, bytes]:
    sha256 = file_sha256(root / "manifest.parquet")
    if sha256 is None:
        raise DatasetError(f"{root / 'manifest.parquet'} cannot be read", hint=f"run `fdgen verify {root}`")
    return _made(numbers, prose, shards, sha256)


def _made(
    numbers: Mapping[str, Any], prose: Prose, shards: Sequence[Mapping[str, Any]], manifest_sha256: str
) -> dict[str, bytes]:
    """Return the files of a card by name, as they are to be."""
    return {
        NUMBERS: (json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(),
        "README.md": card_text(numbers, prose).encode(),
        "croissant.json": croissant_json(numbers, prose, shards, manifest_sha256),
    }


def _own_problems(folder: Path) -> list[Problem]:
    """Compare a card with its own lock."""
    problems = sum_problems(folder)
    try:
        lock = read_lock(folder)
    except DatasetError as error:
        return _once([*problems, Problem(LOCK, None, "card", error.message)])
    numbers = _json(folder / NUMBERS)
    if not isinstance(numbers, dict):
        return _once([*problems, Problem(NUMBERS, None, "card", "it cannot be read")])
    counted = {**of_facts(lock.facts, lock.recipe), **of_samples(lock.samples.to_pandas())}
    true = {**numbers, **counted, "command": lock.facts["command"]}
    sha256 = manifest_sum(_json(folder / "croissant.json"))
    try:
        made = _made(true, read_prose(folder / CARD), lock.facts["shards"], sha256)
    except _ODD as error:
        return _once([*problems, Problem(NUMBERS, None, "card", f"it lacks a field of a card: {why(error)}")])
    return _once([*_file_problems(folder, made), *problems])


def _lock_problems(out: Path, dataset: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        lock = read_lock(out)
    except DatasetError as error:
        yield Problem(LOCK, None, "card", error.message)
        return
    for name in ("name", "version", "spec_id", "content_id"):
        if lock.facts[name] != dataset[name]:
            yield Problem(LOCK, None, "card", f"{name} is {lock.facts[name]}, the dataset says {dataset[name]}")


def _file_problems(out: Path, files: Mapping[str, bytes]) -> Iterator[Problem]:
    """Name what differs between the files of a card and what they are to be."""
    for name, data in files.items():
        path, wanted = path_inside(out, name), data.decode()
        found = _text(path)
        if found is None:
            yield Problem(name, None, "card", "it is missing or not a text")
        elif name.endswith(".md"):
            yield from _text_problems(name, found, wanted)
        elif found != wanted:
            yield from _value_problems(name, _json(path), json.loads(wanted))


def _text_problems(name: str, found: str | None, wanted: str) -> list[Problem]:
    return [Problem(name, None, "card", told) for told in text_differences(found, wanted)]


def _value_problems(name: str, found: Any, wanted: Any) -> list[Problem]:
    return [Problem(name, None, "card", told) for told in value_differences(found, wanted)]


def _once(problems: Sequence[Problem]) -> list[Problem]:
    """Leave out that a sum differs where it is said already in what."""
    told = {problem.file for problem in problems if problem.law == "card"}
    return [problem for problem in problems if problem.law != "sha256" or problem.file not in told]


def _planned(out: Path) -> bytes:
    prose = read_prose(out / CARD)
    if prose.planned is None:
        raise DatasetError(
            f"{out} has no lock, and {out / CARD} has no [planned]", hint="name a dataset, or a whole card"
        )
    recipe = Recipe.load(out / RECIPE)
    return planned_text(prose.planned, recipe.as_dict(), prose).encode()


def _add_to_dataset(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a dataset's folder and list their sums; its other files stay as they are."""
    with folder_lock(root):
        problems: list[Problem] = []
        sums = listed_sums(root, problems)
        if problems:
            raise DatasetError(f"{root / SUMS}: {problems[0].message}", hint=f"run `fdgen verify {root}`")
        for name, data in files.items():
            path = path_inside(root, name)
            write_whole(path, data)
            sums[name] = str(file_sha256(path))
        write_whole(root / SUMS, sums_text(sums))


def _refuse_unnamed(root: Path, dataset: Mapping[str, Any]) -> None:
    """Refuse a dataset of before there were names and versions: nobody could read its lock."""
    try:
        check_label(dataset["name"], dataset["version"])
    except RecipeError as error:
        raise DatasetError(
            f"{root} has no name and version that can be published: {error.message}",
            hint="run the `fdgen build` that made it again, with --name and --version",
        ) from error


def _refuse_imported(root: Path, dataset: Mapping[str, Any]) -> None:
    """Raise `DatasetError` for pairs that were made elsewhere: a card says how fdgen makes the same again."""
    if is_imported(dataset):
        raise DatasetError(
            f"the pairs of {root} were imported, and a card tells how fdgen makes a dataset again",
            hint=f"publish the three folders and their terms; `fdgen info {root}` has the digests and counts",
        )


def _refuse_within(out: Path, root: Path) -> None:
    if out.resolve() == root.resolve() or root.resolve() in out.resolve().parents:
        raise DatasetError(f"{out} lies within the dataset {root}", hint="name a folder outside of it")


def _bytes(path: Path) -> bytes | None:
    try:
        return read_regular(path, most_bytes=MOST_BYTES, within=path.parent)
    except OSError:
        return None


def _text(path: Path) -> str | None:
    data = _bytes(path)
    try:
        return None if data is None else data.decode("utf-8")
    except ValueError:
        return None


def _json(path: Path) -> Any:
    try:
        return read_json(path, within=path.parent)
    except DatasetError:
        return None

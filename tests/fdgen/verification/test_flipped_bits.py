"""One flipped bit, anywhere: `verify` names the file, and a rerun of the build mends its shard and nothing else."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from fdgen.contract.manifest import Manifest
from fdgen.verification.verifier import verify
from fdgen.versions.lock import write_lock
from tests.support.fake_build import FakeFaces, digests, run

FACES = FakeFaces.of(24)
COUNT = 14
CARD = "card/"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a dataset and its card, that no test may write to."""
    folder = tmp_path_factory.mktemp("sound")
    run(folder / "set", FACES, count=COUNT, name="lost", version="1.0.0")
    write_lock(folder / "set", folder / "card")
    (folder / "card" / "README.md").write_text("# lost 1.0.0\n\nFourteen rectangles.\n")
    write_lock(folder / "set", folder / "card")
    return folder


def places(folder: Path, n: int, seed: int) -> list[tuple[str, int]]:
    """Return `n` bits, as (file, number): as many of each kind of file, and in tars of each member of a sample."""
    rng = random.Random(seed)
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    kinds: dict[str, list[tuple[str, int, int]]] = {}
    for name, size in sizes.items():
        kind = f"shards.{name.rpartition('.')[2]}" if "/shards/" in name else name
        kinds.setdefault(kind, []).append((name, 0, size))
    for row in Manifest.load(folder / "set").table.to_dict("records"):
        for member in ("alpha_png", "clean_png", "json", "mask_png", "occluded_png"):
            span = (f"set/shards/{row['shard']}.tar", row[f"{member}_offset"], row[f"{member}_size"])
            kinds.setdefault(f"member.{member}", []).append(span)
    found = []
    for number in range(n):
        name, start, size = rng.choice(kinds[sorted(kinds)[number % len(kinds)]])
        found.append((name, 8 * start + rng.randrange(8 * size)))
    return found


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def times(folder: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in (folder / "set" / "shards").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_named_and_mended(sound: Path, tmp_path: Path, n: int) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "copy"))
    whole = digests(folder)
    tried = set()
    for name, bit in places(folder, n, seed=n):
        flip(folder / name, bit)
        tried.add(name)
        where, _, file = name.partition("/")
        found = verify(folder / where)
        # A flip within SHA256SUMS may turn the name of a file into another's: then those two are told.
        named = {problem.file for problem in found}
        assert file in named or (file == "SHA256SUMS" and named), (name, bit)
        assert all("\n" not in problem.message for problem in found)
        if name.startswith(CARD):
            write_lock(folder / "set", folder / "card", replace=True)
            if file == "README.md":  # written by hand: nothing but a copy can mend it
                shutil.copy(sound / name, folder / name)
                write_lock(folder / "set", folder / "card")
        else:
            before = times(folder)
            run(folder / "set", FACES, count=COUNT, name="lost", version="1.0.0")
            rewritten = {shard for shard, time in times(folder).items() if before.get(shard) != time}
            assert rewritten == ({Path(name).stem} if "/shards/" in name else set()), (name, bit)
        assert digests(folder) == whole, (name, bit)
    assert verify(folder / "set") == verify(folder / "card") == []
    assert n < 200 or {path for path in whole if not path.endswith((".tar", ".json"))} <= tried


def test_what_stands_in_a_card_and_is_not_listed_is_named(sound: Path, tmp_path: Path) -> None:
    card = Path(shutil.copytree(sound / "card", tmp_path / "card"))
    (card / "notes.txt").write_text("x")
    (card / "README.md").unlink()
    assert {(problem.file, problem.law) for problem in verify(card)} == {
        ("notes.txt", "extra"),
        ("README.md", "missing"),
    }
    (card / "SHA256SUMS").unlink()
    assert ("SHA256SUMS", "missing") in {(problem.file, problem.law) for problem in verify(card)}


def test_a_card_that_is_listed_as_it_is_but_fits_not_is_named(sound: Path, tmp_path: Path) -> None:
    from fdgen.dataset.checksums import write_sums

    card = Path(shutil.copytree(sound / "card", tmp_path / "card"))
    path = card / "recipe.toml"
    path.write_text(path.read_text().replace("seed = 0", "seed = 1"))
    write_sums(card)
    assert [(problem.file, problem.law) for problem in verify(card)] == [("lock.json", "lock")]

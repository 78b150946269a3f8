"""Names and versions: what is one, what a dataset is called where nobody said, and that no id depends on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdgen.contract.manifest import Manifest
from fdgen.dataset.naming import check_name, check_version, plain
from fdgen.errors import RecipeError
from fdgen.verification.verifier import verify
from tests.support.fake_build import FakeFaces, digests, run

FACES = FakeFaces.of(30)
COUNT = 12


@pytest.mark.parametrize("name", ["celeba-occluded", "a", "set-2", "x" * 64])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "2-sets", "a--b", "a-", "-a", "a_b", "ä", "a b", "../a", "a\n", "x" * 65])
def test_no_names(name: str) -> None:
    with pytest.raises(RecipeError, match="name of a dataset"):
        check_name(name)


@pytest.mark.parametrize("version", ["0.0.0", "1.2.0", "10.20.30", "1.0.0-rc.1", "1.0.0+2026", "1.0.0-a-b.0+x.y"])
def test_versions(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize(
    "version",
    ["", "1", "1.2", "v1.2.0", "01.2.0", "1.2.0-", "1.2.0-01", "1.2.0+", "1.2.x", "1.2.0\n", "1.2.٣", f"1.0.{10**60}"],
)
def test_no_versions(version: str) -> None:
    with pytest.raises(RecipeError, match="a version is"):
        check_version(version)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True))
def test_every_recipe_gives_a_name(recipe_name: str) -> None:
    check_name(plain(recipe_name))


def called(out: Path) -> tuple[str, str]:
    dataset = Manifest.load(out).dataset
    return dataset["name"], dataset["version"]


def test_no_id_and_no_shard_depends_on_what_a_dataset_is_called(tmp_path: Path) -> None:
    plainly = run(tmp_path / "a", FACES, count=COUNT)
    named = run(tmp_path / "b", FACES, count=COUNT, name="celeba-occluded", version="1.2.0")
    assert called(tmp_path / "a") == ("default", f"0.0.0+{plainly.dataset['content_id'][:12]}")
    assert called(tmp_path / "b") == ("celeba-occluded", "1.2.0")
    check_version(called(tmp_path / "a")[1])
    for name in ("spec_id", "content_id"):
        assert plainly.dataset[name] == named.dataset[name]
    before, after = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert {name for name in before if before[name] != after[name]} == {"dataset.json", "SHA256SUMS"}


def test_another_name_renames_and_none_keeps(tmp_path: Path) -> None:
    out = tmp_path / "set"
    run(out, FACES, count=COUNT, name="first", version="1.0.0")
    shards = {path: path.stat().st_mtime_ns for path in (out / "shards").iterdir()}
    run(out, FACES, count=COUNT)
    assert called(out) == ("first", "1.0.0")
    run(out, FACES, count=COUNT, version="1.0.1")
    assert called(out) == ("first", "1.0.1")
    run(out, FACES, count=COUNT, name="second")
    assert called(out) == ("second", "1.0.1")
    assert {path: path.stat().st_mtime_ns for path in (out / "shards").iterdir()} == shards
    assert verify(out) == []


def test_a_stopped_build_remembers_its_name(tmp_path: Path) -> None:
    out = tmp_path / "set"

    def stop(receipt: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(out, FACES, count=COUNT, name="first", version="1.0.0", on_shard=stop)
    run(out, FACES, count=COUNT)
    assert called(out) == ("first", "1.0.0")


def test_a_damaged_name_is_not_believed(tmp_path: Path) -> None:
    out = tmp_path / "set"
    run(out, FACES, count=COUNT, name="first", version="1.0.0")
    dataset = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps({**dataset, "name": "forst"}))
    run(out, FACES, count=COUNT)
    assert called(out)[0] == "default"


@pytest.mark.parametrize("label", [{"name": "A"}, {"version": "1"}])
def test_a_bad_name_is_refused_before_anything_is_written(tmp_path: Path, label: dict[str, str]) -> None:
    with pytest.raises(RecipeError):
        run(tmp_path / "set", FACES, count=COUNT, **label)
    assert not (tmp_path / "set").exists()

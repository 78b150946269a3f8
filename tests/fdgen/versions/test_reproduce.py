"""A version is rebuilt from its card alone; where it is not the same, what differs first is named."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import fdgen.versions.drift
from fdgen.contract.manifest import Manifest
from fdgen.dataset.checksums import write_sums
from fdgen.errors import DatasetError
from fdgen.versions.lock import write_lock
from fdgen.versions.reproduction import Reproduction, beyond_a_level, reproduce
from tests.support.fake_build import STEPS, FakeFaces, detect, digests, load_other_library, run
from tests.support.snapshots import COUNT, FACES, Replaced, brighter, build_first, shifted


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset, and beside it its card, that no test may write to."""
    return build_first(tmp_path_factory.mktemp("first"))


def again(first: Path, tmp_path: Path, faces: FakeFaces = FACES, **options: Any) -> Reproduction:
    return reproduce(first.parent / "card", faces, tmp_path / "again", **{"steps": STEPS, **options})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_version_is_rebuilt_byte_by_byte(first: Path, tmp_path: Path, workers: int) -> None:
    found = again(first, tmp_path, workers=workers)
    assert found.same
    assert list(found.findings) == []
    assert found.first is None
    assert digests(tmp_path / "again") == digests(first)
    assert again(first, tmp_path).same  # which resumes, and finds all of it there


def test_what_was_asked_is_compared_before_anything_is_built(first: Path, tmp_path: Path) -> None:
    used = Manifest.load(first).table["source"].iloc[0]
    found = again(first, tmp_path, FACES.without(int(used[5:10])))
    assert (found.same, found.difference) == (False, None)
    assert [(one.what, one.asked) for one in found.findings] == [("source", True)]
    n_samples = (Manifest.load(first).table["source"] == used).sum()
    assert found.findings[0].message == (
        f"1 photograph is missing; the first is {used}; {n_samples} of the version's samples come of it"
    )
    assert not (tmp_path / "again").exists()


def test_a_replaced_photograph_is_named_and_so_are_its_samples(first: Path, tmp_path: Path) -> None:
    used = Manifest.load(first).table["source"].iloc[0]
    faces = Replaced(FACES.numbers, number=int(used[5:10]))
    found = again(first, tmp_path, faces, anyway=True)
    assert not found.same
    assert "1 photograph is of other bytes" in found.findings[0].message
    assert found.difference is not None
    assert found.difference.sources.changed == (used,)
    assert any(one.reasons == ("source",) for one in found.difference.samples)


def test_no_photograph_at_all_is_told_as_that(first: Path, tmp_path: Path) -> None:
    found = again(first, tmp_path, FakeFaces((100, 101)))
    assert found.findings[0].message == "none of the 40 photographs is there: name their folder with --faces"


def test_people_who_are_not_known_here_are_told(first: Path, tmp_path: Path) -> None:
    found = again(first, tmp_path, dataclasses.replace(FACES, identities=False))
    assert [one.what for one in found.findings] == ["source"]
    assert "40 photographs are the same, but other is known of them" in found.findings[0].message


def test_other_occluders_are_named(first: Path, tmp_path: Path) -> None:
    found = again(first, tmp_path, steps=dataclasses.replace(STEPS, load_library=load_other_library))
    told = {one.message for one in found.findings if one.what == "asset"}
    assert told == {
        "1 occluder is missing: a pack is named with --pack; the first is sunglasses-a",
        "1 occluder is altered; the first is mask-a",
        "2 occluders are new to this version; the first is mask-b",
    }


def other_detector() -> str:
    return "fake 2"


def no_detector(*arguments: Any, **options: Any) -> Any:
    raise AssertionError("a detector was used")


@pytest.mark.slow
def test_another_detector_is_named_and_given_landmarks_stand_in_for_it(first: Path, tmp_path: Path) -> None:
    steps = dataclasses.replace(STEPS, detector_version=other_detector, detect=shifted)
    found = again(first, tmp_path, steps=steps)
    assert [(one.what, one.asked) for one in found.findings] == [("landmarks", True)]
    assert "fake 2" in found.findings[0].message
    found = again(first, tmp_path, steps=steps, landmarks=first / "landmarks.parquet", workers=2)
    assert found.same


def test_given_landmarks_need_no_detector(tmp_path: Path) -> None:
    faces = FakeFaces((0, 1, 2, 4, 5, 6, 7))  # all of which give a sample, and of which no face is missing
    first = tmp_path / "first" / "set"
    run(first, faces, "splits.train=1", "splits.val=0", "splits.test=0")
    write_lock(first, first.parent / "card")
    used = {int(source[5:10]) for source in Manifest.load(first).table["source"]}
    some = FakeFaces(tuple(sorted(used)))
    shutil.rmtree(first.parent)
    run(first, some, "splits.train=1", "splits.val=0", "splits.test=0")
    write_lock(first, first.parent / "card")
    kept = shutil.copy(first / "landmarks.parquet", tmp_path)
    shutil.rmtree(first)
    steps = dataclasses.replace(STEPS, detect=no_detector)
    assert again(first, tmp_path, some, steps=steps, landmarks=kept).same


def test_landmarks_of_another_version_are_refused(first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FACES, count=COUNT, steps=dataclasses.replace(STEPS, detect=shifted))
    with pytest.raises(DatasetError, match="has other landmarks than the version of some/"):
        again(first, tmp_path, landmarks=other / "landmarks.parquet")
    with pytest.raises(DatasetError, match="there is no file"):
        again(first, tmp_path, landmarks=tmp_path / "gone.parquet")
    with pytest.raises(DatasetError, match=r"other columns|cannot be read"):
        again(first, tmp_path, landmarks=first / "manifest.parquet")


def test_another_generator_says_which_release_to_install(first: Path, tmp_path: Path) -> None:
    card = Path(shutil.copytree(first.parent / "card", tmp_path / "card"))
    facts = json.loads((card / "lock.json").read_text())
    from fdgen.dataset.spec import spec_id
    from fdgen.versions.lock import read_lock

    old = {**facts, "generator": 1, "release": "0.0.9"}
    old["spec_id"] = spec_id({**old, "recipe": read_lock(card).recipe})
    (card / "lock.json").write_text(json.dumps(old))
    write_sums(card)
    with pytest.raises(DatasetError) as caught:
        reproduce(card, FACES, tmp_path / "again", steps=STEPS)
    assert "version 1 of the generator" in caught.value.message
    assert "pip install fd-stackgan==0.0.9" in caught.value.hint
    assert caught.value.exit_code == 1
    assert not (tmp_path / "again").exists()


def test_other_libraries_are_told_and_built_with(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fdgen.versions.drift.environment()
    monkeypatch.setattr(fdgen.versions.drift, "environment", lambda: {**real, "numpy": "1.0"})
    found = again(first, tmp_path)
    assert [(one.what, one.asked) for one in found.findings] == [("library", False)]
    assert found.same


def test_pixels_that_differ_are_measured_where_the_original_is_there(first: Path, tmp_path: Path) -> None:
    steps = dataclasses.replace(STEPS, generate=brighter)
    found = again(first, tmp_path, steps=steps, against=first)
    assert not found.same
    assert found.first is not None
    assert found.first.members == ("occluded.png",)
    assert len(found.apart) == COUNT
    assert {str(one) for apart in found.apart.values() for one in apart} == {
        "occluded (1 pixel, by 1 grey level at most)"
    }
    assert beyond_a_level(found.apart) == []


def test_the_original_must_be_that_of_the_card(first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FACES, "seed=1", count=COUNT)
    with pytest.raises(DatasetError, match=r"does not hold lost 1\.0\.0"):
        again(first, tmp_path, against=other)


def test_a_reproduction_goes_nowhere_but_into_its_own_folder(first: Path, tmp_path: Path) -> None:
    before = digests(first.parent / "card")
    run(tmp_path / "again", FACES, "seed=1", count=COUNT)
    with pytest.raises(DatasetError, match="holds another dataset"):
        again(first, tmp_path)
    assert digests(first.parent / "card") == before


def test_detect_is_asked_for_what_is_not_given(first: Path, tmp_path: Path) -> None:
    asked: list[str] = []

    def noting(faces: Any, wanted: Any, **options: Any) -> Any:
        asked.extend(source.sha256 for source in wanted)
        return detect(faces, wanted, **options)

    steps = dataclasses.replace(STEPS, detect=noting)
    assert again(first, tmp_path, steps=steps, landmarks=first / "landmarks.parquet").same
    assert set(asked).isdisjoint(Manifest.load(first).table["source_sha256"])

"""What a diff tells is what changed: no more, no less, and why; whether it reads datasets or cards."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fdgen.pipeline.builder
import fdgen.pipeline.finish
from fdgen.contract.records import Reject, Triplet
from fdgen.errors import DatasetError
from fdgen.faces.face import Face
from fdgen.versions.difference import REASONS, Difference, FieldChange, Names, diff, other_libraries
from fdgen.versions.lock import write_lock
from fdgen.versions.snapshot import Snapshot
from tests.support.fake_build import STEPS, FakeFaces, generate, load_other_library, run, samples_of
from tests.support.snapshots import COUNT, FACES, Replaced, brighter, build_first, shifted


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset, and beside it its card, that no test may write to."""
    return build_first(tmp_path_factory.mktemp("first"))


@pytest.fixture(params=["datasets", "cards", "a card and a dataset", "a dataset and a card"])
def compare(request: pytest.FixtureRequest, first: Path, tmp_path: Path) -> Any:
    """Return a function that compares the first dataset with another, either of them by its card."""

    def compared(other: Path) -> Difference:
        card = tmp_path / "card-of-other"
        write_lock(other, card)
        before = first if request.param.startswith(("datasets", "a dataset")) else first.parent / "card"
        after = other if request.param.endswith(("datasets", "a dataset")) else card
        return diff(before, after)

    return compared


def really_changed(a: Path, b: Path) -> set[str]:
    """Return the keys of samples that are not the same in both, found with the standard library."""
    before, after = samples_of(a), samples_of(b)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def told(found: Difference) -> set[str]:
    changes = [one for one in found.samples if one.change != "moved"]
    return {one.key for one in changes} | {one.before for one in changes if one.before}


def test_the_same_is_the_same(compare: Any, first: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    run(again, FACES, count=COUNT, name="other-name", version="2.0.0", workers=1)
    found = compare(again)
    assert found.same
    assert (found.fields, found.assets, found.sources, found.samples) == ([], Names(), Names(), [])
    assert found.counts() == {"same": COUNT, "changed": 0, "moved": 0, "added": 0, "removed": 0}
    assert (found.before.title, found.after.title) == ("lost 1.0.0", "other-name 2.0.0")


def test_one_value_is_named_with_exactly_the_samples_it_changed(compare: Any, first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FACES, "kinds.hand=0", count=COUNT)
    found = compare(other)
    assert not found.same
    assert [(one.name, one.after) for one in found.fields] == [("recipe.kinds.hand", 0.0)]
    assert told(found) == really_changed(first, other) != set()
    assert found.counts()["same"] == COUNT - found.counts()["changed"] > 0
    assert found.why() == {"changed": {"kinds": found.counts()["changed"]}}
    assert all("mask.png" not in one.members for one in found.samples)  # the fake placement stays where it was


def test_another_seed_changes_all(compare: Any, first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FACES, "seed=1", count=COUNT)
    found = compare(other)
    assert found.fields == [FieldChange("recipe.seed", 0, 1)]
    assert told(found) == really_changed(first, other)
    reasons = {reason for one in found.samples for reason in one.reasons}
    assert reasons <= {"kinds", "occluder", "placement", "not taken", "not made", "rejected: yaw-too-large"}


def test_a_replaced_photograph_changes_its_own_samples_alone(compare: Any, first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    everyone = tmp_path / "everyone"
    run(everyone, FACES)  # without count: every face has its turn, so none makes room for another
    number = int(next(iter(samples_of(everyone).values()))["json"].decode().partition("some/")[2][:5])
    run(other, Replaced(FACES.numbers, number=number))
    found = diff(everyone, other)
    assert found.fields == []
    assert found.sources == Names(changed=(f"some/{number:05d}.jpg",))
    assert told(found) == really_changed(everyone, other) != set()
    assert {one.source for one in found.samples if one.change != "moved"} == {f"some/{number:05d}.jpg"}
    assert {one.reasons for one in found.samples if one.change != "moved"} == {("source",)}


def test_photographs_that_come_and_go_are_told(compare: Any, first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    gone = int(next(iter(samples_of(first).values()))["json"].decode().partition("some/")[2][:5])
    run(other, FakeFaces((*FACES.without(gone).numbers, 100)), count=COUNT)
    found = compare(other)
    assert found.sources.removed == (f"some/{gone:05d}.jpg",)
    assert found.sources.added == ("some/00100.jpg",)
    assert told(found) == really_changed(first, other)
    removed = [one for one in found.samples if one.change == "removed"]
    assert removed
    assert all(one.reasons == ("source",) for one in removed if one.source == f"some/{gone:05d}.jpg")


def test_why_a_sample_is_gone_is_told_from_the_rejects(first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    steps = dataclasses.replace(STEPS, generate=refuse_masks)
    run(other, FACES, count=COUNT, steps=steps)
    found = diff(first, other)
    removed = [one for one in found.samples if one.change == "removed"]
    assert removed
    assert {one.reasons for one in removed} == {("rejected: no-masks",)}
    assert told(found) == really_changed(first, other)
    write_lock(other, tmp_path / "card")
    gone = [one for one in diff(first, tmp_path / "card").samples if one.change == "removed"]
    assert {one.reasons for one in gone} == {("not made",)}


def refuse_masks(face: Face, *arguments: Any, **options: Any) -> Triplet | Reject:
    made = generate(face, *arguments, **options)
    if isinstance(made, Triplet) and made.record.kinds == ("mask",):
        return Reject(face.source.path, face.source.sha256, made.record.variant, "no-masks", "masks are refused")
    return made


def test_altered_occluders_are_told(compare: Any, first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FACES, count=COUNT, steps=dataclasses.replace(STEPS, load_library=load_other_library))
    found = compare(other)
    assert found.assets.added == ("mask-b", "sunglasses-b")
    assert found.assets.removed == ("sunglasses-a",)
    assert found.assets.changed == ("mask-a",)
    assert found.samples == []  # the fake generator draws no asset
    assert not found.same


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["unexplained", "library", "processor", "generator"])
def test_pixels_that_differ_alone_are_put_down_to_what_made_them(
    compare: Any, first: Path, tmp_path: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named := {"library": "opencv-python", "processor": "numpy kernels"}.get(reason):
        real = fdgen.pipeline.finish.environment()
        monkeypatch.setattr(fdgen.pipeline.finish, "environment", lambda: {**real, named: "4.99"})
    if reason == "generator":
        monkeypatch.setattr("fdgen.dataset.spec.GENERATOR_VERSION", 99)
    other = tmp_path / "other"
    run(other, FACES, count=COUNT, steps=dataclasses.replace(STEPS, generate=brighter))
    found = compare(other)
    assert len(found.samples) == COUNT
    told = "library" if reason == "processor" else reason
    assert {(one.reasons, one.members) for one in found.samples} == {((told,), ("occluded.png",))}
    assert told in REASONS
    names = {one.name for one in found.fields}
    wanted = {"generator": {"generator"}, "unexplained": set()}
    assert names == (wanted[reason] if named is None else {f"environment.{named}"})


def test_moved_landmarks_are_told(compare: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FACES, count=COUNT, steps=dataclasses.replace(STEPS, detect=shifted, generate=brighter))
    found = compare(other)
    assert {one.reasons for one in found.samples} == {("landmarks",)}


def test_what_is_known_of_people_is_told_apart_from_their_pictures(compare: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, dataclasses.replace(FACES, identities=False), count=COUNT)
    found = compare(other)
    assert len(found.sources.known) == len(FACES.numbers)
    assert not found.sources.changed


def test_samples_that_stand_in_another_shard_are_moved(first: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FACES, "shards.samples=5", count=COUNT)
    found = diff(first, other)
    assert told(found) == really_changed(first, other)
    assert found.counts()["moved"] > 0


@pytest.mark.parametrize("how", ["gone", "empty", "unfinished", "manifest", "dataset.json", "lock.json"])
def test_what_cannot_be_compared_is_a_sentence(first: Path, tmp_path: Path, how: str) -> None:
    other = Path(shutil.copytree(first, tmp_path / "other"))
    if how == "gone":
        other = tmp_path / "nothing"
    elif how == "empty":
        other = tmp_path / "empty"
        other.mkdir()
    elif how == "unfinished":
        dataset = json.loads((other / "dataset.json").read_text())
        dataset.pop("content_id")
        (other / "dataset.json").write_text(json.dumps(dataset))
    elif how == "lock.json":
        other = Path(shutil.copytree(first.parent / "card", tmp_path / "card"))
        (other / "lock.json").write_text("{}")
    else:
        path = other / ("manifest.parquet" if how == "manifest" else how)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"lost", b"lust", 1) if how == "dataset.json" else data[:-9] + b"x" + data[-8:])
    with pytest.raises(DatasetError) as caught:
        diff(first, other)
    assert str(other) in caught.value.message
    assert caught.value.hint


def test_a_snapshot_knows_the_same_of_a_dataset_and_of_its_card(first: Path) -> None:
    dataset, card = Snapshot.open(first), Snapshot.open(first.parent / "card")
    assert dataset.sources() == card.sources()
    assert dataset.placements(digested=True) == card.placements(digested=True)
    assert dataset.landmarks(set(dataset.samples["source_sha256"].to_pylist())) == card.landmarks(set())
    assert dataset.samples.equals(card.samples.select(dataset.samples.schema.names))


def test_what_an_older_version_did_not_record_is_no_difference() -> None:
    here = fdgen.pipeline.finish.environment()
    older = {name: value for name, value in here.items() if name != "numpy kernels"}
    assert other_libraries(older, here) == []
    assert other_libraries({**here, "numpy kernels": "baseline"}, here) == ["numpy kernels"]


WITHOUT_AVX512 = "AVX512F AVX512CD AVX512_SKX X86_V4 AVX512_ICL AVX512_SPR"
"""As numpy before and after its release 2.4 names what these processors have more; it passes over the other's names."""


def test_numpy_says_which_kernels_it_uses() -> None:
    """As many processes as there are answers: it is asked once, when numpy is imported."""
    code = "import fdgen.pipeline.finish; print(fdgen.pipeline.finish.environment()['numpy kernels'])"
    found = {}
    for features in ("", WITHOUT_AVX512):
        environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": features}
        command = [sys.executable, "-W", "ignore", "-c", code]
        found[features] = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert found[""].strip() in ("AVX-512", "AVX2", "baseline")
    assert found[WITHOUT_AVX512].strip() != "AVX-512"

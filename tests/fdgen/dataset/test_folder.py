"""The output folder: nothing mixed, nothing of others touched, every refusal one sentence."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
from pathlib import Path
from typing import Any

import pytest

import fdgen.dataset.folder
import fdgen.dataset.spec
from fdgen.contract.records import ShardReceipt
from fdgen.errors import DatasetError, MixingError
from fdgen.io.lock import LOCK_NAME, folder_lock
from fdgen.pipeline.builder import Progress
from fdgen.verification.verifier import verify
from fdgen.version import GENERATOR_VERSION
from tests.support.fake_build import COUNT, FACES, STEPS, FakeFaces, digests, load_other_library, run

# Mixing


def refusal(out: Path, faces: FakeFaces = FACES, *overrides: str, **options: Any) -> tuple[str, ...]:
    before = digests(out)
    with pytest.raises(MixingError, match="holds another dataset") as caught:
        run(out, faces, *overrides, **{"count": COUNT, **options})
    assert digests(out) == before
    assert all(line in caught.value.message for line in caught.value.differences)
    assert caught.value.hint
    return caught.value.differences


def test_another_recipe_is_refused_field_by_field(built: Path) -> None:
    assert refusal(built, FACES, "seed=1") == ("recipe.seed: 0 -> 1",)
    assert refusal(built, FACES, "size_px=128", "coverage.max=0.5") == (
        "recipe.coverage.max: 0.6 -> 0.5",
        "recipe.size_px: 64 -> 128",
    )
    assert refusal(built, FACES, "assets.weights.mask-a=2") == ("recipe.assets.weights.mask-a: not set -> 2.0",)
    assert refusal(built, count=10) == ("count: 45 -> 10",)
    assert refusal(built, count=None) == ("count: 45 -> not set",)


def test_other_photographs_are_refused_and_named(built: Path) -> None:
    assert refusal(built, FACES.without(5)) == ("sources: 1 removed (some/00005.jpg)",)
    assert refusal(built, FakeFaces.of(65)) == (
        "sources: 5 added (some/00060.jpg, some/00061.jpg, some/00062.jpg, ...)",
    )
    assert "60 changed" in refusal(built, FakeFaces.of(60, identities=False))[0]


def test_other_assets_detector_and_generator_are_refused(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(STEPS, load_library=load_other_library)
    added = "assets: 2 added (mask-b, sunglasses-b), 1 removed (sunglasses-a), 1 changed (mask-a)"
    assert refusal(built, steps=other) == (added,)
    other = dataclasses.replace(STEPS, detector_version=lambda: "fake 2")
    assert refusal(built, steps=other) == ('landmarks: "fake 1" -> "fake 2"',)
    monkeypatch.setattr(fdgen.dataset.spec, "GENERATOR_VERSION", GENERATOR_VERSION + 1)
    assert refusal(built) == (f"generator: {GENERATOR_VERSION} -> {GENERATOR_VERSION + 1}",)


def test_an_unfinished_dataset_is_not_mixed_either(tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        run(out, FACES, count=COUNT, on_shard=interrupt)
    assert refusal(out, FACES, "seed=3") == ("recipe.seed: 0 -> 3",)


def test_what_made_nothing_keeps_nobody_from_other_settings(tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(DatasetError, match="gave a sample"):
        run(out, FACES, "pose.max_yaw_deg=0", count=5)
    assert list(out.glob("shards/*.json"))  # of rejects alone
    manifest = run(out, FACES, "seed=1", count=COUNT)
    assert len(manifest) == COUNT
    assert not verify(out)
    assert digests(out) == digests_of_fresh(tmp_path / "fresh", "seed=1")


def digests_of_fresh(out: Path, *overrides: str) -> dict[str, str]:
    run(out, FACES, *overrides, count=COUNT)
    return digests(out)


def test_a_shard_without_receipt_is_not_given_away(tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        run(out, FACES, count=COUNT, on_shard=interrupt)
    for receipt in out.glob("shards/*.json"):
        receipt.unlink()
    assert refusal(out, FACES, "seed=3") == ("recipe.seed: 0 -> 3",)


def interrupt(receipt: ShardReceipt) -> None:
    raise KeyboardInterrupt


def test_words_of_a_recipe_may_change(tmp_path: Path) -> None:
    run(tmp_path / "set", FACES, count=20)
    manifest = run(tmp_path / "set", FACES, "name=other", "description=words", count=20)
    assert manifest.dataset["name"] == "other"


def test_a_damaged_dataset_json_does_not_open_the_folder_to_another_recipe(tmp_path: Path) -> None:
    out = tmp_path / "set"
    run(out, FACES, count=20)
    (out / "dataset.json").write_text("{}")
    with pytest.raises(DatasetError, match="no shard shows that it belongs to the same dataset"):
        run(out, FACES, "seed=1", count=20)


# Output folders


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"photos already holds something else \(holiday\.jpg\)"):
        run(tmp_path / "photos", FACES, count=20)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("text", ['{"dataset": "of another tool"}', "[]", "not json", '{"spec_id": "x", "schema": 1}'])
def test_datasets_of_other_tools_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match="not written by this version of fdgen"):
        run(tmp_path, FACES, count=20)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


def test_a_file_as_output_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("")
    with pytest.raises(DatasetError, match="set is a file, not a folder"):
        run(tmp_path / "set", FACES, count=20)
    with pytest.raises(DatasetError, match=r"cannot be written: a part of the path is a file|is a file"):
        run(tmp_path / "set" / "deeper", FACES, count=20)


def test_what_a_build_killed_at_its_start_leaves_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / LOCK_NAME).write_text("")
    (tmp_path / ".dataset.json.1-2.tmp").write_text("{")
    assert len(run(tmp_path, FACES, count=20)) == 20
    assert not list(tmp_path.glob(".*"))


def test_a_second_build_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "set"
    out.mkdir()
    with folder_lock(out), pytest.raises(DatasetError, match="another build is writing to"):
        run(out, FACES, count=20)
    assert len(run(out, FACES, count=20)) == 20


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_output_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(
        DatasetError, match=r"set(/shards)? cannot be written: (the file system is read-only|permission denied)"
    ):
        run(tmp_path / "set", FACES, count=20)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DatasetError, match="permission denied"):
            run(tmp_path / "set", FACES, count=20)
    finally:
        tmp_path.chmod(0o700)


def test_a_disk_that_runs_full_keeps_the_finished_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "set"
    synced = os.fsync
    calls = itertools.count()

    def full(descriptor: int) -> None:
        if next(calls) > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DatasetError, match="cannot be written: the disk is full") as caught:
            run(out, FACES, count=COUNT)
    assert "what is finished is kept" in caught.value.hint
    kept = sorted(path.name for path in out.glob("shards/*"))
    assert kept
    assert not [name for name in kept if name.startswith(".")]
    seen: list[Progress] = []
    run(out, FACES, count=COUNT, on_progress=seen.append)
    assert seen[-1].kept > 0
    assert seen[-1].done == COUNT


def test_too_little_space_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = fdgen.io.stores.local_folder.shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(fdgen.io.stores.local_folder.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DatasetError, match=r"has room for 1\.00 kB, the samples still to be made need about \d+ kB"):
        run(tmp_path / "set", FACES, count=COUNT)
    assert not list(tmp_path.glob("set/shards/*"))

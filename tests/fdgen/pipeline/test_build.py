"""What a build makes: the count, every split, every face accounted for, the same bytes however it is run."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import io
import itertools
import json
import multiprocessing.heap
import multiprocessing.synchronize
import os
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from fdgen.contract.digests import merkle_root
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import MEMBERS, SPLITS, Reject, ShardReceipt, Triplet
from fdgen.dataset.shards import read_receipt
from fdgen.dataset.tables import read_landmarks, read_sources
from fdgen.errors import DatasetError, FdError, MixingError, RecipeError
from fdgen.faces.cache import FaceCache
from fdgen.faces.face import Face
from fdgen.faces.worker_slot import WorkerSlot
from fdgen.pipeline.builder import Progress, build, plan_build
from fdgen.recipe.schema import Recipe
from fdgen.verification.verifier import verify
from tests.support.fake_build import (
    COUNT,
    FACES,
    STEPS,
    FakeFaces,
    detect,
    detector_version,
    digests,
    generate,
    load_library,
    load_other_library,
    recipe,
    rejects_of,
    run,
    samples_of,
)

# What comes out


def test_the_count_is_made_exactly(built: Path) -> None:
    manifest = Manifest.load(built)
    assert len(manifest) == len(set(manifest)) == len(samples_of(built)) == COUNT
    assert manifest.dataset["made"] == COUNT
    assert manifest.dataset["warnings"] == []
    assert sum(manifest.dataset["splits"][split] for split in SPLITS) == COUNT
    assert sum(manifest.dataset["kinds"].values()) == COUNT


def test_a_dataset_is_read_with_the_standard_library_pillow_and_numpy(built: Path) -> None:
    for members in samples_of(built).values():
        assert tuple(members) == MEMBERS
        pictures = {name: np.asarray(PIL.Image.open(io.BytesIO(members[name]))) for name in MEMBERS if name != "json"}
        mask = pictures["mask.png"]
        assert set(np.unique(mask)) == {0, 255}
        assert (pictures["clean.png"] == pictures["occluded.png"])[mask == 0].all()
        assert abs((mask == 255).mean() - json.loads(members["json"])["coverage"]) < 1e-6


def test_the_manifest_points_at_every_byte(built: Path) -> None:
    manifest, samples = Manifest.load(built), samples_of(built)
    for key in manifest:
        for name in MEMBERS:
            data = manifest.read_member(key, name)
            assert data == samples[key][name]
            assert manifest.row(key)[f"{name.replace('.', '_')}_sha256"] == hashlib.sha256(data).hexdigest()
        assert manifest.record(key).to_json() == samples[key]["json"].decode()


def test_sums_are_those_of_sha256sum(built: Path) -> None:
    result = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=built, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert {line.partition(":")[0] for line in result.stdout.splitlines()} == set(digests(built)) - {"SHA256SUMS"}


def test_landmarks_and_sources_are_kept(built: Path) -> None:
    table = Manifest.load(built).table
    landmarks = dict(read_landmarks(built / "landmarks.parquet"))
    assert set(landmarks) == set(table["source_sha256"])
    found = detect(FACES, FACES.sources(), size_px=64, cache=None)
    for sha256, points in landmarks.items():
        assert points.digest() == found[sha256].digest()  # type: ignore[union-attr]
    assert read_sources(built / "sources.parquet") == FACES.sources()


def test_every_face_that_gave_nothing_is_listed(built: Path) -> None:
    rows = rejects_of(built)
    dataset = Manifest.load(built).dataset
    assert Counter(row["reason"] for row in rows) == dataset["rejects"]
    assert {"no-face", "yaw-too-large", "duplicate"} <= set(dataset["rejects"])
    made = {(row["source_sha256"], row["variant"]) for _, row in Manifest.load(built).table.iterrows()}
    refused = {(row["sha256"], int(row["variant"])) for row in rows}
    assert not made & refused
    # Faces stand in an order, and none before the last one used is passed over in silence.
    tried = {sha256 for sha256, _ in made | refused}
    order = fdgen_order(FACES)
    last = max(order.index(sha256) for sha256, _ in made)
    assert set(order[: last + 1]) <= tried


def fdgen_order(faces: FakeFaces, seed: int = 0) -> list[str]:
    return sorted(
        (source.sha256 for source in faces.sources()),
        key=lambda sha256: hashlib.sha256(f"{seed}:{sha256}".encode()).hexdigest(),
    )


def test_content_id_is_the_merkle_root_of_what_was_made(built: Path) -> None:
    dataset = json.loads((built / "dataset.json").read_text())
    leaves = []
    for shard in dataset["shards"]:
        receipt = read_receipt(built / "shards" / f"{shard['name']}.json")
        tar = (built / "shards" / f"{shard['name']}.tar").read_bytes() if shard["samples"] else b""
        assert hashlib.sha256(tar).hexdigest() == shard["sha256"] == receipt.sha256
        text = json.dumps([shard["name"], shard["sha256"]], separators=(",", ":"))
        leaves += [hashlib.sha256(text.encode()).hexdigest(), *(entry.digest() for entry in receipt.samples)]
    assert dataset["content_id"] == merkle_root(leaves)


def test_no_file_tells_of_the_machine_or_the_time(built: Path) -> None:
    texts = b"".join(path.read_bytes() for path in built.rglob("*") if path.is_file())
    for secret in (str(built), os.uname().nodename, str(Path.home()), time.strftime("%Y-%m-%d")):
        assert len(secret) < 5 or secret.encode() not in texts, secret  # shorter ones stand in any compressed file


def test_shards_are_full_except_the_last_of_a_round(tmp_path: Path) -> None:
    run(tmp_path / "set", FakeFaces.of(40), "pose.max_yaw_deg=45", count=30, steps=never_rejecting())
    counts = Counter(
        row["samples"] for row in Manifest.load(tmp_path / "set").dataset["shards"] if row["split"] == "train"
    )
    assert counts[8] >= 2
    assert sum(counts.values()) - counts[8] <= 1


def never_rejecting() -> Any:
    return dataclasses.replace(STEPS, generate=generate_always)


def generate_always(face: Face, recipe: Recipe, library: Any, variant: int = 0, **options: Any) -> Triplet | Reject:
    seeded = recipe
    for seed in range(recipe.seed, recipe.seed + 1000):
        result = generate(face, seeded.model_copy(update={"seed": seed}), library, variant, **options)
        if isinstance(result, Triplet):
            return result
    return result


# Counts


def test_without_a_count_every_usable_face_is_tried_once(tmp_path: Path) -> None:
    manifest = run(tmp_path / "set", FACES)
    assert set(manifest.table["variant"]) == {0}
    assert manifest.dataset["count"] is None
    rows = rejects_of(tmp_path / "set")
    sources = {row["sha256"] for row in rows if row["reason"] != "duplicate"} | set(manifest.table["source_sha256"])
    assert sources == {source.sha256 for source in FACES.sources()}
    assert len(manifest) + len(rows) == 60 + 1


def test_more_samples_than_faces_go_round_in_variants(tmp_path: Path) -> None:
    manifest = run(tmp_path / "set", FakeFaces.of(12), count=40)
    assert len(manifest) == 40
    variants = manifest.table.groupby("source_sha256")["variant"].nunique()
    assert variants.max() >= 4
    assert verify(tmp_path / "set") == []


def test_a_smaller_count_is_a_part_of_a_larger_one(tmp_path: Path, built: Path) -> None:
    run(tmp_path / "set", FACES, count=20)
    small, large = samples_of(tmp_path / "set"), samples_of(built)
    common = small.keys() & large.keys()
    assert len(common) >= 18  # the last few of the small one may be those that replace its rejects
    assert all(small[key] == large[key] for key in common)


def test_a_face_refused_once_may_serve_as_another_variant(tmp_path: Path) -> None:
    manifest = run(tmp_path / "set", FakeFaces.of(20), count=60)
    refused = {row["sha256"] for row in rejects_of(tmp_path / "set") if row["reason"] == "yaw-too-large"}
    assert refused & set(manifest.table["source_sha256"])


def test_a_count_beyond_what_the_faces_give_stops_and_says_so(tmp_path: Path) -> None:
    steps = dataclasses.replace(STEPS, generate=first_variants_only)
    manifest = run(tmp_path / "set", FakeFaces.of(12), count=100, steps=steps)
    assert 0 < len(manifest) < 100
    assert manifest.dataset["warnings"][0].startswith(f"100 samples were asked for and {len(manifest)} made")
    assert verify(tmp_path / "set") == []


def first_variants_only(face: Face, recipe: Recipe, library: Any, variant: int = 0, **options: Any) -> Triplet | Reject:
    if variant > 1:
        return Reject(face.source.path, face.source.sha256, variant, "worn-out", "it has been used enough")
    return generate(face, recipe, library, variant, **options)


def test_no_sample_at_all_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no face in nowhere gave a sample \(.*no-face 2, yaw-too-large \d+\)"):
        run(tmp_path / "set", FakeFaces.of(20), "pose.max_yaw_deg=0", count=10)


def test_a_count_that_no_plan_could_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="count must be 10,000,000 or less, got 100,000,000,000"):
        run(tmp_path / "set", FACES, count=10**11)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("option", "value"), [("count", 0), ("workers", 0)])
def test_counts_below_one_are_refused(tmp_path: Path, option: str, value: int) -> None:
    with pytest.raises(RecipeError, match=f"{option} must be 1 or more, got 0"):
        run(tmp_path / "set", FACES, **{option: value})
    assert not (tmp_path / "set").exists()


# Splits


def test_splits_by_identity_are_disjoint(tmp_path: Path) -> None:
    manifest = run(tmp_path / "set", FakeFaces.of(200), "splits.train=0.6", "splits.val=0.2", "splits.test=0.2")
    assert manifest.dataset["splits"]["basis"] == "identity"
    assert manifest.table.groupby("identity")["split"].nunique().max() == 1
    assert set(manifest.table["split"]) == set(SPLITS)


def test_official_splits_are_taken_and_unknown_people_are_split_by_photograph(tmp_path: Path) -> None:
    faces = FakeFaces.of(80, official=True)
    manifest = run(tmp_path / "official", faces)
    assert manifest.dataset["splits"]["basis"] == "official"
    official = {source.sha256: source.split for source in faces.sources()}
    assert all(official[row["source_sha256"]] == row["split"] for _, row in manifest.table.iterrows())
    manifest = run(tmp_path / "unknown", FakeFaces.of(80, identities=False))
    assert manifest.dataset["splits"]["basis"] == "source"
    assert any("one person may be in two splits" in note for note in manifest.dataset["notes"])


@pytest.mark.parametrize("mode", ["official", "identity"])
def test_modes_that_the_photographs_cannot_serve_are_refused(tmp_path: Path, mode: str) -> None:
    with pytest.raises(RecipeError, match=f"splits.mode is '{mode}', but 20 of 20 photographs have no"):
        run(tmp_path / "set", FakeFaces.of(20, identities=False), f"splits.mode={mode}")


def test_an_empty_train_split_is_an_error_and_an_empty_val_split_a_warning(tmp_path: Path) -> None:
    none = ("splits.train=0", "splits.val=0.5", "splits.test=0.5")
    with pytest.raises(
        DatasetError, match=r"the train split would be empty: of 20 samples .* go to val, .* go to test"
    ):
        run(tmp_path / "none", FACES, *none, count=20)
    manifest = run(tmp_path / "all", FACES, "splits.train=1", "splits.val=0", "splits.test=0", count=20)
    assert manifest.dataset["warnings"] == ["the val split is empty", "the test split is empty"]


# Plans and progress


def test_a_dry_run_tells_what_would_come_and_writes_nothing(tmp_path: Path, built: Path) -> None:
    plan = plan_build(recipe(), FACES, tmp_path / "set", count=COUNT, steps=STEPS)
    assert not (tmp_path / "set").exists()
    assert plan.spec_id == Manifest.load(built).dataset["spec_id"]
    assert (plan.count, plan.photographs, sum(plan.samples.values())) == (COUNT, 60, COUNT)
    assert sum(plan.kinds.values()) == pytest.approx(1)
    assert plan.shards_done == 0
    assert any("rejects.csv" in note for note in plan.notes)
    before = digests(built)
    with pytest.raises(MixingError):
        plan_build(recipe("seed=1"), FACES, built, count=COUNT, steps=STEPS)
    assert digests(built) == before


def test_a_dry_run_knows_what_is_done(tmp_path: Path) -> None:
    faces = FakeFaces(tuple(n for n in range(40) if n % 10 != 3))  # all have faces, so the plan comes true
    run(tmp_path / "set", faces, count=20)
    plan = plan_build(recipe(), faces, tmp_path / "set", count=20, steps=STEPS)
    assert plan.shards_done == sum(plan.shards.values())


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_progress_rises_to_the_count(tmp_path: Path, workers: int) -> None:
    seen: list[Progress] = []
    faces_seen: list[tuple[int, int]] = []
    receipts: list[ShardReceipt] = []
    run(
        tmp_path / "set",
        FACES,
        count=30,
        workers=workers,
        on_progress=seen.append,
        on_shard=receipts.append,
        on_face=lambda done, of: faces_seen.append((done, of)),
    )
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert (done[-1], seen[-1].total, seen[-1].kept) == (30, 30, 0)
    assert sum(len(receipt.samples) for receipt in receipts) == 30
    assert faces_seen[-1][0] == faces_seen[-1][1] >= 30
    if workers == 1:
        assert set(range(1, 31)) <= set(done)


@pytest.mark.slow
def test_workers_need_no_shared_memory(tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers make /dev/shm tiny, or read-only: semaphores and arrays of `multiprocessing` would lie there."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(multiprocessing.synchronize.SemLock, "__init__", refuse)
    monkeypatch.setattr(multiprocessing.heap.Arena, "__init__", refuse)
    run(tmp_path / "set", FACES, count=COUNT, workers=2)
    assert digests(tmp_path / "set") == digests(built)


@pytest.mark.slow
@pytest.mark.parametrize("count", [None, COUNT, 120])
def test_processes_are_started_once_for_the_whole_of_a_build(
    tmp_path: Path, count: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landmarks of never seen photographs, the shards of all rounds: the same workers do them."""
    started: list[int] = []
    start = WorkerSlot.start

    def counted(slot: Any, arguments: Any) -> None:
        started.append(slot.number)
        start(slot, arguments)

    monkeypatch.setattr(WorkerSlot, "start", counted)
    asked: list[int] = []
    run(tmp_path / "set", FACES, count=count, workers=2, on_face=lambda done, of: asked.append(of))
    assert sorted(started) == [0, 1]
    assert max(asked) <= (len(FACES.numbers) if count is None else min(len(FACES.numbers), 2 * count))


def test_a_photograph_that_goes_missing_stops_the_build_and_is_not_recorded(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"
    steps = dataclasses.replace(STEPS, load_face=load_face_from_a_lost_disk)
    with pytest.raises(DatasetError, match=r"went missing during the build: some/.*7\.jpg cannot be read") as caught:
        run(out, FACES, count=COUNT, steps=steps)
    assert "finished shards are kept" in caught.value.hint
    with pytest.raises(DatasetError, match=r"went missing during the build: it has changed"):
        run(out, FACES, count=COUNT, steps=dataclasses.replace(STEPS, detect=detect_on_a_lost_disk))
    run(out, FACES, count=COUNT)
    assert digests(out) == digests(built)


def detect_on_a_lost_disk(faces: Any, wanted: Any, **options: Any) -> Any:
    return {s.sha256: Reject(s.path, s.sha256, 0, "changed", "it has changed") for s in wanted}


def load_face_from_a_lost_disk(faces: Any, source: Any, landmarks: Any) -> Face:
    from fdgen.errors import PictureError

    if source.path.endswith("7.jpg"):
        raise PictureError(f"{source.path} cannot be read: Input/output error", reason="unreadable")
    return STEPS.load_face(faces, source, landmarks)


def test_a_worker_with_other_assets_is_refused(tmp_path: Path) -> None:
    calls = itertools.count()

    def load() -> Any:
        return load_library() if next(calls) == 0 else load_other_library()

    with pytest.raises(FdError, match="other occluder assets"):
        build(recipe(), FACES, tmp_path / "set", count=20, steps=dataclasses.replace(STEPS, load_library=load))


def test_detection_stops_once_enough_faces_are_found(tmp_path: Path) -> None:
    looked: list[str] = []

    def detect_and_tell(faces: Any, wanted: Any, **options: Any) -> Any:
        looked.extend(source.sha256 for source in wanted)
        return detect(faces, wanted, **options)

    steps = dataclasses.replace(STEPS, detect=detect_and_tell, detector_version=detector_version)
    run(tmp_path / "set", FakeFaces.of(1000), count=20, steps=steps)
    assert len(looked) == len(set(looked)) < 80


class Packed:
    """An analysis, as far as the cache sees it."""

    def to_bytes(self) -> bytes:
        return b"packed"


def pack(face: object) -> Packed:
    return Packed()


def refuse_to_unpack(data: bytes) -> Packed:
    raise ValueError("this is no packed analysis")


def test_a_damaged_analysis_in_the_cache_is_made_anew(tmp_path: Path) -> None:
    steps = dataclasses.replace(STEPS, analyse=pack, read_analysis=refuse_to_unpack)
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        run(tmp_path / "a", FACES, count=20, steps=steps, cache=cache)
        run(tmp_path / "b", FACES, count=20, steps=steps, cache=cache)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")

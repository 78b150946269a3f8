"""The laws of a build: the same bytes whatever happened on the way, nothing mixed, nothing lost, nothing silent."""

from __future__ import annotations

import concurrent.futures
import csv
import dataclasses
import errno
import hashlib
import io
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import fdgen.folder
import fdgen.lock
import fdgen.spec
from fdgen.build import Progress, build, plan_build
from fdgen.contract import MEMBERS, SPLITS, Manifest, Reject, ShardReceipt, Triplet, merkle_root
from fdgen.errors import DatasetError, FdError, MixingError, RecipeError
from fdgen.faces import Face
from fdgen.lock import LOCK_NAME, folder_lock
from fdgen.recipe import Recipe
from fdgen.shards import read_receipt
from fdgen.tables import read_landmarks, read_sources
from fdgen.verify import verify
from tests.fdgen.fake_build import (
    STEPS,
    FakeFaces,
    detect,
    detector_version,
    digests,
    generate,
    load_library,
    load_other_library,
    recipe,
    run,
)

FACES = FakeFaces.of(60)
COUNT = 45


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that no test may write to."""
    out = tmp_path_factory.mktemp("built") / "set"
    run(out, FACES, count=COUNT)
    return out


def samples_of(out: Path) -> dict[str, dict[str, bytes]]:
    """Read a dataset with the standard library: the members of every sample by its key."""
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted((out / "shards").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar.getmembers():
                key, _, name = member.name.partition(".")
                file = tar.extractfile(member)
                assert file is not None
                found.setdefault(key, {})[name] = file.read()
    return found


def rejects_of(out: Path) -> list[dict[str, str]]:
    with (out / "rejects.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


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
    with pytest.raises(DatasetError, match=r"no face of nowhere gave a sample \(.*no-face 2, yaw-too-large \d+\)"):
        run(tmp_path / "set", FakeFaces.of(20), "pose.max_yaw_deg=0", count=10)


@pytest.mark.parametrize(("option", "value"), [("count", 0), ("workers", 0)])
def test_counts_below_one_are_refused(tmp_path: Path, option: str, value: int) -> None:
    with pytest.raises(RecipeError, match=f"{option} must be 1 or more, got 0"):
        run(tmp_path / "set", FACES, **{option: value})
    assert not (tmp_path / "set").exists()


# The same bytes


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_change_no_byte(tmp_path: Path, built: Path, workers: int) -> None:
    run(tmp_path / "set", FACES, count=COUNT, workers=workers)
    assert digests(tmp_path / "set") == digests(built)


class Shuffled(concurrent.futures.Executor):
    """Runs what it is given in an order of its own, one by one, when somebody waits."""

    def __init__(self) -> None:
        self.pool = concurrent.futures.ThreadPoolExecutor(3)
        self.random = random.Random(5)

    def submit(self, function: Any, /, *args: Any, **options: Any) -> Any:
        return self.pool.submit(self._late, function, *args, **options)

    def _late(self, function: Any, *args: Any, **options: Any) -> Any:
        time.sleep(self.random.random() / 20)
        return function(*args, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.pool.shutdown(wait, cancel_futures=cancel_futures)


def test_any_executor_in_any_order_changes_no_byte(tmp_path: Path, built: Path) -> None:
    with Shuffled() as executor:
        run(tmp_path / "set", FACES, count=COUNT, executor=executor, workers=2)
    assert digests(tmp_path / "set") == digests(built)


def test_a_rerun_touches_nothing(tmp_path: Path) -> None:
    out = tmp_path / "set"
    run(out, FACES, count=20)
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()}
    seen: list[Progress] = []
    run(out, FACES, count=20, on_progress=seen.append, workers=2)
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.rglob("*") if path.is_file()} == before
    assert seen[-1].kept == seen[-1].done == seen[-1].total == 20


def test_dropping_a_face_changes_no_other_sample(tmp_path: Path, built: Path) -> None:
    table = Manifest.load(built).table
    number = int(table["source"][7][5:10])
    run(tmp_path / "set", FACES.without(number), count=COUNT)
    before, after = samples_of(built), samples_of(tmp_path / "set")
    gone = {key for key, members in before.items() if json.loads(members["json"])["source"] == f"some/{number:05d}.jpg"}
    assert gone
    assert not gone & after.keys()
    common = before.keys() & after.keys()
    assert len(common) >= COUNT - len(gone) - 1
    assert all(before[key] == after[key] for key in common)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stopped_build_is_finished_by_the_next(tmp_path: Path, built: Path, workers: int) -> None:
    out = tmp_path / "set"
    for stop_after in (1, 2, 4):
        received = itertools.count(1)

        def stop(receipt: ShardReceipt, received: Any = received, stop_after: int = stop_after) -> None:
            if next(received) == stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(out, FACES, count=COUNT, workers=workers, on_shard=stop)
        assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]
        assert len(list((out / "shards").glob("*.json"))) >= stop_after
        with pytest.raises(DatasetError, match="not finished"):
            Manifest.load(out)
    run(out, FACES, count=COUNT, workers=3 - workers)
    assert digests(out) == digests(built)


def start_build(out: Path, stdout: int = subprocess.DEVNULL, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fdgen.fake_build", out, json.dumps({"faces": 60, "count": COUNT, **options})],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "FAKE_BUILD_DELAY_S": "0.02"},
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_kills_at_any_moment_lose_and_change_nothing(tmp_path: Path, built: Path, workers: int) -> None:
    out = tmp_path / "set"
    rng = random.Random(workers)
    kept: dict[str, str] = {}
    for _ in range(5):
        process = start_build(out, workers=workers)
        deadline = time.monotonic() + 20
        while not list(out.glob("shards/.*.tmp")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.random() * 0.5)
        process.kill()
        process.wait()
        found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("shards/t*.json")}
        assert kept.items() <= found.items()  # what was committed before is there still
        for name in found:
            assert (out / "shards" / name).with_suffix(".tar").exists() or not read_receipt(
                out / "shards" / name
            ).samples
        kept = found
    run(out, FACES, count=COUNT, workers=3 - workers)
    assert digests(out) == digests(built)
    assert verify(out) == []


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_build(tmp_path: Path) -> None:
    process = start_build(tmp_path / "set", workers=2)
    deadline = time.monotonic() + 20
    while not list((tmp_path / "set").glob("shards/.*.tmp")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert group_members(process.pid) > 1
    process.kill()
    process.wait()
    while group_members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert group_members(process.pid) == 0


def group_members(group: int) -> int:
    listed = subprocess.run(["ps", "-eo", "pgid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    return sum(int(pgid) == group and not stat.startswith("Z") for pgid, stat in rows)


@pytest.mark.slow
def test_ctrl_c_ends_workers_quietly_and_keeps_shards(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"
    process = start_build(out, subprocess.PIPE, workers=2)
    deadline = time.monotonic() + 20
    while len(list(out.glob("shards/t*.json"))) < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert output.count("KeyboardInterrupt") == 1  # the parent's own traceback, none of a worker
    assert list(out.glob("shards/t*.json"))
    assert not list(out.rglob("*.tmp"))
    run(out, FACES, count=COUNT)
    assert digests(out) == digests(built)


@pytest.mark.slow
def test_a_worker_that_dies_is_one_sentence_and_keeps_shards(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"
    steps = dataclasses.replace(STEPS, generate=die_on_the_last_shard)
    with pytest.raises(DatasetError, match=r"a worker process died while .* was made") as caught:
        run(out, FACES, count=COUNT, workers=2, steps=steps)
    assert "finished shards are kept" in caught.value.hint
    assert list(out.glob("shards/t*.json"))
    run(out, FACES, count=COUNT)
    assert digests(out) == digests(built)


def die_on_the_last_shard(face: Face, recipe: Recipe, library: Any, variant: int = 0, **options: Any) -> Any:
    if options["split"] == "test":
        time.sleep(1)
        os._exit(9)
    return generate(face, recipe, library, variant, **options)


# Damage


def test_only_the_damaged_shard_is_made_again(tmp_path: Path) -> None:
    out = tmp_path / "set"
    run(out, FACES, count=COUNT)
    good = digests(out)
    names = sorted(path.name for path in out.glob("shards/*.tar"))
    damage = {
        "a flipped byte": lambda path: flip(path, 3000),
        "a cut tar": lambda path: path.write_bytes(path.read_bytes()[:-2000]),
        "a missing tar": lambda path: path.unlink(),
        "a missing receipt": lambda path: path.with_suffix(".json").unlink(),
        "a flipped byte in the receipt": lambda path: flip(path.with_suffix(".json"), 1500),
        "a swapped tar": lambda path: path.write_bytes((out / "shards" / names[0]).read_bytes()),
    }
    for number, (what, harm) in enumerate(damage.items(), 1):
        path = out / "shards" / names[number]
        harm(path)
        before = {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.glob("shards/*") if p.stem != path.stem}
        assert verify(out), what
        run(out, FACES, count=COUNT)
        assert digests(out) == good, what
        assert {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in before} == before, what


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


def test_every_damaged_or_missing_table_is_mended(tmp_path: Path) -> None:
    out = tmp_path / "set"
    run(out, FACES, count=COUNT)
    good = digests(out)
    for name in [name for name in good if "/" not in name]:
        for harm in (lambda path: flip(path, 40), lambda path: path.unlink()):
            harm(out / name)
            run(out, FACES, count=COUNT)
            assert digests(out) == good, name


def test_leftovers_and_unplanned_shards_go_and_other_files_stay(tmp_path: Path) -> None:
    out = tmp_path / "set"
    run(out, FACES, count=20)
    good = digests(out)
    (out / "shards" / "train-00099.tar").write_bytes(b"old")
    (out / "shards" / ".train-00000.tar.77-abc.tmp").write_bytes(b"half")
    (out / "notes.txt").write_text("mine")
    (out / "README.md").write_text("a card")
    run(out, FACES, count=20)
    assert set(digests(out)) == set(good) | {"notes.txt", "README.md"}
    assert "  README.md\n" in (out / "SHA256SUMS").read_text()


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
    assert refusal(built, steps=other) == ("assets: 1 added (mask-b), 1 removed (sunglasses-a), 1 changed (mask-a)",)
    other = dataclasses.replace(STEPS, detector_version=lambda: "fake 2")
    assert refusal(built, steps=other) == ('landmarks: "fake 1" -> "fake 2"',)
    monkeypatch.setattr(fdgen.spec, "GENERATOR_VERSION", 2)
    assert refusal(built) == ("generator: 1 -> 2",)


def test_an_unfinished_dataset_is_not_mixed_either(tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        run(out, FACES, count=COUNT, on_shard=interrupt)
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


def test_locks_without_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fdgen.lock, "fcntl", None)
    with (
        folder_lock(tmp_path),
        pytest.raises(DatasetError, match="or was killed there") as caught,
        folder_lock(tmp_path),
    ):
        pass
    assert f"delete {tmp_path / LOCK_NAME}" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_output_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DatasetError, match=r"set cannot be written: (the file system is read-only|permission denied)"):
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
    assert "finished shards are kept" in caught.value.hint
    kept = sorted(path.name for path in out.glob("shards/*"))
    assert kept
    assert not [name for name in kept if name.startswith(".")]
    seen: list[Progress] = []
    run(out, FACES, count=COUNT, on_progress=seen.append)
    assert seen[-1].kept > 0
    assert seen[-1].done == COUNT


def test_too_little_space_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = fdgen.folder.shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(fdgen.folder.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DatasetError, match=r"has room for 0\.0 GB, the samples still to be made need about"):
        run(tmp_path / "set", FACES, count=COUNT)
    assert not list(tmp_path.glob("set/shards/*"))


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
    assert any("one person may stand in two splits" in note for note in manifest.dataset["notes"])


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

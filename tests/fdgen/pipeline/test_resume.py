"""Neither workers, order, kills nor damage change the bytes of a build, and nothing that is finished is lost."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import ShardReceipt
from fdgen.dataset.shards import read_receipt
from fdgen.errors import DatasetError
from fdgen.faces.cache import FaceCache
from fdgen.faces.sources import Source
from fdgen.pipeline import job
from fdgen.pipeline.builder import Progress
from fdgen.pipeline.face_queue import Candidate
from fdgen.pipeline.plan import ShardPlan
from fdgen.pipeline.resume import Checked, ShardCheck, check_shard
from fdgen.verification.verifier import verify
from tests.support.fake_build import COUNT, FACES, STEPS, FakeLibrary, digests, load_library, run, samples_of
from tests.support.paths import ROOT

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
        [sys.executable, "-m", "tests.support.fake_build", out, json.dumps({"faces": 60, "count": COUNT, **options})],
        cwd=ROOT,
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
def test_workers_that_die_without_a_photograph_are_one_sentence_and_keep_shards(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"
    steps = dataclasses.replace(STEPS, load_library=load_library_once)
    with pytest.raises(DatasetError, match=r"a worker process died while .* was made") as caught:
        run(out, FACES, count=COUNT, workers=2, steps=steps)
    assert "run the same command again" in caught.value.hint
    run(out, FACES, count=COUNT)
    assert digests(out) == digests(built)


def load_library_once() -> FakeLibrary:
    if multiprocessing.parent_process() is not None:
        os._exit(9)
    return load_library()


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


def test_the_table_of_a_build_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    manifest = run(tmp_path / "set", FACES, count=20)
    assert len(manifest) == 20
    assert "table" not in vars(manifest)  # 20 kB a sample
    pd.testing.assert_frame_equal(manifest.table, Manifest.load(tmp_path / "set").table)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("worth", [0, 10**9])
def test_what_is_missing_is_made_before_what_is_there_is_checked(
    tmp_path: Path, built: Path, workers: int, worth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged shard is found in its turn, in a worker or here, and made again."""
    monkeypatch.setattr(job, "WORTH_WORKERS", worth)
    out = shutil.copytree(built, tmp_path / "set")
    names = sorted(path.stem for path in (out / "shards").glob("train-*.json"))
    assert len(names) > 3
    missing = names[2]  # of the first round
    for suffix in ("json", "tar"):
        (out / "shards" / f"{missing}.{suffix}").unlink()
    damaged = out / "shards" / f"{names[1]}.tar"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    seen: list[str] = []
    progress: list[Progress] = []
    made = {missing, names[1]}
    run(
        out, FACES, count=COUNT, workers=workers,
        on_shard=lambda receipt: seen.append(receipt.name), on_progress=progress.append,
    )  # fmt: skip
    assert digests(out) == digests(built)
    assert sorted(seen) == sorted(path.stem for path in (built / "shards").glob("*.json"))
    samples = {path.stem: len(read_receipt(path).samples) for path in (built / "shards").glob("*.json")}
    assert progress[-1].kept == sum(samples[name] for name in samples if name not in made)
    if workers == 1:
        assert seen[0] == missing


def test_a_check_finds_a_shard_whole_or_not(built: Path, tmp_path: Path) -> None:
    out = shutil.copytree(built, tmp_path / "set")
    receipts = [read_receipt(path) for path in sorted((out / "shards").glob("*.json"))]
    broken = next(receipt for receipt in receipts if receipt.samples)
    tar = out / "shards" / f"{broken.name}.tar"
    tar.write_bytes(tar.read_bytes()[:-1])
    for receipt in receipts:
        keys = [(entry.record.source_sha256, entry.record.variant) for entry in receipt.samples]
        keys += [(reject.source_sha256, reject.variant) for reject in receipt.rejects]
        candidates = tuple(Candidate(Source("", sha256), variant) for sha256, variant in keys)
        plan = ShardPlan(receipt.name, receipt.split, candidates)
        whole = dataclasses.replace(receipt, plan_sha256=plan.digest())
        (out / "shards" / f"{receipt.name}.json").write_text(whole.to_json() + "\n")
        signs: list[int] = []
        checked = check_shard(ShardCheck(out, plan, receipt.spec_id), signs.append)
        assert checked == Checked(receipt.name, None if receipt.name == broken.name else whole)
        assert signs == [-1] * len(signs)
        assert check_shard(ShardCheck(out, plan, "another")) == Checked(receipt.name, None)


def test_damaged_landmarks_in_the_cache_are_one_sentence(tmp_path: Path) -> None:
    """They are given to workers as they are, and nobody but these looks into them."""
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        cache.put_many([(source, Torn()) for source in FACES.sources()], detector="fake 1", size_px=64)  # type: ignore[misc]
        with pytest.raises(DatasetError, match=r"the cache is damaged: its landmarks of some/\d+.jpg cannot be read"):
            run(tmp_path / "set", FACES, count=20, cache=cache)


class Torn:
    """Landmarks as a damaged disk gives them back."""

    def to_bytes(self) -> bytes:
        return b"torn"

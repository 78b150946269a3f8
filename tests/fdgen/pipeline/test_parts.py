"""Parts of one build into one folder: the bytes of a build in one go, whatever runs, dies or is repeated."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import ShardReceipt
from fdgen.dataset.naming import Label
from fdgen.dataset.parts import Part
from fdgen.errors import DatasetError, MixingError, RecipeError
from fdgen.faces.given_up import GivenUp
from fdgen.faces.sources import TOOK_TOO_LONG
from fdgen.io.lock import folder_lock
from fdgen.pipeline import job
from fdgen.pipeline.builder import PartDone, build_part
from tests.support.fake_build import COUNT, FACES, STEPS, FakeFaces, digests, recipe, run
from tests.support.paths import ROOT


def make(out: Path, part: str, *overrides: str, count: int = COUNT, **options: Any) -> PartDone:
    return build_part(Part.parse(part), recipe(*overrides), FACES, out, steps=STEPS, count=count, **options)


def until_whole(out: Path, n: int) -> int:
    """Run all parts until none waits for another; return how often each ran."""
    for times in range(1, 10):
        waiting = [make(out, f"{index}/{n}").waiting for index in range(n)]
        if not any(waiting):
            return times
    raise AssertionError("parts never end")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_parts_that_are_joined_have_the_bytes_of_one_build(tmp_path: Path, built: Path, n: int) -> None:
    assert until_whole(tmp_path / "set", n) <= n + 3  # a round of rejects each at most
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set" / "shards").iterdir()}
    run(tmp_path / "set", FACES, count=COUNT)
    assert digests(tmp_path / "set") == digests(built)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set" / "shards").iterdir()} == before


def test_a_part_makes_its_own_shards_alone_and_never_finishes(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"
    done = make(out, "1/2")
    assert done.shards == len(list((out / "shards").glob("*.json")))
    assert 0 < done.samples < COUNT
    assert done.waiting
    with pytest.raises(DatasetError, match="not finished"):
        Manifest.load(out)
    assert make(out, "1/2").kept == done.samples
    run(out, FACES, count=COUNT)  # makes what part 0 never did
    assert digests(out) == digests(built)


def test_a_part_killed_at_any_shard_goes_on(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"

    def stop(receipt: ShardReceipt) -> None:
        raise KeyboardInterrupt

    for part in ("0/2", "1/2", "0/2"):
        with pytest.raises(KeyboardInterrupt):
            make(out, part, on_shard=stop)
    until_whole(out, 2)
    run(out, FACES, count=COUNT)
    assert digests(out) == digests(built)


@pytest.mark.slow
def test_parts_run_at_the_same_time_in_processes_that_are_killed(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"
    options = json.dumps({"faces": 60, "count": COUNT})
    command = [sys.executable, "-m", "tests.support.fake_build", str(out), options]
    parts = [subprocess.Popen([*command, f"{index}/3"], cwd=ROOT, stderr=subprocess.PIPE) for index in range(3)]
    parts[1].kill()
    for process in parts:
        _, errors = process.communicate(timeout=120)
        assert process is parts[1] or process.returncode == 0, errors.decode()
    assert until_whole(out, 3)
    run(out, FACES, count=COUNT)
    assert digests(out) == digests(built)


def test_locks_of_parts_and_of_the_whole_exclude_each_other(tmp_path: Path) -> None:
    out = tmp_path / "set"
    refused: list[str] = []

    def attempt(*tries: Any) -> None:
        for one in tries:
            with pytest.raises(DatasetError) as error:
                one()
            refused.append(error.value.message)

    def meanwhile(receipt: ShardReceipt) -> None:
        if not refused:
            thread = threading.Thread(
                target=attempt,
                args=(
                    lambda: make(out, "0/2"),
                    lambda: make(out, "1/3"),
                    lambda: run(out, FACES, count=COUNT),
                    lambda: make(out, "1/2", "seed=9"),
                ),
            )
            thread.start()
            thread.join()

    make(out, "0/2", on_shard=meanwhile)
    assert "part 0/2" in refused[0]
    assert "another number of parts" in refused[1]
    assert "part 0/2 is being built" in refused[2]
    assert len(refused) == 4
    make(out, "0/3")  # once they have ended, another number may be used
    with folder_lock(out), pytest.raises(DatasetError, match="a build of the whole is writing"):
        make(out, "1/2")


def test_another_recipe_is_refused_before_the_first_shard_of_a_part_at_work(tmp_path: Path) -> None:
    """What has no shard yet is anybody's, unless a part is at it."""
    out = tmp_path / "set"

    def meanwhile(done: int, of: int) -> None:
        with pytest.raises(MixingError):
            make(out, "1/2", "seed=9")

    make(out, "0/2", on_face=meanwhile)


def test_another_recipe_that_began_at_the_same_moment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find an empty folder; the one that writes its dataset.json second must not write over the other's."""
    out, real, calls = tmp_path / "set", job.label_of, list[str]()

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        calls.append("")
        if len(calls) == 1:  # between the look into the folder and the first word in it
            thread = threading.Thread(target=make, args=(out, "1/2", "seed=9"))
            thread.start()
            thread.join()
        return real(*arguments, **named)

    monkeypatch.setattr(job, "label_of", meanwhile)
    with pytest.raises(MixingError, match="seed"):
        make(out, "0/2")
    assert len(calls) == 2
    dataset = json.loads((out / "dataset.json").read_bytes())
    assert dataset["recipe"]["seed"] == 9
    receipts = [json.loads(path.read_bytes()) for path in (out / "shards").glob("*.json")]
    assert {receipt["spec_id"] for receipt in receipts} == {dataset["spec_id"]}


def test_what_parts_give_up_at_the_same_moment_is_all_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, sources = tmp_path / "set", FACES.sources(None)
    make(out, "0/2")
    spec = {name: value for name, value in json.loads((out / "dataset.json").read_bytes()).items()
            if name not in ("name", "version", "spec_id", "given_up")}  # fmt: skip
    records = [
        job.Record(out, Label("set", "1.0.0"), spec, sources, GivenUp({sources[place].sha256: TOOK_TOO_LONG}),
                   finished=False, part=Part(place, 2))
        for place in (0, 1)
    ]  # fmt: skip
    real, threads = job.write_dataset, list[threading.Thread]()

    def meanwhile(*arguments: Any) -> None:
        if not threads:  # between what the first has read and what it writes
            threads.append(threading.Thread(target=records[1].write))
            threads[0].start()
            threads[0].join(0.2)
        real(*arguments)

    monkeypatch.setattr(job, "write_dataset", meanwhile)
    records[0].write()
    threads[0].join()
    told = json.loads((out / "dataset.json").read_bytes())["given_up"]
    assert {row["source_sha256"] for row in told} == {sources[place].sha256 for place in (0, 1)}
    assert not list(out.glob(".fdgen*"))


def test_a_broken_shard_of_a_part_is_made_again_by_it_or_by_the_whole(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"
    until_whole(out, 2)
    for tar in sorted((out / "shards").glob("train-*.tar"))[:2]:
        tar.write_bytes(tar.read_bytes()[:-512])
    make(out, "0/2")
    run(out, FACES, count=COUNT)
    assert digests(out) == digests(built)


def test_locks_that_killed_parts_left_are_removed_by_the_whole(tmp_path: Path, built: Path) -> None:
    out = tmp_path / "set"
    out.mkdir()
    (out / Part(4, 9).lock_name).touch()
    run(out, FACES, count=COUNT)
    assert digests(out) == digests(built)


def test_a_part_without_any_shard_does_nothing(tmp_path: Path) -> None:
    done = make(tmp_path / "set", "70/80")
    assert (done.shards, done.samples) == (0, 0)
    assert done.waiting


@pytest.mark.parametrize("text", ["8/8", "1", "-1/3", "1/0", "a/b", "0/1000000"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="a part is I/N"):
        Part.parse(text)


def test_faces_of_parts_are_those_of_the_whole(tmp_path: Path) -> None:
    make(tmp_path / "set", "0/2")
    with pytest.raises(MixingError):
        build_part(Part(1, 2), recipe(), FakeFaces.of(50), tmp_path / "set", steps=STEPS, count=COUNT)

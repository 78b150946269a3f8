"""Builds whose output is behind a URL: the bytes of a build into a folder, whatever fails on the way there.

Here the objects are in memory; `test_build_into_a_bucket.py` has a server.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import ShardReceipt
from fdgen.dataset.parts import Part
from fdgen.errors import DatasetError, MixingError, UnreachableError
from fdgen.io import storage
from fdgen.io.storage import Remote
from fdgen.io.stores import lease
from fdgen.io.stores.object_store import ObjectStore
from fdgen.pipeline.builder import build_part, plan_build
from fdgen.verification.verifier import verify
from fdgen.versions.difference import diff
from tests.support.fake_build import STEPS, FakeFaces, digests, recipe, run

fsspec = pytest.importorskip("fsspec")

Memory = type(fsspec.filesystem("memory"))

FACES = FakeFaces.of(24)
COUNT = 12


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same dataset in a folder, not to be written to."""
    out = tmp_path_factory.mktemp("built") / "set"
    run(out, FACES, count=COUNT)
    return out


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "WAIT_S", 0.0)


@pytest.fixture
def url() -> str:
    return f"memory://{secrets.token_hex(8)}/set"


def objects(url: str) -> dict[str, str]:
    """Return the sha256 of every object of a dataset by its name."""
    store = ObjectStore(Remote(url))
    return {name: hashlib.sha256(store.read(name, 10**9)).hexdigest() for name in store.every_file()}


def stop(receipt: ShardReceipt) -> None:
    raise KeyboardInterrupt


def refuse(monkeypatch: pytest.MonkeyPatch, method: str, names: Callable[[str], bool], times: int) -> list[str]:
    """Let requests for some names fail so often; return those that did."""
    failed: list[str] = []
    real = getattr(Memory, method)

    def failing(self: Any, *arguments: Any, **options: Any) -> Any:
        path = next(one for one in reversed(arguments) if isinstance(one, str))
        if len(failed) < times and names(path):
            failed.append(path)
            raise ConnectionResetError("connection reset by peer")
        return real(self, *arguments, **options)

    monkeypatch.setattr(Memory, method, failing)
    return failed


def test_objects_have_the_bytes_of_files(url: str, built: Path) -> None:
    manifest = run(url, FACES, count=COUNT)
    assert manifest.dataset["content_id"] == Manifest.load(built).dataset["content_id"]
    assert objects(url) == digests(built)  # with nothing beside: no lease, no temporary object
    assert verify(url, workers=1) == []
    assert diff(url, built).same
    assert Manifest.load(url).table.equals(Manifest.load(built).table)


def test_a_finished_dataset_is_kept_and_a_damaged_shard_made_again(
    url: str, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(url, FACES, count=COUNT)
    written: list[str] = []
    for name in ("put_file", "pipe_file", "rm_file"):
        real = getattr(Memory, name)

        def noted(self: Any, *arguments: Any, real: Any = real, **options: Any) -> Any:
            path = next(one for one in reversed(arguments) if isinstance(one, str))
            if ".lease-" not in path:
                written.append(path.rpartition("/set/")[2])
            return real(self, *arguments, **options)

        monkeypatch.setattr(Memory, name, noted)
    run(url, FACES, count=COUNT)
    assert written == []
    store = ObjectStore(Remote(url))
    damaged = bytearray(store.read("shards/train-00000.tar", 10**9))
    damaged[5000] ^= 1
    store.put("shards/train-00000.tar", bytes(damaged))
    assert {problem.file for problem in verify(url, workers=1)} == {"shards/train-00000.tar"}
    run(url, FACES, count=COUNT)
    assert objects(url) == digests(built)
    assert {name for name in written if name.startswith("shards/")} == {
        "shards/train-00000.tar",
        "shards/train-00000.json",
    }


def test_a_build_that_is_stopped_after_each_shard_goes_on(url: str, built: Path) -> None:
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(url, FACES, count=COUNT, on_shard=stop)
        with pytest.raises(DatasetError, match="not finished"):
            Manifest.load(url)
    run(url, FACES, count=COUNT)
    assert objects(url) == digests(built)


@pytest.mark.parametrize("suffix", [".tar", ".json", "manifest.parquet", "dataset.json"])
def test_a_put_that_goes_on_failing_stops_the_build_and_the_next_one_finishes_it(
    url: str, built: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    with monkeypatch.context() as patched:
        method = "put_file" if suffix.endswith((".tar", ".parquet")) else "pipe_file"
        failed = refuse(patched, method, lambda path: path.endswith(suffix), storage.TRIES)
        with pytest.raises(UnreachableError, match="connection reset by peer") as told:
            run(url, FACES, count=COUNT)
        assert "run the same command again" in told.value.hint
        assert len(failed) == storage.TRIES
    there = objects(url)
    receipts = {name for name in there if name.startswith("shards/") and name.endswith(".json")}
    for name in there.keys() & digests(built).keys() - {"dataset.json"}:
        assert there[name] == digests(built)[name]  # what is there is whole
    assert not any(name.replace(".tar", ".json") not in receipts for name in there if name in receipts)
    run(url, FACES, count=COUNT)
    assert objects(url) == digests(built)


def test_a_connection_that_is_cut_once_costs_nothing(url: str, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("put_file", "pipe_file", "cat_file", "info", "ls", "rm_file"):
        refuse(monkeypatch, method, lambda path: True, 1)
    run(url, FACES, count=COUNT)
    assert objects(url) == digests(built)


def test_what_cannot_be_asked_is_not_taken_for_what_is_not_there(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run(url, FACES, count=COUNT)
    before = objects(url)
    with monkeypatch.context() as patched:
        refuse(patched, "cat_file", lambda path: path.endswith("dataset.json"), 10**6)
        with pytest.raises(UnreachableError, match=r"dataset\.json cannot be read: connection reset"):
            run(url, FACES, count=COUNT)
        with pytest.raises(UnreachableError):
            verify(url, workers=1)
    assert objects(url) == before


def test_other_settings_are_refused_and_named(url: str, built: Path) -> None:
    run(url, FACES, count=COUNT)
    before = objects(url)
    with pytest.raises(MixingError, match=r"recipe\.seed: 0 -> 9"):
        run(url, FACES, "seed=9", count=COUNT)
    plans = [plan_build(recipe(), FACES, out, count=COUNT, steps=STEPS) for out in (url, built)]
    assert plans[0] == plans[1]
    assert objects(url) == before


def test_what_is_no_dataset_is_refused(url: str) -> None:
    fsspec.filesystem("memory").pipe_file(f"{url}/notes.txt", b"of somebody else")
    with pytest.raises(DatasetError, match=r"already holds something else \(notes\.txt\)"):
        run(url, FACES, count=COUNT)
    with pytest.raises(DatasetError, match="is an object, not a folder"):
        run(f"{url}/notes.txt", FACES, count=COUNT)
    with pytest.raises(DatasetError, match=r"neither dataset\.json nor receipts"):
        verify(url)


def test_parts_have_the_bytes_of_one_build(url: str, built: Path) -> None:
    for _ in range(9):
        waiting = [
            build_part(Part(index, 2), recipe(), FACES, url, steps=STEPS, count=COUNT).waiting for index in range(2)
        ]
        if not any(waiting):
            break
    run(url, FACES, count=COUNT)
    assert objects(url) == digests(built)


def test_one_builds_at_a_time_and_a_dead_builder_is_waited_for(
    url: str, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(Remote(url))
    dead = lease.Lease(store, ".fdgen.lock", 1)
    assert dead.claim()  # and is never renewed, nor given up
    before = objects(url)
    with pytest.raises(
        DatasetError, match=r"another build is writing to memory://.*its lease ends at \d\d:"
    ) as refused:
        run(url, FACES, count=COUNT)
    assert "run the same command again after that time" in refused.value.hint
    with pytest.raises(DatasetError, match="a build of the whole is writing"):
        build_part(Part(0, 2), recipe(), FACES, url, steps=STEPS, count=COUNT)
    assert objects(url) == before
    now = lease.time.time()
    monkeypatch.setattr(lease.time, "time", lambda: now + lease.LEASE_S)
    run(url, FACES, count=COUNT)
    assert objects(url) == digests(built)


def test_a_part_that_was_killed_keeps_the_whole_waiting_only_for_its_lease(
    url: str, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lease.Lease(ObjectStore(Remote(url)), Part(1, 3).lock_name, 1).claim()
    build_part(Part(0, 3), recipe(), FACES, url, steps=STEPS, count=COUNT)
    with pytest.raises(DatasetError, match="part 1/3 is being built") as refused:
        run(url, FACES, count=COUNT)
    assert "ends after 60 seconds" in refused.value.hint
    now = lease.time.time()
    monkeypatch.setattr(lease.time, "time", lambda: now + lease.LEASE_S)
    run(url, FACES, count=COUNT)
    assert objects(url) == digests(built)

"""Builds into a bucket of a real S3 server: the bytes of a build into a folder, whatever fails on the way there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fdgen.contract.manifest import Manifest
from fdgen.errors import DatasetError, UnreachableError
from fdgen.faces.folders import SAMPLES
from fdgen.io import storage
from fdgen.io.storage import Remote
from fdgen.io.stores import lease
from fdgen.io.stores.object_store import ObjectStore
from fdgen.verification.verifier import verify
from fdgen.versions.difference import diff
from tests.support.fake_build import FakeFaces, digests, run
from tests.support.paths import ROOT
from tests.support.running import run_process
from tests.support.s3_server import BUCKET, CREDENTIALS, S3Server, s3_server

pytest.importorskip("moto")
s3fs = pytest.importorskip("s3fs")

FACES = FakeFaces.of(9)
ASKED: Any = {"count": 5}
SHARDS = "shards.samples=2"


def build(out: str | Path) -> Manifest:
    return run(out, FACES, SHARDS, **ASKED)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same dataset in a folder, not to be written to."""
    out = tmp_path_factory.mktemp("built") / "set"
    build(out)
    return out


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def server(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(storage, "WAIT_S", 0.0)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    yield running
    running.fault = S3Server.fault
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def url() -> str:
    return f"s3://{BUCKET}/{secrets.token_hex(8)}/set"


def objects(url: str) -> dict[str, str]:
    """Return the sha256 of every object of a dataset by its name."""
    store = ObjectStore(Remote(url))
    return {name: hashlib.sha256(store.read(name, 10**9)).hexdigest() for name in store.every_file()}


@pytest.mark.slow
def test_objects_have_the_bytes_of_files_though_connections_are_cut(server: S3Server, url: str, built: Path) -> None:
    seen: Counter[tuple[str, str]] = Counter()

    def cut_the_first(method: str, path: str) -> int | None:
        seen[method, path] += 1
        return 0 if path.endswith((".tar", "00000.json")) and seen[method, path] == 1 else None

    server.asked.clear()
    server.fault = cut_the_first
    manifest = build(url)
    server.fault = S3Server.fault
    assert manifest.dataset["content_id"] == Manifest.load(built).dataset["content_id"]
    puts = [path.rpartition("/set/")[2] for method, path in server.asked if method == "PUT"]
    puts = list(dict.fromkeys(name for name in reversed(puts) if ".lease-" not in name))[
        ::-1
    ]  # each where it succeeded
    assert puts[-1] == "dataset.json"
    shards = [name for name in puts if name.startswith("shards/")]
    assert len(shards) >= 4
    assert shards == sorted(shards, key=lambda name: (name.rpartition(".")[0], name.endswith(".json")))  # receipts last
    assert {method for method, _ in server.asked} <= {"PUT", "GET", "HEAD", "DELETE"}  # nothing is renamed or copied
    assert objects(url) == digests(built)
    assert verify(url, workers=1) == []
    assert diff(url, built).same
    store = ObjectStore(Remote(url))
    secrets_of_ours = [word.encode() for word in CREDENTIALS.values()]
    assert not any(word in store.read(name, 10**9) for name in store.every_file() for word in secrets_of_ours)


@pytest.mark.slow
def test_an_upload_that_is_refused_or_cut_off_leaves_no_half_thing(server: S3Server, url: str, built: Path) -> None:
    for status, words in ((500, "refused by the test"), (0, r"\w")):
        server.fault = lambda method, path, status=status: (
            status if method == "PUT" and path.endswith("train-00001.tar") else None
        )
        with pytest.raises(UnreachableError, match=rf"train-00001\.tar cannot be reached: .*{words}") as told:
            build(url)
        assert "run the same command again" in told.value.hint
        assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in str(told.value)
        there = objects(url)
        assert there.keys() >= {"shards/train-00000.tar", "shards/train-00000.json"}
        assert not any("train-00001" in name or ".lease-" in name for name in there)
    server.fault = S3Server.fault
    server.asked.clear()
    build(url)
    assert objects(url) == digests(built)
    assert ("PUT", f"/{url.removeprefix('s3://')}/shards/train-00000.tar") not in server.asked  # kept


@pytest.mark.slow
def test_a_builder_killed_between_a_shard_and_its_receipt(
    server: S3Server, url: str, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, dead = threading.Event(), threading.Event()

    def hold_up(method: str, path: str) -> int | None:
        if method != "PUT" or not path.endswith("shards/train-00000.json"):
            return None
        reached.set()
        dead.wait(60)
        return 0

    server.fault = hold_up
    options = json.dumps({"faces": len(FACES.numbers), "overrides": [SHARDS], **ASKED})
    environment = {**os.environ, **server.environment}
    command = [sys.executable, "-m", "tests.support.fake_build", url, options]
    builder = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    try:
        assert reached.wait(120)
    finally:
        builder.kill()
        builder.communicate()
        dead.set()
    server.fault = S3Server.fault
    there = objects(url)
    assert there["shards/train-00000.tar"] == digests(built)["shards/train-00000.tar"]
    assert "shards/train-00000.json" not in there
    with pytest.raises(DatasetError, match=f"another build is writing to .* \\(process {builder.pid} of") as refused:
        build(url)
    assert "if it was killed, run the same command again after that time" in refused.value.hint
    now = lease.time.time()
    monkeypatch.setattr(lease.time, "time", lambda: now + lease.LEASE_S)
    build(url)
    assert objects(url) == digests(built)


def test_what_is_refused_is_said_in_a_sentence(server: S3Server, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match=r"s3://nowhere/set/\S+ cannot be written: there is no such bucket"):
        build("s3://nowhere/set")
    server.fault = lambda method, path: 403 if method == "PUT" else None
    with pytest.raises(DatasetError, match="cannot be written: permission denied") as told:
        build(url)
    assert "credentials" in told.value.hint
    server.fault = S3Server.fault
    s3fs.S3FileSystem.clear_instance_cache()
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with pytest.raises(DatasetError, match=r"(?i)credentials|permission denied") as told:
        build(url)
    assert told.value.hint
    assert objects_of_nobody(server, url) == []


def objects_of_nobody(server: S3Server, url: str) -> list[str]:
    """Return the names under a URL, asked with credentials."""
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem(
        key=CREDENTIALS["AWS_ACCESS_KEY_ID"], secret=CREDENTIALS["AWS_SECRET_ACCESS_KEY"], endpoint_url=server.endpoint
    )
    return list(system.find(url))


@pytest.mark.slow
def test_the_command_line_builds_from_and_into_a_bucket_what_it_builds_in_folders(
    server: S3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "faces").mkdir()
    bucket = s3fs.S3FileSystem()
    for path in sorted(SAMPLES.glob("*.jpg")):
        shutil.copy(path, tmp_path / "faces")
        bucket.put_file(str(path), f"{url}-faces/{path.name}")

    def fdgen(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_process(*arguments, cwd=tmp_path, env=server.environment)

    def built_from(faces: str, out: str, *more: str) -> dict[str, Any]:
        asked = ("--count", "6", "--size", "64", "--set", "shards.samples=3", "--cache", "faces.sqlite", "--json")
        done = fdgen("build", "--faces", faces, "--out", out, *asked, *more)
        assert done.returncode == 0, done.stderr
        assert not any(word in done.stderr + done.stdout for word in CREDENTIALS.values())
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    there, here = built_from(f"{url}-faces", url, "--workers", "2"), built_from("faces", "here")
    assert there["content_id"] == here["content_id"]
    assert objects(url) == digests(tmp_path / "here")
    checked = fdgen("verify", url)
    assert checked.returncode == 0, checked.stderr
    assert re.search(f"{re.escape(url)} is complete: no problems", checked.stderr)

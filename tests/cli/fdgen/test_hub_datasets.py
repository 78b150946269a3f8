"""Datasets by name: pushed to a stand-in of the Hub, fetched by another process, equal in every byte, else refused."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fdgen.dataset.checksums import SUMS, sums_text
from fdgen.io.hub.datasets import is_dataset_address, origin_of
from tests.support.running import run
from tests.support.stand_in_hub import COMMIT, stand_in_hub

pytest.importorskip("huggingface_hub")
Built = tuple[Path, dict[str, Any]]
ADDRESS = "hf://datasets/me/faces"


def asked(program: str, *arguments: object, place: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that knows the stand-in, with caches of its own."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(place / "hf"), "XDG_CACHE_HOME": str(place)}
    environment |= {"HF_TOKEN": "hf_stand_in", "HF_HUB_DISABLE_XET": "1"}
    code = f"from fdcli.{program}.main import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture
def carded(built: Built, tmp_path: Path) -> Path:
    """Return a dataset with its card."""
    dataset = Path(shutil.copytree(built[0], tmp_path / "set"))
    assert run("card", dataset, "--out", tmp_path / "card").exit_code == 0
    return dataset


@pytest.mark.slow
def test_what_is_pushed_is_fetched_by_name_in_another_process(carded: Path, tmp_path: Path) -> None:
    place, held = tmp_path / "there", dict[str, bytes]()
    with stand_in_hub("me/faces", held) as url:
        sent = asked("fdgen", "push", carded, "me/faces", "--yes", place=place, endpoint=url)
        assert sent.returncode == 0, sent.stderr
        first = asked("fdgen", "verify", ADDRESS, place=place, endpoint=url)
        assert first.returncode == 0, first.stdout + first.stderr
        [folder] = (path for path in place.rglob(COMMIT) if path.is_dir())
        assert digests(folder) == digests(carded)
        assert f"dataset me/faces at {COMMIT[:12]}" in first.stderr
        assert "licence: " in first.stderr
        assert origin_of(folder) == {"repository": "me/faces", "revision": COMMIT}
        assert not list(folder.parent.glob("*.part"))
        again = asked("fdgen", "info", f"{ADDRESS}@main", "--json", place=place, endpoint=url)
        assert (
            json.loads(again.stdout)["content_id"] == json.loads((carded / "dataset.json").read_bytes())["content_id"]
        )
        assert "licence" not in again.stderr  # that was told before its first use
    nobody = asked("fdgen", "info", f"{ADDRESS}@{COMMIT}", place=place, endpoint="http://127.0.0.1:9")
    assert nobody.returncode == 0, nobody.stderr  # a commit never changes: nobody is asked
    away = asked("fdgen", "info", ADDRESS, place=place, endpoint="http://127.0.0.1:9")
    assert away.returncode == 1
    assert f"{ADDRESS} cannot be had" in away.stderr


def refused(files: dict[str, bytes], place: Path, address: str = ADDRESS) -> str:
    """Ask for a dataset that must not be taken; return what was said, and see that nothing is there."""
    with stand_in_hub("me/faces", files) as url:
        done = asked("fdgen", "info", address, place=place, endpoint=url)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list((place / "fd-stackgan").rglob(f"{COMMIT}.json"))
    return done.stderr


def listed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with the list that vouches for them."""
    rest = {name: data for name, data in files.items() if name != SUMS}
    return {**rest, SUMS: sums_text({name: hashlib.sha256(data).hexdigest() for name, data in rest.items()})}


def test_what_is_no_dataset_or_was_altered_is_refused(carded: Path, tmp_path: Path) -> None:
    held = files_of(carded)
    shard = next(name for name in held if name.endswith(".tar"))
    flipped = bytes([held[shard][0] ^ 1]) + held[shard][1:]
    assert f"{shard} of {ADDRESS} is not what its SHA256SUMS says" in refused({**held, shard: flipped}, tmp_path / "a")
    assert not list((tmp_path / "a").rglob(f"{COMMIT}/{shard}"))
    lacking = {name: data for name, data in held.items() if name != shard}
    assert f"lacks {shard}" in refused(lacking, tmp_path / "b")
    assert "it has no SHA256SUMS" in refused({"README.md": b"# hi"}, tmp_path / "c")
    assert "lists no dataset.json" in refused(listed({"README.md": b"# hi"}), tmp_path / "d")
    assert "is no dataset on the Hub" in refused(held, tmp_path / "e", "hf://datasets/me")


@pytest.mark.parametrize("is_listed", [True, False])
@pytest.mark.parametrize("name", ["weights.pkl", "shards/train-00000.pt"])
def test_a_pickle_is_refused_before_anything_is_fetched(
    name: str, is_listed: bool, carded: Path, tmp_path: Path
) -> None:
    held = {**files_of(carded), name: pickle.dumps({"a": 1})}
    told = refused(listed(held) if is_listed else held, tmp_path / "there")
    assert f"holds '{name}', which may be a pickle" in told
    assert not list((tmp_path / "there").rglob("dataset.json"))


@pytest.mark.parametrize("name", ["../outside.json", "/tmp/outside.json", "shards/../../outside.json"])
def test_a_name_that_leads_out_is_refused(name: str, carded: Path, tmp_path: Path) -> None:
    held = listed({**files_of(carded), name: b"{}"})
    told = refused({key: data for key, data in held.items() if key != name}, tmp_path / "there")
    assert f"names a file outside its folder: {name!r}" in told
    assert not list(tmp_path.rglob("outside.json"))


def test_only_addresses_of_datasets_are_addresses() -> None:
    assert is_dataset_address("hf://datasets/me/faces@v1.0")
    assert not is_dataset_address("hf://me/faces")
    assert not is_dataset_address("s3://bucket/datasets")

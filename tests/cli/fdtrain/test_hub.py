"""Weights by address: fetched from a stand-in of the Hub by another process, told of, and refused where unsafe."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.shared.fetched import fetched
from cli.shared.output import Voice
from fdgen.errors import FdError
from fdgen.faces.folders import SAMPLES
from fdgen.io.hub.weights import fetch_weights, stated_licence, stated_limits
from tests.support.serving import serving
from tests.support.stand_in_hub import COMMIT, stand_in_hub
from tests.support.weights import write_weights

CARD = (
    "---\nlicense: other\nlicense_name: research-only\n---\n# Faces\n\n## Limits\n\nFour people.\n\n## Uses\n\nNone.\n"
)
FACE = SAMPLES / "joe_biden.jpg"


def asked(code: list[str], place: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process that knows the stand-in, with a cache of its own."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(place / "hf"), "XDG_CACHE_HOME": str(place)}
    command = [sys.executable, "-c", *code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


def fetch(address: str, place: Path, endpoint: str) -> str:
    """Fetch in another process; return the sentence that refuses it."""
    code = (
        "from fdgen.errors import FdError\nfrom fdgen.io.hub.weights import fetch_weights\ntry:\n"
        f"    fetch_weights({address!r})\nexcept FdError as error:\n    print(error.message)"
    )
    done = asked([code], place, endpoint)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_weights_come_by_name_with_digest_licence_and_limits(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    data = write_weights(tmp_path / "w.safetensors").read_bytes()
    with stand_in_hub("someone/faces", {"best.safetensors": data, "README.md": CARD.encode(), "old.bin": b""}) as url:
        code = ["from fdcli.fdtrain.main import main; main()", "restore", str(FACE), "--masker", "starter-mask"]
        code += ["--weights", "hf://someone/faces@v1", "--out", str(tmp_path / "out")]
        done = asked(code, tmp_path, url)
    sha256 = hashlib.sha256(data).hexdigest()
    assert done.returncode == 0, done.stderr
    for told in (f"at {COMMIT[:12]}: sha256 {sha256}", "licence: research-only", "limits: Four people."):
        assert told in done.stderr
    [origin] = tmp_path.rglob("origin.json")
    assert (origin.parent / "faces.safetensors").read_bytes() == data
    assert json.loads(origin.read_bytes()) == {
        "address": "hf://someone/faces@v1", "revision": COMMIT, "sha256": sha256, "file": "faces.safetensors"
    }  # fmt: skip


@pytest.mark.slow
def test_what_is_pushed_is_fetched_by_another_process(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    weights, held = write_weights(tmp_path / "mine.safetensors"), dict[str, bytes]()
    program = "from fdcli.fdtrain.main import main; main()"
    push = [program, "push", str(weights), "someone/faces"]
    with stand_in_hub("someone/faces", held) as url:
        early = asked([*push, "--yes"], tmp_path, url)
        assert asked([program, "card", str(weights)], tmp_path, url).returncode == 0
        unasked = asked(push, tmp_path, url)
        assert held == {}
        done = asked([*push, "--yes"], tmp_path, url)
        assert done.returncode == 0, done.stderr
        fetched = fetch("hf://someone/faces@v1", tmp_path, url)
    assert (early.returncode, unasked.returncode) == (1, 130)
    assert "holds no model card" in early.stderr
    assert "send 4 files" in unasked.stderr
    assert done.stdout.strip() == COMMIT
    assert sorted(held) == ["README.md", "card.toml", "mine.safetensors", "numbers.json"]
    assert held["mine.safetensors"] == weights.read_bytes()
    assert fetched == ""
    [origin] = tmp_path.rglob("origin.json")
    assert json.loads(origin.read_bytes())["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["model.bin", "model.safetensors", "model.onnx"])
def test_a_pickle_is_refused_whatever_it_is_called(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / name).write_bytes(pickle.dumps({"weights": list(range(100))}))
    with serving(tmp_path) as served, pytest.raises(FdError, match="neither safetensors nor ONNX"):
        fetch_weights(f"{served.url}/{name}")
    assert list(tmp_path.rglob("origin.json")) == []


def test_a_repository_of_pickles_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with stand_in_hub("someone/faces", {"pytorch_model.bin": pickle.dumps([1])}) as url:
        done = fetch("hf://someone/faces", tmp_path, url)
        gone = fetch("hf://someone/faces@v9", tmp_path, url)
    assert "pytorch_model.bin of hf://someone/faces is neither safetensors nor ONNX" in done
    assert "hf://someone/faces@v9 cannot be had" in gone


def test_a_url_gives_what_it_holds_and_is_new_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = write_weights(tmp_path / "mine.safetensors").read_bytes()
    with serving(tmp_path) as served:
        first = fetch_weights(f"{served.url}/mine.safetensors")
        again = fetch_weights(f"{served.url}/mine.safetensors")
        with pytest.raises(FdError, match="cannot be had"):
            fetch_weights(f"{served.url}/other.safetensors")
    assert (first.path.read_bytes(), first.path.name) == (data, "mine.safetensors")
    assert (first.is_new, again.is_new) == (True, False)


def test_a_download_that_breaks_off_and_what_is_no_http_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    size = write_weights(tmp_path / "mine.safetensors").stat().st_size
    with serving(tmp_path) as served:
        served.break_off = 1
        with pytest.raises(FdError, match=f"broke off after {size // 2:,} of {size:,} bytes"):
            fetch_weights(f"{served.url}/mine.safetensors")
        served.nonsense = 1
        with pytest.raises(FdError, match=r"cannot be had: SSH-2\.0"):
            fetch_weights(f"{served.url}/mine.safetensors")
        served.drop = 1
        with pytest.raises(FdError, match="cannot be had: Remote end closed"):
            fetch_weights(f"{served.url}/mine.safetensors")
        assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_what_was_fetched_is_used_where_nobody_answers_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = write_weights(tmp_path / "mine.safetensors").read_bytes()
    with serving(tmp_path) as served:
        address = f"{served.url}/mine.safetensors"
        fetch_weights(address)
        (tmp_path / "mine.safetensors").unlink()
        with pytest.raises(FdError, match="404"):  # an answer: nobody has to be content with what was
            fetch_weights(address)
    offline = fetch_weights(address)
    assert (offline.path.read_bytes(), offline.is_new) == (data, False)
    assert "it was fetched before" in offline.kept
    assert fetched(address, Voice()) == offline.path
    assert "from the cache: " in capsys.readouterr().err
    offline.path.write_bytes(b"damaged")
    with pytest.raises(FdError, match="cannot be had"):
        fetch_weights(address)


def test_a_commit_is_fetched_once(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    data = write_weights(tmp_path / "w.safetensors").read_bytes()
    pinned, named = f"hf://someone/faces@{COMMIT}", "hf://someone/faces@v1"
    code = "from fdgen.io.hub.weights import fetch_weights\n" + "\n".join(
        f"one = fetch_weights({address!r}); print(one.sha256, one.revision, one.is_new, one.kept)"
        for address in (pinned, named)
    )
    with stand_in_hub("someone/faces", {"best.safetensors": data, "README.md": CARD.encode()}) as url:
        first = asked([code], tmp_path, url)
    again = asked([code], tmp_path, url)
    facts = f"{hashlib.sha256(data).hexdigest()} {COMMIT}"
    assert first.stdout.splitlines() == [f"{facts} True ", f"{facts} True "], first.stderr
    of_pinned, of_named = again.stdout.splitlines()
    assert of_pinned == f"{facts} False the address names a commit, which was fetched before", again.stderr
    assert of_named.startswith(f"{facts} False {named} cannot be had: ")


def test_the_first_use_is_that_of_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes may be given on other terms elsewhere; other bytes at the same address may have other terms."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_weights(tmp_path / "mine.safetensors")
    shutil.copy(tmp_path / "mine.safetensors", tmp_path / "theirs.safetensors")
    with serving(tmp_path) as served:
        addresses = [f"{served.url}/{name}.safetensors" for name in ("mine", "theirs", "mine")]
        fetched_now = [fetch_weights(address) for address in addresses]
        assert [one.is_new for one in fetched_now] == [True, True, False]
        assert len({one.sha256 for one in fetched_now}) == 1
        write_weights(tmp_path / "mine.safetensors", seed=1)
        assert fetch_weights(addresses[0]).is_new


@pytest.mark.parametrize(
    "address", ["http://example.org/a.onnx", "ftp://example.org/a.onnx", "hf://../faces", "hf://x"]
)
def test_other_addresses_are_refused_without_asking(address: str) -> None:
    with pytest.raises(FdError, match=r"alone, got|is no address of the Hub"):
        fetch_weights(address)


def test_a_card_without_licence_or_limits_states_none() -> None:
    assert (stated_licence("# Faces"), stated_limits("# Faces")) == ("", "")
    assert (stated_licence(CARD), stated_limits(CARD)) == ("research-only", "Four people.")


def test_a_strangers_card_moves_no_cursor_and_writes_no_title() -> None:
    """Escape sequences would paint over what was printed, set a title, or write from right to left."""
    card = "---\nlicense: mit\x1b[2K\n---\n## Limits\n\nOne\x1b]0;title\x07 \x9b31mtwo\r\n\u202ethree\x1b[1A.\n"
    assert (stated_licence(card), stated_limits(card)) == ("mit", "One  31mtwo \n three.")

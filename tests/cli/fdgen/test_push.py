"""`fdgen push`: what is sent to the Hub, and pictures that must not be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fdgen.dataset.checksums import write_sums
from fdgen.io.hub import upload as hub_upload
from tests.support.running import assert_refused, run

Built = tuple[Path, dict[str, Any]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Return what would have been sent, by its name in the repository."""
    held: dict[str, Path] = {}

    def upload(files: dict[str, Path], repo: str, kind: str, *, message: str, private: bool) -> str:
        assert (repo, kind, private) == ("me/faces", "dataset", True)
        held.update(files)
        return "commit"

    monkeypatch.setattr(hub_upload, "upload", upload)
    return held


def test_a_dataset_goes_with_its_card_and_forbidden_pictures_stay(
    built: Built, tmp_path: Path, sent: dict[str, Path]
) -> None:
    dataset, card = Path(shutil.copytree(built[0], tmp_path / "set")), tmp_path / "card"
    (dataset / "README.md").unlink(missing_ok=True)
    assert_refused(run("push", dataset, "me/faces", "--yes"), 1, "README.md", "fdgen card")
    assert run("card", dataset, "--out", card).exit_code == 0
    assert_refused(run("push", dataset, "faces", "--yes"), 1, "OWNER/NAME")
    assert run("push", dataset, "me/faces").exit_code == 130  # nobody said yes
    assert sent == {}
    done = run("push", dataset, "me/faces", "--yes")
    assert (done.exit_code, done.stdout) == (0, "commit\n")
    assert {"README.md", "dataset.json", "SHA256SUMS", "shards/train-00000.tar"} <= set(sent)
    sent.clear()

    facts = json.loads((dataset / "dataset.json").read_bytes())
    facts["sources"]["kind"] = "celeba"
    (dataset / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    write_sums(dataset)
    for once in ((), ("--although-forbidden",)):
        assert_refused(run("push", dataset, "me/faces", "--yes", *once), 1, "celeba", "send its card")
    assert sent == {}
    assert run("push", dataset, "me/faces", "--yes", *["--although-forbidden"] * 2).exit_code == 0
    assert "shards/train-00000.tar" in sent
    sent.clear()

    assert run("push", card, "me/faces", "--yes").exit_code == 0
    assert {"lock.json", "samples.parquet"} <= set(sent)
    assert not [name for name in sent if name.endswith((".tar", ".jpg", ".png"))]
    (card / "README.md").write_text("altered", encoding="utf-8")
    assert_refused(run("push", card, "me/faces", "--yes"), 1, "README.md", "altered", "write the card again")


def test_what_is_sent_is_what_is_listed_and_no_altered_shard(
    built: Built, tmp_path: Path, sent: dict[str, Path]
) -> None:
    dataset = Path(shutil.copytree(built[0], tmp_path / "set"))
    assert run("card", dataset, "--out", tmp_path / "card").exit_code == 0
    (dataset / "notes.txt").write_text("of mine", encoding="utf-8")
    (dataset / "shards" / "passwords.tar").write_bytes(b"of mine, too")
    done = run("push", dataset, "me/faces", "--yes")
    assert done.exit_code == 0, done.stderr
    assert "SHA256SUMS does not list it: notes.txt, shards/passwords.tar" in done.stderr
    names = {line.split("  ", 1)[1] for line in (dataset / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
    assert set(sent) == {*names, "SHA256SUMS"}
    sent.clear()

    shard = dataset / "shards" / "train-00000.tar"
    data = bytearray(shard.read_bytes())
    data[600] ^= 1
    shard.write_bytes(data)
    assert_refused(run("push", dataset, "me/faces", "--yes"), 1, f"{shard}: the file has been altered", "fdgen verify")
    shard.unlink()
    assert_refused(run("push", dataset, "me/faces", "--yes"), 1, f"{shard}: SHA256SUMS lists this file", "fdgen verify")
    assert sent == {}

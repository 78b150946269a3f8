"""`fdgen push`: what is sent to the Hub, and pictures that must not be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fdgen.io import hub_upload
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
    assert_refused(run("push", card, "me/faces", "--yes"), 1, "README.md")

"""`fdgen export`: what it says, what it refuses, and that it stops and goes on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from cli.fdgen.export import FORMATS
from fdgen.exporters import exporter as exporting
from tests.support.running import assert_refused, run

Built = tuple[Path, dict[str, Any]]


def test_the_formats_are_those_of_the_library() -> None:
    assert tuple(exporting.FORMATS) == FORMATS


@pytest.mark.parametrize("to", FORMATS)
def test_it_tells_what_it_wrote(built: Built, tmp_path: Path, to: str) -> None:
    root, summary = built
    out = tmp_path / "ünï code"
    done = run("export", root, "--to", to, "--out", out, "--json")
    assert done.exit_code == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["content_id"], facts["samples"], facts["made_now"]) == (summary["content_id"], 12, 12)
    files = [path for path in out.rglob("*") if path.is_file() and path.name not in ("SHA256SUMS", "export.json")]
    assert (facts["files"], facts["bytes"]) == (len(files), sum(path.stat().st_size for path in files))
    again = run("export", root, "--to", to, "--out", out)
    assert again.stdout == ""
    assert "written now: nothing" in again.stderr


def test_it_refuses_what_it_must(built: Built, tmp_path: Path) -> None:
    root, _ = built
    assert_refused(run("export", tmp_path, "--to", "coco", "--out", tmp_path / "out"), 1, "not a dataset")
    torn = tmp_path / "torn"
    shutil.copytree(root, torn)
    shard = next((torn / "shards").glob("*.tar"))
    for damage in (lambda: os.truncate(shard, 100), shard.unlink):
        damage()
        refused = run("export", torn, "--to", "coco", "--out", tmp_path / "torn-out")
        assert_refused(refused, 1, str(shard), "fdgen verify")
        assert "writing" not in refused.stderr
    assert_refused(run("export", root, "--to", "voc", "--out", tmp_path / "out"), 2, "voc")
    assert_refused(run("export", root, "--to", "coco", "--out", root / "coco"), 1, "lies within")
    assert_refused(run("export", "nonsense://x/y", "--to", "coco", "--out", tmp_path / "out"), 1, "nonsense://x/y")
    assert run("export", root, "--to", "coco", "--out", tmp_path / "out").exit_code == 0
    other = run("export", root, "--to", "parquet", "--out", tmp_path / "out")
    assert_refused(other, 1, "export: coco -> parquet")


def test_ctrl_c_keeps_what_is_finished(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, _ = built
    real, seen = exporting._samples, []

    def interrupted(manifest: Any, shard: Any, members: Any) -> Any:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(shard.name)
        return real(manifest, shard, members)

    monkeypatch.setattr(exporting, "_samples", interrupted)
    stopped = run("export", root, "--to", "parquet", "--out", tmp_path / "out")
    assert stopped.exit_code == 130
    assert "run the same command again" in stopped.stderr
    assert len(list((tmp_path / "out" / "data").glob("*.parquet"))) == 2
    monkeypatch.undo()
    assert run("export", root, "--to", "parquet", "--out", tmp_path / "out").exit_code == 0
    shutil.rmtree(tmp_path / "out")

"""What is shown of a dataset is what its manifest and its shards say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fdgen.browser.thumbnails import Kept, thumbnail
from fdgen.browser.version import Version, columns_of
from fdgen.contract.manifest import Manifest
from fdgen.errors import DatasetError
from fdgen.io.pictures.images import decode
from tests.support.serving import serving


def test_columns_say_what_the_manifest_says(built: Path, version: Version) -> None:
    table, columns = Manifest.load(built).table, columns_of(version.table)
    assert columns["key"] == table["key"].tolist()
    for name in ("split", "source", "source_sha256"):
        assert [columns[name]["names"][code] for code in columns[name]["codes"]] == table[name].tolist()
    for name in ("kinds", "asset_ids"):
        shown = [columns[name]["names"][code] for code in columns[name]["codes"]]
        assert shown == [json.loads(text) for text in table[name]]
    np.testing.assert_allclose(columns["coverage"], table["coverage"], atol=5e-5)
    np.testing.assert_allclose(columns["yaw_deg"], table["yaw_deg"], atol=0.05)


def test_a_thumbnail_is_the_sample_at_most_at_its_own_size(built: Path, version: Version) -> None:
    manifest = Manifest.load(built)
    row = len(version) // 2
    stored = decode(manifest.read_member(version.key(row), "occluded.png"), name="")
    shown = decode(thumbnail(version, row, "occluded", 256), name="")
    assert shown.shape == stored.shape
    assert np.abs(shown.astype(int) - stored).mean() < 12  # JPEG, of pictures that are noise
    assert decode(thumbnail(version, row, "clean", 32), name="").shape == (32, 32, 3)


def test_a_dataset_behind_a_url_is_browsed(built: Path, version: Version) -> None:
    pytest.importorskip("fsspec")
    with serving(built) as served:
        far = Version.open(served.url)
        assert columns_of(far.table) == columns_of(version.table)
        assert far.read(3, ["mask.png"]) == version.read(3, ["mask.png"])
        assert far.rejects() == version.rejects()


def test_bytes_that_changed_are_not_shown(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "set")
    version = Version.open(tmp_path / "set")
    shard = tmp_path / "set" / "shards" / f"{version.table['shard'][0].as_py()}.tar"
    content = bytearray(shard.read_bytes())
    content[version.table["clean_png_offset"][0].as_py() + 40] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DatasetError, match=r"clean\.png of .* is not what was written"):
        thumbnail(version, 0, "clean", 64)


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept = Kept(most_bytes=30)
    made: list[str] = []

    def make(name: str) -> bytes:
        made.append(name)
        return bytes(10)

    for name in ("a", "b", "c", "a", "d", "a", "b"):
        kept.get(name, lambda name=name: make(name))  # type: ignore[misc]
    assert made == ["a", "b", "c", "d", "b"]
    assert len(kept) == 3
    assert kept.n_bytes == 30

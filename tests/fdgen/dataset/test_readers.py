"""The readers of others: Hugging Face datasets and webdataset take our shards as they are."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fdgen.contract.manifest import Manifest
from tests.support.fake_build import FakeFaces, run


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "set"
    run(out, FakeFaces.of(40), "splits.train=0.6", "splits.val=0.2", "splits.test=0.2", count=24)
    return out


READ_WITH_DATASETS = """
import json, sys
from datasets import load_dataset

root, cache = sys.argv[1:]
patterns = {split: f"{root}/shards/{split}-*.tar" for split in ("train", "val", "test")}
dataset = load_dataset("webdataset", data_files=patterns, cache_dir=cache)
rows = {
    split: [
        [row["__key__"], row["json"]["coverage"], row["clean.png"].size, row["mask.png"].getextrema()]
        for row in dataset[split]
    ]
    for split in patterns
}
print(json.dumps(rows))
"""


READ_WITH_WEBDATASET = """
import glob, json, sys
import numpy as np
import webdataset

shards = sorted(glob.glob(f"{sys.argv[1]}/shards/train-*.tar"))
rows = []
for sample in webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"):
    clean, occluded, mask = (sample[f"{name}.png"] for name in ("clean", "occluded", "mask"))
    exact = np.array_equal(clean[mask[..., 0] == 0], occluded[mask[..., 0] == 0])
    rows.append([sample["__key__"], sample["json"]["coverage"], clean.shape, exact])
print(json.dumps(rows))
"""


def read(code: str, *arguments: Path, **environment: str) -> Any:
    """Run a reader in a process of its own: they bring threads, warnings and unclosed files to who imports them."""
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="needs the development extra")
def test_hugging_face_datasets_reads_the_shards(built: Path, tmp_path: Path) -> None:
    rows = read(READ_WITH_DATASETS, built, tmp_path, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    table = Manifest.load(built).table
    for split in ("train", "val", "test"):
        expected = table[table["split"] == split]
        assert [row[0] for row in rows[split]] == expected["key"].tolist()
        assert [row[1] for row in rows[split]] == expected["coverage"].tolist()
        assert {tuple(row[2]) for row in rows[split]} == {(64, 64)}
        assert {tuple(row[3]) for row in rows[split]} == {(0, 255)}


@pytest.mark.skipif(importlib.util.find_spec("webdataset") is None, reason="needs the development extra")
def test_webdataset_reads_the_shards(built: Path) -> None:
    rows = read(READ_WITH_WEBDATASET, built)
    expected = Manifest.load(built).samples("train")
    assert [row[0] for row in rows] == expected["key"].tolist()
    assert [row[1] for row in rows] == expected["coverage"].tolist()
    assert all(shape == [64, 64, 3] and exact for _, _, shape, exact in rows)

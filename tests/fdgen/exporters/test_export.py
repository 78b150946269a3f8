"""Exports: read back by the libraries that they are for, resumed after any stop, never mixed, never of damaged data."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fdgen.contract.manifest import Manifest
from fdgen.dataset.checksums import sum_problems
from fdgen.errors import DatasetError, MixingError
from fdgen.exporters.coco import run_lengths
from fdgen.exporters.exporter import FORMATS, export
from fdgen.io.pictures.images import decode_png
from tests.fdgen.dataset.test_readers import read
from tests.support.fake_build import STRATIFIED, FakeFaces, digests, run
from tests.support.serving import serving

SPLIT = ("splits.train=0.6", "splits.val=0.2", "splits.test=0.2")
SEVERAL = ("several.two=0.4", "several.three=0", "several.never=[]")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of three splits in which some faces wear two occluders."""
    out = tmp_path_factory.mktemp("built") / "set"
    run(out, FakeFaces.of(40, identities=False), *SPLIT, *SEVERAL, steps=STRATIFIED, count=30)
    return out


def pixels(built: Path, member: str) -> dict[str, npt.NDArray[np.uint8]]:
    manifest = Manifest.load(built)
    return {key: decode_png(manifest.read_member(key, member)) for key in manifest}


READ_WITH_DATASETS = """
import hashlib, json, sys
import numpy as np
from datasets import load_dataset

folder, cache = sys.argv[1:]
dataset = load_dataset(folder, cache_dir=cache)
names = ("image", "clean", "mask", "alpha")
rows = {
    split: [
        {name: value for name, value in row.items() if name not in names}
        | {name: hashlib.sha256(np.asarray(row[name]).tobytes()).hexdigest() for name in names}
        for row in dataset[split]
    ]
    for split in dataset
}
types = {name: type(feature).__name__ for name, feature in dataset["train"].features.items()}
print(json.dumps([rows, types]))
"""


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="needs the development extra")
@pytest.mark.parametrize("to", ["imagefolder", "parquet"])
def test_hugging_face_datasets_reads_it(built: Path, tmp_path: Path, to: str) -> None:
    import hashlib

    export(Manifest.load(built), to, tmp_path / "out")
    rows, types = read(
        READ_WITH_DATASETS, tmp_path / "out", tmp_path / "cache", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)
    )
    table = Manifest.load(built).table
    assert {name for name, kind in types.items() if kind == "Image"} == {"image", "clean", "mask", "alpha"}
    assert set(rows) == {"train", "validation", "test"}
    for split, name in (("train", "train"), ("val", "validation"), ("test", "test")):
        expected = table[table["split"] == split]
        assert [row["key"] for row in rows[name]] == expected["key"].tolist()
        assert [row["coverage"] for row in rows[name]] == expected["coverage"].tolist()
        assert [row["placement"] for row in rows[name]] == expected["placement"].tolist()
        kinds = [json.loads(text) for text in expected["kinds"]]
        assert [row["kinds"] for row in rows[name]] == (kinds if to == "parquet" else ["+".join(one) for one in kinds])
        assert {row["identity"] for row in rows[name]} == {None if to == "parquet" else ""}
    for column, member in (("image", "occluded"), ("clean", "clean"), ("mask", "mask"), ("alpha", "alpha")):
        stored = pixels(built, f"{member}.png")
        found = {row["key"]: row[column] for split in rows.values() for row in split}
        assert found == {key: hashlib.sha256(array.tobytes()).hexdigest() for key, array in stored.items()}


READ_WITH_COCO = """
import json, sys
import numpy as np
from pycocotools.coco import COCO

coco = COCO(sys.argv[1])
found = []
for image in coco.loadImgs(coco.getImgIds()):
    [one] = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
    mask = coco.annToMask(one)
    found.append([image["file_name"], np.packbits(mask).tobytes().hex(), one["bbox"], one["area"],
                  coco.loadCats(one["category_id"])[0]["name"], one["kinds"], [image["height"], image["width"]]])
print()
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pycocotools") is None, reason="needs the development extra")
@pytest.mark.parametrize(("name", "member", "least"), [("instances", "mask.png", 1), ("silhouettes", "alpha.png", 128)])
def test_pycocotools_reads_our_masks(built: Path, tmp_path: Path, name: str, member: str, least: int) -> None:
    export(Manifest.load(built), "coco", tmp_path / "out")
    table = Manifest.load(built).table.set_index("key")
    stored = pixels(built, member)
    seen = set()
    for split in ("train", "val", "test"):
        for file_name, packed, bbox, area, category, kinds, shape in read(
            READ_WITH_COCO, tmp_path / "out" / "annotations" / f"{name}_{split}.json"
        ):
            key = file_name.removesuffix(".png")
            inside = stored[key] >= least
            assert packed == np.packbits(inside).tobytes().hex()
            y, x = np.nonzero(inside)
            assert bbox == [x.min(), y.min(), x.max() + 1 - x.min(), y.max() + 1 - y.min()]
            assert (area, shape) == (inside.sum(), [*inside.shape])
            assert kinds == json.loads(table.loc[key, "kinds"])
            assert category == "+".join(kinds)
            assert table.loc[key, "split"] == split
            picture = (tmp_path / "out" / split / file_name).read_bytes()
            assert picture == Manifest.load(built).read_member(key, "occluded.png")
            seen.add(key)
    assert seen == set(table.index)
    assert any(len(json.loads(text)) == 2 for text in table["kinds"])


@given(arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_run_lengths_tell_every_pixel(inside: npt.NDArray[np.bool_]) -> None:
    runs = run_lengths(inside)
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    np.testing.assert_array_equal(values.reshape(inside.shape, order="F"), inside)
    assert all(run > 0 for run in runs[1:])


class Stop(Exception):  # noqa: N818 - it is no error
    """Stands for Ctrl-C."""


@pytest.mark.parametrize("to", FORMATS)
def test_a_stopped_export_goes_on_and_ends_the_same(built: Path, tmp_path: Path, to: str) -> None:
    manifest = Manifest.load(built)
    whole = export(manifest, to, tmp_path / "whole")
    assert (whole["samples"], whole["made_now"]) == (30, 30)

    def stop(done: int, of: int) -> None:
        if done >= 16:
            raise Stop

    with pytest.raises(Stop):
        export(manifest, to, tmp_path / "stopped", on_progress=stop)
    assert not (tmp_path / "stopped" / "SHA256SUMS").exists()
    seen: list[int] = []
    again = export(manifest, to, tmp_path / "stopped", on_progress=lambda done, of: seen.append(done))
    assert seen[0] == 30 - again["made_now"] >= 16
    assert digests(tmp_path / "stopped") == digests(tmp_path / "whole")
    assert sum_problems(tmp_path / "stopped") == []
    assert export(manifest, to, tmp_path / "stopped")["made_now"] == 0
    assert digests(tmp_path / "stopped") == digests(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("to", FORMATS)
def test_a_damaged_export_is_mended_by_the_same_command(built: Path, tmp_path: Path, to: str) -> None:
    manifest, out = Manifest.load(built), tmp_path / "out"
    export(manifest, to, out)
    whole = digests(out)
    for name in whole:
        path = out / name
        data = path.read_bytes()
        for damage in (data[: len(data) // 2], data[:-1] + bytes([data[-1] ^ 1]), None):
            if name == "export.json" and damage is None:
                continue  # without it the folder is nobody's
            if damage is None:
                path.unlink()
            else:
                path.write_bytes(damage)
            if name == "export.json":
                with pytest.raises(DatasetError):
                    export(manifest, to, out)
                path.write_bytes(data)
            export(manifest, to, out)
            assert digests(out) == whole, name
        if to != "parquet" and name.endswith(".png") and path.parent.name.endswith("2"):
            break  # all pictures go the same way


def test_nothing_is_mixed(built: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FakeFaces.of(20), *SPLIT, count=10)
    out = tmp_path / "out"
    export(Manifest.load(built), "parquet", out)
    before = digests(out)
    with pytest.raises(MixingError, match=r"export: parquet -> coco"):
        export(Manifest.load(built), "coco", out)
    with pytest.raises(MixingError, match=r"content_id: \w+ -> \w+"):
        export(Manifest.load(other), "parquet", out)
    assert digests(out) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")
    with pytest.raises(DatasetError, match=r"already holds something else \(thesis\.tex\)"):
        export(Manifest.load(built), "coco", tmp_path / "mine")
    with pytest.raises(DatasetError, match="is a file"):
        export(Manifest.load(built), "coco", tmp_path / "mine" / "thesis.tex")
    for inside in (other, other / "deep" / "er"):
        with pytest.raises(DatasetError, match="lies within the dataset"):
            export(Manifest.load(other), "coco", inside)
    with pytest.raises(DatasetError, match="the formats are imagefolder, parquet, coco"):
        export(Manifest.load(built), "voc", tmp_path / "new")


@pytest.mark.parametrize("to", FORMATS)
def test_damaged_shards_are_not_exported(built: Path, tmp_path: Path, to: str) -> None:
    copy, out = tmp_path / "set", tmp_path / "out"
    shutil.copytree(built, copy)
    manifest = Manifest.load(copy)
    row: Any = manifest.row(manifest.table["key"].iloc[20])
    tar = copy / "shards" / f"{row['shard']}.tar"
    data = bytearray(tar.read_bytes())
    data[row["occluded_png_offset"] + 40] ^= 1
    tar.write_bytes(data)
    with pytest.raises(DatasetError, match=rf"occluded\.png of {row['key']} .* its sha256 differs") as told:
        export(manifest, to, out)
    assert "fdgen verify" in told.value.hint
    assert not (out / "SHA256SUMS").exists()
    tar.write_bytes(data[:2000])
    with pytest.raises(DatasetError, match="is cut short"):
        export(manifest, to, out)
    tar.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        export(manifest, to, out)
    shutil.copy(built / "shards" / tar.name, tar)
    assert export(manifest, to, out)["made_now"] < 30
    export(Manifest.load(built), to, tmp_path / "whole")
    assert digests(out) == digests(tmp_path / "whole")


def test_a_dataset_behind_a_url_is_exported(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    with serving(built) as served:
        export(Manifest.load(served.url), "parquet", tmp_path / "there")
    export(Manifest.load(built), "parquet", tmp_path / "here")
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("key", "../../../OUTSIDE"),
        ("key", "/tmp/OUTSIDE"),
        ("key", "f0-0\n"),
        ("shard", "../../outside"),
        ("shard", "train-00000\n"),
        ("split", "../train"),
        ("split", "all"),
    ],
)
def test_a_manifest_with_names_of_an_attacker_is_refused_and_nothing_is_written(
    built: Path, tmp_path: Path, to: str, column: str, value: str
) -> None:
    """Names become paths: an export of such a dataset wrote outside of its folder, or nothing at all and said done."""
    hostile = tmp_path / "deep" / "down" / "set"
    shutil.copytree(built, hostile)
    path = hostile / "manifest.parquet"
    table = pq.read_table(path)
    values = [value, *table.column(column).to_pylist()[1:]]
    place = table.column_names.index(column)
    pq.write_table(
        table.set_column(place, table.schema.field(column), pa.array(values, table.schema.types[place])), path
    )
    before = digests(tmp_path)
    with pytest.raises(DatasetError, match=f"manifest.parquet has been altered: .* is not a {column}"):
        export(Manifest.load(hostile), to, tmp_path / "out")
    assert digests(tmp_path) == before

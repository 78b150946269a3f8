"""Truth layers on the disk: members of shards, columns of the manifest, and what a check says of them."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from fdgen.cards.card import check, write_card
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import MEMBERS, Reject, Triplet
from fdgen.dataset.folder import dataset_text
from fdgen.dataset.spec import spec_id
from fdgen.dataset.tables import read_landmarks
from fdgen.dataset.truth_view import viewable
from fdgen.exporters.exporter import export
from fdgen.io.pictures.images import decode_png, decode_png16
from fdgen.pipeline.builder import build
from fdgen.recipe.schema import Recipe
from fdgen.verification.replay import Replayer
from fdgen.verification.verifier import verify
from fdgen.versions.difference import diff
from tests.fdgen.verification.test_verify import replay as replay_pair
from tests.fdgen.verification.test_verify import write_sums
from tests.support.fake_build import FACES, STEPS, generate, load_library, recipe, run
from tests.support.running import run as run_program

ASKED = 'truth.layers=["shadow", "depth", "caption"]'
COUNT = 12


def with_truth(pair: Triplet) -> Triplet:
    depth = np.arange(pair.mask_HW.size, dtype=np.uint16).reshape(pair.mask_HW.shape) * 7
    layers = {"shadow": pair.mask_HW // 3, "depth": depth, "caption": f"A face, with a {pair.record.kinds[0]} (é)"}
    return dataclasses.replace(pair, truth=layers)


def generate_with_truth(*args: Any, **options: Any) -> Triplet | Reject:
    made = generate(*args, **options)
    return with_truth(made) if isinstance(made, Triplet) else made


def rendered_again(root: Path, change: Any = lambda pair: pair) -> Replayer:
    packed = {sha256: marks.to_bytes() for sha256, marks in read_landmarks(root / "landmarks.parquet")}
    return Replayer(packed, load_library(), lambda *given: change(with_truth(replay_pair(*given))))


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("layered") / "set"
    build(recipe(ASKED), FACES, out, count=COUNT, steps=dataclasses.replace(STEPS, generate=generate_with_truth))
    return out


def test_layers_are_members_with_columns_of_their_own(layered: Path) -> None:
    manifest = Manifest.load(layered)
    key = next(iter(manifest))
    record = manifest.record(key)
    assert manifest.read_member(key, "caption.txt").decode() == f"A face, with a {record.kinds[0]} (é)"
    shadow = decode_png(manifest.read_member(key, "shadow.png"))
    assert np.array_equal(shadow, decode_png(manifest.read_member(key, "mask.png")) // 3)
    depth = decode_png16(manifest.read_member(key, "depth.png"))
    assert depth[1, 1] == 7 * (depth.shape[1] + 1)
    with tarfile.open(layered / "shards" / f"{manifest.row(key)['shard']}.tar") as tar:
        names = [name.partition(".")[2] for name in tar.getnames() if name.startswith(f"{key}.")]
    assert names == sorted((*MEMBERS, "caption.txt", "depth.png", "shadow.png"))


def test_a_check_looks_into_them(layered: Path, tmp_path: Path) -> None:
    assert verify(layered) == []
    assert verify(layered, deep=True, replayer=rendered_again(layered)) == []

    def darker(pair: Triplet) -> Triplet:
        return dataclasses.replace(pair, truth={**pair.truth, "shadow": pair.mask_HW // 2})

    (problem, *_) = verify(layered, deep=True, replayer=rendered_again(layered, darker))
    assert problem.message == "rendered again, it differs in shadow"
    broken = Path(shutil.copytree(layered, tmp_path / "set"))
    manifest = Manifest.load(broken)
    row = manifest.row(next(iter(manifest)))
    with (broken / "shards" / f"{row['shard']}.tar").open("r+b") as tar:
        tar.seek(row["depth_png_offset"] + 60)
        tar.write(b"\0\0\0\0")
    assert any(f"{row['key']}.depth.png is not the file" in problem.message for problem in verify(broken))


def test_other_layers_than_the_recipe_names_are_a_problem(layered: Path, tmp_path: Path) -> None:
    forged = Path(shutil.copytree(layered, tmp_path / "set"))
    values = json.loads((forged / "dataset.json").read_text())
    values["recipe"]["truth"]["layers"] = ["shadow"]
    values["spec_id"] = spec_id(values)
    (forged / "dataset.json").write_bytes(dataset_text(values))
    write_sums(forged)
    messages = {problem.message for problem in verify(forged) if problem.law == "truth"}
    assert messages == {"it has other truth layers than the recipe asks for"}


def test_pairs_are_told_apart_by_what_they_are_not_by_their_layers(layered: Path, tmp_path: Path) -> None:
    run(tmp_path / "plain", FACES, count=COUNT)
    found = diff(tmp_path / "plain", layered)
    assert not found.same
    assert {field.name for field in found.fields} == {"recipe.truth.layers"}
    assert found.counts()["same"] == COUNT
    plain = json.loads((tmp_path / "plain" / "dataset.json").read_text())["recipe"]
    assert "truth" not in plain
    assert Recipe.from_dict(plain).truth.layers == ()


# What else tells of layers: exports, cards, `fdgen show`.


def test_exports_carry_layers_or_say_what_they_leave_out(layered: Path, tmp_path: Path) -> None:
    manifest = Manifest.load(layered)
    key = str(manifest.table["key"].iloc[0])
    caption = manifest.read_member(key, "caption.txt").decode("utf-8")

    assert export(manifest, "imagefolder", tmp_path / "folder")["left_out"] == []
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "folder").rglob("metadata.jsonl")]
    rows = [json.loads(line) for text in texts for line in text.splitlines()]
    row = next(row for row in rows if row["key"] == key)
    assert row["caption"] == caption
    (file,) = (tmp_path / "folder").rglob(f"{key}.depth.png")
    assert row["depth_file_name"].endswith(file.name)
    assert file.read_bytes() == manifest.read_member(key, "depth.png")

    assert export(manifest, "parquet", tmp_path / "parquet")["left_out"] == []
    files = sorted((tmp_path / "parquet" / "data").glob("*.parquet"))
    found = [row for path in files for row in pq.read_table(path).to_pylist() if row["key"] == key]
    assert found[0]["caption"] == caption
    assert found[0]["shadow"]["bytes"] == manifest.read_member(key, "shadow.png")

    assert export(manifest, "coco", tmp_path / "coco")["left_out"] == ["caption", "depth", "shadow"]


def test_a_card_and_croissant_tell_of_layers_that_a_dataset_has(layered: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(layered, root)
    card = write_card(root, tmp_path / "card")
    told = (card / "README.md").read_text(encoding="utf-8")
    assert "`KEY.depth.png` (16 bits" in told
    assert "`KEY.caption.txt`" in told
    assert "normals" not in told
    values = json.loads((card / "croissant.json").read_bytes())
    sets = {one["@id"]: one for one in values["distribution"] if one["@type"] == "cr:FileSet"}
    assert sets["caption-files"]["includes"] == "*.caption.txt"
    assert sets["caption-files"]["encodingFormat"] == "text/plain"
    assert sets["depth-files"]["encodingFormat"] == "image/png"
    kinds = {one["@id"]: one["field"][1]["dataType"] for one in values["recordSet"]}
    assert kinds["depth"] == "sc:ImageObject"
    assert kinds["caption"] == "sc:Text"
    assert "mattes" not in kinds
    assert check(root, card).problems == ()


def test_layers_can_be_looked_at(layered: Path) -> None:
    manifest = Manifest.load(layered)
    key = next(iter(manifest))
    depth = viewable("depth", manifest.read_member(key, "depth.png"))
    stored = decode_png16(manifest.read_member(key, "depth.png"))
    assert depth.dtype == np.uint8
    assert depth[stored == 0].max() == 0
    assert depth[stored > 0].min() == 60
    assert depth.max() == 255
    assert viewable("shadow", manifest.read_member(key, "shadow.png")).shape == stored.shape
    with pytest.raises(KeyError):
        viewable("caption", b"text")


def test_show_draws_layers_and_prints_the_caption(layered: Path, tmp_path: Path) -> None:
    key = next(iter(Manifest.load(layered)))
    result = run_program("show", key, "--dataset", layered, "--out", tmp_path / "one.png")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["caption"] == Manifest.load(layered).read_member(key, "caption.txt").decode()
    assert "alpha, depth, shadow" in result.stderr

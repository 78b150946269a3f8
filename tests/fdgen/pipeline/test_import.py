"""Pairs made elsewhere become a dataset: which ones are taken, what is wrong with the others, and that it is whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fdgen.arrays import Image
from fdgen.cards.card import check, write_card
from fdgen.contract.manifest import Manifest
from fdgen.errors import DatasetError, FacesError, MixingError, PairsError
from fdgen.exporters.exporter import export
from fdgen.io.pictures.images import decode_png
from fdgen.io.pictures.png import encode_png
from fdgen.pipeline.pairs import importer
from fdgen.pipeline.pairs.foreign_pairs import Reading
from fdgen.pipeline.pairs.importer import import_pairs
from fdgen.verification.replay import replay_sample
from fdgen.verification.verifier import verify
from fdgen.versions.difference import diff
from tests.support.sets import write_pairs

Roots = tuple[Path, Path, Path]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Roots:
    return write_pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture
def own(pairs: Roots, tmp_path: Path) -> Roots:
    """Return a copy to do harm to."""
    root = tmp_path / "own"
    shutil.copytree(pairs[0].parent, root)
    return root / "clean", root / "occluded", root / "masks"


@pytest.fixture(scope="module")
def imported(pairs: Roots, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported") / "set"
    import_pairs(*pairs, out)
    return out


def read(path: Path) -> Image:
    return decode_png(path.read_bytes())


def change(path: Path, how: Callable[[Any], Any]) -> None:
    path.write_bytes(encode_png(np.ascontiguousarray(how(read(path)), np.uint8)))


def digests(root: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (root / "shards").iterdir()}


def test_every_pair_is_a_sample_to_the_last_pixel(pairs: Roots, imported: Path) -> None:
    manifest = Manifest.load(imported)
    assert len(manifest) == 24
    files = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in sorted(pairs[0].glob("*.png"))[::-1]}
    seen = set()
    for key in manifest:
        record, members = manifest.record(key), manifest.read_members(key, verify=True)
        stored = {name: decode_png(members[f"{name}.png"]) for name in ("clean", "occluded", "mask", "alpha")}
        names = [files[record.source_sha256], *(["0007.png"] if record.variant else [])]
        folders = dict(zip(("clean", "occluded", "mask"), pairs, strict=True))
        assert any(
            all(np.array_equal(stored[what], read(folder / name)) for what, folder in folders.items()) for name in names
        )
        assert np.array_equal(stored["alpha"], stored["mask"])
        assert (record.kinds, record.placement, record.asset_ids) == (("imported",), (), ())
        seen.add(names[-1])
    assert len(seen) == 24


def test_pairs_of_one_clean_picture_are_variants_in_one_split(imported: Path) -> None:
    table = Manifest.load(imported).table
    twins = table[table["source_sha256"].duplicated(keep=False)]
    assert sorted(twins["variant"]) == [0, 1]
    assert twins["split"].nunique() == 1


def test_it_verifies_and_every_reader_reads_it(imported: Path, tmp_path: Path) -> None:
    assert verify(imported) == []
    again = diff(imported, imported)
    assert again.same
    for to in ("imagefolder", "parquet", "coco"):
        export(Manifest.load(imported), to, tmp_path / to)
    words = json.loads((tmp_path / "coco" / "annotations" / "instances_train.json").read_text())
    assert {one["kinds"][0] for one in words["annotations"]} == {"imported"}


def test_what_needs_a_placement_says_that_there_is_none(imported: Path, tmp_path: Path) -> None:
    key = next(iter(Manifest.load(imported)))
    with pytest.raises(DatasetError, match="was imported: there is no placement"):
        replay_sample(Manifest.load(imported), key)
    with pytest.raises(DatasetError, match="were imported: there is no placement"):
        verify(imported, deep=True)
    for card in (write_card, check):
        with pytest.raises(DatasetError, match="were imported, and a card tells"):
            card(imported, tmp_path / "card")


def test_verify_finds_what_an_import_never_writes(imported: Path, tmp_path: Path) -> None:
    """A dataset of ours does not pass for an imported one by its name, nor the other way round."""
    root = tmp_path / "set"
    shutil.copytree(imported, root)
    shard = next((root / "shards").glob("train-*.tar"))
    data = bytearray(shard.read_bytes())
    data[5000] ^= 1
    shard.write_bytes(data)
    assert {problem.law for problem in verify(root)} >= {"sha256"}
    path = root / "dataset.json"
    path.write_text(path.read_text().replace('"kind": "imported",\n    "count"', '"kind": "folder",\n    "count"'))
    laws = {problem.law for problem in verify(root)}
    assert "sha256" in laws


def test_resuming_gives_the_same_bytes_and_other_settings_are_refused(
    pairs: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "set"
    monkeypatch.setattr(importer, "SHARD_SAMPLES", 8)
    import_pairs(*pairs, tmp_path / "whole")
    real, calls = importer.write_shard, []

    def dies(*arguments: Any, **named: Any) -> Any:
        calls.append(named["name"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(importer, "write_shard", dies)
    with pytest.raises(KeyboardInterrupt):
        import_pairs(*pairs, out)
    with pytest.raises(DatasetError, match="not finished") as caught:
        Manifest.load(out)
    assert "fdgen import" in caught.value.hint
    import_pairs(*pairs, out)
    assert digests(out) == digests(tmp_path / "whole")
    assert calls[0] not in calls[1:]
    with pytest.raises(MixingError, match=r"recipe\.kind"):
        import_pairs(*pairs, out, reading=Reading(kind="mask"))


def test_folders_of_splits_and_of_people_are_followed(tmp_path: Path) -> None:
    roots = write_pairs(tmp_path, 24, folders=("train/ann", "train/ben", "val/cleo", "test/dan"))
    manifest = import_pairs(*roots, tmp_path / "set", identity="folder")
    assert manifest.dataset["splits"] == {"basis": "official", "train": 12, "val": 5, "test": 7}
    assert any("goes with the first" in note for note in manifest.dataset["notes"])  # 7 is 6 again, in another split
    assert set(manifest.samples("test")["identity"]) == {"dan"}
    assert verify(tmp_path / "set") == []


def of_two_colours(picture: Image) -> Image:
    return np.dstack([picture, 255 - picture, picture])


def all_black(picture: Image) -> Image:
    return picture * 0


FAULTS: list[tuple[str, str, str, Any]] = [
    ("mask-levels", "levels 0, 1", "masks", lambda m: m // 255),
    ("mask-levels", "--threshold 128", "masks", lambda m: cv2.blur(m, (5, 5))),
    ("not-a-mask", "is a coloured picture", "masks", of_two_colours),
    ("mask-empty", "marks no pixel", "masks", all_black),
    ("mask-full", "marks every pixel", "masks", lambda m: m * 0 + 255),
    ("mask-inverted", "--invert takes black", "masks", lambda m: 255 - m),
    ("size", "its mask is 32x64 px, the clean picture 64x64", "masks", lambda m: m[:, :32]),
    ("size", "its occluded picture is 64x32", "occluded", lambda m: m[:32]),
    ("outside", "pixels outside its mask differ", "occluded", lambda m: cv2.blur(m, (3, 3))),
]


@pytest.mark.parametrize(
    ("reason", "words", "where", "how"), FAULTS, ids=[f"{one[0]}-{n}" for n, one in enumerate(FAULTS)]
)
def test_each_fault_is_one_sentence_and_nothing_is_written(
    own: Roots, tmp_path: Path, reason: str, words: str, where: str, how: Any
) -> None:
    change(own[0].parent / where / "0003.png", how)
    with pytest.raises(PairsError, match=words) as caught:
        import_pairs(*own, tmp_path / "set")
    assert [(fault[0], fault[1]) for fault in caught.value.faults] == [(reason, "0003.png")]
    assert not (tmp_path / "set").exists()


def test_all_faults_are_listed_and_can_be_left_out(own: Roots, tmp_path: Path) -> None:
    (own[1] / "0000.png").unlink()
    (own[2] / "0001.png").unlink()
    (own[2] / "9999.png").write_bytes((own[2] / "0002.png").read_bytes())
    shutil.copy(own[1] / "0002.png", own[2] / "0004.png")
    (own[1] / "0005.png").write_bytes((own[0] / "0005.png").read_bytes())
    (own[0] / "0008.png").write_bytes(b"no picture")
    (own[0] / "0009.jpg").write_bytes((own[0] / "0009.png").read_bytes()[:-1] + b"\0")
    (own[1] / "0010.png").write_bytes((own[1] / "0010.png").read_bytes()[:300])
    with pytest.raises(PairsError) as caught:
        import_pairs(*own, tmp_path / "set")
    found = {(reason, file) for reason, file, _ in caught.value.faults}
    assert found == {
        ("no-partner", "0000.png"),
        ("no-partner", "0001.png"),
        ("no-partner", "masks/9999.png"),
        ("not-a-mask", "0004.png"),
        ("not-occluded", "0005.png"),
        ("not-a-picture", "0008.png"),
        ("no-partner", "occluded/0008.png"),
        ("no-partner", "masks/0008.png"),
        ("same-name", "0009.png"),
        ("corrupt", "0010.png"),
    }
    manifest = import_pairs(*own, tmp_path / "set", skip_faulty=True)
    assert len(manifest) == 24 - 6
    assert sum(manifest.dataset["rejects"].values()) == len(found)
    assert verify(tmp_path / "set") == []


def test_masks_and_pictures_of_other_tools_are_read_as_they_are_meant(own: Roots, tmp_path: Path) -> None:
    """Inverted soft masks, JPEGs of another size: what is asked for is done, and the exact law holds."""
    for path in sorted(own[2].glob("*.png")):
        change(path, lambda mask: 255 - cv2.resize(mask, (96, 80)))
    for folder in own[:2]:
        for path in sorted(folder.glob("*.png")):
            done, data = cv2.imencode(
                ".jpg", cv2.resize(read(path)[..., ::-1], (96, 80)), [cv2.IMWRITE_JPEG_QUALITY, 95]
            )
            assert done
            path.unlink()
            path.with_suffix(".jpg").write_bytes(data.tobytes())
    reading = Reading(size_px=64, threshold=128, invert=True, outside="clean", kind="mask")
    manifest = import_pairs(*own, tmp_path / "set", reading=reading, name="others", version="1.0.0")
    assert (len(manifest), manifest.dataset["kinds"], manifest.dataset["version"]) == (24, {"mask": 24}, "1.0.0")
    assert verify(tmp_path / "set") == []
    record = manifest.record(next(iter(manifest)))
    assert record.gates["outside_share"] > 0.1
    assert 1 <= record.gates["outside_levels"] < 100


def test_sizes_differ_from_pair_to_pair(own: Roots, tmp_path: Path) -> None:
    for folder in own:
        change(folder / "0011.png", lambda picture: cv2.resize(picture, (128, 128), interpolation=cv2.INTER_NEAREST))
    with pytest.raises(PairsError, match="it is 128 px a side, the first pair 64: --size PX resizes all of them"):
        import_pairs(*own, tmp_path / "set")


def test_what_is_no_folder_of_pictures_is_named(own: Roots, tmp_path: Path) -> None:
    with pytest.raises(FacesError, match="nowhere"):
        import_pairs(own[0], tmp_path / "nowhere", own[2], tmp_path / "set")
    os.makedirs(tmp_path / "empty")
    with pytest.raises(FacesError, match=r"no picture in .*empty"):
        import_pairs(own[0], own[1], tmp_path / "empty", tmp_path / "set")
    with pytest.raises(DatasetError, match="the kind of occluder is a word"):
        import_pairs(*own, tmp_path / "set", reading=Reading(kind="Face mask"))

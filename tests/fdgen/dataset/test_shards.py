"""Shards: their bytes are a function of their samples, no half one ever has a name, and every altered byte is found."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from fdgen.contract.records import MEMBERS, SCHEMA, Reject, SampleRecord, ShardReceipt, Triplet, sample_key
from fdgen.dataset.invariants import Problem, pair_problems
from fdgen.dataset.shards import read_receipt, read_samples, receipt_path, shard_path, tar_header, write_shard
from fdgen.errors import DatasetError


def make_triplet(number: int, *, size_px: int = 24, split: str = "train") -> Triplet:
    """Return a small pair that keeps the laws; every number gives another."""
    rng = np.random.default_rng(number)
    clean = rng.integers(0, 256, (size_px, size_px, 3), np.uint8)
    mask = np.zeros((size_px, size_px), np.uint8)
    mask[4 : 8 + number % 5, 6:15] = 255
    occluded = np.where(mask[..., None] > 0, np.uint8(255) - clean, clean)
    sha256 = hashlib.sha256(b"%d" % number).hexdigest()
    record = SampleRecord(
        key=sample_key(sha256, 0), split=split, source=f"faces/{number} é.jpg", source_sha256=sha256, variant=0,
        identity=None, kinds=("mask",), asset_ids=("mask-a",), held_out=False, attempt=0,
        coverage=round(float((mask > 0).mean()), 6), coverage_face=0.1, coverage_eyes=0.0, coverage_nose=0.2,
        coverage_mouth=1.0, yaw_deg=-3.5, pitch_deg=0.0, roll_deg=1e-7, pose_residual_px=1.0, gates={"seam": 0.5},
        placement=({"kind": "mask", "points": [1.0, 2.5]},),
    )  # fmt: skip
    return Triplet(clean, occluded, mask, mask // 2, record)


REJECT = Reject("faces/r.jpg", "ab" * 32, 0, "yaw-too-large", "yaw is 80 degrees")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shards").mkdir()
    return tmp_path


IDS = {"spec_id": "5" * 64, "plan_sha256": "b" * 64}


def write(root: Path, count: int = 3, name: str = "train-00000") -> ShardReceipt:
    results = [make_triplet(0), REJECT, *(make_triplet(number) for number in range(1, count))]
    return write_shard(root, name=name, split="train", **IDS, results=results)


def problems_of(root: Path, receipt: ShardReceipt) -> list[Problem]:
    problems: list[Problem] = []
    for _ in read_samples(root, receipt, problems):
        pass
    return problems


def test_header_is_what_tarfile_would_read_and_write() -> None:
    info = tarfile.TarInfo.frombuf(tar_header("fabc-0.occluded.png", 1234), "ascii", "strict")
    assert (info.name, info.size, info.mode, info.mtime, info.uid, info.gid) == (
        "fabc-0.occluded.png", 1234, 0o644, 0, 0, 0
    )  # fmt: skip
    assert (info.uname, info.gname, info.linkname, info.isreg()) == ("", "", "", True)
    with pytest.raises(ValueError, match="100 bytes"):
        tar_header("n" * 101, 1)


def test_standard_tools_read_a_shard(root: Path) -> None:
    receipt = write(root)
    with tarfile.open(shard_path(root, "train-00000")) as tar:
        members = tar.getmembers()
    keys = [entry.record.key for entry in receipt.samples]
    assert [m.name for m in members] == [f"{key}.{member}" for key, member in itertools.product(keys, MEMBERS)]
    assert {(m.mtime, m.uid, m.gid, m.mode, m.type) for m in members} == {(0, 0, 0, 0o644, tarfile.REGTYPE)}
    listed = subprocess.run(["tar", "tf", shard_path(root, "train-00000")], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == [m.name for m in members]
    assert listed.stderr == ""


def test_offsets_are_those_that_tarfile_finds(root: Path) -> None:
    receipt = write(root, 5)
    with tarfile.open(shard_path(root, "train-00000")) as tar:
        found = {m.name: (m.offset_data, m.size) for m in tar.getmembers()}
    told = {f"{e.record.key}.{name}": (m.offset, m.size) for e in receipt.samples for name, m in e.members.items()}
    assert told == found


def test_pixels_and_record_come_back(root: Path) -> None:
    receipt = write(root, 1)
    triplet = make_triplet(0)
    with tarfile.open(shard_path(root, "train-00000")) as tar:
        data = {m.name.partition(".")[2]: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
    pictures = {name: np.asarray(PIL.Image.open(io.BytesIO(data[name]))) for name in MEMBERS if name != "json"}
    assert np.array_equal(pictures["clean.png"], triplet.clean_HWC)
    assert np.array_equal(pictures["occluded.png"], triplet.occluded_HWC)
    assert np.array_equal(pictures["mask.png"], triplet.mask_HW)
    assert np.array_equal(pictures["alpha.png"], triplet.alpha_HW)
    assert data["json"].decode() == triplet.record.to_json()
    assert receipt.rejects == (REJECT,)


def test_equal_samples_give_equal_bytes(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "shards").mkdir(parents=True)
    assert write(root) == write(other)
    for path in (shard_path, receipt_path):
        assert path(root, "train-00000").read_bytes() == path(other, "train-00000").read_bytes()
    assert read_receipt(receipt_path(root, "train-00000")) == write(root)


def test_a_shard_of_rejects_has_a_receipt_and_no_tar(root: Path) -> None:
    receipt = write_shard(root, name="val-00000", split="val", **IDS, results=[REJECT, replace(REJECT, variant=1)])
    assert not shard_path(root, "val-00000").exists()
    assert (receipt.samples, receipt.bytes, len(receipt.rejects)) == ((), 0, 2)
    assert read_receipt(receipt_path(root, "val-00000")) == receipt
    assert problems_of(root, receipt) == []


def test_an_interrupted_shard_leaves_nothing(root: Path) -> None:
    def stop() -> Iterator[Triplet]:
        yield make_triplet(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(root, name="train-00000", split="train", **IDS, results=stop())
    assert list((root / "shards").iterdir()) == []


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(DatasetError, match=r"train-00000\.tar cannot be written: the disk is full") as caught:
        write(root)
    assert "what is finished is kept" in caught.value.hint
    assert list((root / "shards").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_write_that_fails_half_way_keeps_its_own_message(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def open_full(path: Path, flags: int, *mode: int) -> int:
        return opened("/dev/full", os.O_RDWR) if flags & os.O_EXCL else opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", open_full)
    with pytest.raises(DatasetError, match="the disk is full"):
        write(root, 200)


def test_the_writer_refuses_what_breaks_a_law(root: Path) -> None:
    good = make_triplet(0)
    leak = good.occluded_HWC.copy()
    leak[0, 0, 2] ^= 1
    grey = good.mask_HW.copy()
    grey[5, 7] = 254
    wrong = {
        "differ from clean where the mask is 0": replace(good, occluded_HWC=leak),
        "neither 0 nor 255": replace(good, mask_HW=grey),
        "beyond the mask": replace(good, alpha_HW=np.full_like(grey, 1)),
        "the mask covers": replace(good, record=replace(good.record, coverage=0.5)),
        "not uint8 of": replace(good, alpha_HW=good.alpha_HW[:5]),
        "another key or split": replace(good, record=replace(good.record, split="val")),
    }
    for message, triplet in wrong.items():
        with pytest.raises(DatasetError, match=message):
            write_shard(root, name="train-00000", split="train", **IDS, results=[triplet])
    assert list((root / "shards").iterdir()) == []


def test_the_exact_law_sees_a_single_level_in_a_single_channel() -> None:
    good = make_triplet(3)
    arrays = (good.clean_HWC, good.occluded_HWC, good.mask_HW, good.alpha_HW)
    assert pair_problems(*arrays, good.record) == []
    rng = np.random.default_rng(0)
    for _ in range(50):
        row, column, channel = rng.integers(0, [24, 24, 3])
        changed = good.occluded_HWC.copy()
        changed[row, column, channel] ^= 1
        laws = [p.law for p in pair_problems(good.clean_HWC, changed, good.mask_HW, good.alpha_HW, good.record)]
        assert laws == ([] if good.mask_HW[row, column] else ["exact"])


@pytest.mark.slow
def test_every_altered_byte_of_a_tar_is_found(root: Path) -> None:
    receipt = write(root, 1)
    path = shard_path(root, receipt.name)
    data = path.read_bytes()
    assert problems_of(root, receipt) == []
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert problems_of(root, receipt), place


@pytest.mark.slow
def test_every_altered_byte_of_a_receipt_is_found_against_its_tar(root: Path) -> None:
    receipt = write(root, 2)
    path = receipt_path(root, receipt.name)
    data = path.read_bytes()
    # Only what a tar cannot tell may pass: the detail of rejects, and to which plan and dataset the shard belongs.
    free = [
        span
        for text in (
            REJECT.detail,
            REJECT.reason,
            REJECT.source,
            REJECT.source_sha256,
            '"variant":0}',
            IDS["plan_sha256"],
            IDS["spec_id"],
        )
        for span in [(data.find(text.encode()), data.find(text.encode()) + len(text.encode()))]
    ]
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        try:
            altered = read_receipt(path)
        except DatasetError:
            continue
        assert problems_of(root, altered) or any(start <= place < end for start, end in free), data[
            place - 20 : place + 9
        ]


@pytest.mark.parametrize("cut", [1, 512, 1024, 1025, 1536, 5000])
def test_a_truncated_tar_is_found(root: Path, cut: int) -> None:
    receipt = write(root)
    path = shard_path(root, receipt.name)
    path.write_bytes(path.read_bytes()[:-cut])
    assert any(problem.law == "tar" and "truncated" in problem.message for problem in problems_of(root, receipt))


def test_missing_tars_and_trailing_bytes_are_found(root: Path) -> None:
    receipt = write(root)
    path = shard_path(root, receipt.name)
    path.write_bytes(path.read_bytes() + b"\0")
    assert {problem.law for problem in problems_of(root, receipt)} == {"tar"}
    path.unlink()
    assert [problem.law for problem in problems_of(root, receipt)] == ["missing"]


def test_swapped_members_are_named(root: Path) -> None:
    first, second = (write(root, 1, name="train-00000"), write(root, 2, name="train-00001"))
    assert problems_of(root, replace(first, samples=second.samples[1:]))[0].key == second.samples[1].record.key


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"schema":1}', f'{{"schema":{SCHEMA + 1}}}', "[" * 100_000, "\xff"]
)
def test_what_is_no_receipt_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train-00000.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DatasetError, match=r"train-00000\.json"):
        read_receipt(path)

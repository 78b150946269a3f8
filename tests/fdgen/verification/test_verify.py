"""Verification: a sound dataset has no problem, every altered byte is one, and no damage makes it crash."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fdgen.dataset.shards
from fdgen.contract.digests import canonical_json
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SampleRecord, Triplet
from fdgen.dataset.tables import read_landmarks
from fdgen.errors import AssetError, DatasetError
from fdgen.faces.face import Face
from fdgen.verification.replay import Replayer, replay_sample
from fdgen.verification.verifier import Problem, verify
from tests.support.fake_build import STEPS, FakeFaces, digests, generate, load_library, run

FACES = FakeFaces.of(24)
COUNT = 14


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that no test may write to."""
    out = tmp_path_factory.mktemp("sound") / "set"
    run(out, FACES, "splits.train=0.4", "splits.val=0.3", "splits.test=0.3", count=COUNT)
    return out


@pytest.fixture
def damaged(sound: Path, tmp_path: Path) -> Path:
    """Return a copy to damage."""
    return Path(shutil.copytree(sound, tmp_path / "set"))


def write_sums(out: Path) -> None:
    """Make the list of sums fit again, as a forger would."""
    sums = {name: sha256 for name, sha256 in digests(out).items() if name != "SHA256SUMS"}
    (out / "SHA256SUMS").write_text("".join(f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items())))


def change_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def laws(problems: list[Problem]) -> set[str]:
    return {problem.law for problem in problems}


def test_a_sound_dataset_has_no_problem_and_verify_writes_nothing(sound: Path) -> None:
    before = digests(sound)
    seen: list[tuple[int, int]] = []
    assert verify(sound, on_progress=lambda done, of: seen.append((done, of))) == []
    assert seen == [(done, COUNT) for done in range(1, COUNT + 1)]
    assert digests(sound) == before


def test_every_flipped_byte_is_found(damaged: Path) -> None:
    rng = random.Random(1)
    files = sorted(path for path in damaged.rglob("*") if path.is_file())
    for number in range(200):
        path = files[number % len(files)]
        data = path.read_bytes()
        place = rng.randrange(len(data))
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :])
        name = path.relative_to(damaged).as_posix()
        found = verify(damaged)
        assert found, (name, place)
        named = {problem.file for problem in found}  # of a wrong sum, the file that it is told of
        assert name == "SHA256SUMS" or {name, name.replace(".json", ".tar"), "SHA256SUMS"} & named, (name, place)
        path.write_bytes(data)
    assert verify(damaged) == []


@pytest.mark.slow
def test_no_damage_makes_it_crash(damaged: Path, sound: Path) -> None:
    rng = random.Random(2)
    names = sorted(digests(sound))
    for number in range(120):
        for name in rng.sample(names, rng.randrange(1, 4)):
            path = damaged / name
            data = path.read_bytes()
            harm = rng.randrange(6)
            if harm == 0:
                path.unlink()
            elif harm == 1:
                path.write_bytes(data[: rng.randrange(len(data))])
            elif harm == 2:
                path.write_bytes(rng.randbytes(rng.randrange(2000)))
            elif harm == 3:
                path.write_bytes(data + data[:700])
            elif harm == 4:
                path.write_bytes(rng.choice([b"", b"{}", b"[]", b"null", b'{"schema":1}', b"\xff" * 99, b"[" * 99_999]))
            else:
                path.unlink()
                path.mkdir()
        forged = number % 2 > 0 and not (damaged / "SHA256SUMS").is_dir()
        if forged:
            write_sums(damaged)  # now everything is looked into
        assert verify(damaged) or forged, number  # what a forger adds after a picture's end hurts nobody
        shutil.rmtree(damaged)
        shutil.copytree(sound, damaged)


@pytest.mark.parametrize(
    "name", ["manifest.parquet", "dataset.json", "SHA256SUMS", "preview.jpg", "shards/train-00000.json"]
)
def test_a_missing_file_is_named(damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    assert name in {problem.file for problem in verify(damaged) if problem.law in ("missing", "receipt")}


def test_a_missing_shard_is_named(damaged: Path) -> None:
    (damaged / "shards" / "train-00000.tar").unlink()
    assert [(problem.file, problem.law) for problem in verify(damaged)] == [("shards/train-00000.tar", "missing")]
    (damaged / "shards" / "train-00000.json").unlink()
    assert ("shards/train-00000.json", "missing") in {(problem.file, problem.law) for problem in verify(damaged)}


def test_an_extra_file_is_named(damaged: Path) -> None:
    (damaged / "shards" / "train-00007.tar").write_bytes(b"x")
    (damaged / "notes.txt").write_text("x")
    assert {problem.file for problem in verify(damaged) if problem.law == "extra"} == {
        "shards/train-00007.tar",
        "notes.txt",
    }


def test_a_truncated_tar_and_a_removed_member_are_found(damaged: Path) -> None:
    path = damaged / "shards" / "train-00000.tar"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert any("truncated" in problem.message for problem in verify(damaged))
    with tarfile.open(fileobj=__import__("io").BytesIO(data)) as tar:
        third = tar.getmembers()[3]
    path.write_bytes(data[: third.offset] + data[third.offset_data + -(-third.size // 512) * 512 :])
    assert third.name.partition(".")[0] in {problem.key for problem in verify(damaged)}


def test_swapped_pictures_are_found_even_where_the_sums_were_mended(damaged: Path) -> None:
    """Swap clean and occluded of two samples through every list but dataset.json."""
    manifest = Manifest.load(damaged)
    rows = manifest.table[manifest.table["shard"] == "train-00000"]
    path = damaged / "shards" / "train-00000.tar"
    data = bytearray(path.read_bytes())
    size = int(rows["alpha_png_size"].iloc[0])
    first, second = rows.iloc[0], next(row for _, row in rows.iloc[1:].iterrows() if row["alpha_png_size"] == size)
    a, b = (slice(int(row["alpha_png_offset"]), int(row["alpha_png_offset"]) + size) for row in (first, second))
    data[a], data[b] = data[b], data[a]
    path.write_bytes(data)
    found = verify(damaged)
    assert {first["key"], second["key"]} <= {problem.key for problem in found if problem.law == "member"}

    def forge(receipt: dict[str, Any]) -> None:
        entries = {entry["record"]["key"]: entry["members"]["alpha.png"] for entry in receipt["samples"]}
        one, other = entries[first["key"]], entries[second["key"]]
        one["sha256"], other["sha256"] = other["sha256"], one["sha256"]
        receipt["sha256"] = hashlib.sha256(data).hexdigest()

    receipt = damaged / "shards" / "train-00000.json"
    values = json.loads(receipt.read_text())
    forge(values)
    receipt.write_text(json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n")
    write_sums(damaged)
    assert {"content", "table"} <= laws(verify(damaged))


def test_wrong_counts_in_dataset_json_are_found(damaged: Path) -> None:
    changes: list[Callable[[dict[str, Any]], None]] = [
        lambda d: d.update(made=COUNT + 1),
        lambda d: d["splits"].update(train=1),
        lambda d: d["kinds"].update(mask=0),
        lambda d: d["rejects"].update({"no-face": 99}),
        lambda d: d["shards"].pop(),
        lambda d: d["shards"][0].update(samples=1),
        lambda d: d.update(content_id="0" * 64),
        lambda d: d.update(spec_id="0" * 64),
        lambda d: d["recipe"].update(seed=5),
        lambda d: d["sources"].update(count=5),
    ]
    text = (damaged / "dataset.json").read_text()
    for number, change in enumerate(changes):
        change_json(damaged / "dataset.json", change)
        write_sums(damaged)
        assert verify(damaged), number
        (damaged / "dataset.json").write_text(text)
    change_json(damaged / "dataset.json", lambda d: None)
    write_sums(damaged)
    assert verify(damaged) == []  # the same values in other words


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shards", 5),
        ("shards", [{"name": "train-00000"}]),
        ("splits", None),
        ("kinds", [1]),
        ("kinds", {"mask": "two"}),
        ("rejects", 7),
        ("made", "all"),
        ("environment", 3),
    ],
)
def test_a_dataset_json_of_other_shape_is_one_problem_and_one_sentence(damaged: Path, field: str, value: Any) -> None:
    change_json(damaged / "dataset.json", lambda values: values.update({field: value}))
    write_sums(damaged)
    assert [(problem.file, problem.law) for problem in verify(damaged)] == [("dataset.json", "spec")]
    with pytest.raises(DatasetError, match=r"dataset\.json has been altered: "):
        Manifest.load(damaged)


def test_a_field_that_is_gone_is_told(damaged: Path) -> None:
    change_json(damaged / "dataset.json", lambda values: values.pop("shards"))
    write_sums(damaged)
    assert laws(verify(damaged)) == {"spec"}


def test_another_table_is_no_manifest(damaged: Path) -> None:
    shutil.copy(damaged / "sources.parquet", damaged / "manifest.parquet")
    with pytest.raises(DatasetError, match="is not a manifest of fdgen"):
        Manifest.load(damaged)


def test_tables_of_another_dataset_are_found(damaged: Path, tmp_path: Path) -> None:
    run(tmp_path / "other", FakeFaces.of(30), "seed=9", count=COUNT)
    for name in ("manifest.parquet", "landmarks.parquet", "sources.parquet", "rejects.csv"):
        kept = (damaged / name).read_bytes()
        shutil.copy(tmp_path / "other" / name, damaged / name)
        write_sums(damaged)
        assert name in {problem.file for problem in verify(damaged) if problem.law == "table"}
        (damaged / name).write_bytes(kept)


def test_a_shard_of_another_dataset_is_found(damaged: Path, tmp_path: Path) -> None:
    run(tmp_path / "other", FACES, "seed=9", count=COUNT)
    for suffix in ("tar", "json"):
        shutil.copy(tmp_path / "other" / "shards" / f"train-00000.{suffix}", damaged / "shards")
    write_sums(damaged)
    assert {"spec", "count", "content", "table"} <= laws(verify(damaged))


def test_an_unfinished_dataset_says_so(tmp_path: Path) -> None:
    calls: list[object] = []

    def stop(receipt: object) -> None:
        calls.append(receipt)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "set", FACES, count=COUNT, on_shard=stop)
    assert [problem.law for problem in verify(tmp_path / "set")] == ["finished"]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_what_is_no_dataset_is_an_error(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "set")
    with pytest.raises(DatasetError, match="set is not a dataset"):
        verify(tmp_path / "set")


# Laws that a generator could break


def build_lawless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Triplet], Triplet], *overrides: str
) -> set[str]:
    """Build a dataset, consistent in itself, of samples that `spoil` has spoilt; return the laws found broken."""

    def generate_spoilt(*arguments: Any, **options: Any) -> Any:
        made = generate(*arguments, **options)
        return spoil(made) if isinstance(made, Triplet) else made

    monkeypatch.setattr(fdgen.dataset.shards, "pair_problems", lambda *_: [])
    steps = dataclasses.replace(STEPS, generate=generate_spoilt)
    run(
        tmp_path / "set",
        FACES,
        "splits.train=0.4",
        "splits.val=0.3",
        "splits.test=0.3",
        *overrides,
        count=COUNT,
        steps=steps,
    )
    return laws(verify(tmp_path / "set"))


def with_record(triplet: Triplet, **changes: Any) -> Triplet:
    return dataclasses.replace(triplet, record=dataclasses.replace(triplet.record, **changes))


def leak(triplet: Triplet) -> Triplet:
    occluded = triplet.occluded_HWC.copy()
    row, column = np.argwhere(triplet.mask_HW == 0)[-1]
    occluded[row, column, 1] ^= 1
    return dataclasses.replace(triplet, occluded_HWC=occluded)


def soften(triplet: Triplet) -> Triplet:
    mask = triplet.mask_HW.copy()
    row, column = np.argwhere(mask == 255)[0]
    mask[row, column] = 254
    return dataclasses.replace(triplet, mask_HW=mask)


SPOILERS: dict[str, Callable[[Triplet], Triplet]] = {
    "exact": leak,
    "mask": soften,
    "alpha": lambda t: dataclasses.replace(t, alpha_HW=np.full_like(t.alpha_HW, 9)),
    "coverage": lambda t: with_record(t, coverage=t.record.coverage + 1e-4),
    "size": lambda t: dataclasses.replace(t, mask_HW=t.mask_HW[:-1]),
    "splits": lambda t: with_record(t, identity="the same person"),
    "held-out": lambda t: with_record(t, held_out=True),
    "kinds": lambda t: with_record(t, kinds=("beard",)),
}


@pytest.mark.parametrize("law", SPOILERS)
def test_each_broken_law_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, law: str) -> None:
    assert build_lawless(tmp_path, monkeypatch, SPOILERS[law]) == {law}


def test_a_held_out_occluder_is_found_in_train_whatever_the_records_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a test sample says is held out, a training sample wears, and says nothing of it."""

    def hide(triplet: Triplet) -> Triplet:
        return with_record(triplet, asset_ids=("mask-leaked",), held_out=triplet.record.split == "test")

    halves = ("splits.train=0.5", "splits.val=0", "splits.test=0.5")
    assert build_lawless(tmp_path, monkeypatch, hide, *halves) == {"held-out"}


@pytest.mark.parametrize(
    ("changes", "recipe"),
    [
        ({"kinds": ("sunglasses", "hand")}, ()),
        ({"yaw_deg": -31.0}, ("strata.pose.0-30=1", "strata.offered.0-30=1")),
        ({}, ("strata.coverage.0.2-0.3=1",)),
        ({"coverage_mouth": 0.4}, ("strata.region.mouth=1",)),
    ],
)
def test_a_sample_that_the_recipe_asks_for_nowhere_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], recipe: tuple[str, ...]
) -> None:
    assert build_lawless(tmp_path, monkeypatch, lambda t: with_record(t, **changes), *recipe) == {"strata"}


def test_a_figure_beyond_the_recipe_s_gates_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_lawless(tmp_path / "in", monkeypatch, lambda t: with_record(t, gates={"halo": 0.01})) == set()
    assert build_lawless(tmp_path / "out", monkeypatch, lambda t: with_record(t, gates={"halo": 0.9})) == {"gates"}


def test_coverage_outside_the_recipe_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_lawless(tmp_path, monkeypatch, lambda t: t, "coverage.max=0.05") == {"coverage"}


# Replay


def replay(record: SampleRecord, face: Face, library: Any) -> Triplet:
    """Render as the fake generator does, from the record alone."""
    from fdgen.runtime.rng import sample_rng

    placed = record.placement[0]
    size = face.clean_HWC.shape[0]
    mask = np.zeros((size, size), np.uint8)
    mask[placed["top"] : placed["top"] + size // 3, placed["left_px"] : placed["left_px"] + size // 3] = 255
    rng = sample_rng(0, record.source_sha256, record.variant)
    rng.random()
    rng.integers(0, size // 2, 2)
    occluded = np.where(mask[..., None] > 0, rng.integers(0, 256, 3, np.uint8), face.clean_HWC)
    return Triplet(face.clean_HWC, occluded, mask, mask, record)


def replayer(root: Path, function: Any) -> Replayer:
    packed = {sha256: landmarks.to_bytes() for sha256, landmarks in read_landmarks(root / "landmarks.parquet")}
    return Replayer(packed, load_library(), function)


def test_a_deep_check_renders_again(sound: Path) -> None:
    assert verify(sound, deep=True, replayer=replayer(sound, replay)) == []

    def other(record: SampleRecord, face: Face, library: Any) -> Triplet:
        made = replay(record, face, library)
        return dataclasses.replace(made, alpha_HW=made.alpha_HW // 2)

    found = verify(sound, deep=True, replayer=replayer(sound, other))
    assert len(found) == COUNT
    assert found[0].law == "replay"
    assert found[0].message.startswith("rendered again, it differs in alpha (")
    assert "by 128 grey levels at most" in found[0].message


def test_a_deep_check_tells_what_cannot_be_rendered(sound: Path) -> None:
    def lost(record: SampleRecord, face: Face, library: Any) -> Triplet:
        raise AssetError("there is no asset 'mask-a'")

    found = verify(sound, deep=True, replayer=replayer(sound, lost))
    assert found[0].message == "it cannot be rendered again: there is no asset 'mask-a'"

    def tampered(record: SampleRecord, face: Face, library: Any) -> Triplet:
        raise KeyError("rotation")

    found = verify(sound, deep=True, replayer=replayer(sound, tampered))
    assert found[0].message == "it cannot be rendered again: its placement is not valid (KeyError: 'rotation')"
    found = verify(sound, deep=True, replayer=Replayer({}, load_library(), replay))
    assert "no row for its photograph" in found[0].message


@pytest.mark.parametrize("how", ["gone", "damaged", "another table"])
def test_a_deep_check_without_landmarks_is_a_problem_not_an_error(damaged: Path, how: str) -> None:
    path = damaged / "landmarks.parquet"
    if how == "gone":
        path.unlink()
    elif how == "damaged":
        path.write_bytes(b"PAR1" + path.read_bytes()[:50])
    else:
        shutil.copy(damaged / "sources.parquet", path)
        write_sums(damaged)
    found = [problem for problem in verify(damaged, deep=True) if problem.law == "replay"]
    assert [problem.file for problem in found] == ["landmarks.parquet"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("yaw_deg", "far"),
        ("identity", 7),
        ("variant", 1.5),
        ("held_out", 1),
        ("coverage", None),
        ("gates", {"halo": "low"}),
    ],
)
def test_a_record_of_other_types_is_a_receipt_that_cannot_be_read(damaged: Path, field: str, value: Any) -> None:
    path = min(damaged.glob("shards/train-*.json"))
    values = json.loads(path.read_text())
    values["samples"][0]["record"][field] = value
    path.write_text(canonical_json(values) + "\n")
    write_sums(damaged)
    (found,) = [problem for problem in verify(damaged) if problem.law == "receipt"]
    assert field in found.message


def test_a_set_of_another_generator_is_checked_but_not_rendered_again(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_by = Manifest.load(sound).dataset["generator"]
    monkeypatch.setattr("fdgen.versions.same_generator.GENERATOR_VERSION", made_by + 1)
    assert verify(sound) == []
    sentence = f"made by version {made_by} of the generator .* this is version {made_by + 1} .* makes other pixels"
    with pytest.raises(DatasetError, match=sentence) as refused:
        verify(sound, deep=True)
    assert f"GENERATOR_VERSION is {made_by}" in refused.value.hint
    manifest = Manifest.load(sound)
    with pytest.raises(DatasetError, match=sentence):
        replay_sample(manifest, str(manifest.table["key"].iloc[0]))

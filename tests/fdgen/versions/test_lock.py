"""The lock of a version: it is a function of the dataset, holds nothing private, and vouches for itself."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fdgen.contract.manifest import Manifest
from fdgen.dataset.checksums import write_sums
from fdgen.dataset.tables import read_landmark_digests, read_landmarks, read_manifest
from fdgen.errors import DatasetError
from fdgen.recipe.schema import Recipe
from fdgen.version import GENERATOR_VERSION, __version__
from fdgen.versions.lock import is_card, read_lock, write_lock
from fdgen.versions.lock_tables import content_of, known_digest
from tests.support.fake_build import FakeFaces, digests, run

FACES = FakeFaces.of(40)
COUNT = 24


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset that no test may write to."""
    out = tmp_path_factory.mktemp("built") / "set"
    run(out, FACES, 'strata.coverage={"0.03-0.30" = 0.5, "0.30-0.60" = 0.5}', count=COUNT, name="lost", version="1.0.0")
    return out


@pytest.fixture
def card(built: Path, tmp_path: Path) -> Path:
    """Return the card of that dataset, to damage."""
    write_lock(built, tmp_path / "card")
    return tmp_path / "card"


def test_a_lock_is_read_as_it_was_written(built: Path, tmp_path: Path) -> None:
    written = write_lock(built, tmp_path / "card")
    read = read_lock(tmp_path / "card")
    dataset = Manifest.load(built).dataset
    assert read.facts == written.facts
    assert read.recipe == written.recipe == dataset["recipe"]
    assert read.samples.equals(written.samples)
    assert read.sources.equals(written.sources)
    assert read.title == "lost 1.0.0"
    assert (read.facts["generator"], read.facts["release"]) == (GENERATOR_VERSION, __version__)
    for name in ("spec_id", "content_id", "assets", "shards", "rejects", "kinds", "splits", "environment", "count"):
        assert read.facts[name] == dataset[name]
    assert Recipe.from_dict(read.recipe).as_dict() == dataset["recipe"]
    assert Recipe.load(tmp_path / "card" / "recipe.toml").as_dict() == dataset["recipe"]


def test_its_rows_are_the_digests_of_the_dataset(built: Path, card: Path) -> None:
    lock, table = read_lock(card), Manifest.load(built).table
    rows = lock.samples.to_pandas()
    assert rows["key"].tolist() == table["key"].tolist()
    for name in ("alpha_png", "clean_png", "json", "mask_png", "occluded_png"):
        assert (rows[f"{name}_sha256"] == table[f"{name}_sha256"]).all()
    landmarks = {sha256: found.digest() for sha256, found in read_landmarks(built / "landmarks.parquet")}
    assert rows["landmarks_sha256"].tolist() == [landmarks[sha256] for sha256 in table["source_sha256"]]
    assert landmarks == read_landmark_digests(built / "landmarks.parquet")
    sources = sorted(FACES.sources(), key=lambda source: source.path)
    assert lock.sources.to_pylist() == [
        {"source": source.path, "digest": source.sha256[:16], "known": known_digest(source)} for source in sources
    ]


def test_content_id_comes_of_the_table_as_of_the_receipts(built: Path) -> None:
    dataset = Manifest.load(built).dataset
    assert content_of(dataset["shards"], read_manifest(built / "manifest.parquet")) == dataset["content_id"]


def test_equal_datasets_have_equal_locks_wherever_they_lie(built: Path, card: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "ein anderer Ort ünïcode"
    shutil.copytree(built, elsewhere / "set")
    write_lock(elsewhere / "set", elsewhere / "card")
    assert digests(elsewhere / "card") == digests(card)


def test_it_holds_no_path_of_this_machine_and_nobody_s_identity(built: Path, card: Path) -> None:
    import socket

    for path in card.iterdir():
        data = path.read_bytes()
        texts = [data]
        if path.suffix == ".parquet":
            texts += [json.dumps(pq.read_table(path).to_pylist()).encode()]
        for text in texts:
            assert str(built.parent).encode() not in text
            assert socket.gethostname().encode() not in text
            assert b"person-" not in text
            assert not re.search(rb"\x89PNG|20[2-9]\d-\d\d-\d\d", text)


def test_writing_it_again_changes_nothing_and_lists_what_others_added(built: Path, card: Path) -> None:
    (card / "README.md").write_text("# lost")
    before = digests(card)
    write_lock(built, card)
    after = digests(card)
    assert {name for name in after if before.get(name) != after[name]} == {"SHA256SUMS"}
    assert hashlib.sha256(b"# lost").hexdigest() + "  README.md" in (card / "SHA256SUMS").read_text()
    assert read_lock(card)


def test_every_flipped_bit_is_refused_in_one_sentence(card: Path) -> None:
    rng = random.Random(4)
    files = sorted(card.iterdir())
    for number in range(100):
        path = files[number % len(files)]
        data = path.read_bytes()
        place = rng.randrange(len(data))
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :])
        with pytest.raises(DatasetError) as caught:
            read_lock(card)
        assert str(card) in caught.value.message
        assert "\n" not in caught.value.message
        path.write_bytes(data)
    assert read_lock(card)


def forge_facts(card: Path, change: Callable[[dict[str, Any]], None]) -> None:
    facts = json.loads((card / "lock.json").read_text())
    change(facts)
    facts["files"] = {name: hashlib.sha256((card / name).read_bytes()).hexdigest() for name in facts["files"]}
    (card / "lock.json").write_text(json.dumps(facts))
    write_sums(card)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: facts.update(generator=1), "spec_id"),
        (lambda facts: facts["assets"].update({"mask-a": "00" * 32}), "spec_id"),
        (lambda facts: facts.update(count=None), "spec_id"),
        (lambda facts: facts["sources"].update(digest="00" * 32), "spec_id"),
        (lambda facts: facts["shards"][0].update(sha256="00" * 32), "content_id"),
        (lambda facts: facts["shards"].pop(), "shard"),
        (lambda facts: facts.update(made=3), "counts"),
        (lambda facts: facts.update(shards=[1]), "shards"),
        (lambda facts: facts.pop("name"), "'name'"),
        (lambda facts: facts.update(lock=2), "format"),
        (lambda facts: facts.update(name="../../elsewhere"), "name of a dataset"),
        (lambda facts: facts.update(version="1/../.."), "a version is"),
        (lambda facts: facts.update(landmark_models=5), "landmark_models"),
        (lambda facts: facts.update(count=10**400), "hundreds of digits"),
        (lambda facts: facts.update(sources=[]), "'sources'"),
    ],
)
def test_a_forger_who_mends_the_sums_is_found_by_the_ids(
    card: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    forge_facts(card, change)
    with pytest.raises(DatasetError, match=words):
        read_lock(card)


def test_a_forged_recipe_or_table_is_found_by_the_ids(card: Path, built: Path) -> None:
    recipe = card / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("seed = 0", "seed = 1"))
    forge_facts(card, lambda facts: None)
    with pytest.raises(DatasetError, match="spec_id"):
        read_lock(card)
    write_lock(built, card, replace=True)
    rows = pq.read_table(card / "samples.parquet").to_pylist()
    rows[0]["mask_png_sha256"] = "ab" * 32
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(card / "samples.parquet")), card / "samples.parquet")
    forge_facts(card, lambda facts: None)
    with pytest.raises(DatasetError, match="content_id"):
        read_lock(card)


@pytest.mark.parametrize("name", ["manifest.parquet", "landmarks.parquet", "dataset.json", "SHA256SUMS"])
def test_a_damaged_dataset_gets_no_lock(built: Path, tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(built, tmp_path / "set"))
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(DatasetError):
        write_lock(copy, tmp_path / "card")
    assert not (tmp_path / "card").exists()


def test_a_published_version_is_not_written_over_by_another(card: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run(other, FACES, "seed=5", count=COUNT, name="lost", version="1.0.0")
    before = digests(card)
    with pytest.raises(DatasetError, match="another content"):
        write_lock(other, card)
    assert digests(card) == before
    write_lock(other, card, replace=True)
    assert read_lock(card).recipe["seed"] == 5


def test_a_card_without_lock_takes_the_lock_of_its_own_recipe_alone(built: Path, card: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    wanted.mkdir()
    shutil.copy(card / "recipe.toml", wanted)
    assert is_card(wanted)
    with pytest.raises(DatasetError, match="no lock yet"):
        read_lock(wanted)
    other = tmp_path / "other"
    run(other, FACES, "seed=5", count=COUNT)
    with pytest.raises(DatasetError, match=r"recipe\.toml is not the recipe"):
        write_lock(other, wanted)
    write_lock(built, wanted)
    assert digests(wanted) == digests(card)


def test_no_card_at_all_is_a_sentence(built: Path, tmp_path: Path) -> None:
    for folder in (tmp_path / "gone", tmp_path, built):
        assert not is_card(folder)
        with pytest.raises(DatasetError, match="is not a card"):
            read_lock(folder)

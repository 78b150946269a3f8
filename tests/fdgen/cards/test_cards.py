"""Cards: numbers that are counted, words that stay the user's, and a check that finds every edit."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fdgen.analysis.skin_tone import ita_deg, tone
from fdgen.cards.card import Checked, check, default_out, write_card, write_planned
from fdgen.cards.numbers import gather, of_samples
from fdgen.cards.prose import EXPLAINED, read_prose, starting_text
from fdgen.contract.manifest import Manifest
from fdgen.dataset.checksums import sum_problems, write_sums
from fdgen.errors import DatasetError, RecipeError
from fdgen.io.markdown import bar
from fdgen.io.pictures.images import decode_png
from fdgen.recipe.schema import Recipe
from fdgen.verification.verifier import verify
from tests.fdgen.dataset.test_readers import read
from tests.support.fake_build import STRATIFIED, FakeFaces, digests, recipe, run
from tests.support.scenes import face, landmarks

SPLIT = ("splits.train=0.6", "splits.val=0.2", "splits.test=0.2")
SEVERAL = ("several.two=0.4", "several.three=0", "several.never=[]")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a dataset and its card, which no test may write to."""
    folder = tmp_path_factory.mktemp("made")
    run(folder / "set", FakeFaces.of(60), *SPLIT, *SEVERAL, steps=STRATIFIED, count=40, name="fakes", version="1.2.0")
    return folder / "set", write_card(folder / "set", folder / "card")


@pytest.fixture
def copy(made: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    for source in made:
        shutil.copytree(source, tmp_path / source.name)
    return tmp_path / "set", tmp_path / "card"


def said(found: Checked) -> str:
    return "\n".join(f"{one.file}: {one.message}" for one in found.problems)


def complaint(*of: Path) -> str:
    """Return what a check has to say, or to refuse."""
    try:
        return said(check(*of))
    except (RecipeError, DatasetError) as error:
        return error.message


def test_the_numbers_are_those_of_the_manifest(made: tuple[Path, Path]) -> None:
    root, card = made
    manifest = Manifest.load(root)
    table = manifest.table
    numbers = json.loads((card / "numbers.json").read_bytes())
    assert numbers == gather(manifest)
    kinds = Counter("+".join(json.loads(text)) for text in table["kinds"])
    assert {kind: sum(of.values()) for kind, of in numbers["kinds"].items()} == kinds
    assert {split: of["samples"] for split, of in numbers["splits"].items()} == Counter(table["split"])
    assert sum(numbers["coverage"].values()) == sum(numbers["yaw_deg"].values()) == len(table)
    for low, count in numbers["coverage"].items():
        low_percent = round(float(low) * 100)
        inside = (table["coverage"] * 100 >= low_percent) & (table["coverage"] * 100 < low_percent + 5)
        assert count == int(inside.sum())
    for low, count in numbers["yaw_deg"].items():
        assert count == int(((table["yaw_deg"] >= float(low)) & (table["yaw_deg"] < float(low) + 10)).sum())
    assert numbers["assets"] == Counter(one for text in table["asset_ids"] for one in json.loads(text))
    assert sum(numbers["skin_tone"].values()) == numbers["photographs_used"] == table["source_sha256"].nunique()
    assert numbers["rejects"] == manifest.dataset["rejects"]


def test_the_readme_tells_them(made: tuple[Path, Path]) -> None:
    _, card = made
    text = (card / "README.md").read_text(encoding="utf-8")
    numbers = json.loads((card / "numbers.json").read_bytes())
    assert numbers["content_id"] in text
    for kind, of in numbers["kinds"].items():
        cells = [of[split] for split in ("train", "val", "test")] + [sum(of.values())]
        assert f"| {kind} | {' | '.join(map(str, cells))} |" in text
    for reason, count in numbers["rejects"].items():
        assert f"| {reason} | {count} |" in text
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) > 10
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table
    assert "None" not in text
    assert not re.search(r"\bnan\b", text)


def test_the_front_matter_is_what_hugging_face_reads(made: tuple[Path, Path]) -> None:
    yaml = pytest.importorskip("yaml")
    _, card = made
    front = yaml.safe_load((card / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert front["license"] == "other"
    assert front["size_categories"] == ["n<1K"]
    assert [one["split"] for one in front["configs"][0]["data_files"]] == ["train", "validation", "test"]
    assert front["task_categories"] == ["image-to-image", "image-segmentation"]


def test_a_card_agrees_with_its_dataset_and_with_its_own_lock(made: tuple[Path, Path]) -> None:
    root, card = made
    assert check(root, card) == Checked(())
    assert check(card) == Checked(())
    assert verify(root) == []  # README.md and croissant.json are in the dataset's list of sums
    assert (root / "README.md").read_bytes() == (card / "README.md").read_bytes()
    assert default_out(Manifest.load(root).dataset) == Path("data_cards/fakes-1.2.0")


def test_writing_it_again_changes_nothing(copy: tuple[Path, Path]) -> None:
    root, card = copy
    before = digests(root), digests(card)
    assert write_card(root, card) == card
    assert (digests(root), digests(card)) == before
    run(root, FakeFaces.of(60), *SPLIT, *SEVERAL, steps=STRATIFIED, count=40)
    assert digests(root) == before[0]  # a rerun of the build keeps the files of the card


NUMBERS = re.compile(r"(?<![\w.])\d+(?!\w)")


@pytest.mark.slow
def test_every_number_that_is_edited_by_hand_is_found(copy: tuple[Path, Path]) -> None:
    """In the README each of them, in the JSON a share; with the list of sums made anew, so that it cannot tell."""
    root, card = copy
    for name, step in (("README.md", 7), ("numbers.json", 11), ("croissant.json", 23)):
        text = (card / name).read_text(encoding="utf-8")
        body = text.index("# ") if name == "README.md" else 0
        places = [match for match in NUMBERS.finditer(text) if match.start() > body]
        assert len(places) > 40
        for match in places[::step]:
            edited = text[: match.start()] + str(int(match[0]) + 1) + text[match.end() :]
            (card / name).write_text(edited, encoding="utf-8")
            write_sums(card)
            with_dataset = check(root, card).problems
            assert {one.file for one in with_dataset} == {name}, (match, with_dataset)
            assert any(str(int(match[0]) + 1) in one.message for one in with_dataset)
        (card / name).write_text(text, encoding="utf-8")
    write_sums(card)
    assert check(root, card) == Checked(())


@pytest.mark.parametrize("key", ["made", "kinds", "coverage", "rejects", "splits", "size_px", "content_id"])
def test_what_the_lock_shows_is_checked_without_the_dataset(copy: tuple[Path, Path], key: str) -> None:
    _, card = copy
    numbers: dict[str, Any] = json.loads((card / "numbers.json").read_bytes())
    values, inner = numbers, key
    while isinstance(values[inner], dict):
        values, inner = values[inner], next(iter(values[inner]))
    values[inner] = "0" * 64 if key == "content_id" else values[inner] + 1
    (card / "numbers.json").write_text(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_sums(card)
    assert re.search(rf"numbers\.json: {key}\S* is .*, and should be ", said(check(card)))


@pytest.mark.slow
def test_every_damaged_file_is_named(copy: tuple[Path, Path]) -> None:
    root, card = copy
    for name in [*digests(card), "extra.txt"]:
        path = card / name
        data = path.read_bytes() if path.exists() else None
        for damage in (b"", (data or b"x")[:-2] + b"~~", None):
            if damage is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(damage)
            if name != "extra.txt" or damage is not None:
                for of in ((root, card), (card,)):
                    assert name in complaint(*of), (name, damage)
        if data is not None:
            path.write_bytes(data)
    assert check(root, card) == check(card) == Checked(())


def test_words_are_the_users_and_stay(copy: tuple[Path, Path]) -> None:
    root, card = copy
    words = (card / "card.toml").read_text(encoding="utf-8")
    edited = words.replace('contact = ""', 'contact = "Jürgen | 李 <mail@example.org>"')
    edited = re.sub(r'^title = ".*"$', 'title = "Mine: \\"all\\" of it"', edited, flags=re.MULTILINE)
    (card / "card.toml").write_text(edited, encoding="utf-8")
    assert "README.md: line" in said(check(root, card))
    write_card(root, card)
    assert (card / "card.toml").read_text(encoding="utf-8") == edited
    text = (card / "README.md").read_text(encoding="utf-8")
    assert "Jürgen | 李 <mail@example.org>" in text
    assert '# Mine: "all" of it' in text
    assert check(root, card) == check(card) == Checked(())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("motivation =", "motivations ="), "did you mean 'motivation'"),
        (lambda text: text.replace('contact = ""', "contact = 3"), "contact must be text"),
        (lambda text: text.replace("authors = []", 'authors = "me"'), "authors must be a list of names"),
        (lambda text: text.replace('published = ""', 'published = "yesterday"'), "published must be a date"),
        (lambda text: text.replace('contact = ""\n', ""), "has no 'contact'"),
        (lambda text: text + "[planned]\nname = 'x'\n", r"\[planned\] has the keys"),
        (lambda text: text + "= = =", "cannot be read"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_written(copy: tuple[Path, Path], change: Any, words: str) -> None:
    root, card = copy
    path = card / "card.toml"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = digests(root), digests(card)
    with pytest.raises(RecipeError, match=words):
        write_card(root, card)
    assert (digests(root), digests(card)) == before


@pytest.mark.parametrize("kind", ["celeba", "samples", "folder", "another"])
def test_starting_words_say_everything_and_no_number_of_the_dataset(kind: str, tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text(starting_text(kind, "some-faces"), encoding="utf-8")
    prose = read_prose(tmp_path / "card.toml")
    assert prose.title == "Some faces"
    for name in EXPLAINED:
        if name not in ("authors", "contact", "url", "published", "citation", "licence_url"):
            assert getattr(prose, name), name
    assert ("research" in prose.licence) == (kind == "celeba")


def test_another_version_does_not_take_the_place_of_a_card(copy: tuple[Path, Path], tmp_path: Path) -> None:
    _, card = copy
    other = tmp_path / "other"
    run(other, FakeFaces.of(30), *SPLIT, count=20)
    before = digests(card)
    with pytest.raises(DatasetError, match="another content"):
        write_card(other, card)
    assert digests(card) == before
    assert "content_id is " in said(check(other, card))
    write_card(other, card, replace=True)
    assert check(other, card) == Checked(())
    with pytest.raises(DatasetError, match="lies within"):
        write_card(other, other / "card")
    with pytest.raises(DatasetError, match=r"it has no card\.toml"):
        check(other, tmp_path / "nowhere")


def test_a_dataset_without_a_version_is_refused(copy: tuple[Path, Path], tmp_path: Path) -> None:
    root, _ = copy
    path = root / "dataset.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"version": "1.2.0"', '"version": "8450f8fe2201"'), "utf-8"
    )
    write_sums(root)
    with pytest.raises(DatasetError, match="name and version") as told:
        write_card(root, tmp_path / "new")
    assert "--version" in told.value.hint
    assert not (tmp_path / "new").exists()


def test_a_card_that_nobody_has_filled_says_so_and_can_be_filled(tmp_path: Path) -> None:
    card, root = tmp_path / "card", tmp_path / "set"
    card.mkdir()
    (card / "recipe.toml").write_text(recipe(*SPLIT).to_toml(), encoding="utf-8")
    planned = '[planned]\nname = "fakes"\nversion = "2.0.0"\ncount = 20\nfaces = "celeba"\n'
    (card / "card.toml").write_text(starting_text("celeba", "fakes") + planned, encoding="utf-8")
    write_planned(card)
    assert check(card) == Checked((), planned=True)
    text = (card / "README.md").read_text(encoding="utf-8")
    assert "Not yet filled" in text
    assert "--count 20 --name fakes --version 2.0.0" in text
    (card / "README.md").write_text(text.replace("20 samples", "21 samples"), encoding="utf-8")
    assert "21 samples" in said(check(card))
    write_planned(card)
    run(root, FakeFaces.of(30), *SPLIT, count=20, name="fakes", version="2.0.0")
    write_card(root, card)
    assert "Not yet filled" not in (card / "README.md").read_text(encoding="utf-8")
    assert check(root, card) == check(card) == Checked(())
    assert Recipe.load(card / "recipe.toml").digest() == recipe(*SPLIT).digest()


READ_WITH_CROISSANT = """
import hashlib, json, sys
import numpy as np
import pandas as pd
import mlcroissant as mlc

path, mapping = sys.argv[1], json.loads(sys.argv[2])
dataset = mlc.Dataset(jsonld=path, mapping=mapping or None)
issues = dataset.metadata.ctx.issues
rows = {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings)}
rows["samples"] = [
    [r["samples/key"].decode(), r["samples/split"].decode(), r["samples/coverage"], r["samples/held_out"]]
    for r in dataset.records("samples")
]
for name in ("occluded", "clean", "mask", "alpha"):
    rows[name] = {
        r[f"{name}/key"].decode(): [hashlib.sha256(np.asarray(r[f"{name}/picture"]).tobytes()).hexdigest(),
                                    r[f"{name}/kinds"].decode()]
        for r in dataset.records(name)
    }
print()
print(json.dumps(rows))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mlcroissant") is None, reason="needs the development extra")
@pytest.mark.parametrize("within", ["dataset", "card"])
def test_mlcroissant_gives_our_pictures(made: tuple[Path, Path], tmp_path: Path, within: str) -> None:
    """From the dataset's folder as it is; from a card, which has no shards, by saying where they are."""
    root, card = made
    manifest = Manifest.load(root)
    files = {**{f"{one}.tar": f"shards/{one}.tar" for one in set(manifest.table["shard"])}, "manifest.parquet": ""}
    mapping = {name: str(root / (path or name)) for name, path in files.items()} if within == "card" else {}
    path = (card if within == "card" else root) / "croissant.json"
    rows = read(READ_WITH_CROISSANT, path, json.dumps(mapping), HOME=str(tmp_path))  # type: ignore[arg-type]
    assert rows["errors"] == []
    table = manifest.table
    assert rows["samples"] == table[["key", "split", "coverage", "held_out"]].to_numpy().tolist()
    for name in ("occluded", "clean", "mask", "alpha"):
        expected = {key: decode_png(manifest.read_member(key, f"{name}.png")) for key in manifest}
        assert {key: one[0] for key, one in rows[name].items()} == {
            key: hashlib.sha256(picture.tobytes()).hexdigest() for key, picture in expected.items()
        }
        assert {key: one[1] for key, one in rows[name].items()} == dict(zip(table["key"], table["kinds"], strict=True))


def test_croissant_has_the_fields_of_rai(made: tuple[Path, Path]) -> None:
    values = json.loads((made[1] / "croissant.json").read_bytes())
    assert "http://mlcommons.org/croissant/1.1" in values["conformsTo"]
    assert {name for name in values if name.startswith("rai:")} >= {
        "rai:dataCollection", "rai:dataBiases", "rai:dataLimitations", "rai:dataUseCases",
        "rai:personalSensitiveInformation", "rai:dataReleaseMaintenancePlan",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("skin", "expected"),
    [
        ((240, 215, 200), "very light"), ((220, 175, 140), "light"), ((200, 155, 125), "intermediate"),
        ((170, 125, 95), "tan"), ((130, 90, 65), "brown"), ((60, 38, 28), "dark"),
    ],
)  # fmt: skip
def test_skin_tone_against_another_implementation(skin: tuple[int, int, int], expected: str) -> None:
    color = pytest.importorskip("skimage.color")
    one = face(skin=skin)
    found = ita_deg(one.clean_HWC, one.landmarks.points_px)
    lightness, _, yellow = color.rgb2lab(np.array(skin, np.float64) / 255)
    assert found == pytest.approx(np.degrees(np.arctan2(lightness - 50, yellow)), abs=1.5)
    assert tone(float(found or 0)) == expected


def test_a_face_that_is_not_seen_has_no_tone() -> None:
    points = landmarks().points_px.copy()
    points[:, :2] = points[:, :2].mean(0)
    assert ita_deg(np.zeros((256, 256, 3), np.uint8), points) is None


def test_bars() -> None:
    assert [len(bar(share)) for share in (0.0, 1e-9, 0.05, 1.0)] == [0, 1, 1, 20]
    assert bar(0.975) != bar(1.0)


def test_the_list_of_sums_names_every_file(made: tuple[Path, Path]) -> None:
    assert sum_problems(made[1]) == []


def test_kinds_as_frequent_are_told_by_their_names() -> None:
    """Not by the order in which they come, nor by what the release of a library makes of ties: a card is one text."""
    rows = [("phone", "train"), ("mask", "val"), ("hat", "test"), ("mask", "train"), ("phone", "train")]
    table = pd.DataFrame(
        {
            "kinds": [json.dumps([kind]) for kind, _ in rows],
            "split": [split for _, split in rows],
            "source_sha256": [str(number) for number in range(len(rows))],
            "asset_ids": [json.dumps([kind]) for kind, _ in rows],
            **dict.fromkeys(["coverage", "coverage_face", "yaw_deg", "pitch_deg", "roll_deg"], 0.25),
        }
    )
    assert list(of_samples(table)["kinds"]) == ["mask", "phone", "hat"]
    assert list(of_samples(table[::-1])["kinds"]) == ["mask", "phone", "hat"]

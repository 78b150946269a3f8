"""Training without a dataset: the same triplets in any worker, other ones each epoch, a run that resumes bit by bit."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fdgen.errors import DatasetError
from fdgen.faces.cache import FaceCache
from fdtrain.cards.model_card import gather, write_card
from fdtrain.config.schema import FitConfig
from fdtrain.data.loader import Batches
from fdtrain.data.on_the_fly.faces import find_faces
from fdtrain.data.open_samples import open_samples, resolve_kinds
from fdtrain.data.sampler import Draw, EpochSampler
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import ConfigError, RunError
from fdtrain.inference.models import Models
from fdtrain.training import loop
from fdtrain.training.checkpoint import load_state, read_facts, receipts
from fdtrain.training.loop import fit
from fdtrain.training.run import read_record
from tests.support import fresh
from tests.support.fake_build import OVERRIDES, FakeFaces
from tests.support.fresh import use_fake_faces
from tests.support.micro import MICRO

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
SMALL = ("data.on_the_fly.faces=made-up", ("data.on_the_fly.overrides", list(OVERRIDES)))


def asked(*overrides: str | tuple[str, Any]) -> FitConfig:
    return FitConfig.load("tiny", overrides=[*MICRO, *SMALL, *overrides])


@pytest.fixture(autouse=True)
def _fake_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake_faces(monkeypatch, tmp_path / "cache")


def opened(config: FitConfig, split: str = "train", **options: Any) -> Any:
    return open_samples(config, split, faces=find_faces(config), **options)


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "start"), [(2, "fork"), (1, "spawn")])
def test_any_number_of_workers_gives_the_same_batches(workers: int, start: str) -> None:
    config = asked("data.augment=mild")
    train = opened(config)

    def batches(workers: int, start: str | None) -> list[Any]:
        order = EpochSampler(len(train), seed=1)
        found = iter(Batches(train, order, batch=4, workers=workers, start=start))
        return [next(found) for _ in range(12)]  # past the end of the first epoch

    if start == "spawn":  # a new process has no fake steps in place of the real ones; what it gets was pickled
        assert fresh.STEPS is train.fresh.found.steps
    for expected, found in zip(batches(0, None), batches(workers, start), strict=True):
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_each_epoch_has_another_occluder_and_the_same_faces() -> None:
    train = opened(asked("data.augment=none"), levels=True)
    first, again, second = (train[Draw(0, epoch)] for epoch in (0, 0, 1))
    assert torch.equal(first["occluded"], again["occluded"])
    assert torch.equal(first["clean"], second["clean"])
    assert not torch.equal(first["mask"], second["mask"])
    other_seed = opened(asked("seed=5", "data.augment=none"), levels=True)
    assert not torch.equal(first["mask"], other_seed[Draw(0, 0)]["mask"])
    assert train.content_id == other_seed.content_id  # as runs with other seeds have one dataset


def test_the_pair_is_exact_at_the_training_size() -> None:
    train = opened(asked())
    for epoch in range(3):
        sample = train[Draw(epoch, epoch)]
        changed = (sample["occluded"] != sample["clean"]).any(0, keepdim=True)
        assert changed.any()
        assert not (changed & (sample["mask"] == 0)).any()


def test_validation_is_drawn_once_from_faces_that_training_never_sees() -> None:
    config = asked()
    validation, train = opened(config, "val", fixed=True, limit=4), opened(config)
    assert len(validation) == 4
    assert set(validation.table["source"]).isdisjoint(train.table["source"])
    first, later = validation[0], validation[Draw(0, 7)]
    assert all(torch.equal(first[name], later[name]) for name in ("occluded", "clean", "mask"))
    assert "gave_none" not in first
    again = opened(asked("seed=9"), "val", fixed=True, limit=4)
    assert torch.equal(first["occluded"], again[0]["occluded"])  # runs of several seeds are comparable
    everybody = opened(config, "val", fixed=True)
    assert fresh.BARREN[1] not in set(everybody.table["source"])  # left out, and replaced by nobody
    assert everybody.table["source"].is_unique
    assert set(validation.table["kind"]) <= {"hand", "mask", "sunglasses"}


def test_landmarks_are_found_once(tmp_path: Path) -> None:
    fresh.LOOKED_AT.clear()
    opened(asked())
    assert len(fresh.LOOKED_AT) == len(fresh.FACES.numbers)
    opened(asked("seed=4"))
    assert len(fresh.LOOKED_AT) == len(fresh.FACES.numbers)
    assert (tmp_path / "cache" / "faces.sqlite").is_file()


def test_a_cache_that_has_lost_them_is_told_of(tmp_path: Path) -> None:
    train = opened(asked())
    (tmp_path / "cache" / "faces.sqlite").unlink()
    FaceCache(tmp_path / "cache" / "faces.sqlite").close()
    with pytest.raises(DatasetError, match="has lost the landmarks of some/"):
        train[Draw(0, 0)]


def test_a_face_that_gives_none_leaves_its_turn_to_the_next() -> None:
    train = opened(asked("data.augment=none"))
    found = {index: int(train[Draw(index, 3)]["gave_none"]) for index in range(len(train))}
    barren = {index for index, place in found.items() if place == index}
    assert all(place in (-1, index) for index, place in found.items())
    for index in barren:
        clean = train[Draw(index, 3)]["clean"]
        assert torch.equal(clean, train[Draw((index + 1) % len(train), 3)]["clean"])
    assert barren == {int(train.table.index[train.table["source"] == fresh.BARREN[0]][0])}


def test_a_recipe_that_nothing_satisfies_is_told_of() -> None:
    train = opened(asked(("data.on_the_fly.overrides", [*OVERRIDES, "gates.max_halo=0"])), levels=True)
    with pytest.raises(DatasetError, match=r"faces of nowhere in a row gave no triplet, the last of them some/"):
        train[Draw(0, 0)]


def test_masks_are_learnt_on_the_fly_too() -> None:
    config = resolve_kinds(
        FitConfig.load("mask", overrides=[*SMALL, "data.size_px=64", "mask.bare=0.5", "mask.backdrop=0.5"])
    )
    assert config.mask is not None
    assert set(config.mask.kinds or ()) >= {"hand", "mask", "sunglasses"}
    train = opened(config)
    for epoch in range(6):
        sample = train[Draw(0, epoch)]
        bare = train.is_bare(0, epoch)
        assert bool(sample["silhouette"].any()) is not bare
        assert float(sample["kinds"].sum()) == (0 if bare else 1)


class Crash(BaseException):
    """What a kill looks like from inside."""


def state_of(run_dir: Path) -> dict[str, Any]:
    return load_state(receipts(run_dir / "checkpoints")[-1])


@pytest.mark.slow
def test_a_run_that_is_killed_ends_bit_by_bit_as_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = asked()
    assert fit(config, tmp_path / "whole").finished
    real, left = loop.save_state, [2]

    def crash(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Crash
        return real(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_state", crash)
        with pytest.raises(Crash):
            fit(config, tmp_path / "killed")
    notes: list[str] = []
    assert fit(asked("machine.workers=2"), tmp_path / "killed", on_note=notes.append).finished
    assert any("going on after 32 of 96 images" in note for note in notes)
    for name in ("best", "last"):
        one, other = (tmp_path / run / "weights" / f"{name}.safetensors" for run in ("whole", "killed"))
        if name == "last":
            states = state_of(tmp_path / "whole")["model"], state_of(tmp_path / "killed")["model"]
            assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        assert read_facts(one)["content_id"] == read_facts(other)["content_id"]


@pytest.mark.slow
def test_a_run_records_what_it_was_drawn_from(tmp_path: Path) -> None:
    config, run, notes = asked("training.images=32"), tmp_path / "run", list[str]()
    assert fit(config, run, on_note=notes.append).finished
    record = read_record(run)
    assert record is not None
    assert record.on_the_fly is not None
    assert record.on_the_fly["recipe"]["size_px"] == 64
    assert record.on_the_fly["generator"] == fresh_generator()
    assert record.on_the_fly["sources"]["count"] == len(fresh.FACES.numbers)
    assert record.on_the_fly["rejects"] == {"duplicate": 1, "no-face": 6}
    assert sum(record.on_the_fly["splits"][split] for split in ("train", "val", "test")) == 54
    assert record.dataset == "default, on the fly"
    assert "made-up" not in (run / "run.json").read_text(encoding="utf-8")
    with (run / "rejects.csv").open(encoding="utf-8", newline="") as file:
        assert sum(row["reason"] == "no-face" for row in csv.DictReader(file)) == 6
    assert any("7 of 61 photographs cannot be used (no-face 6, duplicate 1): see rejects.csv" in note for note in notes)
    assert any(f"another took their turn: 1 ({fresh.BARREN[0]})" in note for note in notes)
    facts = read_facts(run / "weights" / "last.safetensors")
    assert facts["on_the_fly"] == json.loads(json.dumps(record.on_the_fly))


def test_a_card_and_an_evaluation_know_where_the_data_came_from(tmp_path: Path, triplets: Path) -> None:
    run = tmp_path / "run"
    fit(asked("training.images=16", "data.size_px=32"), run)
    facts = gather(run)
    assert facts["data"]["splits"] == {"train": 27, "val": 15, "test": 12}
    folder = write_card(run, facts, tmp_path / "card")
    text = (folder / "README.md").read_text(encoding="utf-8")
    for told in ("default, on the fly", "hand ", "fdtrain fit --faces FOLDER --recipe FILE"):
        assert told in text
    models = Models.open([run], device="cpu")
    dataset = TripletDataset(triplets, "test", size_px=32)  # built of the same photographs
    assert models.notes(dataset) == []
    dataset.division = "of other photographs"
    assert "whose train split may hold these faces" in models.notes(dataset)[0]


def fresh_generator() -> int:
    from fdgen.version import GENERATOR_VERSION

    return GENERATOR_VERSION


def test_other_faces_or_another_recipe_are_refused_in_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, triplets: Path
) -> None:
    run = tmp_path / "run"
    fit(asked("training.images=16"), run)
    wider = ("data.on_the_fly.overrides", [*OVERRIDES, "coverage.max=0.5"])
    with pytest.raises(RunError, match=r"on the fly has changed under .*recipe.coverage.max was .*, now it is 0.5"):
        fit(asked("training.images=16", wider), run)
    with monkeypatch.context() as patched:
        use_fake_faces(patched, tmp_path / "cache", FakeFaces.of(56, official=True, identities=False))
        with pytest.raises(RunError, match=r"sources.count was 60, now it is 56"):
            fit(asked("training.images=16"), run)
    of_a_dataset = FitConfig.load("tiny", overrides=[*MICRO, ("data.root", str(triplets))])
    with pytest.raises(RunError, match="was begun with photographs occluded on the fly, which it is not now"):
        fit(of_a_dataset, run)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["data.root=some-set"], "must have a dataset (--data some-set) or photographs"),
        (["data.kinds=mask"], "must leave data.kinds alone with data.on_the_fly"),
        (["data.without=mask"], "must leave data.without alone"),
        (["data.without_samples=f0-0"], "must leave data.without_samples alone"),
        (["data.mix=0.8"], "must have a data.mix of 0 with data.on_the_fly, got 0.8"),
        (["data.verify=true"], "must have data.verify off"),
        (["data.on_the_fly.recip=masks"], "there is no setting 'data.on_the_fly.recip'"),
    ],
)
def test_settings_that_speak_of_a_dataset_are_refused(overrides: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        asked(*overrides)
    assert sentence in told.value.message


def test_a_recipe_without_photographs_is_refused(triplets: Path) -> None:
    with pytest.raises(ConfigError, match=r"must have data\.on_the_fly\.faces, the folder of photographs"):
        FitConfig.load("tiny", overrides=["data.on_the_fly.recipe=masks"])
    assert FitConfig.load("tiny", overrides=[("data.root", str(triplets))]).data.mix == 0.8
    assert asked().data.mix == 0.0  # presets mix for what a dataset lacks


def test_paths_are_not_written_down() -> None:
    config = asked("data.on_the_fly.recipe=/somewhere/mine.toml")
    assert "made-up" not in config.to_toml()
    assert "somewhere" not in config.to_toml() + str(config.as_dict())
    plain = FitConfig.load("tiny", overrides=[*MICRO, "data.mix=0"])
    assert config.as_dict() == plain.as_dict()


def test_a_dataset_has_no_such_field(triplets: Path) -> None:
    assert "gave_none" not in TripletDataset(triplets, "train", size_px=32)[0]

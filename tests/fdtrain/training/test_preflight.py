"""What is found before the first step: wrong masks, leaks, too little room, missing or wrong weights."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from fdgen.errors import DatasetError, PictureError
from fdtrain.config.schema import FitConfig
from fdtrain.data.triplets import Pictures, TripletDataset
from fdtrain.errors import CheckpointError, DeviceError, PerceptualError, RunError
from fdtrain.networks.fdstack import StackedGAN
from fdtrain.objectives.perceptual import PerceptualLoss, load_perceptual
from fdtrain.restoration.files import list_photos
from fdtrain.run_files import make_folder
from fdtrain.runtime.device import computing, open_device
from fdtrain.training import preflight
from fdtrain.training.checkpoint import load_model, read_facts, save_model
from fdtrain.training.cost import cost_of
from fdtrain.training.loop import fit
from fdtrain.training.run import refuse_occupied, require_run
from fdtrain.training.weight_files import find_weights
from tests.support.backbones import vgg_state
from tests.support.micro import micro
from tests.support.sets import rewrite_manifest


def turned(pictures: Pictures) -> Pictures:
    return pictures._replace(mask_HW=255 - pictures.mask_HW)


def emptied(pictures: Pictures) -> Pictures:
    return pictures._replace(mask_HW=np.zeros_like(pictures.mask_HW), occluded_HWC=pictures.clean_HWC)


def filled(pictures: Pictures) -> Pictures:
    return pictures._replace(mask_HW=np.full_like(pictures.mask_HW, 255))


def smeared(pictures: Pictures) -> Pictures:
    occluded = pictures.occluded_HWC.copy()
    occluded[0, :5] ^= 1
    return pictures._replace(occluded_HWC=occluded)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (turned, "are upside down"),
        (emptied, "is empty"),
        (filled, "covers everything"),
        (smeared, "5 pixels outside its mask differ"),
    ],
)
def test_wrong_masks_are_found(
    damage: Callable[[Pictures], Pictures], words: str, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TripletDataset.stored
    monkeypatch.setattr(TripletDataset, "stored", lambda self, *place: damage(real(self, *place)))
    with pytest.raises(DatasetError, match=words) as raised:
        fit(micro(triplets), tmp_path / "run")
    assert str(triplets) in raised.value.message
    assert not (tmp_path / "run" / "run.json").exists()


def altered(triplets: Path, tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame | None]) -> Path:
    """Return a copy of the dataset with another manifest."""
    root = Path(shutil.copytree(triplets, tmp_path / "set"))
    table = pd.read_parquet(root / "manifest.parquet")
    changed = change(table)
    table = table if changed is None else changed
    rewrite_manifest(root / "manifest.parquet", table)
    path = root / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "made": len(table)}), encoding="utf-8")
    return root


def test_a_photograph_in_two_splits_is_refused(triplets: Path, tmp_path: Path) -> None:
    def leak(table: pd.DataFrame) -> None:
        test = table.index[table["split"] == "test"][0]
        train = table.index[table["split"] == "train"][0]
        table.loc[test, "source_sha256"] = table.loc[train, "source_sha256"]

    with pytest.raises(DatasetError, match=r"leaks: 1 photograph in more than one split \(.* in train, test\)"):
        fit(micro(altered(triplets, tmp_path, leak)), tmp_path / "run")


def test_a_person_in_two_splits_is_refused(triplets: Path, tmp_path: Path) -> None:
    def leak(table: pd.DataFrame) -> None:
        table["identity"] = "the same one"

    with pytest.raises(
        DatasetError, match=r"leaks: 1 person in more than one split \(the same one in train, val, test"
    ):
        fit(micro(altered(triplets, tmp_path, leak)), tmp_path / "run")


def test_without_a_validation_split_the_last_weights_are_kept_and_it_is_said(triplets: Path, tmp_path: Path) -> None:
    def move(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["split"] == "train"]

    notes: list[str] = []
    root = altered(triplets, tmp_path, move)
    summary = fit(micro(root, "training.images=16"), tmp_path / "run", on_note=notes.append)
    assert any("no validation split" in note for note in notes)
    assert any("no test split" in note for note in notes)
    assert summary.score is None
    assert summary.weights.name == "last.safetensors"
    assert summary.weights.is_file()


def test_an_empty_train_split_is_refused(triplets: Path, tmp_path: Path) -> None:
    def move(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["split"] != "train"]

    with pytest.raises(DatasetError, match="the train split of .* is empty"):  # noqa: RUF043
        fit(micro(altered(triplets, tmp_path, move)), tmp_path / "run")


def test_a_full_disk_is_foreseen(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RunError, match=r"has 100 kB free, and the checkpoints of this run need [\d.]+ MB"):
        fit(micro(triplets), tmp_path / "run")


def test_too_little_memory_is_foreseen(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_memory", lambda device: (100_000, 100_000))
    with pytest.raises(DeviceError, match=r"a batch of 4 at 32 px needs about .* of memory") as raised:
        fit(micro(triplets), tmp_path / "run")
    assert "--set training.batch=2" in raised.value.hint
    monkeypatch.setattr(preflight, "_memory", lambda device: (10**12, 100_000))
    notes: list[str] = []
    fit(micro(triplets, "training.images=4"), tmp_path / "run", on_note=notes.append)
    assert any("memory may not suffice" in note for note in notes)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_runs_out_is_a_sentence(error: Exception, triplets: Path) -> None:
    words = "cpu has too little memory for a batch of 4 at 32 px"
    with pytest.raises(DeviceError, match=words) as raised, computing(micro(triplets), torch.device("cpu")):
        raise error
    assert "--set training.batch=2" in raised.value.hint


def test_other_errors_stay_what_they_are(triplets: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"), computing(micro(triplets), torch.device("cpu")):
        raise RuntimeError("shapes do not match")


def test_a_gpu_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="the GPU 'cuda:3' is not there"):
        open_device("cuda:3")
    assert open_device("auto") == torch.device("cpu")


def test_costs_are_those_of_the_real_networks(triplets: Path) -> None:
    config = micro(triplets)
    model = StackedGAN(config.network, config.data.size_px)
    assert cost_of(config).parameters == sum(p.numel() for p in model.parameters())
    # One convolution by hand: 3 x 3 x 8 x 8 at 8 x 8 px would be 36,864 multiplications; the whole is a small multiple.
    assert 1e-4 < cost_of(config).gmacs < 1e-1


# Weights.


def test_weights_that_are_not_ours_are_refused(triplets: Path, tmp_path: Path) -> None:
    config = micro(triplets)
    model = StackedGAN(config.network, config.data.size_px)
    path = tmp_path / "weights.safetensors"
    save_model(path, model, {"config": config.as_dict()})
    assert all(torch.equal(a, b) for a, b in zip(load_model(path).parameters(), model.parameters(), strict=True))

    (tmp_path / "short.safetensors").write_bytes(path.read_bytes()[:-100])
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    other = {"config": {**config.as_dict(), "network": {**config.as_dict()["network"], "widths": [8, 8, 16, 16, 32]}}}
    save_model(tmp_path / "other.safetensors", model, other)
    future = {"config": {**config.as_dict(), "surprise": 1}}
    save_model(tmp_path / "future.safetensors", model, future)
    for name, words in (
        ("missing", "there is no file of weights"),
        ("short", "is not a whole safetensors file"),
        ("foreign", "was not written by fdtrain"),
        ("other", "holds weights of another architecture than its config says"),
        ("future", "a config that this version does not know: there is no setting 'surprise'"),
    ):
        with pytest.raises(CheckpointError, match=words) as raised:
            load_model(tmp_path / f"{name}.safetensors")
        assert name in raised.value.message
        assert raised.value.hint
    with pytest.raises(CheckpointError, match=r"is not a run with weights: it has no weights/last"):
        find_weights(tmp_path)
    (tmp_path / "run.json").touch()
    with pytest.raises(CheckpointError, match="holds no weights yet"):
        find_weights(tmp_path)
    with pytest.raises(CheckpointError, match="is not a run with weights: it is a dataset") as raised:
        find_weights(triplets)
    assert "--data" in raised.value.hint
    assert json.dumps(read_facts(path))


def test_a_run_is_not_mixed_into_something_else(triplets: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(triplets, tmp_path / "set"))
    before = sorted(path.name for path in root.iterdir())
    with pytest.raises(RunError, match="set is a dataset, and a run of `fdtrain fit` would be mixed into it"):
        fit(micro(triplets), root)
    with pytest.raises(RunError, match="set is a dataset, and results would be mixed into it"):
        make_folder(root)
    assert sorted(path.name for path in root.iterdir()) == before
    (tmp_path / "compare.json").touch()
    with pytest.raises(RunError, match="is a comparison, and a run"):
        fit(micro(triplets), tmp_path)
    refuse_occupied(tmp_path, "a comparison")
    with pytest.raises(RunError, match=r"is not a run: it is a dataset"):
        require_run(root)
    with pytest.raises(RunError, match=r"is not a run: there is no such folder"):
        require_run(tmp_path / "nowhere")
    for given in (root, Path(fit(micro(triplets, "training.images=4"), tmp_path / "run").run_dir)):
        with pytest.raises(PictureError, match=r"not a folder of photographs"):
            list_photos([given])


# The perceptual network.


def test_the_features_are_torchvisions(tmp_path: Path) -> None:
    from torchvision.models import vgg19

    with torch.random.fork_rng(devices=[]):
        reference = vgg19(weights=None).features.eval()
    file = tmp_path / "vgg19.pth"
    torch.save({f"features.{name}": value for name, value in reference.state_dict().items()}, file)
    ours = load_perceptual("vgg19", str(file), ("relu1_1", "relu2_1", "relu3_1"))
    assert isinstance(ours, PerceptualLoss)
    assert len(ours.sha256) == 64
    picture = torch.rand(1, 3, 32, 32)
    normalised = (picture - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    expected = [reference[:depth](normalised) for depth in (2, 7, 12)]
    for found, wanted in zip(ours.features(picture * 2 - 1), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert float(ours.distance(picture * 2 - 1, ours.features(picture * 2 - 1))) == 0


def test_the_network_of_stlpips_has_its_own_name_and_pooling(tmp_path: Path) -> None:
    file = tmp_path / "stlpips.pth"
    torch.save(vgg_state("vgg16-stlpips", "net.slice1."), file)
    loss = load_perceptual("vgg16-stlpips", str(file), ("relu1_1", "relu5_1"))
    assert loss is not None
    picture = torch.rand(2, 3, 32, 32, requires_grad=True)
    maps = loss.features(picture)
    assert [tuple(found.shape) for found in maps] == [(2, 64, 32, 32), (2, 512, 2, 2)]
    distance = loss.distance(picture, loss.features(torch.zeros(2, 3, 32, 32)))
    (gradient,) = torch.autograd.grad(distance, picture)
    assert gradient.abs().sum() > 0
    assert not any(p.requires_grad for p in loss.parameters())


def test_relative_distances_do_not_know_the_scale_of_a_layer(tmp_path: Path) -> None:
    state = vgg_state("vgg16-stlpips", "net.slice1.")
    louder = {**state, "net.slice1.0.weight": state["net.slice1.0.weight"] * 50}
    clean, image = torch.rand(2, 1, 3, 16, 16).unbind()
    found = {}
    for name, weights in (("plain", state), ("louder", louder)):
        torch.save(weights, tmp_path / f"{name}.pth")
        for relative in (False, True):
            loss = load_perceptual("vgg16-stlpips", str(tmp_path / f"{name}.pth"), ("relu1_1",), relative=relative)
            assert loss is not None
            found[name, relative] = float(loss.distance(image, loss.features(clean)))
    assert found["louder", True] == pytest.approx(found["plain", True], rel=1e-3)
    assert found["louder", False] == pytest.approx(50 * found["plain", False], rel=1e-3)


def test_off_is_off() -> None:
    assert load_perceptual("off", "", ()) is None


def test_missing_or_wrong_perceptual_weights_name_three_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "stlpips_pytorch", None)
    torch.save(vgg_state("vgg16-stlpips", "features."), tmp_path / "vgg16.pth")
    (tmp_path / "broken.pth").write_bytes(b"not weights")
    for name, file, words in (
        ("vgg19", "", "VGG-19's weights"),
        ("vgg19", str(tmp_path / "vgg16.pth"), "does not hold the weights of vgg19"),
        ("vgg19", str(tmp_path / "broken.pth"), "is not a whole file of torch weights"),
        ("vgg19", str(tmp_path / "missing.pth"), "there is no such file"),
    ):
        with pytest.raises(PerceptualError, match=words) as raised:
            load_perceptual(name, file, ("relu1_1",))
        for way in ("--perceptual-weights FILE", "vgg16-stlpips", "loss.perceptual=off"):
            assert way in raised.value.hint


def test_an_unknown_layer_is_refused(tmp_path: Path) -> None:
    torch.save(vgg_state("vgg16-stlpips", "net.slice1."), tmp_path / "stlpips.pth")
    with pytest.raises(PerceptualError, match="has no layer 'relu3_4'"):
        load_perceptual("vgg16-stlpips", str(tmp_path / "stlpips.pth"), ("relu3_4",))


def test_the_hash_of_the_perceptual_weights_ties_a_run_to_them(triplets: Path, tmp_path: Path) -> None:
    state = vgg_state("vgg16-stlpips", "net.slice1.")
    torch.save(state, tmp_path / "one.pth")
    torch.save({**state, "net.slice1.0.bias": torch.ones(64)}, tmp_path / "other.pth")

    def config(name: str, images: int) -> FitConfig:
        return micro(
            triplets, "loss.perceptual=vgg16-stlpips", "loss.perceptual_layers=['relu1_1','relu2_1']",
            f"training.images={images}", ("loss.perceptual_weights", str(tmp_path / name)),
        )  # fmt: skip

    fit(config("one.pth", 8), tmp_path / "run")
    facts = read_facts(tmp_path / "run" / "weights" / "last.safetensors")
    assert facts["perceptual_sha256"]
    assert str(tmp_path) not in json.dumps(facts)
    with pytest.raises(RunError, match="the perceptual weights are another file"):
        fit(config("other.pth", 16), tmp_path / "run")

"""The mask network in training: silhouettes as they are read and varied, the loop, resumption, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fdgen.contract.manifest import Manifest
from fdgen.errors import DatasetError
from fdtrain.config.schema import FitConfig
from fdtrain.data.augment_silhouettes import PhotographAugment
from fdtrain.data.loader import Batches
from fdtrain.data.open_samples import open_samples
from fdtrain.data.sampler import Draw
from fdtrain.data.silhouettes import Seen, SilhouetteDataset
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import CheckpointError, ConfigError
from fdtrain.networks.masknet import MaskNet
from fdtrain.objectives.mask_validation import MASK_SCORE, fitted_temperature, validate_masks
from fdtrain.training.checkpoint import load_masknet, load_model, load_state, read_facts, receipts
from fdtrain.training.ema import averaged, follow
from fdtrain.training.loop import fit
from fdtrain.training.run import read_record
from fdtrain.training.stats import read_stats
from tests.support.sets import write_set
from tests.support.weights import write_mask_weights, write_weights

SMALL = (
    "data.size_px=32",
    "mask.widths=[8,12,16]",
    "training.batch=4",
    "training.images=48",
    "training.warmup_images=8",
    "training.ema_decay=0.9",
    "training.precision=fp32",  # `auto` is timed, and two runs of a busy machine may choose differently
    "output.stats_images=16",
    "output.checkpoint_images=16",
    "output.validation_images=24",
    "output.sample_images=48",
    "output.validation_limit=4",
    "output.samples=2",
    "machine.threads=1",
    "machine.device=cpu",
)


def small(root: Path, *overrides: str | tuple[str, Any]) -> FitConfig:
    return FitConfig.load("mask-96", overrides=[*SMALL, ("data.root", str(root)), *overrides])


def tensors_of(state: Any, at: str = "") -> dict[str, Any]:
    """Return the leaves of a nested state by their path."""
    if isinstance(state, dict):
        return {k: v for name, part in state.items() for k, v in tensors_of(part, f"{at}/{name}").items()}
    if isinstance(state, list | tuple):
        return {k: v for i, part in enumerate(state) for k, v in tensors_of(part, f"{at}/{i}").items()}
    return {at: state.tolist() if isinstance(state, torch.Tensor) else state}


@pytest.fixture(scope="module")
def whole(triplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was never stopped."""
    out = tmp_path_factory.mktemp("mask") / "run"
    assert fit(small(triplets), out).finished
    return out


# What is learnt from.


def test_some_samples_are_drawn_bare_anew_each_epoch(triplets: Path) -> None:
    bare = SilhouetteDataset(triplets, "train", size_px=32, known_kinds=("mask", "hand"), bare=1.0)
    worn = SilhouetteDataset(triplets, "train", size_px=32, known_kinds=("mask", "hand"))
    clean = TripletDataset(triplets, "train", size_px=32)
    assert any(worn[index]["kinds"].any() for index in range(len(worn)))
    for index in range(len(bare)):
        assert torch.equal(bare[index]["occluded"], clean[index]["clean"])
        assert not bare[index]["silhouette"].any()
        assert not bare[index]["kinds"].any()
    half = SilhouetteDataset(triplets, "train", size_px=32, bare=0.5, seed=3)
    drawn = [[half.is_bare(index, epoch) for index in range(len(half))] for epoch in range(200 // len(half) + 1)]
    assert drawn[0] != drawn[1]
    assert 0.35 < np.mean(drawn) < 0.65
    assert [half[Draw(0, epoch)]["silhouette"].any().item() for epoch in range(9)] == [not one[0] for one in drawn[:9]]


def test_a_backdrop_that_is_not_drawn_reads_no_other_picture(triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = SilhouetteDataset(triplets, "train", size_px=32, backdrop=1e-9)
    monkeypatch.setattr(data, "bare_face", lambda index: pytest.fail("read"))
    plain = SilhouetteDataset(triplets, "train", size_px=32)
    assert all(torch.equal(data[index]["occluded"], plain[index]["occluded"]) for index in range(len(data)))


def test_only_training_draws_bare(triplets: Path) -> None:
    config = small(triplets, ("mask.bare", 1.0))
    trained, measured = open_samples(config, "train"), open_samples(config, "train", fixed=True)
    assert not trained[0]["silhouette"].any()
    assert measured[0]["silhouette"].any()


def test_silhouettes_are_those_of_the_triplets(triplets: Path) -> None:
    ours = SilhouetteDataset(triplets, "train", size_px=None, known_kinds=("hand", "mask"), verify=True)
    theirs = TripletDataset(triplets, "train", size_px=None)
    for index in range(3):
        sample, triplet = ours[index], theirs[index]
        assert torch.equal(sample["occluded"], triplet["occluded"])
        assert torch.equal(sample["silhouette"], triplet["mask"])  # no shadows in these
        kind = theirs.table["kind"][index]
        assert sample["kinds"].tolist() == [kind == "hand", kind == "mask"]


def test_the_augmentation_is_the_seeds_alone_and_moves_both_alike(triplets: Path) -> None:
    picture_HWC = np.full((64, 64, 3), 40, np.uint8)
    alpha_HW = np.zeros((64, 64), np.uint8)
    picture_HWC[20:44, 12:30], alpha_HW[20:44, 12:30] = 220, 255
    augment = PhotographAugment(jpeg=0, soften=0, grey=0, noise=0)
    places = set()
    for seed in range(20):
        seen, again = (augment(Seen(picture_HWC, alpha_HW), seed) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(seen, again, strict=True))
        light_HW = seen.occluded_HWC.mean(2)
        bright_HW = light_HW > (light_HW.min() + light_HW.max()) / 2
        assert (bright_HW != (seen.alpha_HW >= 128)).mean() < 0.01
        places.add(tuple(np.argwhere(bright_HW).mean(0).round()))
    assert len(places) > 10
    dataset = SilhouetteDataset(triplets, "train", size_px=32, augment=PhotographAugment())
    assert not torch.equal(dataset[Draw(0, 0)]["occluded"], dataset[Draw(0, 1)]["occluded"])
    assert torch.equal(dataset[Draw(0, 1)]["occluded"], dataset[Draw(0, 1)]["occluded"])


def test_an_alpha_that_marks_nothing_is_refused_before_the_first_step(triplets: Path, monkeypatch: Any) -> None:
    dataset = open_samples(small(triplets), "train")
    assert isinstance(dataset, SilhouetteDataset)
    stored = dataset.stored(0)
    for value, words in ((0, "is empty"), (255, "covers everything")):
        blank = stored._replace(alpha_HW=np.full_like(stored.alpha_HW, value))
        monkeypatch.setattr(dataset, "stored", lambda index, blank=blank: blank)
        with pytest.raises(DatasetError, match=f"the silhouette of {dataset.keys[0]} in .* {words}"):
            dataset.refuse_wrong(0)


def test_a_damaged_alpha_is_told_of(triplets: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    shutil.copytree(triplets, root)
    row = Manifest.load(root).samples("train").iloc[0]
    shard = root / "shards" / f"{row['shard']}.tar"
    data = bytearray(shard.read_bytes())
    data[row["alpha_png_offset"] : row["alpha_png_offset"] + 8] = b"garbage!"
    shard.write_bytes(data)
    with pytest.raises(DatasetError, match=r"the alpha of .* is not a picture"):
        _ = SilhouetteDataset(root, "train", size_px=32)[0]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.augment=flip"], "must have a data.augment of none or photograph for a segmentation network, got flip"),
        (["data.mix=0.5"], "must have a data.mix of 0 for a segmentation network"),
        (["data.size_px=90"], "must have a data.size_px that 16 divides"),
        (["mask.widths=[]"], "must have one value or more"),
        (["loss.hole_weight=3"], "must leave loss alone: a segmentation network has its own settings under mask"),
        (["loss.perceptual=vgg19"], "must have loss.perceptual off"),
        (["mask.dise=1"], "did you mean 'mask.dice'"),
    ],
)
def test_what_a_mask_network_would_ignore_is_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FitConfig.load("mask", overrides=overrides)


def test_generators_have_no_settings_of_a_mask_network() -> None:
    assert not any(key.startswith("mask.") for key in FitConfig.load("modern").flat())
    with pytest.raises(ConfigError, match=r"must have a data\.grey of 0 for a segmentation network, got 0\.5"):
        FitConfig.load("mask", overrides=["data.grey=0.5"])


# The loop.


def test_a_stopped_run_ends_bit_for_bit_as_one_never_stopped(triplets: Path, whole: Path, tmp_path: Path) -> None:
    steps = iter(range(100))
    assert not fit(small(triplets), tmp_path / "run", stop=lambda: next(steps) >= 6).finished
    assert fit(small(triplets), tmp_path / "run").finished
    states = [tensors_of(load_state(receipts(run / "checkpoints")[-1])) for run in (whole, tmp_path / "run")]
    assert states[0] == states[1]
    for name in ("best", "last"):
        files = [run / "weights" / f"{name}.safetensors" for run in (whole, tmp_path / "run")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_the_run_says_what_it_found(whole: Path) -> None:
    record = read_record(whole)
    assert record is not None
    assert record.config["mask"]["kinds"] == ["hand", "mask", "sunglasses"]  # settled: those of the dataset
    lines = [line for line in read_stats(whole) if MASK_SCORE in line]
    assert [line["images"] for line in lines] == [24, 48]
    assert all(line["val/cross_entropy_cooled"] <= line["val/cross_entropy"] + 1e-6 for line in lines)
    facts = read_facts(whole / "weights" / "best.safetensors")
    assert facts["val_iou"] == max(line[MASK_SCORE] for line in lines)
    assert facts["temperature"] in [line["val/temperature"] for line in lines]
    assert "val_hole_psnr_db" not in facts
    assert load_masknet(whole)[0].temperature == facts["temperature"]


def test_kinds_may_be_left_untold(triplets: Path, tmp_path: Path) -> None:
    fit(small(triplets, "mask.kinds=[]", "training.images=8"), tmp_path / "run")
    masknet, _ = load_masknet(tmp_path / "run")
    assert masknet.net.kinds is None
    assert masknet(torch.zeros(2, 3, 32, 32))[1].shape == (2, 0)


def test_it_learns_eight_silhouettes_by_heart(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", 20)
    config = small(
        data,
        "data.augment=none",
        "training.batch=8",
        "training.images=800",
        "training.lr_generator=5e-3",
        "training.decay_from_images=none",
        "mask.kind=1.0",
        "output.validation_images=100000",
        "output.checkpoint_images=100000",
    )
    fit(config, tmp_path / "run")
    masknet, facts = load_masknet(tmp_path / "run" / "weights" / "last.safetensors")
    train = SilhouetteDataset(data, "train", size_px=32, known_kinds=facts["config"]["mask"]["kinds"], limit=8)
    found = validate_masks(masknet.net, Batches(train, batch=8), torch.device("cpu"))
    assert found[MASK_SCORE] > 0.9
    assert found["val/kind"] > 0.7


# Temperature.


def test_the_temperature_is_the_one_that_logits_were_sharpened_by() -> None:
    rng = torch.Generator().manual_seed(0)
    logits_N = 2 * torch.randn(200_000, generator=rng)
    truth_N = (torch.rand(200_000, generator=rng) < torch.sigmoid(logits_N)).float()
    for sharpened in (0.5, 1.0, 3.0):
        assert fitted_temperature(logits_N * sharpened, truth_N) == pytest.approx(sharpened, rel=0.03)


# Neither is taken for the other.


def test_a_mask_network_is_not_taken_for_a_generator_nor_one_for_it(tmp_path: Path) -> None:
    masks, faces = write_mask_weights(tmp_path / "masks.safetensors"), write_weights(tmp_path / "faces.safetensors")
    with pytest.raises(
        CheckpointError, match=r"masks\.safetensors holds a segmentation network, which finds occluders and rest"
    ):
        load_model(masks)
    with pytest.raises(CheckpointError, match=r"faces\.safetensors holds generators, which restore faces and find no"):
        load_masknet(faces)


def test_a_network_of_before_kinds_were_told_loads() -> None:
    names = set(MaskNet(widths=(8, 8)).state_dict())
    assert set(MaskNet(widths=(8, 8), kinds=2).state_dict()) - names == {"kinds.weight", "kinds.bias"}


def test_the_average_of_weights_has_the_average_of_what_normalisation_counted() -> None:
    torch.manual_seed(0)
    net = MaskNet(widths=(8, 8))
    average = averaged(net)
    net(torch.rand(4, 3, 16, 16) * 3 + 2)
    before, now = average.encoders[0][1].running_mean.clone(), net.encoders[0][1].running_mean
    follow(average, net, 0.75)
    assert torch.allclose(average.encoders[0][1].running_mean, 0.75 * before + 0.25 * now)
    assert average.encoders[0][1].num_batches_tracked == net.encoders[0][1].num_batches_tracked == 1

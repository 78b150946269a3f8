"""Triplets for training: law 1 at every size, an order that anything may interrupt, and every damage told of."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import random
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fdgen.contract.manifest import Manifest
from fdgen.errors import DatasetError, FdError
from fdtrain.config.schema import FitConfig
from fdtrain.data.augment_pairs import NAMED, PairAugment
from fdtrain.data.loader import Batches
from fdtrain.data.open_samples import open_samples
from fdtrain.data.pictures import pasted, resized, resized_mask
from fdtrain.data.tensors import to_pictures, to_tensor
from fdtrain.data.triplets import Draw, EpochSampler, Pictures, TripletDataset
from tests.support.sets import SIZE_PX, rewrite_manifest

# From Python 3.12 on, forking a process that has threads warns; that it is safe here is what these tests show.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")

MILD = PairAugment(flip=0.5, light=0.8, jpeg=0.8)


def unpacked(root: Path, key: str, shard: str) -> dict[str, np.ndarray]:
    """Read one sample with nothing but tarfile and Pillow."""
    with tarfile.open(root / "shards" / f"{shard}.tar") as tar:
        found = {}
        for name in ("clean", "occluded", "mask"):
            member = tar.extractfile(f"{key}.{name}.png")
            assert member is not None
            found[name] = np.asarray(PIL.Image.open(io.BytesIO(member.read())))
    return found


def test_samples_are_what_the_shards_hold(triplets: Path) -> None:
    rows = Manifest.load(triplets).samples("train")
    dataset = TripletDataset(triplets, "train", size_px=SIZE_PX, verify=True)
    assert dataset.keys == rows["key"].tolist()
    assert len(dataset) == len(rows) == len(dataset.table)
    for index, (key, shard) in enumerate(zip(rows["key"], rows["shard"], strict=True)):
        held = unpacked(triplets, key, shard)
        sample = dataset[index]
        assert sample["index"] == index
        assert sample["mask"].shape == (1, SIZE_PX, SIZE_PX)
        np.testing.assert_array_equal(sample["mask"][0].numpy(), held["mask"] / 255)
        for name in ("clean", "occluded"):
            image = sample[name]  # type: ignore[literal-required]
            assert image.dtype == torch.float32
            np.testing.assert_array_equal(to_pictures(image[None])[0], held[name])


def test_it_is_a_sequence(triplets: Path) -> None:
    dataset = TripletDataset(triplets, "test", size_px=32)
    assert len(list(dataset)) == len(dataset)
    with pytest.raises(IndexError):
        dataset[len(dataset)]


@pytest.mark.parametrize("size_px", [16, 24, 47, 64, 65, 96, 128])
@pytest.mark.parametrize(("augment", "mix"), [(None, 0.0), (MILD, 0.0), (MILD, 1.0)])
def test_the_pair_is_exact_at_every_size(triplets: Path, size_px: int, augment: PairAugment | None, mix: float) -> None:
    dataset = TripletDataset(triplets, "val", size_px=size_px, augment=augment, mix=mix)
    for index in range(len(dataset)):
        sample = dataset[Draw(index, epoch=3)]
        outside = (sample["mask"] == 0).expand(3, -1, -1)
        assert torch.equal(sample["occluded"][outside], sample["clean"][outside])
        assert set(sample["mask"].unique().tolist()) == {0.0, 1.0}
        assert not torch.equal(sample["occluded"], sample["clean"])
        assert sample["clean"].abs().max() <= 1


@settings(max_examples=60, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 2**32 - 1))
def test_a_mask_keeps_whatever_it_covered(stored_px: int, size_px: int, seed: int) -> None:
    """Against the definition, pixel by pixel: a new pixel is masked when a stored one under it is."""
    mask = np.where(np.random.default_rng(seed).random((stored_px, stored_px)) < 0.02, 255, 0).astype(np.uint8)
    span = [
        [j for j in range(stored_px) if j * size_px < (i + 1) * stored_px and (j + 1) * size_px > i * stored_px]
        for i in range(size_px)
    ]
    expected = [[mask[np.ix_(rows, columns)].max() for columns in span] for rows in span]
    np.testing.assert_array_equal(resized_mask(mask, size_px), expected)


def test_one_masked_pixel_survives_any_shrinking() -> None:
    mask = np.zeros((256, 256), np.uint8)
    mask[131, 77] = 255
    assert int((resized_mask(mask, 17) == 255).sum()) == 1


def test_sizes_average_downwards(triplets: Path) -> None:
    picture = TripletDataset(triplets, "val", size_px=64).stored(0).clean_HWC
    halves = picture.reshape(32, 2, 32, 2, 3).mean((1, 3))
    np.testing.assert_allclose(resized(picture, 32), halves, atol=0.51)


def test_pictures_come_back_from_tensors() -> None:
    picture = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    np.testing.assert_array_equal(to_pictures(to_tensor(picture)[None])[0], picture)
    np.testing.assert_array_equal(to_pictures(torch.tensor([-2.0, 2.0]).repeat(1, 3, 1, 1)).max((0, 1, 3)), [0, 255])


def test_strata(triplets: Path) -> None:
    whole = TripletDataset(triplets, "train", size_px=32)
    masks = TripletDataset(triplets, "train", size_px=32, kinds=["mask"])
    low = TripletDataset(triplets, "train", size_px=32, coverage=(0, 0.1))
    high = TripletDataset(triplets, "train", size_px=32, coverage=(0.1, 1))
    assert set(masks.table["kind"]) == {"mask"}
    assert masks.keys == whole.table.loc[whole.table["kind"] == "mask", "key"].tolist()
    bare = TripletDataset(triplets, "train", size_px=32, without=["mask"])
    assert sorted(masks.keys + bare.keys) == sorted(whole.keys)
    assert 0 < len(low) < len(whole)
    assert sorted(low.keys + high.keys) == sorted(whole.keys)
    assert low.table["coverage"].max() < 0.1 <= high.table["coverage"].min()
    assert TripletDataset(triplets, "train", size_px=32, limit=3).keys == whole.keys[:3]


def test_samples_that_were_marked_are_left_out(triplets: Path) -> None:
    """Keys of other splits are of no harm: a list of marks is of the whole dataset."""
    whole = TripletDataset(triplets, "train", size_px=32).keys
    marked = [whole[1], whole[4], Manifest.load(triplets).samples("test")["key"].iloc[0]]
    config = FitConfig.load("tiny", overrides=[("data.root", str(triplets)), ("data.without_samples", marked)])
    assert open_samples(config, "train").keys == [key for key in whole if key not in marked]
    for split in ("val", "test"):  # what it is measured on stays the same
        kept = open_samples(config, split, fixed=True).keys
        assert kept == Manifest.load(triplets).samples(split)["key"].tolist()
    rest = TripletDataset(triplets, "train", size_px=32, without_samples=marked, limit=2)
    assert rest.keys == [whole[0], whole[2]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"split": "tset"}, "there is no split 'tset'"),
        ({"kinds": ["hat"]}, "of kind 'hat'"),
        ({"without_samples": ["f0-0"]}, "has the key 'f0-0', which is to be left out"),
        ({"without": ["hat"]}, "of kind 'hat', which is to be left out"),
        ({"without": ["hand", "mask", "sunglasses"]}, "without hand, mask, sunglasses nothing is left of the train"),
        ({"coverage": (0.9, 1.0)}, r"coverage in \[0.9, 1\)"),
        ({"size_px": 4}, "must be 16 px or more, got 4"),
        ({"limit": 0}, "limit must be 1 or more, got 0"),
    ],
)
def test_what_cannot_be_selected_is_named(triplets: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        TripletDataset(triplets, **{"split": "train", "size_px": 32, **options})  # type: ignore[arg-type]


def test_no_dataset_and_an_empty_split(triplets: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a dataset: the folder is empty"):
        TripletDataset(tmp_path, "train", size_px=32)
    shutil.copytree(triplets, tmp_path / "set")
    table = Manifest.load(triplets).table
    rest = table[table["split"] != "val"]
    rewrite_manifest(tmp_path / "set" / "manifest.parquet", rest)
    path = tmp_path / "set" / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "made": len(rest)}), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"the val split of .* is empty \(it holds train \d+, test \d+\)"):
        TripletDataset(tmp_path / "set", "val", size_px=32)


@pytest.fixture
def damaged(triplets: Path, tmp_path: Path) -> tuple[Path, Path, int, int]:
    """Return a copy of the dataset, the shard of its first test sample, and where that one's mask lies."""
    shutil.copytree(triplets, tmp_path / "set")
    row = Manifest.load(triplets).samples("test").iloc[0]
    shard = tmp_path / "set" / "shards" / f"{row['shard']}.tar"
    return tmp_path / "set", shard, int(row["mask_png_offset"]), int(row["mask_png_size"])


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Change bytes of a file in place."""
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)


def test_a_flipped_byte_is_found_on_demand(damaged: tuple[Path, Path, int, int]) -> None:
    root, shard, offset, size = damaged
    overwrite(shard, offset + size - 1, b"\x00")
    with pytest.raises(DatasetError, match=r"mask\.png of f\w+-\d in .*\.tar is not what was written") as caught:
        TripletDataset(root, "test", size_px=32, verify=True)[0]
    assert "fdgen verify" in caught.value.hint


def test_a_picture_that_is_none(damaged: tuple[Path, Path, int, int]) -> None:
    root, shard, offset, size = damaged
    overwrite(shard, offset, bytes(size))
    with pytest.raises(DatasetError, match=r"the mask of f\w+-\d in .*\.tar is not a picture"):
        TripletDataset(root, "test", size_px=32)[0]


@pytest.mark.parametrize(
    ("grey", "side", "words"),
    [(128, SIZE_PX, "is not binary: 1 pixels are neither 0 nor 255"), (255, 8, "is 8x8, the dataset says 64x64")],
)
def test_a_mask_of_grey_values_and_of_another_size(
    damaged: tuple[Path, Path, int, int], grey: int, side: int, words: str
) -> None:
    root, shard, offset, size = damaged
    mask = np.zeros((side, side), np.uint8)
    mask[3, 3] = grey
    file = io.BytesIO()
    PIL.Image.fromarray(mask).save(file, "png")
    assert len(file.getvalue()) <= size
    overwrite(shard, offset, file.getvalue())
    with pytest.raises(DatasetError, match=words):
        TripletDataset(root, "test", size_px=32)[0]


def test_a_truncated_shard_and_a_missing_one(damaged: tuple[Path, Path, int, int]) -> None:
    root, shard, offset, size = damaged
    dataset = TripletDataset(root, "test", size_px=32)
    shard.write_bytes(shard.read_bytes()[: offset + size // 2])
    with pytest.raises(DatasetError, match="is cut short"):
        dataset[0]
    shard.unlink()
    with pytest.raises(DatasetError, match=r"\.tar cannot be read: there is no such file"):
        dataset[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_the_error_of_a_worker_is_one_sentence(damaged: tuple[Path, Path, int, int], workers: int) -> None:
    root, shard, _, _ = damaged
    shard.unlink()
    with pytest.raises(DatasetError) as caught:
        list(Batches(TripletDataset(root, "test", size_px=32), batch=2, workers=workers))
    assert "\n" not in caught.value.message
    assert "fdgen verify" in caught.value.hint


def drawn(batches: Batches, n: int) -> list[torch.Tensor]:
    """Return the first n batches, all their tensors in one."""
    return [
        torch.cat([batch["occluded"].flatten(), batch["clean"].flatten(), batch["index"].float()])
        for batch in itertools.islice(batches, n)
    ]


@pytest.mark.parametrize(
    ("workers", "start"), [(1, "fork"), (2, "fork"), pytest.param(2, "spawn", marks=pytest.mark.slow)]
)
def test_workers_change_nothing(triplets: Path, workers: int, start: str) -> None:
    """Neither their number nor how they start, over two epochs and more, with augmentation; nor do global seeds."""
    dataset = TripletDataset(triplets, "test", size_px=32, augment=MILD, mix=0.5, seed=5)
    n = len(dataset) * 5 // 8
    random.seed(1)
    torch.manual_seed(1)
    alone = drawn(Batches(dataset, EpochSampler(len(dataset), seed=2), batch=4), n)
    random.seed(2)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    many = drawn(Batches(dataset, EpochSampler(len(dataset), seed=2), batch=4, workers=workers, start=start), n)
    assert all(torch.equal(a, b) for a, b in zip(alone, many, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_go_once_through_in_order(triplets: Path) -> None:
    dataset = TripletDataset(triplets, "test", size_px=32)
    batches = Batches(dataset, batch=4)
    seen = [index for batch in batches for index in batch["index"].tolist()]
    assert seen == list(range(len(dataset)))
    assert len(batches) == -(-len(dataset) // 4)


def test_faces_change_occluders_as_often_as_asked(triplets: Path) -> None:
    """The face stays, the hole and what fills it are those of one other sample, another one in each epoch."""
    own = TripletDataset(triplets, "train", size_px=None)
    mixed = TripletDataset(triplets, "train", size_px=None, mix=0.5)
    masks = [own.pictures(index).mask_HW.tobytes() for index in range(len(own))]
    n_epochs, kept, partners = 12, 0, set()
    for index, epoch in itertools.product(range(len(own)), range(n_epochs)):
        clean_HWC, occluded_HWC, mask_HW = mixed.pictures(index, epoch)
        np.testing.assert_array_equal(clean_HWC, own.pictures(index).clean_HWC)
        partner = masks.index(mask_HW.tobytes())
        np.testing.assert_array_equal(occluded_HWC[mask_HW > 0], own.pictures(partner).occluded_HWC[mask_HW > 0])
        kept += partner == index
        if index == 0:
            partners.add(partner)
    n = len(own) * n_epochs
    expected = 0.5 + 0.5 / len(own)  # whoever draws itself keeps its own
    assert abs(kept / n - expected) < 4 * (expected * (1 - expected) / n) ** 0.5
    assert len(partners) > 2


def test_a_pickled_dataset_is_the_same(triplets: Path) -> None:
    dataset = TripletDataset(triplets, "test", size_px=32, augment=MILD)
    dataset.set_epoch(4)
    copy = pickle.loads(pickle.dumps(dataset))
    for one, other in zip(dataset, copy, strict=True):
        assert torch.equal(one["occluded"], other["occluded"])


@given(st.integers(1, 40), st.integers(0, 9), st.integers(1, 5), st.booleans())
def test_ranks_share_one_order(n: int, seed: int, world: int, shuffle: bool) -> None:
    whole = list(itertools.islice(EpochSampler(n, seed=seed, shuffle=shuffle), 3 * n * world))
    for rank in range(world):
        sampler = EpochSampler(n, seed=seed, shuffle=shuffle, rank=rank, world=world)
        assert list(itertools.islice(sampler, 3 * n)) == whole[rank::world]
    for epoch in range(3):
        of_epoch = [draw.place for draw in whole if draw.epoch == epoch]
        assert sorted(of_epoch) == list(range(n))
        assert shuffle or of_epoch == list(range(n))


@given(st.integers(1, 40), st.integers(0, 130), st.integers(1, 3), st.integers(1, 3))
def test_the_order_goes_on_where_it_was_left(n: int, done: int, world: int, new_world: int) -> None:
    whole = list(itertools.islice(EpochSampler(n, seed=3), 400))
    sampler = EpochSampler(n, seed=3, world=world)
    for _ in range(done):
        sampler.advance(1)
    for rank in range(new_world):
        resumed = EpochSampler(n, seed=3, rank=rank, world=new_world)
        resumed.load_state_dict(sampler.state_dict())
        assert list(itertools.islice(resumed, 20)) == whole[done + rank :: new_world][:20]


def test_what_was_fetched_ahead_is_not_lost(triplets: Path) -> None:
    """A loader with workers runs ahead of training; the state counts what was trained on."""
    dataset = TripletDataset(triplets, "test", size_px=16)
    sampler = EpochSampler(len(dataset), seed=1)
    seen = []
    for batch in itertools.islice(Batches(dataset, sampler, batch=2, workers=1), 3):
        seen += batch["index"].tolist()
        sampler.advance(2)
    resumed = EpochSampler(len(dataset), seed=1)
    resumed.load_state_dict(sampler.state_dict())
    seen += [draw.place for draw in itertools.islice(resumed, 5)]
    assert seen == [draw.place for draw in itertools.islice(EpochSampler(len(dataset), seed=1), 11)]


def test_orders_differ_by_seed_and_epoch_and_are_the_same_everywhere() -> None:
    sampler = EpochSampler(100, seed=0)
    orders = {sampler.order(epoch).tobytes() for epoch in range(5)}
    orders |= {EpochSampler(100, seed=seed).order(0).tobytes() for seed in range(1, 5)}
    assert len(orders) == 9
    # If this changes, no old run resumes into the same weights.
    assert EpochSampler(10, seed=1).order(2).tolist() == [5, 6, 9, 3, 2, 1, 0, 8, 4, 7]


def test_another_order_is_refused() -> None:
    state = EpochSampler(10, seed=1).state_dict()
    with pytest.raises(DatasetError, match="n was 10, now it is 11"):
        EpochSampler(11, seed=1).load_state_dict(state)
    with pytest.raises(DatasetError, match="seed was 1, now it is 2"):
        EpochSampler(10, seed=2).load_state_dict(state)
    with pytest.raises(DatasetError, match="nothing to sample"):
        EpochSampler(0, seed=1)


def pair(seed: int) -> Pictures:
    """Return a random exact triplet."""
    rng = np.random.default_rng(seed)
    clean = np.kron(rng.integers(0, 256, (8, 8, 3), np.uint8), np.ones((4, 4, 1), np.uint8))
    mask = np.zeros((32, 32), np.uint8)
    mask[8:20, 5:17] = 255
    return Pictures(clean, pasted(255 - clean, clean, mask), mask)


@pytest.mark.parametrize("augment", [PairAugment(light=0, jpeg=0), PairAugment(light=1, jpeg=0)])
def test_both_pictures_are_changed_alike(augment: PairAugment) -> None:
    """Without JPEG, whose blocks mix pixels, the pair stays exact by itself: the parameters are the same."""
    for seed in range(40):
        changed = augment(pair(seed), seed)
        outside = changed.mask_HW == 0
        np.testing.assert_array_equal(changed.clean_HWC[outside], changed.occluded_HWC[outside])
        assert set(np.unique(changed.mask_HW)) == {0, 255}


def test_augmentation_is_a_function_of_the_seed() -> None:
    one, other = PairAugment(), PairAugment(light=0.5)
    results = [one(pair(0), seed) for seed in range(30)]
    np.random.seed(0)  # noqa: NPY002 - it must not matter
    for seed in reversed(range(30)):
        for a, b in zip(results[seed], other(pair(0), seed), strict=True):
            np.testing.assert_array_equal(a, b)
    assert len({result.clean_HWC.tobytes() for result in results}) > 10


def test_flips_come_by_half_and_light_is_mild() -> None:
    flip = NAMED["flip"]
    assert flip is not None
    before = pair(1)
    flips = Counter(np.array_equal(flip(before, seed).mask_HW, before.mask_HW[:, ::-1]) for seed in range(400))
    assert 150 < flips[True] < 250
    grey = Pictures(np.full((32, 32, 3), 128, np.uint8), np.full((32, 32, 3), 128, np.uint8), before.mask_HW)
    light = PairAugment(flip=0, light=1, jpeg=0)
    levels = np.array([light(grey, seed).clean_HWC.mean() for seed in range(200)])
    assert 80 < levels.min() < 115
    assert 140 < levels.max() < 185
    assert abs(levels.mean() - 128) < 6


@pytest.mark.parametrize(
    ("options", "words"),
    [({"jpeg": -0.1}, r"jpeg must be in \[0, 1\], got -0.1"), ({"quality": (90, 40)}, "within 1 to 100, got 90 to 40")],
)
def test_probabilities_are_checked(options: dict[str, object], words: str) -> None:
    with pytest.raises(FdError, match=words):
        PairAugment(**options)  # type: ignore[arg-type]


def test_an_epoch_reaches_the_augmentation(triplets: Path) -> None:
    dataset = TripletDataset(triplets, "test", size_px=32, augment=MILD)
    by_draw = [dataset[Draw(0, epoch)]["clean"] for epoch in range(12)]
    assert len({image.numpy().tobytes() for image in by_draw}) > 6
    dataset.set_epoch(7)
    assert torch.equal(dataset[0]["clean"], by_draw[7])

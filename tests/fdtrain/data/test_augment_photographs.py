"""Pairs varied as photographs: the seed alone decides, both pictures get the same, and nothing crosses the mask."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdtrain.config.data import VARIETY
from fdtrain.config.schema import FitConfig
from fdtrain.data import silhouettes
from fdtrain.data import triplets as triplets_module
from fdtrain.data.augment_photographs import PhotographPairs
from fdtrain.data.backdrop import backdrop_share, before, drawn_place
from fdtrain.data.open_samples import open_samples
from fdtrain.data.pictures import is_grey, pasted
from fdtrain.data.silhouettes import SilhouetteDataset
from fdtrain.data.triplets import Pictures, TripletDataset
from fdtrain.errors import ConfigError

SIDE_PX = 96


def studio(seed: int = 0, *, plain: bool = True) -> Image:
    """Return a head and shoulders before a backdrop that is plain, or of strong patches."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] / SIDE_PX
    wall = np.stack([70 + 20 * x + 10 * y, 90 + 25 * x, 130 + 15 * y], -1)
    if not plain:
        wall = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((12, 12, 1)))
    head = ((x - 0.5) / 0.27) ** 2 + ((y - 0.55) / 0.4) ** 2 < 1
    body = (y > 0.85) & (abs(x - 0.5) < 0.45)
    wall[head | body] = (205, 160, 135)
    return np.clip(wall + rng.normal(0, 2, wall.shape), 0, 255).astype(np.uint8)


def triplet(seed: int = 0, *, plain: bool = True) -> Pictures:
    """Return an exact triplet whose occluder reaches over head and backdrop."""
    clean = studio(seed, plain=plain)
    mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    mask[40:60, 10:70] = 255
    return Pictures(clean, pasted(255 - clean, clean, mask), mask)


def only(name: str) -> PhotographPairs:
    """Return the augmentation with one step left."""
    return PhotographPairs(without=tuple(other for other in VARIETY if other != name))


@pytest.mark.parametrize("name", [name for name in VARIETY if name not in ("blur", "jpeg")])
def test_both_pictures_are_changed_alike(name: str) -> None:
    """But by what mixes pixels: outside the mask the pair stays exact by itself, and the step does something."""
    changed, before = 0, triplet()
    for seed in range(30):
        after, mirrored = only(name)(before, seed), PhotographPairs(without=VARIETY)(before, seed)
        outside = after.mask_HW == 0
        np.testing.assert_array_equal(after.clean_HWC[outside], after.occluded_HWC[outside])
        assert set(np.unique(after.mask_HW)) == {0, 255}
        changed += not np.array_equal(after.clean_HWC, mirrored.clean_HWC)
    assert changed >= 5


@pytest.mark.parametrize("name", ["blur", "jpeg"])
def test_what_mixes_pixels_changes_as_many(name: str) -> None:
    plain = PhotographPairs(without=VARIETY)
    n = sum(not np.array_equal(only(name)(triplet(), seed)[0], plain(triplet(), seed)[0]) for seed in range(90))
    assert 15 < n < 45  # a third


def test_leaving_a_step_out_changes_no_other_step() -> None:
    whole, without = PhotographPairs(), PhotographPairs(without=("jpeg", "noise", "blur"))
    assert sum(np.array_equal(whole(triplet(), seed)[0], without(triplet(), seed)[0]) for seed in range(60)) > 8
    moved, tinted = only("frame"), PhotographPairs(without=("temperature",))
    for seed in range(5):
        np.testing.assert_array_equal(moved(triplet(), seed).mask_HW, tinted(triplet(), seed).mask_HW)


def test_it_is_a_function_of_the_seed_alone() -> None:
    augment = PhotographPairs()
    results = [augment(triplet(), seed) for seed in range(20)]
    np.random.seed(0)  # noqa: NPY002 - it must not matter
    for seed in reversed(range(20)):
        for a, b in zip(results[seed], pickle.loads(pickle.dumps(augment))(triplet(), seed), strict=True):
            np.testing.assert_array_equal(a, b)
    assert len({result.clean_HWC.tobytes() for result in results}) == 20


def test_a_mask_that_moves_keeps_whatever_it_covered() -> None:
    """Beyond the mask nothing is left of the occluder, which alone is white, however the frame is turned."""
    clean, mask = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8), np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    mask[20, 30] = mask[50:53, 40:70] = 255
    before = Pictures(clean, np.repeat(mask[..., None], 3, -1), mask)
    for seed in range(40):
        after = only("frame")(before, seed)
        assert (after.occluded_HWC[after.mask_HW == 0] == 0).all()
        assert 70 < (after.mask_HW > 0).sum() < 300


def test_a_plain_backdrop_is_found_and_the_head_is_not() -> None:
    share = backdrop_share(studio())
    assert share is not None
    assert share[:30, :10].min() > 0.95
    assert share[30:80, 35:60].max() == 0
    assert share[88:, 20:80].max() < 0.05
    assert backdrop_share(studio(plain=False)) is None
    assert backdrop_share(np.zeros((32, 32, 3), np.uint8)) is not None  # any size; a head is left


def test_the_backdrop_changes_behind_the_head_alone() -> None:
    before, changed = triplet(), 0
    for seed in range(30):
        after, mirrored = only("backdrop")(before, seed), PhotographPairs(without=VARIETY)(before, seed)
        np.testing.assert_array_equal(after.clean_HWC[35:85, 40:55], mirrored.clean_HWC[35:85, 40:55])
        holes = after.mask_HW > 0
        np.testing.assert_array_equal(after.occluded_HWC[holes], mirrored.occluded_HWC[holes])
        changed += not np.array_equal(after.clean_HWC, mirrored.clean_HWC)
    assert 3 < changed < 20
    grey = before._replace(clean_HWC=np.repeat(before.clean_HWC[..., 1:2], 3, -1))
    assert all(is_grey(only("backdrop")(grey, seed).clean_HWC) for seed in range(10))
    wild = triplet(plain=False)
    for seed in range(10):
        assert any(np.array_equal(only("backdrop")(wild, seed)[0], x) for x in (wild[0], wild[0][:, ::-1]))


def test_steps_are_checked() -> None:
    with pytest.raises(FdError, match="there is no step 'jpg' to leave out"):
        PhotographPairs(without=("jpg",))
    with pytest.raises(ConfigError, match=r"data\.augment_without.* must be one of .*jpeg.*, got 'jpg'"):
        FitConfig.load("tiny", overrides=["data.augment=photograph", "data.augment_without=['jpg']"])
    with pytest.raises(ConfigError, match=r"must leave data\.augment_without empty, but for generators"):
        FitConfig.load("tiny", overrides=["data.augment_without=['jpeg']"])


# --- in a dataset


@pytest.mark.slow
@pytest.mark.parametrize("size_px", [16, 33, 64, 96])
def test_the_pair_is_exact_at_every_size(triplets: Path, size_px: int) -> None:
    dataset = TripletDataset(triplets, "val", size_px=size_px, augment=PhotographPairs(), mix=0.8, grey=0.3)
    for epoch in range(4):
        for index in range(len(dataset)):
            clean_HWC, occluded_HWC, mask_HW = dataset.pictures(index, epoch)
            np.testing.assert_array_equal(clean_HWC[mask_HW == 0], occluded_HWC[mask_HW == 0])
            assert clean_HWC.shape == (size_px, size_px, 3)


def test_pictures_turn_grey_as_often_as_asked_and_the_same_again(triplets: Path) -> None:
    def greys(share: float) -> list[bool]:
        dataset = TripletDataset(triplets, "train", size_px=32, grey=share)
        draws = [dataset.pictures(index, epoch) for epoch in range(20) for index in range(len(dataset))]
        assert all(is_grey(one.clean_HWC) == is_grey(one.occluded_HWC) for one in draws)
        return [is_grey(one.clean_HWC) for one in draws]

    third = greys(0.3)
    assert abs(np.mean(third) - 0.3) < 4 * (0.21 / len(third)) ** 0.5
    assert third == greys(0.3)
    assert not any(greys(0))
    assert all(greys(1))


def test_a_config_opens_it(triplets: Path) -> None:
    asked = ["data.augment=photograph", "data.augment_without=['jpeg']", "data.grey=0.25", "data.mix=0"]
    config = FitConfig.load("tiny", overrides=[*asked, ("data.root", str(triplets))])
    opened = open_samples(config, "train")
    assert isinstance(opened, TripletDataset)
    assert opened.augment == PhotographPairs(without=("jpeg",))
    assert opened.grey == 0.25
    fixed = open_samples(config, "train", fixed=True)
    assert isinstance(fixed, TripletDataset)
    assert (fixed.augment, fixed.grey) == (None, 0.0)
    asks = FitConfig.load("tiny", overrides=["loss.grey_chroma=false", ("data.root", str(triplets))])
    told = [open_samples(config, "train"), open_samples(asks, "train"), open_samples(asks, "train", fixed=True)]
    assert [one.tells_grey for one in told if isinstance(one, TripletDataset)] == [False, True, False]


def test_colour_is_looked_at_where_a_loss_asks_and_drawn_once(triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = triplets_module.sample_seed
    monkeypatch.setattr(triplets_module, "is_grey", lambda picture_HWC: bool(looked.append("colour")))
    monkeypatch.setattr(triplets_module, "sample_seed", lambda *given: looked.append(given[2]) or real(*given))
    dataset = TripletDataset(triplets, "val", size_px=32)
    assert dataset[0]["coloured"].item() == 1
    assert looked == []
    dataset.grey = 1e-9
    dataset.tells_grey = True
    assert dataset[0]["coloured"].item() == 1
    assert looked == [f"{dataset.keys[0]}+grey", "colour"]


def test_a_grey_photograph_is_told_by_its_stored_pixels(triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done to its colour afterwards, but for turning it grey: that teaches a grey filling."""
    dataset = TripletDataset(triplets, "val", size_px=32, augment=PhotographPairs(), tells_grey=True)
    assert all(dataset[index]["coloured"].item() == 1 for index in range(len(dataset)))
    whole = dataset.stored

    def grey_stored(index: int, epoch: int = 0) -> Pictures:
        stored = whole(index)
        return stored._replace(clean_HWC=np.repeat(stored.clean_HWC[..., :1], 3, -1))

    monkeypatch.setattr(dataset, "stored", grey_stored)
    samples = [dataset[index] for index in range(len(dataset))]
    assert all(one["coloured"].item() == 0 for one in samples)
    assert any(not torch.equal(one["clean"][0], one["clean"][2]) for one in samples)  # tinted
    dataset.grey = 1.0
    samples = [dataset[index] for index in range(len(dataset))]
    assert all(one["coloured"].item() == 1 for one in samples)
    assert all(torch.equal(one["clean"][0], one["clean"][2]) for one in samples)


def test_a_place_full_of_things_is_the_same_for_the_same_draw_and_never_plain() -> None:
    places = [drawn_place(SIDE_PX, np.random.default_rng(seed)) for seed in range(20)]
    np.testing.assert_array_equal(places[3], drawn_place(SIDE_PX, np.random.default_rng(3)))
    assert all(place.shape == (SIDE_PX, SIDE_PX, 3) and place.min() >= 0 and place.max() <= 255 for place in places)
    assert np.median([place.std(axis=(0, 1)).max() for place in places]) > 10


def test_another_backdrop_shows_through_an_occluder_as_far_as_the_old_one_did() -> None:
    clean, behind = np.full((4, 4, 3), 100, np.uint8), np.full((4, 4, 3), 200, np.float32)
    alpha = np.array([[0, 255, 128, 0]] * 4, np.uint8)
    share = np.ones((4, 4, 1), np.float32)
    share[:, 3] = 0  # the head
    occluded = np.rint(clean + (alpha[..., None] / 255) * (20.0 - clean)).astype(np.uint8)
    made = before(occluded, clean, alpha, behind, share)
    assert made[0, :, 0].tolist() == [200, 20, round(20 * 128 / 255 + 200 * 127 / 255), 100]


def test_people_are_put_before_other_places_as_often_as_asked(triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share = np.zeros((32, 32, 1), np.float32)
    share[:10] = 1
    monkeypatch.setattr(silhouettes, "backdrop_share", lambda clean_HWC: share)
    never, always, half = (
        SilhouetteDataset(triplets, "train", size_px=32, backdrop=often, bare=0.3) for often in (0.0, 1.0, 0.5)
    )
    changed = []
    for index in range(len(never)):
        here, there, at_times = never.seen(index), always.seen(index), half.seen(index)
        np.testing.assert_array_equal(here.alpha_HW, there.alpha_HW)
        kept = (share[..., 0] == 0) | (there.alpha_HW == 255)
        np.testing.assert_array_equal(here.occluded_HWC[kept], there.occluded_HWC[kept])
        assert (here.occluded_HWC != there.occluded_HWC).any()
        changed.append(bool((here.occluded_HWC != at_times.occluded_HWC).any()))
    assert 0 < sum(changed) < len(changed)
    monkeypatch.setattr(silhouettes, "backdrop_share", lambda clean_HWC: None)
    np.testing.assert_array_equal(always.seen(0).occluded_HWC, never.seen(0).occluded_HWC)


def test_only_training_moves_people(triplets: Path) -> None:
    changes = [("data.root", str(triplets)), ("data.size_px", 32), ("mask.widths", [4, 8]), ("mask.backdrop", 0.7)]
    config = FitConfig.load("mask-96", overrides=changes)
    for fixed, often in ((False, 0.7), (True, 0.0)):
        dataset = open_samples(config, "train", fixed=fixed)
        assert isinstance(dataset, SilhouetteDataset)
        assert dataset.backdrop == often

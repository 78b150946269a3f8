"""Training from a URL: the triplets of the folder, in any number of workers, one request a sample."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fdgen.errors import DatasetError
from fdgen.io import storage
from fdtrain.data.loader import Batches
from fdtrain.data.triplets import READ, TripletDataset
from fdtrain.training.preflight import check_data
from tests.support.serving import serving

pytest.importorskip("aiohttp")
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "start"), [(0, None), (2, "fork"), (1, "spawn")])
def test_a_url_gives_the_batches_of_the_folder(triplets: Path, workers: int, start: str | None) -> None:
    here = TripletDataset(triplets, "train", size_px=32, verify=True)
    with serving(triplets) as served:
        there = TripletDataset(served.url, "train", size_px=32, verify=True)
        there[0]  # a connection of this process, which no forked worker may take for its own
        assert there.keys == here.keys
        batches = zip(Batches(here, batch=4), Batches(there, batch=4, workers=workers, start=start), strict=True)
        for expected, found in batches:
            assert all(torch.equal(expected[name], found[name]) for name in expected)  # type: ignore[literal-required]


def test_a_sample_is_one_request(triplets: Path) -> None:
    with serving(triplets) as served:
        dataset = TripletDataset(served.url, "train", size_px=32)
        served.sent.clear()
        dataset[2]
        [(path, size)] = served.sent
        assert path.endswith(".tar")
        starts, sizes = dataset._arrays["offset"][2], dataset._arrays["size"][2]
        assert size == max(starts + sizes) - min(starts)
        assert len(starts) == len(READ)


def test_what_is_checked_before_training_is_checked_there_too(triplets: Path) -> None:
    with serving(triplets) as served:
        train = TripletDataset(served.url, "train", size_px=32)
        assert check_data(train.root, train) == check_data(triplets, TripletDataset(triplets, "train", size_px=32))


def test_damage_is_told_with_the_url(triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "WAIT_S", 0.0)
    with serving(triplets) as served:
        dataset = TripletDataset(served.url, "test", size_px=32)
        served.drop = 1000
        with pytest.raises(DatasetError, match=r"http://.*\.tar cannot be read"):
            dataset[0]
        served.drop, served.root = 0, triplets / "nowhere"
        with pytest.raises(DatasetError, match=r"http://.*\.tar cannot be read") as told:
            dataset[0]
    assert "copy the dataset" in told.value.hint

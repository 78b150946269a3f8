"""Occluders inside the pipelines of albumentations and torchvision."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fdgen
from fdgen.io.pictures.images import decode
from tests.support.paths import ROOT

alb = pytest.importorskip("albumentations")
torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, Dataset  # noqa: E402
from torchvision import tv_tensors  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from fdgen.transforms import OccludeFace, OccludeFaceV2  # noqa: E402

FACES = ROOT / "fdgen" / "faces" / "sample_faces"
KINDS = ["mask", "sunglasses"]


def pictures() -> list[np.ndarray]:
    names = ("eileen_collins.jpg", "barack_obama.jpg")
    return [decode((FACES / name).read_bytes(), name=name) for name in names]


def by_albumentations(pipeline: Any, picture: np.ndarray, **more: int) -> tuple[np.ndarray, np.ndarray]:
    made = pipeline(image=picture, mask=np.zeros(picture.shape[:2], np.uint8), **more)
    return made["image"], made["mask"]


def by_torchvision(pipeline: Any, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    image = tv_tensors.Image(torch.from_numpy(picture.transpose(2, 0, 1).copy()))
    mask = tv_tensors.Mask(torch.zeros(picture.shape[:2], dtype=torch.uint8))
    image, mask = pipeline(image, mask)
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    return image.numpy().transpose(1, 2, 0), mask.numpy()


PIPELINES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "albumentations": (lambda **more: alb.Compose([OccludeFace(KINDS, **more)]), by_albumentations),
    "torchvision": (lambda **more: v2.Compose([OccludeFaceV2(KINDS, **more)]), by_torchvision),
}


class Occluded(Dataset[Any]):
    """The pictures, occluded."""

    def __init__(self, name: str, **more: Any) -> None:
        make, self.run = PIPELINES[name]
        self.pipeline = make(**more)
        self.pictures = pictures() * 2

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        made: tuple[np.ndarray, np.ndarray] = self.run(self.pipeline, self.pictures[index])
        return made


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_gives_the_occluded_picture_and_its_mask(name: str) -> None:
    make, run = PIPELINES[name]
    picture = pictures()[0]
    expected = fdgen.occlude(picture, KINDS, seed=5)
    occluded, mask = run(make(picture_seed=5), picture)
    assert np.array_equal(occluded, expected.occluded_HWC)
    assert np.array_equal(mask, expected.mask_HW)


@pytest.mark.slow
@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("workers", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_workers_give_the_same_pictures(name: str, workers: int) -> None:
    data = Occluded(name, picture_seed=7)
    alone = list(DataLoader(data, batch_size=None))
    spread = list(DataLoader(data, batch_size=None, num_workers=workers, multiprocessing_context="spawn"))
    assert [np.array_equal(*pair) for pair in zip(alone[0], alone[2], strict=True)] == [True, True]
    for one, other in zip(alone, spread, strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])


@pytest.mark.parametrize("name", PIPELINES)
def test_without_a_seed_the_pipeline_draws_and_can_be_seeded(name: str) -> None:
    make, run = PIPELINES[name]
    picture = pictures()[0]

    def drawn(seed: int) -> list[bytes]:
        pipeline = make()
        torch.manual_seed(seed)
        if name == "albumentations":
            pipeline.set_random_seed(seed)
        return [run(pipeline, picture)[0].tobytes() for _ in range(2)]

    first = drawn(1)
    assert first[0] != first[1]
    assert drawn(1) == first
    assert drawn(2) != first


@pytest.mark.parametrize("name", PIPELINES)
def test_a_picture_without_a_face_is_refused_or_kept(name: str) -> None:
    make, run = PIPELINES[name]
    blank = np.full((64, 64, 3), 90, np.uint8)
    with pytest.raises(fdgen.FdError, match="no face"):
        run(make(), blank)
    occluded, mask = run(make(missing="keep"), blank)
    assert np.array_equal(occluded, blank)
    assert not mask.any()
    with pytest.raises(fdgen.FdError, match="missing is raise or keep"):
        PIPELINES["torchvision"][0](missing="skip")


@pytest.mark.parametrize("name", PIPELINES)
def test_the_probability_leaves_pictures_alone(name: str) -> None:
    make, run = PIPELINES[name]
    picture = pictures()[0]
    assert np.array_equal(run(make(p=0.0), picture)[0], picture)


def test_albumentations_writes_it_down_and_reads_it_back() -> None:
    pipeline = alb.Compose([OccludeFace("mask", picture_seed=3, missing="keep", p=0.5)])
    again = alb.from_dict(alb.to_dict(pipeline)).transforms[0]
    assert (again.kind, again.picture_seed, again.missing, again.p) == ("mask", 3, "keep", 0.5)
    picture = pictures()[0]
    one, other = (
        by_albumentations(alb.Compose([OccludeFace("mask", picture_seed=3)]), picture, variant=v)[0] for v in (0, 1)
    )
    assert not np.array_equal(one, other)
    assert pickle.loads(pickle.dumps(pipeline)).transforms[0].picture_seed == 3


def test_other_pixels_of_a_mask_stay() -> None:
    picture = pictures()[0]
    labels = np.full((*picture.shape[:2], 2), 0.25, np.float32)
    made = OccludeFace("mask", picture_seed=5)(image=picture, mask=labels)["mask"]
    hidden = fdgen.occlude(picture, "mask", seed=5).mask_HW > 0
    assert (made[hidden] == 1).all()
    assert (made[~hidden] == 0.25).all()

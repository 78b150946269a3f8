"""What a sample may carry of its face: landmarks that move with the pictures, and the maps that are drawn from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fdgen.contract.face_points import read_points
from fdgen.contract.manifest import Manifest
from fdgen.dataset.tables import write_landmarks
from fdgen.errors import DatasetError
from fdtrain.config.face_maps import COMPONENTS, N_COMPONENTS, N_HEATS, N_REGIONS, REGIONS
from fdtrain.data.augment_pairs import PairAugment
from fdtrain.data.augment_photographs import PhotographPairs
from fdtrain.data.triplets import MovingAugment, Pictures, TripletDataset
from fdtrain.faces.conditions import POLYGONS, component_maps, heat_maps, mirror_flow, one_hot, parsing
from fdtrain.faces.face_mesh import N_FACE, POINTS_68, mirrored, opposite, triangles
from tests.support.sets import face_points

SIDE = 64


def points(n: int = 1) -> torch.Tensor:
    return torch.from_numpy(face_points(SIDE)[:N_FACE]).repeat(n, 1, 1)


def test_the_mesh_is_its_own_mirror_image_and_so_are_the_68() -> None:
    turned = opposite()
    assert (turned[turned] == np.arange(N_FACE)).all()
    assert len(set(POINTS_68)) == 68
    assert set(turned[list(POINTS_68)]) == set(POINTS_68)
    assert triangles().max() == N_FACE - 1


def test_heat_maps_are_highest_at_their_points() -> None:
    heats = heat_maps(points(2), SIDE, 1.5)
    assert heats.shape == (2, 68, SIDE, SIDE)
    highest = heats[1].flatten(1).argmax(1)
    found = torch.stack([highest % SIDE, highest // SIDE], 1) + 0.5
    assert (found - points()[0, list(POINTS_68), :2]).abs().max() <= 0.5


def test_every_region_has_its_outlines() -> None:
    assert tuple(POLYGONS) == REGIONS
    assert len(POINTS_68) == N_HEATS == max(end for _, end in COMPONENTS.values())


def test_a_parsing_has_each_region_where_its_points_are() -> None:
    labels = parsing(points(), SIDE)
    assert labels.shape == (1, SIDE, SIDE)
    for label, point in ((1, 151), (3, 159), (4, 1), (5, 13)):  # forehead, upper lid, tip of the nose, upper lip
        x, y = points()[0, point, :2].int().tolist()
        assert labels[0, y + (point == 159), x] == label
    assert set(labels.flatten().tolist()) == set(range(N_REGIONS))
    assert labels[0, 0, 0] == 0
    maps = one_hot(labels)
    assert torch.equal(maps.sum(1), torch.ones(1, SIDE, SIDE))
    assert torch.equal(maps.argmax(1), labels)


def test_the_flow_leads_to_the_mirrored_half_and_back() -> None:
    flow, on_face = mirror_flow(points(), SIDE)
    rows, columns = on_face[0, 0].nonzero(as_tuple=True)
    there = torch.stack([columns, rows], 1) + 0.5 + flow[0, :, rows, columns].T
    middle = points()[0, 1, 0]  # the face is upright and symmetric
    away = torch.stack([there[:, 0] + columns + 0.5 - 2 * middle, there[:, 1] - rows - 0.5]).abs()
    assert away.quantile(0.99) < 0.3
    assert away.max() < 1
    assert len(rows) > SIDE**2 / 5
    assert flow[0, :, on_face[0, 0] == 0].abs().max() == 0


def test_a_face_that_is_turned_has_a_flow_that_is_longer_on_one_side() -> None:
    turned = points()
    turned[..., 0] += 0.5 * turned[..., 2]  # the farther, the more to the left: z is negative towards the viewer
    flow, on_face = mirror_flow(turned, SIDE)
    seen = flow[0, 0][on_face[0, 0] > 0]
    assert seen.max() > 1.05 * -seen.min() or seen.max() < -seen.min() / 1.05


def test_shapes_come_without_values_too() -> None:
    empty = points(2).to("meta")
    shapes = [heat_maps(empty, 8, 1.0), parsing(empty, 8), one_hot(parsing(empty, 8)), *mirror_flow(empty, 8)]
    assert [tuple(one.shape) for one in shapes] == [
        (2, 68, 8, 8), (2, 8, 8), (2, N_REGIONS, 8, 8), (2, 2, 8, 8), (2, 1, 8, 8),
    ]  # fmt: skip


@pytest.mark.parametrize("augment", [PairAugment(), PhotographPairs(("backdrop", "light", "blur", "noise", "jpeg"))])
def test_points_move_as_the_pictures_do(augment: MovingAugment) -> None:
    """A spot painted on one eye is found again at the point of that eye, or of the other in a mirror image."""
    at = face_points(SIDE)[:N_FACE]
    picture = np.full((SIDE, SIDE, 3), 90, np.uint8)
    x, y = np.floor(at[159, :2]).astype(int)
    picture[y - 1 : y + 2, x - 1 : x + 2] = 250
    mask = np.zeros((SIDE, SIDE), np.uint8)
    seen = set()
    for seed in range(8):
        varied = augment(Pictures(picture, picture, mask), seed).clean_HWC.astype(float).mean(2)
        moved = augment.moved(at, SIDE, seed)
        weights = np.maximum(varied - varied.max() * 0.75, 0)
        centre = [(weights.sum(axis) * (np.arange(SIDE) + 0.5)).sum() / weights.sum() for axis in (0, 1)]
        turned = moved[159, 0] > moved[386, 0]
        seen.add(bool(np.linalg.norm(moved[386, :2] - centre) < np.linalg.norm(moved[159, :2] - centre)))
        nearest = min(np.linalg.norm(moved[point, :2] - centre) for point in (159, 386))
        assert nearest < 1.5
        assert not turned  # points keep the numbers that they have in any face
    assert seen == {True, False}
    assert np.array_equal(at, face_points(SIDE)[:N_FACE])


def test_mirroring_twice_gives_the_points_back() -> None:
    at = face_points(SIDE)[:N_FACE]
    assert np.allclose(mirrored(mirrored(at, SIDE), SIDE), at, atol=1e-4)


def test_samples_carry_points_only_where_they_are_asked_for(triplets: Path) -> None:
    plain = TripletDataset(triplets, "train", size_px=32, augment=PairAugment(), mix=0.5)
    asked = TripletDataset(triplets, "train", size_px=32, augment=PairAugment(), mix=0.5, landmarks=True)
    for one, other in ((plain[index], asked[index]) for index in range(6)):
        assert other.keys() - one.keys() == {"points"}
        assert all(torch.equal(torch.as_tensor(one[name]), torch.as_tensor(other[name])) for name in one)  # type: ignore[literal-required]
        assert other["points"].shape == (N_FACE, 3)
        assert ((other["points"][:, :2] > 0) & (other["points"][:, :2] < 32)).all()


def test_faces_without_landmarks_are_an_error_that_says_what_to_do(triplets: Path, tmp_path: Path) -> None:
    sources = Manifest.load(triplets).table["source_sha256"].tolist()
    assert read_points(triplets, sources[:3]).shape == (3, 478, 3)
    write_landmarks(tmp_path / "landmarks.parquet", [])
    with pytest.raises(DatasetError, match="has no landmarks of 3 of 3 photographs") as caught:
        read_points(tmp_path, sources[:3])
    assert "learns from no landmarks" in caught.value.hint


def test_an_augmentation_that_does_not_move_points_is_refused(triplets: Path) -> None:
    def other(pictures: Pictures, seed: int) -> Pictures:
        return pictures

    with pytest.raises(DatasetError, match="function does not say where it moves landmarks"):
        TripletDataset(triplets, "train", size_px=32, augment=other, landmarks=True)


def test_component_maps_join_the_points_of_a_component() -> None:
    maps, heats = component_maps(points(), SIDE, 1.5), heat_maps(points(), SIDE, 1.5)
    assert maps.shape == (1, N_COMPONENTS, SIDE, SIDE)
    assert torch.equal(maps.amax(1), heats.amax(1))
    assert torch.equal(maps[:, 3], heats[:, 36:48].amax(1))  # eyes

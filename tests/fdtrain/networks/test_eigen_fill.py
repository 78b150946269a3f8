"""`network.eigenfaces`: a hole is filled by the face that fits what is visible best."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from fdgen.arrays import Image
from fdtrain.config.schema import FitConfig
from fdtrain.data.eigenfaces import FaceSpace, fit_face_space
from fdtrain.errors import ConfigError
from fdtrain.inference.finish import membrane
from fdtrain.networks.build import build_model
from fdtrain.networks.fdstack import StackedGAN, initialise
from fdtrain.networks.preparation import eigen_fill
from fdtrain.networks.preparation.eigen_fill import CrossFills, EigenFill
from fdtrain.networks.preparation.membrane import continued
from tests.support.sets import smooth_face

SIZE_PX = 64


@pytest.fixture(scope="module")
def space() -> FaceSpace:
    """Return the space of sixty made-up faces."""
    return fit_face_space(np.stack([smooth_face(seed, SIZE_PX) for seed in range(60)]), n=20)


def taught(space: FaceSpace, n: int, size_px: int = SIZE_PX, spaces: int = 1) -> EigenFill:
    """Return a filling of n components, of which the space has fewer or as many, in its last place."""
    fill = EigenFill(n, size_px, spaces=spaces)
    basis = (space.components * np.sqrt(space.variances)[:, None] / 127.5).reshape(-1, SIZE_PX, SIZE_PX, 3)
    fill.mean_KP[-1] = torch.from_numpy(space.mean_HWC / 127.5 - 1).permute(2, 0, 1).flatten()
    fill.basis_KNP[-1, : len(basis)] = torch.from_numpy(basis.transpose(0, 3, 1, 2).astype(np.float32)).flatten(1)
    fill.ridge_K[-1] = space.ridge * space.noise / 127.5**2
    return fill


def seen(seeds: range) -> tuple[list[Image], list[Image], Tensor, Tensor]:
    """Return faces and masks of a quarter each as pictures, and as tensors."""
    faces = [smooth_face(seed, SIZE_PX) for seed in seeds]
    masks = [np.zeros((SIZE_PX, SIZE_PX), np.uint8) for _ in seeds]
    for number, mask_HW in enumerate(masks):
        mask_HW[10 + number : 42 + number, 16:48] = 255
    pictures = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2) / 127.5 - 1
    return faces, masks, pictures, torch.from_numpy(np.stack(masks) > 0).float()[:, None]


def test_it_fills_as_the_exact_solution_does(space: FaceSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    faces, masks, pictures, holes = seen(range(100, 108))
    exact = np.stack([space.complete(face, mask)[0] for face, mask in zip(faces, masks, strict=True)])
    for solved_px, most in ((64, 0.2), (32, 4.0)):
        monkeypatch.setattr(eigen_fill, "SOLVED_PX", solved_px)
        found = (taught(space, 20).faces(pictures, holes).permute(0, 2, 3, 1).numpy() + 1) * 127.5
        assert np.sqrt(np.mean((found - exact) ** 2)) < most


def test_what_is_visible_stays_and_what_is_hidden_counts_nothing(space: FaceSpace) -> None:
    fill = taught(space, 20)
    _, _, pictures, holes = seen(range(100, 104))
    filled = fill(pictures, holes)
    assert torch.equal(filled * (1 - holes), pictures * (1 - holes))
    assert (filled * holes - pictures * holes).abs().max() > 0.01
    torch.testing.assert_close(fill(torch.where(holes > 0, -1.0, pictures), holes), filled)
    mean = (space.mean_HWC / 127.5 - 1).transpose(2, 0, 1)
    nothing_seen = fill(pictures, torch.ones_like(holes))
    np.testing.assert_allclose(nothing_seen[0].numpy(), np.clip(mean, -1, 1), atol=1e-5)


def test_components_that_a_space_lacks_change_nothing(space: FaceSpace) -> None:
    _, _, pictures, holes = seen(range(100, 104))
    torch.testing.assert_close(taught(space, 33)(pictures, holes), taught(space, 20)(pictures, holes))


def test_larger_pictures_are_filled_by_the_same_faces(space: FaceSpace) -> None:
    _, _, pictures, holes = seen(range(100, 104))
    larger, larger_holes = (torch.nn.functional.interpolate(one, scale_factor=2) for one in (pictures, holes))
    filled = taught(space, 20, size_px=128)(larger, larger_holes)
    assert filled.shape == (4, 3, 128, 128)
    smaller = torch.nn.functional.avg_pool2d(filled, 2)
    assert (smaller - taught(space, 20)(pictures, holes)).abs().mean() < 0.01


def test_each_picture_of_training_is_filled_by_the_space_of_its_number(space: FaceSpace) -> None:
    _, _, pictures, holes = seen(range(100, 104))
    fill = taught(space, 20, spaces=2)  # the first of both knows nothing
    crossed = CrossFills(fill, torch.tensor([1, 0, 1]))
    filled = crossed.filled(pictures, holes, torch.tensor([0, 1, 1, 2]))
    known = taught(space, 20)(pictures, holes)
    torch.testing.assert_close(filled[[0, 3]], known[[0, 3]])
    torch.testing.assert_close(filled[[1, 2]], EigenFill(20, SIZE_PX)(pictures, holes)[[1, 2]])
    assert (filled[[1, 2]] - known[[1, 2]]).abs().max() > 0.1


def test_what_a_face_lacks_around_the_hole_is_continued_into_it() -> None:
    rng = torch.Generator().manual_seed(0)
    maps = torch.nn.functional.interpolate(torch.randn(3, 3, 6, 6, generator=rng), size=SIZE_PX, mode="bilinear")
    _, masks, _, holes = seen(range(3))
    exact = np.stack([membrane(one.permute(1, 2, 0).numpy(), mask) for one, mask in zip(maps, masks, strict=True)])
    found = continued(maps, 1 - holes)
    assert torch.equal(found * (1 - holes), maps * (1 - holes))
    difference = (found.permute(0, 2, 3, 1) - torch.from_numpy(exact)).square().mean().sqrt()
    assert difference < 0.1 * float(np.std(exact))
    assert continued(maps, torch.zeros_like(holes)).abs().max() == 0
    assert torch.equal(continued(maps, torch.ones_like(holes)), maps)


def test_a_size_whose_faces_would_be_tiny_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"must have a data\.size_px with a divisor from 32 to 64"):
        FitConfig.load("modern-64", overrides=["network.eigenfaces=20", "data.size_px=536"])
    FitConfig.load("modern-64", overrides=["data.size_px=536"])


def test_a_stack_begins_with_what_eigenfaces_say(space: FaceSpace) -> None:
    config = FitConfig.load("modern-64", overrides=["network.eigenfaces=20", "network.widths=[4,4,8,8,8]"])
    model = build_model(config)
    assert isinstance(model, StackedGAN)
    assert model.fill is not None
    initialise(model, torch.Generator().manual_seed(0))
    model.fill.load_state_dict(taught(space, 20).state_dict())
    _, _, pictures, holes = seen(range(100, 104))
    made = model.eval()(pictures, holes)
    filled = model.fill(pictures, holes)
    torch.testing.assert_close(made.coarse_B3HW, filled)
    torch.testing.assert_close(made.image_B3HW, filled)
    assert not build_model(FitConfig.load("modern-64")).state_dict().keys() & {"fill.mean_KP"}

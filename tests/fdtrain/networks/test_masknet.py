"""The network that finds occluders: shapes, how far it sees, that it learns, and that opencv can run it."""

from __future__ import annotations

import pytest
import torch

from fdtrain.networks.masknet import MaskNet

SMALL = (8, 8, 8)


@pytest.mark.parametrize(("height", "width", "classes"), [(96, 96, 1), (64, 128, 3)])
def test_logits_have_the_pictures_size_and_a_channel_a_class(height: int, width: int, classes: int) -> None:
    assert MaskNet(classes=classes)(torch.zeros(2, 3, height, width)).shape == (2, classes, height, width)


def test_it_is_small() -> None:
    assert sum(weight.numel() for weight in MaskNet().parameters()) < 2_000_000


def test_sides_that_do_not_halve_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 16 px, got 90x96"):
        MaskNet()(torch.zeros(1, 3, 90, 96))


def test_every_output_depends_on_the_far_side_of_a_crop() -> None:
    torch.manual_seed(0)
    net = MaskNet().eval()
    picture = torch.randn(1, 3, 96, 96, requires_grad=True)
    net(picture)[0, 0, 48, 48].backward()
    seen = picture.grad
    assert seen is not None
    assert bool((seen.abs().amax((0, 1, 2)) > 0).all())
    assert bool((seen.abs().amax((0, 1, 3)) > 0).all())


def test_it_learns_to_find_a_bright_square() -> None:
    torch.manual_seed(0)
    net = MaskNet(widths=SMALL)
    optimiser = torch.optim.AdamW(net.parameters(), 1e-2)
    corners = torch.randint(0, 24, (60, 8, 2))

    def batch(places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        target = torch.zeros(8, 1, 32, 32)
        for k, (y, x) in enumerate(places.tolist()):
            target[k, 0, y : y + 8, x : x + 8] = 1
        return torch.rand(8, 3, 32, 32) - 0.5 + target, target

    for places in corners[:-1]:
        picture, target = batch(places)
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(net(picture), target).backward()
        optimiser.step()
    picture, target = batch(corners[-1])
    found = net(picture) > 0
    overlap = (found & (target > 0)).sum() / (found | (target > 0)).sum()
    assert float(overlap) > 0.6  # the square is a sixteenth of the picture

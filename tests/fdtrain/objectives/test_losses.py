"""The losses, against their formulas and a reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from fdtrain.objectives.losses import (
    Adversarial,
    DiscriminatorScores,
    discriminator_loss,
    generator_loss,
    l1,
    pixel_weights,
    ssim,
    ssim_loss,
    ssim_map,
)

pytestmark = pytest.mark.processor


def test_ssim_is_scikit_images() -> None:
    rng = np.random.default_rng(0)
    one = rng.random((48, 40, 3), np.float32)
    other = (one + rng.normal(0, 0.2, one.shape)).clip(0, 1).astype(np.float32)
    mean, full = structural_similarity(
        one,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=2,
        full=True,
    )
    ours = ssim_map(*(torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in (one, other)))[0]
    inner = ours.permute(1, 2, 0).numpy()[5:-5, 5:-5]
    np.testing.assert_allclose(inner, full[5:-5, 5:-5], atol=1e-5)
    assert inner.mean() == pytest.approx(mean, abs=1e-6)


def test_ssim_of_equal_pictures_is_1_and_can_be_learnt_from() -> None:
    picture = torch.rand(2, 3, 24, 24)
    assert float(ssim(picture, picture)) == pytest.approx(1)
    start = torch.rand(2, 3, 24, 24, requires_grad=True)
    (gradient,) = torch.autograd.grad(ssim(start, picture), start)
    assert ssim(start + 0.5 * gradient / gradient.abs().max(), picture) > ssim(start, picture)


def test_ssim_is_computed_in_full_precision_under_autocast() -> None:
    one, other = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    plain = ssim(one, other)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ssim(one, other), plain)


def test_pixel_weights_favour_the_hole_and_leave_the_mean_alone() -> None:
    mask = torch.zeros(2, 1, 8, 8)
    mask[0, :, :2, :2] = 1
    weights = pixel_weights(mask, 6)
    assert weights.mean((1, 2, 3)).tolist() == pytest.approx([1, 1])
    assert float(weights[0, 0, 0, 0] / weights[0, 0, 7, 7]) == pytest.approx(6)
    assert torch.equal(weights[1], torch.ones(1, 8, 8))


def test_l1_and_ssim_terms_follow_their_weights() -> None:
    clean, image = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    image[..., :8] = 0.5
    flat = torch.ones(1, 1, 16, 16)
    assert float(l1(image, clean, flat)) == pytest.approx(0.25)
    left = torch.zeros(1, 1, 16, 16)
    left[..., :8] = 2
    assert float(l1(image, clean, left)) == pytest.approx(0.5)
    assert float(ssim_loss(clean, clean, flat)) == pytest.approx(0, abs=1e-6)
    assert ssim_loss(image, clean, left) > ssim_loss(image, clean, 2 - left)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


FORMULAS: list[tuple[Adversarial, float, float]] = [
    ("minimax", -math.log(sigmoid(0.7)) - math.log(1 - sigmoid(-0.3)), math.log(1 - sigmoid(-0.3))),
    ("nonsaturating", -math.log(sigmoid(0.7)) - math.log(1 - sigmoid(-0.3)), -math.log(sigmoid(-0.3))),
    ("hinge", (1 - 0.7) + (1 - 0.3), 0.3),
    ("lsgan", (0.7 - 1) ** 2 + 0.3**2, (-0.3 - 1) ** 2),
]


@pytest.mark.parametrize(("kind", "discriminator", "generator"), FORMULAS)
def test_adversarial_terms_are_their_formulas(kind: Adversarial, discriminator: float, generator: float) -> None:
    scores = DiscriminatorScores(torch.full((2, 1, 4, 4), 0.7), torch.full((2, 1, 4, 4), -0.3))
    assert float(discriminator_loss(kind, scores)) == pytest.approx(discriminator, rel=1e-6)
    assert float(generator_loss(kind, scores.fake_B1HW)) == pytest.approx(generator, rel=1e-6)


@pytest.mark.parametrize("kind", ["minimax", "nonsaturating", "hinge", "lsgan"])
def test_the_generator_gains_where_the_discriminator_is_fooled(kind: Adversarial) -> None:
    logits = torch.tensor([[-0.5]], requires_grad=True)
    (gradient,) = torch.autograd.grad(generator_loss(kind, logits), logits)
    assert gradient.item() < 0

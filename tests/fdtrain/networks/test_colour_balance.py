"""`network.face_colour`: a lamp's colour goes before the generators see a face, and comes back to what they paint."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fdtrain.config.schema import FitConfig
from fdtrain.networks.fdstack import StackedGAN, initialise
from fdtrain.networks.preparation.colour_balance import GAMMA, tint, with_tint, without_tint
from fdtrain.objectives.stage import make_batch

SKIN = (0.41, 0.305, 0.31)


def face(seed: int = 0, size: int = 32) -> Tensor:
    """Return a picture of about the colour of skin, not bright, in [-1, 1]."""
    rng = torch.Generator().manual_seed(seed)
    light = torch.tensor(SKIN).view(1, 3, 1, 1) * (0.3 + 0.4 * torch.rand(1, 1, size, size, generator=rng))
    return light ** (1 / GAMMA) * 2 - 1


def lit(picture_B3HW: Tensor, *lamp: float) -> Tensor:
    """Return a picture under a lamp of some colour."""
    light = ((picture_B3HW + 1) / 2) ** GAMMA * torch.tensor(lamp).view(1, 3, 1, 1)
    return light ** (1 / GAMMA) * 2 - 1


def hole(size: int = 32) -> Tensor:
    mask_B1HW = torch.zeros(1, 1, size, size)
    mask_B1HW[..., size // 2 :, :] = 1
    return mask_B1HW


def test_a_lamp_is_taken_away_and_given_back() -> None:
    plain, mask = face(), hole()
    warm = lit(plain, 1.5, 1.0, 0.5)
    factor = tint(warm, mask, SKIN)
    torch.testing.assert_close(factor.flatten(), torch.tensor([1.5, 1.0, 0.5]) / (1.5 * 0.41 + 0.305 + 0.155) * 1.025)
    balanced = without_tint(warm, factor)
    torch.testing.assert_close(tint(balanced, mask, SKIN).flatten(), torch.ones(3))
    torch.testing.assert_close(with_tint(balanced, factor), warm, atol=1e-5, rtol=0)


def test_what_is_hidden_does_not_count() -> None:
    mask = hole()
    worn = torch.where(mask > 0, lit(face(), 0.1, 0.1, 3.0), face())
    torch.testing.assert_close(tint(worn, mask, SKIN), tint(face(), mask, SKIN), atol=1e-5, rtol=0)


@pytest.mark.parametrize("level", [-1.0, -0.2, 1.0])
def test_grey_pictures_stay_grey(level: float) -> None:
    grey = torch.full((1, 3, 32, 32), level)
    assert (tint(grey, hole(), SKIN) == 1).all()


def test_a_wall_says_nothing_of_skin() -> None:
    """Hands before the whole face leave nothing to tell its colour by: a blue wall would paint it purple."""
    wall = lit(face(), 0.3, 0.8, 3.0)
    hides_B1HW = torch.zeros(1, 1, 32, 32)
    hides_B1HW[..., 4:, 6:26] = 1
    assert (tint(wall, hides_B1HW, SKIN) == 1).all()
    shows_B1HW = hides_B1HW.clone()
    shows_B1HW[..., 16:20, 12:20] = 0  # 3 % of the picture
    assert (tint(wall, shows_B1HW, SKIN) != 1).any()


def test_a_cap_does_not_count_where_landmarks_show_the_face() -> None:
    capped, mask = face(), hole()
    capped[..., :12, :] = lit(face(), 0.2, 0.6, 2.0)[..., :12, :]
    outlined_B1HW = torch.zeros(1, 1, 32, 32)
    outlined_B1HW[..., 12:30, 8:24] = 1
    assert (tint(capped, mask, SKIN) - 1).abs().max() > 0.3
    torch.testing.assert_close(tint(capped, mask, SKIN, outlined_B1HW).flatten(), torch.ones(3))
    # Where no face was seen, the ellipse is as good as before; where it was, but is hidden, nothing is known of it.
    torch.testing.assert_close(tint(capped, mask, SKIN, torch.zeros(1, 1, 32, 32)), tint(capped, mask, SKIN))
    assert (tint(capped, mask, SKIN, mask * outlined_B1HW) == 1).all()


def test_all_hidden_and_lights_without_blue_are_finite() -> None:
    for picture in (face(), lit(face(), 2.0, 1.0, 0.0)):
        for mask in (torch.ones(1, 1, 32, 32), hole()):
            factor = tint(picture, mask, SKIN)
            assert torch.isfinite(factor).all()
            assert 0.25 <= factor.min() <= factor.max() <= 4


def test_each_picture_of_a_batch_has_its_own() -> None:
    both, masks = torch.cat([face(), lit(face(1), 0.6, 1.0, 1.4)]), torch.cat([hole(), hole()])
    alone = [tint(both[k : k + 1], masks[:1], SKIN) for k in range(2)]
    torch.testing.assert_close(tint(both, masks, SKIN), torch.cat(alone))


def stack(**changes: str) -> tuple[FitConfig, StackedGAN]:
    overrides = [
        "network.widths=[4, 4, 4, 8, 8]",
        "loss.perceptual=off",
        *(f"network.{k}={v}" for k, v in changes.items()),
    ]
    config = FitConfig.load("tiny", overrides=overrides)
    model = StackedGAN(config.network, config.data.size_px)
    initialise(model, torch.Generator().manual_seed(3))
    return config, model.eval()


def test_a_face_under_a_lamp_is_restored_as_the_plain_one_and_lit_again() -> None:
    _, model = stack(face_colour="[0.41, 0.305, 0.31]")
    lamp = torch.tensor([1.2, 1.0, 0.7])
    skin = torch.tensor(SKIN)
    lamp = lamp * skin.sum() / (lamp * skin).sum()  # as bright: brightness is not balanced
    plain, mask = face(size=64), hole(64)
    warm = lit(plain, *lamp.tolist())
    with torch.inference_mode():
        made, under = model(plain, mask), model(warm, mask)
    for one, other in zip(made, under, strict=True):
        torch.testing.assert_close(other, with_tint(one, lamp.view(3, 1, 1)), atol=1e-4, rtol=0)


def test_without_the_setting_nothing_changes() -> None:
    _, plain = stack()
    _, balanced = stack(face_colour="[0.41, 0.305, 0.31]")
    picture, mask = lit(face(size=64), 0.9, 1.0, 0.8), hole(64)
    with torch.inference_mode():
        assert torch.equal(plain(picture, mask).image_B3HW, plain.stages(picture, mask, None).image_B3HW)
        assert not torch.equal(plain(picture, mask).image_B3HW, balanced(picture, mask).image_B3HW)


def test_training_sees_what_the_generators_will_see() -> None:
    """Both pictures of a pair lose the tint of the occluded one's visible face."""
    config, model = stack(face_colour="[0.41, 0.305, 0.31]")
    clean, mask = lit(face(size=64), 1.3, 1.0, 0.6), hole(64)
    worn = torch.where(mask > 0, torch.zeros(()), clean)
    batch = make_batch(config, torch.device("cpu"), model, None, {"occluded": worn, "clean": clean, "mask": mask})
    factor = tint(worn, mask, SKIN)
    torch.testing.assert_close(batch.clean_B3HW, without_tint(clean, factor))
    torch.testing.assert_close(batch.occluded_B3HW, without_tint(worn, factor))
    torch.testing.assert_close(batch.input_BCHW, model.input(batch.occluded_B3HW, mask))


def test_training_and_use_balance_by_the_same_landmarks() -> None:
    config, model = stack(face_colour="[0.41, 0.305, 0.31]", landmarks="true")
    clean, mask = face(size=64), hole(64)
    clean[..., :24, :] = lit(face(size=64), 0.2, 0.6, 2.0)[..., :24, :]
    maps = torch.zeros(1, 5, 64, 64, dtype=torch.uint8)
    maps[:, 0, 24:60, 16:48] = 255
    sample = {"occluded": clean, "clean": clean, "mask": mask, "landmark_maps": maps}
    batch = make_batch(config, torch.device("cpu"), model, None, sample)
    torch.testing.assert_close(batch.occluded_B3HW, clean)  # the visible face has the colour already
    with torch.inference_mode():
        made = model.by_maps(clean, mask, maps / 255)
        again = model.stages(clean, mask, maps / 255)
    torch.testing.assert_close(made.image_B3HW, with_tint(again.image_B3HW, torch.ones(1, 3, 1, 1)), atol=1e-4, rtol=0)


def test_a_photograph_without_colour_stays_without() -> None:
    _, model = stack(face_colour="[0.41, 0.305, 0.31]")
    coloured, mask = face(size=64), hole(64)
    grey = coloured.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    under_a_mask = torch.where(mask > 0, coloured, grey)  # the occluder may have any colour
    with torch.inference_mode():
        skin = torch.arange(64 * 64).view(64, 64) < 64 * 2
        little_skin = torch.where(skin, coloured, torch.ones(()))  # on a white wall
        noisy = grey + 0.008 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        pictures = (coloured, True), (little_skin, True), (grey, False), (under_a_mask, False), (noisy, False)
        for picture, has_colour in pictures:
            for made in model(picture, mask):
                chroma = (made - made.mean(1, keepdim=True)).abs().max()
                assert (chroma > 1e-4) == has_colour
        both = model(torch.cat([coloured, grey]), torch.cat([mask, mask])).image_B3HW
        torch.testing.assert_close(both[:1], model(coloured, mask).image_B3HW)
        torch.testing.assert_close(both[1:], model(grey, mask).image_B3HW)

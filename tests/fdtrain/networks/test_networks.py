"""The networks: what they see, what they give, and that they are what the paper describes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from fdtrain.config.presets import PRESETS
from fdtrain.config.schema import DiscriminatorConfig, FitConfig, NetworkConfig
from fdtrain.networks.blocks import SqueezeExcitation, normalisation
from fdtrain.networks.build import build_masknet, build_model
from fdtrain.networks.discriminator import PatchDiscriminator, initialise_discriminator, receptive_field
from fdtrain.networks.fdstack import BaseNet, StackedGAN, initialise
from fdtrain.networks.restorer import Restoration, composite

SMALL = NetworkConfig(widths=(4, 4, 8, 8, 8), dilations=(2,), strides=(2, 2, 1, 1, 1))


def model_of(config: NetworkConfig, seed: int = 0) -> StackedGAN:
    with torch.random.fork_rng(devices=[]):
        model = StackedGAN(config, 64)
    initialise(model, torch.Generator().manual_seed(seed))
    return model.eval()


def without_norm(module: nn.Module) -> nn.Module:
    """Replace every normalisation by identity: it makes each output depend, a little, on every input."""
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm):
            setattr(module, name, nn.Identity())
        else:
            without_norm(child)
    return module


@pytest.mark.parametrize(("window", "side"), [("rf32", 32), ("rf34", 34), ("rf70", 70)])
def test_an_output_of_the_discriminator_sees_exactly_its_window(window: str, side: int) -> None:
    torch.manual_seed(0)
    config = DiscriminatorConfig(window=window, width=4)  # type: ignore[arg-type]
    discriminator = without_norm(PatchDiscriminator(config)).double()
    image = torch.rand(1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
    logits = discriminator(torch.rand(1, 4, 160, 160, dtype=torch.float64), image)
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], image)
    seen = gradient[0].abs().sum(0) > 0
    for axis in (0, 1):
        places = seen.any(axis).nonzero().flatten()
        assert int(places.max() - places.min()) + 1 == side == receptive_field(window)
    assert int(seen.sum()) == side * side


def test_rf70_gives_32_by_32_windows_at_256_px() -> None:
    with torch.device("meta"):
        discriminator = PatchDiscriminator(DiscriminatorConfig(window="rf70"))
        assert discriminator(torch.empty(1, 4, 256, 256), torch.empty(1, 3, 256, 256)).shape == (1, 1, 32, 32)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_gives_pictures_of_its_size(name: str) -> None:
    config = FitConfig.load(name)
    side = config.data.size_px
    if config.mask is not None:
        with torch.device("meta"):
            assert build_masknet(config)(torch.empty(2, 3, side, side)).shape == (2, 1, side, side)
        return
    with torch.device("meta"):
        model = build_model(config)
        restored = model(torch.empty(2, 3, side, side), torch.empty(2, 1, side, side))
    assert restored.coarse_B3HW.shape == restored.image_B3HW.shape == (2, 3, side, side)


def test_faithful_reduces_to_8_px_by_five_strided_convolutions_between_tanh_and_tanh() -> None:
    config = FitConfig.load("faithful").network
    with torch.device("meta"):
        base = StackedGAN(config, 64).base
    kinds = [[type(part).__name__ for part in layer] for layer in base.encoder]
    assert kinds == [["Tanh" if place in (0, 4) else "ReLU", "Conv2d", "GroupNorm"] for place in range(5)]
    assert [layer[1].stride for layer in base.encoder] == [(2, 2)] * 5
    assert [block.conv.dilation for block in base.middle] == [(2, 2), (4, 4), (8, 8), (16, 16)]
    transposed = [part for part in base.modules() if isinstance(part, nn.ConvTranspose2d)]
    assert len(transposed) == 5
    assert isinstance(base.paint[-1], nn.Tanh)
    assert 256 // config.reduction == 8


def test_maps_of_landmarks_are_shown_to_both_stages() -> None:
    model = model_of(SMALL.model_copy(update={"landmarks": True}))
    picture, mask = torch.rand(1, 3, 32, 32) * 2 - 1, torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    maps = torch.rand(1, 5, 32, 32, requires_grad=True)
    for output in model.by_maps(picture, mask, maps):
        assert float(torch.autograd.grad(output.sum(), maps, retain_graph=True)[0].abs().sum()) > 0
    seen = model.landmark_maps(picture)
    assert seen is not None
    assert seen.shape == (1, 5, 32, 32)
    with torch.inference_mode():
        for one, other in zip(model(picture, mask), model.by_maps(picture, mask, seen), strict=True):
            assert torch.equal(one, other)
    assert model_of(SMALL).landmark_maps(picture) is None


def test_outputs_lie_within_the_range_of_pictures() -> None:
    restored = model_of(SMALL)(torch.rand(2, 3, 32, 32) * 200 - 100, torch.ones(2, 1, 32, 32))
    assert restored.image_B3HW.abs().max() <= 1


def test_stage_two_sees_what_stage_one_saw_and_made() -> None:
    model = model_of(SMALL).double()
    occluded = torch.rand(1, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    coarse = torch.rand(1, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    mask = torch.zeros(1, 1, 32, 32, dtype=torch.float64, requires_grad=True)
    gradients = torch.autograd.grad(model.refined(occluded, mask, coarse).sum(), (occluded, mask, coarse))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    restored = model(occluded, mask)
    assert torch.equal(restored.image_B3HW, model.refined(occluded, mask, model.coarse(occluded, mask)))


def test_the_base_net_alone_is_that_of_the_stack() -> None:
    config = FitConfig.load("tiny", overrides=["training.stages=base"])
    alone, stack = build_model(config), model_of(config.network)
    assert type(alone) is BaseNet
    initialise(alone, torch.Generator().manual_seed(0))
    occluded, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    made = alone(occluded, mask)
    assert torch.equal(made.image_B3HW, stack(occluded, mask).coarse_B3HW)
    assert torch.equal(made.image_B3HW, made.coarse_B3HW)
    assert {name for name, _ in alone.named_parameters()} == {
        name for name, _ in stack.named_parameters() if name.startswith("base.")
    }


def test_without_squeeze_and_excitation_nothing_of_it_is_left() -> None:
    plain = model_of(FitConfig.load("tiny", overrides=["network.se_ratio=0"]).network)
    assert not any(isinstance(module, SqueezeExcitation) for module in plain.modules())
    assert plain(torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)).image_B3HW.shape == (1, 3, 64, 64)


def test_a_blanked_hole_tells_nothing_of_the_occluder() -> None:
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 8:20] = 1
    one = torch.rand(1, 3, 32, 32)
    other = torch.where(mask > 0, torch.rand(1, 3, 32, 32), one)
    for blank, same in ((True, True), (False, False)):
        model = model_of(SMALL.model_copy(update={"blank_hole": blank, "refine_input": "composited"}))
        assert torch.equal(model(one, mask).image_B3HW, model(other, mask).image_B3HW) is same


def test_compositing_touches_the_hole_alone() -> None:
    picture, output = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, 2:5, 2:5] = 1
    pasted = Restoration(output * 0, output).composited(picture, mask)
    assert torch.equal(pasted, composite(output, picture, mask))
    assert torch.equal(pasted[:, :, 2:5, 2:5], output[:, :, 2:5, 2:5])
    pasted[:, :, 2:5, 2:5] = picture[:, :, 2:5, 2:5]
    assert torch.equal(pasted, picture)


def test_normalisation_is_that_of_instances() -> None:
    features = torch.randn(3, 5, 8, 8) * 4 + 2
    assert torch.allclose(normalisation("instance", 5)(features), F.instance_norm(features), atol=1e-5)


def test_squeeze_and_excitation_weighs_channels_by_what_the_map_holds() -> None:
    torch.manual_seed(0)
    block = SqueezeExcitation(16, 4)
    features = torch.rand(2, 16, 6, 6)
    weights = block(features) / features
    assert torch.allclose(weights, weights.mean((2, 3), keepdim=True).expand_as(weights), atol=1e-5)
    assert ((weights > 0) & (weights < 1)).all()
    assert not torch.allclose(weights[0], weights[1])


def test_weights_depend_on_the_seed_alone() -> None:
    before = torch.get_rng_state()
    one, same, other = model_of(SMALL), model_of(SMALL), model_of(SMALL, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.base.encoder[0][1].weight, other.base.encoder[0][1].weight)  # type: ignore[arg-type]
    discriminators = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            discriminators.append(PatchDiscriminator(DiscriminatorConfig(width=4, spectral_norm=True)))
        initialise_discriminator(discriminators[-1], torch.Generator().manual_seed(3))
    pairs = zip(discriminators[0].state_dict().items(), discriminators[1].state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for (_, a), b in pairs)
    assert torch.equal(before, torch.get_rng_state())


def test_spectral_norm_bounds_every_layer() -> None:
    discriminator = PatchDiscriminator(DiscriminatorConfig(width=4, spectral_norm=True, norm="none"))
    initialise_discriminator(discriminator, torch.Generator().manual_seed(0))
    discriminator.train()
    for _ in range(20):  # each pass sharpens the estimate
        discriminator(torch.rand(1, 4, 32, 32), torch.rand(1, 3, 32, 32))
    for layer in discriminator.layers:
        if isinstance(layer, nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)

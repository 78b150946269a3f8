"""The baselines: that they are what their papers describe, train in their phases, resume, and can learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from fdtrain.config.schema import FitConfig
from fdtrain.data.loader import Batches
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import ConfigError
from fdtrain.evaluation.evaluator import evaluate
from fdtrain.methods import baselines
from fdtrain.networks.attention import ContextualAttention
from fdtrain.networks.baselines.deepfill import GatedConv, SpectralPatchGan
from fdtrain.networks.baselines.lama import FourierUnit, Lama
from fdtrain.networks.build import build_model
from fdtrain.networks.context_encoder import ContextDiscriminator, ContextEncoder
from fdtrain.networks.edgeconnect import EdgeConnect, FeatureDiscriminator, canny_edges
from fdtrain.networks.gca import Critics, Gca, Layer
from fdtrain.networks.glcm import COMPLETION, Glcm
from fdtrain.networks.glcm import ContextDiscriminator as GlcmDiscriminator
from fdtrain.networks.hole_window import depths_px, window_at
from fdtrain.networks.pix2pix import Pix2pix
from fdtrain.objectives.edgeconnect import gram
from fdtrain.objectives.open_objective import baseline_objective, open_objective
from fdtrain.objectives.validation import SCORE, validate
from fdtrain.training.checkpoint import load_model
from fdtrain.training.cost import cost_of, size_of
from fdtrain.training.loop import fit
from tests.fdtrain.training.test_loop import assert_equal, state_of
from tests.support.sets import write_set

METHODS = tuple(baselines())
BLIND = (
    *("glcm", "gca", "edgeconnect", "context-encoder", "deepfillv2", "lama"),
    *("gfcm", "gafc", "collagan", "symmfcnet", "yeh"),
)
"""Those whose papers blank the hole."""

ALIKE = ("maharjan", "collagan", "demeshnet")
"""Those that are made of the parts of others."""

UNJUDGED = ("demeshnet",)
"""Those without an adversary."""

MICRO = (
    "data.size_px=32",
    "baseline.width=4",
    "baseline.discriminator_width=4",
    "loss.perceptual=off",
    "training.batch=4",
    "training.images=48",
    "training.precision=fp32",
    "training.channels_last=false",
    "output.stats_images=4",
    "output.checkpoint_images=16",
    "output.validation_images=24",
    "output.validation_limit=4",
    "output.samples=2",
    "machine.threads=1",
    "machine.device=cpu",
)
PHASES = {
    "glcm": ("baseline.discriminator_from_images=16", "baseline.adversarial_from_images=32"),
    "gca": ("baseline.critic_steps=2",),
    "edgeconnect": ("baseline.blocks=1", "baseline.joint_from_images=24"),
    "context-encoder": ("baseline.bottleneck=16",),
    "din": ("baseline.mask_from_images=24",),
    "lama": ("baseline.blocks=1",),
    "yeh": ("baseline.steps=3", "baseline.latent=8"),
    "gfcm": ("baseline.bottleneck=16", "baseline.local_from_images=16", "baseline.whole_from_images=32"),
}


def micro(root: Path, method: str, *overrides: str | tuple[str, Any]) -> FitConfig:
    """Return a config small enough to train in a second, with every phase of the method in it."""
    return FitConfig.load(
        f"{method}-64", overrides=[*MICRO, *PHASES.get(method, ()), ("data.root", str(root)), *overrides]
    )


def small_model(method: str, size_px: int = 64) -> Any:
    """Return a narrow network of a method, with weights of one seed."""
    overrides: list[str | tuple[str, Any]] = ["baseline.width=4", ("data.size_px", size_px)]
    config = FitConfig.load(f"{method}-64", overrides=[*overrides, *(["baseline.steps=3"] if method == "yeh" else [])])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(config).eval()


def inputs(size_px: int = 64, n: int = 2) -> tuple[Tensor, Tensor]:
    """Return pictures, and masks with a hole in each."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(n, 1, size_px, size_px)
    mask[..., size_px // 4 : size_px // 2, size_px // 3 : size_px * 3 // 4] = 1
    return torch.rand(n, 3, size_px, size_px, generator=generator) * 2 - 1, mask


def without_norm(module: nn.Module) -> nn.Module:
    """Replace normalisation of whole maps by identity: it makes each output depend, a little, on every input."""
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm | nn.InstanceNorm2d | nn.BatchNorm2d):
            setattr(module, name, nn.Identity())
        else:
            without_norm(child)
    return module


def side_seen(module: nn.Module, channels: int, size_px: int) -> int:
    """Return the side of the square of input pixels that the middle of a map depends on."""
    module = without_norm(module).double().eval()
    for parameter in module.parameters():
        parameter.data = parameter.data.abs() + 1e-3  # nothing cancels, and no relu hides anything
    seen = torch.rand(1, channels, size_px, size_px, dtype=torch.float64, requires_grad=True)
    made = module(seen)
    made = made[-1] if isinstance(made, list) else made
    row = made.shape[-1] // 2
    (gradient,) = torch.autograd.grad(made[0, :, row, row].sum(), seen)
    places = (gradient[0].abs().sum((0, 1)) > 0).nonzero().flatten()
    return int(places.max() - places.min()) + 1


# What the papers say.


@pytest.mark.parametrize(
    ("method", "millions"),
    [
        ("glcm", 6.07),  # table 1 by hand: 17 layers
        ("gca", 3.60),  # the supplementary material by hand
        ("edgeconnect", 21.5),  # 10.8 for each of its generators
        ("pix2pix", 54.4),  # what its authors' code counts for 256 px
        ("deepfillv2", 4.05),  # "4.1M parameters in total" (section 3.2)
        ("lama", 27.05),  # LaMa-Fourier has 27 million (table 1)
    ],
)
def test_networks_are_as_large_as_their_papers_tables_make_them(method: str, millions: float) -> None:
    assert size_of(FitConfig.load(method))[0] / 1e6 == pytest.approx(millions, rel=0.006)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", ["", "-64"])
def test_both_forms_have_a_cost_and_the_small_one_is_small(method: str, form: str) -> None:
    cost = cost_of(FitConfig.load(method + form))
    assert min(cost.parameters, cost.memory_bytes) > 0
    assert (cost.discriminator_parameters > 0) is not (method in UNJUDGED)
    assert (cost.gmacs < 2) is bool(form) or method == "context-encoder"


def test_glcm_halves_twice_dilates_four_times_and_sees_most_of_256_px() -> None:
    """Section 3.2 counts 307 px with dilation, 99 without; the layers of table 1 reach over 303, from edge to edge."""
    with torch.device("meta"):
        layers = [layer for layer in Glcm(FitConfig.load("glcm").baseline).layers if not isinstance(layer, nn.Tanh)]  # type: ignore[arg-type]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) == 17 == len(COMPLETION) + 1
    assert [layer.out_channels for layer in convolutions] == [
        64, 128, 128, 256, 256, 256, 256, 256, 256, 256, 256, 256, 128, 128, 64, 32, 3,
    ]  # fmt: skip
    assert [layer.dilation[0] for layer in convolutions[6:10]] == [2, 4, 8, 16]
    narrow = FitConfig.load("glcm", overrides=["baseline.width=2"]).baseline
    assert side_seen(Glcm(narrow).layers[:-1], 4, 340) == 303  # type: ignore[arg-type]


def test_the_last_residual_block_of_edgeconnect_sees_208_px() -> None:
    model = small_model("edgeconnect")
    assert side_seen(nn.Sequential(model.completion.encoder, model.completion.middle), 4, 260) == 208


def test_edgeconnects_discriminators_see_70_px() -> None:
    assert side_seen(FeatureDiscriminator(2, 2), 2, 120) == 70


def test_gca_works_at_a_quarter_and_its_critics_end_in_one_score() -> None:
    config = FitConfig.load("gca").baseline
    with torch.device("meta"):
        model, critics = Gca(config), Critics(config, 256)  # type: ignore[arg-type]
        features = model.attentive(torch.empty(1, 4, 256, 256))
        assert features.shape == (1, 128, 64, 64)
        assert model.dilated(torch.empty(1, 4, 256, 256)).shape == features.shape
        scores = critics(torch.empty(2, 3, 256, 256), torch.empty(2, 1, 256, 256))
    assert [score.shape for score in scores] == [(2, 1), (2, 1)]
    widths = [
        [layer.out_channels for layer in part if isinstance(layer, nn.Conv2d)]
        for part in (critics.whole, critics.local)
    ]
    assert widths == [[64, 128, 256, 256], [64, 128, 256, 512]]


def test_the_context_encoder_has_the_papers_layers_at_its_own_size() -> None:
    config = FitConfig.load("context-encoder", overrides=["data.size_px=128"]).baseline
    with torch.device("meta"):
        model, discriminator = ContextEncoder(config, 128), ContextDiscriminator(config, 128)  # type: ignore[arg-type]
        features = model.encoder(torch.empty(2, 3, 128, 128))
        assert features.shape == (2, 512, 4, 4)
        assert model.bottleneck(features).shape == (2, 4000, 1, 1)
        assert discriminator(torch.empty(2, 3, 128, 128)).shape == (2, 1)
    widths = [layer.out_channels for layer in model.encoder if isinstance(layer, nn.Conv2d)]
    assert widths == [64, 64, 128, 256, 512]


def test_pix2pix_has_the_papers_layers_and_ends_in_a_single_pixel() -> None:
    with torch.device("meta"):
        model = Pix2pix(FitConfig.load("pix2pix").baseline, 256)  # type: ignore[arg-type]
    down = [layer.out_channels for layer in model.encoder.modules() if isinstance(layer, nn.Conv2d)]
    up = [layer.out_channels for layer in model.decoder.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert (down, up) == ([64, 128, 256, 512, 512, 512, 512, 512], [512, 512, 512, 512, 256, 128, 64])
    dropped = [any(isinstance(part, nn.Dropout) for part in layer) for layer in model.decoder]  # type: ignore[arg-type]
    assert dropped == [True] * 3 + [False] * 4


def test_glcms_discriminators_halve_down_to_4_px_and_are_joined() -> None:
    config = FitConfig.load("glcm").baseline
    with torch.device("meta"):
        discriminator = GlcmDiscriminator(config, 256)  # type: ignore[arg-type]
        logits = discriminator(torch.empty(2, 3, 256, 256), torch.empty(2, 1, 256, 256))
    assert logits.shape == (2, 1)
    for part, widths in (
        (discriminator.whole, [64, 128, 256, 512, 512, 512]),
        (discriminator.local, [64, 128, 256, 512, 512]),
    ):
        assert [layer.out_channels for layer in part if isinstance(layer, nn.Conv2d)] == widths
        linear = [layer for layer in part if isinstance(layer, nn.Linear)]
        assert (linear[0].in_features, linear[0].out_features) == (512 * 16, 1024)


def test_a_gated_convolution_lets_through_what_its_gate_says() -> None:
    layer = GatedConv(3, Layer(3, 1, 1, 2), 4, nn.Identity())
    picture = torch.rand(1, 3, 8, 8)
    assert layer(picture).shape == (1, 4, 8, 8)
    open_gates = layer(picture)
    with torch.no_grad():
        layer.conv.weight[4:] = 0
        layer.conv.bias[4:] = torch.tensor([50.0, 50.0, -50.0, -50.0])  # type: ignore[index]
    made, features = layer(picture), layer.conv(picture)[:, :4]
    assert torch.allclose(made[:, :2], features[:, :2], atol=1e-6)
    assert made[:, 2:].abs().max() < 1e-6 < open_gates.abs().max()


def test_sn_patch_gan_judges_each_of_256_places_and_channels_by_itself() -> None:
    config = FitConfig.load("deepfillv2").baseline
    with torch.device("meta"):
        judge = SpectralPatchGan(config)  # type: ignore[arg-type]
        judged = judge(torch.empty(2, 3, 256, 256), torch.empty(2, 1, 256, 256))
    assert judged.shape == (2, 256, 4, 4)
    widths = [layer.out_channels for layer in judge.layers if isinstance(layer, nn.Conv2d)]
    assert widths == [64, 128, 256, 256, 256, 256]
    bound = SpectralPatchGan(FitConfig.load("deepfillv2-64").baseline)  # type: ignore[arg-type]
    assert all(is_parametrized(layer) for layer in bound.layers if isinstance(layer, nn.Conv2d))


def test_a_fourier_unit_sees_the_whole_map_and_a_spectrum_left_alone_gives_it_back() -> None:
    unit = FourierUnit(2).eval()
    picture = torch.rand(1, 2, 8, 12, requires_grad=True)
    (gradient,) = torch.autograd.grad(unit(picture)[0, 0, 3, 3], picture)
    assert (gradient.abs().sum((0, 1)) > 0).all()
    unit.layers = nn.Identity()  # type: ignore[assignment]
    assert torch.allclose(unit(picture), picture, atol=1e-5)


def test_three_quarters_of_lamas_deep_channels_are_global() -> None:
    with torch.device("meta"):
        model = Lama(FitConfig.load("lama").baseline)  # type: ignore[arg-type]
        branches = model.parting(model.encoder(torch.empty(2, 4, 256, 256)))
    assert [tuple(branch.shape[1:]) for branch in branches] == [(128, 32, 32), (384, 32, 32)]
    assert len(model.middle) == 9


def test_lamas_discriminator_learns_of_a_fake_what_the_hole_touches_alone(triplets: Path) -> None:
    """R1 is the squared length of the slope; outside the hole a fake counts as real."""
    config = micro(triplets, "lama", "baseline.gradient_penalty=0.5")
    objective: Any = open_objective(config, torch.device("cpu"), None, torch.Generator().manual_seed(0))

    class Halved(nn.Module):
        def forward(self, image: Tensor) -> list[Tensor]:
            return [torch.nn.functional.avg_pool2d(image.mean(1, keepdim=True), 2)]

    objective.judge = Halved()
    picture, mask = inputs(32)
    batch = objective.begin({"occluded": picture, "clean": picture, "mask": mask}, torch.device("cpu"), 0, 0)
    outputs = objective.outputs(batch)
    found = objective.discriminator_term(objective.stages[0], batch, outputs)
    real, fake = (Halved()(one * 0.5 + 0.5)[0] for one in (picture, outputs))
    small = mask[..., ::2, ::2]
    softplus = torch.nn.functional.softplus
    judged = softplus(-real).mean() + (softplus(fake) * small + softplus(-fake) * (1 - small)).mean()
    length = 3 * 32 * 32 * (1 / 12) ** 2
    assert found.item() == pytest.approx((judged + 0.5 * length).item(), rel=1e-5)


def test_afd_stackgan_finds_its_mask_itself(triplets: Path) -> None:
    """What is given changes nothing; what it finds does, and learns from the true mask."""
    model, (picture, mask) = small_model("afd-stackgan"), inputs()
    before = model(picture, mask).image_B3HW
    assert torch.equal(model(picture, 1 - mask).image_B3HW, before)
    assert set(model.input(picture, model.find(picture))[:, 3].unique().tolist()) <= {0.0, 1.0}
    model.find = lambda occluded: 1 - (model.mask(occluded) > 0).float()
    assert not torch.equal(model(picture, mask).image_B3HW, before)
    objective: Any = baseline_objective(micro(triplets, "afd-stackgan"), None)
    picture, mask = inputs(32)
    batch = objective.begin({"occluded": picture, "clean": picture, "mask": mask}, torch.device("cpu"), 0, 0)
    terms = [objective.generator_terms(stage, batch, objective.outputs(batch)) for stage in objective.stages]
    assert [sorted(one) for one in terms] == [
        ["adversarial", "cross_entropy", "total"],
        ["adversarial", "l1", "ssim", "total"],
        ["adversarial", "l1", "ssim", "total"],
    ]
    terms[2]["total"].backward()
    assert all(
        parameter.grad is None for parameter in (*objective.model.mask.parameters(), *objective.model.base.parameters())
    )


@pytest.mark.parametrize("method", METHODS)
def test_who_blanks_the_hole_does_not_look_into_it(method: str) -> None:
    model = small_model(method)
    one, mask = inputs()
    other = torch.where(mask > 0, -one, one)
    assert torch.equal(model(one, mask).image_B3HW, model(other, mask).image_B3HW) is (method in BLIND)


@pytest.mark.parametrize("method", METHODS)
def test_outputs_lie_within_the_range_of_pictures(method: str) -> None:
    model, (picture, mask) = small_model(method), inputs()
    restored = model(picture, mask)
    assert restored.image_B3HW.shape == picture.shape
    assert restored.image_B3HW.abs().max() <= 1
    assert (restored.coarse_B3HW is restored.image_B3HW) is not model.has_coarse


# Their parts.


def test_attention_fills_a_hole_from_what_repeats_outside() -> None:
    """On features with a period, every place of the hole finds its like among the known patches."""
    torch.manual_seed(0)
    tile = torch.randn(1, 32, 8, 8)
    features, mask = tile.repeat(1, 1, 4, 4), torch.zeros(1, 1, 128, 128)
    mask[..., 40:72, 40:72] = 1
    filled = ContextualAttention()(features, mask)
    assert filled.shape == features.shape
    inside = (slice(None), slice(None), slice(11, 17), slice(11, 17))
    assert torch.nn.functional.cosine_similarity(filled[inside], features[inside], dim=1).min() > 0.95


def test_attention_takes_nothing_from_the_hole_and_keeps_features_that_have_no_surroundings() -> None:
    features, mask = torch.ones(1, 4, 16, 16), torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 16:48] = 1
    marked = features.clone()
    marked[..., 6:10, 6:10] = 100.0
    assert ContextualAttention()(marked, mask).max() <= 1.0001
    assert torch.equal(ContextualAttention()(marked, torch.ones(1, 1, 64, 64)), marked)


def test_windows_are_centred_on_holes_and_stay_inside() -> None:
    picture = torch.arange(64.0).view(1, 1, 8, 8).repeat(3, 1, 1, 1)
    mask = torch.zeros(3, 1, 8, 8)
    mask[0, :, 3:5, 3:5] = 1
    mask[1, :, 0:1, 7:8] = 1
    windows = window_at(picture, mask, 4)
    assert [int(window[0, 0, 0]) for window in windows] == [2 * 8 + 2, 4, 2 * 8 + 2]  # the last has no hole


def test_depths_are_distances_to_what_is_known() -> None:
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 2:7, 2:7] = 1
    depths = depths_px(mask)[0, 0]
    assert (depths[0, 0], depths[2, 2], depths[4, 4]) == (0, 1, 3)
    assert (depths_px(torch.ones(1, 1, 9, 9)) == 9).all()


def test_canny_leaves_out_what_lies_in_a_hole() -> None:
    picture = torch.full((1, 1, 64, 64), -1.0)
    picture[..., :, 32:] = 1.0
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:44, 20:44] = 1
    whole, known = canny_edges(picture, 2.0), canny_edges(picture, 2.0, mask)
    assert whole[..., 30:34].amax(-1)[..., 8:56].min() == 1
    assert known[mask > 0].max() == 0
    assert known[..., :16, 30:34].max() == 1


def test_a_gram_matrix_is_of_channels_and_does_not_depend_on_places() -> None:
    features = torch.rand(2, 3, 4, 4)
    shuffled = features.flatten(2)[..., torch.randperm(16)].view(2, 3, 4, 4)
    assert gram(features).shape == (2, 3, 3)
    assert torch.allclose(gram(features), gram(shuffled), atol=1e-6)


def test_the_gradient_penalty_is_that_of_the_slope_in_the_hole(triplets: Path) -> None:
    """With critics that sum up pixels times w, the slope in a hole of n values has the length w sqrt(n)."""
    config = micro(triplets, "gca", "baseline.gradient_penalty=1")
    objective: Any = open_objective(config, torch.device("cpu"), None, torch.Generator().manual_seed(0))

    class Summing(nn.Module):
        def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
            return 0.5 * image.sum((1, 2, 3))[:, None], 0 * image.sum((1, 2, 3))[:, None]

    objective.critics = Summing()
    picture, mask = inputs(32)
    sample = {"occluded": picture, "clean": picture, "mask": mask}
    batch = objective.begin(sample, torch.device("cpu"), 0, 0)
    outputs = objective.outputs(batch)
    found = objective.discriminator_term(objective.stages[0], batch, outputs)
    fake = torch.where(mask > 0, outputs.image_B3HW, picture)
    between = 0.5 * (fake - picture).sum((1, 2, 3)).mean()
    length = 0.5 * float(3 * mask[0].sum()) ** 0.5
    assert found.item() == pytest.approx((between + (length - 1) ** 2 + 1).item(), rel=1e-4)


# Their training.


def test_glcm_has_three_phases(triplets: Path) -> None:
    objective = baseline_objective(micro(triplets, "glcm"), None)
    picture, mask = inputs(32)
    sample = {"occluded": picture, "clean": picture, "mask": mask}
    seen = []
    for images in (0, 16, 32):
        batch = objective.begin(sample, torch.device("cpu"), images, 0)
        outputs, stage = objective.outputs(batch), objective.stages[0]
        judged = objective.discriminator_term(stage, batch, outputs) is not None
        seen.append((judged, sorted(objective.generator_terms(stage, batch, outputs))))
    assert seen == [(False, ["mse", "total"]), (True, []), (True, ["adversarial", "mse", "total"])]


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=pytest.mark.slow if name in ALIKE else ()) for name in METHODS]
)
def test_every_baseline_trains_resumes_bit_by_bit_loads_and_is_measured(
    method: str, triplets: Path, tmp_path: Path
) -> None:
    config = micro(triplets, method, "training.ema_decay=0.9")
    fit(config, tmp_path / "whole")
    steps = iter(range(100))
    fit(config, tmp_path / "parts", stop=lambda: next(steps) >= 6)
    assert fit(config, tmp_path / "parts").finished
    assert_equal(state_of(tmp_path / "parts"), state_of(tmp_path / "whole"))
    model = load_model(tmp_path / "whole" / "weights" / "last.safetensors")
    frame = evaluate(model, TripletDataset(triplets, "test", size_px=32, limit=2))
    assert frame["psnr_hole"].notna().all()
    assert frame["method"].nunique() == (2 if model.has_coarse else 1)


def test_edgeconnects_edge_generator_learns_from_pictures_in_the_joint_phase(triplets: Path, tmp_path: Path) -> None:
    config = micro(triplets, "edgeconnect", "baseline.joint_from_images=0", "training.images=8")
    rng = torch.Generator().manual_seed(config.seed)
    before = open_objective(config, torch.device("cpu"), None, rng).model
    fit(config, tmp_path / "run")
    after = load_model(tmp_path / "run")
    assert isinstance(before, EdgeConnect)
    assert isinstance(after, EdgeConnect)
    pairs = zip(before.edges.parameters(), after.edges.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["network.widths=[8,8,8,8,8]"], "must leave network alone: glcm has its own settings under baseline"),
        (["loss.gamma=[0,0]"], "must leave loss alone"),
        (["training.stages=joint"], "must leave training.stages alone"),
        (["loss.perceptual=vgg19"], "must have loss.perceptual off: glcm compares no features"),
        (["data.size_px=66"], "must have a data.size_px that 4 divides, got 66"),
        (["baseline.width=0"], r"baseline.width must be 1 or more, got 0"),
        (["baseline.widht=4"], "did you mean 'baseline.width'"),
        (["baseline.l1=1"], "there is no setting 'baseline.l1'"),
    ],
)
def test_what_a_baseline_would_ignore_is_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FitConfig.load("glcm-64", overrides=overrides)


def test_the_stack_has_no_table_of_a_baseline() -> None:
    assert not any(key.startswith("baseline") for key in FitConfig.load("modern").flat())
    with pytest.raises(ConfigError, match=r"no setting 'baseline\.width'"):
        FitConfig.load("modern", overrides=["baseline.width=4"])


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_baseline_learns_eight_triplets_by_heart(method: str, tmp_path: Path) -> None:
    """Hole-only PSNR rises by 6 dB over the untrained network's, in seconds of one core."""
    data = write_set(tmp_path / "set", 20)
    train = TripletDataset(data, "train", size_px=32, limit=8)
    phases = {
        "glcm": ["baseline.optimiser=adam", "training.lr_generator=2e-3", "training.lr_discriminator=1e-4"],
        "edgeconnect": ["baseline.blocks=2", "baseline.joint_from_images=10000", "training.images=1600"],
        "context-encoder": ["baseline.bottleneck=128"],
        "gca": ["baseline.width=12", "baseline.discriminator_width=4", "training.images=1200"],
        # Half of its channels are gates.
        "deepfillv2": [
            "baseline.width=32",
            "baseline.adversarial=0.01",
            "training.images=1400",
            "training.lr_generator=3e-3",
        ],
        "lama": ["baseline.blocks=2", "training.images=2000"],
        "symmfcnet": ["training.images=1200"],
        "afd-stackgan": ["training.images=1600"],
        "yeh": [
            "baseline.steps=100",
            "baseline.discriminator_width=16",
            "training.images=3200",
            "training.lr_discriminator=5e-4",
        ],
        "gfcm": ["baseline.bottleneck=64", "baseline.local_from_images=2000", "baseline.whole_from_images=2000"],
    }
    config = FitConfig.load(
        f"{method}-64",
        overrides=[
            ("data.root", str(data)),
            "data.size_px=32",
            "data.augment=none",
            "data.mix=0.0",
            "baseline.width=16",
            "baseline.discriminator_width=8",
            "loss.perceptual=off",
            "training.batch=8",
            "training.images=2400",
            "training.lr_generator=1e-3",
            "training.lr_discriminator=1e-5",
            "training.betas=[0.5,0.99]",
            "training.precision=fp32",
            "training.channels_last=false",
            "machine.threads=1",
            "machine.device=cpu",
            "output.checkpoint_images=100000",
            *phases.get(method, []),
        ],
    )
    rng = torch.Generator().manual_seed(config.seed)
    untrained = open_objective(config, torch.device("cpu"), None, rng).model
    before = validate(untrained, Batches(train, batch=8), torch.device("cpu"))[SCORE]
    fit(config, tmp_path / "run")
    model = load_model(tmp_path / "run" / "weights" / "last.safetensors")
    after = validate(model, Batches(train, batch=8), torch.device("cpu"))
    assert after[SCORE] > before + 6

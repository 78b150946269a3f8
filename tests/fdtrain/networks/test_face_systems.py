"""The systems that learn from what is known of faces: that each does what its paper describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fdtrain.config.schema import FitConfig
from fdtrain.errors import CheckpointError
from fdtrain.faces.conditions import parsing
from fdtrain.faces.face_mesh import N_FACE
from fdtrain.inference.export_graphs import open_source
from fdtrain.networks.baselines.gfcm import Gfcm
from fdtrain.networks.baselines.yeh import context_weights
from fdtrain.objectives.baselines.gafc import nuclear_norm
from fdtrain.objectives.open_objective import baseline_objective
from fdtrain.training.loop import fit
from tests.fdtrain.networks.test_baselines import inputs, micro, small_model
from tests.support.sets import face_points

SIDE = 32


def sample() -> dict[str, Tensor]:
    """Return a batch as the loader gives it, of noise with the landmarks of a face."""
    picture, mask = inputs(SIDE)
    points = torch.from_numpy(face_points(SIDE)[:N_FACE]).repeat(len(picture), 1, 1)
    return {"occluded": picture, "clean": picture.flip(3), "mask": mask, "points": points}


def begun(objective: Any, images: int = 0) -> tuple[Any, Any]:
    """Return the batch of a step, and what the generators make of it."""
    torch.manual_seed(0)
    batch = objective.begin(sample(), torch.device("cpu"), images, 0)
    return batch, objective.outputs(batch)


def test_gfcms_encoder_is_that_of_vgg_19_at_its_own_size() -> None:
    with torch.device("meta"):
        model = Gfcm(FitConfig.load("gfcm").baseline, 128)  # type: ignore[arg-type]
    widths = [layer.out_channels for layer in model.encoder if isinstance(layer, torch.nn.Conv2d)]
    assert widths == [64] * 2 + [128] * 2 + [256] * 4 + [512] * 2


def test_gfcm_learns_in_three_phases_and_parses_from_the_first(triplets: Path) -> None:
    objective: Any = baseline_objective(micro(triplets, "gfcm"), None)
    stage, seen = objective.stages[0], []
    for images in (0, 16, 32):
        batch, outputs = begun(objective, images)
        assert torch.equal(batch.labels_BHW, parsing(sample()["points"], SIDE))
        seen.append(sorted(objective.generator_terms(stage, batch, outputs)))
        objective.judges.zero_grad()
        objective.discriminator_term(stage, batch, outputs).backward()
        learns = [
            any(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in part.parameters())
            for part in (objective.judges.parser, objective.judges.both.hole, objective.judges.both.whole)
        ]
        assert learns == [True, images >= 16, images >= 32]
    assert seen == [
        ["mse", "total"],
        ["hole_adversarial", "mse", "total"],
        ["adversarial", "hole_adversarial", "mse", "parsing", "total"],
    ]


def grown(module: torch.nn.Module) -> bool:
    """Tell whether any weight of a network has a gradient."""
    return any(one.grad is not None and one.grad.abs().max() > 0 for one in module.parameters())


def test_maharjans_networks_learn_apart_and_the_second_sees_the_regions(triplets: Path) -> None:
    objective: Any = baseline_objective(micro(triplets, "maharjan"), None)
    batch, outputs = begun(objective)
    model, (first, second) = objective.model, objective.stages
    objective.generator_terms(second, batch, outputs)["total"].backward()
    assert grown(model.face)
    assert not grown(model.segmentation)
    objective.generator_terms(first, batch, outputs)["total"].backward()
    assert grown(model.segmentation)
    occluded = sample()["occluded"]
    regions = [torch.eye(6)[label].view(1, 6, 1, 1).expand(len(occluded), 6, SIDE, SIDE) for label in (0, 3)]
    pictures = [model.eval().restored(occluded, one) for one in regions]
    assert not torch.equal(*pictures)


def test_gafcs_generator_follows_the_geometry_and_teaches_it_nothing(triplets: Path) -> None:
    objective: Any = baseline_objective(micro(triplets, "gafc"), None)
    batch, outputs = begun(objective)
    estimator, generator = objective.stages
    assert estimator.discriminator is None
    assert objective.discriminator_term(estimator, batch, outputs) is None
    terms = objective.generator_terms(generator, batch, outputs)
    assert sorted(terms) == ["adversarial", "hole_adversarial", "l1", "low_rank", "mask", "total"]
    terms["total"].backward()
    assert not grown(objective.model.estimator)
    objective.generator_terms(estimator, batch, outputs)["total"].backward()
    assert grown(objective.model.estimator)
    given, found = batch.example, outputs.geometry
    moved = found._replace(heats_B5HW=found.heats_B5HW.flip(3))
    made = [objective.model.completed(given.occluded_B3HW, given.mask_B1HW, one).image_B3HW for one in (found, moved)]
    assert not torch.equal(*made)


def test_a_mask_of_low_rank_has_a_low_norm() -> None:
    square, scattered = torch.zeros(1, 1, 16, 16), torch.zeros(1, 1, 16, 16)
    square[..., 4:8, 4:8] = 1
    scattered.view(-1)[torch.randperm(256, generator=torch.Generator().manual_seed(0))[:16]] = 1
    assert nuclear_norm(square).item() == pytest.approx(4 / 16, rel=1e-5)
    assert nuclear_norm(scattered) > 2 * nuclear_norm(square)


def test_collagans_encoder_learns_from_all_three_tasks_and_its_picture_from_the_hole_alone(triplets: Path) -> None:
    objective: Any = baseline_objective(micro(triplets, "collagan"), None)
    batch, outputs = begun(objective)
    stage = objective.stages[0]
    terms = objective.generator_terms(stage, batch, outputs)
    for name, decoder in (("l1", "picture"), ("heat", "landmarks"), ("parsing", "regions")):
        objective.model.zero_grad()
        terms[name].backward(retain_graph=True)
        learns = [part for part in ("picture", "landmarks", "regions") if grown(getattr(objective.model, part))]
        assert learns == [decoder]
        assert grown(objective.model.encoder)
    known = torch.where(batch.example.mask_B1HW > 0, outputs.image_B3HW, 0 * outputs.image_B3HW)
    other = objective.generator_terms(stage, batch, outputs._replace(image_B3HW=known))
    assert all(torch.equal(other[name], terms[name]) for name in terms)


def test_symmfcnet_takes_the_other_half_where_it_is_known(triplets: Path) -> None:
    """With no flow a hidden pixel takes that of the mirror image, times the light; where both are hidden, none."""
    model = small_model("symmfcnet", SIDE)
    for part, value in ((model.flow, 0.0), (model.light, 0.0)):
        torch.nn.init.zeros_(part.decoder.paint.weight)
        torch.nn.init.constant_(part.decoder.paint.bias, value)
    picture, mask = inputs(SIDE)
    warped = model.warped(picture, mask)
    assert torch.equal(warped.light_B3HW, torch.ones_like(picture))
    assert torch.equal(warped.seen_B1HW, 1 - mask.flip(3))
    assert torch.allclose(warped.lit_B3HW, (picture * (1 - mask)).flip(3), atol=1e-5)
    taken: list[Tensor] = []
    model.reconstruction.register_forward_pre_hook(lambda part, given: taken.append(given[0]))
    model.reconstructed(picture, mask, warped)
    both = mask * mask.flip(3)
    known = torch.where(both > 0, 0 * picture, torch.where(mask > 0, picture.flip(3), picture))
    assert 0 < both.sum() < mask.sum()
    assert torch.allclose(taken[0][:, :3], known, atol=1e-5)


def test_symmfcnets_flow_of_a_symmetric_face_is_none_and_its_symmetry_counts_what_both_halves_hide(
    triplets: Path,
) -> None:
    objective: Any = baseline_objective(micro(triplets, "symmfcnet"), None)
    batch, outputs = begun(objective)
    on_face = batch.on_face_B1HW.expand_as(batch.flow_B2HW) > 0
    assert batch.flow_B2HW[on_face].abs().max() < 1 / SIDE
    stage = objective.stages[0]
    terms = objective.generator_terms(stage, batch, outputs)
    assert terms["symmetry"] > 0
    terms["flow"].backward(retain_graph=True)
    assert grown(objective.model.flow)
    assert not grown(objective.model.reconstruction)
    objective.model.zero_grad()
    terms["mse"].backward(retain_graph=True)
    assert grown(objective.model.light)  # end to end
    seen = outputs._replace(warped=outputs.warped._replace(seen_B1HW=torch.ones_like(batch.example.mask_B1HW)))
    assert objective.generator_terms(stage, batch, seen)["symmetry"] == 0


def test_demeshnets_feature_term_is_called_after_what_it_uses(triplets: Path) -> None:
    objective: Any = baseline_objective(micro(triplets, "demeshnet"), None)
    batch, outputs = begun(objective)
    stage = objective.stages[0]
    assert stage.discriminator is None
    assert sorted(objective.generator_terms(stage, batch, outputs)) == ["hole_mse", "mse", "total"]

    class Halved(torch.nn.Module):
        def features(self, image: Tensor) -> list[Tensor]:
            return [torch.nn.functional.avg_pool2d(image, 2)]

    objective.perceptual = Halved()
    batch = batch._replace(clean_features=Halved().features(batch.example.clean_B3HW))
    terms = objective.generator_terms(stage, batch, outputs)
    assert "perceptual" in terms
    assert not any("identity" in name for name in terms)
    parts = terms["mse"] + terms["hole_mse"] + 0.01 * terms["perceptual"]
    assert terms["total"].item() == pytest.approx(parts.item(), rel=1e-5)


def test_yehs_search_comes_nearer_to_what_is_known_and_leaves_the_networks_alone() -> None:
    model = small_model("yeh", SIDE)
    model.config = model.config.model_copy(update={"steps": 60, "prior": 0.0})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    truth = torch.linspace(-0.9, 0.9, model.config.latent).repeat(2, 1)
    with torch.inference_mode():
        picture = model.generator(truth)
        _, mask = inputs(SIDE)
        start = torch.zeros_like(truth)
        found = model.search(start, picture, mask)
        weights = context_weights(mask, 7)
        away = [(weights * (model.generator(z) - picture).abs()).sum() for z in (start, found)]
        assert away[1] < 0.5 * away[0]
        assert found.abs().max() <= 1
        alone = model.search(start[:1], picture[:1], mask[:1])
    assert torch.allclose(alone, found[:1], atol=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_searches_is_not_exported(triplets: Path, tmp_path: Path) -> None:
    config = micro(triplets, "yeh", "training.images=4")
    fit(config, tmp_path / "run")
    with pytest.raises(CheckpointError, match="cannot be exported: Yeh searches for each picture"):
        open_source(tmp_path / "run" / "weights" / "last.safetensors")

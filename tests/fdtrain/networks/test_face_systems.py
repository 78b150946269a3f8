"""The systems that learn from what is known of faces: that each does what its paper describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fdtrain.config.schema import FitConfig
from fdtrain.data.conditions import parsing
from fdtrain.data.face_mesh import N_FACE
from fdtrain.networks.baselines.gfcm import Gfcm
from fdtrain.objectives.baselines.gafc import nuclear_norm
from fdtrain.objectives.open_objective import baseline_objective
from tests.fdtrain.networks.test_baselines import inputs, micro
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

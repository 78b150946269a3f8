"""What is given to the wrong option is called by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdgen import open_faces
from fdgen.contract.manifest import read_finished
from fdgen.errors import DatasetError, FacesError
from fdgen.io.folders import mistaken, recognised
from fdgen.verification.verifier import verify
from fdgen.versions.lock import read_lock
from fdgen.versions.snapshot import Snapshot


def folder(tmp_path: Path, name: str) -> Path:
    """Return a folder with one file."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / name).write_text("{}")
    return tmp_path / "given"


@pytest.mark.parametrize(
    ("name", "what", "takes"),
    [
        ("dataset.json", "a dataset", "--data"),
        ("run.json", "a run of `fdtrain fit`", "--weights"),
        ("compare.json", "a comparison", "fdtrain report"),
        ("eval.json", "an evaluation", "fdtrain report"),
        ("recipe.toml", "the card of a dataset", "fdgen reproduce"),
    ],
)
def test_folders_are_told_by_what_is_in_them(name: str, what: str, takes: str, tmp_path: Path) -> None:
    found = recognised(folder(tmp_path, name))
    assert found is not None
    assert found[0] == what
    assert takes in found[1]


def test_an_ablation_is_a_comparison_with_a_name_of_its_own(tmp_path: Path) -> None:
    given = folder(tmp_path, "compare.json")
    (given / "ablation.json").write_text("{}")
    assert (recognised(given) or ("",))[0] == "an ablation"
    assert recognised(tmp_path) is None


def test_a_sentence_says_what_there_is(tmp_path: Path) -> None:
    run = folder(tmp_path, "run.json")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "last.safetensors").write_text("")
    for path, words in (
        (run, "it is a run of `fdtrain fit`"),
        (tmp_path / "empty", "the folder is empty"),
        (tmp_path / "nowhere", "there is no such folder"),
        (tmp_path / "file", "it is a file"),
        (tmp_path / "last.safetensors", "it is a file of weights"),
        (tmp_path, "it has no dataset.json"),
    ):
        sentence, _ = mistaken(path, "is not a dataset", "it has no dataset.json", "")
        assert sentence == f"{path} is not a dataset: {words}"
    _, hint = mistaken(run, "is not a dataset", "it has no dataset.json", "name a dataset")
    assert hint.startswith("name a dataset; a run goes to --weights")


@pytest.mark.parametrize("read", [read_finished, verify, read_lock, Snapshot.open], ids=lambda read: read.__name__)
def test_a_run_is_no_dataset_and_no_card(read: object, tmp_path: Path) -> None:
    assert callable(read)
    with pytest.raises(DatasetError, match="it is a run of `fdtrain fit`") as raised:
        read(folder(tmp_path, "run.json"))
    assert "--weights" in raised.value.hint


@pytest.mark.parametrize("name", ["run.json", "eval.json"])
def test_sheets_of_ours_are_no_faces(name: str, tmp_path: Path) -> None:
    with pytest.raises(FacesError, match=r"given is .*, not a folder of faces"):
        open_faces(folder(tmp_path, name))

"""Locations of weights: a file, the folder of a run, or the name of included weights. Needs no torch."""

from __future__ import annotations

import difflib
from pathlib import Path

from fdgen.errors import in_words
from fdgen.io.folders import mistaken
from fdgen.io.regular_file import sha256_of
from fdtrain.errors import CheckpointError
from fdtrain.training.starter import STARTERS, is_starter, starter_file


def find_weights(path: str | Path) -> Path:
    """Return the file of weights that a path, or a name of `STARTERS`, means; raise `CheckpointError` where none is."""
    if is_starter(path):
        return starter_file(str(path))
    path = Path(path)
    if path.is_dir():
        for name in ("best", "last"):
            if (file := path / "weights" / f"{name}.safetensors").is_file():
                return file
        hint = "name a run folder in which `fdtrain fit` has saved"
        if (path / "run.json").is_file():
            raise CheckpointError(f"{path} holds no weights yet", hint=hint)
        lacks, hint = "it has no weights/last.safetensors", f"{hint}, or a .safetensors file"
        sentence, hint = mistaken(path, "is not a run with weights", lacks, hint)
        raise CheckpointError(sentence, hint=hint)
    if not path.is_file():
        raise CheckpointError(
            f"there is no file of weights {path}{_near(path)}", hint="name a .safetensors file, a run folder or starter"
        )
    return path


def weights_sha256(path: str | Path) -> str:
    """Return the sha256 of the file that a path, or a name of `STARTERS`, means; raise `CheckpointError` as above."""
    file = find_weights(path)
    try:
        return sha256_of(file)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {in_words(error)}") from error


def refuse_missing(path: str | Path) -> None:
    """Raise `CheckpointError` where a path names neither weights nor an exported network, before anything is opened."""
    if Path(path).suffix.lower() not in (".onnx", ".pt2") or not Path(path).is_file():
        find_weights(path)


def _near(path: Path) -> str:
    """Return `, did you mean ...?` where what comes along, or lies in the same folder, is named nearly so."""
    known = list(STARTERS) if len(path.parts) == 1 else []
    if path.parent.is_dir():
        known += [
            str(path.parent / one.name)
            for one in sorted(path.parent.iterdir())
            if one.suffix in (".safetensors", ".onnx") or (one / "weights").is_dir()
        ]
    near = difflib.get_close_matches(str(path), known, n=1, cutoff=0.75)
    return f", did you mean {near[0]}?" if near else ""

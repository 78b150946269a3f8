"""What to report about a wrong folder: it is empty, or contains another output of these programs."""

from __future__ import annotations

import contextlib
from pathlib import Path

from fdgen.io.storage import Place, Remote

_FOLDERS = {
    "dataset.json": ("a dataset", "a dataset goes to --data"),
    "run.json": ("a run of `fdtrain fit`", "a run goes to --weights, and `fdtrain status` reports on it"),
    "ablation.json": ("an ablation", "`fdtrain report` shows it"),
    "compare.json": ("a comparison", "`fdtrain report` shows it"),
    "eval.json": ("an evaluation", "`fdtrain report` shows it"),
    "export.json": ("an export of a dataset", "other programs read it"),
    "recipe.toml": ("the card of a dataset", "`fdgen reproduce` builds the dataset of a card"),
}
"""By the file that identifies it: what a folder is, and who takes it. The first that is there counts."""

_FILES = {
    ".safetensors": ("a file of weights", "weights go to --weights"),
    ".onnx": ("an exported network", "an ONNX file goes to `fdtrain restore --weights`"),
    ".pt2": ("an exported network", "torch.export files are for your own programs"),
}


def nothing_in(folder: Path) -> str | None:
    """Say why a folder holds nothing, as words after a colon: not there, a file, empty; None where it holds any."""
    if not folder.exists():
        return "there is no such folder"
    if not folder.is_dir():
        return "it is a file"
    with contextlib.suppress(OSError):  # a folder that can't be looked into: what is missing in it is reported instead
        if next(folder.iterdir(), None) is None:
            return "the folder is empty"
    return None


def recognised(path: Path) -> tuple[str, str] | None:
    """Return what a path is, `a dataset` say, and what takes it; None where neither program made it."""
    if (known := _FILES.get(path.suffix.lower())) is not None and path.is_file():
        return known
    return next((what for name, what in _FOLDERS.items() if (path / name).is_file()), None)


def mistaken(path: Place, isnt: str, lacks: str, hint: str) -> tuple[str, str]:
    """Return the sentence on a path that `is not a dataset`, say, and a hint that says what takes it instead.

    `lacks` says what is missing in it, for where it is nothing that we know.

    >>> mistaken(Path("nowhere"), "is not a dataset", "it has no dataset.json", "name one")
    ('nowhere is not a dataset: there is no such folder', 'name one')
    """
    if isinstance(path, Remote):
        return f"{path} {isnt}: {lacks}", hint
    if (known := recognised(path)) is not None:
        return f"{path} {isnt}: it is {known[0]}", f"{hint}; {known[1]}"
    return f"{path} {isnt}: {nothing_in(path) or lacks}", hint

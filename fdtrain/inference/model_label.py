"""The label of a model in every output: its name, how it was trained, and whether it is a toy.

That a model is a toy, and why, is written in its file, next to the weights, and in what is exported from them: it stays
true of a copy under another name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

TOY_KEY = "toy"
"""Where a file says that it is a toy: a few words that go on from "a toy that", in what is next to the weights."""

INSTEAD = {"restore": "modern-64", "mask": "mask-96"}
"""Preset by which a model that does the same task is trained in earnest, on one core."""

MOST_CHARACTERS = 100
"""Of the words that a file has: it may be anybody's."""


class Described(Protocol):
    """What an exported file says of its network: `fdtrain.inference.metadata.ExportMetadata`."""

    @property
    def task(self) -> Literal["restore", "mask"]: ...
    @property
    def size_px(self) -> int: ...
    @property
    def trained(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class ModelLabel:
    """A model by its name (that of its run or file), its task, its preset, the side of its pictures in pixels.

    `toy` says why it is a toy, in words that go on from "a toy that"; it is None of all others. `sha256` is that of its
    file of weights, None where nobody took it.
    """

    name: str
    task: Literal["restore", "mask"]
    preset: str
    size_px: int
    toy: str | None = None
    sha256: str | None = None

    @classmethod
    def of_facts(cls, path: str | Path, facts: Mapping[str, Any], sha256: str | None = None) -> ModelLabel:
        """Return the label of a file of weights or a run folder, by what `read_facts` returned, and its digest."""
        config = facts["config"]
        task: Literal["restore", "mask"] = "mask" if config.get("mask") else "restore"
        size_px = int(config["data"]["size_px"])
        return cls(model_name(Path(path)), task, str(config["preset"]), size_px, _words(facts.get(TOY_KEY)), sha256)

    @classmethod
    def of_metadata(cls, path: str | Path, metadata: Described) -> ModelLabel:
        """Return the label of an exported file."""
        preset, toy = (_words(metadata.trained.get(key)) for key in ("preset", TOY_KEY))
        return cls(model_name(Path(path)), metadata.task, preset or "", metadata.size_px, toy)

    def json(self) -> dict[str, Any]:
        """Return it for a machine, without a digest that was not taken."""
        return {name: value for name, value in asdict(self).items() if name != "sha256" or value is not None}


def toy_note(labels: Sequence[ModelLabel]) -> str | None:
    """Return a sentence, without its full stop, on those of some models that are toys; None where none is.

    >>> starter = ModelLabel("starter", "restore", "tiny", 64, "learned from three faces")
    >>> toy_note([starter]).partition(": ")[0]
    'starter is a toy that learned from three faces'
    >>> toy_note([ModelLabel("mine", "restore", "modern-64", 64)]) is None
    True
    """
    toys = [label for label in labels if label.toy]
    if not toys:
        return None
    named: dict[str, list[str]] = {}
    for label in toys:
        named.setdefault(str(label.toy), []).append(label.name)
    what = "; ".join(
        f"{' and '.join(names)} {'are toys' if len(names) > 1 else 'is a toy'} that {why}"
        for why, names in named.items()
    )
    presets = " and ".join(f"`--preset {preset}`" for preset in dict.fromkeys(INSTEAD[label.task] for label in toys))
    return (
        f"{what}: results show how this works, not how well it can be done; for real ones, "
        f"`fdgen build --faces FOLDER --out PAIRS` of thousands of faces, then `fdtrain fit --data PAIRS --out RUN` "
        f"with {presets}"
    )


def model_name(path: Path) -> str:
    """Return a short name: of the run folder, or of the file.

    >>> [model_name(Path(path)) for path in ("starter", "a/face.onnx", "runs/one/weights/best.safetensors")]
    ['starter', 'face', 'one best']
    """
    run = path.parent.parent if path.parent.name == "weights" else None
    return path.resolve().name if path.is_dir() else f"{run.name} {path.stem}" if run else path.stem


def _words(value: Any) -> str | None:
    """Return what a file says in a line of words, None where it says nothing."""
    if not isinstance(value, str):
        return None
    line = "".join(letter if letter.isprintable() else " " for letter in value)
    return " ".join(line.split())[:MOST_CHARACTERS] or None

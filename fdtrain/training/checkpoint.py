"""Checkpoints: the state from which a run resumes, and the weights for use.

    checkpoints/state-000000012800.pt     everything that decides the future; plain tensors and numbers, no pickled code
    checkpoints/state-000000012800.json   its receipt, written last: a state without it does not exist
    weights/last.safetensors, best.safetensors     the (averaged) generators, the config inside

Both are written whole or not at all.
"""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from fdgen.errors import in_words
from fdgen.io.json_file import fits, parse_json, read_object, why
from fdgen.io.regular_file import check_regular, sha256_of
from fdtrain.config.schema import FitConfig
from fdtrain.errors import CheckpointError, ConfigError
from fdtrain.networks.build import build_masknet, build_model, build_network
from fdtrain.networks.masknet import CalibratedMaskNet
from fdtrain.networks.restorer import Restorer
from fdtrain.run_files import remove, write_bytes, write_text, write_whole
from fdtrain.training.weight_files import find_weights

SCHEMA = 1
"""Version of the state's layout; a reader refuses any other."""

METADATA_KEY = "fdtrain"

DAMAGED_WEIGHTS = (
    RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError, OverflowError,
    MemoryError, OSError, ImportError, pickle.UnpicklingError, struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""All that reading a damaged or forged file of torch can raise: its unpickler trusts what it reads. RecursionError and
UnicodeDecodeError are among them."""

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Receipt:
    """A state on disk: after how many images, its digest, and its score where it was validated (higher is better)."""

    path: Path
    images: int
    bytes: int
    sha256: str
    score: float | None


class _Receipt(BaseModel):
    """A receipt as JSON."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    score: float | None


def save_state(folder: Path, images: int, state: Mapping[str, Any], *, score: float | None, keep: int) -> Receipt:
    """Write a state, then delete all but the last ones and the one of the best score; return the receipt.

    Args:
        folder: Folder of the checkpoints.
        images: Training images so far, over all processes.
        state: Everything that decides the future, as plain tensors and numbers.
        score: Score of the validation; None where there was none.
        keep: Number of states that are kept, the best not counted.

    Raises `RunError` where the disk refuses.
    """
    path = folder / f"state-{images:012d}.pt"
    write_whole(path, lambda file: torch.save({"schema": SCHEMA, **state}, file))
    receipt = Receipt(path, images, path.stat().st_size, sha256_of(path), score)
    facts = {name: value for name, value in dataclasses.asdict(receipt).items() if name != "path"}
    write_text(path.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    prune(folder, keep)
    return receipt


def receipts(folder: Path) -> list[Receipt]:
    """Return the states of a run, the oldest first; raise `CheckpointError` where a receipt cannot be read."""
    return [_read_receipt(path) for path in sorted(folder.glob("state-*.json"))]


def load_state(receipt: Receipt) -> dict[str, Any]:
    """Read a state back, on the CPU; raise `CheckpointError` where it is not, byte for byte, what was written."""
    path = receipt.path
    try:
        size = check_regular(path, within=_run_of(path))
        intact = size == receipt.bytes and sha256_of(path) == receipt.sha256
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint {path} cannot be read: {in_words(error)}", hint=_go_back(path)
        ) from error
    if not intact:
        how = f"cut to {size} of {receipt.bytes} bytes" if size < receipt.bytes else "altered: its sha256 is another"
        raise CheckpointError(f"the checkpoint {path} is {how}", hint=_go_back(path))
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED_WEIGHTS as error:  # by a stranger: the receipt next to it fits
        raise CheckpointError(f"the checkpoint {path} is not one of ours", hint=_go_back(path)) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"the checkpoint {path} is not one of ours", hint=_go_back(path))
    if state.get("schema") != SCHEMA:
        raise CheckpointError(
            f"the checkpoint {path} has schema {state.get('schema')}, this version reads {SCHEMA}",
            hint="go on with the version of fdtrain that wrote it",
        )
    return state


def save_model(path: Path, model: nn.Module, facts: Mapping[str, Any]) -> None:
    """Write a network with `facts`, JSON that must hold the `config`, inside."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    # One entry of metadata: safetensors writes several in an order that changes from process to process.
    write_bytes(path, save(tensors, {METADATA_KEY: json.dumps(facts, sort_keys=True)}))


def load_model(path: str | Path) -> Restorer:
    """Return the generators of a safetensors file, or of a run folder, ready for use: its best, else its last.

    On the CPU, in eval mode. Raises `CheckpointError` where the file is missing, damaged, not ours, holds weights of
    another architecture than its config says, or a mask network.
    """
    path = find_weights(path)
    config = FitConfig.from_dict(read_facts(path)["config"])
    if config.mask is not None:
        raise CheckpointError(
            f"{path} holds a segmentation network, which finds occluders and restores nothing",
            hint="name weights of a generator here: those of any preset that `fdtrain presets` does not call mask",
        )
    _refuse_larger(path, config)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config)
    return _filled(model, path)


def load_masknet(path: str | Path) -> tuple[CalibratedMaskNet, dict[str, Any]]:
    """Return the mask network of a file or run folder, ready for use, and the facts next to it; raise as `load_model`.

    On the CPU, in eval mode. Its temperature is that of the file: 1 where none was fitted.
    """
    path = find_weights(path)
    facts = read_facts(path)
    config = FitConfig.from_dict(facts["config"])
    if config.mask is None:
        raise CheckpointError(
            f"{path} holds generators, which restore faces and find no occluders",
            hint="name weights that `fdtrain fit --preset mask` wrote",
        )
    _refuse_larger(path, config)
    with torch.random.fork_rng(devices=[]):
        net = build_masknet(config)
    temperature = facts.get("temperature") or 1.0
    return CalibratedMaskNet(_filled(net, path), float(temperature)).eval(), facts


def _refuse_larger(path: Path, config: FitConfig) -> None:
    """Raise `CheckpointError` where a config means far more weights than the file has, before memory is taken for them.

    Who writes a config of a terabyte next to no weights gets a sentence and not the terabyte. Loading decides whether
    names and shapes are the same: a network on the meta device lacks what spectral norms add.
    """
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            meant = sum(value.numel() for value in build_network(config).state_dict().values())
        with safe_open(path, "pt") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 - it is no dict
    except (RuntimeError, ValueError, TypeError, OverflowError, SafetensorError, OSError) as error:
        raise _other_architecture(path) from error
    if meant > 2 * sum(map(math.prod, shapes)):
        raise _other_architecture(path)


def _other_architecture(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} holds weights of another architecture than its config says",
        hint="take the file as `fdtrain fit` wrote it",
    )


def _filled(model: Model, path: Path) -> Model:
    try:
        model.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError, ValueError) as error:
        raise _other_architecture(path) from error
    return model.eval().requires_grad_(False)


def read_facts(path: Path) -> dict[str, Any]:
    """Return what is kept next to the weights in a safetensors file: config, content_id, images, score and more."""
    try:
        check_regular(path)
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        if path.suffix.lower() in (".onnx", ".pt2"):
            raise CheckpointError(
                f"{path} is an exported network, and weights are wanted here",
                hint="name the run or the .safetensors file that it was made from",
            ) from error
        raise CheckpointError(
            f"{path} is not a whole safetensors file: {why(error)}", hint="copy it again, or name another of the run"
        ) from error
    try:
        facts: dict[str, Any] = parse_json(metadata[METADATA_KEY])
        FitConfig.from_dict(facts["config"])
        _refuse_odd(facts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{path} was not written by fdtrain: it has no config inside", hint="name weights that `fdtrain fit` wrote"
        ) from error
    except ConfigError as error:
        raise CheckpointError(
            f"{path} has a config that this version does not know: {error.message}",
            hint="use the version of fdtrain that wrote it",
        ) from error
    return facts


def _read_receipt(path: Path) -> Receipt:
    try:
        values = read_object(path, within=_run_of(path), error=CheckpointError)
    except CheckpointError as error:
        raise CheckpointError(f"the receipt {error.message}", hint=_go_back(path)) from error
    if (wrong := fits(_Receipt, values)) is not None:
        raise CheckpointError(
            f"the receipt {path} is not in the form that fdtrain writes: {wrong}", hint=_go_back(path)
        )
    return Receipt(path.with_suffix(".pt"), **values)


def prune(folder: Path, keep: int) -> None:
    """Delete all states but the last `keep` and the one of the best score; raise `RunError` where the disk refuses."""
    there = receipts(folder)
    scored = [receipt for receipt in there if receipt.score is not None]
    best = max(scored, key=lambda receipt: (receipt.score, receipt.images), default=None)
    for receipt in there[:-keep]:
        if receipt != best:
            remove(receipt.path.with_suffix(".json"))  # first: without it the state does not exist
            remove(receipt.path)
    known = {receipt.path.name for receipt in receipts(folder)}
    for stray in folder.glob("state-*.pt"):  # left by a kill between the state and its receipt
        if stray.name not in known:
            remove(stray)


def _run_of(path: Path) -> Path:
    """Return the folder of the run whose checkpoint or receipt this is."""
    return path.parent.parent


def _refuse_odd(facts: Mapping[str, Any]) -> None:
    """Raise `ValueError` where a fact next to weights is of another type than we write."""
    kinds: Mapping[str, tuple[type, ...]] = {
        "content_id": (str,), "dataset": (str,), "images": (int,), "temperature": (int, float, type(None)),
        "best_by": (str,), "on_the_fly": (dict,), "origin": (dict,),
    }  # fmt: skip
    if odd := [name for name, kind in kinds.items() if name in facts and type(facts[name]) not in kind]:
        raise ValueError(f"{odd[0]} is of another type than we write")


def _go_back(path: Path) -> str:
    return f"delete {path.with_suffix('.json')} to go on from the checkpoint before it"

"""Checkpoints: the state that a run goes on from, and the weights that are used.

    checkpoints/state-000000012800.pt     everything that decides the future; plain tensors and numbers, no pickled code
    checkpoints/state-000000012800.json   its receipt, written last: a state without it does not exist
    weights/last.safetensors, best.safetensors     the (averaged) generators, the config inside

Both are written whole or not at all.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from fdtrain.atomic import write_bytes, write_text, write_whole
from fdtrain.config import FitConfig
from fdtrain.errors import CheckpointError, ConfigError
from fdtrain.networks.build import build_masknet, build_model
from fdtrain.networks.masknet import Guesser
from fdtrain.networks.restorer import Restorer
from fdtrain.weight_files import find_weights as find_weights  # asked for here as well

SCHEMA = 1
"""Version of the state's layout; a reader refuses any other."""

METADATA_KEY = "fdtrain"

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Receipt:
    """A state on disk: after how many images, its digest, and its score where it was validated (higher is better)."""

    path: Path
    images: int
    bytes: int
    sha256: str
    score: float | None


def save_state(folder: Path, images: int, state: Mapping[str, Any], *, score: float | None, keep: int) -> Receipt:
    """Write a state after `images` images, then delete all but the last `keep` and the one of the best score."""
    path = folder / f"state-{images:012d}.pt"
    write_whole(path, lambda file: torch.save({"schema": SCHEMA, **state}, file))
    receipt = Receipt(path, images, path.stat().st_size, _sha256(path), score)
    facts = {name: value for name, value in dataclasses.asdict(receipt).items() if name != "path"}
    write_text(path.with_suffix(".json"), json.dumps(facts, indent=2) + "\n")
    _prune(folder, keep)
    return receipt


def receipts(folder: Path) -> list[Receipt]:
    """Return the states of a run, the oldest first; raise `CheckpointError` where a receipt cannot be read."""
    return [_read_receipt(path) for path in sorted(folder.glob("state-*.json"))]


def load_state(receipt: Receipt) -> dict[str, Any]:
    """Read a state back, on the CPU; raise `CheckpointError` where it is not, byte for byte, what was written."""
    path = receipt.path
    try:
        intact = path.stat().st_size == receipt.bytes and _sha256(path) == receipt.sha256
    except OSError as error:
        raise CheckpointError(f"the checkpoint {path} cannot be read: {error.strerror}", hint=_go_back(path)) from error
    if not intact:
        size = path.stat().st_size
        how = f"cut to {size} of {receipt.bytes} bytes" if size < receipt.bytes else "altered: its sha256 is another"
        raise CheckpointError(f"the checkpoint {path} is {how}", hint=_go_back(path))
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"the checkpoint {path} is not one of ours", hint=_go_back(path)) from error
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
    """Return the generators of a safetensors file, or of a run folder (its best, else its last), ready for use.

    On the CPU, in eval mode. Raises `CheckpointError` where the file is missing, damaged, not ours, holds weights of
    another architecture than its config says, or a mask network.
    """
    path = find_weights(path)
    config = FitConfig.from_dict(read_facts(path)["config"])
    if config.mask is not None:
        raise CheckpointError(
            f"{path} holds a mask network, which finds occluders and restores nothing",
            hint="name weights of a generator here: those of any preset that `fdtrain presets` does not call mask",
        )
    with torch.random.fork_rng(devices=[]):
        model = build_model(config)
    return _filled(model, path)


def load_masknet(path: str | Path) -> tuple[Guesser, dict[str, Any]]:
    """Return the mask network of a file or run folder, ready for use, and the facts beside it; raise as `load_model`.

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
    with torch.random.fork_rng(devices=[]):
        net = build_masknet(config)
    temperature = facts.get("temperature") or 1.0
    return Guesser(_filled(net, path), float(temperature)).eval(), facts


def _filled(model: Model, path: Path) -> Model:
    try:
        model.load_state_dict(load_file(path))
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} holds weights of another architecture than its config says",
            hint="take the file as `fdtrain fit` wrote it",
        ) from error
    return model.eval().requires_grad_(False)


def read_facts(path: Path) -> dict[str, Any]:
    """Return what stands beside the weights in a safetensors file: config, content_id, images, score and more."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        if path.suffix.lower() in (".onnx", ".pt2"):
            raise CheckpointError(
                f"{path} is an exported network, and weights are wanted here",
                hint="name the run or the .safetensors file that it was made from",
            ) from error
        raise CheckpointError(
            f"{path} is not a whole safetensors file: {error}", hint="copy it again, or name another of the run"
        ) from error
    try:
        facts: dict[str, Any] = json.loads(metadata[METADATA_KEY])
        FitConfig.from_dict(facts["config"])
    except (KeyError, TypeError, ValueError) as error:
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
        return Receipt(path.with_suffix(".pt"), **json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"the receipt {path} cannot be read", hint=_go_back(path)) from error


def _prune(folder: Path, keep: int) -> None:
    there = receipts(folder)
    scored = [receipt for receipt in there if receipt.score is not None]
    best = max(scored, key=lambda receipt: (receipt.score, receipt.images), default=None)
    for receipt in there[:-keep]:
        if receipt != best:
            receipt.path.with_suffix(".json").unlink(missing_ok=True)  # first: without it the state does not exist
            receipt.path.unlink(missing_ok=True)
    known = {receipt.path.name for receipt in receipts(folder)}
    for stray in folder.glob("state-*.pt"):  # left by a kill between the state and its receipt
        if stray.name not in known:
            stray.unlink()


def _go_back(path: Path) -> str:
    return f"delete {path.with_suffix('.json')} to go on from the checkpoint before it"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()

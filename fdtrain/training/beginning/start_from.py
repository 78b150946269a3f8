"""Starts a run from given weights instead of drawn ones (`training.start_from`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fdtrain.errors import CheckpointError
from fdtrain.training.checkpoint import read_facts
from fdtrain.training.weight_files import find_weights, weights_sha256

LEAST_SHARE = 0.5
"""Of a network's values that must be found: less is another network, even where names are the same."""

LEARNT_ANEW = "fill."
"""How names of eigenfaces begin: a run finds those of its own train split."""

SHOWN_MAPS = ("base.encoder.0.", "refine.encoder.0.")
"""How names of the layers begin that are shown maps of landmarks, after all else."""


def begun_with(
    model: nn.Module,
    path: str,
    recorded: Mapping[str, Any] | None,
    resumes: bool,
    note: Callable[[str], None],
) -> Mapping[str, Any] | None:
    """Give a network the weights that a run begins with; return where they are from, None where they are drawn.

    Args:
        model: The network, its weights drawn.
        path: What `training.start_from` names; empty for nothing.
        recorded: Where they were from as the run began; None where nothing is recorded.
        resumes: Whether a checkpoint is there, whose weights come next: then a file that has gone is not missed.
        note: Called with a sentence on what was taken.

    Raises `CheckpointError`, also where a run that has no checkpoint yet lacks the file that it began with, and where
    one that goes on began with drawn weights.
    """
    if not path:
        if recorded is not None and not resumes:
            raise CheckpointError(
                "this run began with given weights, and no checkpoint has been written since",
                hint="name them again: --set training.start_from=FILE",
            )
        return recorded
    if not resumes:
        return take_weights(model, path, note)
    try:
        sha256 = weights_sha256(path)
    except CheckpointError as error:
        if recorded is None:
            raise CheckpointError(
                f"training.start_from: {error.message}; and this run began with weights that were drawn",
                hint="leave it out to go on, or begin another run with --out",
            ) from error
        return recorded  # all of it is in the checkpoint
    return recorded if recorded is not None and recorded.get("sha256") == sha256 else {"sha256": sha256}


def take_weights(model: nn.Module, path: str | Path, note: Callable[[str], None]) -> dict[str, Any]:
    """Put into a network all weights of a file, or run folder, of its names and shapes; return where they are from.

    Networks may differ in their head, or in what one has and the other lacks: the rest of the network keeps what was
    drawn, and `note` is called with which. Layers that are shown maps of landmarks in addition to what the file's were
    take its weights for the rest. Discriminators always begin with drawn weights, as files of weights hold none.

    Raises `CheckpointError` where the file cannot be read, or holds less than half of this network.
    """
    file = find_weights(path)
    facts = read_facts(file)
    try:
        given = load_file(file)
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read", hint="copy it again, or name another of the run") from error
    own = {name: value for name, value in model.state_dict().items() if not name.startswith(LEARNT_ANEW)}
    given |= {name: _widened(given[name], own[name]) for name in own if name.startswith(SHOWN_MAPS) and name in given}
    taken = {name: given[name] for name, value in own.items() if name in given and given[name].shape == value.shape}
    share = sum(value.numel() for value in taken.values()) / sum(value.numel() for value in own.values())
    if share < LEAST_SHARE:
        raise CheckpointError(
            f"training.start_from: {file} holds {share:.0%} of this network's weights by name and shape, which is "
            "another network",
            hint="name weights of the same preset, or of one that differs in its head alone",
        )
    model.load_state_dict(taken, strict=False)
    left = [name for name in own if name not in taken]
    kept = f"; drawn anew: {', '.join(left[:3])}{' ...' if len(left) > 3 else ''}" if left else ""
    note(f"starting from {file}: {len(taken)} of {len(own)} tensors, {share:.0%} of all weights{kept}")
    return {"sha256": weights_sha256(file), "content_id": facts.get("content_id"), "images": facts.get("images")}


def _widened(given: Tensor, own: Tensor) -> Tensor:
    """Return weights of a layer with those that were drawn for the last channels it is shown, where it lacks them."""
    as_others = given.ndim == own.ndim == 4 and given.shape[0] == own.shape[0] and given.shape[2:] == own.shape[2:]
    return torch.cat([given, own[:, given.shape[1] :]], 1) if as_others else given

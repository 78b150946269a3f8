"""Trained networks as exported graphs: their inputs, their outputs, and torch's results to compare with.

Layers that exporters cannot write are worked into weights (spectral norms) or moved to what is put in (edges).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from fdtrain.config.face_maps import REGIONS
from fdtrain.data.pictures import Values
from fdtrain.errors import CheckpointError
from fdtrain.inference.metadata import (
    CHECKED,
    COARSE,
    EDGES,
    KINDS,
    MAPS,
    MASK,
    OCCLUDED,
    OCCLUDER,
    PICTURE,
    RESTORED,
    ExportMetadata,
)
from fdtrain.inference.model_label import TOY_KEY
from fdtrain.networks.edgeconnect import EdgeConnect
from fdtrain.networks.fdstack import BaseNet
from fdtrain.networks.masknet import CalibratedMaskNet
from fdtrain.networks.restorer import Restoration, Restorer
from fdtrain.training.checkpoint import load_masknet, load_model, read_facts
from fdtrain.training.weight_files import find_weights, weights_sha256

Run = Callable[[Values, Values], Sequence[Values]]
"""From pictures and masks to outputs, as one form of a network gives them."""


class Source(NamedTuple):
    """What is exported, its metadata, and the network as it was trained, which it is compared with."""

    graph: nn.Module
    metadata: ExportMetadata
    truth: Run


def open_source(weights: str | Path) -> Source:
    """Open a generator or a mask network; raise `CheckpointError` where the file or run folder holds none."""
    weights = find_weights(weights)
    facts = {**read_facts(weights), "weights_sha256": weights_sha256(weights)}
    return _masker(weights, facts) if facts["config"].get("mask") else _generator(weights, facts)


def _generator(weights: Path, facts: Mapping[str, Any]) -> Source:
    model = load_model(weights)
    if not model.one_pass:
        raise CheckpointError(
            f"{weights} cannot be exported: {type(model).__name__} searches for each picture, in many passes",
            hint="restore with its weights, or export those of another method",
        )
    metadata = generator_metadata(model, facts)
    kind = _GraphAlongEdges if EDGES in metadata.inputs else _GraphByMaps if MAPS in metadata.inputs else _Graph
    graph = kind(load_model(weights))

    def truth(occluded_B3HW: Values, mask_B1HW: Values) -> Sequence[Values]:
        with torch.inference_mode():
            made = model(torch.from_numpy(occluded_B3HW), torch.from_numpy(mask_B1HW))
        return [output.numpy() for output in made[-len(metadata.outputs) :]]

    return Source(graph.eval(), metadata, truth)


def _masker(weights: Path, facts: Mapping[str, Any]) -> Source:
    masknet, _ = load_masknet(weights)
    metadata = masker_metadata(masknet, facts)
    n_outputs = len(metadata.outputs)

    def truth(picture_B3HW: Values, mask_B1HW: Values) -> Sequence[Values]:
        with torch.inference_mode():
            return [output.numpy() for output in masknet(torch.from_numpy(picture_B3HW))[:n_outputs]]

    return Source(_MaskGraph(masknet, n_outputs).eval(), metadata, truth)


def generator_metadata(model: Restorer, facts: Mapping[str, Any]) -> ExportMetadata:
    """Return what a generator takes and gives, and what its weights say of their training."""
    config = facts["config"]
    size_px = int(config["data"]["size_px"])
    picture, mask = f"(batch, 3, {size_px}, {size_px})", f"(batch, 1, {size_px}, {size_px})"
    inputs = {
        OCCLUDED: f"float32 {picture}: the occluded face, RGB in [-1, 1]",
        MASK: f"float32 {mask}: 1 where something is to be replaced, 0 elsewhere",
    }
    outputs = {RESTORED: f"float32 {picture}: the restored face, RGB in [-1, 1]"}
    if model.has_coarse:
        outputs = {COARSE: f"float32 {picture}: the result of the first stage, RGB in [-1, 1]", **outputs}
    sigma_px = None
    if isinstance(model, EdgeConnect):
        sigma_px = model.sigma_px
        inputs[EDGES] = (
            f"float32 {mask}: 1 on the edges of the known pixels, as scikit-image's canny finds them in the luma "
            f"(BT.601, in [0, 1]) with sigma {sigma_px:g} and mask = (mask == 0)"
        )
    if isinstance(model, BaseNet) and model.config.landmarks:
        regions = ", ".join(REGIONS)
        inputs[MAPS] = (
            f"float32 (batch, {len(REGIONS)}, {size_px}, {size_px}): maps of {regions} as FaceMesh's landmarks of the "
            "occluded picture outline them, 1 inside and 0 elsewhere; all 0 where no face is seen. "
            "`fdtrain.faces.landmark_maps` draws them, without torch"
        )
    return ExportMetadata(
        "restore", size_px, inputs, outputs, trained(model, facts), edges_sigma_px=sigma_px, checked=CHECKED
    )


def masker_metadata(masknet: CalibratedMaskNet, facts: Mapping[str, Any]) -> ExportMetadata:
    """Return what a mask network takes and gives, and what its weights say of their training."""
    config = facts["config"]
    size_px, kinds = int(config["data"]["size_px"]), tuple(config["mask"]["kinds"] or ())
    inputs = {PICTURE: f"float32 (batch, 3, {size_px}, {size_px}): a face, RGB in [-1, 1]"}
    outputs = {
        OCCLUDER: f"float32 (batch, 1, {size_px}, {size_px}): the probability of each pixel to show an occluder, "
        "without its shadow"
    }
    if kinds:
        outputs[KINDS] = f"float32 (batch, {len(kinds)}): the probability of each of {', '.join(kinds)} to be worn"
    return ExportMetadata("mask", size_px, inputs, outputs, trained(masknet, facts), kinds=kinds, checked=CHECKED)


def trained(model: nn.Module, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the weights say of their training: preset, data, length, score, and which weights they are."""
    told = (
        "dataset",
        "content_id",
        "images",
        "val_hole_psnr_db",
        "val_iou",
        "temperature",
        "fdtrain",
        TOY_KEY,
        "weights_sha256",
    )
    config = facts["config"]
    return {
        "preset": config["preset"],
        "method": (config.get("baseline") or {}).get("method"),
        **{name: facts[name] for name in told if name in facts},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


class _Graph(nn.Module):
    """A generator as it is exported: tensors in, tensors out. It works spectral norms into the weights of `model`."""

    def __init__(self, model: Restorer) -> None:
        super().__init__()
        self.model = model
        for part in self.model.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d) and parametrize.is_parametrized(part):
                parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)

    def forward(self, occluded: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, in the order of the metadata."""
        return self.chosen(self.model(occluded, mask))

    def chosen(self, made: Restoration) -> tuple[Tensor, ...]:
        """Return the final picture, after the coarse one where there is one."""
        return tuple(made) if self.model.has_coarse else (made.image_B3HW,)


class _GraphAlongEdges(_Graph):
    """EdgeConnect's generators; the known edges come from outside, since no graph can hold Canny's detector."""

    def forward(self, occluded: Tensor, mask: Tensor, edges: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Return the outputs, in the order of the metadata."""
        if not isinstance(self.model, EdgeConnect):
            raise TypeError(f"{type(self.model).__name__} sees no edges")
        return self.chosen(self.model.along(occluded, mask, edges))


class _GraphByMaps(_Graph):
    """A stack that is shown landmarks; the maps come from outside, since a network of its own detects them."""

    def forward(self, occluded: Tensor, mask: Tensor, landmark_maps: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Return the outputs, in the order of the metadata."""
        if not isinstance(self.model, BaseNet):
            raise TypeError(f"{type(self.model).__name__} sees no landmarks")
        return self.chosen(self.model.by_maps(occluded, mask, landmark_maps))


class _MaskGraph(nn.Module):
    """A mask network as it is exported; without the kinds where it distinguishes none."""

    def __init__(self, masknet: CalibratedMaskNet, n_outputs: int) -> None:
        super().__init__()
        self.guesser, self.n_outputs = masknet, n_outputs  # names of parameters in files

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs, in the order of the metadata."""
        return tuple(self.guesser(picture)[: self.n_outputs])

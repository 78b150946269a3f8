"""Trained networks as files that run without fdtrain: ONNX, and torch.export's own format.

Every file is compared with the network that it was made from before it gets its name. Of torch's two exporters to ONNX
the one by `torch.export` is taken: the other, by tracing TorchScript, cannot write contextual attention (GCA).
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from fdgen.errors import FdError
from fdtrain.atomic import write_bytes
from fdtrain.checkpoint import find_weights, load_model, read_facts
from fdtrain.errors import RunError
from fdtrain.networks.edgeconnect import EdgeConnect
from fdtrain.networks.restorer import Restoration, Restorer
from fdtrain.onnx_engine import EXTRA, OnnxNetwork, inputs_of
from fdtrain.pictures import Values
from fdtrain.portable import COARSE, EDGES, MASK, OCCLUDED, RESTORED, Contract
from fdtrain.probes import BATCHES, probes

FORMATS = {"onnx": ".onnx", "pt2": ".pt2"}
"""Formats, and the suffixes of their files."""

TOLERANCE = 1e-3
"""Most that an exported network may differ from torch in any value; a grey level of 255 is 8e-3."""

OPSET = 18
"""Version of ONNX's operators: the one that torch's exporter writes by itself, without converting afterwards."""

Run = Callable[[Values, Values], Sequence[Values]]
"""From pictures and masks to outputs, as one form of a network gives them."""


CHECKED = {"tolerance": TOLERANCE, "batches": BATCHES}
"""What a file says of the check: one that failed it was never written."""


@dataclass(frozen=True)
class Exported:
    """A file that was written: how much it differs at most from torch, on how many pictures, and its contract."""

    path: Path
    bytes: int
    most: float
    pictures: int
    contract: Contract


def export_generator(weights: str | Path, path: str | Path, *, form: str = "onnx") -> Exported:
    """Write the generator of a file of weights or a run folder as `onnx` or `pt2`; the batch is left open.

    Raises `FdError` where the weights are none, the exporter is not installed, or the file would differ from torch.
    """
    require(form)
    weights = find_weights(weights)
    model = load_model(weights)
    contract = generator_contract(model, read_facts(weights))
    graph = (_GraphAlongEdges if EDGES in contract.inputs else _Graph)(load_model(weights))

    def truth(occluded_B3HW: Values, mask_B1HW: Values) -> Sequence[Values]:
        with torch.inference_mode():
            made = model(torch.from_numpy(occluded_B3HW), torch.from_numpy(mask_B1HW))
        return [output.numpy() for output in made[-len(contract.outputs) :]]

    return _export(graph, contract, truth, Path(path), form)


def require(form: str) -> None:
    """Raise `FdError` where what writes a format, and what checks it, is not installed."""
    wanted = ("onnx", "onnxscript", "onnxruntime") if form == "onnx" else ()
    if missing := [name for name in wanted if util.find_spec(name) is None]:
        raise FdError(f"exporting to ONNX needs {', '.join(missing)}", hint=EXTRA)


def generator_contract(model: Restorer, facts: dict[str, Any]) -> Contract:
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
    baseline = config.get("baseline") or {}
    trained = {
        "preset": config["preset"],
        "method": baseline.get("method", "fd-stackgan"),
        **{name: facts.get(name) for name in ("dataset", "content_id", "images", "val_hole_psnr_db", "fdtrain")},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    return Contract("restore", size_px, inputs, outputs, trained, edges_sigma_px=sigma_px, checked=CHECKED)


class _Graph(nn.Module):
    """A generator as it is exported: tensors in, tensors out. It works spectral norms into the weights of `model`."""

    def __init__(self, model: Restorer) -> None:
        super().__init__()
        self.model = model
        for part in self.model.modules():
            if isinstance(part, nn.Conv2d | nn.ConvTranspose2d) and parametrize.is_parametrized(part):
                parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)

    def forward(self, occluded: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the contract."""
        return self.chosen(self.model(occluded, mask))

    def chosen(self, made: Restoration) -> tuple[Tensor, ...]:
        """Return the final picture, after the coarse one where there is one."""
        return tuple(made) if self.model.has_coarse else (made.image_B3HW,)


class _GraphAlongEdges(_Graph):
    """EdgeConnect's generators; the known edges come from outside, since no graph can hold Canny's detector."""

    def forward(self, occluded: Tensor, mask: Tensor, edges: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Return the outputs of the contract."""
        along: Callable[..., Restoration] = self.model.along
        return self.chosen(along(occluded, mask, edges))


def _export(graph: nn.Module, contract: Contract, truth: Run, path: Path, form: str) -> Exported:
    """Export a graph, compare the very bytes that will be the file with the truth, and write them."""
    example = tuple(torch.from_numpy(values) for values in inputs_of(contract, *next(probes(contract.size_px, (2,)))))
    batch = torch.export.Dim("batch")
    with _quiet():
        program = torch.export.export(graph.eval(), example, dynamic_shapes=tuple({0: batch} for _ in example))
        data = _onnx(program, contract) if form == "onnx" else _pt2(program, contract)
        run = _open_onnx(data, path.name, contract) if form == "onnx" else _open_pt2(data, contract)
    most, pictures = compare(run, truth, contract.size_px)
    if not most <= TOLERANCE:  # also where it is no number
        raise RunError(
            f"{path} was not written: on {pictures} pictures it differs from torch by up to {most:.2g}, "
            f"and {TOLERANCE:g} is allowed",
            hint="report it as a bug, with the preset and the versions of torch and onnxruntime",
        )
    write_bytes(path, data)
    return Exported(path, len(data), most, pictures, contract)


def compare(run: Run, truth: Run, size_px: int, batches: tuple[int, ...] = BATCHES) -> tuple[float, int]:
    """Return the largest difference between two forms of a network in any value, and on how many pictures."""
    most, pictures = 0.0, 0
    for occluded_B3HW, mask_B1HW in probes(size_px, batches):
        pictures += len(occluded_B3HW)
        for made, wanted in zip(run(occluded_B3HW, mask_B1HW), truth(occluded_B3HW, mask_B1HW), strict=True):
            if made.shape != wanted.shape:
                return float("inf"), pictures
            difference = float(np.abs(made - wanted).max())
            most = difference if np.isnan(difference) else max(most, difference)
    return most, pictures


def _onnx(program: torch.export.ExportedProgram, contract: Contract) -> bytes:
    """Return a program as the bytes of an ONNX file, the contract inside."""
    import onnx

    exported = torch.onnx.export(
        program,
        input_names=list(contract.inputs),
        output_names=list(contract.outputs),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    if exported is None:
        raise TypeError("torch.onnx.export gave no program")
    model = exported.model_proto
    for node in (*model.graph.node, *(node for function in model.functions for node in function.node)):
        del node.metadata_props[:]  # paths of this machine
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]  # named otherwise, and every reader infers it
    del model.metadata_props[:], model.graph.metadata_props[:]
    model.producer_name, model.producer_version = "fdtrain", metadata.version("fd-stackgan")
    model.doc_string = f"{contract.preprocessing}\n\n{contract.use}"
    onnx.helper.set_model_props(model, contract.metadata())
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _pt2(program: torch.export.ExportedProgram, contract: Contract) -> bytes:
    """Return a program as the bytes of torch.export's archive, the contract inside as extra files."""
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files=contract.metadata())
    return buffer.getvalue()


def _open_onnx(data: bytes, name: str, contract: Contract) -> Run:
    network = OnnxNetwork(data, task=contract.task, name=name, device="cpu")
    return lambda occluded_B3HW, mask_B1HW: network.run(*inputs_of(contract, occluded_B3HW, mask_B1HW))


def _open_pt2(data: bytes, contract: Contract) -> Run:
    module = torch.export.load(io.BytesIO(data)).module()

    def run(occluded_B3HW: Values, mask_B1HW: Values) -> list[Values]:
        given = (torch.from_numpy(values) for values in inputs_of(contract, occluded_B3HW, mask_B1HW))
        with torch.inference_mode():
            return [output.numpy() for output in module(*given)]

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporters from telling what a user can do nothing about: deprecations among their own parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

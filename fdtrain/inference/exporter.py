"""Trained networks as files that run without fdtrain: ONNX, and torch.export's own format.

Every file is compared with the network that it was made from before it gets its name. Of torch's two exporters to ONNX
the one by `torch.export` is taken: the other, by tracing TorchScript, cannot write contextual attention (GCA).
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from fdgen.errors import FdError
from fdtrain.data.pictures import Values
from fdtrain.errors import RunError
from fdtrain.inference.export_graphs import Run, open_source
from fdtrain.inference.metadata import KEY, TOLERANCE, ExportMetadata
from fdtrain.inference.onnx_method import EXTRA, OnnxNetwork, inputs_of
from fdtrain.inference.probes import BATCHES, probes
from fdtrain.run_files import write_bytes

FORMATS = ("onnx", "pt2")
"""Each is also the suffix of its files, by which they are distinguished."""

OPSET = 18
"""Version of ONNX's operators: the one that torch's exporter writes by itself, without converting afterwards."""


@dataclass(frozen=True)
class Exported:
    """A file that was written: how much it differs at most from torch, on how many pictures, and its metadata."""

    path: Path
    bytes: int
    most: float
    pictures: int
    metadata: ExportMetadata


def export(weights: str | Path, path: str | Path, *, form: str = "onnx") -> Exported:
    """Write the network of a file of weights or a run folder as `onnx` or `pt2`; the batch is left open.

    Raises `FdError` where the weights are none, the exporter is not installed, or the file would differ from torch.
    """
    path = Path(path)
    require(form)
    graph, metadata, truth = open_source(weights)
    inputs = inputs_of(metadata, *next(probes(metadata.size_px, (2,))))
    batch = torch.export.Dim("batch")
    with _quiet():
        program = torch.export.export(
            graph, tuple(map(torch.from_numpy, inputs)), dynamic_shapes=tuple({0: batch} for _ in inputs)
        )
        data = _onnx(program, metadata) if form == "onnx" else _pt2(program, metadata)
        run = _open_onnx(data, path.name, metadata) if form == "onnx" else _open_pt2(data, metadata)
    most, pictures = compare(run, truth, metadata.size_px)
    if not most <= TOLERANCE:  # also where it is no number
        raise RunError(
            f"{path} was not written: on {pictures} pictures it differs from torch by up to {most:.2g}, "
            f"and {TOLERANCE:g} is allowed",
            hint="report it as a bug, with the preset and the versions of torch and onnxruntime",
        )
    write_bytes(path, data)
    return Exported(path, len(data), most, pictures, metadata)


def require(form: str) -> None:
    """Raise `FdError` where what writes a format, and what checks it, is not installed."""
    wanted = ("onnx", "onnxscript", "onnxruntime") if form == "onnx" else ()
    if missing := [name for name in wanted if util.find_spec(name) is None]:
        raise FdError(f"exporting to ONNX needs {', '.join(missing)}", hint=EXTRA)


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


def _onnx(program: torch.export.ExportedProgram, metadata: ExportMetadata) -> bytes:
    """Return a program as the bytes of an ONNX file, the metadata inside."""
    import onnx

    exported = torch.onnx.export(
        program,
        input_names=list(metadata.inputs),
        output_names=list(metadata.outputs),
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
    model.producer_name, model.producer_version = "fdtrain", version("fd-stackgan")
    told = metadata.entries()
    model.doc_string = "\n\n".join(words for key, words in told.items() if key != KEY)
    onnx.helper.set_model_props(model, told)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _pt2(program: torch.export.ExportedProgram, metadata: ExportMetadata) -> bytes:
    """Return a program as the bytes of torch.export's archive, the metadata inside as extra files."""
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files=metadata.entries())
    return buffer.getvalue()


def _open_onnx(data: bytes, name: str, metadata: ExportMetadata) -> Run:
    network = OnnxNetwork(data, task=metadata.task, name=name, device="cpu")
    return lambda occluded_B3HW, mask_B1HW: network.run(*inputs_of(metadata, occluded_B3HW, mask_B1HW))


def _open_pt2(data: bytes, metadata: ExportMetadata) -> Run:
    module = torch.export.load(io.BytesIO(data)).module()

    def run(occluded_B3HW: Values, mask_B1HW: Values) -> list[Values]:
        given = (torch.from_numpy(values) for values in inputs_of(metadata, occluded_B3HW, mask_B1HW))
        with torch.inference_mode():
            return [output.numpy() for output in module(*given)]

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporters from reporting what a user can do nothing about: deprecations among their own parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

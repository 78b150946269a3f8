"""Exported models run by onnxruntime: the same methods without torch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.arrays import Image
from fdgen.errors import FdError, in_words
from fdgen.io.regular_file import read_regular
from fdtrain.data.pictures import Values, from_values, mask_to_values, to_values
from fdtrain.errors import CheckpointError, DeviceError
from fdtrain.faces.landmark_maps import maps_of_values
from fdtrain.inference.metadata import EDGES, MAPS, MASK, OCCLUDED, PICTURE, ExportMetadata
from fdtrain.networks.canny import LUMA, known_edges

MOST_BYTES = 2_000_000_000
"""Of a file: what protobuf, which ONNX is written in, can hold."""

EXTRA = "run `pip install 'fd-stackgan[export]'`"

_FAILURES = (
    "EPFail", "EngineError", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "ModelLoaded", "NoModel",
    "NoSuchFile", "NotImplemented", "RuntimeException",
)  # fmt: skip
"""What onnxruntime raises; it has no class for all of them."""

_FATAL = 3
"""Of onnxruntime's five levels of logging: errors alone. Its warnings speak of how it arranges a graph."""


class OnnxNetwork:
    """An exported network, open for use. `metadata` says what it takes and gives."""

    def __init__(
        self, model: str | Path | bytes, *, task: str | None, name: str = "", device: str = "auto", threads: int = 0
    ) -> None:
        """Open a file, or the bytes of one, for a `task` (None: any), with so many threads (0: one a core).

        Raises `CheckpointError` where it is missing, damaged, not ours or for another task, `DeviceError` where this
        onnxruntime cannot compute on the device, `FdError` where there is none.
        """
        ort = runtime()
        self.name = name or str(model)
        self.failures: tuple[type[Exception], ...] = tuple(
            getattr(ort.capi.onnxruntime_pybind11_state, failure) for failure in _FAILURES
        )
        broken: tuple[type[Exception], ...] = (*self.failures, RuntimeError, ValueError)  # names that are not UTF-8
        if not isinstance(model, bytes):
            model = _read(Path(model))
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, _FATAL
        try:
            self.session = ort.InferenceSession(model, options, providers=_providers(ort, device))
            entries = self.session.get_modelmeta().custom_metadata_map
        except broken as error:
            raise CheckpointError(
                f"{self.name} is not a whole ONNX file", hint="copy it again, or write it again with `fdtrain export`"
            ) from error
        self.metadata = ExportMetadata.read(entries, self.name)
        if task is not None and self.metadata.task != task:
            raise CheckpointError(
                f"{self.name} holds a network for the task {self.metadata.task!r}, here one for {task!r} is wanted",
                hint="generators restore, segmentation networks find what to restore: name the other file",
            )

    def run(self, *inputs_BCHW: Values) -> list[Values]:
        """Return the outputs for inputs in the order of the metadata; raise `DeviceError` where memory runs out."""
        try:
            outputs: list[Values] = self.session.run(None, dict(zip(self.metadata.inputs, inputs_BCHW, strict=True)))
        except self.failures as error:
            if "alloc" not in str(error):
                raise
            raise DeviceError(
                f"there is too little memory for {len(inputs_BCHW[0])} pictures of {self.metadata.size_px} px at once",
                hint="give fewer at once",
            ) from error
        return outputs


class OnnxMethod:
    """An exported generator as a method: its final picture, and before it the coarse one where it makes one."""

    def __init__(
        self,
        model: str | Path | bytes,
        *,
        name: str = "model",
        stages: bool = True,
        device: str = "auto",
        threads: int = 0,
    ) -> None:
        """Open what `fdtrain export` wrote; raise as `OnnxNetwork` does. Without `stages` the last picture is alone."""
        self.network = OnnxNetwork(model, task="restore", device=device, threads=threads)
        self.size_px = self.network.metadata.size_px
        stages = stages and len(self.network.metadata.outputs) > 1
        self.names: tuple[str, ...] = (f"{name}, stage I", name) if stages else (name,)

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Run the network on one batch of pictures of its size; raise `ValueError` for any other size."""
        wrong = next((shape for pair in pairs for one in pair if (shape := one.shape[:2]) != (self.size_px,) * 2), None)
        if wrong:
            raise ValueError(f"this network takes {self.size_px}x{self.size_px} px, got {wrong[1]}x{wrong[0]}")
        occluded_B3HW = np.stack([to_values(occluded) for occluded, _ in pairs])
        mask_B1HW = np.stack([mask_to_values(mask) for _, mask in pairs])
        outputs = self.network.run(*inputs_of(self.network.metadata, occluded_B3HW, mask_B1HW))
        return list(zip(*(from_values(output) for output in outputs[-len(self.names) :]), strict=True))


def inputs_of(metadata: ExportMetadata, occluded_B3HW: Values, mask_B1HW: Values) -> list[Values]:
    """Return all that a network takes, in the order of its metadata: edges and maps too, where that names them."""
    given = {OCCLUDED: occluded_B3HW, PICTURE: occluded_B3HW, MASK: mask_B1HW}
    if EDGES in metadata.inputs and metadata.edges_sigma_px is not None:
        weights_311 = np.array(LUMA, np.float32)[:, None, None]
        grey_BHW = (occluded_B3HW * weights_311).sum(1)
        given[EDGES] = np.stack(
            [
                known_edges(grey_HW, metadata.edges_sigma_px, mask_1HW[0] == 0)
                for grey_HW, mask_1HW in zip(grey_BHW, mask_B1HW, strict=True)
            ]
        )[:, None]
    if MAPS in metadata.inputs:
        given[MAPS] = maps_of_values(occluded_B3HW)
    return [given[name] for name in metadata.inputs]


def runtime() -> Any:
    """Import onnxruntime; raise `FdError` where it is not there."""
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise FdError(f"ONNX files need onnxruntime, which cannot be imported: {error}", hint=EXTRA) from error


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, most_bytes=MOST_BYTES)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read: {in_words(error)}", hint="name a file that `fdtrain export --format onnx` wrote"
        ) from error


def _providers(ort: Any, device: str) -> list[str]:
    """Return what is to compute, the most wanted first."""
    gpu, cpu = "CUDAExecutionProvider", "CPUExecutionProvider"
    there = gpu in ort.get_available_providers()
    if device == "cpu" or (device == "auto" and not there):
        return [cpu]
    if device in ("auto", "cuda") and there:
        return [gpu, cpu]
    raise DeviceError(
        f"this onnxruntime cannot compute on {device!r}", hint="use `--device cpu`, or install onnxruntime-gpu for CUDA"
    )

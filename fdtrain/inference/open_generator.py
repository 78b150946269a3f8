"""Opens a generator with the library that runs it: torch for weights, onnxruntime for files of `fdtrain export`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

from fdgen.errors import FdError
from fdtrain.errors import CheckpointError
from fdtrain.inference.method import Method
from fdtrain.inference.model_label import ModelLabel
from fdtrain.inference.onnx_method import OnnxMethod

ENGINES = ("auto", "torch", "onnx")


class Engine(NamedTuple):
    """A generator, ready for pictures of `size_px`; `kind` is `torch` or `onnx`, `label` what is said of it."""

    method: Method
    size_px: int
    kind: str
    label: ModelLabel


def open_generator(path: str | Path, *, engine: str = "auto", device: str = "auto") -> Engine:
    """Open a file of weights, a run folder, or an ONNX file. Where `engine` is `auto`, the suffix decides which.

    torch is imported for weights alone. Raises `FdError` where the file is none, or nothing here can run it.
    """
    path = Path(path)
    kind = engine_of(path, engine)
    if kind == "onnx":
        method = OnnxMethod(path, device=device)
        return Engine(method, method.size_px, kind, ModelLabel.of_metadata(path, method.network.metadata))
    require_torch(path)
    from fdtrain.inference.torch_method import ModelMethod
    from fdtrain.runtime.device import open_device
    from fdtrain.training.checkpoint import load_model, read_facts
    from fdtrain.training.weight_files import find_weights

    label = ModelLabel.of_facts(path, read_facts(find_weights(path)))
    return Engine(ModelMethod(load_model(path), device=open_device(device)), label.size_px, kind, label)


def engine_of(path: Path, engine: str = "auto") -> str:
    """Return what runs a file, `torch` or `onnx`; raise `CheckpointError` where `engine` cannot."""
    if path.suffix.lower() == ".pt2":
        raise CheckpointError(
            f"{path} is a torch.export file, which is for programs of your own",
            hint="give the weights (.safetensors), a run folder, or an ONNX file",
        )
    kind = "onnx" if path.suffix.lower() == ".onnx" else "torch"
    if engine not in ("auto", kind):
        made = "`fdtrain export --format onnx` makes one" if engine == "onnx" else "leave --engine out"
        raise CheckpointError(f"{path} is {_WHAT[kind]}, and the engine {engine} wants {_WHAT[engine]}", hint=made)
    return kind


def require_torch(path: str | Path) -> None:
    """Raise `FdError` naming a file of weights where nothing here can run it."""
    try:
        for name in ("torch", "safetensors"):
            importlib.import_module(name)
    except ImportError as error:
        raise FdError(
            f"{path} needs torch, which cannot be imported: {error}",
            hint="run `pip install 'fd-stackgan[train]'`, or give an ONNX file made by `fdtrain export`",
        ) from error


_WHAT = {"torch": "a file of weights or a run folder", "onnx": "an ONNX file"}

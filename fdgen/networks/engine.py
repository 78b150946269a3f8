"""One network in LiteRT, the engine that MediaPipe itself uses, on one thread.

Batches bring nothing: the engine works on one picture after the other.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.arrays import F32
from fdgen.errors import FdError
from fdgen.runtime.native_stderr import native_stderr

MODELS = Path(__file__).parent / "models"

REINSTALL = "run `pip install --force-reinstall fd-stackgan`"

ENGINE = "ai-edge-litert"
"""The distribution of the engine; its version is a part of the detector's."""


class Network:
    """A network of `models/`, called with a picture (H, W, C); returns its outputs in the order of the file.

    The same input gives the same output, whatever came before. Threads wait for each other. Raises `FdError` where the
    engine cannot be imported, or the file is missing or damaged.
    """

    def __init__(self, name: str) -> None:
        with native_stderr():  # it reports which kernels it chose
            try:
                from ai_edge_litert.interpreter import Interpreter
            except ImportError as error:
                raise FdError(
                    f"the engine of the landmark networks cannot be loaded: {error}", hint=f"pip install {ENGINE}"
                ) from error
            try:
                self._interpreter: Any = Interpreter(model_path=str(MODELS / name), num_threads=1)
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                raise FdError(f"the network {name} cannot be read: {error}", hint=REINSTALL) from error
        details = self._interpreter.get_input_details()[0]
        self._input = details["index"]
        self.input_shape: tuple[int, ...] = tuple(int(side) for side in details["shape"][1:])
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]
        self._lock = threading.Lock()

    def __call__(self, input_HWC: F32) -> list[F32]:
        """Return each output, its axis of one picture dropped."""
        with self._lock:
            self._interpreter.set_tensor(self._input, input_HWC[None])
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(output)[0] for output in self._outputs]


@functools.cache
def network_digests() -> dict[str, str]:
    """Return the sha256 of each network, by the name of its file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(MODELS.glob("*.tflite"))}


def changed_networks() -> list[str]:
    """Return the names of networks that are missing, or are not those of `models/index.json`.

    Raises `FdError` where that list itself is missing or damaged.
    """
    published, here = read_table("index.json")["networks"], network_digests()
    return [name for name, facts in published.items() if here.get(name) != facts["sha256"]]


def read_table(name: str) -> dict[str, Any]:
    """Read a JSON file of `models/`; raise `FdError` where it is missing or damaged."""
    try:
        return dict(json.loads((MODELS / name).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise FdError(f"{name} of the landmark networks cannot be read: {error}", hint=REINSTALL) from error


def as_floats(square_HWC: npt.NDArray[np.uint8], low: float, high: float) -> F32:
    """Return levels 0 to 255 as floats from `low` to `high`, rounded as MediaPipe rounds them."""
    scale, offset = np.float32((high - low) / 255), np.float32(low)
    floats: F32 = square_HWC.astype(np.float32) * scale + offset
    return floats

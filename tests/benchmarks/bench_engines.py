"""What a restoration costs by torch and by onnxruntime: `python -m tests.benchmarks.bench_engines` prints JSON.

Both in one process, in turns, so that whatever else the machine does meets both: one picture of 256 px, the same
number of threads, median and spread of the repeats. Weights are untrained, which costs the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fdtrain.config.schema import FitConfig
from fdtrain.data.pictures import from_values
from fdtrain.inference.exporter import export
from fdtrain.inference.onnx_method import OnnxMethod
from fdtrain.inference.probes import probes
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.networks.build import build_model
from fdtrain.training.checkpoint import load_model, save_model

WARM_UP = 2
"""Repeats that choose kernels and are not counted."""


def measure(preset: str, *, threads: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Return medians and spreads in seconds, and onnxruntime's time over torch's."""
    config = FitConfig.load(preset)
    torch.manual_seed(0)
    save_model(folder / "weights.safetensors", build_model(config), {"config": config.as_dict()})
    started_s = time.perf_counter()
    done = export(folder / "weights.safetensors", folder / "model.onnx")
    export_s = time.perf_counter() - started_s
    methods = {
        "torch": ModelMethod(load_model(folder / "weights.safetensors")),
        "onnx": OnnxMethod(folder / "model.onnx", threads=threads, device="cpu"),
    }
    occluded_B3HW, mask_B1HW = next(probes(config.data.size_px, (1,)))
    pair = (from_values(occluded_B3HW)[0], (mask_B1HW[0, 0] * 255).astype("uint8"))
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for repeat in range(repeats + WARM_UP):
        for name, method in methods.items():
            started_s = time.perf_counter()
            method.restore([pair])
            if repeat >= WARM_UP:
                seconds[name].append(time.perf_counter() - started_s)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "size_px": config.data.size_px,
        "seconds": {
            name: {"median": medians[name], "low": min(values), "high": max(values)} for name, values in seconds.items()
        },
        "onnx_of_torch": medians["onnx"] / medians["torch"],
        "most_difference": done.most,
        "file_bytes": done.bytes,
        "export_seconds": export_s,
    }


def main() -> None:
    """Print the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", default=["modern", "faithful"], help="[default: modern faithful]")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = {}
    for preset in options.presets:
        with tempfile.TemporaryDirectory() as folder:
            found[preset] = measure(preset, threads=options.threads, repeats=options.repeats, folder=Path(folder))
    versions = {name: metadata.version(name) for name in ("torch", "onnxruntime")}
    machine = platform.processor() or platform.machine()
    told = {"presets": found, "threads": options.threads, "versions": versions, "machine": machine}
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Checks of data, disk and memory before the first step."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import torch

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SPLITS
from fdgen.errors import DatasetError
from fdgen.io.size_text import size_text
from fdgen.io.storage import Place
from fdtrain.config.schema import FitConfig
from fdtrain.data.stored_samples import StoredSamples
from fdtrain.errors import DeviceError, RunError
from fdtrain.training.cost import cost_of

LOOKED_AT = 32
"""Samples of the train split that are opened, spread evenly; `fdgen verify` opens all."""


def check_data(root: Place, train: StoredSamples[object]) -> list[str]:
    """Return what a user should know of the data, a sentence each; raise `DatasetError` where it must not be used."""
    manifest = Manifest.load(root, columns=("split", "source_sha256", "identity"))
    _refuse_leakage(manifest)
    for index in sorted({int(place) for place in np.linspace(0, len(train) - 1, LOOKED_AT)}):
        train.refuse_wrong(index)
    notes = []
    if manifest.samples("val").empty:
        notes.append(f"{root} has no validation split: nothing says which checkpoint is the best, the last one is kept")
    if manifest.samples("test").empty:
        notes.append(f"{root} has no test split to evaluate on")
    if train.stored_px < train.size_px:
        notes.append(f"pictures are enlarged from {train.stored_px} to {train.size_px} px")
    return notes


def check_room(config: FitConfig, run_dir: Path, device: torch.device) -> list[str]:
    """Return what may get tight, a sentence each; raise `RunError` or `DeviceError` where it cannot fit."""
    cost = cost_of(config)
    # All that is kept, and one more while it is being written.
    needed = (config.output.keep + 2) * cost.checkpoint_bytes + 3 * cost.weights_bytes
    free = shutil.disk_usage(run_dir).free
    if free < needed:
        raise RunError(
            f"{run_dir} has {size_text(free)} free, and the checkpoints of this run need {size_text(needed)}",
            hint="free some space, name another folder with --out, or keep fewer: --set output.keep=1",
        )
    total, available = _memory(device)
    smaller = config.training.smaller_step
    if cost.memory_bytes > total:
        raise DeviceError(
            f"a batch of {config.training.at_once} at {config.data.size_px} px needs about "
            f"{size_text(cost.memory_bytes)} of memory, and {device} has {size_text(total)}",
            hint=f"use a smaller step ({smaller}) or a smaller preset (`fdtrain presets`)",
        )
    if cost.memory_bytes > available:
        return [
            f"memory may not suffice: about {size_text(cost.memory_bytes)} are needed, "
            f"{size_text(available)} are free; {smaller} needs less"
        ]
    return []


def _refuse_leakage(manifest: Manifest) -> None:
    table = manifest.table
    for column, noun in (("source_sha256", "photograph"), ("identity", "person")):
        splits = table.dropna(subset=[column]).groupby(column)["split"].nunique()
        shared = splits[splits > 1]
        if len(shared):
            where = ", ".join(
                split for split in SPLITS if split in set(table[table[column] == shared.index[0]]["split"])
            )
            raise DatasetError(
                f"{manifest.root} leaks: {len(shared)} {noun}{'s' if len(shared) > 1 else ''} in more than one split "
                f"({shared.index[0]} in {where})",
                hint="build it again with `fdgen build`, whose splits are disjoint",
            )


def _memory(device: torch.device) -> tuple[int, int]:
    """Return all the memory of a device and what of it is free, in bytes."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total, free
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    meminfo = Path("/proc/meminfo")  # counts caches as free, which sysconf does not
    if not meminfo.is_file():
        return total, total
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    return total, int(lines.get("MemAvailable", str(total // 1024)).split()[0]) * 1024

"""The golden of training: the losses of 20 steps. `python -m tests.golden.losses` writes it anew."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import TypedDict

import torch

from fdtrain.config.schema import FitConfig
from fdtrain.training.loop import fit
from fdtrain.training.stats import read_stats
from tests.support.micro import MICRO
from tests.support.sets import write_set

SETTINGS = (
    "loss.perceptual=off",
    "loss.adversarial=hinge",
    "loss.hole_weight=6",
    "loss.composite=true",
    "loss.adversarial_from_images=0",
    "discriminator.spectral_norm=true",
    "network.upsample=nearest",
    "network.refine_input=composited",
    "training.lr_generator=1e-3",
    "training.ema_decay=0.99",
    "training.images=80",
    "output.stats_images=4",
)
"""On top of the paper's, which will not change; the modern presets may."""

FILE = Path(__file__).parent / "losses.json"

KERNELS = ("vendor_id", "cpu family", "model", "model name", "cache size", "flags")
"""Of Linux's `/proc/cpuinfo`, what torch's libraries choose their kernels by."""


class Golden(TypedDict):
    """What the file says: by what release of torch and what processor, and a row of losses a step."""

    torch: str
    processor: str
    steps: list[dict[str, float]]


def torch_release() -> str:
    """Return the release of torch, without what it was built for: `2.14.1`."""
    return torch.__version__.partition("+")[0]


def processor() -> str:
    """Name the processor as far as last bits depend on it: its vector instructions, and a digest of the rest."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        first = cpuinfo.read_text("utf-8").partition("\n\n")[0]
        facts = [line for line in first.splitlines() if line.partition(":")[0].strip() in KERNELS]
    else:
        facts = [platform.processor(), platform.machine()]
    facts.append(os.environ.get("ONEDNN_MAX_CPU_ISA", ""))
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()
    return f"{torch.backends.cpu.get_cpu_capability()} {digest[:12]}"


def golden_losses(triplets: Path, run_dir: Path) -> list[dict[str, float]]:
    """Train 20 steps, and return what each of them logged but the times."""
    fit(FitConfig.load("faithful-64", overrides=[*MICRO, *SETTINGS, ("data.root", str(triplets))]), run_dir)
    return [
        {name: value for name, value in line.items() if name not in ("images_per_s", "loader_share")}
        for line in read_stats(run_dir)
        if "images_per_s" in line
    ]


def main() -> None:
    """Write the golden."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        lines = golden_losses(write_set(Path(folder) / "set"), Path(folder) / "run")
    golden: Golden = {"torch": torch_release(), "processor": processor(), "steps": lines}
    FILE.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""The golden of training: the losses of 20 steps. `python -m tests.golden.losses` writes it anew."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

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
    FILE.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()

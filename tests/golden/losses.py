"""The golden of training: the losses of 20 steps. `python -m tests.golden.losses` writes it anew."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch

from fdtrain.loop import fit
from fdtrain.stats import read_stats
from tests.fdtrain.micro import micro
from tests.fdtrain.sets import write_set

FILE = Path(__file__).parent / "losses.json"


def golden_losses(triplets: Path, run_dir: Path) -> list[dict[str, float]]:
    """Train 20 steps, and return what each of them logged but the times."""
    overrides = ("training.images=80", "output.stats_images=4", "loss.adversarial_from_images=0")
    fit(micro(triplets, *overrides), run_dir)
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

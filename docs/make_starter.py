"""Train the starter weights on the faces that come with fdgen: `python docs/make_starter.py FOLDER`, half an hour
on a core that has bf16.

`fdgen build` makes the pairs, `fdtrain fit` trains a mask network and a generator on them; both are rounded to 16 bits,
which halves their files, and put into fdtrain/starter. What is in FOLDER already is not made again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from fdtrain.inference.model_label import TOY_KEY
from fdtrain.run_files import write_bytes
from fdtrain.training.checkpoint import METADATA_KEY, read_facts
from fdtrain.training.starter import TOY, starter_file
from fdtrain.training.weight_files import find_weights

PAIRS = ("--size", "96", "--count", "5000")
SETTINGS = {
    "starter-mask": ("mask-96", "training.images=40000", "training.precision=bf16"),
    # `tiny` as it was when these weights were made, before it was made to end in two minutes.
    "starter": (
        "tiny",
        "training.images=12000",
        "training.warmup_images=800",
        "training.decay_from_images=4000",
        "training.precision=bf16",
        "loss.adversarial_from_images=6000",
        "discriminator.width=32",
    ),
}
"""The preset of each, and what is changed in it."""


def main(folder: Path) -> None:
    """Build, train, round and write."""
    pairs = str(folder / "pairs")
    run("fdgen", "build", "--out", pairs, *PAIRS)
    for name, (preset, *changes) in SETTINGS.items():
        settings = [word for change in (*changes, "machine.threads=1") for word in ("--set", change)]
        run("fdtrain", "fit", "--data", pairs, "--out", str(folder / name), "--preset", preset, *settings)
        trained = find_weights(folder / name)
        tensors = {key: halved(value) for key, value in load_file(trained).items()}
        facts = {**read_facts(trained), TOY_KEY: TOY}
        write_bytes(starter_file(name), save(tensors, {METADATA_KEY: json.dumps(facts, sort_keys=True)}))


def halved(value: torch.Tensor) -> torch.Tensor:
    """Round to 16 bits; counts stay whole."""
    return value.half() if value.is_floating_point() else value


def run(*words: str) -> None:
    """Run one of our commands; end with its code where it fails."""
    if code := subprocess.run(words, check=False).returncode:  # noqa: S603 - our own words
        sys.exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

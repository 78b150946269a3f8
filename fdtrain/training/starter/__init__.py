"""Weights that are included with the package, to try every command with: see MODEL_CARD.md next to this file.

`starter` is a generator of 64 px, `starter-mask` a segmentation network of 96 px; both have seen three faces.
"""

from __future__ import annotations

from pathlib import Path

STARTERS = ("starter", "starter-mask")
"""Names by which they are asked for, wherever a file of weights is; a file or folder of that name comes first."""

TOY = "learned from three faces alone"
"""What their files say of them, as `docs/make_starter.py` writes it: see `fdtrain.inference.model_label`."""


def starter_file(name: str) -> Path:
    """Return the file of one of `STARTERS`."""
    return Path(__file__).parent / f"{name}.safetensors"


def is_starter(path: str | Path) -> bool:
    """Tell whether a path asks for weights that come with the package."""
    return str(path) in STARTERS and not Path(path).exists()

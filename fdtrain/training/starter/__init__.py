"""Weights that are included with the package: MODEL_CARD.md next to this file says of whom, and how well they do.

`docs/make_starter.py --install` puts others here. `starter` is a generator, `starter-mask` a segmentation network.
"""

from __future__ import annotations

from pathlib import Path

from fdtrain.methods import Finish

STARTERS = ("starter", "starter-mask")
"""Names by which they are asked for, wherever a file of weights is; a file or a run of that name comes first."""

CARD_FILE = Path(__file__).parent / "MODEL_CARD.md"
"""The card of both."""

FINISH: Finish = "shift"
"""How photographs are finished where nobody says: the short training of `starter` left a grid, which moves take off."""


SURE = 0.65
"""Expected IoU from which on a mask of `starter-mask` is used where nobody says. With it 6 of 122 other portraits are
changed, and 70 of 75 people behind real occluders; with 0.5, 16 and 71."""


def starter_file(name: str) -> Path:
    """Return the file of one of `STARTERS`."""
    return Path(__file__).parent / f"{name}.safetensors"


def is_starter(path: str | Path) -> bool:
    """Return whether a path asks for weights that come with the package."""
    own = Path(path)
    is_own = own.is_file() or (own / "run.json").is_file() or (own / "weights").is_dir()
    return str(path) in STARTERS and not is_own

"""The terms of small comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fdtrain.comparison.plan import Ask

SMALL = (
    "training.batch=4",
    "training.precision=fp32",
    "training.channels_last=false",
    "data.mix=0.0",
)


def ask_of(data: Path, **changes: Any) -> Ask:
    """Return a small comparison's terms: 32 px, 24 images, two test pictures."""
    terms: dict[str, Any] = {
        "data": str(data),
        "size_px": 32,
        "images": 24,
        "seconds": None,
        "limit": 2,
        "measures": (),
        "perceptual": "off",
        "perceptual_weights": "",
        "overrides": SMALL,
        "threads": 1,
        "device": "cpu",
    }
    return Ask(**{**terms, **changes})

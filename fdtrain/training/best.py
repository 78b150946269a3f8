"""Which weights of a run are the best, by one criterion (`training.best_by`), and when it no longer finds better ones.

`best.safetensors` is written by it; whatever takes a run's folder (`eval`, `restore`, `compare`, `export`, `report`)
takes that file, and `last.safetensors` where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fdtrain.objectives.validation import MASK_SCORE, PERCEPTUAL_SCORE, SCORE

LAST = "last"


def criterion_of(config: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the value of a validation that a config chooses weights by, and 1 where more is better, -1 where less is.

    None where the last weights are taken. Configs of before the key existed chose by the score of their validation.

    >>> criterion_of({"training": {"best_by": "perceptual"}})
    ('val/perceptual', -1)
    >>> criterion_of({"training": {}, "mask": {"width": 8}})
    ('val/iou', 1)
    """
    chosen = config["training"].get("best_by", "score")
    if chosen == LAST:
        return None
    if chosen == "perceptual":
        return PERCEPTUAL_SCORE, -1
    return (MASK_SCORE if config.get("mask") else SCORE), 1


class Best:
    """The best validation of a run so far. `value` is None before the first, and where the last weights are taken.

    Args:
        criterion: As `criterion_of` gives it.
        patience_images: Images without a better validation after which a run is over; None trains to its end.
    """

    def __init__(self, criterion: tuple[str, int] | None, patience_images: int | None) -> None:
        self.name, self.sign = criterion if criterion is not None else (LAST, 1)
        self.patience_images = patience_images
        self.value: float | None = None
        self.images = 0

    def score(self, values: Mapping[str, float]) -> float | None:
        """Return a validation's value, turned so that more is better; None where there was none."""
        return self.sign * values[self.name] if self.name in values else None

    def improved(self, values: Mapping[str, float], images: int) -> bool:
        """Take a validation in after `images` images; return whether its weights are the best so far."""
        value = values.get(self.name)
        if value is None or (self.value is not None and self.sign * value <= self.sign * self.value):
            return False
        self.value, self.images = value, images
        return True

    def given_up(self, images: int) -> bool:
        """Return whether a run is over after `images` images: too many have passed without a better validation."""
        if self.patience_images is None or self.value is None:
            return False
        return images - self.images >= self.patience_images

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it."""
        return {"best": self.value, "best_images": self.images}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a checkpoint; one of before the images of the best were kept counts them from its own."""
        self.value, self.images = state["best"], state.get("best_images", state["images"])

"""Which weights of a run are the best, by one criterion (`training.best_by`), and when it no longer finds better ones.

`best.safetensors` is written by it; each command that takes a run's folder (`eval`, `restore`, `compare`, `export`,
`report`) takes that file, and `last.safetensors` where there is none.
"""

from __future__ import annotations

import math
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

    `images` is how many were seen at the best, `checked` at the last validation. No number but a finite one is best.

    Args:
        criterion: As `criterion_of` gives it.
        patience_images: Images without a better validation after which a run is over; None trains to its end.
    """

    def __init__(self, criterion: tuple[str, int] | None, patience_images: int | None) -> None:
        self.name, self.sign = criterion if criterion is not None else (LAST, 1)
        self.patience_images = patience_images
        self.value: float | None = None
        self.images = self.checked = 0

    def score(self, values: Mapping[str, float]) -> float | None:
        """Return a validation's value, turned so that more is better; None where there was none, or no finite one."""
        value = values.get(self.name, math.nan)
        return self.sign * value if math.isfinite(value) else None

    def improved(self, values: Mapping[str, float], images: int) -> bool:
        """Take a validation in after `images` images; return whether its weights are the best so far."""
        self.checked = images
        score = self.score(values)
        if score is None or (self.value is not None and score <= self.sign * self.value):
            return False
        self.value, self.images = values[self.name], images
        return True

    def given_up(self) -> bool:
        """Return whether a run is over: at its last validation too many images had passed since the best one.

        Not by the images of now: a run that is stopped between two validations would end sooner than one that is not.
        """
        return self.patience_images is not None and self.checked - self.images >= self.patience_images

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it."""
        return {"best": self.value, "best_images": self.images, "best_checked": self.checked}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a checkpoint.

        One of before the images of the best were kept counts them from its own; one of before those of the last
        validation were kept waits for the next; one whose best is no number has none.
        """
        best = state["best"]
        self.value = best if best is not None and math.isfinite(best) else None
        self.images = state.get("best_images", state["images"])
        self.checked = state.get("best_checked", self.images)

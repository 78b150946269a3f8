"""Steps without a finite gradient: which they were, and when there are too many."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fdtrain.errors import TrainingError
from fdtrain.runtime import waiting

MOST_IN_A_ROW = 10
"""So many steps in a row without a finite gradient are no accident."""

MOST_UNREAD = 100
"""Steps after which a GPU is asked at the latest, so that a run that has broken down does not go on for hours."""


class LeftOut:
    """Steps that were left out. The CPU knows at once; a GPU is asked for many together, so that no step waits for it.

    Args:
        in_a_row: How many of the last steps were left out before.
        note: Called with a sentence on each.
    """

    def __init__(self, in_a_row: int, note: Callable[[str], None]) -> None:
        self.in_a_row, self._note = in_a_row, note
        self._unread: list[tuple[int, Tensor]] = []

    def add(self, images: int, is_finite: Tensor) -> None:
        """Count the step that began after `images` images; raise as `read` does."""
        self._unread.append((images, is_finite))
        if not waiting.waits(is_finite.device) or len(self._unread) >= MOST_UNREAD:
            self.read()

    def read(self) -> None:
        """Ask about the steps since the last time; raise `TrainingError` where too many in a row were left out."""
        if not self._unread:
            return
        flags: list[bool] = torch.stack([flag for _, flag in self._unread]).tolist()
        steps = [images for images, _ in self._unread]
        self._unread.clear()
        for images, is_finite in zip(steps, flags, strict=True):
            self.in_a_row = 0 if is_finite else self.in_a_row + 1
            if is_finite:
                continue
            self._note(f"after {images:,} images a gradient was not finite; that step was left out")
            if self.in_a_row >= MOST_IN_A_ROW:
                raise TrainingError(
                    f"training broke down after {images:,} images: {self.in_a_row} steps without a finite gradient",
                    hint="try a lower rate (--set training.lr_generator=...), clipping (training.clip_norm) or "
                    "training.precision=fp32, in a new folder; checkpoints so far are kept",
                )

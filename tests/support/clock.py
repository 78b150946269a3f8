"""Timings that are given to what decides by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass
class Clock:
    """Timings that are given, not taken: of a convolution and of a step, in fp32 and in bf16, in seconds."""

    convolution: tuple[float, float] = (0.01, 0.005)
    step: tuple[float, float] = (0.4, 0.2)
    steps_timed: int = 0

    def of_convolution(self, device: torch.device) -> dict[str, float]:
        return dict(zip(("fp32", "bf16"), self.convolution, strict=True))

    def of_step(self, *given: Any) -> dict[str, float]:
        self.steps_timed += 1
        return dict(zip(("fp32", "bf16"), self.step, strict=True))

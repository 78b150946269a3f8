"""The choice of `training.precision = auto`: the faster precision on this machine, measured, and the reason.

A convolution is timed first, in a fraction of a second: where bf16 is emulated it takes ten times as long, and that
settles it. Otherwise it depends on the network (where instances are normalised and little else takes long, bf16 may
lose on a processor that has it), so that a step of the very config decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from fdtrain.config.schema import FitConfig
from fdtrain.objectives.perceptual import PerceptualLoss
from fdtrain.runtime import bf16
from fdtrain.training import step_time

CLEARLY = 0.95
"""bf16 is taken where it needs this share of fp32's time or less: for nothing, nobody gives up 16 bits."""

HOPELESS = 2.0
"""So many times slower at a convolution, no network is faster in it."""


@dataclass(frozen=True)
class Precision:
    """What `auto` came to: the precision taken, what was timed and took how many seconds in each, on what processor."""

    taken: str
    timed: str
    seconds: Mapping[str, float]
    processor: str
    reason: str

    def sentence(self) -> str:
        """Return one line on what was taken and why."""
        return f"training in {self.taken}: {self.reason} ({self.processor})"

    def recorded(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"asked": "auto", **asdict(self), "seconds": {name: round(s, 6) for name, s in self.seconds.items()}}


def decide(config: FitConfig, device: torch.device, perceptual: PerceptualLoss | None, total: int) -> Precision:
    """Return the precision in which a config trains fastest on a device; `total` is its number of images."""
    found = decide_by_convolution(device)
    if found.taken == "fp32" and (not found.seconds or found.seconds["bf16"] > HOPELESS * found.seconds["fp32"]):
        return found
    seconds = step_time.step_seconds(config, device, perceptual, total)
    return _chosen(seconds, f"a step of {step_time.timed_pictures(config)} pictures", found.processor)


def decide_by_convolution(device: torch.device) -> Precision:
    """Return the precision in which a device convolves faster: what can be said of all networks alike."""
    processor = bf16.processor_of(device)
    if (why := bf16.why_never(device)) is not None:
        return Precision("fp32", "", {}, processor, why)
    return _chosen(bf16.convolution_seconds(device), "a convolution", processor)


def slow_here(precision: str, device: torch.device) -> str | None:
    """Return a sentence where a run that keeps its precision would be much faster in the other one; else None."""
    if precision != "bf16":
        return None
    found = decide_by_convolution(device)
    if found.taken == "bf16" or (found.seconds and found.seconds["bf16"] < HOPELESS * found.seconds["fp32"]):
        return None
    return (
        f"the run began in bf16 and keeps it, which is slow here ({found.processor}): {found.reason}; "
        "resume it where it began, or begin another run"
    )


def _chosen(seconds: Mapping[str, float], timed: str, processor: str) -> Precision:
    taken = "bf16" if seconds["bf16"] <= CLEARLY * seconds["fp32"] else "fp32"
    reason = f"{timed} takes {_told(seconds['fp32'])} in fp32 and {_told(seconds['bf16'])} in bf16"
    return Precision(taken, timed, dict(seconds), processor, reason)


def _told(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"

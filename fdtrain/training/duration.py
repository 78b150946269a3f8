"""The duration of a training, estimated from a step measured now."""

from __future__ import annotations

from dataclasses import dataclass

from fdtrain.config.schema import FitConfig
from fdtrain.data.open_samples import resolve_kinds
from fdtrain.objectives.open_objective import open_perceptual
from fdtrain.runtime.device import computing, open_device, resolve_machine
from fdtrain.runtime.distributed import Group
from fdtrain.training.resolve_auto import resolve_perceptual, resolve_precision
from fdtrain.training.run import RunRecord, as_recorded
from fdtrain.training.step_time import step_seconds, timed_pictures


@dataclass(frozen=True)
class Forecast:
    """What a run would train with, `auto` settled and why in `notes`, and how fast: images a second, seconds in all.

    Of a step of the last images, with all terms on: those before may be faster. The loader and validation, which take
    little, are not counted.
    """

    config: FitConfig
    notes: tuple[str, ...]
    images_per_s: float
    seconds: float


def forecast(config: FitConfig, total: int, recorded: RunRecord | None = None) -> Forecast:
    """Settle a config as a run of `total` images would on this machine, one that goes on where it is `recorded`.

    Raises `DeviceError`, and `PerceptualError` where the weights that it needs are not at hand.
    """
    config, notes = as_recorded(config, recorded), list[str]()
    device = open_device(config.machine.device)
    config = resolve_kinds(resolve_machine(config, device))
    with computing(config, device):
        config, _ = resolve_perceptual(config, Group(), notes.append)
        perceptual = open_perceptual(config)
        config, _ = resolve_precision(config, device, perceptual, total, Group(), notes.append)
        precision = config.training.precision
        step_s = step_seconds(config, device, perceptual, total, (precision,))[precision]
    rate = timed_pictures(config) / step_s
    return Forecast(config, tuple(notes), rate, total / rate)

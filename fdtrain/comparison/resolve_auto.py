"""The choice of `auto` in a comparison: one precision and one perceptual network, decided once for all rows.

Were each row to decide by itself, two rows of a table, or two seeds of a row, might differ in more than they say. The
precision is that in which this machine convolves faster: the rows are different networks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from fdgen.io.json_file import fits, read_object
from fdtrain.comparison.plan import Ask, Auto, Task, config_of
from fdtrain.config.schema import FitConfig
from fdtrain.errors import ConfigError, RunError
from fdtrain.objectives.perceptual import best_at_hand, load_perceptual
from fdtrain.runtime.device import computing, open_device
from fdtrain.training.precision import decide_by_convolution


def resolve_auto(ask: Ask, presets: Iterable[str], record: Path) -> Ask:
    """Return the terms with what `auto` comes to where one of the `presets` leaves anything to it.

    As the file `record` has it, where the comparison has begun, on any machine; else as it is decided now. Raises
    `RunError` where that file cannot be read, `PerceptualError` where a file given for weights holds none.
    """
    if ask.auto is not None:
        return ask
    open_configs = [config for preset in dict.fromkeys(presets) if (config := _left_open(ask, preset)) is not None]
    if not open_configs:
        return ask
    return replace(ask, auto=_held(record) or _decided(ask, open_configs))


def check_perceptual(ask: Ask, presets: Iterable[str], record: Path) -> None:
    """Raise `PerceptualError` where the network that is to replace those of all rows has no weights here.

    A preset's own is its row's affair. A comparison that has begun, as the file `record` shows, may go on without: the
    rows that need it may be done.
    """
    if ask.perceptual in (None, "auto", "off") or record.is_file():
        return
    configs = [config for preset in dict.fromkeys(presets) if (config := _config(ask, preset)) is not None]
    if any(config.loss.perceptual == ask.perceptual for config in configs):
        load_perceptual(str(ask.perceptual), ask.perceptual_weights, ())


def _left_open(ask: Ask, preset: str) -> FitConfig | None:
    """Return what a preset trains with where it leaves anything to `auto`, else None."""
    config = _config(ask, preset)
    return config if config is not None and "auto" in (config.training.precision, config.loss.perceptual) else None


def _config(ask: Ask, preset: str) -> FitConfig | None:
    """Return what a preset trains with; None where it cannot, which its row reports when its turn comes."""
    try:
        return config_of(ask, Task("", "trained", preset, 0), ask.images or 1)
    except ConfigError:
        return None


def _held(record: Path) -> Auto | None:
    """Return what a comparison began with; None where it has not begun, or none of its rows has needed it yet."""
    if not record.is_file():
        return None
    held = read_object(record, error=RunError, hint="name another --out")
    if "auto" not in held:  # begun before there was any: its rows have the precisions of then
        return Auto("former", "vgg19")
    if (auto := held["auto"]) is None:
        return None
    if (wrong := fits(Auto, auto)) is not None:
        raise RunError(f"{record} is not the record of a comparison: {wrong}", hint="name another --out")
    return Auto(**{**auto, "why": tuple(auto["why"])})


def _decided(ask: Ask, open_configs: list[FitConfig]) -> Auto:
    device = open_device(ask.device)
    with computing(open_configs[0], device):
        precision = decide_by_convolution(device)
    compares_features = any(config.loss.perceptual == "auto" for config in open_configs)
    perceptual, sentence = best_at_hand(ask.perceptual_weights if compares_features else "")
    why = [precision.sentence()] if any(config.training.precision == "auto" for config in open_configs) else []
    why += [sentence] if compares_features else []
    return Auto(precision.taken, perceptual, tuple(why), precision.recorded()["seconds"], precision.processor)

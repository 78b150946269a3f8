"""How fast each network restores a picture: all of them in one process, in turns, so that ratios are fair."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from fdtrain.config.baselines import YehConfig
from fdtrain.config.schema import FitConfig
from fdtrain.methods import LEARNED
from fdtrain.networks.build import build_model
from fdtrain.networks.restorer import Restorer
from fdtrain.runtime.device import open_device
from fdtrain.training.cost import size_of

ALL = tuple(LEARNED)
"""Presets at 256 px, one a network."""

PAPERS_FOUR = ("glcm", "gca", "edgeconnect", "faithful")
"""Those of the FD-StackGAN paper's Table 1, of which its own is said to be the fastest (sections 2.4 and 5.2)."""

TIMED_STEPS = 5
"""Of a method that searches for each picture: its steps are alike, and so many of them are timed."""

WARM_UP = 1
"""The first pass allocates memory and chooses kernels."""


@torch.inference_mode()
def measure_speed(
    names: Sequence[str] = ALL,
    *,
    repeats: int,
    device: str = "auto",
    on_repeat: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Time restorations of one picture, float32, untrained weights: a row a network, as JSON has it.

    Each repeat runs every network once, so that other load on the machine meets all of them. `seconds` is the median,
    `low` and `high` the extremes; `of_first` the median over repeats of the ratio to the first network. Of a search a
    few steps are timed (`timed_steps`), and the time is that of all.
    """
    where = open_device(device)
    configs = {name: FitConfig.load(name) for name in names}
    models = {name: _model(config, where) for name, config in configs.items()}
    tables = {name: config.baseline for name, config in configs.items()}
    searches = {name: table.steps for name, table in tables.items() if isinstance(table, YehConfig)}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats + WARM_UP):
        for name, model in models.items():
            took_s = _one_picture(model, configs[name].data.size_px, where) * searches.get(name, 1)
            took_s /= TIMED_STEPS if name in searches else 1
            if repeat >= WARM_UP:
                seconds[name].append(took_s)
        if on_repeat is not None:
            on_repeat(repeat + 1, repeats + WARM_UP)
    first = seconds[names[0]]
    rows = []
    for name, config in configs.items():
        parameters, gmacs = size_of(config)
        taken = seconds[name]
        rows.append(
            {
                "network": name,
                "size_px": config.data.size_px,
                "seconds": statistics.median(taken),
                "low": min(taken),
                "high": max(taken),
                "of_first": statistics.median(one / other for one, other in zip(taken, first, strict=True)),
                "parameters": parameters,
                "gmacs": gmacs,
                **({"timed_steps": TIMED_STEPS, "steps": searches[name]} if name in searches else {}),
            }
        )
    return {
        "networks": rows,
        "repeats": repeats,
        "device": str(where),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(),
    }


def fastest_of_the_papers_four(rows: Sequence[dict[str, Any]]) -> str | None:
    """Say whether the paper's claim holds that its network is the fastest of its Table 1; None where one is missing."""
    seconds = {row["network"]: row["seconds"] for row in rows if row["network"] in PAPERS_FOUR}
    if len(seconds) < len(PAPERS_FOUR):
        return None
    ranked = sorted(seconds, key=lambda name: seconds[name])
    order = ", ".join(f"{name} {seconds[name] * 1e3:.0f} ms" for name in ranked)
    verdict = "is" if ranked[0] == "faithful" else "is not"
    return f"faithful {verdict} the fastest of the paper's four: {order}"


def _model(config: FitConfig, device: torch.device) -> Restorer:
    if isinstance(config.baseline, YehConfig):
        config = config.model_copy(update={"baseline": config.baseline.model_copy(update={"steps": TIMED_STEPS})})
    # A search takes gradients, which weights that were made in inference mode have none of.
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        return build_model(config).eval().to(device)


def _one_picture(model: Restorer, side_px: int, device: torch.device) -> float:
    """Return the seconds that one restoration takes, of a picture with a hole of an eighth of it."""
    occluded = torch.linspace(-1, 1, side_px, device=device).expand(1, 3, side_px, side_px).contiguous()
    mask = torch.zeros(1, 1, side_px, side_px, device=device)
    mask[..., side_px // 2 : side_px * 3 // 4, side_px // 4 : side_px * 3 // 4] = 1
    started_s = time.perf_counter()
    model(occluded, mask)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started_s

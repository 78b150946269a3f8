"""How fast a config trains and restores on this machine: the real loop, on real data, timed."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from fdgen.runtime.scratch import Scratch
from fdtrain.config.schema import FitConfig
from fdtrain.networks.build import blank_inputs, build_network
from fdtrain.objectives.open_objective import open_perceptual
from fdtrain.runtime.bf16 import processor_of
from fdtrain.runtime.device import computing, open_device, peak_bytes
from fdtrain.training.cost import cost_of
from fdtrain.training.loop import fit
from fdtrain.training.run import require_run
from fdtrain.training.stats import read_stats
from fdtrain.training.step_time import step_seconds, timed_pictures
from fdtrain.training.timing.peak import peak_flops
from fdtrain.training.timing.step_parts import step_parts

WARM_UP_STEPS = 2
"""The first steps allocate memory and choose kernels."""


def measure(config: FitConfig, *, steps: int) -> dict[str, Any]:
    """Train for `steps` steps in a temporary folder, restore a few pictures, and return what was seen, as JSON has it.

    All terms are on from the first step, and nothing is validated or saved until the end. `precisions` has steps in
    fp32 and in bf16, on noise, whichever the loop took; `decided` why, where that was left to `auto`. `parts_s` has the
    median seconds of each part of a step of `parts_pictures`, `waits` how often such a step waits for a CUDA device
    (None on other devices, of which torch cannot say it). `share_of_peak` is the loop's arithmetic over that of a
    matrix product, `peak_flops`.
    """
    batch, never = config.training.batch, 10**12
    changes = {
        "training": {"images": (steps + WARM_UP_STEPS) * batch, "epochs": None},
        "loss": {"adversarial_from_images": 0, "perceptual_from_images": 0},
        "output": {
            "stats_images": batch,
            "checkpoint_images": never,
            "validation_images": never,
            "sample_images": never,
            "validation_limit": batch,
        },
    }
    short = config.model_copy(
        update={name: getattr(config, name).model_copy(update=values) for name, values in changes.items()}
    )
    with Scratch("bench") as folder:
        fit(short, folder)
        lines = [line for line in read_stats(folder) if "images_per_s" in line][WARM_UP_STEPS:]
        record = require_run(folder)
    device = open_device(config.machine.device)
    taken = FitConfig.from_dict(record.config, perceptual_weights=config.loss.perceptual_weights)
    with computing(taken, device):
        total = taken.training.total_images(record.n_train)
        perceptual = open_perceptual(taken)
        step_s = step_seconds(taken, device, perceptual, total)
        parts = step_parts(taken, device, perceptual, total)
        peak = peak_flops(device, taken.training.precision)
    rates = [line["images_per_s"] for line in lines]
    loader_share = statistics.median(line["loader_share"] for line in lines)
    return {
        "preset": config.preset,
        "size_px": config.data.size_px,
        "batch": batch,
        "precision": taken.training.precision,
        "decided": record.decided,
        "precisions": {
            name: {"step_s": s, "pictures": timed_pictures(taken), "images_per_s": timed_pictures(taken) / s}
            for name, s in step_s.items()
        },
        "steps": len(rates),
        "images_per_s": statistics.median(rates),
        "images_per_s_low": min(rates),
        "images_per_s_high": max(rates),
        "step_s": batch / statistics.median(rates),
        "loader_share": loader_share,
        "workers": taken.machine.workers,
        "parts_s": {"load": loader_share * parts.pictures / statistics.median(rates), **parts.seconds},
        "parts_pictures": parts.pictures,
        "waits": parts.waits,
        "flops_per_image": parts.flops / parts.pictures,
        "peak_flops": peak,
        "share_of_peak": parts.flops / parts.pictures * statistics.median(rates) / peak,
        "inference_s": {name: inference_s(config, device, bf16=name == "bf16") for name in ("fp32", "bf16")},
        "peak_bytes": peak_bytes(device),
        "estimated_bytes": cost_of(config).memory_bytes,
        "device": str(device),
        "processor": processor_of(device),
        "threads": config.machine.threads or torch.get_num_threads(),
        "torch": torch.__version__,
    }


@torch.no_grad()
def inference_s(config: FitConfig, device: torch.device, *, bf16: bool, repeats: int = 5) -> float:
    """Return the median seconds that the network takes for one picture."""
    layout = torch.channels_last if config.training.channels_last else torch.contiguous_format
    with torch.random.fork_rng(devices=[]):
        model = build_network(config).eval().to(device=device, memory_format=layout)  # type: ignore[call-overload]
    inputs = [given.to(device) for given in blank_inputs(config)]
    seconds = []
    for _ in range(repeats + 1):
        started_s = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            model(*inputs)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started_s)
    return statistics.median(seconds[1:])

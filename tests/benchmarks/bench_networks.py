"""What a restoration costs beside pix2pix: `python -m tests.benchmarks.bench_networks` prints JSON.

Both networks in one process, in turns, so that whatever else the machine does meets both: one picture of 256 px, two
threads, median and spread of the repeats. `faithful` may take 1.8 times pix2pix's time, and in bf16 0.6 of its own.
"""

from __future__ import annotations

import copy
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fdtrain.config.schema import FitConfig
from fdtrain.networks.build import build_model

SIDE_PX, THREADS, REPEATS = 256, 2, 15

MOST_OF_PIX2PIX, MOST_OF_FP32 = 1.8, 0.6


class Level(nn.Module):
    """One level of pix2pix's U-Net (Isola et al. 2017): down, what lies below, up, and the skip beside it."""

    def __init__(self, outer: int, inner: int, below: nn.Module | None, *, n_in: int | None = None) -> None:
        super().__init__()
        top = n_in is not None
        self.down = nn.Sequential(
            *([] if top else [nn.LeakyReLU(0.2)]),
            nn.Conv2d(n_in or outer, inner, 4, 2, 1),
            *([] if top or below is None else [nn.InstanceNorm2d(inner)]),
        )
        self.below = below if below is not None else nn.Identity()
        self.up = nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(inner * (1 if below is None else 2), outer, 4, 2, 1),
            nn.Tanh() if top else nn.InstanceNorm2d(outer),
        )
        self.top = top

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture at the top, and the joined features elsewhere."""
        made: Tensor = self.up(self.below(self.down(x)))
        return made if self.top else torch.cat([x, made], 1)


def pix2pix_256() -> nn.Module:
    """Return the U-Net of 54 M parameters that the paper's generators descend from."""
    level = Level(512, 512, None)
    for _ in range(3):
        level = Level(512, 512, level)
    for outer, inner in ((256, 512), (128, 256), (64, 128)):
        level = Level(outer, inner, level)
    return Level(3, 64, level, n_in=3)


@torch.no_grad()
def measure() -> dict[str, Any]:
    """Return medians and spreads in seconds, and the two ratios that are promised."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    picture, mask = torch.rand(1, 3, SIDE_PX, SIDE_PX), torch.ones(1, 1, SIDE_PX, SIDE_PX)
    reference, ours = pix2pix_256().eval(), build_model(FitConfig.load("faithful")).eval()

    # Weights in bf16 once and for all: an autocast would convert 52 M of them for every picture.
    half = copy.deepcopy(ours).bfloat16().to(memory_format=torch.channels_last)
    half_picture, half_mask = picture.bfloat16().to(memory_format=torch.channels_last), mask.bfloat16()

    contestants: dict[str, Callable[[], object]] = {
        "pix2pix": lambda: reference(picture),
        "faithful": lambda: ours(picture, mask),
        "faithful_bf16": lambda: half(half_picture, half_mask),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(REPEATS + 2):
        for name, run in contestants.items():
            started_s = time.perf_counter()
            run()
            if repeat >= 2:  # the first two choose kernels
                seconds[name].append(time.perf_counter() - started_s)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "seconds": {
            name: {"median": medians[name], "low": min(values), "high": max(values)} for name, values in seconds.items()
        },
        "parameters": {
            "pix2pix": sum(p.numel() for p in reference.parameters()),
            "faithful": sum(p.numel() for p in ours.parameters()),
        },
        "of_pix2pix": medians["faithful"] / medians["pix2pix"],
        "bf16_of_fp32": medians["faithful_bf16"] / medians["faithful"],
        "threads": THREADS,
        "torch": torch.__version__,
        "machine": platform.processor() or platform.machine(),
    }


def main() -> None:
    """Print the measurement; exit with 1 where a promise is broken."""
    found = measure()
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    sys.exit(found["of_pix2pix"] > MOST_OF_PIX2PIX or found["bf16_of_fp32"] > MOST_OF_FP32)


if __name__ == "__main__":
    main()

"""What a device can compute at most, as far as can be measured: a large product of matrices."""

from __future__ import annotations

import time

import torch

from fdtrain.runtime.bf16 import finish

SIDES = {"cpu": 1024}
SIDE = 4096
"""Of the matrices, by type of device: large enough that nothing but arithmetic counts, 2 * side ** 3 of it."""

ROUNDS = 20
"""Products of which the fastest counts, it being a peak: other load on the machine only makes one slower."""

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def peak_flops(device: torch.device, precision: str) -> float:
    """Return the arithmetic operations a second of a matrix product in fp32 or bf16, the fastest of a few."""
    side = SIDES.get(device.type, SIDE)
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(side, side, generator=generator).to(device, TYPES[precision]) for _ in range(2))
    seconds = []
    for _ in range(ROUNDS):
        finish(device)
        started_s = time.perf_counter()
        a @ b
        finish(device)
        seconds.append(time.perf_counter() - started_s)
    return 2 * side**3 / min(seconds)

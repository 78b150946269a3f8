"""What reading a value costs: the CPU has it, a GPU is first waited for until all that was asked of it is done."""

from __future__ import annotations

import torch


def waits(device: torch.device) -> bool:
    """Return whether to read a value from a device is to wait for it, so that a step must not."""
    return device.type != "cpu"

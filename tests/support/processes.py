"""Several processes that train one model on this machine, as `torchrun` starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def start_together(data: Path, run_dir: Path, *overrides: str, world: int = 2) -> list[subprocess.Popen[bytes]]:
    """Start `tests.support.micro` in `world` processes that meet on a free port, and return them by rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.micro", str(data), str(run_dir), *overrides],
            cwd=ROOT,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(world)
    ]


def train_together(data: Path, run_dir: Path, *overrides: str, world: int = 2) -> None:
    """Train in `world` processes to the end; raise `AssertionError` where one of them fails."""
    ended = [process.wait(timeout=300) for process in start_together(data, run_dir, *overrides, world=world)]
    assert ended == [0] * world

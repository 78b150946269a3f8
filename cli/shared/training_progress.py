"""The progress of a training, and how it is stopped."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..shared.output import duration
from ..shared.progress import Meter

if TYPE_CHECKING:
    pass


def show_step(meter: Meter, images: int, images_per_s: float, left_s: float) -> None:
    """Show how far a run is: of all its images, whenever they were trained on."""
    if images_per_s:
        meter.update(images, timing=f"{images_per_s:.1f} images/s, {duration(left_s)} left")
    else:
        meter.start_from(images)


@contextlib.contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """Collect requests to stop for the block: the step at hand is ended and saved; a second one stops at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        click.echo("\nstopping after this step; repeat to stop at once", file=sys.stderr, err=True)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

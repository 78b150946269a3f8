"""The progress of a training, how it is stopped, and the warning where it would take longer than anybody waits."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator

import click

from ..shared.output import DAYS_OF_A_YEAR, Voice, duration
from ..shared.progress import Meter

MOST_S = DAYS_OF_A_YEAR * 86_400
"""Seconds beyond which a plan is doubted: a year."""


def warn_if_long(seconds: float, voice: Voice, remedy: str) -> None:
    """Say so where a plan takes longer than anybody waits."""
    if seconds > MOST_S:
        voice.say(f"warning: that takes about {duration(seconds)} on this machine; {remedy}")


def show_step(meter: Meter, images: int, images_per_s: float, left_s: float) -> None:
    """Show how far a run is: of all its images, whenever they were trained on."""
    if images_per_s:
        meter.update(images, timing=f"{images_per_s:.1f} images/s, {duration(left_s)} left")
    else:
        meter.start_from(images)


STOPPING = "\nstopping after this step; repeat to stop at once"


@contextlib.contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """Collect requests to stop for the block: the step at hand is ended and saved; a second one stops at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        try:
            click.echo(STOPPING, file=sys.stderr, err=True)
        except RuntimeError:  # the request struck while a line was written: that buffer takes nothing until it is done
            os.write(sys.stderr.fileno(), f"{STOPPING}\n".encode())

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

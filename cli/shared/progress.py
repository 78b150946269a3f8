"""Progress on standard error: a bar on a terminal, else a line from time to time."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from .output import Voice, duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

LINE_EVERY_S = 10.0
"""Where there is no terminal: seconds between two lines of a long step that has no shards to report."""

SILENT_S = 120.0
"""And of one that has: so long nothing is heard of them before a line by the clock comes between."""

BAR_WIDTH = 24
"""Characters: with the count, the clock and the rate it fits 80."""

REFRESHES_A_SECOND = 4
"""Of a bar: it is drawn by a thread that shares the interpreter with the work."""

LEAST_BETWEEN_S = 0.1
"""Between two changes of a bar, each of which costs half a millisecond: steps on a GPU may take ten."""


class Meter:
    """Counts what is done of one step. Without terminal it writes the lines it is given, or one every ten seconds."""

    def __init__(self, voice: Voice, unit: str, total: int | None, bar: tuple[Progress, TaskID] | None) -> None:
        self.voice, self.unit, self.total, self.bar = voice, unit, total, bar
        self.done = self.found = 0
        self.started_s = self.told_s = time.monotonic()
        self.shown_s = -LEAST_BETWEEN_S
        self.told_by_lines = False
        self.told_timing: str | None = None

    def start_from(self, done: int) -> None:
        """Count what an earlier run has left done: it shows in the bar, and not in the speed."""
        self.done = self.found = done
        self.started_s = time.monotonic()
        self._show()

    def update(self, done: int, total: int | None = None, *, timing: str | None = None) -> None:
        """Set how much is done, and of how much; `timing` says how fast, where the caller knows better than we."""
        self.done, self.total, self.told_timing = done, total if total is not None else self.total, timing
        if self.bar is None or done == self.total or time.monotonic() - self.shown_s >= LEAST_BETWEEN_S:
            self._show()

    def line(self, text: str) -> None:
        """Report something finished, a shard for example; on a terminal the bar says it already."""
        self.told_by_lines = True
        self.told_s = time.monotonic()
        if self.bar is None:
            self.voice.say(text)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started_s

    @property
    def rate(self) -> float:
        """Units a second, of those done in this run."""
        return (self.done - self.found) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def timing(self) -> str:
        """Return `12.3 pairs/s, 40.1 s left`, or nothing before the first unit."""
        if self.told_timing is not None:
            return self.told_timing
        if self.done <= self.found:
            return ""
        missing = (self.total or 0) - self.done
        left = f", {duration(missing / self.rate)} left" if missing > 0 else ""
        return f"{self.rate:.1f} {self.unit}/s{left}"

    def _show(self) -> None:
        if self.bar is not None:
            progress, task = self.bar
            self.shown_s = time.monotonic()
            progress.update(task, completed=self.done, total=self.total, timing=self.timing())
        elif time.monotonic() - self.told_s >= (SILENT_S if self.told_by_lines else LINE_EVERY_S):
            self.told_s = time.monotonic()
            of = f" of {self.total:,}" if self.total else ""
            timing = f", {self.timing()}" if self.timing() else ""
            self.voice.say(f"{self.done:,}{of} {self.unit}{timing}")


def on_terminal(voice: Voice) -> bool:
    """Return whether there is somebody to show a bar to."""
    return not voice.quiet and sys.stderr is not None and sys.stderr.isatty()


@contextlib.contextmanager
def metered(
    voice: Voice, title: str, unit: str, total: int | None = None, *, vanishing: bool = False
) -> Iterator[Meter]:
    """Show the progress of one step.

    Args:
        voice: Where it is shown; a quiet one shows nothing.
        title: What is being done.
        unit: What is counted, in the plural; empty only waits, and leaves no bar.
        total: How many there are; None while nobody knows.
        vanishing: Whether the bar is removed at the end.
    """
    if not on_terminal(voice):
        if not voice.quiet:
            click.echo(f"{title} ...", err=True)
        yield Meter(voice, unit, total, None)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class Count(MofNCompleteColumn):
        """`12/40`, or nothing while nobody knows of how many."""

        def render(self, task: Task) -> Text:
            return Text() if task.total is None else super().render(task)

    class Sign(SpinnerColumn):
        """Turns until the step is over: a single unit may take long, and something comes after the last one."""

        def render(self, task: Task) -> RenderableType:
            return Text(" ") if task.fields["over"] else self.spinner.render(task.get_time())

    # The clock goes on where a single step takes long.
    columns = (Sign(), TextColumn("{task.description}"), BarColumn(BAR_WIDTH), Count(), TimeElapsedColumn())
    timing = TextColumn("{task.fields[timing]}")
    # What has no unit is only waited for, and leaves no bar behind.
    transient = vanishing or not unit
    console = Console(stderr=True)
    with Progress(
        *columns, timing, console=console, refresh_per_second=REFRESHES_A_SECOND, transient=transient
    ) as progress:
        task = progress.add_task(title, total=total, timing="", over=False)
        try:
            yield Meter(voice, unit, total, (progress, task))
        finally:
            progress.update(task, over=True)


@contextlib.contextmanager
def starting(voice: Voice) -> Iterator[None]:
    """Show on a terminal that a command is under way while its modules are imported, which takes a second or two."""
    if not on_terminal(voice):
        yield
        return
    with metered(voice, "starting", "modules", vanishing=True):
        yield


class Stages:
    """The steps of a long command, one after the other, each with its own meter; a context manager."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self._title = ""
        self._meter: Meter | None = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stage(self, title: str, unit: str, total: int | None = None) -> Meter:
        """Return the meter of a step; the step before it ends where its title was another."""
        if self._meter is None or title != self._title:
            self.close()
            self._title, self._meter = title, self._open.enter_context(metered(self.voice, title, unit, total))
        return self._meter

    def wait(self, title: str) -> None:
        """Show on a terminal what is waited for, until the next step begins; elsewhere it is not worth a line."""
        if on_terminal(self.voice):
            self.stage(title, "")

    def close(self) -> None:
        """End the step that is under way: what is printed next is below its bar."""
        self._open.close()
        self._meter = None

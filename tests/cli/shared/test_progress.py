"""The words of progress: rates and times left, lines where there is no terminal, columns and counts."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from typing import ClassVar, cast

import pytest
from rich.progress import Progress, TaskID

from cli.shared import progress
from cli.shared.output import Voice, aligned, by_count, counted, duration
from cli.shared.progress import Meter, Stages, metered


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace the clock by a number that tests set."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_rate_counts_only_what_this_run_did(clock: list[float]) -> None:
    meter = Meter(Voice(quiet=True), "pairs", 100, None)
    clock[0] += 50  # checking what is there already
    meter.start_from(40)
    assert meter.timing() == ""
    clock[0] += 2
    meter.update(60)
    assert meter.timing() == "10.0 pairs/s, 4.0 s left"
    clock[0] += 2
    meter.update(100)
    assert meter.timing() == "15.0 pairs/s"


def test_a_long_step_without_terminal_tells_a_line_now_and_then(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with metered(Voice(), "landmarks", "photographs", 10) as meter:
        for done in range(1, 9):
            clock[0] += 4
            meter.update(done)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "landmarks ...",
        "3 of 10 photographs, 0.2 photographs/s, 28.0 s left",
        "6 of 10 photographs, 0.2 photographs/s, 16.0 s left",
    ]


def test_lines_of_shards_take_the_place_of_lines_by_the_clock(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Stages(Voice()) as stages:
        stages.stage("building", "pairs", 4).line("train-00000  2 samples")
        clock[0] += 100
        stages.stage("building", "pairs", 4).update(3)
    assert capsys.readouterr().err.splitlines() == ["building ...", "train-00000  2 samples"]


def test_lines_that_come_seldom_get_lines_by_the_clock_between(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with metered(Voice(), "training", "images", 1000) as meter:
        for done in range(1, 7):
            clock[0] += 50
            meter.update(done, timing="told")
            if done == 1:
                meter.line("losses")
    assert capsys.readouterr().err.splitlines() == [
        "training ...",
        "1 of 1,000 images, told",
        "losses",
        "4 of 1,000 images, told",
    ]


def test_a_bar_is_changed_ten_times_a_second_at_most_and_at_its_end(clock: list[float]) -> None:
    class Bar:
        shown: ClassVar[list[int]] = []

        def update(self, task: int, *, completed: int, **_: object) -> None:
            self.shown.append(completed)

    meter = Meter(Voice(), "images", 10, (cast(Progress, Bar()), cast(TaskID, 0)))
    for done in range(1, 11):
        clock[0] += 0.04
        meter.update(done)
    assert Bar.shown == [1, 4, 7, 10]


def test_what_is_said_under_a_bar_stands_above_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Stages(Voice()) as stages:
        stages.stage("training", "images", 4).update(1)
        Voice().say("note: the disk is small")
    assert re.search(r"(^|\n|\r|\x1b\[2K)note: the disk is small\n", capsys.readouterr().err)


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Stages(Voice(quiet=True)) as stages:
        stages.stage("building", "pairs", 4).line("train-00000  2 samples")
    Voice(quiet=True).say("words")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with metered(Voice(), "building", "pairs", 4) as meter:
        meter.line("train-00000  2 samples")
        meter.update(4)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "4/4" in captured.err
    assert "pairs/s" in captured.err
    assert "train-00000" not in captured.err


def test_numbers_are_written_for_people() -> None:
    assert [duration(s) for s in (0, 59.94, 61, 3599.6, 7800)] == [
        "0.0 s",
        "59.9 s",
        "1 min 01 s",
        "1 h 00 min",
        "2 h 10 min",
    ]
    assert [counted(n, "face") for n in (0, 1, 2000)] == ["0 faces", "1 face", "2,000 faces"]
    assert by_count({"hand": 2, "mask": 1000, "eye": 2}) == "mask 1,000, eye 2, hand 2"
    assert aligned([("a", 1), ("bbb", 22)]) == ["a     1", "bbb  22"]
    assert aligned([]) == []


BARS = """
import time
from cli.shared.output import Voice
from cli.shared.progress import metered, starting

with starting(Voice()):
    time.sleep(1.2)
print("between", flush=True)
with metered(Voice(), "waiting", "steps", 2) as meter:
    time.sleep(1.2)
    meter.update(2)
    time.sleep(1.2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo terminal")
def test_a_bar_moves_while_nothing_can_be_counted() -> None:
    """Before the first unit and after the last one something turns; what only says that it begins leaves no line."""
    import pty

    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.Popen([sys.executable, "-c", BARS], stdout=child, stderr=child, env=environment)
    os.close(child)
    said = b""
    with contextlib.suppress(OSError):  # what Linux says where the other side is closed
        while piece := os.read(parent, 65536):
            said += piece
    os.close(parent)
    assert done.wait(60) == 0
    before, _, after = said.decode().partition("between")
    signs = re.compile(r"[\u2801-\u28ff]")  # what rich turns
    assert len(set(signs.findall(before))) >= 2
    assert before.rstrip().endswith("\x1b[2K")  # the line is gone
    none, _, all_ = after.partition("2/2")
    assert len(set(signs.findall(none))) >= 2
    assert len(set(signs.findall(all_))) >= 2

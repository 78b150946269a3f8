"""CPU time by step: each its own, in every process, and only where somebody asked."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from fdgen.runtime.step_times import FOLDER, REST, recorded_steps, timed_step
from tests.support.paths import ROOT


def burn(cpu_s: float) -> None:
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        pass


@timed_step("inner")
def inner() -> int:
    burn(0.02)
    return 7


@timed_step("outer")
def outer() -> int:
    burn(0.01)
    return inner() + inner()


def test_a_step_counts_its_own_time_alone() -> None:
    with recorded_steps() as read:
        assert outer() == 14
        rows = {row.step: row for row in read()}
    assert (rows["outer"].calls, rows["inner"].calls) == (1, 2)
    assert rows["inner"].cpu_s >= 0.04
    assert 0.01 <= rows["outer"].cpu_s < 0.04  # without what is within it
    assert rows[REST].cpu_s >= 0


def test_nothing_is_recorded_where_nobody_asks() -> None:
    assert FOLDER not in os.environ
    assert outer() == 14
    with recorded_steps() as read:
        assert [row.step for row in read()] == [REST]
    assert FOLDER not in os.environ


def test_a_step_that_fails_is_counted_and_its_error_passes() -> None:
    @timed_step("failing")
    def failing() -> None:
        raise KeyError("told")

    with recorded_steps() as read:
        with pytest.raises(KeyError, match="told"):
            failing()
        assert {row.step: row.calls for row in read()}["failing"] == 1


def test_another_process_is_counted() -> None:
    script = "from tests.fdgen.runtime.test_step_times import outer; outer()"
    with recorded_steps() as read:
        subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
        rows = {row.step: row for row in read()}
    assert (rows["outer"].calls, rows["inner"].calls) == (1, 2)
    assert rows[REST].cpu_s > 0  # it started, too


def test_another_thread_goes_uncounted_and_disturbs_nothing() -> None:
    with recorded_steps() as read:
        outer()
        thread = threading.Thread(target=outer)
        thread.start()
        outer()
        thread.join()
        assert {row.step: row.calls for row in read()}["outer"] == 2

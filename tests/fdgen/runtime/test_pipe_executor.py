"""Worker processes that talk through pipes: results, errors and deaths arrive, and nothing is left."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from fdgen.errors import FdError
from fdgen.io.counters import Counters
from fdgen.runtime.pipe_executor import PipeExecutor

_begun: list[int] = []


def begin(factor: int) -> None:
    _begun.append(factor)


def times(number: int) -> int:
    return number * _begun[0]


def process(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def meet(folder: Path) -> int:
    """Return this process's id once two processes have come here."""
    (folder / str(os.getpid())).touch()
    end_s = time.monotonic() + 120
    while len(list(folder.iterdir())) < 2 and time.monotonic() < end_s:
        time.sleep(0.01)
    return os.getpid()


def fail(message: str) -> None:
    raise FdError(message, hint="none")


def end(code: int) -> None:
    os._exit(code)


def return_a_lock() -> object:
    return threading.Lock()


def count(counters: Counters, index: int) -> None:
    counters[index] = 7


def test_tasks_are_done_by_as_many_processes_as_asked_for(tmp_path: Path) -> None:
    with PipeExecutor(2, begin, (3,)) as workers:
        futures = [workers.submit(times, number) for number in range(10)]
        assert [future.result() for future in futures] == [3 * number for number in range(10)]
        processes = {future.result() for future in [workers.submit(meet, tmp_path) for _ in range(2)]}
        assert len(processes) == 2
        assert os.getpid() not in processes
        large = workers.submit(bytes, 10**7)
        assert len(large.result()) == 10**7


def test_errors_arrive_with_where_they_were_raised_and_workers_go_on() -> None:
    with PipeExecutor(1, begin, (2,)) as workers:
        with pytest.raises(FdError, match="no good") as caught:
            workers.submit(fail, "no good").result()
        assert caught.value.hint == "none"
        assert "in fail" in str(caught.value.__cause__)
        with pytest.raises(TypeError, match="cannot pickle"):
            workers.submit(return_a_lock).result()
        assert workers.submit(times, 4).result() == 8


def test_a_death_breaks_every_task_without_a_result() -> None:
    with PipeExecutor(1, begin, (2,)) as workers:
        assert workers.submit(times, 1).result() == 2
        futures: list[Future[object]] = [workers.submit(end, 3), workers.submit(times, 1)]
        for future in futures:
            with pytest.raises(BrokenProcessPool):
                future.result()
        with pytest.raises(BrokenProcessPool):
            workers.submit(times, 1)


def test_a_death_before_the_first_task_is_one_too() -> None:
    with PipeExecutor(1, end, (3,)) as workers, pytest.raises(BrokenProcessPool):
        workers.submit(times, 1).result()


def test_a_shutdown_cancels_what_has_not_begun() -> None:
    with PipeExecutor(1, begin, (2,)) as workers:
        futures = [workers.submit(process, 0) for _ in range(50)]
        futures[0].result()
        workers.shutdown(cancel_futures=True)
        with pytest.raises(CancelledError):
            futures[-1].result()
        with pytest.raises(RuntimeError, match="after the shutdown"):
            workers.submit(times, 1)


def test_counters_are_the_same_in_another_process(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "counters", 3)
    with PipeExecutor(1, begin, (2,)) as workers:
        workers.submit(count, counters, 1).result()
    assert [counters[index] for index in range(3)] == [0, 7, 0]
    counters.close()

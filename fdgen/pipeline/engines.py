"""What `--executor` names: processes of this machine, or a cluster of Dask or Ray.

Both are extras, imported where they are asked for. A task whose worker died is done again by another, until it has
taken four workers with it: so it is by default in Dask (`distributed.scheduler.allowed-failures`), and asked of Ray.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib
import logging
import os
import pickle
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from fdgen.errors import DatasetError, FdError

CONNECT_S = 30
"""How long a scheduler may take to answer."""

RETRIES = 3
"""Times that a task is done again whose worker died; what kills four workers is a fault of the task."""

FORMS = "local:N, dask:ADDRESS, dask:local:N, ray:ADDRESS or ray:local:N"


@dataclass(frozen=True, slots=True)
class EngineName:
    """What was asked for: `kind` is local, dask or ray; `workers` of this machine, or the `address` of a cluster."""

    kind: str
    workers: int | None = None
    address: str | None = None

    @classmethod
    def parse(cls, text: str) -> EngineName:
        """Read what a user writes; raise `FdError`.

        >>> EngineName.parse("dask:local:2")
        EngineName(kind='dask', workers=2, address=None)
        """
        if match := re.fullmatch(r"(?:local|(dask|ray):local):([1-9]\d{0,4})", text):
            return cls(match[1] or "local", workers=int(match[2]))
        kind, _, address = text.partition(":")
        if kind not in ("dask", "ray") or not address or address.split(":")[0] == "local":
            raise FdError(f"an executor is {FORMS}, got {text!r}")
        return cls(kind, address=address)


@dataclass(frozen=True, slots=True)
class Engine:
    """An executor that is up, None for processes of our own; and how many tasks it does at once."""

    executor: concurrent.futures.Executor | None
    workers: int


@contextlib.contextmanager
def running(name: EngineName) -> Iterator[Engine]:
    """Connect to an engine, or start it, for the block.

    Raises `FdError` where its package is not installed, or no cluster answers at the address.
    """
    if name.kind == "local":
        yield Engine(None, name.workers or 1)
        return
    with _dask(name) if name.kind == "dask" else _ray(name) as engine:
        yield engine


@contextlib.contextmanager
def _dask(name: EngineName) -> Iterator[Engine]:
    distributed = _imported("distributed", "dask", "Dask")
    with contextlib.ExitStack() as stack:
        asked: Any = name.address
        if name.workers is not None:
            # One thread each: within a process, those that draw and those that find landmarks take turns.
            asked = distributed.LocalCluster(
                n_workers=name.workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
            )
            stack.enter_context(asked)
        try:
            client = stack.enter_context(distributed.Client(asked, timeout=CONNECT_S))
        except (OSError, ValueError) as error:
            raise _silent("Dask scheduler", name.address) from error
        workers = name.workers or sum(client.nthreads().values())
        if not workers:
            raise FdError(f"the Dask scheduler at {name.address} has no workers", hint="start some with `dask worker`")
        executor = client.get_executor(pure=False)
        yield Engine(ClusterExecutor(lambda order: executor.submit(_outcome, order)), workers)


@contextlib.contextmanager
def _ray(name: EngineName) -> Iterator[Engine]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    ray = _imported("ray", "ray", "Ray")
    where: dict[str, Any] = {"address": name.address}
    if name.workers is not None:  # of this machine alone, even where the environment names a cluster
        where = {
            "address": "local",
            "num_cpus": name.workers,
            "include_dashboard": False,
            "_node_ip_address": "127.0.0.1",
        }
    try:
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise _silent("Ray cluster", name.address) from error
    try:
        workers = name.workers or int(ray.cluster_resources().get("CPU", 0))
        if not workers:
            raise FdError(f"the Ray cluster at {name.address} has no CPUs", hint="start some nodes with `ray start`")
        task = ray.remote(_outcome).options(max_retries=RETRIES)
        yield Engine(ClusterExecutor(lambda order: task.remote(order).future()), workers)
    finally:
        ray.shutdown()


class ClusterExecutor(concurrent.futures.Executor):
    """An executor of a cluster's tasks, each started by `start`, which is given what `_outcome` takes.

    What a function raises comes back as it was raised. Anything else that goes wrong is of the cluster: `DatasetError`.
    """

    def __init__(self, start: Callable[[bytes], Future[Any]]) -> None:
        self._start = start

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Have a function of a module called by a worker."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        started = self._start(pickle.dumps((function, arguments, options)))
        started.add_done_callback(lambda done: _pass_on(done, future))
        return future


def _outcome(order: bytes) -> tuple[bool, Any]:
    """Do what was ordered, in a worker; return whether it went well, and what came of it or was raised."""
    function, arguments, options = pickle.loads(order)  # noqa: S301 - from the build that started this task
    try:
        return True, function(*arguments, **options)
    except (KeyboardInterrupt, SystemExit):  # of the worker, not of the task: it is to end
        raise
    except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
        return False, error


def _pass_on(done: Future[Any], future: Future[Any]) -> None:
    error = concurrent.futures.CancelledError() if done.cancelled() else done.exception()
    if error is not None:
        lost = DatasetError(
            f"a task was lost by the cluster: {type(error).__name__}, after all tries",
            hint="look at the logs of its workers, and run the same command again: finished shards are kept",
        )
        lost.__cause__ = error
        future.set_exception(lost)
        return
    went_well, result = done.result()
    if went_well:
        future.set_result(result)
    else:
        future.set_exception(result)


def _imported(package: str, extra: str, called: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise FdError(
            f"{called} is not installed", hint=f"install the extra: pip install 'fd-stackgan[{extra}]'"
        ) from error


def _silent(what: str, address: str | None) -> FdError:
    return FdError(
        f"no {what} answers at {address or 'this machine'}", hint="check the address, and that its ports can be reached"
    )

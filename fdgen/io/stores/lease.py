"""A lease on a place that has no locks: whoever holds it writes again and again that it is alive.

    .fdgen.lock.lease-00000003      {"holder": "0f3c...", "host": "node7", "pid": 4711, "until": 1893456000.0}

A lease is an object that only its holder ever writes, made by a request that fails where it is there already. The one
with the highest number counts. A holder renews its own every `RENEW_S`; one that has not for `LEASE_S` was killed or
cut off, and the next builder makes the object of the next number, which one alone can. The holder that comes back finds
it there, and writes nothing more.

Machines compare `until` with their own clocks. Where these differ by a minute two builders may work side by side: both
put the same bytes under the same names, since shards are a function of the spec and another spec is refused. What is
lost is time.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

from fdgen.errors import DatasetError
from fdgen.io.json_file import parse_json

LEASE_S = 60.0
"""For how long a lease is held that is not renewed."""

RENEW_S = 15.0

_MOST_S = 24 * 3600.0
"""No clock is taken to be ahead by this: a lease until a year from now would keep everybody out."""

_PAUSE_S = 0.2
"""Between two looks at a lease that is waited for."""

MOST_BYTES = 10_000
"""Of a lease."""

_NAME = re.compile(r"(\..+\.lock)\.lease-(\d{8})")


class HeldError(DatasetError):
    """Another process holds the lease."""


class LeasedPlace(Protocol):
    """What a lease needs of the place that it is on."""

    def names(self, folder: str = "") -> list[str]:
        """Return the names of what lies there."""

    def read(self, name: str, most_bytes: int) -> bytes:
        """Return what an object holds; raise `FileNotFoundError`."""

    def put(self, name: str, data: bytes) -> None:
        """Write an object."""

    def create(self, name: str, data: bytes) -> bool:
        """Write an object; return False where there is one."""

    def delete(self, name: str) -> None:
        """Remove an object if it is there."""

    def __str__(self) -> str:
        """Return what messages call the place."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, and until when by the clock of its machine, in seconds since 1970."""

    number: int
    token: str
    host: str
    pid: int
    until: float

    @property
    def has_expired(self) -> bool:
        """Return whether it was not renewed in time, or says a time to which nobody can mean to hold it."""
        return not time.time() < self.until < time.time() + _MOST_S


def lock_name(name: str) -> str | None:
    """Return the name of the lock that an object is a lease of, None where it is none.

    >>> lock_name(".fdgen.lock.lease-00000003")
    '.fdgen.lock'
    """
    match = _NAME.fullmatch(name)
    return None if match is None else match[1]


def is_held(place: LeasedPlace, name: str) -> bool:
    """Return whether a lease is held by anybody."""
    holder = _holder(place, name)
    return holder is not None and not holder.has_expired


def forget(place: LeasedPlace, name: str) -> None:
    """Remove all that is left of a lease that nobody holds."""
    for number in _numbers(place, name):
        place.delete(_object(name, number))


@contextlib.contextmanager
def held(place: LeasedPlace, name: str, busy: str, patience_s: float = 0.0) -> Iterator[Lease]:
    """Hold a lease for the block, which a thread renews; it is waited for up to `patience_s` seconds.

    Raises `HeldError` where another process has it, in a sentence that `busy` begins.
    """
    lease = _acquire(place, name, busy, time.monotonic() + patience_s)
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, stop), name="fdgen lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        stop.set()
        keeper.join()
        lease.release()


class Lease:
    """A lease that this process holds, or held: `lost` says in words that it does no more."""

    def __init__(self, place: LeasedPlace, name: str, number: int) -> None:
        self._place, self._name, self._number = place, name, number
        self._token = secrets.token_hex(8)
        self._until = 0.0
        self._lock = threading.Lock()
        self.lost: str | None = None

    def claim(self) -> bool:
        """Make its object; return whether it is ours alone."""
        self._until, text = self._renewed()
        if not self._place.create(_object(self._name, self._number), text):
            return False
        if self._is_newest():
            return True
        self._place.delete(_object(self._name, self._number))
        return False

    def renew(self) -> None:
        """Write that its holder lives, or find that another has taken it over."""
        with self._lock:
            if self.lost is None and not self._is_newest():
                self.lost = "another build has taken it over"
            if self.lost is None:
                until, text = self._renewed()
                self._place.put(_object(self._name, self._number), text)
                self._until = until

    def check(self) -> None:
        """Raise `DatasetError` where it is no longer held, or has expired and cannot be renewed."""
        if self.lost is None and time.time() >= self._until:  # the machine slept, or was cut off
            self.renew()
        if self.lost is not None:
            raise DatasetError(
                f"this build no longer holds its lease on {self._place}: {self.lost}",
                hint="run the same command again: finished shards are kept",
            )

    def release(self) -> None:
        """Give it up, so that the next builder need not wait."""
        with contextlib.suppress(DatasetError, OSError):  # else it expires
            if self.lost is None:
                self._place.delete(_object(self._name, self._number))

    def _is_newest(self) -> bool:
        """Return whether our object is there, still ours, and none has a higher number."""
        if max(_numbers(self._place, self._name), default=0) != self._number:
            return False
        holder = _read(self._place, self._name, self._number)
        return holder is not None and holder.token == self._token

    def _renewed(self) -> tuple[float, bytes]:
        """Return until when the lease lasts that is renewed now, and what its object is to say."""
        until = time.time() + LEASE_S
        who = {"holder": self._token, "host": platform.node(), "pid": os.getpid(), "until": until}
        return until, json.dumps(who).encode()


def _acquire(place: LeasedPlace, name: str, busy: str, until_s: float) -> Lease:
    """Return a lease that is now ours; raise `HeldError` where another process has it after `until_s`."""
    while True:
        try:
            return _taken(place, name, busy)
        except HeldError:
            if time.monotonic() >= until_s:
                raise
        time.sleep(_PAUSE_S)


def _taken(place: LeasedPlace, name: str, busy: str) -> Lease:
    holder = _holder(place, name)
    if holder is not None and not holder.has_expired:
        raise _held_by(holder, place, busy)
    lease = Lease(place, name, 1 if holder is None else holder.number + 1)
    if not lease.claim():
        raise HeldError(f"{busy} {place}: it began just now", hint="wait until it ends, or name another output")
    for number in _numbers(place, name):
        if holder is not None and number <= holder.number:
            place.delete(_object(name, number))
    return lease


def _held_by(holder: Holder, place: LeasedPlace, busy: str) -> HeldError:
    until = datetime.fromtimestamp(holder.until, timezone.utc)
    return HeldError(
        f"{busy} {place} (process {holder.pid} of {holder.host}), or was killed there: its lease ends at "
        f"{until:%H:%M:%S} UTC unless it is renewed",
        hint="wait until it ends; if it was killed, run the same command again after that time",
    )


def _keep(lease: Lease, stop: threading.Event) -> None:
    """Renew a lease until the block of its holder ends, or another has it."""
    while not stop.wait(RENEW_S) and lease.lost is None:
        with contextlib.suppress(DatasetError, OSError):  # tried again, until it expires
            lease.renew()


def _numbers(place: LeasedPlace, name: str) -> list[int]:
    """Return the numbers of the objects of a lease, in order."""
    matches = (_NAME.fullmatch(one) for one in place.names())
    return sorted(int(match[2]) for match in matches if match is not None and match[1] == name)


def _holder(place: LeasedPlace, name: str) -> Holder | None:
    """Return who holds a lease, or held it last; None where it was given up."""
    for number in reversed(_numbers(place, name)):
        if (holder := _read(place, name, number)) is not None:
            return holder
    return None


def _read(place: LeasedPlace, name: str, number: int) -> Holder | None:
    """Return what an object of a lease says, as expired where it says nothing; None where it is gone."""
    try:
        data = place.read(_object(name, number), MOST_BYTES)
    except FileNotFoundError:
        return None
    try:
        said: Any = parse_json(data)
        return Holder(number, str(said["holder"]), str(said["host"]), int(said["pid"]), float(said["until"]))
    except (ValueError, KeyError, TypeError, OverflowError):
        return Holder(number, "", "?", 0, 0.0)


def _object(name: str, number: int) -> str:
    return f"{name}.lease-{number:08d}"

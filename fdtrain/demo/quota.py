"""Quotas of visitors of the page: data sent, data kept and requests at once, for each visitor and for all.

A visitor is an address (of IPv6 the network of 64 bits, of which a visitor has all). What was sent counts as long as it
may lie there, `KEPT_S`; so does what the page makes of it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fdtrain.demo.storage import KEPT_S, LOOKED_AT_S

MB = 2**20

LEAST_COUNTED = 64 * 1024
"""Every request and every file counts for at least so many bytes: small ones cost too."""

FREE = 64 * MB
"""What must stay free where files lie: other programs need it."""

IN_LINE_S = 120
"""After so many seconds a request counts no more: its visitor left before it was served, and nobody reports that."""

MEASURED_S = 1.0
"""How long a measure of the folder holds, in seconds."""


@dataclass(frozen=True)
class Limits:
    """What visitors may do. MB are 2**20 bytes.

    `upload_mb` is the most in one request; `visitor_mb` and `all_mb` what one visitor, and all of them, may have lying
    (files of the last ten minutes, and photographs in memory); `visitor_waiting` and `all_waiting` how many requests
    may be in line or worked on.
    """

    upload_mb: int = 80
    visitor_mb: int = 512
    all_mb: int = 2048
    visitor_waiting: int = 4
    all_waiting: int = 32


class RefusedError(Exception):
    """A request that is refused: by which status of HTTP, in which sentence, and when it may come again."""

    def __init__(self, status: int, sentence: str, *, after_s: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.after_s = status, sentence, after_s


@dataclass
class _Visitor:
    """What was counted for a visitor: bytes by the second in which they came, and when each request got in line."""

    bytes: deque[list[float]] = field(default_factory=deque)
    line: deque[float] = field(default_factory=deque)

    def forget(self, now_s: float) -> None:
        while self.bytes and self.bytes[0][0] < now_s - KEPT_S - LOOKED_AT_S:
            self.bytes.popleft()
        while self.line and self.line[0] < now_s - IN_LINE_S:
            self.line.popleft()

    def held(self) -> float:
        return sum(n_bytes for _, n_bytes in self.bytes)


class Quota:
    """Counts for each visitor what is sent and made, and refuses what is beyond the limits. Threads may share it."""

    def __init__(self, limits: Limits, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self.folder, self._clock = limits, folder, clock
        self._visitors: dict[str, _Visitor] = {}
        self._lock = threading.Lock()
        self._measured, self._measured_s, self._since = 0, -math.inf, 0

    def admit(self, visitor: str, n_bytes: int) -> None:
        """Raise `RefusedError` where there is no room for so many bytes of a visitor: nothing is counted yet."""
        with self._lock:
            self._forget()
            self._refuse_beyond(self._of(visitor), n_bytes)

    def charge(self, visitor: str, n_bytes: int, *, enforce: bool = True) -> None:
        """Count bytes for a visitor; with `enforce`, raise `RefusedError` where they are beyond a limit."""
        with self._lock:
            one = self._of(visitor)
            if enforce:
                self._refuse_beyond(one, n_bytes)
            second = math.floor(self._clock())
            if one.bytes and one.bytes[-1][0] == second:
                one.bytes[-1][1] += n_bytes
            else:
                one.bytes.append([second, n_bytes])
            self._since += n_bytes

    def join(self, visitor: str) -> None:
        """Put a request of a visitor in line; raise `RefusedError` where the line is full."""
        with self._lock:
            self._forget()
            one = self._of(visitor)
            n_most = self.limits.visitor_waiting
            if len(one.line) >= n_most:
                raise RefusedError(429, f"{n_most} of your requests are in line: wait until one is done.", after_s=5)
            if sum(len(other.line) for other in self._visitors.values()) >= self.limits.all_waiting:
                raise RefusedError(429, "Too many visitors are in line: try again in a minute.", after_s=60)
            one.line.append(self._clock())

    def leave(self, visitor: str) -> None:
        """Take the oldest request of a visitor out of the line: it was served, or refused."""
        with self._lock:
            one = self._of(visitor)
            if one.line:
                one.line.popleft()

    def _of(self, visitor: str) -> _Visitor:
        return self._visitors.setdefault(network_of(visitor), _Visitor())

    def _forget(self) -> None:
        now_s = self._clock()
        for name, one in list(self._visitors.items()):
            one.forget(now_s)
            if not one.bytes and not one.line:
                del self._visitors[name]

    def _refuse_beyond(self, one: _Visitor, n_bytes: int) -> None:
        if one.held() + n_bytes > self.limits.visitor_mb * MB:
            raise RefusedError(
                429,
                f"You have sent as much as one visitor may in {KEPT_S // 60} minutes: wait some, or give a smaller "
                "photograph.",
                after_s=60,
            )
        now_s = self._clock()
        if now_s - self._measured_s > MEASURED_S:
            self._measured, self._measured_s, self._since = lying_in(self.folder), now_s, 0
        counted = sum(other.held() for other in self._visitors.values())
        held = max(counted, self._measured + self._since)  # not all that is counted lies there, nor the other way round
        if held + n_bytes > self.limits.all_mb * MB or shutil.disk_usage(self.folder).free - n_bytes < FREE:
            raise RefusedError(
                507, "This page has no room for more photographs now: try again in some minutes.", after_s=60
            )


def lying_in(folder: Path) -> int:
    """Return how many bytes lie in a folder, small files counted for more than they hold."""
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            total += max(LEAST_COUNTED, file.stat().st_size) if file.is_file() else 0
    return total


def network_of(address: str) -> str:
    """Return what counts as one visitor: the address, of IPv6 its network.

    >>> network_of("192.0.2.7"), network_of("2001:db8:1:2:3:4:5:6"), network_of("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8:1:2::', '192.0.2.7')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)

"""Standard error of native code: libjpeg, libtiff and TensorFlow Lite write to it past Python."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

STDERR_FD = 2
_lock = threading.RLock()  # the descriptor belongs to the whole process
_sink: tuple[int, IO[bytes]] | None = None


class Captured:
    """What was written to standard error inside a `native_stderr` block; whole once the block has ended."""

    def __init__(self) -> None:
        self.text = ""


@contextlib.contextmanager
def native_stderr() -> Iterator[Captured]:
    """Keep what native code writes to file descriptor 2 from the user, and hand it to the caller instead.

    The descriptor is the process's: what another thread writes meanwhile is caught too, and two blocks on two
    threads follow each other. Where the descriptor is closed, as in a daemon, nothing is done. Costs about 10 µs.
    """
    captured = Captured()
    with _lock:
        if sys.stderr is not None:
            sys.stderr.flush()
        sink = _open_sink()
        try:
            saved = os.dup(STDERR_FD)
        except OSError:
            yield captured
            return
        try:
            os.dup2(sink.fileno(), STDERR_FD)
            yield captured
        finally:
            try:
                if sys.stderr is not None:
                    sys.stderr.flush()
            finally:
                os.dup2(saved, STDERR_FD)
                os.close(saved)
            if os.fstat(sink.fileno()).st_size:
                sink.seek(0)
                captured.text = sink.read().decode(errors="replace")
                sink.seek(0)
                sink.truncate()


def _open_sink() -> IO[bytes]:
    """Return the file that output is sent to: one a process, since a forked child would share its offset."""
    global _sink
    if _sink is None or _sink[0] != os.getpid():
        _sink = (os.getpid(), tempfile.TemporaryFile(prefix="fdgen-stderr-"))  # noqa: SIM115 - lives as long as we do
        atexit.register(_sink[1].close)  # an unclosed file would be warned of where warnings are shown
    return _sink[1]

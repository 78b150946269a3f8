"""What all tests need of the process that they run in."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as `fdtrain` does: parts of the tests run at the same time

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")  # how fast an example runs is no law: on a crowded machine it is slow

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background by a shell, this process ignores Ctrl-C, and so would those that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

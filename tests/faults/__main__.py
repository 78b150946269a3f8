"""Lets the disk refuse at every place where something is written, and prints what came of it.

    python -m tests.faults [--every N] [--kinds ENOSPC,EIO] [SCENARIO ...]

prints a line a scenario: the places at which it writes, the faults tried there, the promises that were broken; and
exits with 1 where any was.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.disturbing import Undisturbed
from tests.faults.faulty import KINDS
from tests.faults.scenarios import SCENARIOS


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults at every place of writing.")
    parser.add_argument("--every", type=int, default=1, help="only each N-th place")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("scenarios", nargs="*", default=[*SCENARIOS])
    asked = parser.parse_args()
    return fault_table(asked.scenarios, asked.kinds.split(","), asked.every)


def fault_table(names: list[str], kinds: list[str], every: int) -> int:
    """Print the table of faults; return 1 where a promise was broken."""
    n_broken = n_places = n_faults = 0
    print(f"{'command':20} {'places':>7} {'faults':>7} {'broken':>7} {'CPU s':>7}", flush=True)
    for name in names:
        began_s = time.process_time()
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            undisturbed = Undisturbed(SCENARIOS[name], Path(folder))
            places = range(1, len(undisturbed.places) + 1, every)
            faults = [(at, kind) for at in places for kind in kinds]
            broken = [one for at, kind in faults for one in undisturbed.disturbed(at, kind)]
        spent_s = time.process_time() - began_s
        print(f"{name:20} {len(undisturbed.places):7} {len(faults):7} {len(broken):7} {spent_s:7.0f}", flush=True)
        for one in broken[:20]:
            print(f"    {one}")
        n_broken, n_places, n_faults = (
            n_broken + len(broken), n_places + len(undisturbed.places), n_faults + len(faults),
        )  # fmt: skip
    print(f"{'all':20} {n_places:7} {n_faults:7} {n_broken:7}", flush=True)
    return int(bool(n_broken))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())

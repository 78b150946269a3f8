"""Lets the disk refuse at every place where something is written, and prints what came of it.

    python -m tests.faults [--every N] [--kinds ENOSPC,EIO] [COMMAND ...]
    python -m tests.faults --kills 60 [--seed N] [COMMAND ...]

The first prints a line a command: the places at which it writes, the faults tried there, the promises that were broken.
The second kills commands so often, at random moments. Both exit with 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.disturbing import Undisturbed
from tests.faults.faulty import KINDS
from tests.faults.kills import COMMANDS, Killed, Tally, prepare
from tests.faults.scenarios import SCENARIOS

_ALONE = "FD_FAULTS_ALONE"
"""Environment variable: /dev/shm is our own."""


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults at every place of writing.")
    parser.add_argument("--every", type=int, default=1, help="only each N-th place")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--kills", type=int, default=0, help="kill commands so often, in place of faults")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of kills")
    parser.add_argument("scenarios", nargs="*", metavar="COMMAND", default=[])
    asked = parser.parse_args()
    if asked.kills:
        begin_alone()
        return kill_table(asked.scenarios or [*COMMANDS], asked.kills, asked.seed)
    asked.scenarios = asked.scenarios or [*SCENARIOS]
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


def begin_alone() -> None:
    """Begin this program again with a /dev/shm of its own, where the system allows it: others use the common one."""
    mount = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev/shm && exec "$@"', "sh"]
    if _ALONE in os.environ or shutil.which("unshare") is None:
        return
    if subprocess.run([*mount, "true"], check=False, capture_output=True).returncode:
        return
    os.environ[_ALONE] = "1"
    os.execvp(mount[0], [*mount, sys.executable, "-m", "tests.faults", *sys.argv[1:]])


def kill_table(names: list[str], n_kills: int, seed: int) -> int:
    """Print the table of kills; return 1 where a promise was broken."""
    chance = random.Random(seed)
    total = Tally()
    print(f"{'command':20} {'kills':>7} {'late':>7} {'broken':>7} {'run s':>7}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        given = Path(folder) / "given"
        given.mkdir()
        prepare(given)
        for number, name in enumerate(names):
            (place := Path(folder) / str(number)).mkdir()
            killed, tally = Killed(COMMANDS[name], place, given), Tally()
            for _ in range(n_kills * (number + 1) // len(names) - n_kills * number // len(names)):
                killed.kill(chance, tally)
            print(f"{name:20} {tally.kills:7} {tally.late:7} {len(tally.broken):7} {killed.length_s:7.1f}", flush=True)
            for one in tally.broken[:20]:
                print(f"    {one}", flush=True)
            total.kills, total.late = total.kills + tally.kills, total.late + tally.late
            total.broken += tally.broken
    print(f"{'all':20} {total.kills:7} {total.late:7} {len(total.broken):7}", flush=True)
    return int(bool(total.broken))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())

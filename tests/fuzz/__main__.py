"""`python -m tests.fuzz --inputs 20000`: so many inputs over all formats, and a table of what became of them."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.fuzz.formats import FORMATS
from tests.fuzz.harness import HEAD, run
from tests.fuzz.seeds import make_seeds


def main() -> None:
    """Fuzz, and leave with 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=2_000, help="over all formats together")
    parser.add_argument("--formats", default="", help="names, with commas; all where none is named")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that broke a promise")
    asked = parser.parse_args()
    names = asked.formats.split(",") if asked.formats else list(FORMATS)
    rows, faults = [], []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        seeds = make_seeds(Path(folder) / "seeds", names)
        for name in names:
            work = Path(folder) / "work" / name
            account = run(name, seeds, work, inputs=-(-asked.inputs // len(names)), seed=asked.seed, keep=asked.keep)
            rows.append(account.row())
            faults += [f"{name} {fault}" for fault in account.faults]
            sys.stderr.write("  ".join(account.row()) + "\n")
    widths = [max(len(row[place]) for row in (HEAD, *rows)) for place in range(len(HEAD))]
    for row in (HEAD, *rows):
        cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    sys.stdout.write(f"{sum(int(row[1]) for row in rows):,} inputs, {len(faults)} broke a promise\n")
    sys.stdout.flush()
    os._exit(1 if faults else 0)  # what trained here may hold threads


if __name__ == "__main__":
    main()

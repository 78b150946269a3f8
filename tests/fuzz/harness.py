"""Runs many inputs of one format in a process with limits, and keeps account of what became of each.

    seeds + corpus --> mutate --> put where it belongs --> open --> accepted | refused | foreign
                                                                     the parent sees: died | hung

The process says which input it begins, so that its parent knows which one killed it, and goes on after that.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.paths import ROOT

MOST_S = 10.0
"""An input that takes longer has hung."""

MOST_GROWTH_MB = 1_000
"""Of the largest memory that the process ever had, by one input."""


CORPUS = Path(__file__).parent / "corpus"


@dataclass
class Account:
    """What became of the inputs of one format. `faults` has a line for each that broke a promise."""

    name: str
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    worst_s: float = 0.0
    worst_mb: float = 0.0
    faults: list[str] = field(default_factory=list)

    def add(self, told: dict[str, float | str], what: str) -> None:
        self.inputs += 1
        self.outcomes[str(told["outcome"])] += 1
        self.worst_s = max(self.worst_s, float(told["seconds"]))
        self.worst_mb = max(self.worst_mb, float(told["grown_mb"]))
        if told["outcome"] in ("foreign", "outside", "lines", "died", "hung"):
            self.faults.append(f"{what}: {told['outcome']}: {told['detail']}")
        elif float(told["grown_mb"]) > MOST_GROWTH_MB:
            self.faults.append(f"{what}: took {told['grown_mb']} MB")

    def row(self) -> tuple[str, ...]:
        """Return its line of a table."""
        foreign = sum(self.outcomes[one] for one in ("foreign", "outside", "lines"))
        counts = (self.inputs, self.outcomes["refused"], self.outcomes["accepted"], foreign)
        ends = (self.outcomes["died"] + self.outcomes["hung"], f"{self.worst_s:.2f}", f"{self.worst_mb:.0f}")
        return (self.name, *(str(one) for one in (*counts, *ends)))


HEAD = ("format", "inputs", "refused", "accepted", "foreign", "died or hung", "worst s", "worst MB")


def run(name: str, seeds: Path, work: Path, *, inputs: int, seed: int = 0, keep: Path | None = None) -> Account:
    """Try the corpus of a format, then so many mutated inputs; return the account.

    `seeds` is a folder that `tests.fuzz.seeds` filled, `work` one to work in; what broke a promise is copied to `keep`.
    """
    account = Account(name)
    first = 0
    while first < inputs:
        first = _one_process(account, name, seeds, work, first, inputs, seed, keep)
    return account


def _one_process(
    account: Account, name: str, seeds: Path, work: Path, first: int, inputs: int, seed: int, keep: Path | None
) -> int:
    """Let a process work until it ends or is ended; return with which input to go on."""
    here = work / "here"
    here.mkdir(parents=True, exist_ok=True)
    arguments = (name, seeds, work, first, inputs, seed)
    command = [sys.executable, "-m", "tests.fuzz.worker", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_ALBUMENTATIONS_UPDATE": "1", "PYTHONPATH": str(ROOT)}
    log = (work / "stderr.txt").open("wb")
    with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=here) as process:
        assert process.stdout is not None
        begun, what, waiting, since = first, "start", b"", time.monotonic()
        allowed_s = 180.0  # to import; the machine may be busy
        while True:
            ready, _, _ = select.select([process.stdout], [], [], 0.5)
            if not ready:
                if time.monotonic() - since > allowed_s:
                    process.kill()
                    return _lost(account, "hung", f"no answer in {allowed_s:g} s", begun, what, work, keep)
                continue
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            if not chunk:
                break
            waiting += chunk
            *lines, waiting = waiting.split(b"\n")
            for line in lines:
                told = json.loads(line)
                since, allowed_s = time.monotonic(), MOST_S
                if "begin" in told:
                    begun, what = told["begin"], told["what"]
                else:
                    before = len(account.faults)
                    account.add(told, what)
                    if len(account.faults) > before:
                        _keep(work, keep, name, what)
                    begun += 1
                    allowed_s = 60.0  # until the next begins
        code = process.wait()
    if begun >= inputs and code == 0:
        return inputs
    tail = (work / "stderr.txt").read_text(errors="replace").strip().splitlines()[-3:]
    return _lost(account, "died", f"exit code {code}: {' | '.join(tail)}", begun, what, work, keep)


def _lost(account: Account, outcome: str, detail: str, begun: int, what: str, work: Path, keep: Path | None) -> int:
    seconds = MOST_S if outcome == "hung" else 0
    account.add({"outcome": outcome, "detail": detail, "seconds": seconds, "grown_mb": 0}, what)
    _keep(work, keep, account.name, what)
    return begun + 1


def _keep(work: Path, keep: Path | None, name: str, what: str) -> None:
    if keep is not None and (work / "input").is_file():
        folder = keep / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{what.replace('/', '-')}.bin").write_bytes((work / "input").read_bytes())

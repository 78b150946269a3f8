"""Kills commands at random moments, as a user, a scheduler or the system does, and runs them again.

What is looked at: no file is there by halves after the kill; the same command ends in the bytes of one that was never
stopped; then nothing is left in the temporary folder, in /dev/shm, or beside the files.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.disturbing import files_of, is_passing
from tests.faults.scenarios import rows_of, timeless

SHARED = Path("/dev/shm")

_FDGEN = [sys.executable, "-c", "from fdcli.fdgen.main import main; main()"]
_FDTRAIN = [sys.executable, "-c", "from fdcli.fdtrain.main import main; main()"]

LEAVING_S = 20.0
"""How long workers may take to leave once their parent was killed: loader workers look every 5 s."""

_SMALL = (
    *("training.batch=4", "training.precision=fp32", "training.channels_last=false", "data.mix=0.0"),
    *("network.widths=[8,8,16,16,16]", "network.dilations=[1]", "discriminator.width=4"),
)


def _set(*values: str) -> list[str]:
    return [word for value in values for word in ("--set", value)]


def _build(given: Path, out: Path) -> list[str]:
    what = ["--count", "40", "--size", "96", "--workers", "2", "--cache", f"{given}/faces.sqlite"]
    return [*_FDGEN, "build", "--out", f"{out}/set", *what, *_set("shards.samples=8")]


def _landmarks(given: Path, out: Path) -> list[str]:
    return [*_FDGEN, "landmarks", "--size", "96", "--workers", "2", "--cache", f"{out}/faces.sqlite"]


def _export(to: str) -> Callable[[Path, Path], list[str]]:
    return lambda given, out: [*_FDGEN, "export", f"{given}/built", "--to", to, "--out", f"{out}/export"]


def _card(given: Path, out: Path) -> list[str]:
    if not (out / "set").exists():  # a card is written into its dataset too
        shutil.copytree(given / "built", out / "set")
    return [*_FDGEN, "card", f"{out}/set", "--out", f"{out}/card"]


def _add_asset(given: Path, out: Path) -> list[str]:
    return [*_FDGEN, "assets", "add", f"{given}/cloth.png", "--kind", "mask", "--pack", f"{out}/pack"]


def _fit(given: Path, out: Path) -> list[str]:
    from tests.support.micro import MICRO

    more = ("training.images=64", "machine.workers=2")
    settings = _set(*(value for value in MICRO if not value.startswith("training.images=")), *more)
    return [*_FDTRAIN, "fit", "--data", f"{given}/set", "--preset", "tiny", "--out", f"{out}/run", *settings]


def _compare(given: Path, out: Path) -> list[str]:
    what = ["--methods", "telea,tiny", "--seeds", "1", "--images", "16", "--size", "32", "--limit", "2"]
    what += ["--measures", "none", "--against", "tiny", "--perceptual", "off", "--device", "cpu", *_set(*_SMALL)]
    return [*_FDTRAIN, "compare", "--data", f"{given}/set", "--out", f"{out}/table", *what]


def _evaluate(given: Path, out: Path) -> list[str]:
    what = ["--references", "telea,copy", "--measures", "none", "--limit", "4", "--rows", "2"]
    return [*_FDTRAIN, "eval", "--data", f"{given}/set", "--out", f"{out}/eval", *what]


@dataclass(frozen=True)
class Command:
    """A command that writes into the folder `out`, from what is in the folder `given`."""

    line: Callable[[Path, Path], list[str]]
    normal: Callable[[str, bytes], bytes] = lambda name, data: data
    passing: tuple[str, ...] = ()
    """Ends of names of files that a run has on its way only, or that grow by lines."""
    is_done: Callable[[Path], bool] = lambda out: False
    """Whether a run that was killed had done all: the same command is refused then."""


COMMANDS = {
    "build": Command(_build),
    "landmarks": Command(_landmarks, normal=rows_of, passing=("faces.sqlite", "-journal")),
    "export imagefolder": Command(_export("imagefolder"), passing=(".finished.txt",)),
    "export parquet": Command(_export("parquet"), passing=(".finished.txt",)),
    "export coco": Command(_export("coco"), passing=(".finished.txt",)),
    "card": Command(_card),
    "assets add": Command(_add_asset, is_done=lambda out: (out / "pack" / "index.json").exists()),
    "fit": Command(_fit, normal=timeless, passing=("stats.jsonl", ".pt", ".json", ".safetensors", ".png")),
    "compare": Command(
        _compare, normal=timeless, passing=(".jsonl", ".pt", ".json", ".safetensors", ".png", "/stop", "error.txt")
    ),
    "eval": Command(_evaluate, normal=timeless),
}


@dataclass
class Tally:
    """What came of the kills of one command."""

    kills: int = 0
    late: int = 0
    """Of those, how many came after its end."""
    broken: list[str] = field(default_factory=list)


class Killed:
    """A command that was run once undisturbed; `kill` runs it, kills it, and runs it again."""

    def __init__(self, command: Command, folder: Path, given: Path) -> None:
        self.command, self.given = command, given
        self.out, self.temporary = folder / "out", folder / "tmp"
        self.temporary.mkdir()
        self.out.mkdir()
        self._ended(self._begun())  # what is compiled or loaded once is there then
        shutil.rmtree(self.out)
        self.out.mkdir()
        began_s = time.monotonic()
        self._ended(self._begun())
        self.length_s = time.monotonic() - began_s
        self.end = self._digests()
        self.usual = {path.name for path in self.temporary.iterdir()}
        """What the libraries keep there, and find again: torch's folder of compiled code."""
        shutil.rmtree(self.out)

    def kill(self, chance: random.Random, tally: Tally) -> None:
        """Kill a run at some moment, look at what is left, run again, and look once more."""
        self.out.mkdir()
        shared = _shared()
        process = self._begun()
        at_s, whole_group = chance.uniform(0, self.length_s), chance.random() < 0.5
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(at_s)
        tally.kills += 1
        tally.late += process.returncode is not None
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
        process.communicate()
        wrong = [] if _left(process.pid) else ["workers outlive their parent"]
        wrong += self._half_things()
        if not self.command.is_done(self.out):
            again = self._begun()
            text = again.communicate()[0].decode(errors="replace")
            if again.returncode:
                wrong.append(f"the next run ends with {again.returncode}: {text.strip()[-300:]}")
        found = self._digests()
        wrong += [
            f"other bytes: {name}" for name in sorted(found.keys() | self.end) if found.get(name) != self.end.get(name)
        ]
        wrong += [f"left beside the files: {name}" for name in files_of(self.out) if is_passing(name)]
        wrong += [f"left in the temporary folder: {path.name}" for path in self._strays()]
        wrong += [f"left in {SHARED}: {name}" for name in sorted(_shared() - shared)]
        who = "the group" if whole_group else "the process"
        tally.broken += [f"{who} killed after {at_s:.2f} of {self.length_s:.2f} s: {one}" for one in wrong]
        shutil.rmtree(self.out)
        for path in self._strays():  # told of once
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _strays(self) -> list[Path]:
        return [path for path in self.temporary.iterdir() if path.name not in self.usual]

    def _begun(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            self.command.line(self.given, self.out), env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        text = process.communicate()[0].decode(errors="replace")
        if process.returncode:
            raise SystemExit(f"undisturbed, it ends with {process.returncode}: {text}")

    def _digests(self) -> dict[str, bytes]:
        files = {name: path for name, path in files_of(self.out).items() if not is_passing(name)}
        return {name: self.command.normal(name, path.read_bytes()) for name, path in files.items()}

    def _half_things(self) -> list[str]:
        """Look at every file: it is that of the end, or one on the way there, which can be read."""
        wrong = []
        for name, path in files_of(self.out).items():
            if is_passing(name):
                continue
            data = path.read_bytes()
            try:
                same = name in self.end and self.command.normal(name, data) == self.end[name]
                if not same and not (_is_readable(name, data) or name.endswith(self.command.passing)):
                    wrong.append(f"by halves: {name}")
            except (ValueError, RuntimeError, EOFError) as error:
                wrong.append(f"by halves: {name}: {error}")
        return wrong


def _is_readable(name: str, data: bytes) -> bool:
    """Tell whether a file that changes during a run is whole in itself."""
    if name.endswith(".json"):
        json.loads(data)
        return True
    if name.endswith((".txt", ".jsonl", ".md", ".toml", "SHA256SUMS")):
        return data.endswith(b"\n") or not data
    if name.endswith(".csv"):
        return len({len(row) for row in csv.reader(io.StringIO(data.decode()))}) <= 1
    return False


def _shared() -> set[str]:
    """Return what lies in shared memory; where it is not our own, only what bears a name of ours or of torch."""
    names = {path.name for path in SHARED.iterdir()} if SHARED.is_dir() else set()
    is_alone = "FD_FAULTS_ALONE" in os.environ
    return {name for name in names if is_alone or name.startswith(("sem.fd-", "torch_"))}


def _left(group: int) -> bool:
    """Wait until no process of a group lives; tell whether that came about."""
    until_s = time.monotonic() + LEAVING_S
    while time.monotonic() < until_s:
        if not any(_is_of(stat, group) for stat in Path("/proc").glob("[0-9]*/stat")):
            return True
        time.sleep(0.05)
    return False


def _is_of(stat: Path, group: int) -> bool:
    try:
        state, _, its_group = stat.read_bytes().rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):
        return False
    return int(its_group) == group and state not in (b"Z", b"X")


def prepare(given: Path) -> None:
    """Put into a folder what commands read."""
    from tests.faults.scenarios import write_pictures
    from tests.support.sets import write_set

    write_set(given / "set", 16)
    write_pictures(given)
    (given / "Cloth Mask.png").rename(given / "cloth.png")
    for line in (
        [*_FDGEN, "landmarks", "--size", "96", "--cache", f"{given}/faces.sqlite"],
        [*_FDGEN, "build", "--out", f"{given}/built", "--count", "24", "--size", "96", "--name", "fakes", "--version",
         "1.0.0", "--cache", f"{given}/faces.sqlite"],
    ):  # fmt: skip
        subprocess.run(line, check=True, capture_output=True, stdin=subprocess.DEVNULL)

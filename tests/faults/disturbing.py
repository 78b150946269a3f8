"""Runs a scenario with a fault at some place, and looks at what is left, and at what the next run makes of it."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from fdgen.errors import FdError
from fdgen.io.atomic import is_temporary
from tests.faults.faulty import Faults, injected
from tests.faults.scenarios import Scenario

_PASSING = (".fdgen.lock", ".lock", "stop")


class Undisturbed:
    """A scenario that was run once without a fault: its places, and what it leaves."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.given, self.out = folder / "given", folder / "out"
        self.given.mkdir()
        scenario.prepare(self.given)
        self._run(Faults())  # what is compiled or loaded once is there then
        shutil.rmtree(self.out)
        counted = self._run(Faults())
        self.places = counted.places
        self.end = self._digests()
        held = [
            (path.relative_to(self.out).as_posix(), data) for path, known in counted.versions.items() for data in known
        ]
        for root in (self.given, self.out):  # what was copied from there, and what was made without a rename
            held += [(name, path.read_bytes()) for name, path in files_of(root).items()]
        self.versions: dict[str, set[str]] = {}
        for name, data in held:
            self.versions.setdefault(name, set()).add(self._digest(name, data))
        shutil.rmtree(self.out)

    def disturbed(self, at: int, kind: str) -> list[str]:
        """Run with a fault at a place, and then once more without; return what is wrong."""
        wrong: list[str] = []
        faults = Faults(at, kind)
        failed = False
        try:
            self._run(faults)
        except FdError as error:
            failed = True
            wrong += _complaints_about(error)
            if not faults.struck or kind in ("EINTR", "short"):
                wrong.append(f"failed for no reason: {error.message}")
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, sqlite3.Error) as error:
            failed = True
            wrong.append(f"another program's error: {type(error).__name__}: {error}")
        wrong += self._half_things(may_leave=kind in ("EIO", "dead"))
        if not failed:
            wrong += self._differences("it ended in other files")
        try:
            self._run(Faults())
        except FdError as error:
            wrong.append(f"the next run fails: {error.message}")
        else:
            wrong += self._differences("the next run ends in other files")
            # A lock that could not be unlinked stays beside what is finished: nobody holds it, and it is as none.
            wrong += [f"the next run leaves {name}" for name, path in files_of(self.out).items() if is_temporary(path)]
        shutil.rmtree(self.out, ignore_errors=True)
        return [f"{kind} at {at} ({self.places[at - 1]}): {one}" for one in wrong]

    def _run(self, faults: Faults) -> Faults:
        self.out.mkdir(exist_ok=True)
        with injected(faults):
            self.scenario.run(self.given, self.out)
        return faults

    def _digests(self) -> Mapping[str, str]:
        files = {name: path for name, path in files_of(self.out).items() if not is_passing(name)}
        return {name: self._digest(name, path.read_bytes()) for name, path in files.items()}

    def _digest(self, name: str, data: bytes) -> str:
        try:
            return hashlib.sha256(self.scenario.normal(name, data)).hexdigest()
        except (ValueError, RuntimeError, sqlite3.Error) as error:
            return f"not to be read: {error}"

    def _differences(self, words: str) -> list[str]:
        found = self._digests()
        names = sorted(name for name in found.keys() | self.end.keys() if found.get(name) != self.end.get(name))
        return [f"{words}: {', '.join(names[:4])}"] if names else []

    def _half_things(self, *, may_leave: bool) -> Iterable[str]:
        """Look at every file that is there after a failure: it must be one that a run without a fault had, whole."""
        for name, path in files_of(self.out).items():
            data = path.read_bytes()
            if is_passing(name):
                if not may_leave and is_temporary(path):
                    yield f"left {name}"
            elif self.scenario.logs and name.endswith(self.scenario.logs):
                if data and not data.endswith(b"\n"):
                    yield f"{name} has half a line"
            elif name in self.scenario.databases or name.endswith("-journal"):
                continue
            elif name not in self.versions:
                yield f"{name} is no file of this"
            elif self._digest(name, data) not in self.versions[name]:
                yield f"{name} is half a thing"


def files_of(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def is_passing(name: str) -> bool:
    path = Path(name)
    return path.name in _PASSING or is_temporary(path)


def _complaints_about(error: FdError) -> list[str]:
    if not error.message or "\n" in error.message + error.hint:
        return [f"its error is not one sentence: {error.message!r}"]
    return []

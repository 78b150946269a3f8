"""Checks of an installation that both programs make, and how their findings are printed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click

from ..shared.errors import NUMPY_REMEDY, NUMPY_TOO_OLD, PROBLEMS
from ..shared.opencv import OTHERS, REINSTALL, WHEEL, import_trouble, landed_last
from ..shared.output import Voice, aligned, counted, emit, emit_json

WORKER_BYTES = 600 * 2**20
"""What a worker may take at its peak."""

LEAST_DISK_BYTES = 2 * 10**9
"""A dataset of 10,000 pairs at 256 px, or the checkpoints of a run of `modern`."""

SHARED = Path("/dev/shm")  # noqa: S108 - Linux's folder of shared memory: it is looked at, and nothing made in it

LEAST_SHARED_BYTES = 256 * 2**20
"""What four loader workers prepare ahead at 256 px, by the batch of `faithful`, takes two thirds of it."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what it is, what was found, whether it is well, and what to do where it is not.

    `optional` is what is not here and need not be: no problem, and the remedy is for whoever wants it.
    """

    what: str
    found: str
    ok: bool = True
    remedy: str = ""
    optional: bool = False

    @property
    def state(self) -> str:
        """The first column of its line."""
        if not self.ok:
            return "WRONG"
        return "--" if self.optional else "ok"


def found_by(checks: Sequence[Callable[[], Iterator[Finding]]]) -> list[Finding]:
    """Look at everything; what cannot even be imported is a finding as well, and loses no other."""
    return [finding for check in checks for finding in _found_by(check)]


def _found_by(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except ImportError as error:
        if import_trouble(error) is not None:
            return []  # reported by `opencv`
        what = check.__name__.replace("_", " ")
        return [Finding(what, f"cannot be looked at: {error}", False, "install the package again")]


def tell(findings: list[Finding], as_json: bool) -> None:
    """Print what was found, then what to do where it is not well; exit with 3 where something is wrong."""
    wrong = [finding for finding in findings if not finding.ok]
    if as_json:
        emit_json({"ok": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        for line in aligned([(f.state, f.what, f.found) for f in findings]):
            emit(line)
    for finding in findings:
        if finding.remedy and (not finding.ok or finding.optional):
            click.echo(f"{finding.what}: {finding.remedy}", err=True)
    missing = "; what is marked -- is missing, but optional" if any(f.optional for f in findings) else ""
    Voice().say(f"all is well{missing}" if not wrong else f"{counted(len(wrong), 'problem')} found")
    if wrong:
        sys.exit(PROBLEMS)


def opencv() -> Iterator[Finding]:
    """See that the wheel of opencv is there, and what else shares its folder: the last one installed is what runs."""
    found = {name: version for name in (WHEEL, *OTHERS) if (version := installed(name)) or name == WHEEL}
    text = ", ".join(f"{name} {version or 'missing'}" for name, version in found.items())
    agree = len(set(found.values())) == 1 and None not in found.values()
    yield Finding("opencv wheels", text, agree, REINSTALL)
    try:
        import cv2

        running = cv2.__version__
    except (ImportError, AttributeError) as error:  # what an uninstall that stopped half-way leaves
        trouble, remedy = import_trouble(error) or (f"cannot be imported: {error}", REINSTALL)
        yield Finding("opencv", trouble.removeprefix("opencv "), False, remedy)
        return
    known = {version.rpartition(".")[0] for version in found.values() if version}
    last = landed_last()
    landed = (
        "" if last is None else f"; {last} was installed last" + ("" if "headless" in last else ", which needs libGL")
    )
    yield Finding("opencv", f"{running}{landed}", running in known, REINSTALL)


def arrow() -> Iterator[Finding]:
    """See that pyarrow runs with this numpy: from 26 on it needs numpy 2, which pip does not know."""
    try:
        from pyarrow import __version__ as running
    except ImportError as error:
        numpy_is_old = str(error).startswith(NUMPY_TOO_OLD)
        remedy = NUMPY_REMEDY if numpy_is_old else "run `pip install fd-stackgan` again"
        yield Finding("pyarrow", f"{installed('pyarrow') or 'missing'} cannot be imported: {error}", False, remedy)
        return
    yield Finding("pyarrow", running)


def room() -> Iterator[Finding]:
    """Look at the disk, and at the memory that processes share."""
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding(
        "disk",
        f"{free / 1e9:.1f} GB free in {Path.cwd()}",
        free >= LEAST_DISK_BYTES,
        "free some space, or work in a folder on another disk",
    )
    if not SHARED.is_dir():
        return  # no Linux
    free = shutil.disk_usage(SHARED).free
    yield Finding(
        "shared memory",
        f"{free / 1e6:,.0f} MB free in {SHARED}",
        optional=free < LEAST_SHARED_BYTES,
        remedy="for training with machine.workers above 0, start the container with `--shm-size=1g`",
    )


def installed(name: str) -> str | None:
    """Return the version of an installed distribution, None where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def writable(folder: Path) -> bool:
    """Return whether a file can be made in `folder`, or in the nearest folder above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)

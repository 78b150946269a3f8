"""`fdgen doctor`: is this installation fit to build datasets?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path

import click

from .opencv import REINSTALL, WHEELS, import_trouble, landed_last
from .output import Voice, aligned, counted, emit, emit_json
from .reporting import PROBLEMS
from .settings import default_workers, json_option

PACKAGES = ("numpy", "pandas", "pyarrow", "pillow", "mediapipe", "numba", "pydantic", "click", "rich")
MODELS = (
    "modules/face_detection/face_detection_short_range.tflite",
    "modules/face_landmark/face_landmark_with_attention.tflite",
)
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


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check the installation: versions, models, assets, caches, memory. Exits with 3 where something is wrong."""
    tell(found_by(CHECKS), as_json)


def found_by(checks: Sequence[Callable[[], Iterator[Finding]]]) -> list[Finding]:
    """Look at everything; what cannot even be imported is a finding as well, and loses no other."""
    return [finding for check in checks for finding in _found_by(check)]


def _found_by(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except ImportError as error:
        if import_trouble(error) is not None:
            return []  # told of by `opencv`
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
    missing = "; what is marked -- is not here, and need not be" if any(f.optional for f in findings) else ""
    Voice().say(f"all is well{missing}" if not wrong else f"{counted(len(wrong), 'problem')} found")
    if wrong:
        sys.exit(PROBLEMS)


def versions() -> Iterator[Finding]:
    """Look at what is installed."""
    from fdgen.version import GENERATOR_VERSION, __version__

    yield Finding("fd-stackgan", f"{__version__}, generator {GENERATOR_VERSION}")
    fits = (3, 10) <= sys.version_info[:2] <= (3, 12)
    yield Finding(
        "python",
        platform.python_version(),
        fits,
        "mediapipe 0.10.21 runs on Python 3.10 to 3.12: make a new environment",
    )
    yield Finding("platform", f"{platform.system()} {platform.machine()}")
    for name in PACKAGES:
        version = installed(name)
        yield Finding(name, version or "missing", bool(version), "run `pip install fd-stackgan` again")


def opencv() -> Iterator[Finding]:
    """See that the wheels that share the folder `cv2` are one release: the last one installed is the code that runs."""
    found = {name: installed(name) for name in WHEELS}
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
    landed = "" if last is None else f"; {last} landed last" + ("" if "headless" in last else ", which needs libGL")
    yield Finding("opencv", f"{running}{landed}", running in known, REINSTALL)


def models() -> Iterator[Finding]:
    """See that mediapipe has its models with it, without importing it."""
    spec = util.find_spec("mediapipe")
    if spec is None or spec.origin is None:
        return  # told of among the versions
    folder = Path(spec.origin).parent
    missing = [name.rpartition("/")[2] for name in MODELS if not (folder / name).is_file()]
    text = f"missing: {', '.join(missing)}" if missing else counted(len(MODELS), "model") + " present"
    yield Finding(
        "landmark models", text, not missing, "run `pip install --force-reinstall --no-deps mediapipe==0.10.21`"
    )


def assets() -> Iterator[Finding]:
    """Read every occluder, and compare it with its digest."""
    from fdgen.assets import AssetLibrary
    from fdgen.errors import AssetError

    try:
        library = AssetLibrary.load()
    except AssetError as error:
        yield Finding("occluders", error.message, False, error.hint or "reinstall the package")
        return
    kinds = sorted({asset.kind for asset in library.assets.values()})
    yield Finding("occluders", f"{len(library.assets)} of {counted(len(kinds), 'kind')}, all as published")


def faces() -> Iterator[Finding]:
    """Read the faces that come with the package."""
    from fdgen.errors import FdError
    from fdgen.faces import SampleFaces

    try:
        samples = SampleFaces()
        n_faces = len([samples.read(source) for source in samples.sources()])
    except (FdError, OSError) as error:
        yield Finding("sample faces", str(error), False, "reinstall the package")
        return
    yield Finding("sample faces", f"{n_faces} readable")


def compiled_code() -> Iterator[Finding]:
    """See that numba can keep what it compiles: where it cannot, the renderer cannot even be imported."""
    from fdgen.compiled import compiled_folder

    folder = compiled_folder()
    kept = writable(folder)
    yield Finding(
        "compiled code",
        f"kept in {folder}" if kept else f"cannot be kept in {folder}",
        kept,
        "set NUMBA_CACHE_DIR to a folder that you may write to",
    )


def landmark_cache() -> Iterator[Finding]:
    """See that landmarks can be kept."""
    from fdgen.cache import default_cache_path

    path = default_cache_path()
    size = f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "empty"
    yield Finding(
        "landmark cache", f"{path} ({size})", writable(path.parent), "name another with --cache, or use --no-cache"
    )


def machine() -> Iterator[Finding]:
    """Look at cores and memory."""
    workers = default_workers()
    yield Finding("cores", f"{os.cpu_count()}; {counted(workers, 'worker')} by default")
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding(
        "memory",
        f"{memory / 2**30:.1f} GiB",
        memory >= workers * WORKER_BYTES,
        f"use fewer --workers: each may take {WORKER_BYTES // 2**20} MiB",
    )


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


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    versions,
    opencv,
    models,
    assets,
    faces,
    compiled_code,
    landmark_cache,
    machine,
    room,
)


def installed(name: str) -> str | None:
    """Return the version of an installed distribution, None where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def writable(folder: Path) -> bool:
    """Tell whether a file can be made in `folder`, or in the nearest folder above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)

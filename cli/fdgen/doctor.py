"""`fdgen doctor`: check that this installation can build datasets."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator

import click

from ..shared.doctor_checks import WORKER_BYTES, Finding, arrow, found_by, installed, opencv, room, tell, writable
from ..shared.fdgen_options import default_workers, json_option
from ..shared.opencv import WHEEL
from ..shared.output import counted
from ..shared.version_sets import version_set

PACKAGES = ("numpy", "pandas", "pillow", "ai-edge-litert", "numba", "zlib-ng", "isal", "pydantic", "click", "rich")


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check the installation: versions, models, assets, caches, memory. Exits with 3 if there is a problem."""
    tell(found_by(CHECKS), as_json)


def versions() -> Iterator[Finding]:
    """Look at what is installed."""
    from fdgen.version import GENERATOR_VERSION, __version__

    yield Finding("fd-stackgan", f"{__version__}, generator {GENERATOR_VERSION}")
    fits = sys.version_info[:2] >= (3, 10)
    yield Finding("python", platform.python_version(), fits, "make a new environment of Python 3.10 or later")
    yield Finding("platform", f"{platform.system()} {platform.machine()}")
    for name in PACKAGES:
        version = installed(name)
        yield Finding(name, version or "missing", bool(version), "run `pip install fd-stackgan` again")
    yield version_set((*PACKAGES, WHEEL, "pyarrow"))


def models() -> Iterator[Finding]:
    """Run each network that finds faces, landmarks or people once, on a picture of nothing."""
    import numpy as np

    from fdgen.errors import FdError
    from fdgen.networks.engine import REINSTALL, Network, changed_networks, network_digests

    try:
        if changed := changed_networks():
            yield Finding("landmark networks", f"altered or missing: {', '.join(changed)}", False, REINSTALL)
            return
        for name in network_digests():
            network = Network(name)
            network(np.zeros(network.input_shape, np.float32))
    except FdError as error:
        yield Finding("landmark networks", error.message, False, error.hint or REINSTALL)
        return
    yield Finding("landmark networks", f"{len(network_digests())} as published, and each runs")


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
    from fdgen.faces.folders import SampleFaces

    try:
        samples = SampleFaces()
        n_faces = len([samples.read(source) for source in samples.sources()])
    except (FdError, OSError) as error:
        yield Finding("sample faces", str(error), False, "reinstall the package")
        return
    yield Finding("sample faces", f"{n_faces} readable")


def compiled_code() -> Iterator[Finding]:
    """See that numba can keep what it compiles: where it cannot, the renderer cannot even be imported."""
    from fdgen.runtime.jit import compiled_folder

    folder = compiled_folder()
    kept = writable(folder)
    yield Finding(
        "compiled code",
        f"kept in {folder}" if kept else f"cannot be written to {folder}",
        kept,
        "set NUMBA_CACHE_DIR to a folder that you may write to",
    )


def landmark_cache() -> Iterator[Finding]:
    """See that landmarks can be kept."""
    from fdgen.faces.cache import default_cache_path

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
        f"use fewer --workers: each may use {WORKER_BYTES // 2**20} MiB",
    )


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    versions,
    opencv,
    arrow,
    models,
    assets,
    faces,
    compiled_code,
    landmark_cache,
    machine,
    room,
)

"""`fdtrain doctor`: check that this installation can train."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable, Iterator

import click

from ..shared.doctor_checks import Finding, arrow, found_by, installed, opencv, room, tell
from ..shared.fdgen_options import json_option
from ..shared.opencv import WHEEL
from ..shared.version_sets import version_set

PACKAGES = ("torch", "torchvision", "albumentations", "safetensors", "tensorboard", "scikit-image", "numpy", "pydantic")
EXTRA = "run `pip install 'fd-stackgan[train]'`"


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check the installation for training: packages, devices, perceptual weights, memory. Exits with 3 on a problem."""
    tell(found_by(CHECKS), as_json)


def versions() -> Iterator[Finding]:
    """Look at what is installed."""
    from fdgen.version import __version__

    yield Finding("fd-stackgan", __version__)
    yield Finding("python", platform.python_version())
    for name in PACKAGES:
        version = installed(name)
        yield Finding(name, version or "missing", bool(version), EXTRA)
    yield version_set((*PACKAGES, WHEEL, "pandas", "pillow", "pyarrow", "scipy"))


def devices() -> Iterator[Finding]:
    """See that torch runs, and on what."""
    try:
        torch = importlib.import_module("torch")
        importlib.import_module("torchvision")
    except (ImportError, OSError, RuntimeError) as error:  # a torchvision of another torch fails in its own way
        yield Finding("torch", f"cannot be imported: {error}", False, EXTRA)
        return
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    yield Finding("devices", ", ".join([*gpus, "cpu"]))
    yield Finding("threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores")


def precision() -> Iterator[Finding]:
    """Time a convolution in fp32 and in bf16: what `training.precision = auto` begins with."""
    try:
        from fdtrain.runtime.device import open_device
        from fdtrain.training.precision import HOPELESS, decide_by_convolution
    except (ImportError, OSError, RuntimeError):
        return  # reported among the packages
    found = decide_by_convolution(open_device("auto"))
    if not found.seconds:
        yield Finding("bf16", f"{found.reason} ({found.processor}): training uses fp32", optional=True)
        return
    ratio = found.seconds["fp32"] / found.seconds["bf16"]
    worth = f"{ratio:.1f} times as fast as fp32" if ratio >= 1 else f"{1 / ratio:.1f} times slower than fp32"
    takes = "a step of the network decides" if ratio > 1 / HOPELESS else "training uses fp32"
    yield Finding("bf16", f"{worth} at a convolution ({found.processor}): {takes}", optional=ratio < 1)


def perceptual() -> Iterator[Finding]:
    """Look for the weights that perceptual losses need; none of them is required by every preset."""
    try:
        from fdtrain.objectives.perceptual import BACKBONES
    except ImportError:
        return  # reported among the packages
    for name in BACKBONES:
        yield _weights_of(name)


def memory() -> Iterator[Finding]:
    """Look at memory."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        yield Finding("memory", f"{total / 2**30:.1f} GiB", total > 3 * 2**30, "`tiny` needs about 2 GiB")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    versions,
    opencv,
    arrow,
    devices,
    precision,
    perceptual,
    memory,
    room,
)


def _weights_of(name: str) -> Finding:
    from fdtrain.errors import PerceptualError
    from fdtrain.objectives.perceptual import find_weights

    try:
        return Finding(f"weights of {name}", str(find_weights(name)))
    except PerceptualError:
        remedy = "for a perceptual loss of it, name a file of its weights with --perceptual-weights"
        if name == "vgg16-stlpips":
            remedy = "for a perceptual loss of it, run `pip install --no-deps stlpips_pytorch==0.0.2`"
        return Finding(f"weights of {name}", "not installed", remedy=remedy, optional=True)

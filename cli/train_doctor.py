"""`fdtrain doctor`: is this installation fit to train?"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable, Iterator

import click

from .doctor import Finding, installed, opencv, tell
from .settings import json_option

PACKAGES = ("torch", "torchvision", "albumentations", "safetensors", "tensorboard", "scikit-image", "numpy", "pydantic")
EXTRA = "run `pip install 'fd-stackgan[train]'`"


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check the installation for training: packages, devices, perceptual weights, memory. Exits with 3 on a problem."""
    tell([finding for check in CHECKS for finding in check()], as_json)


def versions() -> Iterator[Finding]:
    """Look at what is installed."""
    from fdgen.version import __version__

    yield Finding("fd-stackgan", __version__)
    yield Finding("python", platform.python_version())
    for name in PACKAGES:
        version = installed(name)
        yield Finding(name, version or "missing", bool(version), EXTRA)


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


def perceptual() -> Iterator[Finding]:
    """Look for the weights that perceptual losses need; none of them is required by every preset."""
    try:
        from fdtrain.perceptual import TRUNKS
    except ImportError:
        return  # told of among the packages
    for name in TRUNKS:
        yield _weights_of(name)


def memory() -> Iterator[Finding]:
    """Look at memory."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        yield Finding("memory", f"{total / 2**30:.1f} GiB", total > 3 * 2**30, "`tiny` needs about 2 GiB")


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (versions, opencv, devices, perceptual, memory)


def _weights_of(name: str) -> Finding:
    from fdtrain.errors import PerceptualError
    from fdtrain.perceptual import find_weights

    try:
        return Finding(f"weights of {name}", str(find_weights(name)))
    except PerceptualError:
        return Finding(f"weights of {name}", "not here: presets that use it need --perceptual-weights FILE")

"""Numba's compiler, with what it compiles kept beside fdgen's other caches.

Left to itself it keeps that in the folders of the package. Pip does not know those files, so that the folders outlive
the package, and hide an editable installation of it that comes after.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from fdgen.places import cache_folder

Function = TypeVar("Function", bound=Callable[..., Any])

_config: Any = numba.config


def compiled_folder() -> Path:
    """Return where compiled code is kept: the folder that NUMBA_CACHE_DIR names, else one of our own."""
    return Path(_config.CACHE_DIR or cache_folder() / "compiled")


def compiled(function: Function) -> Function:
    """Compile a function when it is first called, and keep the code for later processes."""
    named = _config.CACHE_DIR  # looked at when a function is decorated, and by other packages' functions too
    _config.CACHE_DIR = str(compiled_folder())
    try:
        dispatcher: Any = numba.njit(cache=True)(function)
    finally:
        _config.CACHE_DIR = named
    return cast(Function, dispatcher)

"""Numba's compiler, with its compiled code kept next to fdgen's other caches, by the digest of its source.

Left to itself numba keeps that in the folders of the package, by path. Pip does not know those files, so that they
outlive the package, and hide an editable installation of it that comes after; and another installation of the same
version would compile all of it again. Here the folder is named for a digest of every module that holds compiled
functions: they are inlined into each other, so that code is stale as soon as any of them is another.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import llvmlite.binding
import numba
from numba.core import caching

from fdgen.runtime.cache_dir import cache_folder

Function = TypeVar("Function", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parents[1]
_IMPORT = b"from fdgen.runtime.jit import compiled"

_config: Any = numba.config


def compiled_folder() -> Path:
    """Return where compiled code is kept: the folder that NUMBA_CACHE_DIR names, else one of our own."""
    return Path(_config.CACHE_DIR or cache_folder() / "compiled")


def kernel_modules() -> list[Path]:
    """Return the modules of the package that hold compiled functions, sorted by path."""
    return [path for path in sorted(_PACKAGE.rglob("*.py")) if _IMPORT in path.read_bytes().splitlines()]


@functools.cache
def code_digest() -> str:
    """Return a digest of all that compiled code depends on: our modules by content, the compiler, the processor."""
    compiler = (numba.__version__, llvmlite.__version__, platform.python_version(), str(_config.OPT))
    features = _config.CPU_FEATURES or llvmlite.binding.get_host_cpu_features().flatten()
    processor = (platform.machine(), _config.CPU_NAME or llvmlite.binding.get_host_cpu_name(), features)
    digest = hashlib.sha256(repr((compiler, processor)).encode())
    for path in (Path(__file__), *kernel_modules()):
        content = path.read_bytes()
        digest.update(repr((path.relative_to(_PACKAGE).as_posix(), len(content))).encode())
        digest.update(content)
    return digest.hexdigest()


@functools.cache
def kept_folder(within: Path) -> Path | None:
    """Return the folder in `within` for what this version compiles on this processor; None where none can be written.

    Where the caches can't be written, that is one in the package, as numba has it.
    """
    name = f"fdgen-{code_digest()[:24]}"
    for folder in (within / name, _PACKAGE / "__pycache__" / name):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return folder
    return None


def compiled(function: Function) -> Function:
    """Compile a function when it is first called, and keep the code for later processes."""
    dispatcher: Any = numba.njit(function)
    cache: Any = _Cache
    dispatcher._cache = cache(function)  # what `njit(cache=True)` does with numba's own
    return cast(Function, dispatcher)


class _ByContent(caching._CacheLocator):
    """Where the code of a function is kept: under a name that does not depend on where the package is installed."""

    def __init__(self, function: Any, file: str, folder: Path) -> None:
        self._py_file, self._folder = file, folder  # the first name is numba's, for its warnings
        self._name = f"{function.__module__}-{function.__code__.co_firstlineno}"

    @classmethod
    def from_function(cls, function: Any, file: str) -> _ByContent | None:
        """Return the locator of a function; None where nothing can be kept, which numba raises."""
        folder = kept_folder(compiled_folder())
        return None if folder is None else cls(function, file, folder)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return code_digest()

    def get_disambiguator(self) -> str:
        return self._name


class _Content(caching.CompileResultCacheImpl):
    _locator_classes: Any = (_ByContent,)


class _Cache(caching.FunctionCache):
    _impl_class = _Content

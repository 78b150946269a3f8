"""Arrays that processes share: a worker that is started maps the files of its parent in place of getting a copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from multiprocessing import context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.runtime.scratch import Scratch

Array = npt.NDArray[Any]


class SharedArrays(Mapping[str, Array]):
    """Arrays by name. A forked process has them anyhow; one that is spawned maps them from a temporary folder.

    Pickled for any other purpose they are copied: the folder lasts no longer than what was pickled.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = dict(arrays)
        self._scratch: Scratch | None = None

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        if context.get_spawning_popen() is None:
            return SharedArrays, (self._arrays,)
        return _mapped, (self._folder(), tuple(self._arrays))

    def _folder(self) -> Path:
        """Return the folder with a file an array, written when it is first asked for."""
        if self._scratch is None:
            self._scratch = Scratch("samples")
            for name, array in self._arrays.items():
                np.save(self._scratch.path / f"{name}.npy", array)
        return self._scratch.path


def _mapped(folder: Path, names: tuple[str, ...]) -> SharedArrays:
    return SharedArrays({name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names})

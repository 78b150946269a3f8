"""The interface of a method: occluded pictures and their masks to restored pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from fdgen.arrays import Image


class Method(Protocol):
    """One or several rows of the table of results. `names` has one for each picture that it makes of an input."""

    names: tuple[str, ...]

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Restore pictures: of each (occluded RGB uint8, mask 0 or 255) the raw output, one for each name."""
        ...


class OneByOne(ABC):
    """A method that restores each picture by itself."""

    names: tuple[str, ...]

    @abstractmethod
    def fill(self, occluded_HWC: Image, mask_HW: Image) -> Image:
        """Restore one picture."""

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Restore pictures one after the other."""
        return [(self.fill(occluded_HWC, mask_HW),) for occluded_HWC, mask_HW in pairs]

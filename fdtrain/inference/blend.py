"""Means of a model's two stages: a knob between fidelity and texture that needs no training.

The first stage learns without the losses that make texture, or with little of them, and is smooth; the second adds the
texture, and some of its error. On the way between them every reader can choose a point, and a table says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from fdgen.arrays import Image
from fdtrain.errors import CheckpointError
from fdtrain.inference.finish import finish_in
from fdtrain.inference.method import Method

_MARK = ", blend "


Beside = Literal["stages", "coarse", "nothing"]
"""What stays next to blended pictures: both stages', the first stage's, or nothing."""


class Blended:
    """A model whose pictures are means of its stages, one for each share of the last stage, in [0, 1).

    The network runs once for all of them. Raises `CheckpointError` where the model makes one picture only.
    """

    def __init__(self, method: Method, shares: Sequence[float], *, beside: Beside = "stages") -> None:
        if len(method.names) != 2:
            raise CheckpointError(
                f"{method.names[-1]} makes one picture, so there are no two stages to blend", hint="leave --blend out"
            )
        self.method, self.shares = method, tuple(shares)
        self._first, self._last = slice(0, int(beside != "nothing")), slice(1, 1 + int(beside == "stages"))
        means = (blended_name(method.names[1], share) for share in self.shares)
        self.names: tuple[str, ...] = (*method.names[self._first], *means, *method.names[self._last])

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Restore pictures and blend them, rounded to levels."""
        return [
            (*made[self._first], *(_mean(made, share) for share in self.shares), *made[self._last])
            for made in self.method.restore(pairs)
        ]


def blended(method: Method, shares: Sequence[float], *, beside: Beside = "stages") -> Method:
    """Return a model with its stages blended; itself where nothing less than all of the last stage is asked for."""
    asked = tuple(dict.fromkeys(share for share in shares if share < 1))
    return Blended(method, asked, beside=beside) if asked else method


def blend_notes(methods: Sequence[Method]) -> list[str]:
    """Return a sentence on what blended rows are, where any of these methods has one."""
    if not any(blend_in(finish_in(name)[0])[1] < 1 for method in methods for name in method.names):
        return []
    return ["blend: the mean of the pictures of both stages, with this share of the last one"]


def blended_name(name: str, share: float) -> str:
    """Return the name of a row whose pictures are blended.

    >>> blended_name("mine", 0.5)
    'mine, blend 0.5'
    """
    return f"{name}{_MARK}{share:g}"


def blend_in(name: str) -> tuple[str, float]:
    """Return the name of a model and the share of its last stage from the name of a row without its finish.

    >>> blend_in("mine, blend 0.5"), blend_in("mine, stage I")
    (('mine', 0.5), ('mine, stage I', 1.0))
    """
    before, mark, share = name.rpartition(_MARK)
    try:
        return (before, float(share)) if mark else (name, 1.0)
    except ValueError:  # a file may be called so
        return name, 1.0


def _mean(made: tuple[Image, ...], share: float) -> Image:
    coarse_HWC, last_HWC = made
    coarse = coarse_HWC.astype(np.float32)
    return np.rint(coarse + np.float32(share) * (last_HWC - coarse)).astype(np.uint8)

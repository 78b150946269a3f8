"""Which measures an evaluation computes, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdgen.runtime.load_by_name import load_by_name
from fdtrain.metrics import distribution, fidelity
from fdtrain.metrics.not_computed import NotComputed
from fdtrain.metrics.registry import MEASURES, Measure, always


class Unpaired(Protocol):
    """Scores a picture by itself."""

    def __call__(self, picture_HWC: Image) -> float:
        """Return the score of one RGB picture."""
        ...


class Paired(Protocol):
    """Scores a picture against the clean one."""

    def __call__(self, result_HWC: Image, clean_HWC: Image) -> float:
        """Return the distance of two RGB pictures."""
        ...


Distance = Callable[[distribution.Features, distribution.Features], float]
Featurer = Callable[[Sequence[Image]], distribution.Features]


@dataclass(frozen=True)
class Suite:
    """The measures that can be computed here, protocols by name, and why others that were asked for cannot.

    `unpaired` and `paired` score single pictures; `sets` compare the `features` of all results with those of all clean
    pictures.
    """

    unpaired: Mapping[str, Unpaired] = field(default_factory=dict)
    paired: Mapping[str, Paired] = field(default_factory=dict)
    sets: Mapping[str, Distance] = field(default_factory=dict)
    features: Featurer | None = None
    protocols: Mapping[str, str] = field(default_factory=lambda: {", ".join(always()): fidelity.PROTOCOL})
    not_computed: Mapping[str, str] = field(default_factory=dict)


def open_suite(size_px: int, names: Sequence[str] | None = None, *, n_pictures: int = 0) -> Suite:
    """Open the measures of these names, None for all, for so many pictures of one size.

    Raises `FdError` for an unknown name.
    """
    names = [*MEASURES] if names is None else names
    if unknown := [name for name in names if name not in MEASURES]:
        raise FdError(f"there is no measure {unknown[0]!r}", hint=f"the measures are {', '.join(MEASURES)}")
    protocols, reasons = dict(Suite().protocols), dict[str, str]()
    scorers: dict[str, dict[str, Any]] = {"pictures": {}, "pairs": {}, "sets": {}}
    for row in MEASURES.values():
        if row.scorer and row.name in names:
            try:
                scorers[row.of][row.name] = load_by_name(row.scorer)(n_pictures if row.of == "sets" else size_px)
                protocols[row.name] = _protocol(row)
            except NotComputed as reason:
                reasons[row.name] = _told(reason)
    # The network that sets need is opened once, and only where there are pictures enough.
    features = None
    if scorers["sets"]:
        try:
            features = distribution.Inception.open()
        except NotComputed as reason:
            for name in scorers["sets"]:
                del protocols[name]
                reasons[name] = _told(reason)
            scorers["sets"] = {}
    return Suite(scorers["pictures"], scorers["pairs"], scorers["sets"], features, protocols, reasons)


def _protocol(row: Measure) -> str:
    """Return how a measure is measured, in words."""
    told = load_by_name(row.protocol)
    if isinstance(told, Mapping):
        told = told[row.name]
    return str(told() if callable(told) else told)


def _told(reason: NotComputed) -> str:
    return "; ".join(part for part in (reason.message, reason.hint) if part)

"""Which measures an evaluation computes, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdtrain.metrics import brisque, distribution, fidelity, identity, learned, niqe
from fdtrain.metrics.not_computed import NotComputed


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


MEASURES: Mapping[str, str] = {
    "psnr": "↑",
    "ssim": "↑",
    "mse": "↓",
    "niqe": "↓",
    "brisque": "↓",
    "lpips": "↓",
    "stlpips": "↓",
    "identity": "↓",
    "fid": "↓",
    "kid": "↓",
}
"""All measures in the order of the tables, and where better is. The first three are always computed."""

FIDELITY = ("psnr", "ssim", "mse")


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
    protocols: Mapping[str, str] = field(default_factory=lambda: {"psnr, ssim, mse": fidelity.PROTOCOL})
    not_computed: Mapping[str, str] = field(default_factory=dict)


def open_suite(size_px: int, names: Sequence[str] = tuple(MEASURES), *, n_pictures: int = 0) -> Suite:
    """Open the measures of these names for so many pictures of one size; raise `FdError` for an unknown name."""
    if unknown := [name for name in names if name not in MEASURES]:
        raise FdError(f"there is no measure {unknown[0]!r}", hint=f"the measures are {', '.join(MEASURES)}")
    protocols, reasons = dict(Suite().protocols), dict[str, str]()
    unpaired = _opened(UNPAIRED, size_px, names, protocols, reasons)
    paired = _opened(PAIRED, size_px, names, protocols, reasons)
    # The network that sets need is opened once, and only where there are pictures enough.
    sets = _opened(SETS, n_pictures, names, protocols, reasons)
    features = None
    if sets:
        try:
            features = distribution.Inception.open()
        except NotComputed as reason:
            for name in sets:
                del protocols[name]
                reasons[name] = _told(reason)
            sets = {}
    return Suite(unpaired, paired, sets, features, protocols, reasons)


UNPAIRED: Mapping[str, tuple[Callable[[int], Unpaired], Callable[[], str]]] = {
    "niqe": (niqe.Niqe.open, lambda: niqe.PROTOCOL),
    "brisque": (brisque.Brisque.open, brisque.protocol),
}
PAIRED: Mapping[str, tuple[Callable[[int], Paired], Callable[[], str]]] = {
    "lpips": (learned.open_lpips, lambda: learned.PROTOCOLS["lpips"]),
    "stlpips": (learned.open_stlpips, lambda: learned.PROTOCOLS["stlpips"]),
    "identity": (identity.Identity.open, lambda: identity.PROTOCOL),
}
SETS: Mapping[str, tuple[Callable[[int], Distance], Callable[[], str]]] = {
    "fid": (distribution.open_frechet, lambda: distribution.PROTOCOLS["fid"]),
    "kid": (distribution.open_kernel, lambda: distribution.PROTOCOLS["kid"]),
}
"""How each is opened, for a size in pixels or, sets, for a number of pictures; and what its protocol is."""

Scorer = TypeVar("Scorer")


def _opened(
    openers: Mapping[str, tuple[Callable[[int], Scorer], Callable[[], str]]],
    size: int,
    names: Sequence[str],
    protocols: dict[str, str],
    reasons: dict[str, str],
) -> dict[str, Scorer]:
    """Open what can be opened, and write down protocols and reasons."""
    scorers: dict[str, Scorer] = {}
    for name, (opener, protocol) in openers.items():
        if name not in names:
            continue
        try:
            scorers[name] = opener(size)
            protocols[name] = protocol()
        except NotComputed as reason:
            reasons[name] = _told(reason)
    return scorers


def _told(reason: NotComputed) -> str:
    return "; ".join(part for part in (reason.message, reason.hint) if part)

"""What a recipe says of masks and of truth layers: two small tables."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from fdgen.contract.truth import TRUTH
from fdgen.settings.suggestion import did_you_mean
from fdgen.settings.values import Names, Section, within

MOST_THRESHOLD = 64
"""In levels: a change of a quarter of all that there is is seen by anyone."""


def _layers(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in TRUTH:
            raise ValueError(
                f"has {name!r}, which is no layer{did_you_mean(name, TRUTH)}; there are {', '.join(TRUTH)}"
            )
    return tuple(sorted(set(names)))


class Mask(Section):
    """What of a change counts: `threshold` is the least change, in levels, that puts a pixel of shadow into the mask.

    0 takes all that may have changed. Otherwise fainter shadow is left out of the mask and of the picture alike.
    """

    threshold: Annotated[int, within(0, MOST_THRESHOLD)] = 0


class Truth(Section):
    """The layers that a sample holds in addition to its pair, of `fdgen.contract.truth.TRUTH`."""

    layers: Annotated[Names, AfterValidator(_layers)] = ()

"""Accessories already present in the photograph: glasses, a mask, a hat, a hand or what it holds.

No occluder may be placed on an accessory: a second pair of glasses looks false at once. CelebA's own attributes are
used where they are known, else a small network (`fdgen/analysis/models/parser.md`) and a linear classifier
(`fdgen/analysis/models/worn.md`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fdgen.analysis.models.accessory_classifier import linear_scores
from fdgen.analysis.models.accessory_network import CLASSES, INPUT_PX, parse
from fdgen.arrays import Image
from fdgen.io.pictures.images import resize
from fdgen.kinds import kind_of

WORN = CLASSES
"""What is reported; of eyewear sunglasses too, of hats also caps, hoods and helmets, of hands also what is held before
the face."""

THRESHOLDS: Mapping[str, float] = {"eyewear": 2.9375, "mask": 1.171875, "hand": 2.734375}
"""The logit from which on the network speaks for a class; set on pictures of no test (its card says how). Hats are not
among them: it learned them from composites alone, and the classifier does better."""

_SHARE = 0.15
"""What the network's score counts against the classifier's: both then spread alike over bare faces."""

_STEPS = 64
"""Scores are rounded to such parts before they decide: their last bits may differ between platforms."""

_ATTRIBUTES = {"Eyeglasses": "eyewear", "Wearing_Hat": "hat"}
"""CelebA's attributes that say the same."""


def detect_preexisting(clean_HWC: Image) -> tuple[str, ...]:
    """Return which of `WORN` are seen in an aligned crop, RGB of any size."""
    return tuple(kind for kind, margin in margins(clean_HWC).items() if margin >= 0)


def margins(clean_HWC: Image) -> dict[str, float]:
    """Return how far each of `WORN` is above where it counts as seen, 0, in steps of 1/64."""
    small_HWC = resize(clean_HWC, INPUT_PX, INPUT_PX)  # both look at that size
    logits = dict(zip(CLASSES, parse(small_HWC).scores_C.tolist(), strict=True))
    linear = linear_scores(small_HWC)
    found = {}
    for kind in WORN:
        margin = linear.get(kind, 0.0)
        if kind in THRESHOLDS:
            margin += _SHARE * (logits[kind] - THRESHOLDS[kind])
        found[kind] = round(margin * _STEPS) / _STEPS
    return found


def worn_by(attributes: Iterable[str] | None, seen: Iterable[str]) -> tuple[str, ...]:
    """Return what counts as worn: what CelebA's attributes say where they are known, else what was seen.

    Attributes report eyewear and hats only; masks and hands are always what was seen.
    """
    worn = set(seen)
    if attributes is not None:
        worn -= set(_ATTRIBUTES.values())
        worn |= {_ATTRIBUTES[name] for name in attributes if name in _ATTRIBUTES}
    return tuple(kind for kind in WORN if kind in worn)


def fits(kinds: Iterable[str], worn: Iterable[str]) -> bool:
    """Return whether nothing that is worn excludes occluders of these kinds."""
    taken = set(worn)
    return not any(taken.intersection(kind_of(kind).excluded_by) for kind in kinds)

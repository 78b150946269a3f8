"""Splits that are too small to be useful, by dataset.json, and the settings that would make them larger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fdgen.contract.records import SPLITS, is_imported

LEAST = 30
"""Samples under which a split says little: the standard error of a mean is then a fifth of the spread, and more."""

_LEAST_TRAIN = 0.5  # shares that leave less to train on are not advised
_STEP = 0.05  # advised shares are multiples of it


def remarks(dataset: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the notes and the warnings of a dataset of any version, with a sentence of its small splits, if any is.

    Of the sample faces, which are there to try the tool with, it is a note.
    """
    notes, warnings = list(dataset.get("notes", ())), list(dataset.get("warnings", ()))
    small = small_splits(dataset)
    if small:
        empty = {f"the {split} split is empty" for split in small}  # said below, with what to do about it
        warnings = [text for text in warnings if text not in empty]
        if dataset["sources"].get("kind") == "samples":
            notes.append(f"{_listed(small)}: enough to try the tool, too few to measure with")
        else:
            warnings.append(f"{_listed(small)}: under {LEAST} samples say little; {_advice(dataset, small)}")
    return notes, warnings


def small_splits(dataset: Mapping[str, Any]) -> dict[str, int]:
    """Return the splits that the recipe asks for and that have under `LEAST` samples, with how many they have."""
    shares, sizes = _shares(dataset), dataset["splits"]
    asked = [split for split in SPLITS if shares.get(split, 1.0) > 0]
    return {split: int(sizes[split]) for split in asked if sizes.get(split, LEAST) < LEAST}


def _advice(dataset: Mapping[str, Any], small: Mapping[str, int]) -> str:
    """Return what to change so that every split has `LEAST` samples, as far as that is known."""
    if is_imported(dataset):
        return "import more pairs, or with other --splits"
    made = max(1, sum(dataset["splits"].get(split, 0) for split in SPLITS))
    if dataset["splits"].get("basis") == "official":
        if not all(small.values()):
            return "another folder with --set splits.mode=source does not follow the official partition"
        return f"another folder with --count {_rounded(made * LEAST / min(small.values()))} has more"
    shares = _shares(dataset)
    ways = [f"--count {_rounded(max(LEAST / shares[split] for split in small))}"]
    least = math.ceil(LEAST / made / _STEP) * _STEP
    wanted = {split: max(shares[split], least) if shares[split] else 0.0 for split in SPLITS}
    wanted["train"] = 1 - wanted["val"] - wanted["test"]
    if "train" not in small and wanted["train"] >= _LEAST_TRAIN - 1e-9:
        ways.append(" ".join(f"--set splits.{split}={wanted[split]:.3g}" for split in SPLITS))
    return f"another folder with {', or '.join(ways)}, has more"


def _shares(dataset: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of each split that was asked for; none of an official partition, which is as it is."""
    if dataset["splits"].get("basis") == "official":
        return {}
    asked = dataset["recipe"].get("splits", {})
    return {split: float(asked[split]) for split in SPLITS if split in asked}


def _listed(small: Mapping[str, int]) -> str:
    first, *more = small.items()
    text = f"the {first[0]} split has {first[1] or 'no'} sample{'' if first[1] == 1 else 's'}"
    return ", ".join([text, *(f"{split} {number or 'none'}" for split, number in more)])


def _rounded(count: float) -> int:
    """Return a count of two digits, rounded up, with room for the chance that decides which face goes where."""
    step = 10 ** max(0, math.floor(math.log10(count * 1.1)) - 1)
    return int(math.ceil(count * 1.1 / step) * step)

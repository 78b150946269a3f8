"""The laws of a pair that its pixels can show: the writer of shards keeps them, `verify` checks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fdgen.arrays import Image
from fdgen.contract.records import SampleRecord, ShardReceipt
from fdgen.errors import one_line

COVERAGE_STEP = 1e-6
"""Coverage is recorded to six digits, so a recomputed one may differ by this much."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a dataset: in which file, with which sample if one, against which law.

    `law` is a short code to count by, `message` one sentence for a person.
    """

    file: str
    key: str | None
    law: str
    message: str

    def __post_init__(self) -> None:
        """Keep what is reported to one line, for any text in the file."""
        object.__setattr__(self, "file", one_line(self.file))
        object.__setattr__(self, "message", one_line(self.message))


def pair_problems(
    clean_HWC: Image, occluded_HWC: Image, mask_HW: Image, alpha_HW: Image, record: SampleRecord, *, file: str = ""
) -> list[Problem]:
    """Return what is wrong with the pixels of a pair: shapes, the exact law, the mask's values, its coverage.

    All pictures are uint8 of one size; where one is not, that alone is returned. It raises nothing for what they hold.

    Args:
        clean_HWC: The clean picture, RGB.
        occluded_HWC: The occluded picture, RGB; it equals `clean_HWC` where the mask is 0.
        mask_HW: 255 where a layer covers or shades a pixel, else 0.
        alpha_HW: The silhouette of the occluders, 0 to 255, 0 where the mask is.
        record: The sample's record; its `coverage` is compared with the mask.
        file: Name of the file, for the problems.
    """
    size = clean_HWC.shape[0]
    shapes = {
        "clean": (clean_HWC, (size, size, 3)),
        "occluded": (occluded_HWC, (size, size, 3)),
        "mask": (mask_HW, (size, size)),
        "alpha": (alpha_HW, (size, size)),
    }
    wrong = [
        Problem(file, record.key, "size", f"{name} is {array.dtype} of shape {array.shape}, not uint8 of {shape}")
        for name, (array, shape) in shapes.items()
        if array.shape != shape or array.dtype != np.uint8
    ]
    if wrong:
        return wrong
    found = []
    if odd := cv2.countNonZero(cv2.inRange(mask_HW, 1, 254)):  # type: ignore[call-overload]
        found.append(Problem(file, record.key, "mask", f"{odd} pixels of the mask are neither 0 nor 255"))
    outside = cv2.compare(mask_HW, 0, cv2.CMP_EQ)  # type: ignore[call-overload]
    if cv2.norm(clean_HWC, occluded_HWC, cv2.NORM_INF, outside):
        pixels = int(((clean_HWC != occluded_HWC).any(axis=2) & (outside > 0)).sum())
        found.append(Problem(file, record.key, "exact", f"{pixels} pixels differ from clean where the mask is 0"))
    if cv2.countNonZero(cv2.bitwise_and(alpha_HW, outside)):
        found.append(Problem(file, record.key, "alpha", "the occluder's silhouette reaches beyond the mask"))
    coverage = (mask_HW.size - cv2.countNonZero(outside)) / mask_HW.size
    if not abs(coverage - record.coverage) <= COVERAGE_STEP:
        message = f"the mask covers {coverage:.6f} of the crop, the record says {record.coverage}"
        found.append(Problem(file, record.key, "coverage", message))
    return found


def hold_out_problems(receipts: Sequence[ShardReceipt]) -> list[Problem]:
    """Return the samples that break the law of the test split: what is held out for it is worn nowhere else.

    The records say what is held out: of each test sample that claims it, one occluder must be worn in test alone.
    """
    found = []
    records = [(f"shards/{receipt.name}.tar", entry.record) for receipt in receipts for entry in receipt.samples]
    elsewhere = {asset for _, record in records if record.split != "test" for asset in record.asset_ids}
    for file, record in records:
        if record.held_out and record.split != "test":
            message = f"an occluder that is held out for test is used in {record.split}"
            found.append(Problem(file, record.key, "held-out", message))
        elif record.held_out and elsewhere.issuperset(record.asset_ids):
            message = f"it must have an occluder held out for test, but others have all of it: {record.asset_ids}"
            found.append(Problem(file, record.key, "held-out", message))
    return found

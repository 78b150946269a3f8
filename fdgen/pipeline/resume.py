"""Finds the shards of an earlier run of the same build that can be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from fdgen.contract.records import ShardReceipt
from fdgen.dataset.invariants import Problem
from fdgen.dataset.shards import read_samples, receipt_path, whole_receipt
from fdgen.io.storage import Place
from fdgen.pipeline.plan import ShardPlan


def planned_receipt(out: Place, plan: ShardPlan, dataset_id: str) -> ShardReceipt | None:
    """Return the receipt of a shard if it is of this plan and this dataset; the tar is not looked at."""
    receipt = whole_receipt(receipt_path(out, plan.name))
    if receipt is None:
        return None
    tried = Counter((c.source.sha256, c.variant) for c in plan.candidates)
    told = Counter((e.record.source_sha256, e.record.variant) for e in receipt.samples)
    told.update((reject.source_sha256, reject.variant) for reject in receipt.rejects)
    same = (receipt.spec_id, receipt.plan_sha256) == (dataset_id, plan.digest())
    return receipt if same and tried == told else None


@dataclass(frozen=True)
class ShardCheck:
    """All that a worker needs to check a shard that is there."""

    root: Place
    plan: ShardPlan
    spec_id: str
    slot: int = 0
    """As that of a `ShardTask`; nothing is counted."""


@dataclass(frozen=True)
class Checked:
    """What came of a check: the receipt of a shard that is kept, None for one that is to be made again."""

    name: str
    receipt: ShardReceipt | None


def check_shard(check: ShardCheck, at: Callable[[int], None] = lambda place: None) -> Checked:
    """Check a shard, every byte of it; `at` is called with -1 now and then, as a sign of life."""
    return Checked(check.plan.name, finished_shard(check.root, check.plan, check.spec_id, at))


def finished_shard(
    out: Place, plan: ShardPlan, dataset_id: str, at: Callable[[int], None] = lambda place: None
) -> ShardReceipt | None:
    """Return the receipt of a shard that is there and whole, to the last byte; `at` is called for each sample."""
    receipt = planned_receipt(out, plan, dataset_id)
    if receipt is None:
        return None
    problems: list[Problem] = []
    for _ in read_samples(out, receipt, problems):
        at(-1)
        if problems:
            break
    return None if problems else receipt

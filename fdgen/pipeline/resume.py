"""Finds the shards of an earlier run of the same build that can be kept."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from fdgen.contract.records import ShardReceipt
from fdgen.dataset.invariants import Problem
from fdgen.dataset.shards import read_samples, receipt_name, receipt_path, whole_receipt
from fdgen.io.storage import Place
from fdgen.io.stores.opening import store_of
from fdgen.pipeline.plan import ShardPlan

_T = TypeVar("_T")


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


def checked_ahead(
    plans: Iterable[ShardPlan | _T], out: Place, dataset_id: str, threads: int
) -> Iterator[tuple[ShardPlan | _T, ShardReceipt | None]]:
    """Yield plans with their receipts where their shards are finished; anything else as it comes, with None.

    The tars of finished shards are read in threads, a few ahead: digests are computed side by side.
    """
    flying: deque[tuple[ShardPlan, Future[ShardReceipt | None]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for plan in plans:
                if isinstance(plan, ShardPlan) and store_of(out).exists(receipt_name(plan.name)):
                    flying.append((plan, pool.submit(finished_shard, out, plan, dataset_id)))
                else:
                    yield plan, None
                while flying and (len(flying) > 2 * threads or flying[0][1].done()):
                    kept, future = flying.popleft()
                    yield kept, future.result()
            while flying:
                kept, future = flying.popleft()
                yield kept, future.result()
        finally:
            for _, future in flying:
                future.cancel()


def finished_shard(out: Place, plan: ShardPlan, dataset_id: str) -> ShardReceipt | None:
    """Return the receipt of a shard that is there and whole, to the last byte."""
    receipt = planned_receipt(out, plan, dataset_id)
    if receipt is None:
        return None
    problems: list[Problem] = []
    for _ in read_samples(out, receipt, problems):
        if problems:
            break
    return None if problems else receipt

"""The progress of a build, and what is kept when it is stopped."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypedDict

from .errors import Interrupted
from .output import counted
from .progress import Stages

if TYPE_CHECKING:
    from fdgen.contract.records import ShardReceipt
    from fdgen.io.storage import Place
    from fdgen.pipeline.builder import Progress


class Hooks(TypedDict):
    """What `fdgen.pipeline.builder.build` calls as it goes on, by its parameters' names."""

    on_trial: Callable[[int, int], None]
    on_face: Callable[[int, int], None]
    on_shard: Callable[[ShardReceipt], None]
    on_progress: Callable[[Progress], None]
    on_setback: Callable[[str], None]


class Listing:
    """Shows how many photographs have been read."""

    def __init__(self, stages: Stages, where: str) -> None:
        self.stages, self.where = stages, where

    def update(self, done: int, total: int) -> None:
        self.stages.stage(f"reading {self.where}", "files", total).update(done)


class Trials:
    """Shows how many occluders have been tried on, where a recipe asks for strata of placements."""

    def __init__(self, stages: Stages) -> None:
        self.stages, self.begun = stages, False

    def update(self, done: int, total: int) -> None:
        meter = self.stages.stage("trying on occluders", "trials", total)
        if not self.begun:
            self.begun = True
            meter.start_from(done)
        meter.update(done)


class Watch:
    """Shows how far a build is, and remembers what is finished, should it be stopped."""

    def __init__(self, stages: Stages) -> None:
        self.stages, self.trials = stages, Trials(stages)
        self.shards = self.samples = self.made = self.kept_before = 0
        self.waiting: ShardReceipt | None = None
        self.began_s: float | None = None

    def on_face(self, done: int, total: int) -> None:
        if self.began_s is None:  # a later round looks at a few more faces; the bar of pairs stays
            self.stages.stage("landmarks", "photographs", total).update(done, total)

    def on_shard(self, receipt: ShardReceipt) -> None:
        self.shards += 1
        self.samples += len(receipt.samples)
        self.waiting = receipt

    def on_progress(self, progress: Progress) -> None:
        if self.began_s is None:
            self.began_s = time.monotonic()
        meter = self.stages.stage("building", "pairs", progress.total)
        kept = progress.kept > self.kept_before
        if kept:
            self.kept_before = progress.kept
            meter.start_from(progress.kept)
        meter.update(progress.done)
        self.made = progress.done - progress.kept
        if self.waiting is not None:
            receipt, self.waiting = self.waiting, None
            rejected = f", {counted(len(receipt.rejects), 'face')} rejected" if receipt.rejects else ""
            how = "kept" if kept else meter.timing()
            told = f"  ({how})" if how else ""
            meter.line(f"{receipt.name}  {counted(len(receipt.samples), 'sample')}{rejected}{told}")

    def hooks(self) -> Hooks:
        """Return what a build calls as it goes on."""
        return {
            "on_trial": self.trials.update,
            "on_face": self.on_face,
            "on_shard": self.on_shard,
            "on_progress": self.on_progress,
            "on_setback": self.stages.voice.say,
        }

    @contextlib.contextmanager
    def telling_what_is_kept(self, out: Place, *, landmarks_too: bool) -> Iterator[None]:
        """Turn Ctrl-C into `Interrupted`, which says what the build has left in `out`."""
        try:
            yield
        except KeyboardInterrupt:
            raise Interrupted(self.kept(out, landmarks_too=landmarks_too)) from None

    def kept(self, out: Place, *, landmarks_too: bool) -> str:
        """Say what an interrupt leaves, and how to go on."""
        if not self.shards:
            landmarks = ", landmarks found so far are kept" if landmarks_too else ""
            return f"no shard was finished{landmarks}; run the same command again to resume"
        return (
            f"{counted(self.samples, 'sample')} in {counted(self.shards, 'finished shard')} are kept in {out}; "
            "run the same command again to resume"
        )

"""Batches of triplets from worker processes, whose errors arrive as the sentences they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from fdgen.errors import DatasetError
from fdtrain.order import Draw
from fdtrain.stored import StoredSamples


class Batches:
    """Batches of items, stacked, as often as one iterates; an error of a worker arrives as the sentence it was.

    Without a sampler once through in order, the last batch maybe smaller. `start` is how workers are started: fork,
    spawn, forkserver, or None for the platform's way.
    """

    def __init__(
        self,
        dataset: StoredSamples[Any],
        sampler: Sampler[Draw] | None = None,
        *,
        batch: int,
        workers: int = 0,
        start: str | None = None,
    ) -> None:
        self._loader: DataLoader[Any] = DataLoader(
            _Telling(dataset),
            batch_size=batch,
            sampler=sampler,
            num_workers=workers,
            worker_init_fn=_start_worker,
            collate_fn=_collate,
            persistent_workers=workers > 0,
            multiprocessing_context=start if workers else None,
            # The loader draws a base seed for its workers: from a generator of its own, never from the global one.
            generator=torch.Generator().manual_seed(0),
            pin_memory=torch.cuda.is_available(),
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        for batch in self._loader:
            if isinstance(batch, DatasetError):
                raise batch
            yield batch


class _Telling(Dataset[Any]):
    """Returns an error instead of raising it: a worker's would arrive as its traceback, poured into one message."""

    def __init__(self, dataset: StoredSamples[Any]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, draw: int | Draw) -> Any:
        try:
            return self.dataset[draw]
        except DatasetError as error:
            return error


def _collate(samples: list[Any]) -> Any:
    errors = (sample for sample in samples if isinstance(sample, DatasetError))
    return next(errors, None) or default_collate(samples)


def _start_worker(worker: int) -> None:
    # A fork inherits cv2's pool of threads without the threads, and waits for them for ever.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)

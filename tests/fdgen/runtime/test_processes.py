"""Rules of processes that make pixels."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from fdgen.runtime.processes import one_blas_thread


def _threads() -> set[int]:
    np.zeros(1)
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_a_block_within_a_block_leaves_the_outer_one_its_thread() -> None:
    before = _threads()
    with one_blas_thread():
        with one_blas_thread():
            assert _threads() == {1}
        assert _threads() == {1}
    assert _threads() == before

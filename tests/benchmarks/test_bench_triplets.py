"""The benchmark of triplets runs, and says all that it promises."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT


@pytest.mark.slow
def test_it_prints_every_figure() -> None:
    words = ["--sizes", "64", "--kinds", "default", "hand", "--count", "4", "--chunk", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_triplets", *words], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    at_64 = printed["sizes_px"]["64"]
    assert set(at_64["kinds"]) == {"default", "hand"}
    for kind in at_64["kinds"].values():
        assert kind["samples"] + sum(kind["rejects"].values()) == 4
        assert kind["attempts_a_sample"] >= 1
        for codec in ("png", "png-fast"):
            low, middle, high = kind[codec]["share_of_floor"]
            assert 0 < low <= middle <= high
    assert set(at_64["cpu_ms_a_new_photograph"]) == {"read", "landmarks", "analysis"}
    assert at_64["peak_memory_mb"] > 0
    assert printed["cpu_s_a_start"]["imports"] > 0
    assert printed["versions"]["png-fast"]

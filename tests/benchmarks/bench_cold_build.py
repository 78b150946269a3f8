"""CPU of a build from photographs that nobody has seen, beside that of its two halves: landmarks, and a warm build.

    python -m tests.benchmarks.bench_cold_build --faces DIR
    python -m tests.benchmarks.bench_cold_build --faces DIR --count 240 --workers 2 --repeats 3

A cold build finds the landmarks and analyses of the faces, then makes the pairs: it should cost little more than
`fdgen landmarks` on the same photographs, and the same build where landmarks and analyses are cached. All three run as
the user runs them, as whole programs, start-up included, each cold one with a cache of its own; the compiled renderer
is there before. Figures are CPU seconds, user and system, of the program and its workers. Prints JSON: medians, their
ratio, all runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def cpu_s(*words: str) -> float:
    """Run fdgen, and return the CPU seconds of it and its workers; what it says is shown where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "from fdcli.fdgen.main import main; main()", *words, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"fdgen {' '.join(words)}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(faces: str, count: int, workers: int) -> dict[str, float]:
    """Return the CPU seconds of each of the three, once."""
    shared = ["--faces", faces, "--workers", str(workers)]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)

        def build(name: str) -> float:
            out = str(place / name)
            return cpu_s("build", *shared, "--count", str(count), "--out", out, "--cache", str(place / "built.cache"))

        return {
            "landmarks": cpu_s("landmarks", *shared, "--cache", str(place / "landmarks.cache")),
            "cold": build("cold"),
            "warm": build("warm"),
        }


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", required=True, help="folder of photographs")
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:  # compiles the renderer, where that has not been done
        cpu_s("build", "--count", "8", "--out", str(Path(folder) / "warm-up"), "--no-cache")
    runs: list[dict[str, float]] = [measure(args.faces, args.count, args.workers) for _ in range(args.repeats)]
    medians: dict[str, Any] = {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}
    ratios = sorted(run["cold"] / (run["landmarks"] + run["warm"]) for run in runs)
    json.dump(
        {
            "cpu_s": medians,
            "cold_over_landmarks_and_warm": round(statistics.median(ratios), 3),
            "ratios": [round(ratio, 3) for ratio in ratios],
            "runs": [{name: round(value, 2) for name, value in run.items()} for run in runs],
            "count": args.count,
            "workers": args.workers,
            "photographs": sum(path.is_file() for path in Path(args.faces).rglob("*")),
            "machine": {"cores": os.cpu_count(), "architecture": platform.machine()},
        },
        sys.stdout,
        indent=2,
    )
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

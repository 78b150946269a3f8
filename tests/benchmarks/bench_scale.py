"""Whether a build stays as it begins: memory of its first process, time a sample, and the start of a resumed build.

    python -m tests.benchmarks.bench_scale --counts 5000 20000
    python -m tests.benchmarks.bench_scale --counts 20000 --faces DIR --plot scale.svg
    python -m tests.benchmarks.bench_scale --plan 200000

Builds made-up faces at 64 px, whose samples cost next to nothing, or with `--faces` photographs, each in a process of
its own. At each shard, that process notes its memory and the CPU time of it and its workers. Then one shard from the
middle is removed and the build is run again. Prints JSON, by count:

- `bytes_a_sample`: by how much the memory of the first process grows, a line fitted to all but the first quarter;
- `end_over_begin`: CPU time a sample in the last fifth, over that in the second fifth;
- `finish_s`, `finish_cpu_s`, `peak_mb`: after the last shard, and of all;
- `resume_s`: from the start of the program to the first photograph of a new shard; `check_s`: until all is done.

`peak_bytes_a_sample` compares the peaks of the smallest and the largest count. `--plan` plans so many samples of
made-up faces and makes none, which takes a hundredth of the time: what it prints is bytes a sample of the photographs,
and of the plan with what came of each candidate, and CPU seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.contract.records import Reject, ShardReceipt
from fdgen.faces.cache import FaceCache
from fdgen.faces.face import Face
from fdgen.faces.folders import open_faces
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source
from fdgen.pipeline.builder import build
from fdgen.pipeline.face_queue import AtOnce, FaceQueue
from fdgen.pipeline.plan import Planner, ShardPlan, split_rule
from fdgen.pipeline.worker import Steps
from fdgen.recipe.schema import Recipe
from tests.support import fake_build

_STARTED = "BENCH_SCALE_STARTED"
"""Names a file that is written when the first photograph of a shard is opened."""

_SHARE = 0.66
"""Of made-up candidates that become samples, about."""


def load_face(faces: Any, source: Source, landmarks: Landmarks) -> Face:
    """Open a made-up face, and note when the first one was."""
    _note_start()
    return fake_build.load_face(faces, source, landmarks)


def load_photograph(faces: Any, source: Source, landmarks: Landmarks) -> Face:
    """Open a photograph, and note when the first one was."""
    from fdgen.faces.detection import load_face as real

    _note_start()
    return real(faces, source, landmarks)


def _note_start() -> None:
    path = Path(os.environ[_STARTED])
    if not path.exists():
        path.write_text(repr(time.time()))


def rss_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_s() -> float:
    """Return the CPU seconds of this process and its children, those that live and those that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            except FileNotFoundError:
                continue
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def run(out: Path, count: int, workers: int, faces: str | None) -> dict[str, Any]:
    """Build in this process; return what was noted at each shard and at the end."""
    trace: list[tuple[int, int, float, float]] = []
    done = 0

    def on_shard(receipt: ShardReceipt) -> None:
        nonlocal done
        done += len(receipt.samples)
        trace.append((done, rss_bytes(), cpu_s(), time.time()))

    cache = FaceCache(out.with_suffix(".sqlite"))
    options: dict[str, Any] = {"count": count, "workers": workers, "cache": cache, "on_shard": on_shard}
    if faces is None:
        recipe = Recipe.load("default", [*_FAKE_RECIPE, "shards.samples=500"])
        steps = dataclasses.replace(fake_build.STEPS, load_face=load_face)  # type: ignore[arg-type]
        build(recipe, fake_build.FakeFaces.of(round(count / _SHARE)), out, steps=steps, **options)
    else:
        recipe = Recipe.load("default", ["size_px=64", "shards.samples=500"])
        steps = dataclasses.replace(Steps.real(), load_face=load_photograph)
        build(recipe, open_faces(faces, digests=cache), out, steps=steps, **options)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"trace": trace, "ended": time.time(), "cpu_s": cpu_s(), "peak": usage.ru_maxrss * 1024}


_FAKE_RECIPE = fake_build.recipe_settings()


def in_process(out: Path, count: int, workers: int, faces: str | None) -> dict[str, Any]:
    """Run `run` in a process of its own; return what it noted, and when it and its first photograph began."""
    began, started = time.time(), out.with_suffix(".started")
    started.unlink(missing_ok=True)
    words = [sys.executable, "-m", "tests.benchmarks.bench_scale", "--run", str(out), "--counts", str(count)]
    words += ["--workers", str(workers), *(() if faces is None else ("--faces", faces))]
    environment = {**os.environ, _STARTED: str(started)}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    noted: dict[str, Any] = json.loads(done.stdout)
    return {**noted, "began": began, "first": float(started.read_text())}


def plan(count: int) -> dict[str, float]:
    """Plan so many samples in this process, of which a fifth are rejected; return bytes a sample and CPU seconds."""
    recipe = Recipe.load("default", ["shards.samples=500"])

    def look(batch: Sequence[Source]) -> dict[str, bytes | Reject]:
        faceless = {source.sha256 for source in batch if source.path[9] == "3"}
        return {
            source.sha256: Reject(source.path, source.sha256, 0, "no-face", "no face was found")
            if source.sha256 in faceless
            else b""
            for source in batch
        }

    began_s, empty = time.process_time(), rss_bytes()
    sources = fake_build.FakeFaces.of(round(count / _SHARE)).sources()
    listed = rss_bytes()
    planner = Planner(recipe, FaceQueue(sources, 1, AtOnce(look)), split_rule(recipe.splits, sources), count)
    while planner.wants_more():
        for shard in planner.next_round():
            if isinstance(shard, ShardPlan):
                planner.note(shard.name, {one.key for one in shard.candidates if one.source.sha256[-1] > "2"})
        planner.end_round()
    return {
        "photographs": len(sources),
        "samples": planner.made,
        "bytes_a_sample_of_photographs": round((listed - empty) / count),
        "bytes_a_sample_of_the_plan": round((rss_bytes() - listed) / count),
        "cpu_s": round(time.process_time() - began_s, 1),
    }


def summary(noted: dict[str, Any]) -> dict[str, float]:
    """Return the figures of one build."""
    done, rss, cpu, wall = (np.array(column, float) for column in zip(*noted["trace"], strict=True))
    late = done >= done[-1] / 4
    growth = np.polyfit(done[late], rss[late], 1)[0]

    def a_sample(low: float, high: float) -> float:
        first, last = np.searchsorted(done, [low * done[-1], high * done[-1]])
        return float((cpu[last] - cpu[first]) / (done[last] - done[first]))

    return {
        "bytes_a_sample": round(float(growth)),
        "end_over_begin": round(a_sample(0.8, 1.0) / a_sample(0.2, 0.4), 3),
        "cpu_ms_a_sample": round(1000 * noted["cpu_s"] / done[-1], 3),
        "finish_s": round(noted["ended"] - wall[-1], 2),
        "finish_cpu_s": round(noted["cpu_s"] - cpu[-1], 2),
        "peak_mb": round(noted["peak"] / 1e6, 1),
    }


def measure(place: Path, count: int, workers: int, faces: str | None) -> tuple[dict[str, float], dict[str, Any]]:
    """Build, take a shard out of the middle, build again; return the figures and what was noted."""
    out = place / f"n{count}"
    noted = in_process(out, count, workers, faces)
    figures = summary(noted)
    receipts = sorted((out / "shards").glob("train-*.json"))
    taken = receipts[len(receipts) // 2]
    taken.unlink()
    taken.with_suffix(".tar").unlink()
    again = in_process(out, count, workers, faces)
    figures["resume_s"] = round(again["first"] - again["began"], 2)
    figures["check_s"] = round(again["ended"] - again["began"], 2)
    figures["resume_peak_mb"] = round(again["peak"] / 1e6, 1)
    return figures, noted


def plot(path: Path, traces: dict[int, dict[str, Any]]) -> None:
    """Draw the memory of the first process over the samples made, a line a count, as SVG."""
    width, height, left, bottom = 640, 300, 60, 40
    most_n = max(traces)
    most_mb = 1.15 * max(rss for noted in traces.values() for _, rss, *_ in noted["trace"]) / 1e6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 16} {height}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
    ]
    x = lambda n: left + (width - left - 20) * n / most_n  # noqa: E731
    y = lambda mb: height - bottom - (height - bottom - 20) * mb / most_mb  # noqa: E731
    for mb in range(0, int(most_mb) + 1, 50):
        parts.append(f'<path d="M{left} {y(mb):.1f}H{width - 20}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(mb) + 4:.1f}" text-anchor="end">{mb}</text>')
    parts += [
        f'<text x="{x(n):.1f}" y="{height - bottom + 16}" text-anchor="middle">{n:,.0f}</text>'
        for n in np.linspace(0, most_n, 5)
    ]
    for number, (_, noted) in enumerate(sorted(traces.items())):
        points = " ".join(f"{x(n):.1f},{y(rss / 1e6):.1f}" for n, rss, *_ in noted["trace"])
        colour = ("#1b6ca8", "#c4543a", "#3a7d44", "#7b4fa3")[number % 4]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    parts.append(f'<text x="{left}" y="14">memory of the first process, MB</text>')
    parts.append(f'<text x="{(width + left) / 2}" y="{height - 6}" text-anchor="middle">samples made</text></svg>')
    path.write_text("".join(parts) + "\n")


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[5000, 20000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--faces", help="folder of photographs; made-up ones without")
    parser.add_argument("--place", help="folder in which datasets are made, and left")
    parser.add_argument("--plot", type=Path, help="SVG to draw the memory in")
    parser.add_argument("--plan", type=int, metavar="N", help="plan N samples of made-up faces, and make none")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.plan is not None:
        json.dump(plan(args.plan), sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    if args.run is not None:
        json.dump(run(args.run, args.counts[0], args.workers, args.faces), sys.stdout)
        return
    found, traces = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for count in sorted(args.counts):
            found[count], traces[count] = measure(Path(args.place or folder), count, args.workers, args.faces)
    low, high = min(found), max(found)
    growth = (found[high]["peak_mb"] - found[low]["peak_mb"]) * 1e6 / (high - low) if high > low else None
    if args.plot is not None:
        plot(args.plot, traces)
    json.dump(
        {
            "by_count": found,
            "peak_bytes_a_sample": None if growth is None else round(growth),
            "workers": args.workers,
            "faces": "photographs" if args.faces else "made up",
            "machine": {"cores": os.cpu_count(), "architecture": platform.machine()},
            "load": round(statistics.mean(os.getloadavg()), 1),
        },
        sys.stdout,
        indent=2,
    )
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

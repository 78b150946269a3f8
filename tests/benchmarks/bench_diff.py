"""How long `fdgen diff` takes and how much memory, on datasets of 20,000 samples that exist as tables alone.

    python -m tests.benchmarks.bench_diff [--samples N] [--runs N] [--out results.json]

Each case is run as a user runs it, in a process of its own with the start of the interpreter, and prints the median of
its wall-clock times, their spread, and the most memory that a run had resident.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fdgen.contract.digests import canonical_json
from fdgen.contract.records import MEMBERS, sample_key
from fdgen.dataset.checksums import write_sums
from fdgen.dataset.folder import write_dataset
from fdgen.dataset.spec import make_spec, spec_id
from fdgen.dataset.tables import LANDMARKS, MANIFEST, write_sources
from fdgen.faces.landmarks import N_POINTS
from fdgen.faces.sources import Source
from fdgen.pipeline.finish import environment
from fdgen.recipe.schema import Recipe
from fdgen.versions.lock import write_lock
from fdgen.versions.lock_tables import content_of

MOST_S, MOST_MB = 2.0, 500
"""What a diff of 20,000 samples may take at most."""

SHARD = 1000
PLACEMENT_NUMBERS = 60
"""About 1.2 kB of JSON a sample, as real placements are."""


def digest(*words: Any) -> str:
    """Return a made-up sha256."""
    return hashlib.sha256(repr(words).encode()).hexdigest()


def simulate(
    root: Path, n: int, *, seed: int = 0, changed: Callable[[int], bool] = lambda i: False, replaced: Sequence[int] = ()
) -> None:
    """Write the tables of a dataset of `n` samples: those `changed` are placed otherwise than with seed 0."""
    recipe = Recipe.load("default", [f"seed={seed}"])
    photographs = [digest("photograph", i, i in replaced) for i in range(n)]
    sources = [
        Source(f"img_align_celeba/{i:06d}.jpg", photographs[i], str(i % 5000), "train", ("Male", "Smiling", "Young"))
        for i in range(n)
    ]
    rng = np.random.default_rng(5)
    rows = []
    for i, sha256 in enumerate(photographs):
        other = seed if changed(i) else 0
        numbers = np.random.default_rng((i, other)).random(PLACEMENT_NUMBERS).tolist()
        row: dict[str, Any] = {
            "key": sample_key(sha256, 0), "split": "train", "source": sources[i].path, "source_sha256": sha256,
            "variant": 0, "identity": sources[i].identity, "kinds": '["mask"]', "asset_ids": '["mask-surgical"]',
            "held_out": False, "attempt": 0, "gates": "{}", "worn": "[]", "hair": "none",
            "placement": canonical_json([{"kind": "mask", "numbers": numbers}]), "shard": f"train-{i // SHARD:05d}",
        }  # fmt: skip
        row |= {f.name: round(float(rng.random()), 6) for f in MANIFEST if f.type == pa.float64()}
        for name in MEMBERS:
            column = name.replace(".", "_")
            row[f"{column}_sha256"] = digest(sha256, name, 0 if name == "clean.png" else other)
            row |= {f"{column}_offset": i * 100_000, f"{column}_size": 20_000}
        rows.append(row)
    root.mkdir(parents=True)
    (root / "shards").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, MANIFEST), root / "manifest.parquet", compression="zstd")
    steps = np.random.default_rng(6).integers(-4096, 4096, (n, 3 * N_POINTS), np.int16)
    columns = [
        pa.array([source.path for source in sources]),
        pa.array(photographs),
        pa.array([256] * n, pa.int32()),
        pa.FixedSizeListArray.from_arrays(pa.array(np.tile(np.eye(2, 3).ravel(), n)), 6),
        pa.FixedSizeListArray.from_arrays(pa.array(steps.ravel()), 3 * N_POINTS),
    ]
    pq.write_table(pa.table(columns, schema=LANDMARKS), root / "landmarks.parquet", compression="zstd")
    write_sources(root / "sources.parquet", sources)
    shards = [
        {"name": f"train-{k:05d}", "split": "train", "samples": min(SHARD, n - k * SHARD), "rejects": 0, "bytes": 1,
         "sha256": digest("shard", k, seed)}
        for k in range(-(-n // SHARD))
    ]  # fmt: skip
    for row in shards:
        (root / "shards" / f"{row['name']}.json").write_text("{}")
    (root / "rejects.csv").write_text("source,sha256,variant,reason,detail\n")
    (root / "preview.jpg").write_bytes(b"")
    spec = make_spec(recipe, n, sources, {f"mask-{k}": digest(k) for k in range(60)}, "made up")
    content = content_of(shards, pa.Table.from_pylist(rows, MANIFEST))
    counts = {"splits": {"basis": "identity", "train": n, "val": 0, "test": 0}, "kinds": {"mask": n}, "rejects": {}}
    dataset = {
        "name": "made-up", "version": f"1.{seed}.0", "spec_id": spec_id(spec), **spec, "content_id": content,
        "sources": {"kind": "celeba", **spec["sources"]}, "made": n, **counts, "shards": shards, "warnings": [],
        "notes": [], "environment": environment(),
    }  # fmt: skip
    write_dataset(root, dataset)
    write_sums(root)
    sums = (root / "SHA256SUMS").read_text().splitlines()
    sums += [f"{row['sha256']}  shards/{row['name']}.tar" for row in shards]
    (root / "SHA256SUMS").write_text("".join(f"{line}\n" for line in sorted(sums, key=lambda line: line[66:])))


PROGRAM = "from fdcli.fdgen.main import main; main()"
MEASURED = f"""
import resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run([sys.executable, "-c", {PROGRAM!r}, *sys.argv[1:]], capture_output=True, text=True)
seconds = time.perf_counter() - started
if done.returncode:
    sys.exit(done.stderr)
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
print(done.stdout)
"""


def measure(*arguments: str | Path) -> tuple[float, float, str]:
    """Run one command; return its seconds, the megabytes that it had resident at most, and what it wrote."""
    words = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    first, _, told = subprocess.run(words, capture_output=True, text=True, check=True).stdout.partition("\n")
    seconds, megabytes = map(float, first.split())
    return seconds, megabytes, told


def main() -> None:
    """Simulate the datasets, run each case, print and write what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    n = arguments.samples
    results = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        simulate(root / "a", n)
        simulate(root / "few", n, seed=1, changed=lambda i: i % 100 == 0)
        simulate(root / "all", n, seed=2, changed=lambda i: True)
        simulate(root / "replaced", n, replaced=(7,))
        simulate(root / "others", n, seed=3, changed=lambda i: True, replaced=range(0, n, 2))
        for name in ("a", "all"):
            write_lock(root / name, root / f"card-{name}")
        sizes = {path.name: path.stat().st_size for path in (root / "card-a").iterdir()}
        cases = {
            "the same": ("a", "a"),
            "one sample in 100 placed otherwise": ("a", "few"),
            "every sample placed otherwise": ("a", "all"),
            "one photograph replaced": ("a", "replaced"),
            "every second photograph replaced, all else too": ("a", "others"),
            "a card and a dataset, every sample": ("card-a", "all"),
            "two cards, every sample": ("card-a", "card-all"),
        }
        for case, pair in cases.items():
            runs = [measure("diff", *(root / name for name in pair)) for _ in range(arguments.runs)]
            seconds, megabytes = [run[0] for run in runs], max(run[1] for run in runs)
            median = statistics.median(seconds)
            results.append({"case": case, "seconds": seconds, "median_s": median, "peak_mb": megabytes})
            print(
                f"{case:48} median {median:.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), {megabytes:.0f} MB",
                flush=True,
            )
    worst = max(one["median_s"] for one in results), max(one["peak_mb"] for one in results)
    within = worst[0] < MOST_S and worst[1] < MOST_MB
    print(f"worst: {worst[0]:.2f} s, {worst[1]:.0f} MB; {'within' if within else 'BEYOND'} {MOST_S} s and {MOST_MB} MB")
    if arguments.out is not None:
        facts = {
            "samples": n, "card_bytes": sizes, "environment": environment(), "machine": platform.processor(),
            "when_s": time.time(), "results": results,
        }  # fmt: skip
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()

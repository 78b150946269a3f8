"""What triplets cost: rates beside the floor of the same run, by size, kind and codec; attempts; fixed and cold costs.

    python -m tests.benchmarks.bench_triplets                       # the embedded faces
    python -m tests.benchmarks.bench_triplets --faces DIR --count 240
    python -m tests.benchmarks.bench_triplets --sizes 256 --kinds default mask

The floor is what any builder must do: decode, resize, encode three pictures (clean, occluded, mask) with the same
codec, hash them and write the tar. Landmarks and analyses are there already; what they cost is a figure of its own.
Pipeline and floor take turns, chunk by chunk, in one process with one thread; figures are first quartile, median and
third quartile over the chunks. The default recipe is measured at every size, single kinds at 256 px alone. Each size
has a process of its own. Prints JSON: CPU time, not wall time. Rates move with what else the machine does, shares of
the floor hardly.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.fixed_costs import fixed_costs
from tests.benchmarks.triplet_rates import DEFAULT, Case, measure

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

SIZES_PX = (64, 128, 256, 512, 1024)
_USUAL_PX = 256


def main() -> None:
    """Measure in fresh processes, so that their peak memory is a worker's."""
    from fdgen.kinds import KINDS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", default=None, help="folder of faces; default: the embedded ones")
    parser.add_argument("--count", type=int, default=96, help="triplets of each size and kind")
    parser.add_argument("--chunk", type=int, default=24, help="triplets between two looks at the clock")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES_PX, help="sides of the crop in px")
    parser.add_argument("--kinds", nargs="+", default=(DEFAULT, *KINDS), help="kinds alone; `default` is the recipe")
    args = parser.parse_args()
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    sizes: dict[int, Any] = {}
    for size_px in args.sizes:
        usual = size_px == _USUAL_PX or len(args.sizes) == 1
        case = Case(args.faces, size_px, tuple(args.kinds) if usual else (DEFAULT,), args.count, args.chunk)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            sizes[size_px] = pool.submit(measure, case).result()
    result = {
        "sizes_px": sizes,
        "cpu_s_a_start": fixed_costs(3),
        "order": "first quartile, median, third quartile",
        "faces": "embedded" if args.faces is None else "a folder",
        "count": args.count,
        "chunk": args.chunk,
        "versions": _versions(),
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "processor": _processor(),
            "load_before": load,
        },
    }
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")


def _versions() -> dict[str, Any]:
    from fdgen.io.pictures.codecs import codec_version
    from fdgen.pipeline.finish import environment
    from fdgen.version import GENERATOR_VERSION

    return {**environment(), "png-fast": codec_version("png-fast"), "generator": GENERATOR_VERSION}


def _processor() -> str:
    """Return what the processor calls itself, as far as the system says."""
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text("utf-8").splitlines() if listed.exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    main()

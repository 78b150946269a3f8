"""Occluding pictures while training, beside reading the same number of pairs from shards.

    python -m tests.benchmarks.bench_transforms                   # the embedded faces
    python -m tests.benchmarks.bench_transforms --faces DIR --count 64

Prints JSON: pictures a CPU-second of one process. `first` is a picture that was never seen (landmarks, analysis, an
occluder), `again` one whose landmarks are remembered, `on_the_fly` a training sample of `fdtrain fit --faces` from the
second epoch on, `shards` a triplet decoded from a dataset, both at `--size`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def cpu_rate(work: Callable[[int], Any], count: int) -> dict[str, float]:
    """Return how many calls a CPU-second takes: the median of single calls, and the mean."""
    spent = []
    for index in range(count):
        began = time.process_time()
        work(index)
        spent.append(time.process_time() - began)
    return {"median": round(1 / statistics.median(spent), 1), "mean": round(count / sum(spent), 1)}


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", help="folder of photographs (default: the embedded faces)")
    parser.add_argument("--count", type=int, default=64, help="pictures (%(default)s)")
    parser.add_argument("--size", type=int, default=178, help="of the pairs in shards, px (%(default)s)")
    asked = parser.parse_args()

    import fdgen
    from fdgen.faces.cache import FaceCache
    from fdgen.pipeline.fresh_triplets import FreshFaces
    from fdgen.transforms.face_occluder import FaceOccluder
    from fdtrain.data.sampler import Draw
    from fdtrain.data.triplets import TripletDataset

    faces = fdgen.open_faces(asked.faces)
    sources = faces.sources()
    pictures = [faces.read(sources[index % len(sources)]) for index in range(asked.count)]
    distinct = pictures[: len(sources)]
    warm = FaceOccluder(missing="keep", picture_seed=1)
    warm(pictures[0], 0)  # imports, compiled code
    occluder = FaceOccluder(missing="keep", picture_seed=0)
    found = {"pictures": len(distinct), "calls": asked.count}
    first = cpu_rate(lambda index: occluder(distinct[index], 0), len(distinct))
    again = cpu_rate(lambda index: occluder(pictures[index], 0, index), asked.count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set"
        recipe = fdgen.Recipe.load("default", [("size_px", asked.size)])
        fdgen.build(recipe, faces, path, count=min(asked.count, 64))
        data = TripletDataset(path, "train", size_px=asked.size)
        shards = cpu_rate(lambda index: data[index % len(data)], asked.count)
        with FaceCache(Path(folder) / "faces.sqlite") as cache:
            usable = FreshFaces.find(recipe, faces, cache)
        fresh = TripletDataset(usable.fresh("train", seed=0), "train", size_px=asked.size)
        for index in range(len(fresh)):
            fresh[Draw(index, 0)]
        on_the_fly = cpu_rate(lambda index: fresh[Draw(index % len(fresh), 1 + index // len(fresh))], asked.count)
    rates = {"first": first, "again": again, "on_the_fly": on_the_fly, "shards": shards}
    ratio = {name: round(shards["median"] / rates[name]["median"], 1) for name in ("first", "again", "on_the_fly")}
    json.dump({**found, "pictures_a_cpu_second": rates, "shards_faster": ratio}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

"""Triplets a CPU-second with landmarks and analysis cached, beside the floor of the same run.

    python -m tests.benchmarks.bench_triplets                       # the embedded faces
    python -m tests.benchmarks.bench_triplets --faces DIR --count 480 --kind mask

The floor is what any builder must do: decode, resize, encode three pictures (clean, occluded, mask) with the same
codec, hash them and write the tar. Pipeline and floor take turns, chunk by chunk, in one process with one thread; the
figures are medians over the chunks, with quartiles. Prints JSON: CPU time of the process, not wall time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

WARM_UP = 6


def find_faces(faces_dir: str | None, count: int, size_px: int) -> list[tuple[Any, Any]]:
    """Return the first photographs with their landmarks."""
    from fdgen.faces.detection import Landmarks, detect
    from fdgen.faces.folders import open_faces

    faces = open_faces(faces_dir)
    sources = faces.sources()[:count]
    found = detect(faces, sources, size_px=size_px, cache=None, workers=1)
    return [(source, found[source.sha256]) for source in sources if isinstance(found[source.sha256], Landmarks)]


def measure(
    faces_dir: str | None, usable: list[tuple[Any, Any]], count: int, chunk: int, kind: str | None, size_px: int
) -> dict[str, Any]:
    """Run the benchmark in this process and return its figures."""
    import cv2
    import numpy as np

    from fdgen.assets import AssetLibrary
    from fdgen.contract.records import Triplet
    from fdgen.dataset.shards import write_shard
    from fdgen.faces.detection import load_face
    from fdgen.faces.folders import open_faces
    from fdgen.io.pictures.images import encode_png, resize
    from fdgen.recipe.schema import Recipe
    from fdgen.render.scene import Analysis, Scene
    from fdgen.synthesis.generator import generate

    cv2.setNumThreads(1)
    overrides: list[str | tuple[str, Any]] = [f"size_px={size_px}"]
    if kind:
        overrides += [(f"kinds.{name}", float(name == kind)) for name in Recipe.load().kinds.root]
    recipe, library = Recipe.load("default", overrides), AssetLibrary.load()
    faces = open_faces(faces_dir)
    cached = {source.sha256: Scene.of(load_face(faces, source, marks)).analysis.to_bytes() for source, marks in usable}
    work = [(*usable[i % len(usable)], i // len(usable)) for i in range(count)]

    def make(job: tuple[Any, Any, int]) -> Any:
        source, marks, variant = job
        face = load_face(faces, source, marks)
        return generate(face, recipe, library, variant, analysis=Analysis.from_bytes(cached[source.sha256]))

    def pipeline(root: Path, jobs: Sequence[tuple[Any, Any, int]]) -> int:
        results = [make(job) for job in jobs]
        receipt = write_shard(
            root, name="train-00000", split="train", spec_id="0" * 64, plan_sha256="0" * 64, results=results
        )
        return len(receipt.samples)

    mask = np.zeros((size_px, size_px), np.uint8)
    cv2.circle(mask, (size_px // 2, size_px * 2 // 3), size_px // 4, (255,), -1)

    def floor(root: Path, jobs: Sequence[tuple[Any, Any, int]]) -> int:
        import hashlib
        import tarfile

        with tarfile.open(root / "floor.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for source, _, variant in jobs:
                picture = faces.read(source)
                side = min(picture.shape[:2])
                clean = resize(np.ascontiguousarray(picture[-side:, :side]), size_px, size_px)
                for name, array in (("clean", clean), ("occluded", clean), ("mask", mask)):
                    data = encode_png(array)
                    hashlib.sha256(data).hexdigest()
                    info = tarfile.TarInfo(f"{source.sha256[:16]}-{variant}.{name}.png")
                    info.size = len(data)
                    import io

                    tar.addfile(info, io.BytesIO(data))
        return len(jobs)

    def timed(
        step: Callable[[Path, Sequence[tuple[Any, Any, int]]], int], jobs: Sequence[tuple[Any, Any, int]]
    ) -> float:
        with tempfile.TemporaryDirectory() as root:
            Path(root, "shards").mkdir()
            start = time.process_time()
            made = step(Path(root), jobs)
            spent = time.process_time() - start
        return made / spent

    for job in work[:WARM_UP]:
        if not isinstance(make(job), Triplet):
            continue
    chunks = [work[start : start + chunk] for start in range(0, len(work), chunk)]
    rates: dict[str, list[float]] = {"pipeline": [], "floor": []}
    for jobs in chunks:
        rates["pipeline"].append(timed(pipeline, jobs))
        rates["floor"].append(timed(floor, jobs))
    ratio = [a / b for a, b in zip(rates["pipeline"], rates["floor"], strict=True)]
    quartiles = {name: np.percentile(values, (25, 50, 75)).round(2).tolist() for name, values in rates.items()}
    return {
        "triplets_per_cpu_s": quartiles["pipeline"],
        "floor_per_cpu_s": quartiles["floor"],
        "ratio_to_floor": np.percentile(ratio, (25, 50, 75)).round(3).tolist(),
        "order": "first quartile, median, third quartile",
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "count": count,
        "chunk": chunk,
        "kinds": kind or "all",
        "size_px": size_px,
        "recipe": recipe.digest(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "opencv": cv2.__version__},
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine()},
    }


def main() -> None:
    """Measure in a fresh process, so that its peak memory is a worker's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", default=None, help="folder of faces; default: the embedded ones")
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--chunk", type=int, default=24)
    parser.add_argument("--kind", default=None, help="one kind of occluder alone")
    parser.add_argument("--size", type=int, default=256)
    args = parser.parse_args()
    usable = find_faces(args.faces, args.count, args.size)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        result = pool.submit(measure, args.faces, usable, args.count, args.chunk, args.kind, args.size).result()
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

"""Triplets a CPU-second beside the floor of the same run, by size, kind and codec; and what a photograph costs before.

The floor is what any builder must do: decode a photograph, resize it, encode three pictures (clean, occluded, mask),
hash them and write the tar. It and the pipeline take turns, chunk by chunk, in one process with one thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import resource
import sys
import tarfile
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

WARM_UP = 12
"""Triplets of each kind before the clock runs: compiled code and caches of the process are there then."""

DEFAULT = "default"
"""Stands for the recipe with the kinds as they are."""


@dataclass(frozen=True)
class Case:
    """What one process measures: one size, and kinds one after the other."""

    faces_dir: str | None
    size_px: int
    kinds: tuple[str, ...]
    count: int
    chunk: int


def measure(case: Case) -> dict[str, Any]:
    """Measure in this process, which should be a fresh one: its peak memory is a part of the figures."""
    import cv2

    from fdgen.assets import AssetLibrary
    from fdgen.faces.folders import open_faces

    cv2.setNumThreads(1)
    faces, library = open_faces(case.faces_dir), AssetLibrary.load()
    usable, cold = _photographs(faces, case)
    jobs = [(*usable[i % len(usable)], i // len(usable)) for i in range(case.count)]
    kinds = {kind: _rates(kind, faces, library, jobs, case) for kind in case.kinds}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "kinds": kinds,
        "cpu_ms_a_new_photograph": cold,
        "peak_memory_mb": round(peak / (2**20 if sys.platform == "darwin" else 2**10)),
    }


def _photographs(faces: Any, case: Case) -> tuple[list[tuple[Any, Any, bytes]], dict[str, float]]:
    """Return the photographs with landmarks and analyses, and what finding these took, in CPU ms a photograph."""
    from fdgen.errors import PictureError
    from fdgen.faces.detection import load_face
    from fdgen.faces.detector import Detector
    from fdgen.render.scene import Scene

    detector, usable = Detector(), []
    sources = faces.sources()[: case.count]
    spent: dict[str, list[float]] = defaultdict(list)
    for looked_at in (sources[:2], sources):  # the first time loads networks and compiled code
        spent.clear()
        usable.clear()
        for source in looked_at:
            with _timed(spent, "read"):
                picture = faces.read(source)
            try:
                with _timed(spent, "landmarks"):
                    marks = detector.find(picture, case.size_px, name=source.path)
            except PictureError:
                continue
            face = load_face(faces, source, marks)
            with _timed(spent, "analysis"):
                analysis = Scene.of(face).analysis
            usable.append((source, marks, analysis.to_bytes()))
    if not usable:
        raise SystemExit("none of the photographs has a face that can be used")
    return usable, {step: round(1000 * sum(each) / len(each), 2) for step, each in spent.items()}


def _rates(kind: str, faces: Any, library: Any, jobs: Sequence[Any], case: Case) -> dict[str, Any]:
    """Return the figures of one kind, or of the default recipe."""
    import numpy as np

    from fdgen.contract.records import Triplet
    from fdgen.faces.detection import load_face
    from fdgen.io.pictures.codecs import Codec
    from fdgen.kinds import KINDS
    from fdgen.recipe.schema import Recipe
    from fdgen.render.scene import Analysis
    from fdgen.synthesis.generator import generate

    overrides: list[str | tuple[str, Any]] = [f"size_px={case.size_px}"]
    if kind != DEFAULT:
        overrides += [(f"kinds.{name}", float(name == kind)) for name in KINDS]
    recipe, codecs = Recipe.load("default", overrides), get_args(Codec)

    def make(some: Sequence[Any]) -> list[Any]:
        return [
            generate(load_face(faces, source, marks), recipe, library, variant, analysis=Analysis.from_bytes(kept))
            for source, marks, kept, variant in some
        ]

    make(jobs[:WARM_UP])
    figures: dict[str, dict[str, list[float]]] = {codec: defaultdict(list) for codec in codecs}
    records, rejects = [], Counter[str]()
    for start in range(0, len(jobs), case.chunk):
        some = jobs[start : start + case.chunk]
        spent: dict[str, list[float]] = defaultdict(list)
        with _timed(spent, "make"):
            results = make(some)
        made = [one.record for one in results if isinstance(one, Triplet)]
        records += made
        rejects.update(one.reason for one in results if not isinstance(one, Triplet))
        for codec in codecs:
            with tempfile.TemporaryDirectory() as name, _timed(spent, f"write {codec}"):
                _write(Path(name), results, codec)
            with tempfile.TemporaryDirectory() as name, _timed(spent, f"floor {codec}"):
                _floor(Path(name), faces, some, case.size_px, codec)
            rate = len(made) / (spent["make"][0] + spent[f"write {codec}"][0])
            floor = len(some) / spent[f"floor {codec}"][0]
            figures[codec]["triplets_per_cpu_s"].append(rate)
            figures[codec]["floor_per_cpu_s"].append(floor)
            figures[codec]["share_of_floor"].append(rate / floor)
    return {
        **{
            codec: {name: np.percentile(values, (25, 50, 75)).round(3).tolist() for name, values in by_name.items()}
            for codec, by_name in figures.items()
        },
        "attempts_a_sample": round(sum(record.attempt + 1 for record in records) / max(1, len(records)), 3),
        "samples": len(records),
        "rejects": dict(rejects),
    }


def _write(root: Path, results: Sequence[Any], codec: Any) -> None:
    from fdgen.dataset.shards import write_shard

    (root / "shards").mkdir()
    none = "0" * 64
    write_shard(root, name="train-00000", split="train", spec_id=none, plan_sha256=none, results=results, codec=codec)


def _floor(root: Path, faces: Any, jobs: Sequence[Any], size_px: int, codec: Any) -> None:
    import cv2
    import numpy as np

    from fdgen.io.pictures.codecs import encoder
    from fdgen.io.pictures.images import resize

    encode, mask = encoder(codec), np.zeros((size_px, size_px), np.uint8)
    cv2.circle(mask, (size_px // 2, size_px * 2 // 3), size_px // 4, (255,), -1)
    with tarfile.open(root / "floor.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        for source, _, _, variant in jobs:
            picture = faces.read(source)
            side = min(picture.shape[:2])
            clean = resize(np.ascontiguousarray(picture[-side:, :side]), size_px, size_px)
            for name, array in (("clean", clean), ("occluded", clean), ("mask", mask)):
                data = encode(array)
                hashlib.sha256(data).hexdigest()
                info = tarfile.TarInfo(f"{source.sha256[:16]}-{variant}.{name}.png")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


@contextlib.contextmanager
def _timed(spent: dict[str, list[float]], step: str) -> Iterator[None]:
    """Add the CPU seconds of a block to those of a step."""
    start = time.process_time()
    yield
    spent[step].append(time.process_time() - start)

"""How many faces of a group picture are found? `python -m tests.benchmarks.bench_faces` prints JSON.

    fdgen build --faces PORTRAITS --count 122 --recipe paper --out covered
    python -m tests.benchmarks.bench_faces --clean PORTRAITS --covered covered --real REAL-OCCLUDED --background PHOTO

Aligned faces, each once, are put on pages of 1920x1080 at known places, turned up to 20 degrees, 40 to 300 px wide,
half of the pages plain and half over photographs without people (`face_pages.py`). A face counts as found where a
detection's eyes have their middle within half the distance of the true eyes from the true middle; what meets no face is
false. The folders' pictures may hold a second face of a neighbour, which counts as false when it is found. Eye errors
are of the worse eye, as a share of the distance between the eyes; a turned head's true eyes are CelebA's mean, so some
of it is not the finder's.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.contract.manifest import Manifest
from fdgen.faces.face_finder import FoundFace, find_faces
from fdgen.io.pictures.images import decode
from fdgen.runtime.installed import installed_version
from tests.benchmarks.face_pages import Picture, Placed, pages

SIZES_PX = (40.0, 300.0)
BANDS = ((40, 70), (70, 120), (120, 300))
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def pictures_of(folder: Path) -> list[Picture]:
    """Read all pictures of a folder, recursively, or the occluded ones of a dataset."""
    if (folder / "dataset.json").is_file():
        return list(_occluded(folder))
    return [
        decode(path.read_bytes(), name=str(path))
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]


def _occluded(root: Path) -> Iterator[Picture]:
    from fdtrain.data.triplets import TripletDataset

    manifest = Manifest.load(root)
    for split in ("train", "val", "test"):
        if len(manifest.samples(split)):
            dataset = TripletDataset(root, split, size_px=None)
            for index in range(len(dataset)):
                yield dataset.stored(index)[1]


def measure(pictures: Sequence[Picture], backgrounds: Sequence[Picture], seed: int) -> dict[str, Any]:
    """Find the faces of all pages on plain and on photographic backgrounds."""
    grounds: list[Picture | None] = [None, *backgrounds] if not backgrounds else []
    for background in backgrounds:
        grounds += [None, background]
    n_false, seconds, errors, n_pages = 0, [], [], 0
    bands = {f"{low}-{high} px": [0, 0] for low, high in BANDS}
    for page, placed in pages(pictures, grounds, sizes_px=SIZES_PX, seed=seed):
        start = time.perf_counter()
        found = find_faces(page)
        seconds.append(time.perf_counter() - start)
        n_pages += 1
        meets = [_met(face, placed) for face in found]
        n_false += sum(index is None for index in meets)
        for index, one in enumerate(placed):
            hits = [face for face, met in zip(found, meets, strict=True) if met == index]
            band = next(name for (low, high), name in zip(BANDS, bands, strict=True) if low <= one.face_px <= high)
            bands[band][0] += bool(hits)
            bands[band][1] += 1
            n_false += max(0, len(hits) - 1)
            if hits:
                errors.append(min(_error(face, one) for face in hits))
    n_faces = sum(count for _, count in bands.values())
    n_found = sum(hit for hit, _ in bands.values())
    return {
        "faces": n_faces,
        "found": n_found,
        "missed": n_faces - n_found,
        "false": n_false,
        "by face width (found, of)": bands,
        "eye error, median and 95 % (of the distance between the eyes)": [
            round(float(value), 3) for value in np.percentile(errors, (50, 95))
        ],
        "pages": n_pages,
        "seconds a page, median and spread": [
            round(float(value), 3) for value in (np.median(seconds), np.ptp(np.percentile(seconds, (25, 75))))
        ],
    }  # fmt: skip


def _met(face: FoundFace, placed: Sequence[Placed]) -> int | None:
    """Return which face a detection means; None where it is none."""
    middle = np.add(face.left_eye_xy, face.right_eye_xy) / 2
    for index, one in enumerate(placed):
        apart = np.linalg.norm(one.eyes_xy[1] - one.eyes_xy[0])
        if np.linalg.norm(middle - one.eyes_xy.mean(axis=0)) <= 0.5 * apart:
            return index
    return None


def _error(face: FoundFace, one: Placed) -> float:
    off = np.linalg.norm(np.array([face.left_eye_xy, face.right_eye_xy]) - one.eyes_xy, axis=1).max()
    return float(off / np.linalg.norm(one.eyes_xy[1] - one.eyes_xy[0]))


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("clean", "covered", "real"):
        parser.add_argument(f"--{name}", type=Path, help="folder of aligned pictures, or a dataset of ours")
    parser.add_argument("--background", type=Path, nargs="*", default=[], help="photographs without people")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    backgrounds = [decode(path.read_bytes(), name=str(path)) for path in arguments.background]
    find_faces(np.zeros((64, 64, 3), np.uint8))  # loads the detectors
    result: dict[str, Any] = {}
    for name in ("clean", "covered", "real"):
        if (folder := getattr(arguments, name)) is not None:
            result[name] = measure(pictures_of(folder), backgrounds, arguments.seed)
            print(name, result[name], file=sys.stderr)
    versions = {name: installed_version(name) for name in ("ai-edge-litert", "opencv-python", "numpy")}
    document = {"sets": result, "seed": arguments.seed, "versions": versions, "machine": platform.machine()}
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()

"""Are our landmarks mediapipe's, and what do they cost? `python -m tests.benchmarks.bench_landmarks` prints JSON.

    python -m tests.benchmarks.bench_landmarks --faces FOLDER [--faces FOLDER] --most 500 --pages

Every photograph is given to `Detector` twice, with our own runner of the networks and with mediapipe (an extra that
must be installed), by turns in one process, so that a busy machine slows both. Landmarks are compared at 256 px as they
are recorded, in sixteenths: distance in the picture, depth, and the share of values that differ. An
alignment that settles elsewhere is in it; `same_crop_off_px` is of the networks alone, on one crop and before rounding.
With `--pages`, the faces are put on pages of 1920x1080 (`face_pages.py`) too, and all of each page are looked for.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.arrays import F64, Image
from fdgen.contract.frame import crop, to_picture
from fdgen.errors import PictureError
from fdgen.faces.detector import Detector
from fdgen.faces.face_finder import FaceFinder, FoundFace
from fdgen.faces.landmarks import Landmarks
from fdgen.io.pictures.images import decode
from fdgen.networks import DETECTORS, DetectorName
from tests.benchmarks.face_pages import pages

SIZE_PX = 256
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
SAME_FACE = 0.5  # of the distance between the eyes


def pictures_of(folders: list[Path], most: int) -> list[tuple[str, Image]]:
    """Read pictures of folders, as many of each, spread over the folder."""
    chosen = []
    for folder in folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        share = max(1, most // len(folders))
        chosen += [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, min(share, len(paths))).astype(int))]
    return [(str(path), decode(path.read_bytes(), name=str(path))) for path in chosen]


def compared(pictures: list[tuple[str, Image]]) -> dict[str, Any]:
    """Find the face of each picture by both detectors."""
    detectors = {name: Detector(name) for name in DETECTORS}
    cpu_s: dict[DetectorName, list[float]] = {name: [] for name in DETECTORS}
    verdicts: Counter[str] = Counter()
    distances, depths, n_steps, n_values = [], [], 0, 0
    same_crop: list[F64] = []
    otherwise: list[list[str]] = []
    for detector in detectors.values():  # what starts slowly has started
        _find(detector, *pictures[0])
    for name, picture_HWC in pictures:
        answers = {}
        for which, detector in detectors.items():
            start = time.process_time()
            answers[which] = _find(detector, name, picture_HWC)
            cpu_s[which].append(time.process_time() - start)
        own, theirs = answers["builtin"], answers["mediapipe"]
        if isinstance(own, str) or isinstance(theirs, str):
            verdicts[f"both {own}" if own == theirs else "another verdict"] += 1
            if own != theirs:
                otherwise.append([name, *(a if isinstance(a, str) else "found" for a in (own, theirs))])
            continue
        verdicts["both found"] += 1
        probe_HWC = crop(picture_HWC, theirs.frame, SIZE_PX)
        meshes = [detector.networks.meshes(probe_HWC, 0.5, 1) for detector in detectors.values()]
        if len(meshes[0]) == len(meshes[1]) == 1:
            same_crop.append(np.linalg.norm(meshes[0][0] - meshes[1][0], axis=1))
        n_steps += int((own.points_px != theirs.points_px).sum())
        n_values += own.points_px.size
        mine, other = to_picture(own.frame, own.points_px[:, :2]), to_picture(theirs.frame, theirs.points_px[:, :2])
        scale = np.sqrt(abs(np.linalg.det(np.asarray(own.frame)[:, :2])))
        distances.append(np.linalg.norm(mine - other, axis=1) * scale)
        depths.append(np.abs(own.points_px[:, 2] - theirs.points_px[:, 2]))
    same, off, deep = np.array(same_crop), np.array(distances), np.array(depths)
    medians = {which: 1000 * float(np.median(spent)) for which, spent in cpu_s.items()}
    sums = {which: sum(spent) for which, spent in cpu_s.items()}
    return {
        "photographs": len(pictures),
        "verdicts": dict(verdicts),
        "another_verdict": otherwise,
        "same_crop_off_px": {
            "faces": len(same),
            "mean": same.mean(),
            "p99": np.quantile(same, 0.99),
            "most": same.max(),
        },
        "off_px": {"mean": off.mean(), "p99": np.quantile(off, 0.99), "most": off.max()},
        "depth_off_px": {"mean": deep.mean(), "most": deep.max()},
        "values_that_round_otherwise": n_steps / n_values,
        "median_cpu_ms": medians,
        "cpu_ratio": sums["builtin"] / sums["mediapipe"],
    }


def _find(detector: Detector, name: str, picture_HWC: Image) -> Landmarks | str:
    try:
        return detector.find(picture_HWC, SIZE_PX, name=name)
    except PictureError as error:
        return error.reason


def on_pages(pictures: list[tuple[str, Image]], seed: int) -> dict[str, Any]:
    """Find all faces of pages by both detectors, and pair what they find."""
    finders = {name: FaceFinder(name) for name in DETECTORS}
    n_both, n_of, off, n_pages = 0, Counter[str](), [], 0
    for page_HWC, _ in pages([picture for _, picture in pictures], [None], sizes_px=(40.0, 300.0), seed=seed):
        own, theirs = (finders[name].find(page_HWC) for name in DETECTORS)
        n_pages += 1
        n_of.update(builtin=len(own), mediapipe=len(theirs))
        for face in own:
            nearest = min(theirs, key=lambda other: _apart(face, other), default=None)
            if nearest is not None and _apart(face, nearest) <= SAME_FACE:
                n_both += 1
                off.append(_apart(face, nearest))
    return {"pages": n_pages, **n_of, "both": n_both, "median_off_in_eye_distances": float(np.median(off))}


def _apart(one: FoundFace, other: FoundFace) -> float:
    """Return how far the worse eye of two faces is apart, in distances between the eyes."""
    eyes = [np.array([face.left_eye_xy, face.right_eye_xy]) for face in (one, other)]
    return float(np.linalg.norm(eyes[0] - eyes[1], axis=1).max() / np.linalg.norm(eyes[0][1] - eyes[0][0]))


def main() -> None:
    """Compare, and print what was found."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--faces", type=Path, action="append", required=True, help="folder of photographs; repeatable")
    parser.add_argument("--most", type=int, default=500, help="photographs in all")
    parser.add_argument("--pages", action="store_true", help="look for all faces of pages too")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    pictures = pictures_of(asked.faces, asked.most)
    report = compared(pictures)
    if asked.pages:
        report["pages"] = on_pages(pictures, asked.seed)
    report["versions"] = {name: metadata.version(name) for name in ("ai-edge-litert", "mediapipe", "numpy")}
    report["machine"] = platform.machine()
    print(json.dumps(report, indent=2, default=float))


if __name__ == "__main__":
    main()

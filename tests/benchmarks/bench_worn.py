"""How well it is noticed that a face wears or holds something already: precision and recall on hand-labelled pictures.

    python -m tests.benchmarks.bench_worn --faces DIR      # DIR holds celeba/, portraits/ and real-occluded/

The labels stand in `worn_labels.json`, by file name: what lies in the range of a set and is not named there is bare;
pictures on which two might disagree (a hand in the hair, glasses pushed up) are left out for that kind. None of these
pictures, nor of the people of the portraits, was trained on. Prints JSON: counts, precision and recall with 95 %
Wilson intervals, by set and kind, how well scores rank (area under the ROC curve, average precision), and the time of a
look. `--thresholds` looks at the labelled range of CelebA that is in no test instead, by the network alone, and prints
the best thresholds of its scores there.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.arrays import Image

LABELS = Path(__file__).with_name("worn_labels.json")
SIZE_PX = 256
LAST_WITH_HANDS = 1710
"""Number of the last picture of CelebA's range for training in which hands were looked for."""


def looks_at(
    folder: Path, names: set[str] | None, look: Callable[[Image], dict[str, float]]
) -> tuple[dict[str, dict[str, float]], float]:
    """Return what is seen in each photograph of a folder that shows a face, and the CPU milliseconds a look takes."""
    from fdgen.faces.detection import Landmarks, detect, load_face
    from fdgen.faces.folders import FolderFaces

    faces = FolderFaces(folder)
    sources = [source for source in faces.sources() if names is None or source.path in names]
    found = detect(faces, sources, size_px=SIZE_PX, cache=None, workers=1)
    seen, spent = {}, 0.0
    for source in sources:
        landmarks = found[source.sha256]
        if isinstance(landmarks, Landmarks):
            clean_HWC = load_face(faces, source, landmarks).clean_HWC
            before = time.process_time()
            seen[source.path] = look(clean_HWC)
            spent += time.process_time() - before
    return seen, 1000 * spent / max(1, len(seen))


def sure(
    seen: Mapping[str, dict[str, float]], labels: Mapping[str, Any], kind: str
) -> tuple[list[str], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return names, margins and labels (N,) of the pictures of which it is sure whether they show a kind."""
    unsure, truth = set(labels.get("unsure", {}).get(kind, ())), set(labels.get(kind, ()))
    names = [name for name in sorted(seen) if name not in unsure]
    return names, np.array([seen[name][kind] for name in names]), np.array([name in truth for name in names])


def scores(seen: Mapping[str, dict[str, float]], labels: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Compare what was seen with the labels of one set, for one kind."""
    names, margin_N, shows_N = sure(seen, labels, kind)
    told_N = margin_N >= 0
    hit, false, missed = (int(one.sum()) for one in (told_N & shows_N, told_N & ~shows_N, ~told_N & shows_N))
    return {
        "hit": hit,
        "false": false,
        "missed": missed,
        "bare": len(names) - hit - false - missed,
        "precision": share(hit, hit + false),
        "recall": share(hit, hit + missed),
        "ranking": ranking(margin_N, shows_N),
        "which": {
            "false": [name for name, wrong in zip(names, told_N & ~shows_N, strict=True) if wrong],
            "missed": [name for name, wrong in zip(names, ~told_N & shows_N, strict=True) if wrong],
        },
    }


def ranking(margin_N: np.ndarray[Any, Any], shows_N: np.ndarray[Any, Any]) -> dict[str, float] | None:
    """Return the area under the ROC curve and the average precision; None where all or none show the kind.

    Of equal margins, those of bare pictures come first.
    """
    if shows_N.all() or not shows_N.any():
        return None
    there, bare = margin_N[shows_N], margin_N[~shows_N]
    area = (there[:, None] > bare).mean() + 0.5 * (there[:, None] == bare).mean()
    order = np.lexsort((shows_N, -margin_N))
    precision_N = np.cumsum(shows_N[order]) / np.arange(1, len(order) + 1)
    return {"auc": round(float(area), 3), "average_precision": round(float(precision_N[shows_N[order]].mean()), 3)}


def best_margin(margin_N: np.ndarray[Any, Any], shows_N: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return from which margin on a picture should count as showing the kind: for the best F1, and so that half do.

    Of limits that are equally good the lowest is returned.
    """
    limits = np.unique(margin_N)
    hits_N = np.array([(shows_N & (margin_N >= limit)).sum() for limit in limits])
    told_N = np.array([(margin_N >= limit).sum() for limit in limits])
    f1_N = 2 * hits_N / (shows_N.sum() + told_N)
    best, half = int(np.argmax(f1_N)), int(np.argmax(2 * hits_N >= told_N))
    return {"margin": float(limits[best]), "f1": round(float(f1_N[best]), 3), "half_right": float(limits[half])}


def share(part: int, whole: int) -> list[float] | None:
    """Return a share with its 95 % Wilson interval; None where there is nothing to divide by."""
    if whole == 0:
        return None
    z, p = 1.96, part / whole
    middle = (p + z * z / (2 * whole)) / (1 + z * z / whole)
    reach = z * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    return [round(value, 3) for value in (p, max(0.0, middle - reach), min(1.0, middle + reach))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, help="folder with celeba/, portraits/, real-occluded/")
    parser.add_argument("--thresholds", action="store_true", help="look for the best thresholds instead")
    arguments = parser.parse_args()
    from fdgen.analysis.worn_already import WORN, margins

    labels_of = json.loads(LABELS.read_text())
    result: dict[str, Any] = {}
    if arguments.thresholds:
        result = {kind: best_margin(*found) for kind, found in labelled_range(arguments.faces, labels_of).items()}
    else:
        for name, labels in labels_of["test"].items():
            names = numbered(1, int(labels["last"])) if "last" in labels else None
            seen, cpu_ms = looks_at(arguments.faces / labels["folder"], names, margins)
            result[name] = {"faces": len(seen), "cpu_ms": round(cpu_ms, 2)}
            result[name] |= {kind: scores(seen, labels, kind) for kind in WORN}
    json.dump(result, sys.stdout, indent=1)
    print()


def numbered(first: int, last: int) -> set[str]:
    """Return CelebA's names of a range of pictures."""
    return {f"{number:06d}.jpg" for number in range(first, last + 1)}


def labelled_range(faces: Path, labels_of: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return margins and labels of CelebA's range for training, by kind; masks are left out, for nobody wears one.

    Hands were looked for in the first of these pictures alone. `later` has what was found after the linear classifier
    had been trained.
    """
    from fdgen.analysis.models.accessory_network import CLASSES, parse

    def by_network(clean_HWC: Image) -> dict[str, float]:
        return {kind: round(score * 64) / 64 for kind, score in zip(CLASSES, parse(clean_HWC).scores_C, strict=True)}

    labels, later = labels_of["train"], labels_of["train"]["later"]
    merged: dict[str, Any] = {kind: labels[kind] + later[kind] for kind in later["unsure"]}
    unsure = labels["unsure"]
    merged["unsure"] = {kind: unsure.get(kind, []) + names for kind, names in later["unsure"].items()}
    folder, names = faces / labels_of["test"]["celeba"]["folder"], numbered(labels["first"], labels["last"])
    seen, _ = looks_at(folder, names, by_network)
    hands_in = numbered(labels["first"], LAST_WITH_HANDS)
    found = {}
    for kind in ("eyewear", "hat", "hand"):
        among = {name: one for name, one in seen.items() if kind != "hand" or name in hands_in}
        found[kind] = sure(among, merged, kind)[1:]
    return found


if __name__ == "__main__":  # landmarks are found in processes of their own, which import this file
    main()

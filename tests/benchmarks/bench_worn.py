"""How well it is noticed that a face wears or holds something already: precision and recall on hand-labelled pictures.

    python -m tests.benchmarks.bench_worn --faces DIR      # DIR holds celeba/, portraits/ and real-occluded/

The labels stand in `worn_labels.json`, by file name: what lies in the range of a set and is not named there is bare;
pictures on which two might disagree (a hand in the hair, glasses pushed up) are left out for that kind. None of these
pictures, nor of the people of the portraits, was trained on. Prints JSON: counts, precision and recall with 95 %
Wilson intervals, by set and kind, and the time of a look.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LABELS = Path(__file__).with_name("worn_labels.json")
SIZE_PX = 256


def seen_in(folder: Path, names: set[str] | None) -> tuple[dict[str, tuple[str, ...]], float]:
    """Return what is seen in each photograph of a folder that shows a face, and the CPU milliseconds a look takes."""
    from fdgen.analysis.worn_already import detect_preexisting
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
            seen[source.path] = detect_preexisting(clean_HWC)
            spent += time.process_time() - before
    return seen, 1000 * spent / max(1, len(seen))


def scores(seen: Mapping[str, tuple[str, ...]], labels: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Compare what was seen with the labels of one set, for one kind."""
    unsure, truth = set(labels.get("unsure", {}).get(kind, ())), set(labels.get(kind, ()))
    counts = {"hit": 0, "false": 0, "missed": 0, "bare": 0}
    wrong: dict[str, list[str]] = {"false": [], "missed": []}
    for name, worn in sorted(seen.items()):
        if name in unsure:
            continue
        outcome = ("bare", "missed", "false", "hit")[2 * (kind in worn) + (name in truth)]
        counts[outcome] += 1
        if outcome in wrong:
            wrong[outcome].append(name)
    return {
        **counts,
        "precision": share(counts["hit"], counts["hit"] + counts["false"]),
        "recall": share(counts["hit"], counts["hit"] + counts["missed"]),
        "which": wrong,
    }


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
    arguments = parser.parse_args()
    from fdgen.analysis.worn_already import WORN

    result: dict[str, Any] = {}
    for name, labels in json.loads(LABELS.read_text())["test"].items():
        names = None
        if "last" in labels:
            names = {f"{number:06d}.jpg" for number in range(1, int(labels["last"]) + 1)}
        seen, cpu_ms = seen_in(arguments.faces / labels["folder"], names)
        result[name] = {"faces": len(seen), "cpu_ms": round(cpu_ms, 2)}
        result[name] |= {kind: scores(seen, labels, kind) for kind in WORN}
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":  # landmarks are found in processes of their own, which import this file
    main()

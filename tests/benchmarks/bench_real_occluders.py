"""Are occluders like real ones: size, place, light, colour, edges and detail, beside outlined photographs.

    FDGEN_REAL_OCCLUDED=DIR python -m tests.benchmarks.bench_real_occluders --dataset my-set
    FDGEN_REAL_OCCLUDED=DIR python -m tests.benchmarks.bench_real_occluders --dataset my-set --kind sunglasses --map map

DIR holds the photographs that `real_outlines.json` names; they are not distributed. Prints a table for each kind (with
`--json`, JSON): of every figure (`occluder_figures.FIGURES` says what it is) the 10th percentile, median and 90th in
the photographs and in the dataset, the distance between the two distributions by Kolmogorov and Smirnov with its
p value, and Wasserstein's distance in standard deviations of the photographs' figures. `!` marks a median more than
5 % off the real one, or a 10th or 90th percentile more than 10 %; figures that may be negative are allowed as much of
the distance between the real 10th and 90th percentile. Shares of colours and, where landmarks are found, the figures by
yaw follow.

The photographs are sharp at 178 px, and those of a dataset were brought to 256. `--source-px N`, the side of the crop
in the dataset's sources, does with the photographs as the build did with its own: down to N px, up to 256 and to 178.
Fine detail loses a tenth by it at 178 px and a fifth at 89, whatever it is of.

Photographs are measured against outlines drawn by eye over 178 px, composites against their exact silhouettes: both
over the crop at 178 px, and all figures of appearance leave out what lies within 3 px of an outline.

`--map NAME` writes where occluders lie: real, made, and the difference (NAME-mask.png, NAME-sunglasses.png).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp, wasserstein_distance

from fdgen.analysis.geometry import fit_pose
from fdgen.contract.manifest import Manifest
from fdgen.errors import FdError
from fdgen.faces.detector import Detector
from fdgen.io.pictures.images import decode
from tests.benchmarks.occluder_figures import FIGURES, SIDE_PX, colour_class, figures
from tests.benchmarks.outlines import load, read_crop

ENVIRONMENT = "FDGEN_REAL_OCCLUDED"
KINDS = ("mask", "sunglasses")
_SIGNED = frozenset({"lightness"})
"""Figures round 0: a share of their median says nothing."""
_ALLOWED = np.array([0.10, 0.05, 0.10])
"""How far p10, p50 and p90 may lie off the real ones, as shares."""
_BUILT_PX = 256
"""Side of a dataset's pictures by default."""
_YAWS = ((0.0, 10.0), (10.0, 25.0), (25.0, 90.0))

U8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


@dataclass
class Group:
    """Occluders of one kind from one origin: a value a picture for each figure, and where they lie."""

    rows: list[Mapping[str, float]] = field(default_factory=list)
    colours: Counter[str] = field(default_factory=Counter)
    yaws_deg: list[float | None] = field(default_factory=list)
    where: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((SIDE_PX, SIDE_PX)))

    def add(self, picture_HWC: U8, covered_HW: Bools, counts_HW: Bools, yaw_deg: float | None) -> None:
        """Measure one more picture."""
        self.rows.append(figures(picture_HWC, covered_HW, counts_HW))
        self.colours[colour_class(picture_HWC, covered_HW)] += 1
        self.yaws_deg.append(yaw_deg)
        self.where += covered_HW

    def values(self, name: str, yaw_deg: tuple[float, float] | None = None) -> npt.NDArray[np.float64]:
        """Return the values of a figure, of pictures of that absolute yaw."""
        chosen = [
            row[name]
            for row, yaw in zip(self.rows, self.yaws_deg, strict=True)
            if name in row and (yaw_deg is None or (yaw is not None and yaw_deg[0] <= abs(yaw) < yaw_deg[1]))
        ]
        return np.array(chosen, np.float64)


def photographs(folder: Path, kind: str, source_px: int | None = None) -> Group:
    """Measure the photographs that show a kind, as sharp as built crops of `source_px` are."""
    group, detector = Group(), Detector()
    for labelled in load():
        if any(what == kind for what, _ in labelled.outlines):
            covered, counts = labelled.regions(kind)
            picture = read_crop(folder, labelled, SIDE_PX)
            picture = as_built(picture, source_px) if source_px else picture
            group.add(picture, covered, counts, _yaw(detector, folder / labelled.name))
    return group


def as_built(picture_HWC: U8, source_px: int) -> U8:
    """Return a crop of `SIDE_PX` as it looks when one of `source_px` is built at 256 px and measured at `SIDE_PX`."""
    small = cv2.resize(picture_HWC, (source_px, source_px), interpolation=cv2.INTER_AREA)
    built = cv2.resize(small, (_BUILT_PX, _BUILT_PX), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(built, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _yaw(detector: Detector, path: Path) -> float | None:
    """Return the yaw of the head on a photograph in degrees; None where no landmarks are found."""
    try:
        marks = detector.find(decode(path.read_bytes(), name=path.name), SIDE_PX, name=path.name)
    except FdError:
        return None
    return float(fit_pose(marks.points_px).yaw_deg)


def made(roots: Sequence[str], kind: str) -> Group:
    """Measure the samples of datasets that show an occluder of a kind and nothing else."""
    group = Group()
    for root in roots:
        manifest = Manifest.load(root)
        for row in manifest.samples().to_dict("records"):
            if json.loads(row["kinds"]) != [kind]:
                continue
            members = manifest.read_members(row["key"], ("occluded.png", "alpha.png"))
            occluded, alpha = (
                cv2.resize(decode(members[name], name=name), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
                for name in ("occluded.png", "alpha.png")
            )
            covered = np.asarray(alpha[..., 0] >= 128)
            group.add(np.asarray(occluded, np.uint8), covered, np.ones_like(covered), float(row["yaw_deg"]))
    return group


def compare(real: Group, ours: Group) -> dict[str, Any]:
    """Return, by figure, quantiles of both groups, distances, and whether they lie as near as they should."""
    result: dict[str, Any] = {}
    for name in FIGURES:
        a, b = real.values(name), ours.values(name)
        if min(len(a), len(b)) < 5:
            continue
        low, _, high = np.percentile(a, (10, 50, 90))
        theirs, own = (np.percentile(values, (10, 50, 90)) for values in (a, b))
        scale = np.full(3, high - low) if name in _SIGNED else np.abs(theirs)
        off = np.abs(own - theirs) > _ALLOWED * scale
        test = ks_2samp(a, b)
        result[name] = {
            "real": _rounded(theirs),
            "ours": _rounded(own),
            "off": off.tolist(),
            "ks": round(float(test.statistic), 3),
            "p": float(f"{test.pvalue:.2g}"),
            "wasserstein": round(float(wasserstein_distance(a, b) / max(a.std(), 1e-9)), 3),
        }
    return result


def by_yaw(real: Group, ours: Group) -> dict[str, Any]:
    """Return medians of the figures of place, real and ours, for heads turned so far."""
    return {
        f"{low:g} to {high:g}": {
            name: [
                round(float(np.median(values)), 3) if len(values) >= 3 else None
                for values in (group.values(name, (low, high)) for group in (real, ours))
            ]
            for name in ("width", "height", "top", "bottom", "area")
        }
        for low, high in _YAWS
    }


def draw_map(path: str, real: Group, ours: Group) -> None:
    """Write where occluders lie: real, ours, and in red where real ones lie oftener, in blue where ours do."""
    first, second = (group.where / max(len(group.rows), 1) for group in (real, ours))
    less = 255 - 255 * np.abs(first - second)
    more = np.full_like(less, 255.0)
    difference = np.dstack([np.where(first < second, more, less), less, np.where(first < second, less, more)])
    tiles = [np.repeat((255 * share)[..., None], 3, -1) for share in (first, second)] + [difference]
    cv2.imwrite(path, np.hstack(tiles).round().astype(np.uint8))


def print_table(kind: str, result: Mapping[str, Any]) -> None:
    """Print one kind for people."""
    lines = [f"{kind}: {result['real_n']} photographs, {result['ours_n']} of ours"]
    lines.append(f"{'':10} {'real p10, p50, p90':>28} {'ours':>28}   {'KS':>5} {'p':>8} {'W':>6}")
    for name, row in result["figures"].items():
        real, ours = (
            "".join(
                f"{value:9.3g}{'!' if wrong and mark else ' '}"
                for value, wrong in zip(row[key], row["off"], strict=True)
            )
            for key, mark in (("real", False), ("ours", True))
        )
        lines.append(f"{name:10} {real} {ours}   {row['ks']:5.2f} {row['p']:8.2g} {row['wasserstein']:6.2f}")
    lines.append(
        "colours, real and ours: " + ", ".join(f"{c} {a:.2f} {b:.2f}" for c, (a, b) in result["colours"].items())
    )
    for yaw, row in result["by_yaw"].items():
        lines.append(f"yaw {yaw}: " + ", ".join(f"{name} {a} {b}" for name, (a, b) in row.items()))
    sys.stdout.write("\n".join(lines) + "\n\n")


def _rounded(values: npt.NDArray[np.float64]) -> list[float]:
    return [round(float(value), 3) for value in values]


def main() -> None:
    """Measure both sides and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", nargs="+", required=True, help="folders of datasets")
    parser.add_argument("--kind", choices=KINDS, nargs="+", default=KINDS)
    parser.add_argument("--source-px", type=int, default=None, help="side of the crop in the dataset's source pictures")
    parser.add_argument("--map", default=None, help="start of the names of the maps")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if ENVIRONMENT not in os.environ:
        parser.error(f"{ENVIRONMENT} must name the folder of the outlined photographs")
    folder = Path(os.environ[ENVIRONMENT])
    results = {}
    for kind in args.kind:
        real, ours = photographs(folder, kind, args.source_px), made(args.dataset, kind)
        if not ours.rows:
            parser.error(f"--dataset has no sample of {kind} alone; build some, or give --kind")
        colours = sorted(real.colours | ours.colours)
        results[kind] = {
            "real_n": len(real.rows),
            "ours_n": len(ours.rows),
            "figures": compare(real, ours),
            "colours": {
                name: _rounded(np.array([group.colours[name] / len(group.rows) for group in (real, ours)]))
                for name in colours
            },
            "by_yaw": by_yaw(real, ours),
        }
        if args.map:
            draw_map(f"{args.map}-{kind}.png", real, ours)
        if not args.json:
            print_table(kind, results[kind])
    if args.json:
        json.dump(results, sys.stdout, indent=2)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()

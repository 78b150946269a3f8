"""Do hands go with the faces that they are drawn before? By skin tone.

    python -m tests.benchmarks.bench_hands --faces PORTRAITS --count 160

A hand is drawn before each photograph as the recipe `hands` does, then rendered again without sleeve, rings and
polish, so that all of it is skin. By class of skin tone (ITA of the photograph), medians and in brackets the 10th and
90th percentiles of

    reject       share of faces that gave no hand
    delta_L      lightness (L*) of the hand less that of the face's skin
    delta_E      distance of their median colours in CIELAB
    spread       of lightness within the hand (standard deviation), over the same of the face's skin
    detail       lightness less its blur over 2 px (at 256), standard deviation, over the same of the face's skin

Prints JSON; the table goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import outlined_skin
from fdgen.analysis.skin_tone import BINS, ita_deg, tone
from fdgen.arrays import Bools, Image
from fdgen.assets import AssetLibrary
from fdgen.contract.records import Triplet
from fdgen.faces.detection import FaceCache, Landmarks, default_cache_path, detect, load_face
from fdgen.faces.folders import open_faces
from fdgen.occluders import Placement
from fdgen.recipe.schema import Recipe
from fdgen.render.scene import Scene
from fdgen.synthesis.generator import generate, render_placements

LEAST_PX = 300
"""Of a hand, or of the face: fewer say nothing."""

NONE = {"rings": [], "watch": None, "bracelet": None}
FIGURES = ("delta_L", "delta_E", "spread", "detail")


def bare(placement: Placement) -> Placement:
    """Return a hand of skin alone."""

    def stripped(values: Mapping[str, Any]) -> dict[str, Any]:
        left = {
            **values,
            "sleeve": None,
            "jewellery": {**values["jewellery"], **NONE},
            "skin": {**values["skin"], "polish": 0.0},
        }
        if "other" in values:
            left["other"] = stripped(values["other"])
        return left

    return replace(placement, values=stripped(placement.values))


def figures(clean_HWC: Image, occluded_HWC: Image, hand_HW: Bools, skin_HW: Bools) -> dict[str, float] | None:
    """Compare the skin of a hand with the face's; None where too little of either is seen."""
    hand_HW = cv2.erode(hand_HW.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if hand_HW.sum() < LEAST_PX or skin_HW.sum() < LEAST_PX:
        return None
    of_hand, of_face = _lab(occluded_HWC), _lab(clean_HWC)
    apart = np.median(of_hand[hand_HW], 0) - np.median(of_face[skin_HW], 0)
    return {
        "delta_L": float(apart[0]),
        "delta_E": float(np.linalg.norm(apart)),
        "spread": float(of_hand[hand_HW][:, 0].std() / of_face[skin_HW][:, 0].std()),
        "detail": _detail(of_hand[..., 0], hand_HW) / _detail(of_face[..., 0], skin_HW),
    }


def _lab(picture_HWC: Image) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(picture_HWC / np.float32(255), cv2.COLOR_RGB2Lab), np.float32)


def _detail(lightness_HW: npt.NDArray[np.float32], where_HW: Bools) -> float:
    fine = lightness_HW - cv2.GaussianBlur(lightness_HW, (0, 0), 2.0 * lightness_HW.shape[0] / 256)
    return float(fine[where_HW].std()) + 1e-3


def main() -> None:
    """Measure, print JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--faces", required=True)
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--variants", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a sheet of the hands, bare, the darkest against their face first")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    recipe, library, faces = Recipe.load("hands"), AssetLibrary.load(), open_faces(args.faces)
    sources = faces.sources()[: args.count]
    with FaceCache(default_cache_path()) as cache:
        found = detect(faces, sources, size_px=recipe.size_px, cache=cache, workers=0)
    rows: list[dict[str, Any]] = []
    sheet: list[tuple[float, Image]] = []
    for source in sources:
        marks = found[source.sha256]
        if not isinstance(marks, Landmarks):
            continue
        face = load_face(faces, source, marks)
        angle = ita_deg(face.clean_HWC, marks.points_px)
        scene = Scene.of(face)
        for variant in range(args.variants):
            made = generate(face, recipe, library, variant, analysis=scene.analysis)
            row: dict[str, Any] = {"tone": "none" if angle is None else tone(angle), "made": isinstance(made, Triplet)}
            if isinstance(made, Triplet):
                placements = [bare(Placement.from_dict(layer)) for layer in made.record.placement]
                occluded, _, alpha = render_placements(scene, placements, library)
                skin = outlined_skin(marks.points_px, recipe.size_px)
                row |= figures(face.clean_HWC, occluded, alpha == 255, skin) or {}
                if "delta_L" in row:
                    sheet.append((row["delta_L"], occluded))
            rows.append(row)
    table: dict[str, Any] = {}
    for name in ("all", *(name for name, _ in BINS)):
        part = [row for row in rows if name in ("all", row["tone"])]
        if part:
            table[name] = {"n": len(part), "reject": round(1 - sum(row["made"] for row in part) / len(part), 3)}
            for figure in FIGURES:
                values = [row[figure] for row in part if figure in row]
                if values:
                    low, middle, high = np.percentile(values, (10, 50, 90))
                    table[name][figure] = [round(float(value), 2) for value in (middle, low, high)]
    print(f"{'tone':>13} {'n':>4} {'reject':>7}" + "".join(f"{name:>24}" for name in FIGURES), file=sys.stderr)
    for name, of in table.items():
        cells = "".join("{:>10.2f} ({:>5.2f} {:>5.2f})".format(*of[f]) if f in of else " " * 24 for f in FIGURES)
        print(f"{name:>13} {of['n']:>4} {of['reject']:>7.3f}{cells}", file=sys.stderr)
    if args.out is not None and sheet:
        sheet.sort(key=lambda one: one[0])
        shown = [picture for _, picture in sheet[:16] + sheet[-16:]]
        shown += [np.zeros_like(shown[0])] * (-len(shown) % 8)
        lines = [np.hstack(shown[i : i + 8]) for i in range(0, len(shown), 8)]
        cv2.imwrite(str(args.out), cv2.cvtColor(np.vstack(lines), cv2.COLOR_RGB2BGR))
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()

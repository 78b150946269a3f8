"""Make the golden triplets anew: `python -m tests.golden.regenerate`. Run it only when a change of pixels is meant.

Raise `GENERATOR_VERSION` in the same commit, and say in CHANGELOG.md what changed. The pictures are of an embedded,
public-domain portrait; its landmarks are kept beside them, so that no detector takes part.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from fdgen.assets import AssetLibrary
from fdgen.contract.records import Triplet
from fdgen.faces.detection import Landmarks, detect, detector_version, load_face
from fdgen.faces.folders import SampleFaces
from fdgen.io.pictures.png import encode_png
from fdgen.occluders import OCCLUDERS
from fdgen.recipe.schema import Recipe
from fdgen.synthesis.generator import generate
from fdgen.version import GENERATOR_VERSION

HERE = Path(__file__).parent
PORTRAIT = "eileen_collins.jpg"
SIZE_PX = 128
KINDS = tuple(OCCLUDERS)
VARIANT = 1


def golden_triplet(kind: str) -> Triplet:
    """Generate one of the golden triplets from the portrait and the landmarks that are kept."""
    faces = SampleFaces()
    source = next(source for source in faces.sources() if source.path == PORTRAIT)
    landmarks = Landmarks.from_bytes((HERE / "landmarks.bin").read_bytes())
    overrides = [("size_px", SIZE_PX), *((f"kinds.{name}", float(name == kind)) for name in KINDS)]
    result = generate(
        load_face(faces, source, landmarks), Recipe.load("default", overrides), AssetLibrary.load(), VARIANT
    )
    if not isinstance(result, Triplet):
        raise SystemExit(f"{kind}: {result.detail}")
    return result


def main() -> None:
    """Write landmarks, pictures, records, and the versions they were made with."""
    faces = SampleFaces()
    source = next(source for source in faces.sources() if source.path == PORTRAIT)
    found = detect(faces, [source], size_px=SIZE_PX, cache=None)[source.sha256]
    if not isinstance(found, Landmarks):
        raise SystemExit(found.detail)
    (HERE / "landmarks.bin").write_bytes(found.to_bytes())
    for kind in KINDS:
        triplet = golden_triplet(kind)
        (HERE / f"{kind}.occluded.png").write_bytes(encode_png(triplet.occluded_HWC))
        (HERE / f"{kind}.alpha.png").write_bytes(encode_png(triplet.alpha_HW))
        (HERE / f"{kind}.json").write_text(triplet.record.to_json() + "\n", encoding="utf-8")
    versions = {
        "generator": GENERATOR_VERSION,
        "detector": detector_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(f"golden triplets written to {HERE}\n")


if __name__ == "__main__":
    main()

"""Trains the classifier that notices what a face wears already, and writes `fdgen/analysis/models/worn.npz`.

    python -m tests.benchmarks.train_worn --celeba DIR

Learns from two things: composites of ours over CelebA (each picture shows for sure what was put on it; lenses are
cleared for two pairs of glasses in three), and CelebA's own pictures labelled by hand in `worn_labels.json`, the only
source of hats and of real glasses. Pictures 000001 to 000450 are left to `bench_worn.py`. Ridge regression to +1 and
-1. The composites take three CPU-minutes, the rest a quarter of one; `--composites FILE` keeps them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.models.accessory_classifier import ROWS, SIZE_PX, features, looked_at
from fdgen.arrays import Image

LABELS = Path(__file__).with_name("worn_labels.json")
MODEL = Path(__file__).parents[2] / "fdgen" / "analysis" / "models" / "worn.npz"
DRAWN = ("sunglasses", "eyeglasses", "eyeglasses", "mask", "hand")
CLASS_OF_KIND = {"sunglasses": "eyewear", "eyeglasses": "eyewear", "mask": "mask", "hand": "hand"}
"""Hands are no class of the classifier; they are there so that it does not take them for masks."""
SEED = 5
N_FEATURELESS = 600
RIDGE = 40.0
WEARER, BARE, COMPOSITE, UNKNOWN = 4.0, 1.0, 0.7, 0.35
"""Weights: real wearers are few; of a composite, what was not put on is not known to be absent."""
OFFSETS = {"eyewear": 0.15, "mask": 0.45, "hat": 0.20}
"""Added to the regression's value, whose middle lies far towards the many who wear nothing."""


def composites(celeba: Path, first: int, count: int) -> Iterator[tuple[str, Image]]:
    """Yield a class and a picture with something of it put on, for each face from number `first` on."""
    from fdgen.assets import AssetLibrary
    from fdgen.faces.detection import FaceCache, Landmarks, default_cache_path, detect, load_face
    from fdgen.faces.folders import open_faces
    from fdgen.occluders import OCCLUDERS
    from fdgen.render.scene import Scene
    from fdgen.runtime.rng import sample_rng
    from fdgen.synthesis.generator import render_placements

    faces, library = open_faces(celeba), AssetLibrary.load()
    sources = [source for source in faces.sources() if int(source.path[:6]) >= first][:count]
    with FaceCache(default_cache_path()) as cache:
        found = detect(faces, sources, size_px=SIZE_PX, cache=cache, workers=1)
    for number, source in enumerate(sources):
        landmarks = found[source.sha256]
        if not isinstance(landmarks, Landmarks):
            continue
        kind = DRAWN[number % len(DRAWN)]
        drawn = "sunglasses" if kind == "eyeglasses" else kind
        scene, rng = Scene.of(load_face(faces, source, landmarks)), sample_rng(SEED, source.sha256, 0)
        assets = library.select(drawn, held_out=False)
        asset = assets[int(rng.integers(len(assets)))]
        placement = OCCLUDERS[drawn].place(scene, asset, rng)
        if kind == "eyeglasses":
            through, mirror = float(rng.uniform(0.8, 0.97)), float(10 ** rng.uniform(-2.5, -1))
            clear = {"through": [through] * 2, "tint": [1.0] * 3, "mirror": [mirror] * 3, "kind": "light"}
            lens = {**placement.values["lens"], **clear}
            placement = replace(placement, values={**placement.values, "lens": lens})
        yield CLASS_OF_KIND[kind], render_placements(scene, [placement], library)[0]


def real_faces(celeba: Path, labels: dict[str, Any]) -> Iterator[tuple[str, Image]]:
    """Yield name and crop of each picture that was looked at for training."""
    for number in range(labels["first"], labels["last"] + 1):
        name = f"{number:06d}.jpg"
        picture = cv2.imread(str(celeba / name))
        if picture is not None:
            margin = round(picture.shape[0] * 20 / 218)
            yield name, cv2.cvtColor(picture[margin : margin + picture.shape[1]], cv2.COLOR_BGR2RGB)


def featureless(bare: list[Image]) -> list[Image]:
    """Return faces without a feature, blurred beyond recognition: what is smooth there wears nothing."""
    rng = np.random.default_rng(SEED)
    found = []
    for number, crop in enumerate(bare[:N_FEATURELESS]):
        small = cv2.resize(crop, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(small, (0, 0), (3.0, 6.0, 12.0)[number % 3])
        found.append(np.clip(blurred + rng.normal(0, 1.5, blurred.shape), 0, 255).astype(np.uint8))
    return found


def ridge(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], weight: npt.NDArray[np.float32]) -> tuple[Any, float]:
    """Return weights and offset of the weighted ridge regression of `y` on the rows of `x`."""
    weight = weight / weight.mean()
    mean, level = np.average(x, 0, weight).astype(np.float32), float(np.average(y, weights=weight))
    centred = (x - mean) * np.sqrt(weight)[:, None]
    gram = centred.T @ centred
    gram[np.diag_indices_from(gram)] += RIDGE
    found = np.linalg.solve(gram, centred.T @ ((y - level) * np.sqrt(weight)))
    return found, level - float(mean @ found)


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--celeba", type=Path, required=True, help="folder of CelebA's aligned pictures")
    parser.add_argument("--count", type=int, default=5000, help="composites")
    parser.add_argument("--composites", type=Path, help="file that keeps the composites")
    options = parser.parse_args()
    labels = json.loads(LABELS.read_text())["train"]
    if options.composites and options.composites.is_file():
        with np.load(options.composites) as kept:
            put_on, pictures = kept["put_on"].tolist(), kept["pictures"]
    else:
        made = list(composites(options.celeba, labels["first"], options.count))
        put_on, pictures = [kind for kind, _ in made], np.stack([picture for _, picture in made])
        if options.composites:
            np.savez(options.composites, put_on=put_on, pictures=pictures)
    real = list(real_faces(options.celeba, labels))
    mirrored = [(name, np.ascontiguousarray(crop[:, ::-1])) for name, crop in real]
    named = {name for kind in ROWS for name in (*labels[kind], *labels["unsure"].get(kind, ()))}
    smooth = featureless([crop for name, crop in real if name not in named])
    x = np.stack([features(picture) for picture in (*(crop for _, crop in real + mirrored), *pictures, *smooth)])
    model = {}
    for kind in ROWS:
        wears = np.array([name in labels[kind] for name, _ in real + mirrored])
        unsure = np.array([name in labels["unsure"].get(kind, ()) for name, _ in real + mirrored])
        shows = np.array([put == kind for put in put_on])
        y = np.concatenate([np.where(np.concatenate([wears, shows]), 1, -1), np.full(len(smooth), -1)])
        weight = np.concatenate(
            [
                np.where(unsure, 0.0, np.where(wears, WEARER, BARE)),
                np.where(shows, COMPOSITE, UNKNOWN),
                np.full(len(smooth), BARE),
            ]
        )
        weights, level = ridge(x[:, looked_at(kind)], y.astype(np.float32), weight.astype(np.float32))
        model[kind] = np.append(weights, level + OFFSETS[kind]).astype(np.float32)
    np.savez(MODEL, **model)


if __name__ == "__main__":  # landmarks are found in processes of their own, which import this file
    main()

"""Pictures that the parser learns from: crops of open portraits, bare and with occluders put on, with a map a class.

Used by `train_parser.py`. Each composite shows for sure what was put on it and where: the map of a class is what is
visible of its occluders, those that lie over them taken off.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.models.accessory_network import CLASSES

PICTURE_PX, MAP_PX = 128, 64
SEED = 11
OUTSIDE = 0.3
"""Share of a crop that may lie outside its photograph: portraits are cut tightly."""

WEIGHTS = {
    "sunglasses": 1.0,
    "eyeglasses": 1.6,
    "goggles": 0.4,
    "mask": 1.2,
    "scarf": 0.5,
    "veil": 0.4,
    "hat": 1.3,
    "hood": 0.7,
    "hand": 1.6,
    "cup": 0.6,
    "phone": 0.6,
    "microphone": 0.5,
    "shield": 0.15,
}
"""How often each kind is drawn; clear glasses and hands are hardest to find, and are drawn most."""

TWO, THREE = 0.25, 0.06
"""Shares of faces with two and three occluders."""

CLASS_OF_KIND = {
    **dict.fromkeys(("sunglasses", "eyeglasses", "goggles"), "eyewear"),
    **dict.fromkeys(("mask", "scarf", "veil"), "mask"),
    **dict.fromkeys(("hat", "hood"), "hat"),
    **dict.fromkeys(("hand", "cup", "phone", "microphone"), "hand"),
}
UNSURE_OF_KIND = {"veil": ("hat",), "shield": ("hat", "mask", "eyewear")}
"""Classes of which a kind does not say whether they are there: many veils hang on a headscarf."""

SEEN, HARDLY_SEEN = 0.012, 0.003
"""Shares of the crop from which a class counts as there, and below which as absent; between them nothing is said."""
SEEN_OF_EYEWEAR = 0.004, 0.001
"""The same for eyewear: rims are thin."""


@dataclass(frozen=True)
class Pictures:
    """What was made of some photographs.

    `pictures_NHWC` are RGB uint8 at `PICTURE_PX`, `maps_NHWC` uint8 at `MAP_PX`, a channel a class; `there_NC` is 1
    where the class is there, 0 where it is not, -1 where nothing is said. `paths` name the photographs, one a picture;
    `kinds` what was put on, joined by `+`, empty for the photograph itself.
    """

    pictures_NHWC: npt.NDArray[np.uint8]
    maps_NHWC: npt.NDArray[np.uint8]
    there_NC: npt.NDArray[np.int8]
    paths: npt.NDArray[np.str_]
    kinds: npt.NDArray[np.str_]

    def save(self, path: Path) -> None:
        """Write all to one file."""
        np.savez(path, **vars(self))

    @classmethod
    def load(cls, path: Path) -> Pictures:
        """Read what `save` wrote."""
        with np.load(path) as kept:
            return cls(**{name: kept[name] for name in kept.files})


def make(photographs: Path, of_each: int, workers: int, only: Sequence[str] = ()) -> Pictures:
    """Crop every photograph of a folder that shows a face, and put occluders on it.

    Args:
        photographs: Folder with the photographs.
        of_each: Composites a photograph, in addition to the photograph itself.
        workers: Processes.
        only: Paths within the folder; none means all.
    """
    from fdgen.faces.detection import FaceCache, Landmarks, default_cache_path, detect
    from fdgen.faces.folders import FolderFaces

    faces = FolderFaces(photographs)
    sources = [source for source in faces.sources() if not only or source.path in only]
    with FaceCache(default_cache_path()) as cache:
        found = detect(faces, sources, size_px=PICTURE_PX, cache=cache, max_outside=OUTSIDE, workers=workers)
    tasks = []
    for source in sources:
        landmarks = found[source.sha256]
        if isinstance(landmarks, Landmarks):
            tasks.append((photographs, source, landmarks, of_each))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        rows = [row for rows in pool.imap(_of_one, tasks, chunksize=8) for row in rows]
    pictures, maps, there, paths, kinds = zip(*rows, strict=True)
    return Pictures(np.stack(pictures), np.stack(maps), np.stack(there), np.array(paths), np.array(kinds))


def _of_one(task: tuple[Path, Any, Any, int]) -> list[tuple[Any, ...]]:
    return list(composites(*task))


def composites(photographs: Path, source: Any, landmarks: Any, of_each: int) -> Iterator[tuple[Any, ...]]:
    """Yield picture, maps, what is there, path and kinds: of the photograph itself, then of each composite."""
    from fdgen.assets import AssetLibrary
    from fdgen.faces.detection import load_face
    from fdgen.faces.folders import FolderFaces
    from fdgen.recipe.combinations import Several, combination_shares
    from fdgen.recipe.schema import Recipe
    from fdgen.render.scene import Scene
    from fdgen.runtime.rng import sample_rng
    from fdgen.synthesis.generator import composite_layers, draw_placements, render_layers

    cv2.setNumThreads(1)
    recipe, library = Recipe.load("everything"), AssetLibrary.load()
    scene = Scene.of(load_face(FolderFaces(photographs), source, landmarks))
    nothing = np.zeros((MAP_PX, MAP_PX, len(CLASSES)), np.uint8)
    yield scene.face.clean_HWC, nothing, np.zeros(len(CLASSES), np.int8), source.path, ""
    total = sum(WEIGHTS.values())
    shares = combination_shares(
        {kind: weight / total for kind, weight in WEIGHTS.items()}, Several(two=TWO, three=THREE, never=())
    )
    combinations, odds = list(shares), np.array(list(shares.values()))
    for variant in range(of_each):
        rng = sample_rng(SEED, source.sha256, variant)
        combination = combinations[int(rng.choice(len(combinations), p=odds / odds.sum()))]
        placements = draw_placements(scene, combination, recipe, library, "test", rng)
        layers = render_layers(scene, placements, library)
        occluded = composite_layers(scene, layers)[0]
        maps, there = seen_of([placement.kind for placement in placements], layers)
        yield occluded, maps, there, source.path, "+".join(combination)


def seen_of(kinds: Sequence[str], layers: Sequence[Any]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
    """Return what is visible of each class (MAP_PX, MAP_PX, C), 0 to 255, and whether it is there (C,): 1, 0 or -1."""
    visible = np.zeros((*layers[0].opacity_HW.shape, len(CLASSES)), np.float32)
    unsure = {name for kind in kinds for name in UNSURE_OF_KIND.get(kind, ())}
    for kind, layer in zip(kinds, layers, strict=True):
        visible *= 1 - np.clip(layer.opacity_HW, 0, 1)[..., None]
        if kind in CLASS_OF_KIND:
            channel = visible[..., CLASSES.index(CLASS_OF_KIND[kind])]
            np.maximum(channel, np.maximum(layer.silhouette_HW, layer.clear_HW), out=channel)
    there = np.zeros(len(CLASSES), np.int8)
    for n, name in enumerate(CLASSES):
        share = float(visible[..., n].mean())
        enough, hardly = SEEN_OF_EYEWEAR if name == "eyewear" else (SEEN, HARDLY_SEEN)
        there[n] = 1 if share >= enough else -1 if share >= hardly or name in unsure else 0
    small = cv2.resize(np.clip(visible, 0, 1), (MAP_PX, MAP_PX), interpolation=cv2.INTER_AREA)
    return np.round(small * 255).astype(np.uint8), there

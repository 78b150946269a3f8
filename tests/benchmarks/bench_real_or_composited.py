"""Can a small network tell the outline of an occluder from an outline that the camera saw?

    python -m tests.benchmarks.bench_real_or_composited --faces PORTRAITS
    python -m tests.benchmarks.bench_real_or_composited --faces PORTRAITS --real REAL_OCCLUDED --sheet found

Prints JSON: the area under the ROC curve (AUC; 0.5 is chance) over 16 px patches of faces that the network has not seen
(three folds by face), with 95 % intervals from bootstraps over faces: for our composites (`ours`) and for plain pastes
of the same silhouettes (`paste`), half of them one flat colour, half a made texture, antialiased.

How it is kept fair, since content gives patches away too (cloth is not skin, and hair is never an occluder):

- Both classes are centred by the same edge detector, at a scale (sigma 2 px) too coarse to see sharpness or noise.
- Natural edges come from the same photographs, from outside eyes, nose and mouth: hair, hats, collars, jaws, grounds.
- Equal numbers of both in every stratum of four traits measured at that scale: contrast, straightness, how alone the
  edge is (hair and leaves have others beside them), and contrast of colour.
- What is smooth (colour, shading, form) is taken off, and each of Y, Cb and Cr is brought to the same spread.
- Patches are turned and mirrored at random; the network is small and sees 16 px alone.

What content is left can be measured: `--real` gives photographs of people behind real masks, glasses and hands, with
the outlines that were drawn over them by hand; `real` is the AUC of the same test between the outlines of those real
occluders and the other edges of their photographs. No composite needs to do better than that.

`--sheet NAME` writes the patches that gave themselves away most, with their surroundings (NAME-ours.png, ...).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
import numpy.typing as npt
import torch

from fdgen.analysis.geometry import region_mask
from fdgen.assets import AssetLibrary
from fdgen.contract.frame import CELEBA_TOP_PX, CELEBA_WIDTH_PX
from fdgen.contract.records import Triplet
from fdgen.faces.cache import FaceCache, default_cache_path
from fdgen.faces.detection import Landmarks, detect, load_face
from fdgen.faces.face import Face
from fdgen.faces.folders import open_faces
from fdgen.io.pictures.images import decode, resize
from fdgen.occluders import OCCLUDERS, Placement
from fdgen.recipe.schema import Recipe
from fdgen.render.scene import Scene
from fdgen.synthesis.generator import generate
from tests.benchmarks.outline_patches import PATCH_PX, Patches, cut, near_outline
from tests.benchmarks.patch_net import Scored, auc, cross_fit

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

PATCHES_A_PICTURE = 24
NATURAL_A_FACE = 400
"""Many more than are used: every stratum wants some."""
_DRAWN_BY_HAND_PX = 3
"""How far, at 256 px, an outline drawn by hand may lie off the edge."""


class Pool:
    """Patches of one class, and the pictures they were cut from."""

    def __init__(self) -> None:
        self.pictures: list[U8] = []
        self._parts: list[Patches] = []

    def add(self, picture_HWC: U8, where_HW: Bools, n: int, face: int, rng: np.random.Generator) -> None:
        """Cut at most `n` patches of a picture of a face."""
        self._parts.append(cut(picture_HWC, where_HW, n, face, len(self.pictures), rng))
        self.pictures.append(picture_HWC)

    def patches(self) -> Patches:
        """Return all of them."""
        return Patches.join(self._parts)


def load_faces(folder: str | None, count: int, size_px: int) -> list[Face]:
    """Return the first photographs in which a face is found."""
    faces = open_faces(folder)
    sources = faces.sources()[:count]
    with FaceCache(default_cache_path()) as cache:
        found = detect(faces, sources, size_px=size_px, cache=cache)
    return [load_face(faces, one, marks) for one in sources if isinstance(marks := found[one.sha256], Landmarks)]


def paste(scene: Scene, triplet: Triplet, library: AssetLibrary, rng: np.random.Generator) -> tuple[U8, U8]:
    """Lay a flat colour or a made texture through the occluder's own silhouette: (picture_HWC, alpha_HW)."""
    alpha = np.zeros(triplet.alpha_HW.shape, np.float32)
    for values in triplet.record.placement:
        placement = Placement.from_dict(values)
        layer = OCCLUDERS[placement.kind].render(scene, placement, library[placement.asset_id])
        alpha = np.maximum(alpha, layer.silhouette_HW)
    colour = np.broadcast_to(rng.uniform(0, 255, 3), triplet.clean_HWC.shape)
    if rng.random() < 0.5:
        for sigma, strength in ((1.0, 25), (3.0, 120), (8.0, 300)):
            colour = colour + strength * cv2.GaussianBlur(rng.standard_normal(alpha.shape), (0, 0), sigma)[..., None]
    pasted = triplet.clean_HWC + (np.clip(colour, 0, 255) - triplet.clean_HWC) * alpha[..., None]
    return (pasted + 0.5).astype(np.uint8), (255 * alpha + 0.5).astype(np.uint8)


def inner_face(face: Face) -> Bools:
    """Return where eyes, nose and mouth are: their edges are no outlines of objects."""
    size = face.landmarks.size_px
    inside = region_mask(face.landmarks.points_px, "face", size)
    margin = max(3, round(size * 0.05)) | 1
    return np.asarray(cv2.erode(inside, np.ones((margin, margin), np.uint8)) > 0)


def gather(faces: list[Face], variants: int, recipe: Recipe, seed: int) -> tuple[dict[str, Pool], list[str]]:
    """Make composites and pastes, and cut patches: pools by name, and the kinds of each composite."""
    library, rng = AssetLibrary.load(), np.random.default_rng(seed)
    pools = {name: Pool() for name in ("natural", "ours", "paste")}
    kinds = []
    for number, face in enumerate(faces):
        scene = Scene.of(face)
        pools["natural"].add(face.clean_HWC, ~inner_face(face), NATURAL_A_FACE, number, rng)
        for variant in range(variants):
            triplet = generate(face, recipe, library, variant, analysis=scene.analysis)
            if not isinstance(triplet, Triplet):
                continue
            pasted, alpha = paste(scene, triplet, library, rng)
            pools["ours"].add(triplet.occluded_HWC, near_outline(triplet.alpha_HW), PATCHES_A_PICTURE, number, rng)
            pools["paste"].add(pasted, near_outline(alpha), PATCHES_A_PICTURE, number, rng)
            kinds.append("+".join(triplet.record.kinds))
    return pools, kinds


def gather_real(folder: Path, size_px: int, seed: int) -> tuple[Pool, Pool]:
    """Cut patches of photographs of real occluders: across the outlines drawn by hand, and anywhere else."""
    from outlines import load

    rng = np.random.default_rng(seed)
    worn, natural = Pool(), Pool()
    rows, columns = np.mgrid[:size_px, :size_px] / size_px
    # Eyes, nose and mouth in CelebA's frame: no landmarks can be trusted on faces half hidden.
    features = ((columns - 0.5) / 0.19) ** 2 + ((rows - 0.62) / 0.27) ** 2 < 1
    for number, labelled in enumerate(load()):
        picture = decode((folder / labelled.name).read_bytes(), name=labelled.name)
        picture = picture[CELEBA_TOP_PX : CELEBA_TOP_PX + CELEBA_WIDTH_PX]
        crop = resize(np.ascontiguousarray(picture), size_px, size_px)
        covered, counts = (
            cv2.resize(part.astype(np.uint8) * 255, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
            for part in labelled.regions()
        )
        outline = near_outline(covered, _DRAWN_BY_HAND_PX)
        worn.add(crop, outline & (counts > 128), PATCHES_A_PICTURE, number, rng)
        around = cv2.dilate(covered, np.ones((PATCH_PX, PATCH_PX), np.uint8)) > 0
        natural.add(crop, ~around & ~features & (counts > 128), NATURAL_A_FACE, number, rng)
    return worn, natural


def draw_sheet(path: str, pool: Pool, patches: Patches, scores_N: F32, n: int = 48) -> None:
    """Write the highest scoring patches, one a picture, framed in what surrounds them."""
    reach, seen, tiles = 24, set(), []
    for number in np.argsort(-scores_N):
        picture, row, column = patches.place_N3[number].tolist()
        if picture in seen or len(tiles) == n:
            continue
        seen.add(picture)
        wide = cv2.copyMakeBorder(pool.pictures[picture], reach, reach, reach, reach, cv2.BORDER_CONSTANT)
        tile = wide[row : row + 2 * reach, column : column + 2 * reach].repeat(4, 0).repeat(4, 1)
        low, high = 4 * (reach - PATCH_PX // 2) - 1, 4 * (reach + PATCH_PX // 2)
        tiles.append(cv2.rectangle(np.ascontiguousarray(tile), (low, low), (high, high), (255, 255, 0), 1))
    rows = [np.hstack(tiles[start : start + 8]) for start in range(0, len(tiles) // 8 * 8, 8)]
    if rows:
        cv2.imwrite(path, cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def figures(scored: Scored, kinds: list[str], start: float) -> dict[str, Any]:
    """Return the figures of one test."""
    kind = np.array(kinds)[scored.first.place_N3[:, 0]] if kinds else np.array([])
    return {
        "auc": round(scored.auc(), 3),
        "interval_95": [round(bound, 3) for bound in scored.interval(seed=0)],
        "patches_a_class": len(scored.first_N),
        "auc_by_kind": {
            str(one): round(auc(scored.first_N[kind == one], scored.second_N), 3) for one in np.unique(kind)
        },
        "cpu_s": round(time.process_time() - start, 1),
    }


def main() -> None:
    """Run the tests asked for and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", default=None, help="folder of faces; default: the embedded ones, which are too few")
    parser.add_argument("--count", type=int, default=130, help="photographs, at most")
    parser.add_argument("--variants", type=int, default=2, help="composites a photograph")
    parser.add_argument("--kind", choices=tuple(OCCLUDERS), default=None)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("ours", "paste", "real"), nargs="*", default=["ours", "paste"])
    parser.add_argument("--real", type=Path, default=None, help="folder of real occluders; adds their test")
    parser.add_argument("--sheet", default=None, help="start of the names of contact sheets")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    overrides: list[str | tuple[str, Any]] = [("size_px", args.size)]
    if args.kind:
        overrides += [(f"kinds.{name}", float(name == args.kind)) for name in OCCLUDERS]
    recipe = Recipe.load("default", overrides)
    faces = load_faces(args.faces, args.count, args.size)
    pools, kinds = gather(faces, args.variants, recipe, args.seed)
    tests = {name: (pools[name], pools["natural"]) for name in ("ours", "paste") if name in args.only}
    if args.real:
        tests["real"] = gather_real(args.real, args.size, args.seed)
    result: dict[str, Any] = {"faces": len(faces), "variants": args.variants, "size_px": args.size, "seed": args.seed}
    for name, (made, natural) in tests.items():
        start = time.process_time()
        scored = cross_fit(made.patches(), natural.patches(), args.seed)
        result[name] = figures(scored, kinds if name != "real" else [], start)
        if args.sheet:
            draw_sheet(f"{args.sheet}-{name}.png", made, scored.first, scored.first_N)
            draw_sheet(f"{args.sheet}-{name}-natural.png", natural, scored.second, -scored.second_N)
    result |= {"recipe": recipe.digest(), "versions": {"torch": torch.__version__, "numpy": np.__version__}}
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

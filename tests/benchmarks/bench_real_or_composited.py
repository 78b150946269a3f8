"""Can a small network tell the outline of an occluder from an outline that the camera saw?

    python tests/benchmarks/bench_real_or_composited.py --faces DIR --sheet /tmp/found.png

Prints JSON: the area under the ROC curve (AUC, 0.5 is chance) over patches of faces that the network has not seen, for
our composites and for plain pastes of the same silhouettes, with 95 % intervals from bootstraps over faces.
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
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np
import numpy.typing as npt
import torch
from outline_patches import PATCH_PX, Patches, cut, match, near_outline
from torch import nn

from fdgen.assets import AssetLibrary
from fdgen.cache import FaceCache, default_cache_path
from fdgen.contract import Triplet
from fdgen.faces import Face, open_faces
from fdgen.generate import generate
from fdgen.geometry import REGIONS, region_mask
from fdgen.landmarks import Landmarks, detect, load_face
from fdgen.occluders import OCCLUDERS, Placement
from fdgen.recipe import Recipe
from fdgen.scene import Scene

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

FOLDS = 3
PATCHES_A_PICTURE = 24
EPOCHS = 10
BATCH = 128


def load_faces(folder: str | None, count: int, size_px: int) -> list[Face]:
    faces = open_faces(folder)
    sources = faces.sources()[:count]
    with FaceCache(default_cache_path()) as cache:
        found = detect(faces, sources, size_px=size_px, cache=cache)
    return [
        load_face(faces, source, marks) for source in sources if isinstance(marks := found[source.sha256], Landmarks)
    ]


def paste(scene: Scene, triplet: Triplet, library: AssetLibrary, rng: np.random.Generator) -> tuple[U8, U8]:
    """Lay a flat colour or a made texture over the photograph through the occluder's own silhouette, antialiased."""
    alpha = np.zeros(triplet.alpha_HW.shape, np.float32)
    for values in triplet.record.placement:
        placement = Placement.from_dict(values)
        layer = OCCLUDERS[placement.kind].render(scene, placement, library[placement.asset_id])
        alpha = np.maximum(alpha, layer.silhouette_HW)
    colour = np.broadcast_to(rng.uniform(0, 255, 3), triplet.clean_HWC.shape).astype(np.float32)
    if rng.random() < 0.5:
        for sigma, strength in ((1.0, 25), (3.0, 120), (8.0, 300)):
            colour = colour + strength * cv2.GaussianBlur(rng.standard_normal(alpha.shape), (0, 0), sigma)[..., None]
    blend = triplet.clean_HWC + (np.clip(colour, 0, 255) - triplet.clean_HWC) * alpha[..., None]
    return np.asarray(blend + 0.5).astype(np.uint8), (255 * alpha + 0.5).astype(np.uint8)


def gather(faces: list[Face], variants: int, recipe: Recipe, sensor_seed: int) -> dict[str, Any]:
    library = AssetLibrary.load()
    rng = np.random.default_rng(sensor_seed)
    parts: dict[str, list[Patches]] = {"natural": [], "ours": [], "paste": []}
    pictures: dict[str, list[U8]] = {name: [] for name in parts}
    kinds: list[str] = []
    for n, face in enumerate(faces):
        scene = Scene.of(face)
        outlines = ~inner_face(face)
        parts["natural"].append(cut(face.clean_HWC, outlines, 10 * variants * PATCHES_A_PICTURE, n, n, rng))
        pictures["natural"].append(face.clean_HWC)
        for variant in range(variants):
            triplet = generate(face, recipe, library, variant, analysis=scene.analysis)
            if not isinstance(triplet, Triplet):
                continue
            pasted = paste(scene, triplet, library, rng)
            for name, (picture, alpha) in (("ours", (triplet.occluded_HWC, triplet.alpha_HW)), ("paste", pasted)):
                where = near_outline(alpha)
                parts[name].append(cut(picture, where, PATCHES_A_PICTURE, n, len(pictures[name]), rng))
                pictures[name].append(picture)
            kinds.append("+".join(triplet.record.kinds))
    return {"patches": {k: Patches.join(v) for k, v in parts.items()}, "pictures": pictures, "kinds": np.array(kinds)}


def inner_face(face: Face) -> npt.NDArray[np.bool_]:
    """Eyes, nose and mouth: their edges are no outlines of objects."""
    size = face.landmarks.size_px
    inside = region_mask(face.landmarks.points_px, "face", size)
    k = max(3, round(size * 0.05)) | 1
    return np.asarray(cv2.erode(inside.astype(np.uint8), np.ones((k, k), np.uint8)) > 0)


class PatchNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((3, 16, 1), (16, 24, 2), (24, 32, 1), (32, 48, 2)):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(96, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.body(x)
        return self.head(torch.cat([h.mean((2, 3)), h.amax((2, 3))], 1))[:, 0]


def train(x: F32, y: F32, seed: int) -> PatchNet:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = PatchNet()
    steps = EPOCHS * (len(x) // BATCH)
    opt = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0.02)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 4e-3, total_steps=max(steps, 10))
    xs, ys = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            batch = xs[order[start : start + BATCH]]
            batch = torch.rot90(batch, int(rng.integers(4)), (2, 3))
            if rng.random() < 0.5:
                batch = batch.flip(3)
            loss = nn.functional.binary_cross_entropy_with_logits(net(batch), ys[order[start : start + BATCH]])
            opt.zero_grad()
            loss.backward()
            opt.step()
            plan.step()
    return net.eval()


@torch.no_grad()
def score(net: PatchNet, x: F32) -> F32:
    xs = torch.from_numpy(x)
    total = sum(net(torch.rot90(xs, k, (2, 3))) for k in range(4))
    return np.asarray(total / 4)


def auc(pos: F32, neg: F32) -> float:
    both = np.concatenate([pos, neg])
    order = both.argsort(kind="stable")
    rank = np.empty(len(both))
    rank[order] = np.arange(1, len(both) + 1)
    return float((rank[: len(pos)].sum() - len(pos) * (len(pos) + 1) / 2) / (len(pos) * len(neg)))


def test(made: Patches, natural: Patches, seed: int) -> tuple[F32, F32, Patches, Patches]:
    """Cross-fit: every patch is scored by a network that has not seen its face."""
    rng = np.random.default_rng(seed)
    made, natural = match(made, natural, rng)
    made_score, natural_score = np.zeros(len(made), np.float32), np.zeros(len(natural), np.float32)
    n_faces = int(max(made.face_N.max(), natural.face_N.max())) + 1
    fold_of = rng.permutation(n_faces) % FOLDS
    for fold in range(FOLDS):
        m, k = fold_of[made.face_N] == fold, fold_of[natural.face_N] == fold
        x = np.concatenate([made.pixels_N3HW[~m], natural.pixels_N3HW[~k]])
        y = np.concatenate([np.ones((~m).sum()), np.zeros((~k).sum())]).astype(np.float32)
        net = train(x, y, seed + fold)
        made_score[m], natural_score[k] = score(net, made.pixels_N3HW[m]), score(net, natural.pixels_N3HW[k])
    return made_score, natural_score, made, natural


def interval(ms: F32, ns: F32, mf: Any, nf: Any, rng: np.random.Generator, rounds: int = 200) -> list[float]:
    faces = np.unique(np.concatenate([mf, nf]))
    mi = {f: np.nonzero(mf == f)[0] for f in faces}
    ni = {f: np.nonzero(nf == f)[0] for f in faces}
    values = []
    for _ in range(rounds):
        drawn = rng.choice(faces, len(faces))
        values.append(auc(ms[np.concatenate([mi[f] for f in drawn])], ns[np.concatenate([ni[f] for f in drawn])]))
    return [round(float(v), 3) for v in np.percentile(values, (2.5, 97.5))]


def sheet(path: str, scores: F32, patches: Patches, pictures: list[U8], n: int = 48) -> None:
    """Highest and lowest scoring patches with their surroundings."""
    def tile(i: int) -> U8:
        p, r, c = patches.place_N3[i]
        big = cv2.copyMakeBorder(pictures[p], 24, 24, 24, 24, cv2.BORDER_REPLICATE)[r : r + 48, c : c + 48]
        big = cv2.resize(big, (192, 192), interpolation=cv2.INTER_NEAREST)
        cv2.rectangle(big, (63, 63), (128, 128), (255, 255, 0), 1)
        return big
    order = np.argsort(-scores)
    # one a picture
    seen: set[int] = set()
    best = [i for i in order if not (patches.place_N3[i, 0] in seen or seen.add(patches.place_N3[i, 0]))][:n]
    rows = [np.hstack([tile(i) for i in best[k : k + 8]]) for k in range(0, len(best) - 7, 8)]
    cv2.imwrite(path, cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", default=None)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--variants", type=int, default=3)
    parser.add_argument("--kind", default=None)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--sheet", default=None)
    parser.add_argument("--only", default="ours,paste")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    start = time.process_time()
    overrides: list[Any] = [("size_px", args.size)]
    if args.kind:
        overrides += [(f"kinds.{k}", float(k == args.kind)) for k in OCCLUDERS]
    faces = load_faces(args.faces, args.count, args.size)
    data = gather(faces, args.variants, Recipe.load("default", overrides), 0)
    gathered = time.process_time()
    out: dict[str, Any] = {"faces": len(faces), "gather_s": gathered - start}
    for name in args.only.split(","):
        ms, ns, made, natural = test(data["patches"][name], data["patches"]["natural"], 0)
        out[name] = {"auc": round(auc(ms, ns), 3), "interval": interval(ms, ns, made.face_N, natural.face_N, np.random.default_rng(0)), "n": len(ms)}
        kind = data["kinds"][made.place_N3[:, 0]]
        out[name]["by_kind"] = {k: round(auc(ms[kind == k], ns), 3) for k in np.unique(kind)}
        out[name]["cpu_s"] = round(time.process_time() - gathered, 1)
        if args.sheet:
            sheet(args.sheet + f"-{name}.png", ms, made, data["pictures"][name])
            sheet(args.sheet + f"-{name}-low.png", -ms, made, data["pictures"][name])
            sheet(args.sheet + f"-{name}-natural.png", -ns, natural, data["pictures"]["natural"])
            sheet(args.sheet + f"-{name}-natural-wrong.png", ns, natural, data["pictures"]["natural"])
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()

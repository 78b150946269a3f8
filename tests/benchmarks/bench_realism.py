"""Do occluders pass for real: halo, noise and light of many pairs, beside plain pastes of the same silhouettes.

    python -m tests.benchmarks.bench_realism --faces DIR                  # 1,000 pairs of the default recipe
    python -m tests.benchmarks.bench_realism --faces DIR --count 100

Prints JSON. The figures:

- halo: share of outline pixels brighter or darker than everything near them (`fdgen.synthesis.realism.halo`);
  `of_photograph` is the same measure along the same outlines on the clean pictures, where no outline is.
- noise_ratio: noise on the occluder against the noise on the face, at flat spots of both (`fdgen.analysis.noise`);
  `face_halves` is that of the left half of each face against its right one: how well real pictures do.
- light_deg: the occluder is rendered again as white matte cloth (reflectance 0.6, or bright photographs would clip it),
  put through blur, noise and rounding, and the lamp that its pixels show is compared with the lamp on the face, where a
  face has one. `estimator` is the error of that estimate on the same silhouettes lit by a lamp that is known.
- plain: the silhouette filled with the occluder's median colour and pasted by its alpha: no light, shadow or sensor.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from fdgen.analysis.directional_light import DirectionalLight, fit_directional_light
from fdgen.analysis.lighting import luminance, outlined_skin, to_linear
from fdgen.analysis.noise import luma, noise_levels
from fdgen.assets import AssetLibrary
from fdgen.contract.records import Reject
from fdgen.faces.detection import Landmarks, detect, load_face
from fdgen.faces.folders import open_faces
from fdgen.occluders import Placement, occluder_of
from fdgen.recipe.schema import Recipe
from fdgen.render import draw as render
from fdgen.render.composite import match_sensor
from fdgen.render.mesh import PLAIN, Mesh
from fdgen.render.rasteriser import SUPERSAMPLE, rasterise
from fdgen.render.scene import FAR, Scene, sample_points
from fdgen.synthesis import generator, realism

WHITE = 0.6
DIRECTIONAL = 0.35
"""Share of one lamp in a face's light from which the face counts as lit from somewhere."""
EXPLAINED = 0.05
"""A shading of which a lamp explains less shows no light at all; it counts as a miss."""
LIMIT_DEG = 25.0
NOISE_LIMITS = (0.8, 1.25)
LEAST_PIXELS = 100

Drawn = tuple[Mesh, render.Style]


@contextmanager
def recorded_draws() -> Iterator[list[Drawn]]:
    """Record what occluders hand to the renderer."""
    drawn: list[Drawn] = []

    def draw(scene: Scene, mesh: Mesh, style: render.Style, **options: Any) -> render.Layer:
        drawn.append((mesh, style))
        return render.draw(scene, mesh, style, **options)

    modules = [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("fdgen.occluders.") and getattr(module, "draw", None) is render.draw
    ]
    patches = [mock.patch.object(module, "draw", draw) for module in modules]
    for patch in patches:
        patch.start()
    try:
        yield drawn
    finally:
        for patch in patches:
            patch.stop()


def white_matte(mesh: Mesh) -> Mesh:
    """Return a mesh of the same shape, white, matte and opaque."""
    surface = mesh.surface_N8.copy()
    surface[:, 0] = 1
    surface[:, 2] = 0
    surface[:, 4:7] = 0
    surface[:, 7] = 1
    albedo = np.full_like(mesh.albedo_N3, WHITE)
    return replace(mesh, albedo_N3=albedo, surface_N8=surface, texture=PLAIN)


def visible_normals(scene: Scene, drawn: Sequence[Drawn]) -> tuple[Any, Any]:
    """Return the normals that a pixel shows, in the camera's frame (H, W, 3), and where there are any (H, W)."""
    size, step = scene.size_px, SUPERSAMPLE
    normals, hit = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.bool_)
    for mesh, style in drawn:
        depth = np.full_like(scene.depth_HW, FAR)
        if style.depth_test:
            depth = scene.depth_HW - np.float32(style.bias_cm * scene.pose.scale_px)
        ids = np.full(depth.shape, -1, np.int32)
        bary = np.zeros((2, *depth.shape), np.float32)
        rasterise(sample_points(scene.pose, mesh.vertices_cm), mesh.faces, depth, ids, (bary[0], bary[1]))
        ids, bary = ids[::step, ::step], bary[:, ::step, ::step]
        turned = scene.pose.to_view(mesh.normals).astype(np.float32)
        turned[mesh.two_sided_N & (turned[:, 2] < -0.15)] *= -1
        corner = mesh.faces[np.maximum(ids, 0)]
        weights = (bary[0, ..., None], bary[1, ..., None], 1 - bary.sum(0)[..., None])
        here = sum(weight * turned[corner[..., k]] for k, weight in enumerate(weights))
        here /= np.linalg.norm(here, axis=-1, keepdims=True) + np.float32(1e-9)
        normals[ids >= 0] = here[ids >= 0]
        hit |= ids >= 0
    return normals, hit


def lamp_of_pixels(picture_HWC: Any, alpha_HW: Any, normals_HW3: Any, hit_HW: Any) -> DirectionalLight | None:
    """Fit a lamp to the pixels of an occluder of one colour; None where too few are whole and not cut off."""
    chosen = hit_HW & (alpha_HW == 255) & (normals_HW3[..., 2] > 0.05) & (picture_HWC.max(-1) < 250)
    every_other = np.zeros_like(chosen)
    every_other[::2, ::2] = True
    chosen &= every_other
    if chosen.sum() < LEAST_PIXELS:
        return None
    seen = luminance(to_linear(np.ascontiguousarray(picture_HWC)))[chosen]
    return fit_directional_light(normals_HW3[chosen], seen, np.ones(len(seen)))


def off_deg(lamp: DirectionalLight, direction: Any) -> float:
    """Return by how much a lamp misses a direction: 180 where it explains nothing."""
    return realism.angle_deg(lamp.direction, direction) if lamp.explained >= EXPLAINED else 180.0


def under_known_lamp(scene: Scene, rng: np.random.Generator) -> Scene:
    """Put a scene under a lamp 10 to 65 degrees off the viewer that gives 0.4 to 0.9 of its light."""
    polar, around = np.radians(rng.uniform(10, 65)), rng.uniform(0, 2 * np.pi)
    side = np.sin(polar)
    direction = np.array([side * np.cos(around), side * np.sin(around), np.cos(polar)], np.float32)
    level, share = scene.light.mean_irradiance, float(rng.uniform(0.4, 0.9))
    lamp = DirectionalLight(direction, share * level, (1 - share) * level, 1.0)
    light = replace(
        scene.light,
        harmonics=lamp.harmonics().astype(np.float32),
        direction=direction,
        directional=share,
        residual=np.ones_like(scene.light.residual),
    )
    return replace(scene, analysis=replace(scene.analysis, light=light))


def plain_paste(clean_HWC: Any, occluded_HWC: Any, alpha_HW: Any) -> Any:
    """Fill the silhouette with the occluder's median colour."""
    whole = alpha_HW == 255
    colour = np.median(occluded_HWC[whole if whole.any() else alpha_HW > 0], axis=0)
    share = alpha_HW[..., None] / 255.0
    return np.round(clean_HWC * (1 - share) + colour * share).astype(np.uint8)


def face_halves(scene: Scene) -> float | None:
    """Compare the noise of the two halves of a face, as the noise of occluder and face is compared."""
    grey, skin = luma(scene.face.clean_HWC), outlined_skin(scene.face.landmarks.points_px, scene.size_px)
    left = np.arange(scene.size_px)[None] < scene.face.landmarks.points_px[1, 0]
    first, second = noise_levels(grey, skin & left), noise_levels(grey, skin & ~left)
    return None if first is None or not second else first / second


def measure_pair(face: Any, recipe: Recipe, library: AssetLibrary, variant: int, analysis: Any) -> dict[str, Any]:
    """Make one pair and its plain paste, and measure both; the reason alone where the face is rejected."""
    triplet = generator.generate(face, recipe, library, variant, analysis=analysis)
    if isinstance(triplet, Reject):
        return {"reject": triplet.reason}
    scene, record = Scene.of(face, analysis), triplet.record
    with recorded_draws() as drawn:
        for placement in map(Placement.from_dict, record.placement):
            asset = library[placement.asset_id]
            occluder_of(asset).render(scene, placement, asset)
    normals, hit = visible_normals(scene, drawn)
    seed = int(record.placement[0]["grain_seed"])
    optics = scene.analysis.optics

    def lamp_on_white(lit: Scene) -> DirectionalLight | None:
        white = [match_sensor(render.draw(lit, white_matte(mesh), style), optics, seed) for mesh, style in drawn]
        picture, _, alpha = generator.composite_layers(lit, white)
        return lamp_of_pixels(picture, alpha, normals, hit)

    found: dict[str, Any] = {"kind": "+".join(record.kinds), "attempt": record.attempt}
    found |= {f"gate_{name}": value for name, value in record.gates.items()}
    plain = plain_paste(face.clean_HWC, triplet.occluded_HWC, triplet.alpha_HW)
    flat = realism.measure(scene, [], plain, triplet.alpha_HW)
    natural = realism.halo(luma(face.clean_HWC), triplet.alpha_HW, optics.noise_levels)
    found |= {f"plain_{name}": flat[name] for name in ("halo", "noise_ratio") if name in flat}
    found |= {"natural_halo": natural, "directional": scene.light.directional}
    if scene.light.directional >= DIRECTIONAL and (lamp := lamp_on_white(scene)) is not None:
        found["light_deg"] = off_deg(lamp, scene.light.direction)
        whitewash = plain_paste(face.clean_HWC, np.full_like(plain, 200), triplet.alpha_HW)
        flat_lamp = lamp_of_pixels(whitewash, triplet.alpha_HW, normals, hit)
        found["plain_light_deg"] = None if flat_lamp is None else off_deg(flat_lamp, scene.light.direction)
    known = under_known_lamp(scene, np.random.default_rng([variant, int(record.source_sha256[:8], 16)]))
    if (lamp := lamp_on_white(known)) is not None:
        found["estimator_deg"] = off_deg(lamp, known.light.direction)
    return found


def quartiles(values: Any) -> dict[str, Any]:
    """Return how many values there are, and the 10th, 25th, 50th, 75th and 90th of a hundred."""
    if not len(values):
        return {"n": 0}
    return {"n": len(values), "p10_25_50_75_90": np.percentile(values, (10, 25, 50, 75, 90)).round(4).tolist()}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of some pairs."""

    def values(name: str) -> Any:
        return np.array([row[name] for row in rows if row.get(name) is not None], float)

    def within(found: Any, low: float, high: float) -> dict[str, Any]:
        share = round(float(((found >= low) & (found <= high)).mean()), 4) if len(found) else None
        return {**quartiles(found), "within": share}

    return {
        "pairs": len(rows),
        "halo": {
            "ours": quartiles(values("gate_halo")),
            "plain": quartiles(values("plain_halo")),
            "of_photograph": quartiles(values("natural_halo")),
        },
        "noise_ratio": {
            "ours": within(values("gate_noise_ratio"), *NOISE_LIMITS),
            "plain": within(values("plain_noise_ratio"), *NOISE_LIMITS),
        },
        "light_deg": {
            "ours": within(values("light_deg"), 0, LIMIT_DEG),
            "plain": within(values("plain_light_deg"), 0, LIMIT_DEG),
            "estimator": within(values("estimator_deg"), 0, LIMIT_DEG),
        },
        "gates": {name: quartiles(values(f"gate_{name}")) for name in realism.GATES},
    }


def measure(faces_dir: str | None, count: int, size_px: int) -> dict[str, Any]:
    """Run the benchmark: its figures over all pairs and by kind, against their targets."""
    cv2.setNumThreads(1)
    started = time.process_time()
    recipe, library, source = Recipe.load("default", [("size_px", size_px)]), AssetLibrary.load(), open_faces(faces_dir)
    sources = source.sources()[:count]
    marks = detect(source, sources, size_px=size_px, cache=None, workers=1)
    usable = [one for one in sources if isinstance(marks[one.sha256], Landmarks)]
    rows, halves, rejects = [], [], Counter[str]()
    for index, one in enumerate(usable):
        face = load_face(source, one, marks[one.sha256])
        scene = Scene.of(face)
        halves.append(face_halves(scene))
        for variant in range(-(-(count - index) // len(usable))):
            row = measure_pair(face, recipe, library, variant, scene.analysis)
            if "reject" in row:
                rejects[row["reject"]] += 1
            else:
                rows.append(row)
        sys.stderr.write(f"\r{index + 1} of {len(usable)} faces, {len(rows)} pairs")
        sys.stderr.flush()
    sys.stderr.write("\n")
    kinds = sorted({row["kind"] for row in rows})
    real = np.array([value for value in halves if value is not None])
    return {
        "all": summary(rows),
        "by_kind": {kind: summary([row for row in rows if row["kind"] == kind]) for kind in kinds},
        "face_halves_noise_ratio": {
            **quartiles(real),
            "within": round(float(((real >= NOISE_LIMITS[0]) & (real <= NOISE_LIMITS[1])).mean()), 4),
        },
        "drawn_again": dict(sorted(Counter(row["attempt"] for row in rows).items())),
        "rejects": dict(sorted(rejects.items())),
        "targets": {
            "halo": "median at most 0.01",
            "noise_ratio": f"within {list(NOISE_LIMITS)} for 0.9",
            "light_deg": f"within {LIMIT_DEG:g} for 0.9, of faces whose light is at least {DIRECTIONAL:g} one lamp's",
        },
        "faces": len(usable),
        "cpu_s": round(time.process_time() - started, 1),
        "recipe": recipe.digest(),
        "size_px": size_px,
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "opencv": cv2.__version__},
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", default=None, help="folder of faces; default: the embedded ones")
    parser.add_argument("--count", type=int, default=1000, help="pairs, over all faces in turn")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--out", type=Path, default=None, help="write the JSON here as well")
    args = parser.parse_args()
    text = json.dumps(measure(args.faces, args.count, args.size), indent=2) + "\n"
    sys.stdout.write(text)
    if args.out is not None:
        args.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

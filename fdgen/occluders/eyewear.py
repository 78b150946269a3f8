"""Sunglasses: rigid frames fitted to the nose, eyes and ears of a face, with lenses that tint, fade and reflect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from fdgen.assets import Asset
from fdgen.geometry import Floats, canonical_face
from fdgen.lighting import to_linear
from fdgen.mesh import Mesh, join, part
from fdgen.occluders.base import Placement
from fdgen.occluders.eyewear_finish import (
    draw_finish,
    draw_lens,
    draw_surroundings,
    frame_material,
    lens_material,
    pattern,
    surroundings,
    temple_finish,
)
from fdgen.occluders.eyewear_mesh import TEMPLE_RING, TEMPLE_RINGS, Front, Surface, temple_mesh, turn_matrix
from fdgen.occluders.eyewear_spec import FrameSpec
from fdgen.render import Layer, Style, draw
from fdgen.scene import Scene

_RIDGE = (8, 168, 6, 197, 195, 5, 4)
"""Down the ridge of the nose, from between the brows to its tip."""
_SIDES = ((-1, 127, (33, 133)), (1, 356, (263, 362)))
"""Viewer's left and right: the side, the vertex at the temple, the corners of the eye."""

_CLEARANCE_CM = 0.08
_MOST_PUSH_CM = 0.7
_MOST_SWING_CM = 0.6
_ALWAYS_SHOWN = 6
"""Rings of a temple that no hair hides."""
_EAR_LIKENESS = 0.28
"""Tells bare ears from covered ones in 17 of 20 portraits judged by eye."""
_WIRE_CORNER = np.array([[0.0, 0.0, 0.0], [0.28, 0.02, -0.04], [0.40, 0.02, -0.34]])
_PLATE_CORNER = np.array([[0.0, 0.0, 0.0], [0.03, 0.0, -0.40]])
"""How a temple turns the corner behind its hinge, in cm outwards, up and forward."""
_BIAS_CM = 0.12
"""Skin and hair give way this much where the frame presses on them."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a front sits: head = origin + scale · rotation · front."""

    origin: Floats
    scale: float
    rotation: Floats

    def to_head(self, points: Floats) -> Floats:
        """Put front points (N, 3) on the face, in head cm."""
        result: Floats = self.origin + self.scale * (points @ self.rotation.T)
        return result


@dataclass(frozen=True, slots=True)
class Sunglasses:
    """The occluder of kind `sunglasses`; its assets are frame shapes."""

    kind: str = "sunglasses"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the frame's proportions, how it is worn, its materials, its lenses and what they reflect."""
        spec = FrameSpec.of(asset)
        shape = {name: round(float(rng.uniform(*limits)), 5) for name, limits in spec.ranges.items()}
        heavy = rng.random()
        rim = [
            round(low + (high - low) * float(np.clip(heavy + rng.normal(0, 0.12), 0, 1)), 5)
            for _, low, high in spec.rim
        ]
        low = rng.random() < 0.14
        wear = {
            "slip_cm": float(rng.uniform(0.3, 0.85) if low else abs(rng.normal(0.0, 0.10))),
            "stand_cm": float(rng.uniform(0.03, 0.12)),
            "tilt_deg": float(rng.normal(0.0, 1.0)),
            "roll_deg": float(np.clip(rng.normal(0.0, 0.9), -2.2, 2.2)),
            "yaw_deg": float(np.clip(rng.normal(0.0, 0.7), -1.8, 1.8)),
            "shift_cm": float(np.clip(rng.normal(0.0, 0.05), -0.12, 0.12)),
            "ear_up_cm": float(rng.normal(0.0, 0.12)),
            "ear_out_cm": float(rng.uniform(0.05, 0.25)),
        }
        finish = draw_finish(rng, spec.finishes)
        values = {
            "shape": shape,
            "rim_cm": rim,
            "wobble_seed": int(rng.integers(2**31)),
            "wear": {name: round(value, 5) for name, value in wear.items()},
            "finish": finish,
            "temples": temple_finish(rng, spec, finish),
            "trim": draw_finish(rng, {"metal": 1.0}),
            "rivets": bool(rng.random() < 0.4),
            "lens": draw_lens(rng, spec.lenses),
            "surroundings": draw_surroundings(rng),
        }
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the glasses over the scene. Pure."""
        values = placement.values
        spec = FrameSpec.of(asset)
        front = Front.draw(spec, values["shape"], values["rim_cm"], values["wobble_seed"])
        fit = fit_front(scene.mesh_cm, front, spec, values["wear"])
        mesh = build_mesh(scene, front, fit, spec, values)
        layer = draw(scene, mesh, Style(bias_cm=_BIAS_CM), environment=surroundings(scene, values["surroundings"]))
        return _tint(scene, layer, front, fit, values)


def fit_front(mesh_cm: Floats, front: Front, spec: FrameSpec, wear: Mapping[str, float]) -> Fit:
    """Fit a front to a face (468, 3) in head cm: as wide as the head asks, pupils where they belong, on the nose.

    It rests on the ridge of the nose and comes forward where rims or lenses would cut into brows or cheeks.
    """
    shape = front.shape
    left, right = (mesh_cm[list(corners)].mean(0) for _, _, corners in _SIDES)
    model = canonical_face().vertices_cm
    model_left, model_right = (model[list(corners)].mean(0) for _, _, corners in _SIDES)
    between = (right[0] - left[0]) / (model_right[0] - model_left[0])
    wide = (mesh_cm[356, 0] - mesh_cm[127, 0]) / (model[356, 0] - model[127, 0])
    scale = float(shape["fit"] * (0.5 * between + 0.5 * wide))
    level = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    rotation = turn_matrix(shape["tilt_deg"] + wear["tilt_deg"], 0.7 * level + wear["roll_deg"], wear["yaw_deg"])

    pupil_y = shape["lens_height_cm"] * (0.5 - shape["pupil_height"])
    bridge_y, clear = _bridge_rest(front, spec)
    anchors, _, _ = front.bend(np.array([[0.0, pupil_y], [0.0, bridge_y]]), np.array([0.0, -shape["rim_depth_cm"]]))
    pupil, rest = scale * (anchors @ rotation.T)
    eyes = 0.5 * (left + right)
    nose = mesh_cm[list(_RIDGE)]
    origin = np.array(
        [0.5 * (eyes[0] + nose[1:3, 0].mean()) + wear["shift_cm"], eyes[1] - pupil[1] - wear["slip_cm"], 0.0]
    )
    origin[2] = np.interp(origin[1] + rest[1], nose[::-1, 1], nose[::-1, 2]) + clear + wear["stand_cm"] - rest[2]

    rim, lens = front.outer[::6], 0.5 * (front.lens[::12] + np.array([front.centre_x, 0.0]))
    probe = np.concatenate([rim, lens])
    depth = np.repeat([-0.3 * shape["rim_depth_cm"], -0.1], (len(rim), len(lens)))
    both = np.concatenate([probe, probe * (-1.0, 1.0)])
    points, _, _ = front.bend(both, np.tile(depth, 2))
    placed = origin + scale * (points @ rotation.T)
    inside = _face_depth(mesh_cm, placed[:, :2]) + _CLEARANCE_CM - placed[:, 2]
    origin[2] += float(np.clip(inside.max(), 0.0, _MOST_PUSH_CM))
    return Fit(origin, scale, rotation)


def _bridge_rest(front: Front, spec: FrameSpec) -> tuple[float, float]:
    """Return where on the sheet's middle line the bridge rests, and how far before the nose it stands there."""
    shape = front.shape
    if spec.bridge in ("keyhole", "saddle"):
        top = front.outer[front.index_at(128.0)][1]
        return float(top + shape["bridge_sag"] - shape["bridge_height_cm"]), 0.04
    if spec.bridge == "none":
        return float(front.lens[front.index_at(200.0)][1]), 0.1
    return float(front.lens[front.index_at(160.0)][1]), 0.22  # on pads: the bridge itself stands clear


def _face_depth(mesh_cm: Floats, points: Floats) -> Floats:
    """Interpolate the depth of the face's front at head x and y (N, 2) from near vertices; far back beside it."""
    facing = mesh_cm[mesh_cm[:, 2] > 0.0]
    squared = ((points[:, None] - facing[None, :, :2]) ** 2).sum(-1)
    weight = (squared + 0.03) ** -2
    depth = weight @ facing[:, 2] / weight.sum(1)
    result: Floats = np.where(squared.min(1) < 0.6, depth, -9.0)
    return result


def build_mesh(scene: Scene, front: Front, fit: Fit, spec: FrameSpec, values: Mapping[str, Any]) -> Mesh:
    """Build the whole pair of glasses in head cm."""
    shape, finish, trim = front.shape, values["finish"], values["trim"]
    own = finish if finish["kind"] == "metal" else trim

    def put(surface: Surface, finish: Mapping[str, Any]) -> Mesh:
        material, uv = frame_material(finish, surface.sheet)
        normals = surface.normals @ fit.rotation.T
        return part(fit.to_head(surface.vertices), surface.faces, material, normals=normals, uv_N2=uv)

    pairs: list[tuple[Surface, Mapping[str, Any]]] = []
    if spec.construction in ("acetate", "browline", "shield") and front.thickness.max() > 0:
        pairs.append((front.rim_mesh(), finish))
    if spec.construction in ("wire", "browline"):
        pairs.append((front.wire_mesh(shape["wire_cm"]), own))
    if spec.construction == "rimless":
        pairs += [(front.disc_mesh(angle, 0.22, 0.09, 0.02), own) for angle in (168.0, shape["hinge_deg"])]
    if values["rivets"] and spec.construction in ("acetate", "browline"):
        pairs.append((front.disc_mesh(shape["hinge_deg"], 0.22, 0.07, 0.0), trim))
    if spec.bridge in ("wire", "double"):
        pairs.append((front.disc_mesh(196.0, -0.22, 0.2, -0.45), own))  # the nose pads

    parts = [put(twin, made_of) for surface, made_of in pairs for twin in (surface, surface.mirrored())]
    parts += [put(surface, own if wired else finish) for surface, wired in _bridge(front, spec)]
    lens = front.lens_mesh()
    glass = lens_material(values["lens"], lens.sheet[:, 1] - values["lens"]["shift"], shape["lens_height_cm"])
    parts += [
        part(fit.to_head(twin.vertices), twin.faces, glass, normals=twin.normals @ fit.rotation.T)
        for twin in (lens, lens.mirrored())
    ]
    parts += [_temple(scene, front, fit, spec, values, side, vertex) for side, vertex, _ in _SIDES]
    texture = pattern(finish)
    return join(parts, texture=texture if texture is not None else pattern(values["temples"]))


def _bridge(front: Front, spec: FrameSpec) -> list[tuple[Surface, bool]]:
    """Build the bridge; each piece with whether it is of wire."""
    if spec.bridge == "none":
        return []
    if spec.bridge in ("keyhole", "saddle"):
        return [(front.bridge_mesh(spec.bridge), False)]
    radius, sag = 1.15 * front.shape["wire_cm"], front.shape["bridge_sag"]
    bars = [(front.bar_mesh(160.0, 0.18 + sag, radius), True)]
    if spec.bridge == "double":
        bars.append((front.bar_mesh(112.0, sag, radius), True))
    return bars


def _temple(
    scene: Scene,
    front: Front,
    fit: Fit,
    spec: FrameSpec,
    values: Mapping[str, Any],
    side: int,
    temple_vertex: int,
) -> Mesh:
    """Build a temple from its hinge to behind the ear's root."""
    shape, wear, mesh_cm = front.shape, values["wear"], scene.mesh_cm
    index = front.index_at(shape["hinge_deg"])
    half_height = 0.5 * shape["temple_height_cm"] * fit.scale
    half_thick = 0.5 * shape["temple_thickness_cm"]
    wired = spec.construction in ("wire", "rimless")
    inset = -0.02 if wired else half_thick + 0.03
    spot = (front.outer[index] - front.outward[index] * (inset, 0.0)) * (side, 1.0)
    local, _, _ = front.bend(spot[None], 0.0 if wired else -0.55 * shape["rim_depth_cm"])
    hinge = fit.to_head(local)[0]

    half_width = 0.5 * (mesh_cm[356, 0] - mesh_cm[127, 0])
    middle = 0.5 * (mesh_cm[356] + mesh_cm[127])
    ear = 0.5 * (mesh_cm[temple_vertex] + middle)
    ear = np.array(
        [
            middle[0] + side * (half_width + wear["ear_out_cm"] + half_thick),
            ear[1] + 0.75 + wear["ear_up_cm"] - 0.5 * wear["slip_cm"] * 0.3,
            middle[2] - 1.65,
        ]
    )
    ear[0] += side * _bulge(mesh_cm, hinge, ear, side)
    end, bare = _behind_ear(scene, ear, side)
    outwards = np.array([side, 1.0, 1.0])
    corner = hinge + outwards * (_WIRE_CORNER if wired else _PLATE_CORNER)
    start = corner[-1]
    rest = [
        start + 0.35 * (ear - start) + outwards * np.array([0.08, 0.0, 0.0]),
        start + 0.7 * (ear - start),
        ear,
        end + outwards * np.array([0.0, -0.1, -0.45]),
    ]
    knots = np.concatenate([corner, rest])
    slim = half_height * shape["temple_taper"]
    first = min(half_height, 0.12) if wired else half_height
    heights = [first] * (len(corner) - 1) + [half_height, 0.6 * half_height + 0.4 * slim, slim, slim, slim]
    surface = temple_mesh(knots, heights, half_thick, side=side, slim=wired)
    material, uv = frame_material(values["temples"], surface.sheet)
    strand = (TEMPLE_RINGS, TEMPLE_RING, TEMPLE_RINGS if bare else _ALWAYS_SHOWN)
    return part(surface.vertices, surface.faces, material, normals=surface.normals, uv_N2=uv, strand=strand)


def _behind_ear(scene: Scene, ear: Floats, side: int) -> tuple[Floats, bool]:
    """Return where the temple slips behind the ear, and whether the ear is bare.

    Before a bare ear hair is short, and the temple runs over it until there is skin again; under long hair it hides.
    """
    mesh_cm = scene.mesh_cm
    half_width = 0.5 * (mesh_cm[356, 0] - mesh_cm[127, 0])
    tragus = mesh_cm[454 if side > 0 else 234]
    back, up = np.meshgrid((1.1, 1.9), (-1.3, -0.5, 0.3))
    x = 0.5 * (mesh_cm[356, 0] + mesh_cm[127, 0]) + side * (half_width + 0.1 + 0.3 * back)
    probes = np.column_stack([x.ravel(), tragus[1] + up.ravel(), tragus[2] - back.ravel()])
    farther = ear + np.linspace(0.0, 1.0, 6)[:, None] * (0.25 * side, -0.3, -1.5)
    points = scene.pose.to_screen(np.concatenate([probes, farther]))[:, :2]
    likeness = scene.skin_likeness(points.astype(np.float32))
    bare = float(np.median(likeness[: len(probes)])) > _EAR_LIKENESS
    skin = np.flatnonzero(likeness[len(probes) :] > _EAR_LIKENESS)
    return farther[skin[0] if bare and len(skin) else 2], bare


def _bulge(mesh_cm: Floats, hinge: Floats, ear: Floats, side: int) -> float:
    """Return how far the temple must swing out to clear the side of the head on its straight way to the ear."""
    along = (mesh_cm[:, 2] - hinge[2]) / (ear[2] - hinge[2])
    line = hinge + np.clip(along, 0.0, 1.0)[:, None] * (ear - hinge)
    beside = (along > 0.25) & (along < 1.0) & (np.abs(mesh_cm[:, 1] - line[:, 1]) < 0.8)
    if not beside.any():
        return 0.0
    excess = (side * (mesh_cm[:, 0] - line[:, 0]) + _CLEARANCE_CM)[beside] / along[beside]
    return float(np.clip(excess.max(), 0.0, _MOST_SWING_CM))


def _tint(scene: Scene, layer: Layer, front: Front, fit: Fit, values: Mapping[str, Any]) -> Layer:
    """Let more of some colours through coloured lenses and crystal frames: glass multiplies what lies behind it.

    A layer has one opacity for all channels, that of the darkest; what the others let through besides is added here
    from the photograph itself.
    """
    tint = np.maximum(np.array(values["lens"]["tint"], np.float32) - 1, 0)
    frame = np.zeros(3, np.float32)
    if values["finish"]["kind"] == "crystal":
        rgb = np.array(values["finish"]["rgb"], np.float32)
        frame = np.minimum(rgb / rgb.min() - 1, 0.8)
    if not tint.any() and not frame.any():
        return layer
    passed = layer.silhouette_HW - layer.opacity_HW
    seen = passed > 1e-3
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if len(rows) == 0:
        return layer
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    lens_HW = np.zeros(passed.shape, np.uint8)
    for side in (-1, 1):
        points, _, _ = front.bend(front.lens * (side, 1.0))
        outline = scene.pose.to_screen(fit.to_head(points))[:, :2]
        cv2.fillPoly(lens_HW, [np.round(outline * 16.0).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    lens = (lens_HW[box] * np.float32(1 / 255))[..., None]
    passed = passed[box][..., None]
    extra = passed * (lens * tint + (1 - lens) * frame)
    extra = np.minimum(extra, np.maximum(0.97 * layer.silhouette_HW[box][..., None] - passed, 0))
    behind = to_linear(np.ascontiguousarray(scene.face.clean_HWC[box]))
    behind *= 1 - layer.shadow_HW[box][..., None] * layer.shadow_rgb
    colour = layer.colour_HWC.copy()
    colour[box] += extra * behind
    return replace(layer, colour_HWC=colour)

"""Sunglasses: rigid frames fitted to the nose, eyes and ears of a face, with lenses that tint, fade and reflect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.arrays import F64
from fdgen.assets import Asset
from fdgen.occluders.base import Placement
from fdgen.occluders.environment import draw_surroundings, surroundings
from fdgen.occluders.eyewear.fit import SIDES, Fit, behind_ear, bulge, fit_front, seen_of
from fdgen.occluders.eyewear.frame_mesh import (
    POINTS,
    ROD_SIDES,
    TEMPLE_RING,
    TEMPLE_RINGS,
    Front,
    Surface,
    temple_mesh,
)
from fdgen.occluders.eyewear.glints import BRIDGE, RIM, draw_glints, draw_wire, glint_light, wire_tone
from fdgen.occluders.eyewear.lens_effects import pass_colours
from fdgen.occluders.eyewear.materials import (
    draw_finish,
    draw_lens,
    frame_material,
    lens_material,
    pattern,
    temple_finish,
)
from fdgen.occluders.eyewear.spec import FrameSpec
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, Mesh, join, part
from fdgen.render.scene import Scene

_SLIPPED, _PUSHED_UP = 0.16, 0.04
"""Shares worn low on the nose, and up on the forehead or the hair."""
_ALWAYS_SHOWN = 3
"""Rings of a temple that no hair hides, and as many more as turn the corner of one of wire."""
_TIP = 4
"""Rings over which the end of a temple goes behind the ear, or into hair that was not found."""
_LEAST_HALF_CM = 0.16
"""Half the height of the lowest temple of plastic at its hinge."""
_SKY_SHARE = 0.4
"""What lenses that are pushed up mirror of the bright sky, over what they would of things before them."""
_OVERHEAD = 0.25
"""Share of the light from above that frames mirror: all of it would outline dark ones in grey."""
_WIRE_GLINT = 0.5
"""Brightness of a glint on wire, whose whole width it takes, over one on the edge of a plastic rim."""
_PAD_DEG, _PAD_CM, _PAD_ARM_CM = 196.0, (-0.22, -0.45), 0.06
"""Where nose pads are: polar angle, cm inside the rim and before it; and half the thickness of their arms."""
_PAD = {"kind": "crystal", "rgb": [0.46, 0.43, 0.4], "second": [0.0, 0.0, 0.0], "opacity": 0.42, "shine": 1.0}
"""Silicone, through which the nose is seen."""
_WIRE_CORNER = np.array([[0.0, 0.0, 0.0], [0.28, 0.02, -0.04], [0.40, 0.02, -0.34]])
_PLATE_CORNER = np.array([[0.0, 0.0, 0.0], [0.03, 0.0, -0.40]])
"""How a temple turns the corner behind its hinge, in cm outwards, up and forward."""
_BIAS_CM = 0.12
"""Skin and hair give way this much where the frame presses on them."""


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
        worn = rng.random()
        pushed_up = bool(worn > 1 - _PUSHED_UP)
        slip = rng.uniform(0.3, 1.1) if worn < _SLIPPED else abs(rng.normal(0.0, 0.10))
        wear = {
            "slip_cm": float(-rng.uniform(4.4, 6.4) if pushed_up else slip),
            "stand_cm": float(rng.uniform(0.03, 0.12)),
            "tilt_deg": float(-rng.uniform(18.0, 42.0) if pushed_up else rng.normal(0.0, 1.0)),
            "roll_deg": float(np.clip(rng.normal(0.0, 0.9), -2.2, 2.2)),
            "yaw_deg": float(np.clip(rng.normal(0.0, 0.7), -1.8, 1.8)),
            "shift_cm": float(np.clip(rng.normal(0.0, 0.05), -0.12, 0.12)),
            "ear_up_cm": float(rng.normal(0.0, 0.12)),
            "ear_out_cm": float(rng.uniform(0.05, 0.25)),
        }
        finish = draw_finish(rng, spec.finishes)
        values: dict[str, Any] = {
            "shape": shape,
            "rim_cm": rim,
            "wobble_seed": int(rng.integers(2**31)),
            "wear": {name: round(value, 5) for name, value in wear.items()},
            "finish": finish,
            "temples": temple_finish(rng, spec, finish),
            "trim": draw_finish(rng, {"metal": 1.0}),
            "pushed_up": pushed_up,
            "rivets": bool(rng.random() < 0.6),
            "lens": draw_lens(rng, spec.lenses),
            "surroundings": draw_surroundings(rng),
            "glints": draw_glints(rng, finish),
            "wire": draw_wire(rng),
        }
        # Lenses that are pushed up look up, and would show nothing but the light from above.
        overhead = values["surroundings"]["overhead"] * (0.1 if pushed_up else _OVERHEAD)
        values["surroundings"]["overhead"] = round(overhead, 5)
        if pushed_up:
            values["lens"]["mirror"] = [round(_SKY_SHARE * level, 5) for level in values["lens"]["mirror"]]
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the glasses over the scene. Pure."""
        values = placement.values
        spec, front, fit = fitted(scene, values, asset)
        mesh = build_mesh(scene, front, fit, spec, values)
        layer = draw(scene, mesh, Style(bias_cm=_BIAS_CM), environment=surroundings(scene, values["surroundings"]))
        return _tint(scene, layer, front, fit, values)


def fitted(scene: Scene, values: Mapping[str, Any], asset: Asset) -> tuple[FrameSpec, Front, Fit]:
    """Return a placement's frame: what its asset says, its front, and where that sits on the face."""
    spec = FrameSpec.of(asset)
    front = Front.draw(spec, values["shape"], values["rim_cm"], values["wobble_seed"])
    return spec, front, fit_front(scene.mesh_cm, front, spec, values["wear"])


def build_mesh(scene: Scene, front: Front, fit: Fit, spec: FrameSpec, values: Mapping[str, Any]) -> Mesh:
    """Build the whole pair of glasses in head cm.

    Args:
        scene: The face that wears them.
        front: Geometry of the front.
        fit: Where the front is on the head.
        spec: The frame's asset: its construction and bridge.
        values: The parameters that `place` drew.
    """
    shape, finish, trim = front.shape, values["finish"], values["trim"]
    own = finish if finish["kind"] == "metal" else trim

    def put(surface: Surface, finish: Mapping[str, Any], ridge: npt.ArrayLike = 0.0, *, rod: bool = False) -> Mesh:
        material, uv = frame_material(finish, surface.sheet)
        if rod:
            material = _polished(material, values, surface.vertices.reshape(-1, ROD_SIDES, 3))
        if np.any(ridge):
            shine = glint_light(values["glints"], front, surface.sheet, finish, np.asarray(ridge, np.float64))
            material = replace(material, albedo=np.asarray(material.albedo) + shine)
        normals = surface.normals @ fit.rotation.T
        return part(fit.to_head(surface.vertices), surface.faces, material, normals=normals, uv_N2=uv)

    pairs: list[tuple[Surface, Mapping[str, Any], npt.ArrayLike]] = []
    rods: list[Surface] = []
    if spec.construction in ("acetate", "browline", "shield") and front.thickness.max() > 0:
        pairs.append((front.rim_mesh(), finish, RIM))
    if spec.construction in ("wire", "browline"):
        rods.append(front.wire_mesh(shape["wire_cm"]))
    if spec.construction == "wire":  # the block of the hinge
        pairs.append((front.disc_mesh(shape["hinge_deg"], -0.05, 0.1, -0.02), own, 0.0))
    if spec.construction == "rimless":
        pairs += [(front.disc_mesh(angle, 0.22, 0.09, 0.02), own, 0.0) for angle in (168.0, shape["hinge_deg"])]
    if values["rivets"] and spec.construction in ("acetate", "browline"):
        pairs.append((front.disc_mesh(shape["hinge_deg"], 0.22, 0.07, 0.0), trim, 0.0))
    if spec.bridge in ("wire", "double"):
        pairs.append((front.disc_mesh(_PAD_DEG, _PAD_CM[0], 0.2, _PAD_CM[1]), _PAD, 0.0))
        rods.append(front.pad_arm_mesh(_PAD_DEG, *_PAD_CM, _PAD_ARM_CM))

    parts = [put(twin, made_of, ridge) for surface, made_of, ridge in pairs for twin in (surface, surface.mirrored())]
    parts += [put(twin, own, _WIRE_GLINT, rod=True) for rod in rods for twin in (rod, rod.mirrored())]
    parts += [
        put(surface, own, _WIRE_GLINT, rod=True) if wired else put(surface, finish, BRIDGE)
        for surface, wired in _bridge(front, spec)
    ]
    lens = front.lens_mesh()
    edge = (np.arange(len(lens.vertices)) >= len(lens.vertices) - POINTS).astype(np.float64)
    glass = lens_material(values["lens"], lens.sheet[:, 1] - values["lens"]["shift"], shape["lens_height_cm"], edge)
    parts += [
        part(fit.to_head(twin.vertices), twin.faces, glass, normals=twin.normals @ fit.rotation.T)
        for twin in (lens, lens.mirrored())
    ]
    parts += [_temple(scene, front, fit, spec, values, side, vertex) for side, vertex, _ in SIDES]
    texture = pattern(finish)
    return join(parts, texture=texture if texture is not None else pattern(values["temples"]))


def _polished(material: Material, values: Mapping[str, Any], rings_cm: F64) -> Material:
    """Return the material of a wire whose rings (rings, sides, 3) mirror what is about them."""
    tone = wire_tone(values["wire"], rings_cm).reshape(-1, 1)
    return replace(material, albedo=np.asarray(material.albedo) * tone, mirror=np.asarray(material.mirror) * tone)


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
    ear[0] += side * bulge(mesh_cm, hinge, ear, side)
    end, bare = behind_ear(scene, ear, side)
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
    room = fit.scale * float(front.outer[:, 1].max() - spot[1])  # at its hinge it is no higher than the front
    first = min(half_height, 0.12 if wired else max(0.9 * room, _LEAST_HALF_CM))
    second = min(half_height, 1.3 * first) if not wired else half_height
    heights = [first] * (len(corner) - 1) + [second, 0.6 * half_height + 0.4 * slim, slim, slim, 0.6 * slim]
    surface = temple_mesh(knots, heights, half_thick, side=side, slim=wired)
    material, uv = frame_material(values["temples"], surface.sheet)
    if values["temples"]["kind"] == "metal":
        material = _polished(material, values, surface.vertices.reshape(TEMPLE_RINGS, TEMPLE_RING, 3))
    strand = (TEMPLE_RINGS, TEMPLE_RING, TEMPLE_RINGS if bare else _ALWAYS_SHOWN + 3 * wired)
    mesh = part(surface.vertices, surface.faces, material, normals=surface.normals, uv_N2=uv, strand=strand)
    seen = seen_of(scene, surface.vertices.reshape(TEMPLE_RINGS, TEMPLE_RING, 3).mean(1), side)
    mesh.surface_N8[:, 1] *= np.repeat(seen, TEMPLE_RING)
    mesh.surface_N8[-_TIP * TEMPLE_RING :, 1] *= np.repeat(np.linspace(0.85, 0.0, _TIP, dtype=np.float32), TEMPLE_RING)
    return mesh


def _tint(scene: Scene, layer: Layer, front: Front, fit: Fit, values: Mapping[str, Any]) -> Layer:
    """Let more of some colours through coloured lenses and crystal frames."""
    frame = np.zeros(3, np.float32)
    if values["finish"]["kind"] == "crystal":
        rgb = np.array(values["finish"]["rgb"], np.float32)
        frame = np.minimum(rgb / rgb.min() - 1, 0.8)
    tint = np.maximum(np.array(values["lens"]["tint"], np.float32) - 1, 0)
    lenses = [fit.to_head(front.bend(front.lens * (side, 1.0))[0]) for side in (-1, 1)]
    return pass_colours(scene, layer, lenses, tint, frame)

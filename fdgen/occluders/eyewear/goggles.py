"""Goggles for snow, work and water: a frame sealed to the face, lenses that reflect, a strap round the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fdgen.arrays import F32, F64
from fdgen.assets import Asset
from fdgen.occluders.base import Placement
from fdgen.occluders.environment import draw_surroundings, surroundings
from fdgen.occluders.eyewear.fit import SIDES, Fit, eyes_of
from fdgen.occluders.eyewear.frame_mesh import Surface, turn_matrix
from fdgen.occluders.eyewear.goggle_materials import (
    draw_goggle_lens,
    draw_strap,
    goggle_lens,
    plastic,
    seal_colour,
    seal_material,
    strap_material,
    strap_texture,
)
from fdgen.occluders.eyewear.goggle_mesh import GoggleFront, seal_mesh
from fdgen.occluders.eyewear.goggle_spec import GogglesSpec
from fdgen.occluders.eyewear.lens_effects import count_glare, outlined, pass_colours
from fdgen.occluders.eyewear.materials import draw_finish, frame_material
from fdgen.occluders.headwear.hair_volume import headroom
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.headwear.round_strap import Strap, strap_mesh
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Mesh, bind, part
from fdgen.render.scene import Scene

_BIAS_CM = 0.5
"""Skin and hair give way this much under frame and strap."""
_OVERHEAD = 0.25
"""Share of the light from above that is mirrored: all of it would outline dark frames in grey."""
_CLOSEST = 6.0
"""Percentile of the gaps between frame and face that is as thick as the seal is at least."""


@dataclass(frozen=True, slots=True)
class Goggles:
    """The occluder of kind `goggles`; its assets are their shapes."""

    kind: str = "goggles"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw the goggles' proportions, how they are worn, what they are made of, and what they reflect."""
        spec = GogglesSpec.of(asset)
        shape = spec.draw(rng)
        wear = {
            "up_cm": float(np.clip(rng.normal(0.0, 0.15), -0.4, 0.4)),
            "shift_cm": float(np.clip(rng.normal(0.0, 0.06), -0.15, 0.15)),
            "roll_deg": float(np.clip(rng.normal(0.0, 1.0), -2.5, 2.5)),
            "yaw_deg": float(np.clip(rng.normal(0.0, 0.8), -2.0, 2.0)),
        }
        _, left, right = headroom(scene)
        finish = plastic(rng, draw_finish(rng, spec.finishes))
        strap = draw_strap(rng, spec)
        around = draw_surroundings(rng)
        around["overhead"] = round(_OVERHEAD * around["overhead"], 5)
        values: dict[str, Any] = {
            "shape": shape,
            "wear": {name: round(value, 5) for name, value in wear.items()},
            "side_cm": [round(left, 5), round(right, 5)],
            "finish": finish,
            "seal_rgb": seal_colour(rng, spec.seal, finish),
            "strap": strap,
            "lens": draw_goggle_lens(rng, spec.lenses),
            "surroundings": around,
        }
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), values)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw the goggles over the scene. Pure."""
        values, spec = placement.values, GogglesSpec.of(asset)
        front = GoggleFront.draw(spec, values["shape"])
        surface = HeadSurface.of(scene.mesh_cm)
        fit = fit_goggles(scene.mesh_cm, surface, front, values["wear"])
        parts = build_parts(scene, surface, front, fit, spec, values)
        environment = surroundings(scene, values["surroundings"])
        layer = draw(scene, bind(parts), Style(bias_cm=_BIAS_CM), environment=environment)
        outlines = [fit.to_head(outline) for outline in front.outlines()]
        if values["lens"]["clear"]:
            return count_glare(scene, layer, outlined(scene, outlines))
        tint = np.maximum(np.array(values["lens"]["tint"]) - 1, 0)
        return pass_colours(scene, layer, outlines, tint, np.zeros(3))


def fit_goggles(mesh_cm: F64, surface: HeadSurface, front: GoggleFront, wear: Mapping[str, float]) -> Fit:
    """Fit goggles to a face (468, 3) in head cm: pupils where they belong, the seal closed all round.

    Args:
        mesh_cm: The face.
        surface: The same about the axis of its head.
        front: The front of the goggles.
        wear: How they are worn, as it was drawn.
    """
    shape = front.shape
    eyes, size, level = eyes_of(mesh_cm)
    scale = shape["fit"] * size
    rotation = turn_matrix(shape["tilt_deg"], 0.7 * level + wear["roll_deg"], wear["yaw_deg"])
    pupil_y = shape["height_cm"] * (0.5 - shape["pupil_height"])
    middle = 0.5 * (eyes[0] + mesh_cm[[168, 6], 0].mean())
    pupil = scale * (np.array([0.0, pupil_y, 0.0]) @ rotation.T)
    origin = np.array([middle + wear["shift_cm"], eyes[1] - pupil[1] + wear["up_cm"], eyes[2] + 4.0])
    back, _ = front.back()
    both = np.concatenate([back, back * (-1.0, 1.0, 1.0)])
    for _ in range(8):
        placed = Fit(origin, scale, rotation).to_head(both)
        angle, _ = surface.aim(placed)
        origin[2] += float(
            np.percentile((shape["seal_cm"] - surface.gap(placed)) / np.cos(0.8 * angle), 100 - _CLOSEST)
        )
    return Fit(origin, scale, rotation)


def build_parts(
    scene: Scene, surface: HeadSurface, front: GoggleFront, fit: Fit, spec: GogglesSpec, values: Mapping[str, Any]
) -> list[tuple[Mesh, F32 | None]]:
    """Build the goggles in head cm, each part with its texture.

    Args:
        scene: The face that wears them.
        surface: Its head.
        front: Geometry of the front.
        fit: Where it is on the head.
        spec: The asset: its strap and seal.
        values: The parameters that `place` drew.
    """
    twins = (False, True) if spec.cups else (False,)
    finish = values["finish"]
    parts: list[tuple[Mesh, F32 | None]] = []

    def put(made: Surface) -> Surface:
        return Surface(fit.to_head(made.vertices), made.normals @ fit.rotation.T, made.faces, made.sheet)

    frame = [front.frame_mesh()]
    if spec.cups:
        frame = [frame[0], frame[0].mirrored(), front.nose_bar(0.28)]
    for piece in map(put, frame):
        material, _ = frame_material(finish, piece.sheet)
        parts.append((part(piece.vertices, piece.faces, material, normals=piece.normals), None))
    back, outward = front.back()
    for mirrored in twins:
        flip = np.array([-1.0 if mirrored else 1.0, 1.0, 1.0])
        seal = seal_mesh(surface, fit.to_head(back * flip), (outward * flip) @ fit.rotation.T)
        material = seal_material(spec.seal, values["seal_rgb"], seal.sheet[:, 1], finish)
        parts.append((part(seal.vertices, seal.faces, material, normals=seal.normals), None))
    lens = front.lens_mesh()
    edge = (np.arange(len(lens.vertices)) >= len(lens.vertices) - len(front.lens)).astype(np.float64)
    glass = goggle_lens(values["lens"], lens.sheet, front.shape, edge)
    for mirrored in twins:
        piece = put(lens.mirrored() if mirrored else lens)
        parts.append((part(piece.vertices, piece.faces, glass, normals=piece.normals), None))
    for (side, _, _), hair in zip(SIDES, values["side_cm"], strict=True):
        anchor = back[np.argmax(back[:, 0] - 0.15 * np.abs(back[:, 1] - 0.4))] * (side, 1.0, 1.0)
        start = fit.to_head(anchor[None])[0]
        start[[0, 2]] += (0.12 * side, 0.1)
        strap = Strap(side, start, front.shape["strap_rise_cm"], front.shape["strap_cm"] * fit.scale, hair)
        mesh, length = strap_mesh(scene, surface, strap, strap_material(spec.strap))
        parts.append((mesh, strap_texture(values["strap"], spec.strap, length, strap.width_cm)))
    return parts

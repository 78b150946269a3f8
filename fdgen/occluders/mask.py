"""Face masks: cloth, surgical, respirators, scarves, draped on the personal face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.geometry import Floats, vertex_normals
from fdgen.mesh import Material, Mesh, join, part
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth import PALETTES, PATTERNS, any_colour, dress, paint
from fdgen.occluders.drape import bake_relief, head_map, sheet_faces, upsample
from fdgen.occluders.mask_cut import COLUMNS, ROWS, Sheet, drape
from fdgen.occluders.mask_relief import Texels, relief, shading
from fdgen.occluders.mask_straps import rows_for, straps
from fdgen.occluders.mask_trim import draw_trim, trim
from fdgen.occluders.mask_valve import VALVES, valves
from fdgen.raster import sh_irradiance
from fdgen.render import Layer, Style, draw
from fdgen.scene import Scene

F32 = npt.NDArray[np.float32]

CUTS = frozenset({"pleated", "fold", "panel", "duckbill", "cup", "fitted", "sponge", "bandana", "gaiter", "scarf"})
FABRICS = frozenset({"nonwoven", "woven", "knit", "fleece", "neoprene", "moulded"})
STRAPS = frozenset({"ears", "head", "ties", "none"})

_TEXELS = (152, 216)
_KNEE = np.float32(0.5)
"""Linear level above which highlights are held back."""
_WHITE_ROWS = 4
"""Rows of white above the cloth's texture, on which untextured parts sample."""

_CHANCES = ("under_nose", "binding", "stitches", "clip", "print")
"""Keys of [shape] that are a chance in [0, 1]."""

_RANGES: Mapping[str, tuple[float, float]] = {
    # key of [shape]: default [low, high]; units: cm, degrees, or shares, by the name
    "top": (1.4, 3.2),
    "side_deg": (58.0, 68.0),
    "side_curve": (0.0, 0.05),
    "corner_top": (0.72, 0.92),
    "corner_bottom": (0.18, 0.34),
    "cheek": (0.35, 0.6),
    "nose_deg": (11.0, 16.0),
    "taut": (0.8, 1.0),
    "stiff": (1.2, 2.2),
    "peak_cm": (0.8, 1.3),
    "wrap_deg": (7.0, 14.0),
    "gap": (0.12, 0.2),
    "pressure": (0.0, 0.01),
    "hug": (0.3, 0.9),
    "beak_cm": (0.2, 0.7),
    "apex": (0.45, 0.55),
    "drop_cm": (2.0, 5.0),
    "drop_taper": (0.6, 0.9),
    "inward": (0.1, 0.4),
    "tension": (0.05, 0.16),
    "tension_reach": (3.5, 6.5),
    "slack": (0.3, 1.5),
    "lean": (0.2, 0.9),
    "gather": (0.02, 0.1),
    "pleats": (3.0, 3.0),
    "pleat_cm": (0.08, 0.2),
    "pleat_step": (0.15, 0.21),
    "pleat_shift": (-0.06, 0.06),
    "seam_cm": (0.0, 0.0),
    "wire_cm": (0.0, 0.0),
    "wire_length": (8.0, 11.0),
    "thick_cm": (0.05, 0.1),
    "hem_cm": (0.5, 0.9),
    "groove_cm": (0.0, 0.02),
    "hem_dashes": (0.0, 0.0),
    "weave_cm": (0.004, 0.01),
    "rib_cm": (0.35, 0.6),
    "strap_cm": (0.25, 0.4),
    "ear_up_cm": (-0.2, 0.5),
    "ear_down_cm": (-0.3, 0.5),
    "band_up_cm": (1.5, 3.0),
    "band_down_cm": (0.5, 2.0),
    "valve_cm": (1.3, 1.8),
    "valve_high": (0.35, 0.7),
    "valve_across": (0.3, 0.42),
    "valve_down": (0.52, 0.64),
    "softness": (0.05, 0.2),
    "specular": (0.0, 0.02),
    "gloss": (6.0, 14.0),
}


@dataclass(frozen=True, slots=True)
class Mask:
    """Anything worn over nose and mouth that is made of cloth or moulded."""

    kind: str = "mask"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw how a mask is worn: where its top edge lies, how slack it hangs, its colours and folds."""
        shape = _validated(asset)
        fit: dict[str, Any] = {key: round(float(rng.uniform(*_range(asset, shape, key))), 5) for key in sorted(_RANGES)}
        fit["pleats"] = round(fit["pleats"])
        fit["tilt_deg"] = round(float(np.clip(rng.normal(0, 1.6), -5, 5)), 4)
        fit["shift_deg"] = round(float(np.clip(rng.normal(0, 1.3), -4, 4)), 4)
        fit["fold_seed"] = round(float(rng.random()), 6)
        fit["over_hair"] = round(float(rng.random()), 5)
        fit["strap_rows"] = list(rows_for(shape["straps"]))
        fit["valve_side"] = float(rng.choice([-1.0, 1.0]))
        _wear_low(rng, fit, shape)
        fit |= dress(rng, shape["palette"], shape.get("patterns", {"plain": 1.0}))
        fit |= draw_trim(rng, shape, fit["colours"][0])
        fit["strap_colour"] = _strap_colour(rng, fit["colours"][0])
        fit["valve_colour"] = _valve_colour(rng, fit["colours"][0])
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), fit)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Drape the mask on the face and draw it."""
        return draw(scene, build(scene, placement.values, asset), Style(bias_cm=0.45))


def build(scene: Scene, fit: Mapping[str, Any], asset: Asset) -> Mesh:
    """Build the mesh of a placement in head cm."""
    shape = _validated(asset)
    head = head_map(scene.mesh_cm)
    sheet = drape(head, scene.mesh_cm, shape["cut"], fit)
    texels = _texels(sheet)
    height = relief(shape["cut"], shape["fabric"], texels, fit)
    vertices = sheet.points_cm.reshape(-1, 3)
    faces = sheet_faces(ROWS, COLUMNS)
    normals = vertex_normals(vertices, faces)
    coarse = cv2.resize(cv2.blur(height, (3, 3)), (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR)
    coarse = np.maximum(coarse, -0.8 * sheet.clearance_cm)  # folds stop at the skin
    vertices = vertices + normals * coarse.reshape(-1, 1)
    texture = paint(texels.across, texels.down, fit)
    trim(texture, texels, fit)
    texture *= _light(scene, sheet, height, texels, fit["softness"])[..., None]
    _hold_highlights(scene, normals, texture)
    texture = np.concatenate([np.ones((_WHITE_ROWS, texture.shape[1], 3), np.float32), texture])
    cloth = part(
        vertices,
        faces,
        Material(albedo=(1.0, 1.0, 1.0), specular=fit["specular"], gloss=fit["gloss"], two_sided=True),
        normals=normals,
        uv_N2=_uv(texture.shape[0], texture.shape[1]),
    )
    worn = replace(sheet, points_cm=vertices.reshape(ROWS, COLUMNS, 3))
    parts = straps(scene, head, worn, shape["straps"], fit)
    if "valve" in shape:
        parts += valves(worn, shape["valve"], fit)
    return join([cloth, *(_plain(p, len(texture)) for p in parts)], texture=texture)


def _texels(sheet: Sheet) -> Texels:
    """Spread the sheet's own distances over the texels."""
    stack = np.dstack([sheet.across_cm, sheet.down_cm, sheet.length_cm - sheet.down_cm])
    fine = upsample(stack, _TEXELS)
    across, down, up = (np.ascontiguousarray(fine[..., k]) for k in range(3))
    edge = np.where(across < 0, across[:, :1], across[:, -1:])
    return Texels(
        s=np.linspace(-1, 1, _TEXELS[1], dtype=np.float32)[None],
        t=np.linspace(0, 1, _TEXELS[0], dtype=np.float32)[:, None],
        across=across,
        down=down,
        up=up,
        inside=np.abs(edge - across),
        texel_cm=float(sheet.length_cm.mean() / _TEXELS[0]),
    )


def _light(scene: Scene, sheet: Sheet, height: F32, texels: Texels, softness: float) -> F32:
    """Return what the relief does to the light that the smooth sheet gets, at each texel."""
    light = scene.light
    view = scene.pose.to_view(sheet.points_cm.reshape(-1, 3)).reshape(ROWS, COLUMNS, 3)
    lamp = np.append(light.direction, np.clip(light.directional, 0.35, 0.9)).astype(np.float32)
    ratio = bake_relief(upsample(view, _TEXELS), height, lamp, 0.45)
    ratio = ratio * shading(height, texels.texel_cm)
    return np.asarray(softness + (1 - softness) * np.minimum(ratio, 1.6), np.float32)


def _hold_highlights(scene: Scene, normals: Floats, texture: F32) -> None:
    """Bend the brightest cloth away from clipping, as a camera's tone curve does: white keeps its folds; in place."""
    lit = sh_irradiance(scene.pose.to_view(normals).astype(np.float32), scene.light.harmonics, scene.light.floor)
    level = texture.max(-1) * upsample(lit.reshape(ROWS, COLUMNS), _TEXELS)
    over = np.maximum(level - _KNEE, 0)
    room = np.float32(0.97 - _KNEE)
    held = np.minimum(level, _KNEE) + room * (1 - np.exp(-over / room))
    texture *= (held / np.maximum(level, 1e-4))[..., None]


def _uv(rows: int, columns: int) -> F32:
    """Return texture coordinates of the sheet's vertices: texel centres, below the white rows."""
    v = (_WHITE_ROWS + 0.5 + np.linspace(0, rows - _WHITE_ROWS - 1, ROWS)) / rows
    u = (0.5 + np.linspace(0, columns - 1, COLUMNS)) / columns
    grid = np.stack(np.broadcast_arrays(u[None], v[:, None]), -1)
    return grid.reshape(-1, 2).astype(np.float32)


def _plain(mesh: Mesh, rows: int) -> Mesh:
    """Put an untextured part on the white rows."""
    mesh.uv_N2[:] = (0.5, _WHITE_ROWS / 2 / rows)
    return mesh


def _wear_low(rng: np.random.Generator, fit: dict[str, Any], shape: Mapping[str, Any]) -> None:
    """Now and then a mask is worn under the nose, rarely under the chin."""
    draw = rng.random()
    if draw < shape.get("under_nose", 0.06):
        fit["top"] = round(float(rng.uniform(6.9, 8.1)), 5)
        fit["peak_cm"] = round(0.3 * fit["peak_cm"], 5)
        fit["corner_top"] = round(fit["corner_top"] - 0.12, 5)


def _strap_colour(rng: np.random.Generator, base: list[float]) -> list[float]:
    draw = rng.random()
    colour = (0.9, 0.9, 0.89) if draw < 0.5 else (0.07, 0.07, 0.075) if draw < 0.6 else tuple(base)
    if draw > 0.95:
        colour = any_colour(rng)
    if max(base) < 0.25 and draw < 0.75:
        colour = (base[0], base[1], base[2])
    return [round(float(min(0.72, max(0.01, c**2.2))), 5) for c in colour]


def _valve_colour(rng: np.random.Generator, base: list[float]) -> list[float]:
    draw = rng.random()
    colour = (0.9, 0.9, 0.9) if draw < 0.3 else (0.1, 0.1, 0.11) if draw < 0.55 else tuple(base)
    if draw > 0.9:
        colour = any_colour(rng)
    return [round(float(min(0.72, max(0.012, c**2.2))), 5) for c in colour]


def _range(asset: Asset, shape: Mapping[str, Any], key: str) -> tuple[float, float]:
    """Return the range of a parameter: the asset's, or the default."""
    value = shape.get(key, _RANGES[key])
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        raise AssetError(f"the asset {asset.id} wants [low, high] for {key}, not {value!r}") from None
    if not low <= high:
        raise AssetError(f"the asset {asset.id} has a range for {key} that runs backwards: {value!r}")
    return low, high


def _validated(asset: Asset) -> Mapping[str, Any]:
    """Return the shape table, after a look at its words."""
    shape = asset.shape
    for key, known in (("cut", CUTS), ("fabric", FABRICS), ("straps", STRAPS), ("palette", PALETTES)):
        if shape.get(key) not in known:
            raise AssetError(f"the asset {asset.id} has {key} {shape.get(key)!r}; known are {', '.join(sorted(known))}")
    odd = set(shape) - set(_RANGES) - {"cut", "fabric", "straps", "palette", "patterns", "valve", *_CHANCES}
    odd |= set(shape.get("patterns", {})) - PATTERNS
    if odd:
        raise AssetError(f"the asset {asset.id} has unknown keys: {', '.join(sorted(odd))}")
    return shape

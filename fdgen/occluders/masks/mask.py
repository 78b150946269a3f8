"""Face masks: cloth, surgical, respirators, scarves, draped on the personal face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np

from fdgen.analysis.geometry import grid_faces
from fdgen.arrays import F32, F64, I32
from fdgen.assets import Asset
from fdgen.occluders.base import Placement
from fdgen.occluders.cloth.creasing import raise_creases
from fdgen.occluders.cloth.crumple import crumple
from fdgen.occluders.cloth.drape import bake_relief, head_map, shade_texture, upsample
from fdgen.occluders.cloth.fabric import BLACKEST, any_colour, dress, paint
from fdgen.occluders.cloth.relief import Texels, darkness, edge_light, fabric_grain, pleats_of, relief, shading
from fdgen.occluders.cloth.weave import draw_weave, weave_light
from fdgen.occluders.masks.pattern import COLUMNS, ROWS, Sheet, drape
from fdgen.occluders.masks.spec import MaskSpec
from fdgen.occluders.masks.straps import draw_strands, rows_for, straps
from fdgen.occluders.masks.trim import draw_sides, draw_trim, trim
from fdgen.occluders.masks.valve import draw_lid, shade_below, valves
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.kernels import sh_irradiance
from fdgen.render.mesh import Material, Mesh, join, part
from fdgen.render.scene import Scene
from fdgen.runtime.jit import compiled
from fdgen.runtime.rng import draw_one

_TEXELS = (144, 204)
_ACROSS = np.linspace(-1, 1, _TEXELS[1], dtype=np.float32)[None]
_DOWN = np.linspace(0, 1, _TEXELS[0], dtype=np.float32)[:, None]
"""Places of texels, as `Texels` has them."""
_KNEE = 0.84
"""Linear level above which highlights are held back."""
_DIRECTIONAL = (0.5, 0.95)
"""Share of one lamp in the light on folds: faces are rounder than folds, and show less of it than there is."""
_FROM_BELOW = 0.35
"""Share of the light that cloth under the chin loses to the chest below it, which no skin of the face shows."""
_CRISP = 0.2
"""How much more light sharp folds keep off than open ones of their depth: their sides touch."""
_SHEEN = 1.5
"""How much more what its threads send back varies on black cloth than on pale: they shine, whatever they are dyed."""
_SHARPER = (0.65, 0.8, 0.5)
"""Share of what is finer than three texels that is added to it, the more of black cloth, and of printed cloth."""
_DEEPEST = 0.15
"""Light that is left in the deepest line."""
_YELLOW = np.array([0.78, 0.52, 0.05])
_PALEST_STRAP = 0.48
"""Albedo of white loops: round and thin, they show their shaded side too, which a renderer of bands does not."""
_WHITE_ROWS = 4
"""Rows of white above the cloth's texture, on which untextured parts sample."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Anything worn over nose and mouth that is made of cloth or moulded."""

    kind: str = "mask"

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw how a mask is worn: where its top edge lies, how slack it hangs, its colours and folds."""
        spec = MaskSpec.of(asset)
        fit: dict[str, Any] = {**spec.draw(rng)}
        fit["pleats"] = round(fit["pleats"])
        fit["tilt_deg"] = round(float(np.clip(rng.standard_t(4) * 1.6, -7, 7)), 4)
        fit["shift_deg"] = round(float(np.clip(rng.standard_t(4) * 1.3, -5, 5)), 4)
        fit["fold_seed"] = round(float(rng.random()), 6)
        fit["strap_rows"] = list(rows_for(spec.straps))
        fit["valve_side"] = draw_one(rng, (-1.0, 1.0))
        _wear_low(rng, fit, spec)
        fit |= dress(rng, spec.palette, spec.patterns)
        fit |= draw_weave(rng, spec.fabric, fit["colours"][0])
        fit["crease_seed"] = int(rng.integers(2**31))
        fit |= draw_trim(rng, spec, fit["colours"][0])
        matching = rng.random() < spec.straps_match
        fit["strap_colour"] = _strap_colour(rng, fit["colours"][0], matching=matching, bands=spec.straps == "head")
        fit["valve_colour"] = _valve_colour(rng, fit["colours"][0])
        fit |= draw_lid(rng)
        fit |= draw_sides(rng, spec, fit["colours"][0])
        fit |= draw_strands(rng)
        if spec.valve in ("square", "side") and fit["print_across"] * fit["valve_side"] > 0:
            fit["print_across"] *= -1  # print is beside the valve
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), fit)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Drape the mask on the face and draw it."""
        return draw(scene, build(scene, placement.values, asset), Style(bias_cm=0.45, occlusion=0.45, shadow=1.4))


def build(scene: Scene, fit: Mapping[str, Any], asset: Asset) -> Mesh:
    """Build the mesh of a placement in head cm."""
    spec = MaskSpec.of(asset)
    head = head_map(scene.mesh_cm)
    sheet = drape(head, scene.mesh_cm, spec.cut, fit)
    texels = lay_texels(sheet)
    grain = fabric_grain(spec.fabric, texels, fit)
    pleats = pleats_of(spec.cut, texels, fit)
    height = relief(spec.cut, grain, texels, fit, pleats)
    if fit["crumple_cm"] > 0:
        height += crumple(texels, fit["fold_seed"], fit["crumple_cm"])
    raise_creases(height, texels, spec.cut, fit)
    vertices = sheet.points_cm.reshape(-1, 3)
    normals = _grid_normals(sheet.points_cm)
    coarse = cv2.resize(cv2.blur(height, (3, 3)), (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR)
    coarse = np.maximum(coarse, -0.8 * sheet.clearance_cm)  # folds stop at the skin
    vertices = vertices + normals * coarse.reshape(-1, 1)
    texture = paint(texels.across, texels.down, fit)
    trim(texture, texels, fit)
    lines = edge_light(texels, fit, pleats)
    lines *= 1 + np.float32(fit["mottle"]) * grain
    woven = weave_light(texels, fit)
    if woven is not None:
        lines *= woven
    lines += np.float32(_CRISP + _SHEEN * darkness(fit)) * (lines - 1)
    np.maximum(lines, np.float32(_DEEPEST), out=lines)
    _light(scene, sheet, normals, height, texels, fit["softness"], texture, lines)
    sharper = _SHARPER[0] + _SHARPER[1] * darkness(fit) + _SHARPER[2] * (fit["pattern"] != "plain")
    _sharpen(texture, sharper)
    if spec.valve is not None:
        shade_below(texture, texels, spec.valve, fit, scene.light.direction)
    texture = np.concatenate([np.ones((_WHITE_ROWS, texture.shape[1], 3), np.float32), texture])
    cloth = part(
        vertices,
        _faces(),
        Material(albedo=(1.0, 1.0, 1.0), specular=fit["specular"], gloss=fit["gloss"], two_sided=True),
        normals=normals,
        uv_N2=_uv(texture.shape[0], texture.shape[1]),
    )
    worn = replace(sheet, points_cm=vertices.reshape(ROWS, COLUMNS, 3))
    parts = straps(scene, head, worn, spec.straps, fit)
    if spec.valve is not None:
        parts += valves(worn, spec.valve, fit)
    return join([cloth, *(_plain(p, len(texture)) for p in parts)], texture=texture)


@cache
def _faces() -> I32:
    return grid_faces(ROWS, COLUMNS)


@compiled
def _grid_normals(points: F64) -> F64:
    """Return unit normals (rows · columns, 3) of a grid of points (rows, columns, 3), by its central differences."""
    rows, columns, _ = points.shape
    normals = np.empty((rows * columns, 3))
    for i in range(rows):
        for j in range(columns):
            rx, ry, rz = _step(points[i, :, 0], j), _step(points[i, :, 1], j), _step(points[i, :, 2], j)
            dx, dy, dz = _step(points[:, j, 0], i), _step(points[:, j, 1], i), _step(points[:, j, 2], i)
            x, y, z = dy * rz - dz * ry, dz * rx - dx * rz, dx * ry - dy * rx
            length = np.sqrt(x * x + z * z + y * y) + 1e-12  # another order would change the last bit of pictures
            normal = normals[i * columns + j]
            normal[0], normal[1], normal[2] = x / length, y / length, z / length
    return normals


@compiled
def _step(line: F64, n: int) -> Any:
    """Return the difference of the values after and before the n-th of a line (N,), which is mirrored at its ends."""
    last = len(line) - 1
    before = line[n - 1] if n > 0 else 2.0 * line[0] - line[1]
    after = line[n + 1] if n < last else 2.0 * line[last] - line[last - 1]
    return after - before


def lay_texels(sheet: Sheet) -> Texels:
    """Spread the sheet's own distances over the texels."""
    stack = np.dstack([sheet.across_cm, sheet.down_cm, sheet.length_cm - sheet.down_cm]).astype(np.float32)
    across, down, up = upsample(stack, *_TEXELS)
    edge = np.where(across < 0, across[:, :1], across[:, -1:])
    return Texels(
        s=_ACROSS,
        t=_DOWN,
        across=across,
        down=down,
        up=up,
        inside=np.abs(edge - across),
        high=sheet.points_cm[..., 1].astype(np.float32),
        texel_cm=float(sheet.length_cm.mean() / _TEXELS[0]),
    )


def _sharpen(texture: F32, share: float) -> None:
    """Give texels, in place, the contrast that they lose where they are interpolated to the picture's pixels."""
    blurred = cv2.blur(texture, (3, 3))
    cv2.addWeighted(texture, 1 + share, blurred, -share, 0.0, dst=texture)
    np.maximum(texture, np.float32(BLACKEST / 4), out=texture)


def _light(
    scene: Scene, sheet: Sheet, normals: F64, height: F32, texels: Texels, softness: float, texture: F32, lines: F32
) -> None:
    """Put what the relief does to the light into the texture, in place: the renderer lights the smooth sheet alone.

    Args:
        scene: The face and its light.
        sheet: The smooth cloth.
        normals: Its unit normals, a vertex a row.
        height: The relief (h, w) in cm.
        texels: Where its texels lie.
        softness: Share of the light that the cloth scatters, whatever its relief.
        texture: The texture (h, w, 3), linear.
        lines: Light left beside sharp folds (h, w), as `edge_light` returns it.
    """
    light, shape = scene.light, (ROWS, COLUMNS)
    view = scene.pose.to_view(sheet.points_cm.reshape(-1, 3)).astype(np.float32)
    lit = sh_irradiance(scene.pose.to_view(normals).astype(np.float32), light.harmonics, light.floor)
    lamp = np.append(light.direction, np.clip(1.3 * light.directional, *_DIRECTIONAL)).astype(np.float32)
    ratio, smooth_lit = bake_relief(view.reshape(*shape, 3), lit.reshape(shape), height, lamp, 0.45)
    ratio = np.asarray(cv2.GaussianBlur(ratio, (3, 3), 0.7), np.float32)  # finer lines would break up into dots
    downwards = np.clip(-normals[:, 1], 0, 1).reshape(*shape, 1).astype(np.float32)
    (neck,) = upsample(1 - np.float32(_FROM_BELOW) * downwards, *height.shape)
    ratio *= neck
    shade_texture(texture, ratio, shading(height, texels.texel_cm) * lines, smooth_lit, softness, _KNEE)


@cache
def _uv(rows: int, columns: int) -> F32:
    """Return texture coordinates of the sheet's vertices: texel centres, below the white rows."""
    v = (_WHITE_ROWS + 0.5 + np.linspace(0, rows - _WHITE_ROWS - 1, ROWS)) / rows
    u = (0.5 + np.linspace(0, columns - 1, COLUMNS)) / columns
    grid: F32 = np.stack(np.broadcast_arrays(u[None], v[:, None]), -1).reshape(-1, 2).astype(np.float32)
    grid.flags.writeable = False
    return grid


def _plain(mesh: Mesh, rows: int) -> Mesh:
    """Put an untextured part on the white rows."""
    mesh.uv_N2[:] = (0.5, _WHITE_ROWS / 2 / rows)
    return mesh


def _wear_low(rng: np.random.Generator, fit: dict[str, Any], spec: MaskSpec) -> None:
    """Now and then a mask is worn under the nose, rarely pulled down under the chin."""
    draw, low = rng.random(), rng.random()
    if draw < spec.under_nose:
        fit["top"] = round(6.9 + 1.2 * low, 5)
        fit["peak_cm"] = round(0.3 * fit["peak_cm"], 5)
        fit["corner_top"] = round(fit["corner_top"] - 0.12, 5)
    elif draw < spec.under_nose + spec.under_chin:
        fit["top"] = round(11.4 + 1.2 * low, 5)
        fit["peak_cm"] = round(-0.2 * fit["peak_cm"], 5)
        fit["corner_top"] = round(0.35 + 0.1 * low, 5)
        fit["corner_bottom"] = round(-0.05 + 0.1 * low, 5)
        fit["wrap_deg"] = round(16.0 + 12.0 * low, 5)
        fit["slack"] = round(1.5 * fit["slack"] + 0.5, 5)


def _strap_colour(rng: np.random.Generator, base: list[float], *, matching: bool, bands: bool) -> list[float]:
    """Draw the colour of loops or ties, or of `bands` round the head, which are yellow on every second respirator."""
    draw = rng.random()
    if bands and rng.random() < 0.5:
        return [round(float(c), 5) for c in _YELLOW * rng.uniform(0.7, 1.1)]
    colour = (0.9, 0.9, 0.89) if draw < 0.5 else (0.07, 0.07, 0.075) if draw < 0.6 else tuple(base)
    if draw > 0.98:
        colour = any_colour(rng)
    if matching or (max(base) < 0.25 and draw < 0.75):
        colour = (base[0], base[1], base[2])
    return [round(float(min(_PALEST_STRAP, max(0.01, c**2.2))), 5) for c in colour]


def _valve_colour(rng: np.random.Generator, base: list[float]) -> list[float]:
    """Draw the colour of a valve: mostly that of its mask, or of white or grey plastic; black is for dark masks."""
    draw, pale = rng.random(), min(base) > 0.6
    white, grey, black = (0.88, 0.88, 0.88), (0.62, 0.63, 0.65), (0.1, 0.1, 0.11)
    colour = tuple(base) if draw < 0.5 else black
    if pale and draw > 0.5:
        colour = white if draw < 0.75 else grey
    if draw > 0.985:
        colour = any_colour(rng)
    return [round(float(min(0.72, max(0.012, c**2.2))), 5) for c in colour]

"""The geometry of headwear: a crown round the skull, visor or brim, cuff, band, button, pompom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from fdgen.analysis.geometry import grid_faces, lengths
from fdgen.arrays import F32, F64
from fdgen.occluders.headwear.hat_cloth import cloth, embroider, sew_panels, stitch_rows, texels
from fdgen.occluders.headwear.head_fit import Head
from fdgen.occluders.props.materials import grain
from fdgen.occluders.props.solids import Solid, turned
from fdgen.render.channels import thrice
from fdgen.render.mesh import Material, Mesh

Parts = list[tuple[Mesh, F32 | None]]

FORMS = ("beanie", "cap", "brimmed", "band", "surgical")

_AROUND, _UP = 128, 30
"""Vertices of a crown, round and up."""
_WRINKLES_CM = {"knit": 0.30, "woven": 0.16, "felt": 0.14, "straw": 0.08, "paper": 0.35}
_BAND_CM = 2.6
VISOR_DEG = 66.0
"""Half the arc of a visor."""
_UNDER = np.float32(0.5)
"""Share of the light that the underside of a brim gets: the face takes the rest."""


def hat_parts(head: Head, form: str, fabric: str, values: Mapping[str, Any]) -> Parts:
    """Build all parts of a piece of headwear, with their textures."""
    size = values["size"]
    look = Material((1.0, 1.0, 1.0), specular=0.02, gloss=8.0, two_sided=True)
    parts: Parts = []

    def add(solid: Solid, texture: F32) -> None:
        parts.append((solid.moved(head.rotation, head.middle).made_of(look, printed=True), texture))

    if form == "band":
        strip, around, high = _ear_band(head, size)
        add(strip, cloth(*texels(around, high), fabric, values))
        return parts
    crown, height_cm = _crown(head, form, fabric, size, values["seed"])
    across, down = texels(np.pi * sum(head.half), height_cm)
    texture = cloth(across, down, fabric, values)
    if form == "cap":
        sew_panels(texture, across, values)
        if values["badge"] != "none" and not values["backwards"]:
            embroider(texture, {**values, "badge_rows": 0.26, "badge_at": 0.62})
    if values["band"]:
        high = max(1, round(len(texture) * _BAND_CM / height_cm))
        ribbon = np.array(values["second"], np.float32) ** 2.2
        texture[-high:] = ribbon * (0.95 + 0.05 * np.cos(np.arange(high, dtype=np.float32) * 2.4))[:, None, None]
        texture[-high - 1 : -high + 1] *= np.float32(0.55)
    texture[-3:] *= np.linspace(0.85, 0.5, 3, dtype=np.float32)[:, None, None]  # the hem turns in
    add(crown, texture)
    if form == "surgical":
        strip, around, high = _hem(head, size)
        add(strip, cloth(*texels(around, high), fabric, {**values, "pattern": "plain"}) * np.float32(0.92))
    if size["cuff_cm"] > 0.3:
        strip, around, high = _cuff(head, size)
        across, down = texels(around, high)
        knit = cloth(across, down, fabric, values)
        edge = np.minimum(down, high - down) / np.float32(0.35)
        knit *= np.clip(0.62 + 0.38 * edge, 0, 1)[..., None]
        if values["badge"] != "none":
            embroider(knit, {**values, "badge": "patch", "badge_rows": 0.42, "badge_at": 0.48})
        add(strip, knit)
    if form == "cap":
        if not values["backwards"]:
            visor, reach = _visor(head, size)
            add(visor, _brim_cloth(reach.max(), VISOR_DEG / 180 * np.pi * sum(head.half), fabric, values))
        ball = np.radians(np.linspace(-5, 90, 6))
        button = turned(np.column_stack([0.75 * np.cos(ball).clip(0), 0.45 * np.sin(ball) + head.up - 0.05]), sides=16)
        add(button, np.full((8, 8, 3), np.array(values["colours"][0], np.float32) ** 2.2 * np.float32(0.9)))
    if form == "brimmed":
        brim = _brim(head, size, values["seed"])
        add(brim, _brim_cloth(size["brim_cm"], 2 * np.pi * 0.5 * sum(head.half), fabric, values))
    if values["pompom"]:
        ball = np.radians(np.linspace(-90, 90, 12))
        profile = np.column_stack([3.0 * np.cos(ball).clip(0), 2.8 * np.sin(ball) + head.up + 1.8])
        fluff = grain({"kind": "foam", "seed": values["seed"]}) * np.array(values["colours"][1], np.float32) ** 2.2
        add(turned(profile, sides=24), fluff)
    return parts


def sheet(points: F64) -> Solid:
    """Return a grid of points (rows, columns, 3), seen from outside with rows downwards, as a solid.

    v runs with the length of the columns, u evenly.
    """
    across = np.gradient(points, axis=1)
    down = np.gradient(points, axis=0)
    normals = np.cross(down, across)
    normals /= lengths(normals) + 1e-9
    rows, columns = points.shape[:2]
    length = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(1)
    v = np.concatenate([[0.0], np.cumsum(length)]) / (length.sum() + 1e-9)
    u = np.broadcast_to(np.linspace(0, 1, columns), (rows, columns))
    uv = np.stack([u, np.broadcast_to(v[:, None], (rows, columns))], -1).reshape(-1, 2)
    return Solid(points.reshape(-1, 3), normals.reshape(-1, 3), grid_faces(rows, columns), uv)


def _crown(head: Head, form: str, fabric: str, size: Mapping[str, float], seed: int) -> tuple[Solid, float]:
    """Build the crown, and its height along the cloth in cm."""
    angle = np.linspace(-np.pi, np.pi, _AROUND + 1)
    rise = np.sin(np.linspace(0.5 * np.pi, 0.0, _UP))[:, None] ** 0.9  # 1 at the top
    steep = size["round"] + size["steep_front"] * np.clip(np.cos(angle), 0, 1)[None]
    shrink = (1 - rise**steep) ** (1 / steep) * (1 + size["flare"] * np.sin(np.pi * rise))
    shrink = shrink * (1 - size["taper"] * rise)
    middle = np.sin(np.pi * np.clip(rise, 0, 1)) ** 0.7
    if form == "cap":  # six panels, each a little full, with seams between them
        sector = (angle[None] / (np.pi / 3) + 0.5) % 1 - 0.5
        shrink = shrink * (
            1 + middle * (0.012 * np.cos(2 * np.pi * sector + np.pi) - 0.012 * np.exp(-((sector / 0.05) ** 2)))
        )
    rng = np.random.default_rng(seed)
    if form == "surgical":  # gathered into its hem
        folds = sum(np.cos(k * angle + rng.uniform(0, 6.3)) * w for k, w in ((23, 0.5), (31, 0.6), (44, 0.4)))
        shrink = shrink * (1 + 0.018 * np.asarray(folds)[None] * np.exp(-rise / 0.35))
    points = head.ring(angle)[None] * shrink[..., None]
    points[..., 1] = head.up * rise
    if form in ("beanie", "surgical"):  # no hem lies quite level
        waves = sum(np.cos(k * angle + rng.uniform(0, 6.3)) / k for k in (2, 3, 5, 7))
        points[..., 1] += 0.28 * np.asarray(waves)[None] * (1 - rise) ** 4
    if size["slouch_cm"] > 0:  # the empty top hangs back, with folds across it
        points[..., 2] -= size["slouch_cm"] * rise**2.5
        points[..., 0] += 0.3 * size["slouch_cm"] * rng.normal() * rise**2.5
    if size["dent_cm"] > 0:  # the crease of a fedora, and the pinch at either side of its front
        crease = np.exp(-((points[..., 0] / 1.9) ** 2)) * np.clip((rise - 0.55) / 0.45, 0, 1)
        points[..., 1] -= size["dent_cm"] * crease
        for side in (-1, 1):
            near = np.exp(-(((angle[None] - side * 0.62) / 0.3) ** 2) - ((rise - 0.82) / 0.16) ** 2)
            points *= (1 - 0.10 * size["dent_cm"] * near)[..., None] ** np.array([1.0, 0.0, 1.0])
    noise = np.tile(rng.standard_normal((_UP, _AROUND)), (1, 3))
    wide = 7.0 if fabric == "knit" else 4.0
    bumps: F64 = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigmaX=wide, sigmaY=1.6), np.float64)
    bumps = bumps[:, _AROUND : 2 * _AROUND + 1]  # the noise goes round thrice, so that its ends meet
    bumps = bumps / (np.abs(bumps).max() + 1e-9)
    height = (_WRINKLES_CM[fabric] + 0.12 * size["slouch_cm"]) * (np.abs(bumps) * 1.6 - 0.5)
    height = height * np.clip(3 * (1 - rise) * (rise + 0.1), 0, 1)
    points += points / (lengths(points) + 1e-9) * height[..., None]
    length = float(np.linalg.norm(np.diff(points[:, _AROUND // 2], axis=0), axis=-1).sum())
    return sheet(points), length


def _strip(head: Head, levels: list[tuple[float, float]], round_: float) -> tuple[Solid, float, float]:
    """Build a strip round the head from its (height, distance from the crown) in cm, from above."""
    angle = np.linspace(-np.pi, np.pi, _AROUND + 1)
    rows = []
    for high, stand in levels:
        rise = np.clip(high / head.up, 0.0, 0.98)
        ring = head.ring(angle) * (1 - rise**round_) ** (1 / round_)
        ring += head.ring(angle) / lengths(head.ring(angle)) * stand
        ring[:, 1] = high
        rows.append(ring)
    points = np.array(rows)
    return sheet(points), np.pi * sum(head.half), float(np.linalg.norm(np.diff(points[:, 0], axis=0), axis=-1).sum())


def _cuff(head: Head, size: Mapping[str, float]) -> tuple[Solid, float, float]:
    """Build the turned-up edge of a beanie."""
    high = size["cuff_cm"]
    levels = [(high, 0.0), (high + 0.05, 0.3), (high - 0.2, 0.48), (0.6 * high, 0.5), (0.3 * high, 0.46)]
    levels += [(0.12, 0.42), (-0.08, 0.3), (-0.1, 0.05)]
    return _strip(head, levels, size["round"])


def _hem(head: Head, size: Mapping[str, float]) -> tuple[Solid, float, float]:
    """Build the elastic hem of a surgical cap."""
    return _strip(head, [(0.9, 0.0), (0.8, 0.12), (0.3, 0.14), (0.0, 0.1), (-0.1, 0.0)], size["round"])


def _ear_band(head: Head, size: Mapping[str, float]) -> tuple[Solid, float, float]:
    """Build a band round the forehead and the ears, higher before the ears than over the brow."""
    high = size["cuff_cm"]
    levels = [(high - 0.1, -0.4), (high, 0.05), (high - 0.3, 0.22), (0.5 * high, 0.28)]
    levels += [(0.3, 0.22), (0.0, 0.05), (0.1, -0.3)]
    return _strip(head, levels, size["round"])


def _visor(head: Head, size: Mapping[str, float]) -> tuple[Solid, F64]:
    """Build the visor of a cap, upper side, edge and lower side in one sheet, and how far it reaches."""
    u = np.linspace(-1.0, 1.0, 41)
    rim = head.ring(np.radians(VISOR_DEG) * u, 0.05)
    droop = np.radians(size["droop_deg"])
    reach = visor_reach(size["brim_cm"], u)
    rows = []
    for share, offset in [*((s, 0.10) for s in np.linspace(0.0, 0.97, 10)), (1.0, 0.04), (1.0, -0.06)] + [
        (s, -0.12) for s in np.linspace(0.97, 0.0, 6)
    ]:
        row = rim.copy()
        out = share * reach
        row[:, 2] += out * np.cos(droop)
        row[:, 1] += offset - out * np.sin(droop) - size["arch_cm"] * np.abs(u) ** 2.0 * out / size["brim_cm"]
        row[:, 1] += 0.5 * (1 - share) ** 2
        rows.append(row)
    return sheet(np.array(rows)), reach


def visor_reach(brim_cm: float, across: F64) -> F64:
    """Return how far a visor stands out, in cm, at places from -1 to 1 across it."""
    reach: F64 = brim_cm * np.clip(1 - np.abs(across) ** 2.4, 0, 1) ** 0.75
    return reach


def _brim(head: Head, size: Mapping[str, float], seed: int) -> Solid:
    """Build a brim all round, upper side, edge and lower side in one sheet."""
    angle = np.linspace(-np.pi, np.pi, _AROUND + 1)
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 2)
    droop = np.radians(size["droop_deg"])
    rows = []
    for share, offset in [*((s, 0.10) for s in np.linspace(0.0, 0.98, 10)), (1.0, 0.03), (1.0, -0.05)] + [
        (s, -0.12) for s in np.linspace(0.98, 0.0, 6)
    ]:
        row = head.ring(angle, 0.05 + share * size["brim_cm"] * np.cos(droop))
        fall = share * size["brim_cm"] * np.sin(droop) * (0.8 + 0.2 * np.cos(angle))
        rolled = size["arch_cm"] * share**1.6 * np.sin(angle) ** 2
        wave = size["wave_cm"] * share * (np.cos(2 * angle + phase[0]) + 0.6 * np.cos(3 * angle + phase[1]))
        row[:, 1] = offset - fall + rolled + wave
        rows.append(row)
    return sheet(np.array(rows))


def _brim_cloth(reach_cm: float, around_cm: float, fabric: str, values: Mapping[str, Any]) -> F32:
    """Paint a visor or brim: its upper side, then its edge, then the lower side, which is darker."""
    columns, rows = int(np.clip(around_cm * 8, 80, 560)), int(np.clip(2 * reach_cm * 9, 40, 220))
    across, down = (
        np.ascontiguousarray(a, np.float32)
        for a in np.meshgrid(np.linspace(-0.5, 0.5, columns) * around_cm, np.linspace(0, 2 * reach_cm, rows))
    )
    texture = cloth(across, down, fabric, values)
    if values["two_panels"]:
        texture[:] = np.array(values["second"], np.float32) ** 2.2 * np.float32(0.97)
    from_edge = reach_cm - down
    if fabric == "woven":
        stitch_rows(texture, down, every=0.8)
    else:
        texture *= thrice(1 - 0.3 * np.exp(-(((from_edge - 0.45) / 0.08) ** 2)))
    texture *= thrice(1 + 0.35 * np.exp(-((from_edge / 0.14) ** 2)))
    texture *= thrice(np.where(from_edge < -0.1, _UNDER, 1.0).astype(np.float32))
    texture *= thrice(np.clip(0.5 + down / 1.6, 0.5, 1.0))  # the fold at the crown
    return texture

"""What holds a mask: loops round the ears, bands or ties round the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.geometry import Floats
from fdgen.mesh import Material, Mesh, part, tube
from fdgen.occluders.drape import HeadMap, directions
from fdgen.occluders.mask_cut import Sheet
from fdgen.scene import Scene

_RINGS = 22
_SIDES = 6
_SURE_RINGS = 5
"""Rings next to the mask, over the cheek, that no hair hides."""


def straps(scene: Scene, head: HeadMap, sheet: Sheet, kind: str, fit: Mapping[str, Any]) -> list[Mesh]:
    """Return the strands of a mask; `kind` is ears, head, ties or none. Their texture is left at (0, 0)."""
    if kind == "none":
        return []
    found = []
    colour = np.asarray(fit["strap_colour"], np.float32)
    rows, columns = sheet.theta.shape
    for side in (-1, 1):
        sure = _SURE_RINGS
        for upper, share in ((True, fit["strap_rows"][0]), (False, fit["strap_rows"][1])):
            row = min(max(round(share * (rows - 1)), 1), rows - 2)
            start = sheet.points_cm[row, 1 if side < 0 else columns - 2]
            end = _anchor(head, scene.mesh_cm, side, upper, kind, fit)
            lift = fit["strap_cm"] * 0.3 + 0.04
            path = _over_skin(head, start, end, lift)
            width = np.full(_RINGS, fit["strap_cm"] / 2)
            if kind == "ears" and fit["strap_cm"] > 0.6:  # cut from the same sheet: wide at the mask, narrow at the ear
                width *= np.linspace(1.5, 0.8, _RINGS)
            vertices, faces = tube(path, np.maximum(0.07, 0.3 * width), depth_cm=width, sides=_SIDES)
            if upper and _hair_over(scene, path):
                sure = 0
            shown = _RINGS if kind != "ears" and fit["over_hair"] > 0.75 else sure
            material = Material(albedo=colour, specular=0.02, gloss=12.0)
            found.append(part(vertices, faces, material, strand=(_RINGS, _SIDES, shown)))
    return found


def _hair_over(scene: Scene, path: Floats) -> bool:
    """Tell whether hair hangs where a strand leaves the mask: then none of that side's strands show."""
    points = scene.pose.to_screen(path[2:9])[:, :2].astype(np.float32)
    return float(np.median(scene.skin_likeness(points))) < 0.25


def _anchor(head: HeadMap, mesh: Floats, side: int, upper: bool, kind: str, fit: Mapping[str, Any]) -> Floats:
    """Return where a strand ends: behind the root of the ear, or past it round the head."""
    temple, brow, tragus, below, lobe = mesh[[127, 162, 234, 93, 132] if side < 0 else [356, 389, 454, 323, 361]]
    if upper:
        y = 0.5 * temple[1] + 0.5 * brow[1] + fit["ear_up_cm"]
    else:
        y = 0.55 * below[1] + 0.45 * lobe[1] - fit["ear_down_cm"]
    if kind == "ears":
        end = np.array([tragus[0] + 0.1 * side, y, tragus[2] - 1.1])
    else:
        rise = fit["band_up_cm"] if upper else -fit["band_down_cm"]
        end = np.array([tragus[0] - 0.8 * side, y + rise, tragus[2] - 4.5])
    theta, phi = head.aim(end[None])
    bound = np.radians(116.0)
    theta = np.clip(theta, -bound, bound)
    found: Floats = head.points(theta, phi, head.radius(theta, phi))[0]
    return found


def _over_skin(head: HeadMap, start: Floats, end: Floats, lift: float) -> Floats:
    """Return the taut path (rings, 3) from a corner of the mask over the cheek to `end`, which it dives under."""
    share = np.linspace(0.0, 1.0, _RINGS)[:, None]
    chord = start + (end - start) * share
    theta, phi = head.aim(chord)
    along = np.linalg.norm(chord - head.centre_cm, axis=1)
    least = np.maximum(head.radius(theta, phi) + lift, along)
    least[0] = along[0]
    rays = directions(theta, phi)
    bend = np.clip(np.sum(rays[:-1] * rays[1:], -1), 0.5, 1.0)
    limit = 1.0 / least
    w = limit.copy()
    for _ in range(12):
        w[1:-1] = np.minimum(limit[1:-1], (w[:-2] + w[2:]) / (2 * bend[1:]))
    radius = 1.0 / w
    radius[0] -= 0.06
    radius[-3:] *= (0.995, 0.96, 0.86)
    return head.points(theta, phi, radius)


def rows_for(kind: str) -> Sequence[float]:
    """Return where along the side of the cloth, 0 top to 1 bottom, the strands start."""
    return (0.03, 0.97) if kind in ("ears", "ties") else (0.3, 0.72)

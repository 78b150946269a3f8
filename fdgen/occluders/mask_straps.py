"""What holds a mask: loops round the ears, bands or ties round the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.geometry import Floats
from fdgen.mesh import Material, Mesh, part, tube
from fdgen.occluders.drape import HeadMap, directions
from fdgen.occluders.mask_cut import Sheet

_RINGS = 22


def straps(head: HeadMap, mesh_cm: Floats, sheet: Sheet, kind: str, fit: Mapping[str, Any]) -> list[Mesh]:
    """Return the strands of a mask: `kind` is ears, head, ties or none. `uv_N2` is left at the plain texel."""
    if kind == "none":
        return []
    found = []
    material = Material(albedo=np.asarray(fit["strap_colour"], np.float32), specular=0.02, gloss=12.0)
    for side in (-1, 1):
        column = 0 if side < 0 else sheet.theta.shape[1] - 1
        ear = mesh_cm[[127, 162, 234, 93, 132] if side < 0 else [356, 389, 454, 323, 361]]
        top_y = 0.35 * ear[0, 1] + 0.65 * ear[1, 1] + fit["ear_up_cm"]
        low_y = 0.75 * ear[3, 1] + 0.25 * ear[4, 1] - fit["ear_down_cm"]
        out = abs(float(ear[2, 0] - head.centre_cm[0]))
        for upper, row in ((True, fit["strap_rows"][0]), (False, fit["strap_rows"][1])):
            i = min(max(round(row * (len(sheet.theta) - 1)), 0), len(sheet.theta) - 1)
            inset = side * -1
            start = sheet.points_cm[i, column + inset]
            goal_y = top_y if upper else low_y
            theta_end = np.radians(101.0 if kind == "ears" else 112.0)
            if kind != "ears":
                goal_y = goal_y + (fit["band_up_cm"] if upper else -fit["band_down_cm"])
            phi_end = float(np.arctan2(goal_y - head.centre_cm[1], out))
            path = _over_skin(head, start, side * theta_end, phi_end, lift=fit["strap_cm"] * 0.35 + 0.06)
            width = np.full(len(path), fit["strap_cm"] / 2)
            width[:2] *= 1.15
            vertices, faces = tube(path, np.maximum(0.08, 0.55 * width), depth_cm=width, sides=6)
            shown = _RINGS if kind != "ears" and fit["over_hair"] > 0.5 else 9
            found.append(part(vertices, faces, material, strand=(len(path), 6, shown)))
    return found


def _over_skin(head: HeadMap, start: Floats, theta_end: float, phi_end: float, lift: float) -> Floats:
    """Return a taut path (rings, 3) from a corner over the cheek to a direction at the ear, and down behind it."""
    theta, phi = head.aim(start[None])
    share = np.linspace(0.0, 1.0, _RINGS)
    thetas = theta[0] + (theta_end - theta[0]) * share
    phis = phi[0] + (phi_end - phi[0]) * share
    least = head.radius(thetas, phis) + lift
    least[0] = float(np.linalg.norm(start - head.centre_cm)) - 0.05
    rays = directions(thetas, phis)
    bend = np.clip(np.sum(rays[:-1] * rays[1:], -1), 0.5, 1.0)
    w = 1.0 / least
    limit = w.copy()
    for _ in range(12):
        w[1:-1] = np.minimum(limit[1:-1], (w[:-2] + w[2:]) / (2 * bend[1:]))
    radius = 1.0 / w
    radius[-2:] *= (0.985, 0.9)  # the end goes in behind the ear, under the head's surface
    return head.points(thetas, phis, radius)


def rows_for(kind: str) -> Sequence[float]:
    """Return where along the side of the cloth, 0 top to 1 bottom, the strands start."""
    return (0.03, 0.97) if kind in ("ears", "ties") else (0.28, 0.75)

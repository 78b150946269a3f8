"""The straps of a mask: loops round the ears, bands or ties round the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdgen.analysis.geometry import lengths
from fdgen.arrays import F64
from fdgen.occluders.cloth.drape import HeadMap, cosine, directions
from fdgen.occluders.masks.bare_skin import SIDES, BareSkin
from fdgen.occluders.masks.pattern import Sheet
from fdgen.render.mesh import Material, Mesh, part, tube
from fdgen.render.scene import Scene
from fdgen.runtime.jit import compiled

_RINGS = 22
_SIDES = 6
_STRANDS = ((-1, True), (-1, False), (1, True), (1, False))
"""Side of the face and whether it is the upper one, for each strand: an upper one before its lower."""
_SURE_RINGS = 5
"""Rings next to the mask, over the cheek, that no hair hides."""
_SWEEPS = 12
"""Sweeps in which a strand is pulled taut over the skin."""
_SHADED_RINGS, _SHADE = 8, 0.32
"""Rings of a loop that lie in the cleft behind the ear, and the light left in its depth."""
_GONE_RINGS, _NARROWED = 4, 0.7
"""Rings over which a loop goes behind the ear, and the share of its width that is left of it there."""
_SHADED, _NARROWING = np.linspace(1.0, _SHADE, _SHADED_RINGS), np.linspace(1.0, _NARROWED, _SHADED_RINGS)
_ALONG = np.linspace(0.0, 1.0, _RINGS)
"""Where the rings of a strand are, as shares of its way."""
_UNDERSIDE = 0.6
"""Light that is left where a strand turns to the skin that it lies on."""
_TWISTED = 0.2
"""How much darker a flat strand is where it is seen on its edge."""


def draw_strands(rng: np.random.Generator) -> dict[str, list[float]]:
    """Draw how the strands of a mask hang: JSON values for `straps`, one for each strand.

    `strand_sag_cm` is how far the middle of a strand is below the straight line; `strand_turn` the angle in radians
    that a flat one is turned by at the weld, and `strand_twist` by how much more at the ear.
    """
    n = len(_STRANDS)
    sag, turn, twist = rng.normal(0.08, 0.12, n), rng.uniform(0.0, 1.1, n), rng.normal(0.0, 1.3, n)
    values = {"strand_sag_cm": np.clip(sag, -0.2, 0.4), "strand_turn": turn, "strand_twist": np.clip(twist, -3.0, 3.0)}
    return {name: [round(float(value), 4) for value in each] for name, each in values.items()}


def straps(scene: Scene, head: HeadMap, sheet: Sheet, kind: str, fit: Mapping[str, Any]) -> list[Mesh]:
    """Return the strands of a mask. Their texture is left at (0, 0).

    Args:
        scene: The face.
        head: Radii of the head by direction.
        sheet: The mask as it is worn; strands start at its sides.
        kind: Kind of straps: ears, head, ties or none.
        fit: How the mask is worn, as it was drawn: width in cm, colour, rows where straps start, how strands hang.
    """
    if kind == "none":
        return []
    rows, columns = sheet.theta.shape
    starts, ends = np.empty((4, 3)), np.empty((4, 3))
    for k, (side, upper) in enumerate(_STRANDS):
        row = min(max(round(fit["strap_rows"][0 if upper else 1] * (rows - 1)), 1), rows - 2)
        starts[k] = sheet.points_cm[row, 1 if side < 0 else columns - 2]
        ends[k] = _anchor(scene.mesh_cm, side, upper, kind, fit)
    paths = _over_skin(head, starts, ends, fit["strap_cm"] * 0.3 + 0.04, np.array(fit["strand_sag_cm"]))
    width = np.full(_RINGS, fit["strap_cm"] / 2)
    if kind == "ears" and fit["strap_cm"] > 0.6:  # cut from the same sheet: wide at the mask, narrow at the ear
        width *= np.linspace(1.5, 0.8, _RINGS)
    thick = np.maximum(0.09, np.minimum(0.55 * width, 0.06 + 0.28 * width))  # the wider, the flatter
    ending = _GONE_RINGS if kind == "ears" else 7  # behind the ear at once, into the hair by and by
    fading = np.clip((_RINGS - 0.5 - np.arange(_RINGS)) / ending, 0.0, 1.0)
    shade = np.ones(_RINGS)
    if kind == "ears":
        shade[-_SHADED_RINGS:] = _SHADED
        width[-_SHADED_RINGS:] *= _NARROWING
        thick[-_SHADED_RINGS:] *= _NARROWING
    shown, present = _shown(scene, head, paths, kind)
    presence = np.repeat(fading, _SIDES)
    flat = _turned(fit["strand_turn"], fit["strand_twist"])
    across, deep = thick + (width - thick) * flat, width - (width - thick) * flat
    tubes = [tube(path, across[k], depth_cm=deep[k], sides=_SIDES) for k, path in enumerate(paths)]
    outwards = np.stack([vertices for vertices, _ in tubes]) - np.repeat(paths, _SIDES, 1)
    outwards /= lengths(outwards)
    away = np.repeat(paths - head.centre_cm, _SIDES, 1)
    away /= lengths(away)
    lit = _UNDERSIDE + (1 - _UNDERSIDE) * np.clip((outwards * away).sum(2), 0.0, 1.0)
    lit *= np.repeat(shade * (1 - _TWISTED * (1 - flat)), _SIDES, 1)
    albedo = lit[..., None] * np.asarray(fit["strap_colour"], np.float32)
    found = []
    for k, (vertices, faces) in enumerate(tubes):
        material = Material(albedo[k], presence=presence if present[k] else 0.0, specular=0.02, gloss=12.0)
        found.append(part(vertices, faces, material, normals=outwards[k], strand=(_RINGS, _SIDES, shown[k])))
    return found


def _turned(turn: Sequence[float], twist: Sequence[float]) -> F64:
    """Return how far the flat side of strands (K, rings) is turned to the viewer of the face: 0, on edge, to 0.5.

    A strand over the cheek never shows its flat side whole.
    """
    angle = np.asarray(turn)[:, None] + np.asarray(twist)[:, None] * _ALONG
    found: F64 = 0.5 * np.cos(angle) ** 2
    return found


def _shown(scene: Scene, head: HeadMap, paths: F64, kind: str) -> tuple[list[int], list[bool]]:
    """Return, for each path (K, rings, 3), how many of its rings show in any case, and whether any does.

    Where the ear is seen a loop shows as far as that. Else it goes under the hair where that begins, as bands do; where
    that is at the mask, it lies under it all along.
    """
    skin = BareSkin.of(scene)
    ears, sides = skin.ears_seen(), [SIDES.index(side) for side, _ in _STRANDS]
    bare = skin.rings(head, paths, sides)
    present = [ears[side] or rings >= _SURE_RINGS for rings, side in zip(bare, sides, strict=True)]
    whole = [kind == "ears" and ears[side] for side in sides]
    return [_RINGS if all_of else rings for all_of, rings in zip(whole, bare, strict=True)], present


def _anchor(mesh: F64, side: int, upper: bool, kind: str, fit: Mapping[str, Any]) -> F64:
    """Return where a strand ends: behind the root of the ear, or past it round the head."""
    temple, brow, tragus, below, lobe = mesh[[127, 162, 234, 93, 132] if side < 0 else [356, 389, 454, 323, 361]]
    if upper:
        y = 0.75 * temple[1] + 0.25 * brow[1] + fit["ear_up_cm"]
    else:
        y = 0.55 * below[1] + 0.45 * lobe[1] - fit["ear_down_cm"]
    if kind == "ears":
        return np.array([tragus[0] + 0.25 * side, y, tragus[2] - 0.9])
    rise = fit["band_up_cm"] if upper else -fit["band_down_cm"]
    return np.array([tragus[0] - 0.8 * side, y + rise, tragus[2] - 4.5])


def _over_skin(head: HeadMap, starts: F64, ends: F64, lift: float, sag_cm: F64) -> F64:
    """Return taut paths (K, rings, 3) from corners of the mask over the cheek to where they dive under the skin.

    Args:
        head: Radii of the head by direction.
        starts: Corners of the mask (K, 3).
        ends: Where paths end.
        lift: How far in cm they lie over the skin.
        sag_cm: How far the middle of each hangs below the straight line (K,).
    """
    theta, phi = head.aim(ends)
    bound = np.radians(116.0)
    theta = np.clip(theta, -bound, bound)
    ends = head.points(theta, phi, head.radius(theta, phi))
    chord = starts[:, None] + (ends - starts)[:, None] * _ALONG[:, None]
    chord[..., 1] -= sag_cm[:, None] * (4.0 * _ALONG * (1.0 - _ALONG))
    theta, phi = head.aim(chord.reshape(-1, 3))
    theta, phi = theta.reshape(-1, _RINGS), phi.reshape(-1, _RINGS)
    away = np.linalg.norm(chord - head.centre_cm, axis=2)
    least = np.maximum(head.radius(theta, phi) + lift, away)
    least[:, 0] = away[:, 0]
    radius = 1.0 / _pulled_taut(1.0 / least, directions(theta, phi))
    radius[:, 0] -= 0.06
    radius[:, -2:] *= (0.99, 0.965)
    return head.points(theta, phi, radius)


@compiled
def _pulled_taut(limit: F64, rays: F64) -> F64:
    """Return reciprocal radii (K, rings) of taut strands, nowhere over `limit`, along unit rays (K, rings, 3).

    That of a straight line is linear in its direction, as that of a plane is in `stretch`.
    """
    strands, rings = limit.shape
    found = np.empty_like(limit)
    before, after, bend = np.empty(rings), np.empty(rings), np.empty(rings)
    for k in range(strands):
        for i in range(rings):
            before[i] = limit[k, i]
            if i < rings - 1:
                bend[i] = cosine(rays[k, i], rays[k, i + 1])
        after[0], after[rings - 1] = before[0], before[rings - 1]
        for _ in range(_SWEEPS):
            for i in range(1, rings - 1):
                after[i] = min(limit[k, i], (before[i - 1] + before[i + 1]) / (2.0 * bend[i]))
            before, after = after, before
        for i in range(rings):
            found[k, i] = before[i]
    return found


def rows_for(kind: str) -> Sequence[float]:
    """Return where along the side of the cloth, 0 top to 1 bottom, the strands start."""
    return (0.03, 0.97) if kind in ("ears", "ties") else (0.3, 0.72)

"""The straps of a mask: loops round the ears, bands or ties round the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import to_linear
from fdgen.arrays import F32, F64, Image
from fdgen.occluders.cloth.drape import HeadMap, directions
from fdgen.occluders.masks.pattern import Sheet
from fdgen.render.mesh import Material, Mesh, part, tube
from fdgen.render.scene import Scene

_RINGS = 22
_SIDES = 6
_STRANDS = ((-1, True), (-1, False), (1, True), (1, False))
"""Side of the face and whether it is the upper one, for each strand: an upper one before its lower."""
_CHEEK = {-1: 123, 1: 352}
"""Vertices on the cheekbones, where hair seldom hangs."""
_SURE_RINGS = 5
"""Rings next to the mask, over the cheek, that no hair hides."""
_EAR_CM = ((0.5, -0.3), (0.9, -1.0), (1.3, -1.6), (0.5, -1.6))
"""Places on an ear, outwards from its front and back from it."""
_BARE = 0.5
"""Likeness to skin of a cheek that is surely bare."""
_EAR_SKIN, _EAR_SHARE = 0.25, 0.28
"""Likeness to skin of what may be ear, and the share of the places on it that must be so where the ear is seen."""
_SHADED_RINGS, _SHADE = 6, 0.5
"""Rings of a loop that lie in the cleft behind the ear, and the light left in its depth."""


def straps(scene: Scene, head: HeadMap, sheet: Sheet, kind: str, fit: Mapping[str, Any]) -> list[Mesh]:
    """Return the strands of a mask. Their texture is left at (0, 0).

    Args:
        scene: The face.
        head: Radii of the head by direction.
        sheet: The mask as it is worn; strands start at its sides.
        kind: Kind of straps: ears, head, ties or none.
        fit: How the mask is worn, as it was drawn: width in cm, colour, rows where straps start.
    """
    if kind == "none":
        return []
    rows, columns = sheet.theta.shape
    starts, ends = np.empty((4, 3)), np.empty((4, 3))
    for k, (side, upper) in enumerate(_STRANDS):
        row = min(max(round(fit["strap_rows"][0 if upper else 1] * (rows - 1)), 1), rows - 2)
        starts[k] = sheet.points_cm[row, 1 if side < 0 else columns - 2]
        ends[k] = _anchor(scene.mesh_cm, side, upper, kind, fit)
    paths = _over_skin(head, starts, ends, fit["strap_cm"] * 0.3 + 0.04)
    width = np.full(_RINGS, fit["strap_cm"] / 2)
    if kind == "ears" and fit["strap_cm"] > 0.6:  # cut from the same sheet: wide at the mask, narrow at the ear
        width *= np.linspace(1.5, 0.8, _RINGS)
    thick = np.maximum(0.09, np.minimum(0.55 * width, 0.06 + 0.28 * width))  # the wider, the flatter
    ending = 2 if kind == "ears" else 7  # behind the ear at once, into the hair by and by
    fading = np.clip((_RINGS - 0.5 - np.arange(_RINGS)) / ending, 0.0, 1.0)
    shade = np.ones(_RINGS)
    if kind == "ears":
        shade[-_SHADED_RINGS:] = np.linspace(1.0, _SHADE, _SHADED_RINGS)
    shown, present = _shown(scene, head, paths, kind)
    found = []
    for k in range(len(_STRANDS)):
        material = Material(
            albedo=np.repeat(shade, _SIDES)[:, None] * np.asarray(fit["strap_colour"], np.float32),
            presence=np.repeat(fading if present[k] else np.zeros(_RINGS), _SIDES),
            specular=0.02,
            gloss=12.0,
        )
        vertices, faces = tube(paths[k], thick, depth_cm=width, sides=_SIDES)
        normals = vertices - np.repeat(paths[k], _SIDES, 0)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        found.append(part(vertices, faces, material, normals=normals, strand=(_RINGS, _SIDES, shown[k])))
    return found


def _shown(scene: Scene, head: HeadMap, paths: F64, kind: str) -> tuple[list[int], list[bool]]:
    """Return, for each path (K, rings, 3), how many of its rings show in any case, and whether any does.

    Where hair hides the ear, a strand lies under it from the mask on, unless the cheek beside the mask is surely bare.
    Where the ear is seen a loop shows as far as that, and a band until it goes into the hair.
    """
    smooth = np.asarray(cv2.blur(scene.face.clean_HWC, (5, 5)), np.uint8)
    ears = {side: _ear_is_seen(scene, smooth, side) for side in (-1, 1)}
    seen = [ears[side] for side, _ in _STRANDS]
    points = scene.pose.to_screen(paths[:, 1 : _SURE_RINGS + 1].reshape(-1, 3))[:, :2].astype(np.float32)
    cheek = np.median(scene.skin_likeness(points).reshape(len(paths), -1), axis=1)
    present = [ear or bool(skin > _BARE) for ear, skin in zip(seen, cheek, strict=True)]
    if kind == "ears":
        return [_RINGS if ear else 0 for ear in seen], present
    bare = _bare_rings(scene, head, smooth, paths)
    hidden = [bare[k if upper else k - 1] < _SURE_RINGS for k, (_, upper) in enumerate(_STRANDS)]
    return [0 if hides else rings for hides, rings in zip(hidden, bare, strict=True)], present


def _ear_is_seen(scene: Scene, smooth: Image, side: int) -> bool:
    """Say whether the photograph, `smooth` where colours are read, shows an ear; beyond its border, any may be.

    An ear looks like skin, and more like the cheek of its side than like what is on top of the head.
    """
    temple, tragus, lobe = scene.mesh_cm[[127, 234, 132] if side < 0 else [356, 454, 361]]
    heights = np.linspace(temple[1], lobe[1], 5)
    ear = _screen(scene, [(tragus[0] + side * out, y, tragus[2] + back) for y in heights for out, back in _EAR_CM])
    ear = ear[((ear >= 0) & (ear < scene.size_px)).all(1)]
    if not len(ear):
        return True
    brow = scene.mesh_cm[10]
    top = _screen(scene, [brow + (right, up, -1.5) for right in (-2.5, 0.0, 2.5) for up in (2.0, 3.0)])
    hair = np.median(_log_colours(smooth, np.clip(top, 0, scene.size_px - 1).astype(np.float32)), axis=0)
    cheek = _log_colours(smooth, scene.face.landmarks.points_px[[_CHEEK[side]], :2].astype(np.float32))
    seen = _log_colours(smooth, ear)
    column, row = ear.astype(np.int64).T
    skin = (scene.skin_likeness(ear) > _EAR_SKIN) & (scene.hair_HW[row, column] < 0.5)
    return bool((skin & (_distance(seen, cheek) < _distance(seen, hair))).mean() >= _EAR_SHARE)


def _screen(scene: Scene, points_cm: Sequence[npt.ArrayLike]) -> F32:
    """Return where points of the head lie in the crop (N, 2)."""
    return np.asarray(scene.pose.to_screen(np.array(points_cm))[:, :2], np.float32)


def _distance(colours: F64, other: F64) -> F64:
    """Return squared distances (N,) of logarithms of colours (N, 3): brightness may differ more than hue."""
    apart = colours - other
    brightness = apart.mean(-1, keepdims=True)
    found: F64 = (brightness[:, 0] / 0.7) ** 2 + (((apart - brightness) / 0.16) ** 2).sum(-1)
    return found


def _bare_rings(scene: Scene, head: HeadMap, smooth: Image, paths: F64) -> list[int]:
    """Count the rings of each path (K, rings, 3), from the mask on, that lie on bare skin.

    Skin is what looks like the face's skin, or like the cheek of the same side: that may lie in the shade. The
    photograph is looked at a little inside the path: at the outline of a face what lies behind would pass for hair.
    """
    inside = paths + (head.centre_cm - paths) * (0.09, 0.0, 0.0)
    points = scene.pose.to_screen(inside.reshape(-1, 3))[:, :2].astype(np.float32)
    likeness = scene.skin_likeness(points).reshape(len(paths), -1)
    cheeks = scene.face.landmarks.points_px[[_CHEEK[side] for side, _ in _STRANDS], :2]
    own = _log_colours(smooth, cheeks.astype(np.float32))[:, None]
    seen = _log_colours(smooth, points).reshape(*likeness.shape, 3)
    likeness = np.maximum(likeness, np.exp(-0.5 * (((seen - own) / 0.33) ** 2).sum(-1)))
    covered = np.maximum(likeness[:, :-1], likeness[:, 1:]) < 0.28
    start = np.median(likeness[:, 1 : _SURE_RINGS + 3], axis=1) < 0.25
    covered[:, : _SURE_RINGS - 2] &= start[:, None]
    return [int(np.argmax(row)) + 1 if row.any() else _RINGS for row in covered]


def _log_colours(image: Image, points_px: F32) -> F64:
    """Look up logarithms of linear RGB (N, 3) at points (N, 2) of a picture."""
    x, y = points_px[None, :, 0], points_px[None, :, 1]
    seen = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    found: F64 = np.log(to_linear(np.asarray(seen, np.uint8)).astype(np.float64) + 0.01)
    return found


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


def _over_skin(head: HeadMap, starts: F64, ends: F64, lift: float) -> F64:
    """Return taut paths (K, rings, 3) from corners of the mask over the cheek to `ends`, which they dive under."""
    theta, phi = head.aim(ends)
    bound = np.radians(116.0)
    theta = np.clip(theta, -bound, bound)
    ends = head.points(theta, phi, head.radius(theta, phi))
    chord = starts[:, None] + (ends - starts)[:, None] * np.linspace(0.0, 1.0, _RINGS)[:, None]
    theta, phi = head.aim(chord.reshape(-1, 3))
    theta, phi = theta.reshape(-1, _RINGS), phi.reshape(-1, _RINGS)
    along = np.linalg.norm(chord - head.centre_cm, axis=2)
    least = np.maximum(head.radius(theta, phi) + lift, along)
    least[:, 0] = along[:, 0]
    rays = directions(theta, phi)
    bend = np.clip(np.sum(rays[:, :-1] * rays[:, 1:], -1), 0.5, 1.0)
    limit = 1.0 / least
    w = limit.copy()
    for _ in range(12):
        w[:, 1:-1] = np.minimum(limit[:, 1:-1], (w[:, :-2] + w[:, 2:]) / (2 * bend[:, 1:]))
    radius = 1.0 / w
    radius[:, 0] -= 0.06
    radius[:, -2:] *= (0.99, 0.965)
    return head.points(theta, phi, radius)


def rows_for(kind: str) -> Sequence[float]:
    """Return where along the side of the cloth, 0 top to 1 bottom, the strands start."""
    return (0.03, 0.97) if kind in ("ears", "ties") else (0.3, 0.72)

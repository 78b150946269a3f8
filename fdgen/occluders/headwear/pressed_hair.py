"""Hair that a hat presses down: what of it stood out above the hat's rim gives way to what lies behind the head."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from fdgen.analysis.geometry import fill_polygon
from fdgen.arrays import F32, F64, Bools
from fdgen.contract.face_points import OVAL
from fdgen.occluders.headwear.hair_volume import from_screen
from fdgen.render.channels import thrice
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene

_FARTHEST_CM = 4.2
"""Beyond this from a hat goes on no hair that it presses, but an arm, somebody else, a hat that was there."""
_FLARE = 0.9
"""How fast hair widens again below the rim, in cm of height for each cm of width."""
_HALO_CM = 0.45
"""Width round the hair that may still have its colour."""
_BEHIND = 0.06
"""Probability of the person under which a pixel shows what lies behind."""
_GRID_PX = 256
"""Side of the crop at which the narrowest ring is blurred; larger crops are filled from a smaller picture of them."""
_NARROWEST_PX = 1.5
"""Standard deviation of the narrowest ring on that grid."""
_RINGS = 6


def press_hair(scene: Scene, layer: Layer, rim_cm: F64, *, farthest_cm: float = _FARTHEST_CM) -> Layer:
    """Return a layer that also paints what lies behind the head where hair stood out above the rim (N, 3).

    What goes on beyond `farthest_cm` from the hat is no hair that it presses.

    What is painted so counts as clear glass does: it is changed, and is no part of the silhouette. Where the picture
    shows nothing behind the head, nothing is painted.
    """
    scale = scene.pose.scale_px
    size = scene.size_px
    outside = (layer.silhouette_HW < 0.5).view(np.uint8)
    if outside.all():
        return layer
    far_cm = np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, 5), np.float32) / np.float32(scale)
    y_px, x_px = np.mgrid[:size, :size].astype(np.float32)
    middle = rim_cm.mean(0)
    right, up = from_screen(scene, middle, x_px, y_px)
    screen = scene.pose.to_screen(rim_cm)
    rim_right, rim_up = from_screen(scene, middle, screen[:, 0].astype(np.float32), screen[:, 1].astype(np.float32))
    first, last = int(rim_right.argmin()), int(rim_right.argmax())
    level = np.interp(right, [rim_right[first], rim_right[last]], [rim_up[first], rim_up[last]])
    beside = np.maximum(rim_right[first] - right, right - rim_right[last])
    above = up - level
    stands_out = ((beside > -0.2) & (above > -_FLARE * np.maximum(beside, 0))) | (above > 1.0)
    inside = np.zeros((size, size), np.uint8)  # of the ring, where a hat seen from below shows the forehead; the face
    for outline in (screen[:, :2], scene.face.landmarks.points_px[list(OVAL), :2]):
        fill_polygon(inside, outline, 1)
    stands_out &= (far_cm < farthest_cm + 0.5) & (outside > 0) & (inside == 0)
    reach = 2 * round(_HALO_CM * scale) + 1
    person = np.asarray(cv2.dilate((scene.person_HW > 0.3).view(np.uint8), np.ones((reach, reach), np.uint8)))
    behind = cv2.erode((scene.person_HW < _BEHIND).view(np.uint8), np.ones((reach, reach), np.uint8))
    source = np.asarray(behind, np.float32) * (layer.silhouette_HW < 0.02)
    change = _ending(stands_out & (person > 0), far_cm, farthest_cm)
    if source.mean() < 0.01 or not change.any():
        return layer
    soft = np.asarray(cv2.GaussianBlur(change.astype(np.float32), (0, 0), 0.10 * scale), np.float32)
    # Under the hat's own edge, too: what shows through its soft rim is no hair.
    edge = cv2.dilate(change.view(np.uint8), np.ones((3, 3), np.uint8), iterations=2).astype(np.float32)
    share = np.where(layer.silhouette_HW > 0.02, edge * (layer.silhouette_HW < 0.999), soft).astype(np.float32)
    share *= 1 - layer.opacity_HW
    painted = spread(scene.linear_HWC, source)
    rows, columns = np.nonzero(share > 0)
    box = tuple(
        slice(min(old.start, int(at.min())), max(old.stop, int(at.max()) + 1))
        for old, at in zip(layer.box, (rows, columns), strict=True)
    )
    return replace(
        layer,
        colour_HWC=layer.colour_HWC + painted * thrice(share),
        opacity_HW=layer.opacity_HW + share,
        clear_HW=np.maximum(layer.clear_HW, share),
        box=(box[0], box[1]),
    )


def _ending(what: Bools, far_cm: F32, farthest_cm: float) -> Bools:
    """Return the connected parts that end within reach of the hat."""
    _, numbered = cv2.connectedComponents(what.view(np.uint8), connectivity=4)
    going_on = np.unique(numbered[what & (far_cm > farthest_cm)])
    ending: Bools = what & ~np.isin(numbered, going_on)
    return ending


def spread(linear_HWC: F32, weight_HW: F32) -> F32:
    """Fill a picture (H, W, 3) from where its weight (H, W) is not zero: the nearest ring that has any counts most.

    Each ring is twice as wide as the one before, and is blurred on a grid half as fine, so that all of them together
    cost little more than the first.
    """
    size = weight_HW.shape[0]
    weighted = np.asarray(cv2.merge([*cv2.split(linear_HWC * thrice(weight_HW)), weight_HW]), np.float32)
    rings = []
    for level in range(_RINGS):
        side = min(size, _GRID_PX >> level)
        weighted = np.asarray(cv2.resize(weighted, (side, side), interpolation=cv2.INTER_AREA), np.float32)
        sigma = _NARROWEST_PX * side * 2**level / _GRID_PX
        rings.append(np.asarray(cv2.GaussianBlur(weighted, (0, 0), sigma), np.float32))
    filled = np.zeros_like(rings[-1][..., :3])
    for level, ring in reversed(list(enumerate(rings))):
        side, near = len(ring), thrice(cv2.extractChannel(ring, 3))
        filled = np.asarray(cv2.resize(filled, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
        trust = np.float32(1.0) if level == _RINGS - 1 else np.clip(near * 8.0, 0.0, 1.0)
        filled += trust * (cv2.merge(cv2.split(ring)[:3]) / (near + np.float32(1e-6)) - filled)
    result: F32 = np.asarray(cv2.resize(filled, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    return result

"""The shade under a visor or brim: what of the sky and of the main light it keeps from the face."""

from __future__ import annotations

import numpy as np

from fdgen.analysis.geometry import canonical_face, vertex_normals
from fdgen.arrays import F32, F64
from fdgen.occluders.headwear.head_fit import Head
from fdgen.render.rasteriser import SUPERSAMPLE, timed_rasterise
from fdgen.render.scene import FAR, Scene, sample_points
from fdgen.render.shadow import blurred

_DIRECTIONS = 160
_LAMP = 4.0
"""How much brighter the sky is about the main light where all light is directional."""
_MOST = 0.78
"""Share of the light that a brim takes at most: the face is lit from below, too."""


def brim_shadow(scene: Scene, head: Head, reach_cm: F64, fall: float, half_deg: float) -> F32:
    """Return the share of light (H, W) that a brim takes from the face.

    Args:
        scene: The face and its light.
        head: The head that wears the hat, in head cm.
        reach_cm: How far the brim stands out from the rim (K,), at angles evenly spaced about the front.
        fall: How much lower it is for each cm outwards.
        half_deg: The angles go from minus this to this, in degrees from the front.
    """
    triangles = canonical_face().triangles
    normals = vertex_normals(scene.mesh_cm, triangles)
    sky = _sphere(_DIRECTIONS)
    light = scene.light
    lamp = sky @ (scene.pose.rotation.T @ np.asarray(light.direction, np.float64))
    bright = (0.55 + 0.45 * sky[:, 1]) * (1 + _LAMP * light.directional * np.clip(lamp, 0, 1) ** 6)
    weight = np.clip(normals @ sky.T, 0, None) * bright  # (N, D)
    origin = (scene.mesh_cm - head.middle) @ head.rotation
    along = sky @ head.rotation
    # Rays that rise towards what lights the vertex they come from: no other meets the brim. (R,) each.
    vertex, ray = np.nonzero((weight > 0) & (along[:, 1] > 0.05))
    (from_x, from_y, from_z), (along_x, along_y, along_z) = origin[vertex].T, along[ray].T
    # Where a ray meets the cone of the brim: y = -fall * (distance beyond the rim), solved in two steps.
    level = np.zeros(len(ray))
    for _ in range(2):
        step = (level - from_y) / along_y
        x, z = from_x + step * along_x, from_z + step * along_z
        angle = head.angle_of(x, z)
        rim = head.ring(angle)
        out = np.hypot(x, z) - np.hypot(rim[:, 0], rim[:, 2])
        level = -fall * np.clip(out, 0, reach_cm.max())
    long = np.interp(np.degrees(angle), np.linspace(-half_deg, half_deg, len(reach_cm)), reach_cm, left=0, right=0)
    hidden = np.zeros(weight.shape, np.bool_)
    hidden[vertex, ray] = (step > 0) & (out < long)
    share = (weight * hidden).sum(1) / (weight.sum(1) + 1e-9)
    return _drawn(scene, np.minimum(share, _MOST).astype(np.float32))


def _drawn(scene: Scene, share_N: F32) -> F32:
    """Interpolate a value of the face's vertices over the crop, fading beyond its rim."""
    triangles = canonical_face().triangles
    side = scene.size_px * SUPERSAMPLE
    depth = np.full((side, side), FAR, np.float32)
    ids, weights = np.full((side, side), -1, np.int32), (np.zeros_like(depth), np.zeros_like(depth))
    timed_rasterise(sample_points(scene.pose, scene.mesh_cm), triangles, depth, ids, weights)
    every = (slice(None, None, SUPERSAMPLE), slice(None, None, SUPERSAMPLE))
    ids, first, second = ids[every], weights[0][every], weights[1][every]
    corner = share_N[triangles[np.maximum(ids, 0)]]
    value = first * corner[..., 0] + second * corner[..., 1] + (1 - first - second) * corner[..., 2]
    inside = (ids >= 0).astype(np.float32)
    value = np.where(ids >= 0, value, 0).astype(np.float32)
    sigma = 0.9 * scene.pose.scale_px
    near = blurred(inside, sigma)
    beyond = blurred(value, sigma) / (near + np.float32(0.05))
    whole = np.where(inside > 0, value, beyond * np.minimum(1, 2 * near)).astype(np.float32)
    return blurred(whole, 0.18 * scene.pose.scale_px)


def _sphere(n: int) -> F64:
    """Return `n` directions evenly over the sphere (n, 3): Vogel's spiral."""
    k = np.arange(n) + 0.5
    y = 1 - 2 * k / n
    around = np.pi * (1 + 5**0.5) * k
    r = np.sqrt(1 - y * y)
    return np.stack([r * np.cos(around), y, r * np.sin(around)], 1)

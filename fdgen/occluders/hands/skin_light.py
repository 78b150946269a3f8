"""How bright the skin of a hand is drawn: by the light on the face, which was found on other surfaces than a hand's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fdgen.analysis.lighting import luminance, to_linear
from fdgen.arrays import F32, F64, Bools
from fdgen.render.kernels import sh_irradiance
from fdgen.render.scene import Scene

_CONTRAST = 0.5
"""Power of the light by which skin is lit once more: lightness then varies within a hand as on real ones."""

_ADAPTED = 0.8
"""Share, of the logarithm, of the difference in brightness from the face that is taken back."""

_BRIGHT = 0.95
"""A hand as bright as the face is so much brighter before hollows and folds take their light."""

_UPPER_FACE = (9, 151, 108, 337, 50, 280, 117, 346, 101, 330, 118, 347, 195, 5, 36, 266)
"""Landmarks on forehead, cheekbones and nose."""

_MOST_BEARD = 1.7
"""How much brighter than the median of a face its bare skin may be: more is a highlight."""

_LEAST_SEEN = 20.0
"""Vertices that face the viewer: fewer say nothing."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The vertices of a hand as the camera has them, (N,) each.

    They lie `inside` the crop or not, look `forward` by the cosine of their normals, at least 0, have `received` light
    by the face's harmonics, and are drawn with `residual` times that, as the pixel of the crop that is nearest has it.
    """

    inside: Bools
    forward: F32
    received: F32
    residual: F32

    @classmethod
    def of(cls, scene: Scene, vertices_cm: F64, normals: F64) -> _Seen:
        light = scene.light
        at = scene.pose.to_screen(vertices_cm)[:, :2].astype(np.int64)
        held = np.clip(at, 0, scene.size_px - 1)
        view = scene.pose.to_view(normals).astype(np.float32)
        return cls(
            inside=(held[:, 0] == at[:, 0]) & (held[:, 1] == at[:, 1]),
            forward=np.maximum(view[:, 2], 0.0),
            received=sh_irradiance(view, light.harmonics, light.floor),
            residual=scene.light_residual_HW[held[:, 1], held[:, 0]],
        )


def adapted(scene: Scene, reflectance: F32, vertices_cm: F64, normals: F64) -> F64:
    """Return the albedo (N, 3) to draw the vertices of a hand with.

    Args:
        scene: The face and its light.
        reflectance: Linear RGB of the hand's skin (3,).
        vertices_cm: Its vertices (N, 3) in head cm.
        normals: Their normals (N, 3) in the head's frame.
    """
    seen = _Seen.of(scene, vertices_cm, normals)
    share = _unbeard(seen) * _contrast(scene, seen.received)
    albedo = np.empty((len(share), 3))
    for channel in range(3):
        albedo[:, channel] = reflectance[channel] * share
    result: F64 = albedo * _exposure(scene, albedo, seen)
    return result


def _unbeard(seen: _Seen) -> F64:
    """Return by how much (N,) to brighten skin where the renderer will darken it for shadows on the face.

    Part of what looks like a shadow is a beard or a dark lip, which a hand before it does not have.
    """
    result: F64 = np.minimum(seen.residual, 1.0).astype(np.float64) ** -0.6
    return result


def _contrast(scene: Scene, received: F32) -> F64:
    """Return by how much (N,) skin is darker or lighter than the light that it `received` (N,) says.

    Harmonics that are fitted to the front of one face are flatter than its light: they say little of what lies aslant,
    and fingers do.
    """
    share = np.clip(received / np.float32(scene.light.mean_irradiance), 0.35, 1.6)
    result: F64 = share.astype(np.float64) ** _CONTRAST
    return result


def _exposure(scene: Scene, albedo: F64, seen: _Seen) -> float:
    """Return by how much to brighten a hand of this albedo (N, 3).

    Light that was found on one face says little of what looks elsewhere, as the back of a hand does. On photographs
    hand and face are about as bright as each other, so that most of the difference is an error.
    """
    weight = seen.forward * seen.inside
    if weight.sum() < _LEAST_SEEN:
        return 1.0
    tint = np.ones(3) if scene.light.grey else scene.light.tint
    bright = float((weight * (seen.received * seen.residual) * luminance(albedo * tint)).sum() / weight.sum())
    ratio = np.clip(bright / (_BRIGHT * _bare_skin(scene) + 1e-6), 0.4, 2.5)
    return float(ratio**-_ADAPTED)


def _bare_skin(scene: Scene) -> float:
    """Return the luminance of the face's skin where no beard grows; the median over a face counts beards, too."""
    at = np.clip(scene.face.landmarks.points_px[list(_UPPER_FACE), :2].astype(np.int64), 0, scene.size_px - 1)
    upper = float(np.median(luminance(to_linear(scene.face.clean_HWC[at[:, 1], at[:, 0]]))))
    middle = float(luminance(scene.light.skin))
    return float(np.clip(upper, middle, _MOST_BEARD * middle))

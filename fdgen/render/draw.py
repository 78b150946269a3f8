"""Mesh to layer: depth-tested against the head, lit by the photograph's own light, with the shadow it throws."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fdgen.analysis.lighting import FaceLight
from fdgen.arrays import F32, F64
from fdgen.render.kernels import resolve, shading_where_seen
from fdgen.render.mesh import Mesh, Strand
from fdgen.render.rasteriser import SUPERSAMPLE, read_only, timed_rasterise, timed_rasterise_cutout
from fdgen.render.scene import FAR, Scene, sample_points
from fdgen.render.shading import PRESENCE, lit_vertices, shade
from fdgen.render.shadow import ambient_occlusion, cast_shadow
from fdgen.runtime.jit import compiled
from fdgen.runtime.step_times import timed_step

_SAMPLES = 400
"""Vertices whose shading is kept, before those that are hidden are left out: enough to measure a lamp."""
_SKIN_DEEP_CM = 0.05
"""How far behind what is drawn at its sample a vertex may lie and still count as seen."""

_RIM = 0.15
"""How far normals may point away from the camera where a surface is still seen: they are smoothed round its rim."""

_NO_TINT = np.ones(3, np.float32)

DARK = np.zeros((1, 1, 3), np.float32)
"""The environment in which a mirror sees nothing."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one occluder adds to a photograph, at the size of the crop, in linear light.

    `colour_HWC` is premultiplied by the share of the pixel it covers; `opacity_HW` is what it takes from what lies
    behind, `silhouette_HW` its geometric coverage at any transparency, and `clear_HW` that of clear glass,
    which changes what is seen and is no part of the silhouette. `shadow_HW` is the share of light it takes from the
    head behind it, the more of a channel the larger its `shadow_rgb`. `grain_HWC` is noise of the box to add in sRGB
    levels, where the occluder shows. Beyond the rows and columns of `box` only the shadow is not zero. `shading_N4`
    samples how it was lit where it shows: a normal in the camera's frame, and the light that a white matte surface
    would have sent back from there. `surface_HW4`, of a scene that keeps surfaces, are the normal in the camera's frame
    and the screen z in px of what was drawn in the rows and columns of `surface_box`, NaN where nothing was.
    """

    colour_HWC: F32
    opacity_HW: F32
    silhouette_HW: F32
    clear_HW: F32
    shadow_HW: F32
    shadow_rgb: F32
    grain_HWC: F32
    box: tuple[slice, slice]
    shading_N4: F32 = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    surface_HW4: F32 = field(default_factory=lambda: np.zeros((0, 0, 4), np.float32))
    surface_box: tuple[slice, slice] = (slice(0), slice(0))


@dataclass(frozen=True, slots=True)
class Style:
    """How a mesh is drawn. Lengths in cm.

    `bias_cm` moves the head back before the depth test, for things that press into soft skin or hair; without
    `depth_test` the mesh lies in front of everything. `occlusion` scales the ambient occlusion of the mesh by itself,
    `translucent` lets red light bleed into it as in skin, `shadow` scales the shadow it throws.
    """

    depth_test: bool = True
    bias_cm: float = 0.0
    occlusion: float = 1.0
    translucent: bool = False
    shadow: float = 1.0


@timed_step("draw: the rest")
def draw(scene: Scene, mesh: Mesh, style: Style, *, environment: F32 = DARK) -> Layer:
    """Render a mesh over a scene. Pure: the same arguments give the same bytes.

    `environment` (H, W, 3) is what its mirrors see, as radiance relative to the mean light on the face.
    """
    size, step, scale = scene.size_px, SUPERSAMPLE, scene.pose.scale_px
    colour = np.zeros((size, size, 3), np.float32)
    opacity, silhouette, clear, shadow = (np.zeros((size, size), np.float32) for _ in range(4))
    points = sample_points(scene.pose, mesh.vertices_cm)
    rows, columns = box = _bounding_box(points, size)
    grain = np.zeros((max(0, rows.stop - rows.start), max(0, columns.stop - columns.start), 3), np.float32)
    layer = Layer(colour, opacity, silhouette, clear, shadow, _shadow_colour(scene.light), grain, box)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return layer
    points[:, 0] -= columns.start * step
    points[:, 1] -= rows.start * step
    window = (slice(rows.start * step, rows.stop * step), slice(columns.start * step, columns.stop * step))
    head = np.ascontiguousarray(scene.depth_HW[window])
    depth = head - np.float32(style.bias_cm * scale) if style.depth_test else np.full_like(head, FAR)
    face_id = np.full(depth.shape, -1, np.int32)
    weights = np.empty(depth.shape, np.float32), np.empty(depth.shape, np.float32)
    faces = read_only(mesh.faces)
    if len(mesh.cutout_HW2) > 1:
        timed_rasterise_cutout(points, faces, mesh.uv_N2, mesh.cutout_HW2, depth, face_id, weights)
    else:
        timed_rasterise(points, faces, depth, face_id, weights)

    shape = (rows.stop - rows.start, columns.stop - columns.start)
    height, gap = np.empty(shape, np.float32), np.empty(shape, np.float32)
    resolve(face_id, depth, head, float(FAR), height, gap)
    ambient = ambient_occlusion(height, scale, style.occlusion)
    vertices = _lit(scene, mesh)
    _timed_shade(
        face_id,
        weights,
        faces,
        mesh.parts_M,
        vertices,
        mesh.texture,
        mesh.cutout_HW2,
        _tinted(environment, scene.light.tint * np.float32(_around(scene.light))),
        _lamp(scene.light),
        scene.light.tint,
        ambient,
        style.translucent and not scene.light.grey,
        scene.light_residual_HW,
        rows.start,
        columns.start,
        colour,
        opacity,
        silhouette,
        clear,
    )
    if style.shadow > 0:
        covers = np.minimum(silhouette[rows, columns], opacity[rows, columns])
        shadow = cast_shadow(scene, covers, gap, rows, columns, style.shadow)
    layer = replace(
        layer, shadow_HW=shadow, shading_N4=_sample_shading(scene, mesh, vertices, points, depth, ambient, box)
    )
    if scene.keeps_surfaces:
        drawn = silhouette[rows, columns] + clear[rows, columns] > 0
        bary_HW2 = np.stack(weights, axis=-1)
        layer = replace(layer, surface_HW4=_surface(scene, mesh, face_id, bary_HW2, height, drawn), surface_box=box)
    return layer


def _surface(
    scene: Scene, mesh: Mesh, face_id: npt.NDArray[np.int32], bary: F32, height: F32, drawn: npt.NDArray[np.bool_]
) -> F32:
    """Return normal and depth (h, w, 4) of the pixels that are `drawn`, by the first of their samples that shows."""
    rows, columns = height.shape
    samples = face_id.reshape(rows, SUPERSAMPLE, columns, SUPERSAMPLE).swapaxes(1, 2).reshape(rows, columns, -1)
    first = (samples >= 0).argmax(2)
    y, x = np.nonzero(drawn & (samples >= 0).any(2))
    sample = first[y, x]
    weights = bary[y * SUPERSAMPLE + sample // SUPERSAMPLE, x * SUPERSAMPLE + sample % SUPERSAMPLE]
    corners = mesh.faces[samples[y, x, sample]]
    turned = _towards_viewer(scene, mesh.normals, mesh.two_sided_N)
    normal = weights[:, :1] * turned[corners[:, 0]] + weights[:, 1:] * turned[corners[:, 1]]
    normal += (1 - weights.sum(1, keepdims=True)) * turned[corners[:, 2]]
    normal[normal[:, 2] < -_RIM] *= -1  # what is seen is turned to the camera: this is the other side of a sheet
    normal[:, 2] = np.maximum(normal[:, 2], 0.0)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + np.float32(1e-9)
    result = np.full((rows, columns, 4), np.nan, np.float32)
    result[y, x] = np.column_stack([normal, height[y, x]])
    return result


def _bounding_box(points: F32, size: int) -> tuple[slice, slice]:
    """Return the rows and columns of the crop that the points touch, with a margin; empty where they miss it."""
    columns, rows = (_within(points[:, axis], size) for axis in (0, 1))
    return rows, columns


def _within(samples: F32, size: int) -> slice:
    """Return the pixels, of `size`, between the least and the greatest of sample coordinates."""
    low = int(np.floor(samples.min() / SUPERSAMPLE)) - 1
    high = int(np.ceil(samples.max() / SUPERSAMPLE)) + 1
    return slice(min(max(low, 0), size), min(max(high, 0), size))


_timed_shade = timed_step("draw: shade")(shade)


@timed_step("draw: light")
def _lit(scene: Scene, mesh: Mesh) -> F32:
    """Light the mesh's vertices, and hide what of its strands goes under hair: (N, 16), as `shade` reads them."""
    light = scene.light
    tint = _NO_TINT if light.grey else light.tint
    vertices = lit_vertices(
        mesh.normals,
        scene.pose.rotation,
        mesh.two_sided_N,
        _RIM,
        light.harmonics,
        light.floor,
        tint,
        mesh.albedo_N3,
        mesh.surface_N8,
        mesh.uv_N2,
    )
    for strand in mesh.strands:
        here = slice(strand.start, strand.start + strand.rings * strand.ring)
        fade = _under_hair(scene, scene.pose.to_screen(mesh.vertices_cm[here]), strand)
        vertices[here, PRESENCE] *= np.repeat(fade, strand.ring)
    return vertices


def _lamp(light: FaceLight) -> F32:
    """Return the direction of the main light and the strength of its highlights (4,)."""
    return np.append(light.direction, np.float32(1.3 * light.directional * light.mean_irradiance)).astype(np.float32)


def _tinted(environment: F32, colour: F32) -> F32:
    """Multiply a picture (H, W, 3) by a colour (3,): row by row, since an innermost loop over three is slow."""
    rows, columns, _ = environment.shape
    tinted = environment.reshape(rows, -1) * np.tile(colour, columns)
    return np.asarray(tinted.reshape(environment.shape), np.float32)


def _around(light: FaceLight) -> float:
    """Return the radiance of a place of 1: `environment` is relative to the light on the face."""
    return light.mean_irradiance * light.surround


def _sample_shading(
    scene: Scene, mesh: Mesh, vertices: F32, points: F32, depth: F32, ambient: F32, box: tuple[slice, slice]
) -> F32:
    """Return `Layer.shading_N4` at about `_SAMPLES` vertices, those of them that are seen; `depth` is what is drawn."""
    return shading_where_seen(
        points,
        vertices,
        mesh.surface_N8,
        depth,
        ambient,
        scene.light_residual_HW,
        box[0].start,
        box[1].start,
        1 + len(points) // _SAMPLES,
        np.float32(_SKIN_DEEP_CM * scene.pose.scale_px),
        scene.light.harmonics,
        scene.light.floor,
    )


def _towards_viewer(scene: Scene, normals: F64, two_sided: npt.NDArray[np.bool_]) -> F32:
    """Return normals in the camera's frame; those of cloth that is seen from behind are turned round."""
    turned = scene.pose.to_view(normals).astype(np.float32)
    turned[two_sided & (turned[:, 2] < -_RIM)] *= -1
    return turned


def _under_hair(scene: Scene, screen: F64, strand: Strand) -> F32:
    """Return how much of each ring of a strand shows: once it runs where there is no skin, it stays hidden."""
    rings = screen.reshape(strand.rings, strand.ring, 3)
    path = rings.mean(1)[:, :2].astype(np.float32)
    return _fading(scene.skin_likeness(path), strand.shown)


@compiled
def _fading(likeness: F32, shown: int) -> F32:
    """Return how much of each ring shows (N,), by its likeness to skin (N,); the first `shown` show in any case."""
    n = len(likeness)
    shows = np.empty(n + 2, np.float32)
    for k in range(n):
        like = (likeness[k] - np.float32(0.12)) * np.float32(4.0)
        shows[k] = np.float32(1.0) if k < shown else min(np.float32(1.0), max(np.float32(0.0), like))
    least = np.float32(1.0)
    for k in range(n):
        ahead = max(shows[k], shows[min(k + 1, n - 1)])  # one ring over a dark lash or mole does not end it
        least = min(least, ahead)
        shows[k] = least
    shows[n], shows[n + 1] = least, least
    fading = np.empty(n, np.float32)
    for k in range(n):  # under locks it goes little by little
        fading[k] = (shows[k] + shows[k + 1] + shows[k + 2]) / np.float32(3)
    return fading


def _shadow_colour(light: FaceLight) -> F32:
    """Shadows on skin keep more red: light comes back through it."""
    if light.grey:
        return np.full(3, 0.85, np.float32)
    return np.array([0.68, 0.85, 0.89], np.float32)

"""Mesh to layer: depth-tested against the head, lit by the photograph's own light, with the shadow it throws."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.geometry import Floats
from fdgen.lighting import FaceLight
from fdgen.mesh import Mesh, Strand
from fdgen.raster import rasterise, sh_irradiance, shade, splat_shadow
from fdgen.scene import FAR, SUPERSAMPLE, Scene, sample_points

F32 = npt.NDArray[np.float32]

DARK = np.zeros((1, 1, 3), np.float32)
"""The environment in which a mirror sees nothing."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one occluder adds to a photograph, at the size of the crop, in linear light.

    `colour_HWC` is premultiplied by the share of the pixel it covers; `opacity_HW` is what it takes from what lies
    behind, `silhouette_HW` its geometric coverage whatever its transparency. `shadow_HWC` is the share of light it
    takes from the head behind it. `grain_HW` is noise to add in sRGB levels, where it shows.
    """

    colour_HWC: F32
    opacity_HW: F32
    silhouette_HW: F32
    shadow_HWC: F32
    grain_HW: F32


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


def draw(scene: Scene, mesh: Mesh, style: Style, *, environment: F32 = DARK) -> Layer:
    """Render a mesh over a scene. Pure: the same arguments give the same bytes.

    `environment` (H, W, 3) is what its mirrors see, as radiance relative to the mean light on the face.
    """
    size, step = scene.size_px, SUPERSAMPLE
    empty = np.zeros((size, size), np.float32)
    points = sample_points(scene.pose, mesh.vertices_cm)
    box = _bounding_box(points, size)
    if box is None:
        return Layer(np.zeros((size, size, 3), np.float32), empty, empty, np.zeros((size, size, 3), np.float32), empty)
    rows, columns = box
    points[:, 0] -= columns.start * step
    points[:, 1] -= rows.start * step
    window = (slice(rows.start * step, rows.stop * step), slice(columns.start * step, columns.stop * step))
    head = scene.depth_HW[window]
    depth = head - np.float32(style.bias_cm * scene.pose.scale_px) if style.depth_test else np.full_like(head, FAR)
    depth = np.ascontiguousarray(depth)
    face_id = np.full(depth.shape, -1, np.int32)
    bary = np.zeros((*depth.shape, 2), np.float32)
    rasterise(points, mesh.faces, depth, face_id, bary)

    pixels = _shade(scene, mesh, face_id, bary, environment)
    hit = face_id >= 0
    if style.occlusion > 0 and hit.any():
        ambient = _ambient_occlusion(depth, hit, scene.pose.scale_px, style.occlusion)
        if style.translucent and not scene.light.grey:
            pixels[..., :3] *= ambient[..., None] ** np.array([0.85, 1.05, 1.08], np.float32)
        else:
            pixels[..., :3] *= ambient[..., None]
    height, width = rows.stop - rows.start, columns.stop - columns.start
    small = np.asarray(cv2.resize(pixels[..., :4], (width, height), interpolation=cv2.INTER_AREA), np.float32)
    presence = np.ascontiguousarray(pixels[..., 4])
    silhouette = np.asarray(cv2.resize(presence, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    gap = np.where(hit & (head > FAR / 2), (depth - head) / np.float32(scene.pose.scale_px), np.float32(-1))

    colour_HWC, opacity_HW, silhouette_HW = np.zeros((size, size, 3), np.float32), empty.copy(), empty.copy()
    colour_HWC[rows, columns] = small[..., :3] * scene.light_residual_HW[rows, columns, None]
    opacity_HW[rows, columns] = small[..., 3]
    silhouette_HW[rows, columns] = silhouette
    shadow = _shadow(scene, presence, gap, rows, columns, style.shadow)
    return Layer(colour_HWC, opacity_HW, silhouette_HW, shadow, empty)


def _bounding_box(points: F32, size: int) -> tuple[slice, slice] | None:
    """Return the rows and columns of the crop that the points touch, with a margin; None where they miss it."""
    low = np.clip(np.floor(points[:, :2].min(0) / SUPERSAMPLE) - 1, 0, size).astype(int)
    high = np.clip(np.ceil(points[:, :2].max(0) / SUPERSAMPLE) + 1, 0, size).astype(int)
    if (high - low < 1).any():
        return None
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _shade(scene: Scene, mesh: Mesh, face_id: npt.NDArray[np.int32], bary: F32, environment: F32) -> F32:
    """Light the mesh's vertices and shade the samples: premultiplied RGB, opacity, presence (h, w, 5)."""
    light = scene.light
    normals = scene.pose.to_view(mesh.normals).astype(np.float32)
    behind = mesh.two_sided_N & (normals[:, 2] < -0.15)
    normals[behind] *= -1
    lit = mesh.albedo_N3 * sh_irradiance(normals, light.harmonics, light.floor)[:, None]
    if not light.grey:
        lit *= light.tint
    surface = mesh.surface_N7
    if mesh.strands:
        surface = surface.copy()
        screen = scene.pose.to_screen(mesh.vertices_cm)
        for strand in mesh.strands:
            fade = _under_hair(scene, screen, strand)
            surface[strand.start : strand.start + strand.rings * strand.ring, 1] *= np.repeat(fade, strand.ring)
    main = np.append(light.direction, np.float32(1.3 * light.directional * light.mean_irradiance)).astype(np.float32)
    seen = environment * np.float32(light.mean_irradiance * light.surround) * light.tint
    out = np.empty((*face_id.shape, 5), np.float32)
    shade(
        face_id,
        bary,
        mesh.faces,
        lit.astype(np.float32),
        normals,
        mesh.uv_N2,
        surface,
        mesh.texture,
        seen.astype(np.float32),
        main,
        light.tint,
        out,
    )
    return out


def _under_hair(scene: Scene, screen: Floats, strand: Strand) -> F32:
    """Return how much of each ring of a strand shows: once it runs where there is no skin, it stays hidden."""
    rings = screen[strand.start : strand.start + strand.rings * strand.ring].reshape(strand.rings, strand.ring, 3)
    path = rings.mean(1).astype(np.float32)
    likeness = cv2.remap(
        scene.skin_likeness_HW,
        path[None, :, 0],
        path[None, :, 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )[0]
    shows = np.clip((likeness - 0.12) * 4.0, 0.0, 1.0)
    shows[: strand.shown] = 1.0
    shows = np.maximum(shows, np.append(shows[1:], shows[-1]))  # one ring over a dark lash or mole does not end it
    return np.minimum.accumulate(shows).astype(np.float32)


def _ambient_occlusion(depth: F32, hit: npt.NDArray[np.bool_], scale_px: float, strength: float) -> F32:
    """Darken what lies in the occluder's own hollows: depth against its blur at two radii, at half the samples."""
    height, width = depth.shape
    filled = np.where(hit, depth, depth[hit].min())
    half = np.asarray(cv2.resize(filled, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.float32)
    hollow = np.zeros_like(half)
    for radius_cm, weight in ((0.22, 0.32), (0.7, 0.36)):
        sigma = radius_cm * scale_px * SUPERSAMPLE / 2
        deeper = np.asarray(cv2.GaussianBlur(half, (0, 0), sigma), np.float32) - half
        hollow += np.float32(weight) * np.clip(deeper / np.float32(radius_cm * scale_px) - 0.05, 0.0, 1.2)
    light = np.clip(1 - hollow * np.float32(strength), 0.35, 1.0)
    return np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _shadow(scene: Scene, presence: F32, gap: F32, rows: slice, columns: slice, strength: float) -> F32:
    """Return the share of light (H, W, 3) that the occluder takes from the head: contact and cast shadow.

    The cast shadow is splatted: each sample lies `gap` cm above the head and shades what the main light would have
    reached there. The contact shadow is the sky that a near occluder hides from skin beside it.
    """
    size, scale, light = scene.size_px, scene.pose.scale_px, scene.light
    over_head = gap >= 0
    direction = light.direction
    slope = float(scale * SUPERSAMPLE / max(float(direction[2]), 0.35))
    cast = np.zeros((size * SUPERSAMPLE, size * SUPERSAMPLE), np.float32)
    near = np.zeros((size, size), np.float32)
    splat_shadow(
        presence,
        np.where(over_head, np.minimum(gap, 4.0), np.float32(-1)).astype(np.float32),
        -float(direction[0]) * slope,
        float(direction[1]) * slope,
        rows.start * SUPERSAMPLE,
        columns.start * SUPERSAMPLE,
        cast,
    )
    shape = (columns.stop - columns.start, rows.stop - rows.start)
    close = presence * np.where(over_head, np.exp(-np.maximum(gap, 0) / np.float32(1.2)), np.float32(0)).astype(
        np.float32
    )
    near[rows, columns] = cv2.resize(close, shape, interpolation=cv2.INTER_AREA)
    mean_gap = float(np.minimum(gap[over_head], 4.0).mean()) if over_head.any() else 0.0
    cast = np.asarray(cv2.resize(cast, (size, size), interpolation=cv2.INTER_AREA), np.float32)
    cast = np.asarray(cv2.GaussianBlur(cast, (0, 0), (0.12 + 0.18 * mean_gap) * scale), np.float32)
    contact = 0.50 * cv2.GaussianBlur(near, (0, 0), 0.22 * scale) + 0.30 * cv2.GaussianBlur(near, (0, 0), 0.7 * scale)
    taken = np.clip(contact + cast * np.float32(0.2 + 0.5 * light.directional), 0.0, 0.8)
    taken *= scene.head_coverage_HW * np.float32(strength)
    shadow: F32 = taken[..., None] * _shadow_colour(light)
    return shadow


def _shadow_colour(light: FaceLight) -> F32:
    """Shadows on skin keep more red: light comes back through it."""
    if light.grey:
        return np.full(3, 0.85, np.float32)
    return np.array([0.68, 0.85, 0.89], np.float32)

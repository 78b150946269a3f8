"""Layers of one occluder that is drawn in several, what is clear over what is behind it, as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fdgen.arrays import F32
from fdgen.render.draw import Layer

Box = tuple[slice, slice]


def stacked(lower: Layer, upper: Layer) -> Layer:
    """Return two layers as one, the upper before the lower."""
    passes = 1 - upper.opacity_HW
    silhouette = np.minimum(upper.silhouette_HW + (1 - upper.silhouette_HW) * lower.silhouette_HW, np.float32(1))
    box = _around(lower.box, upper.box)
    kept = bool(upper.surface_HW4.size or lower.surface_HW4.size)
    return replace(
        upper,
        colour_HWC=upper.colour_HWC + passes[..., None] * lower.colour_HWC,
        opacity_HW=upper.opacity_HW + passes * lower.opacity_HW,
        silhouette_HW=silhouette,
        clear_HW=np.clip(np.maximum(upper.clear_HW, lower.clear_HW), 0, 1 - silhouette),
        shadow_HW=upper.shadow_HW + (1 - upper.shadow_HW) * lower.shadow_HW,
        grain_HWC=np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start, 3), np.float32),
        box=box,
        shading_N4=np.concatenate([lower.shading_N4, upper.shading_N4]),
        surface_HW4=_surfaces(lower, upper, box) if kept else upper.surface_HW4,
        surface_box=box if kept else upper.surface_box,
    )


def _around(first: Box, second: Box) -> Box:
    """Return the rows and columns that hold two boxes, either of which may be empty."""
    if first[0].start >= first[0].stop or first[1].start >= first[1].stop:
        return second
    if second[0].start >= second[0].stop or second[1].start >= second[1].stop:
        return first
    rows, columns = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    return rows, columns


def _surfaces(lower: Layer, upper: Layer, box: Box) -> F32:
    """Return what surface was drawn where in a box, the upper layer's where both drew one."""
    found = np.full((box[0].stop - box[0].start, box[1].stop - box[1].start, 4), np.nan, np.float32)
    for layer in (lower, upper):
        if not layer.surface_HW4.size:
            continue
        rows, columns = (
            slice(side.start - within.start, side.stop - within.start)
            for side, within in zip(layer.surface_box, box, strict=True)
        )
        there = np.isfinite(layer.surface_HW4[..., 3])
        found[rows, columns][there] = layer.surface_HW4[there]
    return found

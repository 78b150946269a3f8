"""The geometry of face shields: a bent sheet with its edge, and the band between it and the forehead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fdgen.analysis.geometry import canonical_face, grid_faces, lengths, rotation_matrix
from fdgen.arrays import F32, F64
from fdgen.occluders.headwear.hat_mesh import sheet
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.props.solids import Solid

_ACROSS, _DOWN = 61, 41
"""Vertices of the sheet."""
ROUND = 49
"""Vertices of a band, round."""
_NOSE_CM = 1.0
"""Least distance of the sheet from the nose."""
_FOAM = ((0.0, 0.5), (0.8, 0.5), (0.95, 0.42), (1.0, 0.2), (1.0, -0.2), (0.95, -0.42), (0.8, -0.5), (0.0, -0.5))
_BOW = ((0.86, 0.42), (0.9, 0.5), (1.0, 0.5), (1.03, 0.3), (1.03, -0.3), (1.0, -0.5), (0.9, -0.5), (0.86, -0.42))
_CROWN = ((-0.1, 0.72), (0.25, 0.66), (0.75, 0.52), (1.0, 0.32), (1.06, 0.0), (1.06, -0.42), (1.02, -0.5), (0.9, -0.5))
_SECTIONS = {"foam": _FOAM, "printed": _BOW, "crown": _CROWN}
"""Sections of the bands, from above: share of the way from skin to sheet, and height in heights of the band."""


@dataclass(frozen=True, slots=True)
class ShieldFit:
    """Where a shield is worn: `band_y` is the middle of its band, `origin` (3,) the middle of the sheet's upper edge,
    and `rotation` (3, 3) turns the sheet, whose x runs across and y up, to the head's frame. `scale` is that of the
    face.
    """

    band_y: float
    origin: F64
    rotation: F64
    scale: float

    @classmethod
    def of(cls, mesh_cm: F64, surface: HeadSurface, values: Mapping[str, Any]) -> ShieldFit:
        """Fit a shield to a personal face (468, 3): its band on the forehead, its sheet clear of the nose."""
        size, model = values["size"], canonical_face().vertices_cm
        scale = float((mesh_cm[356, 0] - mesh_cm[127, 0]) / (model[356, 0] - model[127, 0]))
        band_y = float(mesh_cm[9, 1] + size["place"] * (mesh_cm[10, 1] - mesh_cm[9, 1]))
        tilt = np.radians(size["tilt_deg"])
        rotation = (
            rotation_matrix((0.0, np.radians(values["turn_deg"]), 0.0))
            @ rotation_matrix((0.0, 0.0, np.radians(values["lean_deg"])))
            @ rotation_matrix((-tilt, 0.0, 0.0))
        )
        top = band_y + scale * (0.5 * size["band_cm"] + size["above_cm"])
        forehead = surface.below(np.array([[surface.axis_cm[0], band_y, 20.0]]))[0]
        nose = mesh_cm[4]
        ahead = forehead[2] + scale * size["stand_cm"] - (band_y - top) * np.tan(tilt)
        clear = nose[2] + _NOSE_CM - (top - nose[1]) * np.tan(tilt)
        return cls(band_y, np.array([forehead[0], top, max(ahead, clear)]), rotation, scale)

    def to_head(self, points: F64) -> F64:
        """Put points (N, 3) of the sheet's frame on the head, in head cm."""
        placed: F64 = self.origin + self.scale * (points @ self.rotation.T)
        return placed


def sheet_mesh(fit: ShieldFit, values: Mapping[str, Any]) -> tuple[Solid, F64]:
    """Build the sheet, and return it with the places (N, 2) of its vertices: 0 in its middle and 1 at its edges."""
    size = values["size"]
    v = np.linspace(0.0, 1.0, _DOWN)
    u = np.linspace(-1.0, 1.0, _ACROSS)
    down = size["height_cm"] * (1 - np.cos(np.pi * v)) / 2  # closer where the corners are
    corner = min(size["corner_cm"], 0.49 * size["height_cm"], 0.49 * size["width_cm"])
    into = np.clip(corner - (size["height_cm"] - down), 0.0, corner)
    half = 0.5 * size["width_cm"] - corner + np.sqrt(np.maximum(corner**2 - into**2, 0.0))
    x, y = half[:, None] * u[None], np.broadcast_to(-down[:, None], (_DOWN, _ACROSS))
    points, normals = _bent(x.ravel(), y.ravel(), size)
    wave = _waves(values["seed"], size["wave"])
    normals[:, 0] += wave[0].ravel()
    normals[:, 1] += wave[1].ravel()
    normals /= lengths(normals)
    places = np.column_stack([np.tile(np.abs(u), _DOWN), np.repeat(np.abs(2 * v - 1), _ACROSS)])
    uv = np.column_stack([np.tile(0.5 + 0.5 * u, _DOWN), np.repeat(v, _ACROSS)])
    return Solid(fit.to_head(points), normals @ fit.rotation.T, grid_faces(_DOWN, _ACROSS), uv), places


def edge_mesh(fit: ShieldFit, values: Mapping[str, Any]) -> Solid:
    """Build the edge of the sheet at its sides and below: a narrow strip, a little before it."""
    size = values["size"]
    corner = min(size["corner_cm"], 0.49 * size["height_cm"], 0.49 * size["width_cm"])
    half, height = 0.5 * size["width_cm"], size["height_cm"]
    turn = np.linspace(0.0, 0.5 * np.pi, 12)
    side = np.column_stack([np.full(20, half), -np.linspace(0.0, height - corner, 20)])
    round_ = np.column_stack([half - corner + corner * np.cos(turn), -(height - corner) - corner * np.sin(turn)])
    below = np.column_stack([np.linspace(half - corner, 0.0, 24), np.full(24, -height)])
    right = np.concatenate([side, round_[1:], below[1:]])
    path = np.concatenate([right, (right * (-1.0, 1.0))[-2::-1]])
    ahead = np.gradient(path, axis=0)
    ahead /= lengths(ahead) + 1e-9
    inward = np.column_stack([ahead[:, 1], -ahead[:, 0]])
    rows = np.stack([path, path + size["edge_cm"] * inward])
    points, normals = _bent(rows[..., 0].ravel(), rows[..., 1].ravel(), size, 0.04)
    uv = np.zeros((len(points), 2))
    return Solid(fit.to_head(points), normals @ fit.rotation.T, grid_faces(2, len(path)), uv)


def _bent(x: F64, y: F64, size: Mapping[str, float], raised: float = 0.0) -> tuple[F64, F64]:
    """Bend places (N,) of the flat sheet round the face: points and unit normals (N, 3)."""
    radius, bow = size["curve_cm"], size["bow_cm"]
    middle = y + 0.5 * size["height_cm"]
    depth = raised - (middle**2 - (0.5 * size["height_cm"]) ** 2) / (2 * bow)
    sin, cos = np.sin(x / radius), np.cos(x / radius)
    points = np.column_stack([(radius + depth) * sin, y, radius * (cos - 1) + depth * cos])
    normals = np.column_stack([sin, middle / bow, cos])
    return points, normals / lengths(normals)


def _waves(seed: int, slope: float) -> F32:
    """Return how uneven the sheet is: two slopes (2, _DOWN, _ACROSS)."""
    noise = np.random.default_rng(seed).standard_normal((2, 7, 9)).astype(np.float32)
    smooth = [cv2.resize(one, (_ACROSS, _DOWN), interpolation=cv2.INTER_CUBIC) for one in noise]
    return np.asarray(slope * np.stack(smooth), np.float32)


def band_mesh(fit: ShieldFit, surface: HeadSurface, form: str, size: Mapping[str, float]) -> Solid:
    """Build the band on the forehead: from the skin to the sheet, thinner towards its ends."""
    angle = np.linspace(-1.0, 1.0, ROUND) * np.radians(size["reach_deg"])
    y = np.full(ROUND, fit.band_y)
    skin = _smooth(surface.radius(angle, y))
    thick = fit.origin[2] - surface.below(np.array([[fit.origin[0], fit.band_y, 20.0]]))[0, 2]
    ends = np.abs(np.linspace(-1.0, 1.0, ROUND))
    # The sheet is flatter than a head: it stands off more at the sides, until the band gives up following it.
    out = thick * np.maximum(1 - ends**3, 0.16 if form == "foam" else 0.34)
    rows = []
    for share, high in _SECTIONS[form]:
        level = y + fit.scale * size["band_cm"] * high
        close = np.minimum(_smooth(surface.radius(angle, level)), skin + 0.4) - 0.25 if form == "foam" else skin - 0.6
        rows.append(surface.points(angle, level, close + share * (skin + out - 0.1 - close)))
    return sheet(np.array(rows))


def _smooth(line: F64) -> F64:
    """Even a line (ROUND,) out, as what is stiff does with the skin that it rests on."""
    kernel = np.hanning(15)[1:-1] / np.hanning(15).sum()
    return np.convolve(np.pad(line, 6, "edge"), kernel, "valid")

"""Cloth over a head: a map of the head's radius by direction, and a membrane that is stretched over it.

A direction is (theta, phi) in radians as seen from a point inside the mouth: theta turns to the viewer's right from
straight ahead, phi rises. The face, the underside of the jaw and the neck each meet a ray once, so one radius a
direction holds them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fdgen.analysis.geometry import canonical_face, grid_faces
from fdgen.arrays import F32, F64
from fdgen.render.rasteriser import DEPTH_ALONE, rasterise
from fdgen.runtime.jit import compiled

_JAW = (
    *(127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)
_STEP = np.radians(1.6)
_THETA = np.radians(118.0)
_PHI = (np.radians(-68.0), np.radians(58.0))
_COLUMNS = int(2 * _THETA / _STEP) + 1
_ROWS = int((_PHI[1] - _PHI[0]) / _STEP) + 1


@dataclass(frozen=True, slots=True)
class HeadMap:
    """The radius (rows, columns) in cm of a head and neck, by direction from `centre_cm`; `jaw` (K, 2) is theta, phi
    along the jaw line from the right ear to the left.
    """

    centre_cm: F64
    radius_HW: F32
    jaw: F64
    neck_front_z: float

    def radius(self, theta: F64, phi: F64) -> F64:
        """Look up the radius in cm at directions of one shape."""
        found = self._looked_up(np.atleast_2d(_column_of(theta)), np.atleast_2d(_row_of(phi)))
        return found.reshape(np.shape(theta)).astype(np.float64)

    def profiles(self, theta: F64, phi: F64) -> F32:
        """Look up the radius in cm along every theta (columns,), at each phi (rows,): (rows, columns)."""
        columns, rows = len(theta), len(phi)
        x = np.repeat(_column_of(theta)[None], rows, 0)
        return self._looked_up(x, np.repeat(_row_of(phi)[:, None], columns, 1))

    def _looked_up(self, x: F32, y: F32) -> F32:
        found = cv2.remap(self.radius_HW, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def points(self, theta: F64, phi: F64, radius_cm: F64) -> F64:
        """Turn directions and radii of one shape (...) into head points (..., 3) in cm."""
        return self.centre_cm + directions(theta, phi) * radius_cm[..., None]

    def aim(self, points_cm: F64) -> tuple[F64, F64]:
        """Return theta and phi of head points (N, 3)."""
        x, y, z = (points_cm - self.centre_cm).T
        return np.arctan2(x, z), np.arctan2(y, np.hypot(x, z))

    def phi_at(self, theta: F64, y_cm: F64) -> F64:
        """Return phi where the skin at `theta` has height `y_cm` in head coordinates."""
        rise = np.asarray(y_cm, np.float64) - self.centre_cm[1]
        phi = np.zeros_like(theta)
        for _ in range(4):
            phi = np.arcsin(np.clip(rise / self.radius(theta, phi), -0.95, 0.95))
        return phi


def _column_of(theta: F64) -> F32:
    return np.asarray((theta + _THETA) / _STEP, np.float32)


def _row_of(phi: F64) -> F32:
    return np.asarray((_PHI[1] - phi) / _STEP, np.float32)


def directions(theta: F64, phi: F64) -> F64:
    """Return unit vectors (..., 3) in the head's frame."""
    level = np.cos(phi)
    across = level * np.sin(theta)
    out = np.empty((*np.shape(across), 3))
    out[..., 0], out[..., 1], out[..., 2] = across, np.sin(phi), level * np.cos(theta)
    return out


def head_map(mesh_cm: F64) -> HeadMap:
    """Map a personal face (468, 3) with a jaw's underside and a neck put below it."""
    right, left, chin, nose = mesh_cm[234], mesh_cm[454], mesh_cm[152], mesh_cm[2]
    half_width = 0.5 * (left[0] - right[0])
    ear_z = 0.5 * (left[2] + right[2])
    centre = np.array([0.5 * (left[0] + right[0]), nose[1] + 0.45 * (chin[1] - nose[1]), ear_z])
    jaw = mesh_cm[list(_JAW)]
    rings, neck_front = _below_jaw(jaw, centre, half_width, float(chin[1]))
    points = np.concatenate([mesh_cm, rings.reshape(-1, 3)])
    faces = np.concatenate([canonical_face().triangles, grid_faces(len(rings), len(_JAW)) + np.int32(len(mesh_cm))])
    x, y, z = (points - centre).T
    flat = np.column_stack(
        [
            (np.arctan2(x, z) + _THETA) / _STEP + 0.5,
            (_PHI[1] - np.arctan2(y, np.hypot(x, z))) / _STEP + 0.5,
            np.sqrt(x * x + y * y + z * z),
        ]
    ).astype(np.float32)
    radius = np.zeros((_ROWS, _COLUMNS), np.float32)
    rasterise(flat, np.ascontiguousarray(faces, np.int32), radius, *DEPTH_ALONE)
    _fill_sides(radius, np.float32(half_width))
    jaw_theta, jaw_phi = np.arctan2(jaw[:, 0] - centre[0], jaw[:, 2] - centre[2]), None
    jaw_phi = np.arctan2(jaw[:, 1] - centre[1], np.hypot(jaw[:, 0] - centre[0], jaw[:, 2] - centre[2]))
    order = np.argsort(jaw_theta)
    radius = np.asarray(cv2.GaussianBlur(radius, (3, 3), 0), np.float32)
    return HeadMap(centre, radius, np.column_stack([jaw_theta, jaw_phi])[order], neck_front)


def _below_jaw(jaw: F64, centre: F64, half_width: float, chin_y: float) -> tuple[F64, float]:
    """Return rings (5, K, 3) from the jaw line over its underside and down an elliptic neck, and the neck's front z."""
    theta = np.arctan2(jaw[:, 0] - centre[0], jaw[:, 2] - centre[2])
    neck_z = centre[2] - 1.2
    depth = 0.62 * half_width
    neck = np.stack(
        [centre[0] + 0.76 * half_width * np.sin(theta), np.zeros_like(theta), neck_z + depth * np.cos(theta)], -1
    )
    top = chin_y - 1.5 + 0.35 * (jaw[:, 1] - chin_y)
    rings = np.stack([jaw, 0.55 * jaw + 0.45 * neck, neck, neck, neck])
    rings[1, :, 1] = 0.75 * jaw[:, 1] + 0.25 * top - 0.15
    rings[2, :, 1] = top
    rings[3, :, 1] = chin_y - 5.5
    rings[4, :, 1] = chin_y - 12.0
    rings[4, :, 0] = centre[0] + 1.25 * (rings[4, :, 0] - centre[0])
    return rings, float(neck_z + depth)


@compiled
def _fill_sides(radius: F32, fallback: np.float32) -> None:
    """Carry each row's outermost radius on to where nothing was hit, and bridge gaps inside, in place."""
    rows, columns = radius.shape
    for i in range(rows):
        last = -1
        for j in range(columns):
            if radius[i, j] == 0.0:
                continue
            for k in range(last + 1, j):
                share = np.float32((k - last) / (j - last))
                radius[i, k] = radius[i, j] if last < 0 else radius[i, last] + share * (radius[i, j] - radius[i, last])
            last = j
        for k in range(last + 1, columns):
            radius[i, k] = radius[i, last] if last >= 0 else fallback


@compiled
def first_below(profile: F64, level: float) -> tuple[int, float]:
    """Return where the running minimum of a profile (N,) first falls to a level: after which value, and what share of
    the way to the next.
    """
    n, before, after = 1, profile[0], min(profile[0], profile[1])
    while after > level and n < len(profile) - 1:
        n += 1
        before, after = after, min(after, profile[n])
    return n - 1, min(1.0, max(0.0, (before - level) / max(before - after, 1e-6)))


def stretch(
    least_cm: F64, towards: F64, *, pressure: float, hold_edges: bool, grain: float = 8.0, sweeps: int = 18
) -> F64:
    """Stretch a membrane over an obstacle: radii (rows, columns) in cm, nowhere under `least_cm`.

    Between contacts it is taut: the reciprocal of the radius of a plane is linear in its direction, so it is relaxed in
    that.

    Args:
        least_cm: Radii of the obstacle (rows, columns) in cm.
        towards: Unit rays of the grid (rows, columns, 3).
        pressure: What blows the membrane up, in cm a cell; 0 leaves it taut.
        hold_edges: Whether the rim keeps the radius it has in `least_cm`; else it is a taut cord over the skin.
        grain: How many times harder the cloth pulls down than across, so that it tents.
        sweeps: Sweeps of the relaxation.
    """
    return 1.0 / _relax(1.0 / least_cm, towards, pressure, hold_edges, grain, sweeps)


@compiled
def cosine(ray: F64, onwards: F64) -> Any:
    """Return the cosine of the turn from a unit ray (3,) to the next of a grid, which is a small one."""
    return min(1.0, max(0.5, ray[0] * onwards[0] + ray[1] * onwards[1] + ray[2] * onwards[2]))


@compiled
def _relax(limit: F64, towards: F64, pressure: float, hold_edges: bool, grain: float, sweeps: int) -> F64:
    """Projected over-relaxation on reciprocal radii, by red and black cells, the rim first."""
    rows, columns = limit.shape
    w = limit.copy()
    across, down = np.empty_like(w), np.empty_like(w)
    for i in range(rows):
        for j in range(columns):
            if j < columns - 1:
                across[i, j] = cosine(towards[i, j], towards[i, j + 1])
            if i < rows - 1:
                down[i, j] = cosine(towards[i, j], towards[i + 1, j])
    if not hold_edges:
        for _ in range(36):
            for j in range(1, columns - 1):
                for i in (0, rows - 1):
                    w[i, j] = min(limit[i, j], (w[i, j - 1] + w[i, j + 1]) / (2.0 * across[i, j]))
            for i in range(1, rows - 1):
                for j in (0, columns - 1):
                    w[i, j] = min(limit[i, j], (w[i - 1, j] + w[i + 1, j]) / (2.0 * down[i, j]))
    # Cloth hangs from the nose and is held below the chin: it pulls harder down than across, and so tents from point to
    # point where an even film would cling to a neck round each.
    pull_a, pull_d, blown = np.empty_like(w), np.empty_like(w), np.empty_like(w)
    for i in range(1, rows - 1):
        for j in range(1, columns - 1):
            ca, cd = across[i, j], down[i, j]
            ha, hd = 1.0 / max(1e-6, 1.0 - ca), grain / max(1e-6, 1.0 - cd)
            pull_a[i, j], pull_d[i, j] = ha / (2.0 * ca * (ha + hd)), hd / (2.0 * cd * (ha + hd))
            blown[i, j] = 2.0 * pressure / (ha + hd)
    for _ in range(sweeps):
        for colour in range(2):
            for i in range(1, rows - 1):
                for j in range(1 + (i + colour) % 2, columns - 1, 2):
                    level = pull_a[i, j] * (w[i, j - 1] + w[i, j + 1]) + pull_d[i, j] * (w[i - 1, j] + w[i + 1, j])
                    level -= blown[i, j] * w[i, j] * w[i, j]
                    w[i, j] = min(limit[i, j], w[i, j] + 1.7 * (level - w[i, j]))
    return w


@compiled
def tighten(radius: F64, phi: F64) -> F64:
    """Return radii (rows, columns) pulled out to the convex hull of each column's profile: cloth held at both ends.

    `phi` falls down the columns.
    """
    rows, columns = radius.shape
    out = radius.copy()
    hull, x, y = np.empty(rows, np.int64), np.empty(rows), np.empty(rows)
    for j in range(columns):
        n = 0
        for i in range(rows):
            x[i], y[i] = radius[i, j] * np.cos(phi[i, j]), radius[i, j] * np.sin(phi[i, j])
            while n >= 2:
                a, b = hull[n - 2], hull[n - 1]
                if (x[b] - x[a]) * (y[i] - y[a]) - (y[b] - y[a]) * (x[i] - x[a]) < 0.0:  # b is outside the chord from a
                    break
                n -= 1
            hull[n] = i
            n += 1
        for k in range(n - 1):
            a, b = hull[k], hull[k + 1]
            turn = np.sin(phi[a, j] - phi[b, j])
            for i in range(a + 1, b):
                w = np.sin(phi[i, j] - phi[b, j]) / radius[a, j] + np.sin(phi[a, j] - phi[i, j]) / radius[b, j]
                out[i, j] = max(out[i, j], turn / max(w, 1e-6))
    return out


@compiled
def bake_relief(view: F32, lit: F32, height: F32, lamp: F32, ambient_up: float) -> tuple[F32, F32]:
    """Return what the relief does to the light at each texel (h, w), and the light of the smooth surface there.

    Args:
        view: The smooth surface (rows, columns, 3) in the camera's frame, rows downwards and columns to the right.
        lit: Its irradiance (rows, columns).
        height: The relief (h, w) in cm.
        lamp: Direction of the main light and its share of all light, (4,).
        ambient_up: How much more of the rest, which comes from all round, comes from above.
    """
    h, w = height.shape
    rows, columns = lit.shape
    ratio, smooth_lit = np.empty((h, w), np.float32), np.empty((h, w), np.float32)
    lx, ly, lz, direct = lamp[0], lamp[1], lamp[2], lamp[3]
    step_y, step_x = np.float32((rows - 1) / (h - 1)), np.float32((columns - 1) / (w - 1))
    # By cell of vertices: normal, gradients of one texel to the right and one up, light on the smooth surface.
    cells = np.empty((rows - 1, columns - 1, 10), np.float32)
    for r in range(rows - 1):
        for c in range(columns - 1):
            ux = (view[r, c + 1, 0] - view[r, c, 0] + view[r + 1, c + 1, 0] - view[r + 1, c, 0]) * step_x / 2
            uy = (view[r, c + 1, 1] - view[r, c, 1] + view[r + 1, c + 1, 1] - view[r + 1, c, 1]) * step_x / 2
            uz = (view[r, c + 1, 2] - view[r, c, 2] + view[r + 1, c + 1, 2] - view[r + 1, c, 2]) * step_x / 2
            vx = (view[r, c, 0] - view[r + 1, c, 0] + view[r, c + 1, 0] - view[r + 1, c + 1, 0]) * step_y / 2
            vy = (view[r, c, 1] - view[r + 1, c, 1] + view[r, c + 1, 1] - view[r + 1, c + 1, 1]) * step_y / 2
            vz = (view[r, c, 2] - view[r + 1, c, 2] + view[r, c + 1, 2] - view[r + 1, c + 1, 2]) * step_y / 2
            nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
            nx, ny, nz = nx / length, ny / length, nz / length
            uu, vv = ux * ux + uy * uy + uz * uz + 1e-6, vx * vx + vy * vy + vz * vz + 1e-6
            cell = cells[r, c]
            cell[0], cell[1], cell[2] = nx, ny, nz
            cell[3], cell[4], cell[5] = ux / uu, uy / uu, uz / uu
            cell[6], cell[7], cell[8] = vx / vv, vy / vv, vz / vv
            cell[9] = (1.0 - direct) * (1.0 + ambient_up * ny) + direct * max(0.1, nx * lx + ny * ly + nz * lz)
    for i in range(h):
        y = min(i * step_y, np.float32(rows - 1.001))
        r = int(y)
        fy = y - np.float32(r)
        above, below = max(0, i - 1), min(h - 1, i + 1)
        for j in range(w):
            x = min(j * step_x, np.float32(columns - 1.001))
            c = int(x)
            fx = x - np.float32(c)
            before, after = max(0, j - 1), min(w - 1, j + 1)
            cell = cells[r, c]
            du = (height[i, after] - height[i, before]) / np.float32(after - before)
            dv = (height[above, j] - height[below, j]) / np.float32(below - above)
            nx = cell[0] - du * cell[3] - dv * cell[6]
            ny = cell[1] - du * cell[4] - dv * cell[7]
            nz = cell[2] - du * cell[5] - dv * cell[8]
            scale = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz)
            rough = (1.0 - direct) * (1.0 + ambient_up * ny * scale)
            rough += direct * max(0.0, (nx * lx + ny * ly + nz * lz) * scale)
            ratio[i, j] = min(rough / cell[9], 1.6)
            near = lit[r, c] + fx * (lit[r, c + 1] - lit[r, c])
            far = lit[r + 1, c] + fx * (lit[r + 1, c + 1] - lit[r + 1, c])
            smooth_lit[i, j] = near + fy * (far - near)
    return ratio, smooth_lit


@compiled
def shade_texture(texture: F32, ratio: F32, hollow: F32, smooth_lit: F32, softness: float, knee: float) -> None:
    """Multiply the light of the relief into a texture, in place.

    Args:
        texture: The texture (h, w, 3), linear.
        ratio: What the relief does to the light (h, w), as `bake_relief` returns it.
        hollow: A further factor on the light (h, w), less than 1 in hollows.
        smooth_lit: The light of the smooth surface (h, w), as `bake_relief` returns it.
        softness: Share of the light that the cloth scatters, which no relief changes.
        knee: Level above which levels are bent away from clipping, as a camera's tone curve does, so that white keeps
            its folds.
    """
    h, w = ratio.shape
    room = 0.97 - knee
    for i in range(h):
        for j in range(w):
            scale = softness + (1.0 - softness) * ratio[i, j] * hollow[i, j]
            level = max(texture[i, j, 0], texture[i, j, 1], texture[i, j, 2]) * scale * smooth_lit[i, j]
            if level > knee:
                scale *= (knee + room * (1.0 - np.exp((knee - level) / room))) / level
            texture[i, j, 0] *= scale
            texture[i, j, 1] *= scale
            texture[i, j, 2] *= scale


@compiled
def upsample(grid: F32, rows: int, columns: int) -> F32:
    """Interpolate values at vertices (r, c, K) to texels (K, rows, columns), corner to corner."""
    r, c, n = grid.shape
    wide = np.empty((n, r, columns), np.float32)  # at vertices down, at texels across
    for j in range(columns):
        x = min(j * (c - 1) / (columns - 1), c - 1.001)
        b = int(x)
        fx = np.float32(x - b)
        for k in range(n):
            for a in range(r):
                wide[k, a, j] = grid[a, b, k] + fx * (grid[a, b + 1, k] - grid[a, b, k])
    out = np.empty((n, rows, columns), np.float32)
    for i in range(rows):
        y = min(i * (r - 1) / (rows - 1), r - 1.001)
        a = int(y)
        fy = np.float32(y - a)
        for k in range(n):
            near, far, line = wide[k, a], wide[k, a + 1], out[k, i]
            for j in range(columns):
                line[j] = near[j] + fy * (far[j] - near[j])
    return out

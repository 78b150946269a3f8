"""The geometry of eyewear: lens outlines, rims, bridges and temples, built from a frame's drawn parameters.

Two frames of reference besides the head's. *Sheet*: the front unrolled flat, cm, x from the bridge to the viewer's
right, y up from the middle of the lenses. *Front*: the sheet bent and curved, z forward, before it is put on the nose.
What there is two of is built for the right of the sheet and mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import cross, grid_faces, lengths, mirror_image, rotation_matrix, steps
from fdgen.arrays import F64, I32
from fdgen.occluders.eyewear.spec import FrameSpec
from fdgen.render.mesh import spline, tube
from fdgen.runtime.jit import compiled

POINTS = 72
"""Points round a lens; at 256 px they lie some two pixels apart."""

ROD_SIDES = 6
"""Points round a wire."""
TEMPLE_RINGS = 20
TEMPLE_RING = 8
_ALONG = np.linspace(0.0, 1.0, TEMPLE_RINGS)

_PLANK = np.array(
    [
        [-0.72, 0.72, 1.0, 1.0, 0.72, -0.72, -1.0, -1.0],
        [1.0, 1.0, 0.55, -0.55, -1.0, -1.0, -0.55, 0.55],
        [-0.3, 0.3, 0.85, 0.85, 0.3, -0.3, -0.85, -0.85],
        [0.95, 0.95, 0.5, -0.5, -0.95, -0.95, -0.5, 0.5],
    ]
)[:, None, :, None]
"""Points of a temple's section: how high and how far out they lie, and how far their normals lean up and look out.
There are two on each flat side and two on each edge."""
_SLIM_PLANK = np.stack([_PLANK[0], _PLANK[1], 0.2 * _PLANK[2], np.full_like(_PLANK[3], 0.98)])
"""The same of one that is too thin to show its edges."""

LENS_SHARES = (0.28, 0.48, 0.66, 0.82, 0.95, 1.0)
"""Where the rings of a lens lie between its middle and its outline; the last two bound its edge."""
_OVERLAP_CM = 0.12
"""The halves of a shield overlap by this much, or the picture would show between them."""
_THINNEST_CM = 0.06
"""A rim thinner than this is none: at 256 px it would be drawn as a row of dots."""
_CORNER_STEPS = 14
_CORNER_AT = np.linspace(0.0, 1.0, _CORNER_STEPS)
_CORNER = [
    weight[:, None, None] for weight in ((1 - _CORNER_AT) ** 2, 2 * _CORNER_AT * (1 - _CORNER_AT), _CORNER_AT**2)
]
"""Weights of the start, the corner and the end of the parabola that rounds a corner."""
_BRIDGE_REACH_CM = 0.5
"""How far over the rims a bridge reaches, or it would lie before the corners of the lenses."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A piece of geometry: vertices and unit normals (N, 3), triangles (M, 3), sheet coordinates (N, 2) in cm."""

    vertices: F64
    normals: F64
    faces: I32
    sheet: F64

    def mirrored(self) -> Surface:
        """Return its twin on the other side of the nose."""
        return Surface(mirror_image(self.vertices), mirror_image(self.normals), self.faces, mirror_image(self.sheet))


@dataclass(frozen=True)
class Front:
    """A front of the given shape, drawn on its sheet.

    `lens` and `outer` (POINTS, 2) are the outlines of the right lens and of its rim, `outward` the normals between
    them, `thickness` and `angle_deg` the rim's width and the polar angle at each point. `centre_x` is the middle of the
    lens.
    """

    shape: Mapping[str, float]
    construction: str
    lens: F64
    outer: F64
    outward: F64
    thickness: F64
    angle_deg: F64
    centre_x: float

    @classmethod
    def draw(cls, spec: FrameSpec, shape: Mapping[str, float], rim_cm: npt.ArrayLike, wobble_seed: int) -> Front:
        """Draw the front: `shape` holds a value for every range of the spec, `rim_cm` one for every row of its rim."""
        width, height = shape["lens_width_cm"], shape["lens_height_cm"]
        control = np.array(spec.outline)
        half = np.array([width, height]) / 2
        shift = np.random.default_rng(wobble_seed).normal(0.0, shape["wobble"], (len(control), 2))
        x, y = control[:, 0], control[:, 1]
        unit = np.column_stack([x * (1 - shape["taper"] * (0.5 - 0.5 * y)), y + shape["lift"] * (0.5 + 0.5 * x) ** 2])
        roundness = np.clip(control[:, 2] + shape["roundness"], 0.05, 1.0)
        corners = unit * half + shift
        if spec.construction == "shield":
            corners[x <= -1.0, 0] = -half[0]  # one lens: its two halves meet on the middle line
            roundness[x <= -1.0] = 0.01
        outline = rounded_polygon(corners, roundness)
        outline -= 0.5 * (outline.max(0) + outline.min(0))
        if spec.construction == "shield":
            outline[:, 0] -= outline[:, 0].min() + _OVERLAP_CM
            centre_x = 0.5 * float(np.ptp(outline[:, 0]))
        else:
            centre_x = 0.5 * (shape["bridge_cm"] + float(np.ptp(outline[:, 0])))
            outline[:, 0] += centre_x
        around = np.concatenate([outline[-1:], outline, outline[:1]])
        ahead = around[2:] - around[:-2]
        ahead /= lengths(ahead) + 1e-9
        outward = np.column_stack([ahead[:, 1], -ahead[:, 0]])
        angle = np.degrees(np.arctan2(outline[:, 1], outline[:, 0] - centre_x))
        knots = np.array(spec.rim)[:, 0]
        thickness = np.interp(angle, knots, np.asarray(rim_cm, np.float64), period=360.0)
        for _ in range(3):
            around = np.concatenate([thickness[-1:], thickness, thickness[:1]])
            thickness = 0.25 * around[:-2] + 0.5 * thickness + 0.25 * around[2:]
        thickness[thickness < _THINNEST_CM] = 0.0
        if spec.construction == "shield":  # no rim where the halves meet; above and below, it runs on across
            seam = outline[:, 0] < 0.2
            thickness[seam & (np.abs(outward[:, 1]) < 0.3)] = 0.0
            outward[seam] = np.column_stack([np.zeros(seam.sum()), np.sign(outward[seam, 1])])
        outer = outline + outward * thickness[:, None]
        return cls(shape, spec.construction, outline, outer, outward, thickness, angle, centre_x)

    def index_at(self, angle_deg: float) -> int:
        """Return the point of the outline nearest to a polar angle."""
        return int(self.indices_at(np.array([angle_deg]))[0])

    def indices_at(self, angles_deg: F64) -> npt.NDArray[np.int64]:
        """Return the points of the outline nearest to polar angles (N,)."""
        apart = np.abs((self.angle_deg - angles_deg[:, None] + 180.0) % 360.0 - 180.0)
        nearest: npt.NDArray[np.int64] = apart.argmin(1)
        return nearest

    def bend(self, sheet: F64, depth: npt.ArrayLike = 0.0) -> tuple[F64, F64, F64]:
        """Bend sheet points (N, 2), raised by `depth`, to the front: points (N, 3), normals and directions of x.

        The whole front lies on a cylinder about the head; each lens is curved besides, as ground glass is.
        """
        half = 0.0 if self.construction == "shield" else 0.5 * self.shape["lens_width_cm"]
        raised = np.empty(len(sheet))
        raised[:] = depth
        return bent(
            np.ascontiguousarray(sheet, np.float64),
            raised,
            float(self.shape["face_curve_cm"]),
            float(self.shape["lens_curve_cm"]),
            half,
            self.centre_x,
        )

    def lens_mesh(self) -> Surface:
        """Build the right lens."""
        middle = np.array([self.centre_x, 0.0])
        rings = [middle + share * (self.lens - middle) for share in LENS_SHARES]
        sheet = np.concatenate([middle[None], *rings])
        depth = 0.0 if self.construction in ("wire", "rimless") else -0.3 * self.shape["rim_depth_cm"]
        points, normals, _ = self.bend(sheet, depth)
        return Surface(points, normals, disc_faces(len(LENS_SHARES), POINTS), sheet)

    def rim_mesh(self) -> Surface:
        """Build the right rim, cut from sheet: a flat front with bevelled edges, gone where the profile is 0."""
        t = self.thickness
        there = np.clip(t / 0.10, 0.0, 1.0)
        bevel = np.minimum(0.15, 0.36 * t)
        deep = self.shape["rim_depth_cm"] * there
        zero = np.zeros_like(t)
        rows = (  # across the rim, depth, normal across, normal forward
            (-0.04 * there, -deep, -0.70, 0.71),
            (-0.04 * there, -0.7 * bevel, -0.9, 0.43),
            (0.4 * bevel, -0.12 * bevel, -0.66, 0.75),
            (0.8 * bevel, zero, -0.10, 0.995),
            (t - bevel, zero, 0.10, 0.995),
            (t - 0.75 * bevel, -0.08 * bevel, 0.66, 0.75),
            (t - 0.2 * bevel, -0.45 * bevel, 0.97, 0.24),
            (t, -deep, 0.98, 0.20),
        )
        sheet = np.concatenate([self.lens + self.outward * across[:, None] for across, *_ in rows])
        depth = np.concatenate([d for _, d, _, _ in rows])
        slope = np.repeat([n for _, _, n, _ in rows], POINTS)
        forward = np.repeat([n for _, _, _, n in rows], POINTS)
        outward = np.tile(self.outward, (len(rows), 1))
        points, facing, sideways = self.bend(sheet, depth)
        normals = facing * forward[:, None] + sideways * (slope * outward[:, 0])[:, None]
        normals[:, 1] += slope * outward[:, 1]
        normals /= lengths(normals) + 1e-9
        return Surface(points, normals, _grid(len(rows), POINTS, wrap=True), sheet)

    def wire_mesh(self, radius_cm: float) -> Surface:
        """Build a rim of round wire about the right lens."""
        sheet = self.lens + self.outward * (0.6 * radius_cm)
        behind = np.where(self.thickness > 0, -2.0 * radius_cm, 0.0)  # under a brow it runs in a groove
        path, facing, _ = self.bend(sheet, behind)
        return _rod(path, facing, radius_cm, sheet, closed=True)

    def bridge_top(self) -> F64:
        """Return the point of the right rim (2,) that the upper edge of a bridge starts from: high on its nose side."""
        beside = (self.angle_deg > 95.0) & (self.outer[:, 0] < self.outer[:, 0].min() + _BRIDGE_REACH_CM)
        highest: F64 = self.outer[np.flatnonzero(beside)[self.outer[beside, 1].argmax()]]
        return highest

    def bridge_mesh(self, kind: str) -> Surface:
        """Build a bridge cut from sheet between the rims: its lower edge an arch (saddle) or a keyhole."""
        top, low = self.bridge_top(), self.outer[self.index_at(174.0 if kind == "saddle" else 182.0)]
        reach = np.array([max(top[0], 0.12), max(low[0], 0.12)]) + 0.06
        w = np.linspace(-1.0, 1.0, 17)
        upper = top[1] + self.shape["bridge_sag"] * (1 - w**2)
        crest = float(top[1] + self.shape["bridge_sag"] - self.shape["bridge_height_cm"])
        power = 0.62 if kind == "saddle" else 0.4
        lower = low[1] + max(crest - low[1], 0.05) * np.maximum(1 - w**2, 0.0) ** power
        lower = np.minimum(lower, upper - 0.08)
        deep = self.shape["rim_depth_cm"]
        bevel = np.minimum(0.1, 0.3 * (upper - lower))
        flat = np.full_like(w, -0.02)
        rows = (  # x, y, depth, normal up, normal forward
            (w * reach[1], lower, flat - deep, -0.80, 0.60),
            (w * reach[1], lower, flat - bevel, -0.75, 0.66),
            (w * reach[1], lower + bevel, flat, -0.2, 0.98),
            (w * reach[0], upper - bevel, flat, 0.2, 0.98),
            (w * reach[0], upper, flat - bevel, 0.75, 0.66),
            (w * reach[0], upper, flat - deep, 0.92, 0.39),
        )
        sheet = np.concatenate([np.column_stack([x, y]) for x, y, *_ in rows])
        points, facing, _ = self.bend(sheet, np.concatenate([d for _, _, d, _, _ in rows]))
        normals = facing * np.repeat([n for *_, n in rows], len(w))[:, None]
        normals[:, 1] += np.repeat([n for _, _, _, n, _ in rows], len(w))
        normals /= lengths(normals) + 1e-9
        return Surface(points, normals, _grid(len(rows), len(w)), sheet)

    def bar_mesh(self, angle_deg: float, rise_cm: float, radius_cm: float) -> Surface:
        """Build a wire from rim to rim that leaves both at a polar angle and rises in an arch."""
        x, y = self.lens[self.index_at(angle_deg)]
        w = np.linspace(-1.0, 1.0, 13)
        sheet = np.column_stack([w * (x + 0.04), y + rise_cm * (1 - np.abs(w) ** 2.4)])
        path, facing, _ = self.bend(sheet, 0.12 * (1 - w**2))
        return _rod(path, facing, radius_cm, sheet)

    def pad_arm_mesh(self, angle_deg: float, inset_cm: float, depth_cm: float, radius_cm: float) -> Surface:
        """Build the wire from the rim at a polar angle to a nose pad, which is so far inside and behind."""
        index = self.index_at(angle_deg)
        share = np.linspace(0.0, 1.0, 5)
        sheet = self.outer[index] - share[:, None] * inset_cm * self.outward[index]
        sheet[:, 1] += 0.12 * np.sin(np.pi * share)
        path, facing, _ = self.bend(sheet, depth_cm * share)
        return _rod(path, facing, radius_cm, sheet)

    def disc_mesh(self, angle_deg: float, inset_cm: float, radius_cm: float, depth_cm: float) -> Surface:
        """Build a small domed disc on the front: a rivet, the screw of a rimless lens, a nose pad."""
        index = self.index_at(angle_deg)
        spot = self.outer[index] - self.outward[index] * inset_cm
        around = np.arange(8) * (np.pi / 4)
        ring = np.column_stack([np.cos(around), np.sin(around)])
        sheet = np.concatenate([[spot], spot + 0.6 * radius_cm * ring, spot + radius_cm * ring])
        lift = np.repeat([0.05, 0.04, 0.0], (1, 8, 8))
        points, normals, _ = self.bend(sheet, depth_cm + lift * radius_cm / 0.1)
        tilt = np.concatenate([[[0.0, 0.0]], 0.5 * ring, 1.2 * ring])
        normals[:, :2] += tilt
        normals /= lengths(normals)
        return Surface(points, normals, disc_faces(2, 8), sheet)


@compiled
def bent(sheet: F64, depth: F64, radius: float, own: float, half: float, centre_x: float) -> tuple[F64, F64, F64]:
    """Bend sheet points as `Front.bend` says.

    Args:
        sheet: Points (N, 2).
        depth: How far each is raised (N,).
        radius: Of the cylinder about the head.
        own: Radius that a lens is curved by.
        half: Half the width of a lens; 0 where lenses are not curved across.
        centre_x: Where its middle is.
    """
    n = sheet.shape[0]
    points, normals, sideways = np.empty((n, 3)), np.empty((n, 3)), np.empty((n, 3))
    for i in range(n):
        x, y = sheet[i, 0], sheet[i, 1]
        cos, sin = np.cos(x / radius), np.sin(x / radius)
        across = min(half, max(-half, abs(x) - centre_x)) * np.sign(x)
        raised = depth[i] - across**2 / (2 * own) - y**2 / (2 * own)
        points[i, 0], points[i, 1], points[i, 2] = radius * sin + sin * raised, y, radius * (cos - 1) + cos * raised
        nx, ny, nz = sin + cos * (across / own), y / own, cos - sin * (across / own)
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        normals[i, 0], normals[i, 1], normals[i, 2] = nx / length, ny / length, nz / length
        sideways[i, 0], sideways[i, 1], sideways[i, 2] = cos, 0.0, -sin
    return points, normals, sideways


def rounded_polygon(corners: F64, roundness: F64, n: int = POINTS) -> F64:
    """Round the corners of a polygon (K, 2) with parabolas and walk round it: (n, 2), evenly spaced."""
    around = np.concatenate([corners[-1:], corners, corners[:1]])
    cut = 0.5 * roundness[:, None]
    start, end = corners + (around[:-2] - corners) * cut, corners + (around[2:] - corners) * cut
    first, middle, last = _CORNER
    curve = first * start + middle * corners + last * end
    path = np.empty((len(corners) * _CORNER_STEPS + 1, 2))
    path[:-1] = curve.transpose(1, 0, 2).reshape(-1, 2)
    path[-1] = path[0]
    run = np.zeros(len(path))
    np.cumsum(lengths(path[1:] - path[:-1])[:, 0], out=run[1:])
    at = np.arange(n) * (run[-1] / n)
    return np.column_stack([np.interp(at, run, path[:, 0]), np.interp(at, run, path[:, 1])])


def _rod(path: F64, facing: F64, radius_cm: float, sheet: F64, *, closed: bool = False) -> Surface:
    """Build a round wire along a path.

    Its normals lean towards `facing` and a little up: a wire is about a pixel wide, and the full range of a cylinder's
    normals would be sampled so sparsely that its reflections break into dots. What the eye sees of one is the line
    along its upper half in which the sky is mirrored.
    """
    facing = 0.96 * facing + (0.0, 0.26, 0.0)
    vertices, faces = tube(path, radius_cm, sides=ROD_SIDES, closed=closed)
    if closed:
        path, facing, sheet = (np.concatenate([a, a[:1]]) for a in (path, facing, sheet))
    round_about = (vertices - np.repeat(path, ROD_SIDES, 0)) / radius_cm
    normals = 0.12 * round_about + 0.99 * np.repeat(facing, ROD_SIDES, 0)
    normals /= lengths(normals) + 1e-9
    return Surface(vertices, normals, faces, np.repeat(sheet, ROD_SIDES, 0))


def temple_mesh(
    knots: npt.ArrayLike, half_height_cm: npt.ArrayLike, half_thickness_cm: float, *, side: int, slim: bool
) -> Surface:
    """Build a temple as `TEMPLE_RINGS` rings of `TEMPLE_RING` vertices. The cross-section is a rounded plank, flat
    outside.

    Args:
        knots: Points (K, 3) that it runs through, in head cm.
        half_height_cm: Half its height at each knot.
        half_thickness_cm: Half its thickness.
        side: Side of the head that it is on, as a sign: where its outside looks.
        slim: Whether it is shaded as if all of it looked outwards, for it is too thin to show its edges.
    """
    path = spline(knots, TEMPLE_RINGS)
    heights = np.asarray(half_height_cm, np.float64)
    tall = np.interp(_ALONG, np.linspace(0.0, 1.0, len(heights)), heights)[:, None, None]
    tangent = steps(path)
    tangent /= lengths(tangent)
    up = np.array([0.0, 1.0, 0.0]) - tangent * tangent[:, 1:2]
    up /= lengths(up) + 1e-9
    out = cross(tangent, up) * side
    height, width, lean, face = _SLIM_PLANK if slim else _PLANK
    vertices = path[:, None] + up[:, None] * height * tall + out[:, None] * width * half_thickness_cm
    normals = up[:, None] * lean + out[:, None] * face
    normals /= lengths(normals)
    vertices, normals = vertices.reshape(-1, 3), normals.reshape(-1, 3)
    return Surface(vertices, normals, _grid(TEMPLE_RINGS, TEMPLE_RING, wrap=True), vertices[:, :0:-1].copy())


def turn_matrix(tilt_deg: float, roll_deg: float, yaw_deg: float) -> F64:
    """Return the rotation of a front: first the tilt of its lower edge towards the cheeks, then roll, then yaw."""
    tilt = rotation_matrix((np.radians(tilt_deg), 0.0, 0.0))
    roll, yaw = rotation_matrix((0.0, 0.0, np.radians(roll_deg))), rotation_matrix((0.0, np.radians(yaw_deg), 0.0))
    result: F64 = yaw @ roll @ tilt
    return result


@cache
def _grid(rows: int, columns: int, *, wrap: bool = False) -> I32:
    return grid_faces(rows, columns, wrap=wrap)


@cache
def disc_faces(rings: int, columns: int) -> I32:
    """Triangles of a disc: a middle vertex, then rings about it."""
    first = 1 + np.arange(columns)
    fan = np.column_stack([np.zeros(columns, int), first, np.roll(first, -1)])
    faces: I32 = np.concatenate([fan, 1 + grid_faces(rings, columns, wrap=True)]).astype(np.int32)
    return faces

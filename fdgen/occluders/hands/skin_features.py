"""The anatomy that shows on a hand's skin, painted once a model over its atlas: folds, tendons, veins, nails.

A hand's texture is a weighted sum of these features. They are functions of the place on the hand at rest, so the seams
of the atlas do not show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import rotation_matrix, vertex_normals
from fdgen.arrays import F32, F64
from fdgen.occluders.hands.skeleton import DIGITS, JOINTS, HandModel, digit_joints
from fdgen.render.rasteriser import rasterise
from fdgen.runtime.jit import compiled

Noise = Callable[[F64, float], F64]

ATLAS_PX = 320
"""Side of the hand's part of the texture: 12 texels a cm, above what a crop of 256 px can show."""
STRIP_PX = 72
"""Height of each strip below it: the forearm's skin, then the sleeve's cloth."""
STRIP_WIDTH_PX = ATLAS_PX // 2
"""Width of the forearm's strip, round the arm: 8 texels a cm; the cloth's strip is as wide as the atlas."""
STRIP_CM = 13.0
"""Length of arm that a strip covers; beyond, it runs back and forth."""
TEXTURE_PX = (ATLAS_PX + 2 * STRIP_PX, ATLAS_PX)

SLOPES = ("slope_x", "slope_y", "slope_z")
FEATURES = (
    *("fold", "line", "tendon", "vein", "red", "palm", "wrinkle", "blotch", "mottle", "grain", "spot", "hair"),
    *SLOPES,
)
"""What a texel has some of. The slopes are the gradient of the skin's relief, in the hand's frame, cm a cm."""

# Height in cm of the relief where a feature is 1.
_RELIEF = {"fold": -0.034, "line": -0.026, "tendon": 1.5, "vein": 0.022, "wrinkle": -0.007}

_NAIL_HALF_WIDTH_CM = {"thumb": 0.66, "index": 0.54, "middle": 0.56, "ring": 0.52, "pinky": 0.43}
_NAIL_LENGTH_CM = {"thumb": 1.25, "index": 1.0, "middle": 1.05, "ring": 1.0, "pinky": 0.8}

_STEP_CM = 0.03
"""Step of the differences that give the slopes: under half a fold."""


@dataclass(frozen=True, slots=True)
class Atlas:
    """What is painted once a hand model, at those texels (T,) of the texture, flat, that hand and forearm cover.

    `features` (T, F) are those of `FEATURES`. At the texels `nail_texels` (M,), `nail` is the plate, `rim` the fold
    round it, `moon` the lunula and `edge` the free edge, all 0 to 1. `shiny` (N,) is the nail's plate at the vertices
    of the surface.
    """

    texels: npt.NDArray[np.int64]
    features: F32
    nail_texels: npt.NDArray[np.int64]
    nail: F32
    rim: F32
    moon: F32
    edge: F32
    shiny: F32


@lru_cache(maxsize=4)
def atlas_of(model: HandModel) -> Atlas:
    """Return the painted features of a model, once a process."""
    return _paint(model)


def _paint(model: HandModel) -> Atlas:
    """Paint the features of a model over its atlas."""
    n = ATLAS_PX
    rest = model.smooth(model.cage_cm)
    rest_normals = model.smooth(vertex_normals(model.cage_cm, model.cage_faces))
    bones = model.smooth(model.weights)
    points = np.column_stack([model.uv * n, np.zeros(len(model.uv))]).astype(np.float32)
    depth, ids = np.full((n, n), -1.0, np.float32), np.full((n, n), -1, np.int32)
    first, second = np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
    rasterise(points, model.faces, depth, ids, (first, second))
    corner = model.faces[np.maximum(ids, 0)]
    share = np.stack([first, second, 1 - first - second], -1)

    def over(values: F64) -> F64:
        spread: F64 = np.einsum("yxk,yxkc->yxc", share, values[corner])
        return spread

    # Texels just outside an island take what is nearest inside, since sampling is bilinear.
    near_HW = _nearest(ids >= 0, 3)
    inside = near_HW >= 0
    source = near_HW[inside]
    at = over(rest).reshape(-1, 3)[source]
    normal = over(rest_normals).reshape(-1, 3)[source]
    bone = over(bones).reshape(-1, 25)[source]
    rng = np.random.default_rng(20240)
    features = np.zeros((len(at), len(FEATURES)))
    column = {name: features[:, i] for i, name in enumerate(FEATURES)}
    back = np.clip(normal[:, 2] * 2.0, 0.0, 1.0)
    palm = np.clip(-normal[:, 2] * 2.0, 0.0, 1.0)
    nail, rim, moon, edge = nails(model, at, normal, bone)
    column["palm"][:] = palm
    noise = _noise_field(rng)
    for name, cells in (("blotch", 0.35), ("mottle", 1.1), ("grain", 4.0)):
        column[name][:] = noise(at + 17.0 * cells, cells)
    column["red"] += 0.45 * palm * np.clip(noise(at, 0.5) * 0.5 + 0.8, 0, 1.5)
    for name, value in _shapes(model, at, normal, bone, noise).items():
        column[name] += value
    height = sum(column[name] * scale for name, scale in _RELIEF.items())
    gradient = np.empty_like(at)
    for axis in range(3):
        there = at.copy()
        there[:, axis] += _STEP_CM
        shapes = _shapes(model, there, normal, bone, noise)
        gradient[:, axis] = (sum(shapes[name] * scale for name, scale in _RELIEF.items()) - height) / _STEP_CM
    unit = normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)
    gradient -= unit * np.einsum("nc,nc->n", gradient, unit)[:, None]
    for axis, name in enumerate(SLOPES):
        column[name][:] = np.clip(gradient[:, axis], -0.6, 0.6)
    column["wrinkle"] -= column["wrinkle"].mean()
    column["spot"][:] = np.clip((noise(at + 40.0, 1.0) - 1.35) * 3.0, 0, 1) * back
    column["hair"][:] = np.clip(noise(at * [1.6, 0.5, 1.0] + 70.0, 2.4) - 0.5, 0, 1) * back * (at[:, 1] < 8.5)
    texels = np.flatnonzero(inside.ravel())
    rows, columns = np.mgrid[ATLAS_PX : ATLAS_PX + STRIP_PX, 0:STRIP_WIDTH_PX]
    near_nail = np.flatnonzero((nail > 0.002) | (rim > 0.002))
    return Atlas(
        texels=np.concatenate([texels, (rows * ATLAS_PX + columns).ravel()]),
        features=np.concatenate([features, _paint_strip(noise)]).astype(np.float32),
        nail_texels=texels[near_nail],
        nail=nail[near_nail].astype(np.float32),
        rim=rim[near_nail].astype(np.float32),
        moon=moon[near_nail].astype(np.float32),
        edge=edge[near_nail].astype(np.float32),
        shiny=nails(model, rest, rest_normals, bones)[0].astype(np.float32),
    )


def _shapes(model: HandModel, at: F64, normal: F64, bone: F64, noise: Noise) -> dict[str, F64]:
    """Return what has a form, folds and tendons and the like, at points (N, 3) of the hand at rest."""
    column = {name: np.zeros(len(at)) for name in ("fold", "line", "tendon", "vein", "red", "wrinkle")}
    back = np.clip(normal[:, 2] * 2.0, 0.0, 1.0)
    for digit in DIGITS:
        chain = digit_joints(digit)
        near = bone[:, list(chain)].sum(1) > 0.02
        near |= ((at - model.joints_cm[chain[0]]) ** 2).sum(1) < 2.2**2
        own = {name: np.zeros(int(near.sum())) for name in column}
        _paint_digit(model, digit, at[near], normal[near], bone[near], noise, own)
        for name, value in own.items():
            column[name][near] += value
    _paint_back(model, at, back, noise, column)
    _paint_palm(at, np.clip(-normal[:, 2] * 2.0, 0.0, 1.0), noise, column)
    # Fine lines of skin cross each other in lozenges: ridges of two slanted noises.
    for slant, offset in ((0.6, 0.0), (-0.7, 31.0)):
        stretched = at * [1.0, 0.45, 1.0] @ rotation_matrix([0, 0, slant]).T + offset
        column["wrinkle"] += np.exp(-((noise(stretched, 1.7) / 0.45) ** 2)) * (0.3 + 0.7 * back)
    return column


def _nearest(inside: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.int64]:
    """Return for each texel the flat index of the nearest one inside, -1 beyond `reach` texels."""
    index = np.where(inside, np.arange(inside.size).reshape(inside.shape), -1)
    for _ in range(reach):
        for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
            index = np.where(index >= 0, index, np.roll(index, step, axis))
    return index


def _noise_field(rng: np.random.Generator) -> Callable[[F64, float], F64]:
    """Return a function (points (N, 3), cells a cm) -> noise (N,) of unit variance, smooth in space: it has no seams.

    Two octaves on lattices that are turned against each other, so that no lattice shows.
    """
    grid = rng.standard_normal((32, 32, 32))
    turns = [rotation_matrix([0.7, 1.1, -0.4]), rotation_matrix([-0.9, 0.5, 1.3])]

    def noise(points: F64, cells: float) -> F64:
        coarse = _lattice(points @ turns[0].T * cells + 1000.0, grid)
        fine = _lattice(points @ turns[1].T * (1.9 * cells) + 500.0, grid)
        result: F64 = np.tanh((coarse + 0.6 * fine) / 1.6) * 1.9  # no outliers: a lone odd texel reads as dirt
        return result

    return noise


def _paint_digit(
    model: HandModel,
    digit: str,
    at: F64,
    normal: F64,
    bone: F64,
    noise: Noise,
    column: dict[str, F64],
) -> None:
    """Folds over and under the joints, redness of knuckles and tip of one digit."""
    chain = digit_joints(digit)
    joints, frames = model.joints_cm, model.frames
    mine = np.clip(bone[:, list(chain)].sum(1) * 1.5, 0.0, 1.0)
    small = 0.8 if digit == "pinky" else 1.0
    for order, joint in enumerate(chain[:-1]):
        if digit == "thumb" and order == 0:
            continue
        along = -frames[joint][:, 2]
        offset = at - joints[joint]
        u = offset @ along
        facing = normal @ frames[joint][:, 1]
        top, bottom = np.clip(facing * 1.6, 0, 1), np.clip(-facing * 1.6, 0, 1)
        close = mine * (np.abs(u) < 1.6)
        knuckle = digit != "thumb" and order == 0
        wander = 0.10 * noise(at, 1.2)
        if not knuckle:
            strength, reach = (0.9, 0.42) if order == 1 else (0.7, 0.30)
            waves = 0.5 + 0.5 * np.cos((u + wander) * 2 * np.pi / (0.24 * small))
            column["fold"] += strength * close * top * np.exp(-((u / (reach * small)) ** 2)) * (waves**1.5 * 1.3 - 0.25)
        else:
            waves = 0.5 + 0.5 * np.cos((u + 2.0 * wander) * 2 * np.pi / 0.42)
            column["fold"] += 0.20 * close * top * np.exp(-((u / 0.6) ** 2)) * waves
        for shift in (0.0,) if order == 2 else (-0.10, 0.16):
            crease = np.exp(-(((u - shift - (0.9 if knuckle else 0.0) + 0.5 * wander) / 0.075) ** 2))
            column["line"] += (0.9 if order != 2 else 0.6) * close * bottom * crease
        size = 0.75 if knuckle else 0.55
        column["red"] += (
            (0.9 if knuckle else 0.75)
            * top
            * np.exp(-(offset**2).sum(1) / (2 * size**2))
            * (mine if not knuckle else 1.0)
        )
    tip, last = chain[-1], chain[-2]
    along = joints[tip] - joints[last]
    along /= np.linalg.norm(along)
    end = bone[:, [last, tip]].sum(1) > 0.5
    ahead = np.clip(0.5 + ((at - joints[tip]) @ along) / 1.2, 0, 1)
    column["red"] += 0.85 * end * ahead * (0.6 + 0.4 * np.clip(-normal @ frames[last][:, 1], 0, 1))


def nails(model: HandModel, at: F64, normal: F64, bone: F64) -> tuple[F64, F64, F64, F64]:
    """Return plate, fold round it, lunula and free edge, 0 to 1, at points of the hand at rest.

    `at` and `normal` are (N, 3), `bone` (N, 25) the weights of the joints there.
    """
    nail, rim, moon, edge = (np.zeros(len(at)) for _ in range(4))
    for digit in DIGITS:
        tip, last = digit_joints(digit)[-1], digit_joints(digit)[-2]
        along = model.joints_cm[tip] - model.joints_cm[last]
        along /= np.linalg.norm(along)
        up = model.frames[last][:, 1] - along * (model.frames[last][:, 1] @ along)
        up /= np.linalg.norm(up)
        offset = at - model.joints_cm[tip]
        end = bone[:, [last, tip]].sum(1) > 0.5
        furthest = float(((model.cage_cm - model.joints_cm[tip]) @ along)[np.isin(model.bone, (last, tip))].max())
        length, half = _NAIL_LENGTH_CM[digit], _NAIL_HALF_WIDTH_CM[digit]
        u = (offset @ along - (furthest - 0.02 - length)) / length  # 0 at the cuticle, 1 at the free edge
        v = offset @ np.cross(along, up) / half
        sees = np.clip((normal @ up - 0.05) * 6, 0, 1) * end
        # The sides are straight, the cuticle is an arc, the free edge a flatter one.
        low, high = 0.16 * v * v, 1.0 - 0.14 * v * v
        inside = np.minimum(np.minimum((u - low) * length, (high - u) * length), (1 - np.abs(v)) * half)
        plate = np.clip(inside / 0.07 + 0.5, 0, 1) * sees
        crescent = np.clip((0.26 - (u - low) - 0.10 * v * v) * 8, 0, 1) * (0.3 if digit == "pinky" else 0.9)
        np.maximum(nail, plate, out=nail)
        np.maximum(rim, np.exp(-(((inside + 0.05) / 0.085) ** 2)) * sees * (u < 0.93), out=rim)
        np.maximum(moon, crescent * plate, out=moon)
        np.maximum(edge, np.clip((u - (high - 0.13)) * 12, 0, 1) * plate, out=edge)
    return nail, rim, moon, edge


def _paint_back(model: HandModel, at: F64, back: F64, noise: Noise, column: dict[str, F64]) -> None:
    """Tendons that fan out to the knuckles, hollows between them, and veins across the back."""
    joints = model.joints_cm
    wrist = joints[0] + np.array([0.1, 1.0, 0.0])
    for finger in ("index-finger", "middle-finger", "ring-finger", "pinky-finger"):
        knuckle = joints[JOINTS.index(f"{finger}-phalanx-proximal")]
        line = knuckle[:2] - wrist[:2]
        length = float(np.linalg.norm(line))
        line = line / length
        offset = at[:, :2] - wrist[:2]
        u, r = offset @ line, np.abs(offset @ np.array([line[1], -line[0]]))
        on = back * np.clip((u - 2.5) / 2.5, 0, 1) * np.clip((length + 0.5 - u) / 0.8, 0, 1)
        column["tendon"] += on * (0.055 * np.exp(-((r / 0.22) ** 2)) - 0.05 * np.exp(-(((r - 0.62) / 0.3) ** 2)))
        # The knuckle itself catches light; the dips next to it do not.
        q = ((at - knuckle) ** 2)[:, :2].sum(1)
        column["tendon"] += 0.05 * back * np.exp(-q / (2 * 0.45**2)) - 0.03 * back * np.exp(-q / (2 * 1.0**2))
    paths = (
        [(-1.0, -1.0), (-0.7, 2.0), (-1.4, 4.2), (-1.0, 6.3), (-1.5, 8.3)],
        [(-0.7, 2.0), (0.3, 4.0), (0.6, 6.2), (0.5, 8.0)],
        [(0.3, 4.0), (1.5, 5.2), (2.4, 7.6)],
        [(1.2, -1.0), (1.6, 2.2), (1.5, 5.2), (1.6, 6.8)],
        [(-1.2, 5.4), (0.6, 6.2)],
    )
    wander = np.stack([noise(at + 13.0, 0.7), noise(at + 29.0, 0.7)], 1) * 0.22
    moved = at[:, :2] + wander
    nearest = np.full(len(at), 9.0)
    for path in paths:
        for start, stop in pairwise(path):
            nearest = np.minimum(nearest, _from_segment(moved, np.array(start), np.array(stop)))
    column["vein"] += back * np.exp(-((nearest / 0.17) ** 2))


def _paint_palm(at: F64, palm: F64, noise: Noise, column: dict[str, F64]) -> None:
    """The three great lines of the palm and the creases of the wrist."""
    xy = at[:, :2] + np.stack([noise(at + 50.0, 0.6), noise(at + 61.0, 0.6)], 1) * 0.10
    lines = (
        [(-3.2, 6.6), (-1.6, 6.2), (-0.4, 4.6), (0.0, 2.6)],
        [(-3.2, 6.7), (-1.0, 6.1), (1.0, 5.2), (2.6, 4.0)],
        [(3.4, 6.2), (1.6, 7.0), (0.0, 7.4), (-1.2, 8.4)],
    )
    for path in lines:
        for start, stop in pairwise(path):
            near = np.exp(-((_from_segment(xy, np.array(start), np.array(stop)) / 0.10) ** 2))
            column["line"] += 0.8 * palm * near
    for y in (0.9, 1.25):
        column["line"] += 0.6 * palm * np.exp(-(((xy[:, 1] - y) / 0.08) ** 2)) * (np.abs(xy[:, 0]) < 3.0)


def _from_segment(points: F64, start: F64, stop: F64) -> F64:
    """Return how far points (N, 2) are from the line between two others; axis by axis, since sums over two are slow."""
    way = stop - start
    share = np.clip((points - start) @ way / (way @ way), 0, 1)
    x, y = points.T - start[:, None] - share * way[:, None]
    distance: F64 = np.sqrt(x * x + y * y)
    return distance


def _paint_strip(noise: Noise) -> F64:
    """Paint the forearm: v runs over `STRIP_CM` from the wrist, u round it."""
    v, u = np.mgrid[0:STRIP_PX, 0:STRIP_WIDTH_PX]
    angle = (u.ravel() / (STRIP_WIDTH_PX - 1)) * 2 * np.pi
    at = np.column_stack([3.0 * np.cos(angle), v.ravel() * STRIP_CM / STRIP_PX, 3.0 * np.sin(angle)])
    out = np.zeros((at.shape[0], len(FEATURES)))
    for name, cells in (("blotch", 0.35), ("mottle", 1.0), ("grain", 2.4)):
        out[:, FEATURES.index(name)] = noise(at, cells)
    hair = np.clip(noise(at * [1.0, 0.5, 1.0] + 70.0, 1.8) - 0.4, 0, 1)
    out[:, FEATURES.index("hair")] = hair
    out[:, FEATURES.index("spot")] = np.clip((noise(at + 40.0, 0.9) - 1.45) * 3.0, 0, 1)
    out[:, FEATURES.index("vein")] = 0.4 * np.exp(-((noise(at * [0.6, 0.2, 0.6] + 90.0, 0.8) / 0.12) ** 2))
    return out


@compiled
def _lattice(points: F64, grid: F64) -> F64:
    """Interpolate a periodic lattice of random values (32, 32, 32) at points (N, 3), smoothly."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        x0, y0, z0 = np.floor(points[n, 0]), np.floor(points[n, 1]), np.floor(points[n, 2])
        fx, fy, fz = points[n, 0] - x0, points[n, 1] - y0, points[n, 2] - z0
        fx = fx * fx * fx * (fx * (fx * 6 - 15) + 10)
        fy = fy * fy * fy * (fy * (fy * 6 - 15) + 10)
        fz = fz * fz * fz * (fz * (fz * 6 - 15) + 10)
        i, j, k = int(x0), int(y0), int(z0)
        total = 0.0
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    weight = (fx if a else 1 - fx) * (fy if b else 1 - fy) * (fz if c else 1 - fz)
                    total += weight * grid[(i + a) & 31, (j + b) & 31, (k + c) & 31]
        out[n] = total
    return out

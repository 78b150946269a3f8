"""The cut of a face mask on one face: its outline in directions of the head map, and the surface stretched inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from fdgen.arrays import F32, F64
from fdgen.occluders.cloth.drape import HeadMap, directions, first_below, stretch, tighten
from fdgen.render.mesh import spline
from fdgen.runtime.jit import compiled

ROWS, COLUMNS = 41, 61
"""Vertices of the cloth, down and across."""

_NOSE_LINE = (168, 6, 197, 195, 5, 4, 1, 2, 164, 0, 17, 18, 200, 199)
"""The middle of the face from between the eyes to the chin: the top edge is a place on it, 0 to 13."""

_ACROSS = np.linspace(-1.0, 1.0, COLUMNS)
_DOWN = np.linspace(0.0, 1.0, ROWS)
_LEVELS = np.radians(np.linspace(56.0, -66.0, 80))
"""Phi of the rows in which the height of the skin is looked for."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A cloth on a head. `points_cm` (ROWS, COLUMNS, 3); `across_cm` and `down_cm` (ROWS, COLUMNS) are distances on the
    cloth from its middle column and from its top edge, `length_cm` (COLUMNS,) that from top to bottom; `clearance_cm`
    (ROWS, COLUMNS) is the air between cloth and skin.
    """

    points_cm: F64
    theta: F64
    phi: F64
    across_cm: F64
    down_cm: F64
    length_cm: F64
    clearance_cm: F64


def drape(head: HeadMap, mesh_cm: F64, cut: str, fit: Mapping[str, Any]) -> Sheet:
    """Lay a mask of a cut over a head; `fit` are a placement's numbers."""
    theta, phi = _outline(head, mesh_cm, cut, fit)
    towards = directions(theta, phi)
    below = _smoothstep(0.55, 0.95, _DOWN)[:, None] * (1 - _ACROSS[None] ** 2)  # cloth is held off by the chin
    skin = head.radius(theta, phi) + fit["gap"] + fit["below_cm"] * below
    if cut in ("bandana", "gaiter", "scarf"):
        skin = np.maximum(skin, _hanging(head, mesh_cm, theta, phi, fit))
    radius = stretch(skin, towards, pressure=fit["pressure"], hold_edges=False)
    radius += fit["taut"] * (tighten(radius, phi) - radius)
    level = np.cos(phi)
    radius += fit["tent"] * (tighten((radius * level).T, -theta.T).T / level - radius)
    radius = _stand_off(cut, radius, towards, fit)
    radius = _stiffened(radius, skin, fit["stiff"])
    hug = np.clip(fit["hug"] * _rim(), 0.0, 1.0)
    radius = radius + hug * (skin - radius)
    if cut != "cup":
        phi, radius = _level_edge(head, theta, phi, radius, skin - fit["gap"], fit["gap"])
    points = head.points(theta, phi, radius)
    across, down = _running_lengths(points)
    across -= across[:, COLUMNS // 2 : COLUMNS // 2 + 1]
    return Sheet(points, theta, phi, across, down, down[-1], radius - skin)


def _level_edge(head: HeadMap, theta: F64, phi: F64, radius: F64, bare: F64, gap: float) -> tuple[F64, F64]:
    """Turn cloth that bridges a hollow down again, so that its top edge keeps the height it was cut to.

    Where cloth leaves the skin along a ray that rises, as beside the nose, it would rise with it. `bare` is the skin
    below it; returns phi and radius (ROWS, COLUMNS).
    """
    height = bare[0] * np.sin(phi[0])
    turned = np.arcsin(np.clip(height / radius[0], -0.99, 0.99))
    share = (1.0 - _smoothstep(0.0, 0.6, _DOWN))[:, None]
    phi = phi + share * np.minimum(turned - phi[0], 0.0)
    return phi, np.maximum(radius, head.radius(theta, phi) + gap)


def _outline(head: HeadMap, mesh: F64, cut: str, fit: Mapping[str, Any]) -> tuple[F64, F64]:
    """Return theta and phi (ROWS, COLUMNS) of the cloth."""
    side = np.radians(fit["side_deg"])
    curve = 1.0 - fit["side_curve"] * np.sin(np.pi * _DOWN[:, None])
    theta = _ACROSS[None] * side * curve
    chin, ear = mesh[152, 1], 0.5 * (mesh[234, 1] + mesh[454, 1])

    def height(share: float) -> float:
        return float(chin + share * (ear - chin))

    edge = _top_edge(mesh, cut, side, height(fit["corner_top"]), fit)
    top_theta, bottom_theta = theta[0], theta[-1]
    top = _phi_on_skin(head, top_theta, np.interp(top_theta, edge[:, 0], edge[:, 1]))
    if cut in ("bandana", "gaiter", "scarf"):
        bottom = _hem_below_chin(head, mesh, cut, bottom_theta, side, fit)
    else:
        jaw = np.interp(bottom_theta, head.jaw[:, 0], head.jaw[:, 1])
        u = np.abs(bottom_theta) / side
        # A pleated sheet opens over the chin alone: from there its edge runs straight up to the gathered sides.
        ease = _smoothstep(0.12 if cut == "pleated" else 0.45, 1.0, u)
        low = jaw - np.radians(fit["wrap_deg"]) * (1 - 0.55 * u)
        corner_low = _phi_on_skin(head, bottom_theta, np.full(COLUMNS, height(fit["corner_bottom"])))
        bottom = _smooth((1 - ease) * low + ease * corner_low)
    phi = top + (np.minimum(bottom, top - 0.05) - top) * _DOWN[:, None]
    tilt = np.radians(fit["tilt_deg"])
    return theta + np.radians(fit["shift_deg"]) + tilt * 0.3 * (phi - phi.mean()), phi + tilt * theta


def _top_edge(mesh: F64, cut: str, side: float, corner: float, fit: Mapping[str, Any]) -> F64:
    """Return the top edge as a curve (97, 2) of theta and height y: up over the nose, down to the cheeks."""
    place = float(np.clip(fit["top"], 0.0, len(_NOSE_LINE) - 1.001))
    k = int(place)
    a, b = mesh[_NOSE_LINE[k]], mesh[_NOSE_LINE[k + 1]]
    peak = float(a[1] + (place - k) * (b[1] - a[1]))
    if cut == "cup":  # moulded: its rim is an oval, whatever the nose does
        around = np.linspace(-1.0, 1.0, 97)
        return np.column_stack([side * around, corner + (peak - corner) * (1 - np.abs(around) ** 2.2) ** 0.7])
    cheek = corner + (peak - fit["peak_cm"] - corner) * fit["cheek"]
    near, nose = peak - 0.62 * fit["peak_cm"], np.radians(fit["nose_deg"])
    knots = [
        *((-side, corner), (-0.55 * side, cheek), (-nose, near), (0.0, peak)),
        *((nose, near), (0.55 * side, cheek), (side, corner)),
    ]
    curve = spline(np.array([(x * 8.0, y, 0.0) for x, y in knots]), 97)
    return np.column_stack([curve[:, 0] / 8.0, curve[:, 1]])


def _phi_on_skin(head: HeadMap, theta: F64, y_cm: F64) -> F64:
    """Return phi of the skin at heights `y_cm`, one a column."""
    return _phi_at(head.profiles(theta, _LEVELS), _LEVELS, np.sin(_LEVELS), head.centre_cm[1], y_cm)


@compiled
def _phi_at(radius: F32, phi: F64, sines: F64, centre_cm: float, y_cm: F64) -> F64:
    """Return phi (columns,) at which columns of a head's profile first fall to the heights `y_cm` (columns,).

    Args:
        radius: The profiles (rows, columns) in cm.
        phi: That of each row, falling.
        sines: Its sine.
        centre_cm: Height of the point that radii are measured from.
        y_cm: The heights.
    """
    rows, columns = radius.shape
    found, height = np.empty(columns), np.empty(rows)
    for j in range(columns):
        for i in range(rows):
            height[i] = centre_cm + radius[i, j] * sines[i]
        i, share = first_below(height, y_cm[j])
        found[j] = phi[i] + share * (phi[i + 1] - phi[i])
    return found


def _hem_below_chin(head: HeadMap, mesh: F64, cut: str, theta: F64, side: float, fit: Mapping[str, Any]) -> F64:
    """Return phi of a hem that hangs below the chin: straight round for a gaiter, to a point for a bandana."""
    u = np.abs(theta) / side
    reach = fit["drop_cm"] * (1.0 - (fit["drop_taper"] * u if cut == "bandana" else 0.15 * u))
    y = mesh[152, 1] - reach - head.centre_cm[1]
    chin_out = float(np.hypot(*(mesh[152] - head.centre_cm)[[0, 2]]))
    level = chin_out * (1 - 0.25 * u) - fit["inward"] * np.maximum(reach, 0.0)
    hem: F64 = np.arctan2(y, np.maximum(level, 4.5))
    return hem


def _hanging(head: HeadMap, mesh: F64, theta: F64, phi: F64, fit: Mapping[str, Any]) -> F64:
    """Return the least radius of cloth that hangs from the chin: it falls nearly straight, and the neck lies behind."""
    jaw = np.interp(theta, head.jaw[:, 0], head.jaw[:, 1])
    out = head.radius(theta, jaw) * np.cos(jaw)
    drop = out * np.tan(jaw) - out * np.tan(np.minimum(phi, jaw))
    level = (out - fit["inward"] * drop) * np.clip(1.05 - 0.25 * (np.abs(theta) / 1.6) ** 2, 0.6, 1.0)
    below = phi < jaw
    hung: F64 = np.where(below, np.maximum(level, 3.5) / np.cos(phi) * 0.98, 0.0) + fit["gap"]
    return hung


def _stand_off(cut: str, radius: F64, towards: F64, fit: Mapping[str, Any]) -> F64:
    """Push the cloth out as its cut does: a beak, a dome, a bill, or air before the mouth."""
    s, t = _ACROSS[None], _DOWN[:, None]
    beak = fit["beak_cm"]
    if cut == "fold":
        apex = fit["apex"]
        profile = np.minimum(t / apex, (1 - t) / (1 - apex))
        profile = np.sin(0.5 * np.pi * np.clip(profile, 0, 1)) ** 0.8
        ridge = np.where(np.abs(s) < 0.02, radius + beak * profile, radius)
        return stretch(ridge, towards, pressure=fit["pressure"], hold_edges=True, sweeps=40)
    if cut == "duckbill":
        row = np.abs(_DOWN - fit["apex"]).argmin()
        lift = np.zeros_like(radius)
        lift[row] = beak * np.clip(1 - (_ACROSS / 0.9) ** 2, 0, 1) ** 0.55
        return stretch(radius + lift, towards, pressure=fit["pressure"], hold_edges=True, sweeps=40)
    if cut == "cup":
        e = np.clip((s / 0.93) ** 2 + ((t - 0.5) / 0.46) ** 2, 0, 1)
        air = (1 - e) ** 0.62
    elif cut == "panel":
        upper, lower = fit["apex"] - 0.2, fit["apex"] + 0.22
        centre = _smoothstep(upper - 0.1, upper + 0.02, t) * _smoothstep(lower + 0.1, lower - 0.02, t)
        arch = np.clip(1 - s * s, 0, 1) ** 0.7
        slope = np.minimum(np.clip(t / upper, 0, 1), np.clip((1 - t) / (1 - lower), 0, 1))
        air = arch * (0.72 * slope + 0.28 * centre)
    elif cut in ("bandana", "gaiter", "scarf"):
        air = np.clip(1 - s * s, 0, 1) * np.sin(np.pi * np.clip(t, 0, 1)) ** 0.6
    else:  # flat cloth stands a little off where nothing pushes it, most of all at mouth height
        air = np.clip(1 - s * s, 0, 1) ** 0.8 * np.sin(np.pi * np.clip(t, 0, 1)) ** 0.7
    result: F64 = radius + beak * air
    return result


def _stiffened(radius: F64, skin: F64, sigma: float) -> F64:
    """Give cloth the stiffness to bend no sharper than over `sigma` vertices; where that would press it into the skin,
    it is lifted as softly.
    """
    wide = float(np.clip(COLUMNS / ROWS, 1.0, 2.0))
    bent = cv2.GaussianBlur(radius, (0, 0), sigmaX=sigma * wide, sigmaY=sigma, borderType=cv2.BORDER_REPLICATE)
    pressed = np.maximum(skin - bent, 0.0)
    reach = 2 * int(np.ceil(1.5 * sigma)) + 1
    lifted = cv2.GaussianBlur(cv2.dilate(pressed, np.ones((reach, reach))), (0, 0), max(0.6 * sigma, 0.5))
    result: F64 = np.maximum(bent + lifted, skin)
    return result


def _rim() -> F64:
    """Return 1 on the rim of the cloth, falling to 0 a few vertices inside."""
    edge = np.minimum(
        np.minimum(_DOWN, 1 - _DOWN)[:, None] * (ROWS - 1), (1 - np.abs(_ACROSS))[None] * (COLUMNS - 1) / 2
    )
    rim: F64 = np.exp(-((edge / 1.6) ** 2))
    return rim


@compiled
def _running_lengths(points: F64) -> tuple[F64, F64]:
    """Return distances (rows, columns) along a grid of points (rows, columns, 3): from the first of each row, and from
    the first of each column.
    """
    rows, columns, _ = points.shape
    across, down = np.zeros((rows, columns)), np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            if j > 0:
                across[i, j] = across[i, j - 1] + _distance(points[i, j], points[i, j - 1])
            if i > 0:
                down[i, j] = down[i - 1, j] + _distance(points[i, j], points[i - 1, j])
    return across, down


@compiled
def _distance(point: F64, other: F64) -> Any:
    x, y, z = point[0] - other[0], point[1] - other[1], point[2] - other[2]
    return np.sqrt(x * x + y * y + z * z)


def _smooth(curve: F64) -> F64:
    """Round the corners of a curve over its columns, ends kept."""
    kernel = np.hanning(11)[1:-1] / np.hanning(11).sum()
    padded = np.concatenate([2 * curve[0] - curve[4:0:-1], curve, 2 * curve[-1] - curve[-2:-6:-1]])
    return np.convolve(padded, kernel, "valid")


def _smoothstep(low: float, high: float, x: F64) -> F64:
    """Rise from 0 at `low` to 1 at `high`; falls where `high` is the smaller."""
    u = np.clip((x - low) / (high - low), 0.0, 1.0)
    return u * u * (3 - 2 * u)

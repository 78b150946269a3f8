"""Sleeves for the arm behind a hand: cut, cuff, folds, cloth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from fdgen.analysis.geometry import lengths
from fdgen.arrays import F32, F64
from fdgen.occluders.hands.forearm import Arm, rings_at, tube_mesh
from fdgen.render.mesh import Material, Mesh, part
from fdgen.runtime.rng import draw_key

CUFFS = {"shirt": 0.28, "ribbed": 0.24, "plain": 0.24, "rolled": 0.10, "loose": 0.14}
"""Kinds of cuffs, and how often each is drawn."""
_PATTERNS = {"plain": 0.52, "stripes": 0.18, "checks": 0.14, "heather": 0.16}

_CUFF_ROWS = 0.18
"""Share of the cloth's strip that holds the cuff, the rest being the sleeve."""
_SLEEVE_CM = 11.0
"""Length of sleeve that the strip covers; beyond, it runs back and forth."""

# Of each cuff: length in cm, girth of its band, girth of the sleeve after it, thickness in cm, height of folds in cm.
_CUT: Mapping[str, tuple[tuple[float, float], ...]] = {
    "shirt": ((5.0, 6.5), (1.07, 1.13), (1.18, 1.35), (0.08, 0.14), (0.10, 0.28)),
    "ribbed": ((4.0, 7.0), (1.04, 1.09), (1.20, 1.42), (0.18, 0.32), (0.12, 0.30)),
    "plain": ((0.8, 2.0), (1.18, 1.34), (1.24, 1.42), (0.16, 0.30), (0.06, 0.20)),
    "rolled": ((3.0, 5.5), (1.12, 1.20), (1.12, 1.26), (0.35, 0.60), (0.10, 0.25)),
    "loose": ((0.4, 1.2), (1.32, 1.65), (1.40, 1.75), (0.07, 0.14), (0.18, 0.42)),
}


def draw_sleeve(rng: np.random.Generator) -> dict[str, Any] | None:
    """Draw a sleeve, or None for a bare arm: a JSON table."""
    if rng.random() < 0.42:
        return None
    cuff = draw_key(rng, CUFFS)
    length, band, girth, thick, folds = (round(float(rng.uniform(*bounds)), 5) for bounds in _CUT[cuff])
    where = rng.random()
    lowest, highest = (-2.6, 0.2) if where < 0.75 else (0.2, 4.0) if where < 0.9 else (4.0, 11.0)
    at = rng.uniform(4.0, 12.0) if cuff == "rolled" else rng.uniform(lowest, highest)
    colour = _cloth_colour(rng)
    second = _cloth_colour(rng)
    pattern = draw_key(rng, _PATTERNS)
    return {
        "cuff": cuff,
        "at_cm": round(float(at), 5),
        "cuff_cm": length,
        "band": band,
        "girth": max(girth, band),
        "thick_cm": thick,
        "folds_cm": folds,
        "rgb": [round(float(v), 5) for v in colour],
        "second_rgb": [round(float(v), 5) for v in second],
        "pattern": pattern,
        "pitch": int(rng.integers(8, 34)),
        "duty": round(float(rng.uniform(0.12, 0.55)), 5),
        "weave": round(float(rng.uniform(0.03, 0.10)), 5),
        "under": bool(cuff == "plain" and rng.random() < 0.5),
        "seed": int(rng.integers(2**31)),
    }


def _cloth_colour(rng: np.random.Generator) -> F64:
    """Draw a linear colour of cloth: any hue; white, black, grey, denim and navy as often as people wear them."""
    kind = rng.random()
    if kind < 0.22:
        base = np.full(3, rng.uniform(0.55, 0.85))
    elif kind < 0.44:
        base = np.full(3, rng.uniform(0.012, 0.06))
    elif kind < 0.56:
        base = np.full(3, rng.uniform(0.08, 0.45))
    elif kind < 0.70:
        base = rng.uniform(0.4, 1.6) * np.array([0.035, 0.06, 0.14])
    else:
        hue, saturation, value = rng.random(), rng.uniform(0.25, 0.95), rng.uniform(0.05, 0.7)
        wheel = np.abs(((hue * 6.0 + np.array([0.0, 4.0, 2.0])) % 6.0) - 3.0) - 1.0
        base = value * (1 - saturation + saturation * np.clip(wheel, 0.0, 1.0))
    result: F64 = np.clip(base * rng.normal(1.0, 0.05, 3), 0.008, 0.9)
    return result


def sleeve_mesh(arm: Arm, rings: F64, values: Mapping[str, Any], down: F64, rows: tuple[float, float]) -> list[Mesh]:
    """Return the sleeve over the bare arm's rings: the outside and, where one shows, the shirt under it.

    Args:
        arm: The forearm.
        rings: Rings of the bare forearm, in head cm.
        values: The sleeve, as `draw_sleeve` draws it.
        down: Where cloth hangs, (3,), in the head's frame.
        rows: Span of v that its strip takes in the texture, in [0, 1].
    """
    parts = []
    if values["under"]:
        peek = dict(
            values, at_cm=values["at_cm"] - 1.1, cuff_cm=4.0, band=1.08, girth=1.10, thick_cm=0.1, folds_cm=0.02
        )
        parts.append(_tube(arm, rings, peek, down, (0.0, 0.0), np.array([0.75, 0.75, 0.76])))
    parts.append(_tube(arm, rings, values, down, rows, np.array(values["rgb"])))
    return parts


def _tube(arm: Arm, rings: F64, values: Mapping[str, Any], down: F64, rows: tuple[float, float], colour: F64) -> Mesh:
    """Build one layer of cloth: an inner wall that closes the view into it, the rim, the cuff, the folds."""
    start, cuff = max(float(values["at_cm"]), -3.2), float(values["cuff_cm"])
    end = start + cuff
    outside = np.concatenate(
        [
            [start, start + 0.12],
            np.linspace(start + 0.3, end, 4),
            end + np.array([0.25, 0.7]),
            end + np.arange(1.4, 26.0, 0.8),
        ]
    )
    outside = np.append(outside, 55.0)
    along = np.concatenate([[start + 1.6, start + 0.1], outside])
    bare = rings_at(arm, rings, along)
    centre = bare.mean(1, keepdims=True)
    radial = bare - centre
    radius = lengths(radial)
    rolled = values["cuff"] == "rolled"
    step = np.clip((along - end) / 1.2, 0, 1)
    girth = values["band"] + (values["girth"] - values["band"]) * step * step * (3 - 2 * step)
    thick = np.where(along <= end + 0.01, values["thick_cm"], 0.6 * values["thick_cm"] * (1 - 0.6 * rolled))
    thick[0], thick[1], thick[2] = -0.05, 0.0, 0.55 * thick[2]
    girth[0] = min(1.02, girth[0])
    cloth = radial * girth[:, None, None] + radial / radius * thick[:, None, None]
    cloth += radial / radius * (values["folds_cm"] * _folds(along - end, bare.shape[1], int(values["seed"])))[..., None]
    sag = (girth - 1.0) * radius.mean((1, 2)) * 0.75
    sag[:2] = sag[2]
    cloth = cloth + centre + down * sag[:, None, None]
    vertices, faces, normals, uv = tube_mesh(cloth)
    n = cloth.shape[1] + 1
    shade = np.ones(len(along))
    shade[0], shade[1] = 0.15, 0.6
    albedo = colour * np.repeat(shade, n)[:, None]
    low, high = rows
    split = low + (high - low) * _CUFF_ROWS
    on_cuff = along <= end + 0.13
    there = np.abs((np.maximum(along - end - 0.25, 0.0) / _SLEEVE_CM + 1.0) % 2.0 - 1.0)
    v = np.where(
        on_cuff,
        low + (split - low) * np.clip((along - start) / cuff, 0, 1) * 0.9,
        split + (high - split) * (0.03 + 0.94 * there),
    )
    uv = np.column_stack([0.002 + 0.996 * uv[:, 0], np.repeat(v, n)])
    if high <= low:
        uv = np.zeros_like(uv)
    return part(vertices, faces, Material(albedo, specular=0.01, gloss=6.0, two_sided=True), normals=normals, uv_N2=uv)


def _folds(beyond_cm: F64, columns: int, seed: int) -> F64:
    """Return the height of the folds (rings, columns), about 1 at most: slack cloth on an arm, skewed."""
    rng = np.random.default_rng(seed)
    angle = np.arange(columns) * (2 * np.pi / columns)
    waves = []
    for _ in range(5):
        length, skew = rng.uniform(1.8, 5.0), rng.integers(1, 3)
        waves.append((length, skew, rng.uniform(0.5, 1.6), *rng.uniform(0, 6.3, 3), rng.uniform(0.4, 1.0)))
    length, skew, bend, bend_at, at, patch_at, high = np.array(waves).T[..., None, None]
    wave = np.sin(2 * np.pi * beyond_cm[:, None] / length + bend * np.sin(skew * angle + bend_at) + at)
    total = np.add.reduce(wave * (0.5 + 0.5 * np.sin(angle + patch_at)) * high, axis=0)
    fading = np.exp(-np.maximum(beyond_cm, 0) / 2.5)[:, None] * 0.35
    for k in (2, 3, 5):  # gathers at the cuff run along the arm
        total += fading * np.sin(k * angle + rng.uniform(0, 6.3))[None]
    grown = np.clip(beyond_cm / 1.5, 0.0, 1.0)
    result: F64 = total / 1.6 * (0.04 + 0.96 * grown)[:, None]
    return result


def paint_cloth(strip_HWC: F32, values: Mapping[str, Any]) -> None:
    """Paint the cloth's strip (H, W, 3) in place: cuff above, sleeve below; it multiplies the cloth's colour."""
    height, width = strip_HWC.shape[:2]
    rng = np.random.default_rng(int(values["seed"]))
    weave = float(values["weave"])
    noise = rng.standard_normal((height, width), dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.7) * np.float32(2.2 * weave)
    soft = cv2.resize(rng.standard_normal((8, 16), dtype=np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    light = 1.0 + noise + soft * np.float32(0.05)
    split = round(height * _CUFF_ROWS)
    pitch, duty = int(values["pitch"]), float(values["duty"])
    second = np.array(values["second_rgb"], np.float32) / np.maximum(np.array(values["rgb"], np.float32), 0.01)
    second = np.clip(second, 0.02, 12.0)
    u = np.arange(width, dtype=np.float32) / width
    v = np.arange(height, dtype=np.float32) / height
    across = np.clip((np.abs((u * pitch) % 1.0 - 0.5) * -2.0 + duty) * 4.0 + 0.5, 0, 1)[None, :, None]
    strip_HWC[:] = 1.0
    if values["pattern"] == "stripes":
        strip_HWC[:] = 1.0 + across * (second - 1.0)
    elif values["pattern"] == "checks":
        along = np.clip((np.abs((v * pitch * 0.55) % 1.0 - 0.5) * -2.0 + duty) * 4.0 + 0.5, 0, 1)[:, None, None]
        strip_HWC[:] = 1.0 + 0.5 * (across + along) * (second - 1.0)
    elif values["pattern"] == "heather":
        fleck = np.clip(rng.standard_normal((height, width), dtype=np.float32) * 0.5, 0, 1)[..., None]
        strip_HWC[:] = 1.0 + 0.5 * fleck * (np.clip(second, 0.3, 3.0) - 1.0)
    if values["cuff"] == "ribbed":
        light[:split] *= (0.82 + 0.18 * np.cos(2 * np.pi * 48 * u))[None]
    else:
        light[split - 2 : split] *= 0.80  # the seam and the stitches next to it
        light[split - 4 : split - 3] *= (0.94 + 0.06 * np.cos(2 * np.pi * 60 * u))[None]
        light[:1] *= 0.9
    np.multiply(strip_HWC, cv2.merge([np.clip(light, 0.3, 1.6)] * 3), out=strip_HWC)

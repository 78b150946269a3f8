"""The cloth of headwear: rib knit, twill with seams and embroidery, felt, straw, the paper of surgical caps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from fdgen.arrays import F32
from fdgen.occluders.cloth.fabric import paint
from fdgen.occluders.cloth.relief import noise
from fdgen.render.channels import plain, thrice

FABRICS = ("knit", "woven", "felt", "straw", "paper")

_TEXELS_CM = 9.0
_LETTERS = "ABCDEFGHJKLMNOPRSTVWXYZ"


def texels(around_cm: float, height_cm: float) -> tuple[F32, F32]:
    """Return the distances in cm, across from the front and down, at the texels of a piece of cloth."""
    columns = int(np.clip(around_cm * _TEXELS_CM, 60, 560))
    rows = int(np.clip(height_cm * _TEXELS_CM, 20, 220))
    x = (np.linspace(-0.5, 0.5, columns) * around_cm).astype(np.float32)
    y = np.linspace(0.0, height_cm, rows).astype(np.float32)
    across, down = np.meshgrid(x, y)
    return np.ascontiguousarray(across), np.ascontiguousarray(down)


def cloth(across: F32, down: F32, fabric: str, values: Mapping[str, Any]) -> F32:
    """Paint cloth with its print and the shading of its fabric: linear albedo (h, w, 3)."""
    albedo = paint(across, down, values)
    pitch = np.float32(values["size"]["rib_cm"])
    seed = values["seed"] % 991 / 991.0
    rough = np.random.default_rng(values["seed"]).standard_normal(across.shape).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(rough, (0, 0), 1.0), np.float32) * np.float32(3.0)
    if fabric == "knit":
        bent = across + np.float32(0.06) * noise(across * np.float32(0.5), down * np.float32(0.35), seed)
        phase = (bent / pitch) % 1
        rib = np.sin(np.pi * phase) ** 0.7
        lean = np.abs(phase - 0.5)
        stitch = np.cos(2 * np.pi * (down / (0.55 * pitch) + 1.4 * lean))
        shade = 0.34 + 0.70 * rib + 0.13 * stitch * rib + 0.05 * soft
    elif fabric == "straw":
        weave = np.cos(2 * np.pi * across / pitch) * np.cos(2 * np.pi * down / (0.7 * pitch))
        ring = np.cos(2 * np.pi * down / 0.9) ** 8
        albedo = albedo * 0.25 + np.array([0.55, 0.40, 0.20], np.float32) * np.float32(0.75)
        shade = 0.9 + 0.2 * weave - 0.12 * ring + 0.10 * rough
    elif fabric == "felt":
        shade = 1.0 + 0.03 * soft + 0.02 * noise(across * np.float32(0.7), down * np.float32(0.7), seed)
    elif fabric == "paper":
        shade = 0.97 + 0.04 * rough + 0.06 * noise(across * np.float32(1.2), down * np.float32(0.6), seed)
    else:
        twill = np.cos(2 * np.pi * (across + down) / 0.28)
        shade = (
            0.96 + 0.045 * rough + 0.02 * twill + 0.02 * noise(across * np.float32(0.5), down * np.float32(0.5), seed)
        )
    shaded: F32 = (albedo * thrice(np.clip(shade, 0.22, 1.35))).astype(np.float32)
    return shaded


def sew_panels(texture: F32, across: F32, values: Mapping[str, Any]) -> None:
    """Sew the six panels of a cap, in place: seams with a row of stitches at either side, and eyelets."""
    rows, columns = texture.shape[:2]
    around = float(across[0, -1] - across[0, 0])
    seam_cm = around / 6
    from_seam = np.abs((across + 0.5 * seam_cm) % seam_cm - 0.5 * seam_cm)
    # Panels taper to the button: the texture's columns come together there.
    narrow = np.linspace(0.02, 1.0, rows, dtype=np.float32)[:, None] ** np.float32(0.75)
    from_seam = from_seam * narrow
    if values["two_panels"]:
        behind = np.abs(across) > seam_cm
        texture[behind] = np.array(values["second"], np.float32) ** 2.2
    shade = 1 - 0.55 * np.exp(-((from_seam / 0.07) ** 2)) + 0.10 * np.exp(-(((from_seam - 0.2) / 0.1) ** 2))
    dash = (np.arange(rows) % 4 < 2).astype(np.float32)[:, None]
    shade -= 0.22 * np.exp(-(((from_seam - 0.36) / 0.06) ** 2)) * dash
    texture *= thrice(shade.astype(np.float32))
    for panel in (-1.5, -0.5, 0.5, 1.5):
        middle = (round((0.5 + panel / 6) * columns), round(0.42 * rows))
        cv2.ellipse(
            texture, middle, (4, 3), 0, 0, 360, tuple((texture[middle[1], middle[0]] * 0.55).tolist()), 1, cv2.LINE_AA
        )
        cv2.circle(texture, middle, 1, (0.01, 0.01, 0.01), -1, cv2.LINE_AA)


def embroider(texture: F32, values: Mapping[str, Any]) -> None:
    """Stitch a badge, letters or a patch on the front of a cap or a cuff, in place."""
    rows, columns = texture.shape[:2]
    rng = np.random.default_rng(values["seed"] + 1)
    high = values["badge_rows"] * rows
    colour = np.array(values["second"], np.float32) ** 2.2
    art = np.zeros((rows, columns), np.uint8)
    middle = (columns // 2, round(values["badge_at"] * rows))
    name = values["badge"]
    if name == "letters":
        word = "".join(rng.choice(list(_LETTERS), int(rng.integers(1, 4))))
        font = int(rng.choice([cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX]))
        scale = high / 22.0
        thick = max(2, round(high / 6))
        (wide, tall), _ = cv2.getTextSize(word, font, scale, thick)
        cv2.putText(art, word, (middle[0] - wide // 2, middle[1] + tall // 2), font, scale, (255,), thick, cv2.LINE_AA)
    elif name == "patch":
        half = (round(high * 0.95), round(high * 0.55))
        cv2.rectangle(
            art, (middle[0] - half[0], middle[1] - half[1]), (middle[0] + half[0], middle[1] + half[1]), (255,), -1
        )
        inner = (round(half[0] * 0.7), max(1, round(half[1] * 0.28)))
        cv2.rectangle(
            art, (middle[0] - inner[0], middle[1] - inner[1]), (middle[0] + inner[0], middle[1] + inner[1]), (90,), -1
        )
    else:
        cv2.circle(art, middle, round(high * 0.62), (255,), -1, cv2.LINE_AA)
        points = 2 * int(rng.integers(3, 8))
        turn = np.linspace(0, 2 * np.pi, points, endpoint=False) - 0.5 * np.pi
        radius = np.where(np.arange(points) % 2, 0.18, 0.46) * high
        star = np.column_stack([middle[0] + radius * np.cos(turn), middle[1] + radius * np.sin(turn)])
        cv2.fillPoly(art, [np.round(star).astype(np.int32)], (60,), cv2.LINE_AA)
    share = np.asarray(cv2.GaussianBlur(art, (0, 0), 0.7), np.float32) * np.float32(1 / 255)
    raised = np.asarray(cv2.GaussianBlur(art, (0, 0), 2.0), np.float32) * np.float32(1 / 255)
    lit = np.clip(1 - 1.2 * np.gradient(raised, axis=0), 0.6, 1.4).astype(np.float32)
    thread = 0.9 + 0.14 * rng.standard_normal((rows, columns)).astype(np.float32)
    texture += thrice(share) * (plain(share.shape, colour) * thrice(thread) - texture)
    texture *= thrice(lit)


def stitch_rows(texture: F32, across_rows: F32, *, every: float, depth: float = 0.16) -> None:
    """Run rows of stitches along a visor or brim, in place; `across_rows` (h, w) counts cm across them."""
    rows = np.exp(-(((across_rows % every - 0.5 * every) / 0.06) ** 2))
    dash = (np.arange(texture.shape[1]) % 4 < 3).astype(np.float32)[None]
    texture *= thrice((1 - depth * rows * dash).astype(np.float32))

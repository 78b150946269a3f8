"""Cut-outs as people make them, painted by code: a cloth mask, a pair of sunglasses, a mug; and a small GLB mesh.

Each has what gives a paste away: light of its own, folds, and an outline through which a white background shows.
"""

from __future__ import annotations

import io
import json
import struct
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image

Rgba = npt.NDArray[np.uint8]


def _fill(shape: tuple[int, int], *polygons: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Draw polygons, smooth at their edges: 0 to 1."""
    image = np.zeros(shape, np.uint8)
    for polygon in polygons:
        points = np.round(np.asarray(polygon, np.float64) * 16).astype(np.int32)
        cv2.fillPoly(image, [points], (255,), cv2.LINE_AA, 4)
    return image.astype(np.float32) / 255


def _curve(knots: npt.ArrayLike, n: int = 60) -> npt.NDArray[np.float64]:
    points = np.asarray(knots, np.float64)
    t = np.linspace(0, 1, len(points))
    at = np.linspace(0, 1, n)
    degree = min(3, len(points) - 1)
    return np.column_stack([np.polyval(np.polyfit(t, points[:, k], degree), at) for k in (0, 1)])


def _seal(colour: npt.NDArray[np.float32], alpha: npt.NDArray[np.float32]) -> Rgba:
    """Make a cut-out of it: near the outline the colour is half that of the white table it lay on."""
    there = np.minimum(alpha / 0.7, 1.0)  # a lens of 70 % is tinted, and no part of the outline
    soft = cv2.GaussianBlur(there, (0, 0), 2.0)[..., None]
    fringed = colour * soft + 1.0 * (1 - soft)
    rgb = np.where(alpha[..., None] > 0, fringed, 0.0)
    return np.dstack([np.clip(rgb * 255, 0, 255), alpha * 255]).astype(np.uint8)


@cache
def cloth_mask(*, loops: bool = True) -> Rgba:
    """Return a checked cloth mask, worn on a head that is lit from its upper left, loops and all: (560, 860, 4)."""
    height, width = 560, 860
    y, x = np.mgrid[:height, :width].astype(np.float32)
    top = _curve([(180, 150), (300, 130), (430, 60), (560, 130), (680, 150)])
    top[:, 1] = 150 - 95 * np.exp(-(((top[:, 0] - 430) / 85) ** 2)) - 0.00012 * (top[:, 0] - 430) ** 2
    right = _curve([(680, 150), (692, 260), (655, 360)])
    bottom = np.column_stack([np.linspace(655, 205, 60), 360 + 150 * np.sin(np.linspace(0, np.pi, 60)) ** 0.8])
    left = _curve([(205, 360), (168, 260), (180, 150)])
    body = _fill((height, width), np.concatenate([top, right, bottom, left]))
    rng = np.random.default_rng(5)
    weave = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 0.8) * 0.05
    check = 0.5 + 0.5 * np.sign(np.sin(x / 17)) * np.sign(np.sin(y / 17))
    blue, cream = np.array([0.20, 0.33, 0.52]), np.array([0.86, 0.83, 0.74])
    colour = blue + check[..., None] * (cream - blue)
    folds = np.zeros((height, width), np.float32)
    for _ in range(14):
        start, end = rng.uniform((190, 150), (330, 380)), rng.uniform((380, 200), (480, 420))
        if rng.random() < 0.5:
            start[0], end[0] = 860 - start[0], 860 - end[0]
        stroke = np.zeros((height, width), np.float32)
        cv2.line(stroke, tuple(int(v) for v in start), tuple(int(v) for v in end), (1.0,), int(rng.integers(5, 11)))
        stroke = cv2.GaussianBlur(stroke, (0, 0), 6.0)
        folds += stroke * rng.uniform(0.15, 0.35) * rng.choice([-1.0, 1.0])
    seam = np.exp(-(((x - 430) / 4) ** 2)) * 0.25
    light = 1.15 - 0.9 * (x - 180) / width - 0.35 * ((y - 60) / height)  # its own lamp
    shade = light * (1 + folds - seam + weave)
    hem = cv2.GaussianBlur(body, (0, 0), 9.0)
    shade *= np.where((hem > 0.66) & (hem < 0.70), 0.75, 1.0)
    colour = colour * np.clip(shade, 0.1, 1.3)[..., None]
    alpha = body
    if loops:
        strings = np.zeros((height, width), np.uint8)
        for sign in (-1, 1):
            arc = np.column_stack([np.linspace(-np.pi / 2, np.pi / 2, 40)] * 2)
            points = np.column_stack([430 + sign * (240 + 140 * np.cos(arc[:, 0])), 255 + 100 * np.sin(arc[:, 1])])
            cv2.polylines(strings, [np.round(points * 16).astype(np.int32)], False, (255,), 9, cv2.LINE_AA, 4)
        string = (strings.astype(np.float32) / 255) * (1 - body)
        colour = np.where(string[..., None] > 0.01, 0.9 * np.clip(light, 0.2, 1)[..., None], colour)
        alpha = np.maximum(body, string)
    return _seal(colour.astype(np.float32), alpha.astype(np.float32))


@cache
def sunglasses() -> Rgba:
    """Return a tortoiseshell frame with lenses of 70 % alpha, seen from the front: (330, 900, 4)."""
    height, width = 330, 900
    y, x = np.mgrid[:height, :width].astype(np.float32)
    lenses, rims = [], []
    for sign in (-1, 1):
        angle = np.linspace(0, 2 * np.pi, 100)
        cx, cy = 450 + sign * 205, 165
        shape = np.column_stack([np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.75, np.sin(angle)])
        lenses.append(np.array([cx, cy]) + shape * (148, 112))
        rims.append(np.array([cx, cy]) + shape * (178, 140))
    bridge = [(380, 110), (450, 95), (520, 110), (520, 155), (450, 135), (380, 155)]
    ends = [[(40, 80), (130, 70), (130, 130), (40, 125)], [(860, 80), (770, 70), (770, 130), (860, 125)]]
    frame = _fill((height, width), *rims, bridge, *ends) * (1 - _fill((height, width), *lenses))
    frame = np.maximum(frame, _fill((height, width), bridge) * (1 - _fill((height, width), *lenses)))
    glass = _fill((height, width), *lenses)
    rng = np.random.default_rng(8)
    spots = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 14) * 12
    shell = np.array([0.10, 0.05, 0.03]) + np.clip(spots, 0, 1)[..., None] * np.array([0.45, 0.24, 0.08])
    gleam = np.exp(-(((y - 40) / 10) ** 2)) * 0.25 * (1 - (x / width))
    shell = shell + gleam[..., None]
    tint = np.array([0.10, 0.11, 0.09]) + 0.06 * (y[..., None] / height)
    colour = np.where(frame[..., None] > 0.5, shell, tint)
    alpha = np.maximum(frame, 0.7 * glass)
    return _seal(colour.astype(np.float32), alpha.astype(np.float32))


@cache
def mug() -> Rgba:
    """Return an enamel mug with a handle, lit from its right: (420, 460, 4)."""
    height, width = 420, 460
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wall = [(60, 60), (330, 60), (320, 390), (70, 390)]
    rim = np.array([195, 60]) + np.column_stack(
        [135 * np.cos(np.linspace(0, 2 * np.pi, 60)), 26 * np.sin(np.linspace(0, 2 * np.pi, 60))]
    )
    angle = np.linspace(-np.pi / 2, np.pi / 2, 40)
    outer = np.array([322, 215]) + np.column_stack([110 * np.cos(angle), 110 * np.sin(angle)])
    inner = np.array([322, 215]) + np.column_stack([74 * np.cos(angle), 74 * np.sin(angle)])
    handle = _fill((height, width), outer) * (1 - _fill((height, width), inner))
    alpha = np.maximum(_fill((height, width), wall, rim), handle)
    red = np.array([0.72, 0.16, 0.12])
    light = 0.55 + 0.5 * (x / width) + 0.3 * np.exp(-(((x - 270) / 18) ** 2))
    colour = red * light[..., None]
    colour = np.where((np.abs(y - 120) < 12)[..., None], np.array([0.93, 0.92, 0.88]) * light[..., None], colour)
    return _seal(np.clip(colour, 0, 1).astype(np.float32), alpha.astype(np.float32))


def png(picture: npt.NDArray[np.uint8]) -> bytes:
    """Encode as PNG with a writer that is not ours."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def glb(
    vertices: npt.NDArray[np.float32], faces: npt.NDArray[np.uint32], colours: npt.NDArray[np.float32] | None = None
) -> bytes:
    """Write a mesh as GLB, vertex colours with it."""
    arrays = [("POSITION", vertices.astype("<f4"), "VEC3")]
    if colours is not None:
        arrays.append(("COLOR_0", colours.astype("<f4"), "VEC3"))
    binary, views, accessors, attributes = b"", [], [], {}
    for name, array, kind in [*arrays, ("", faces.astype("<u4").ravel(), "SCALAR")]:
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        component = 5126 if array.dtype.kind == "f" else 5125
        accessors.append({"bufferView": len(views) - 1, "componentType": component, "count": len(array), "type": kind})
        if name:
            attributes[name] = len(accessors) - 1
        binary += array.tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": len(accessors) - 1}]}],
        "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views,
        "accessors": accessors,
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    head = b"glTF" + struct.pack("<II", 2, length)
    return head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


@cache
def bowl() -> bytes:
    """Return a moulded half-shell in metres, as a respirator is, red above and white below."""
    polar, around = np.meshgrid(np.linspace(0, np.pi / 2, 12), np.linspace(0, 2 * np.pi, 25), indexing="ij")
    x, y = 0.062 * np.sin(polar) * np.cos(around), 0.068 * np.sin(polar) * np.sin(around)
    z = 0.05 * np.cos(polar)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32)
    i, j = np.mgrid[:11, :24]
    a, b, c, d = i * 25 + j, i * 25 + j + 1, (i + 1) * 25 + j, (i + 1) * 25 + j + 1
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    colours = np.where(vertices[:, 1:2] > 0, [[0.7, 0.1, 0.1]], [[0.8, 0.8, 0.8]]).astype(np.float32)
    return glb(vertices, faces.astype(np.uint32), colours)


def textured(picture: bytes) -> bytes:
    """Return a triangle as GLB whose texture is a picture file."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    data = corners.tobytes() + corners[:, :2].copy().tobytes()
    data += picture + b" " * (-len(picture) % 4)
    views = [(0, 36), (36, 24), (60, len(picture))]
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 2, "mimeType": "image/png"}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5126, "count": 3, "type": "VEC2"},
        ],
        "bufferViews": [{"buffer": 0, "byteOffset": start, "byteLength": size} for start, size in views],
        "buffers": [{"byteLength": len(data)}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(data), 0x004E4942) + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks

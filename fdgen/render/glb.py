"""Reads a GLB file (binary glTF 2.0) as one mesh: positions, normals, colours and texture of what its scene shows."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import vertex_normals
from fdgen.analysis.lighting import to_linear
from fdgen.arrays import F32, F64, I32
from fdgen.errors import AssetError, PictureError
from fdgen.io.json_file import parse_json
from fdgen.io.pictures.images import decode

MAX_TRIANGLES = 200_000
"""More than a face of a few hundred pixels can show, or a renderer draw in time."""

MAX_NODES = 10_000

MAX_TEXTURE_PIXELS = 8192 * 8192
"""The largest texture that is sold; a face shows a thousandth of it."""

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_TRIANGLES = 4  # the only primitive mode that is a surface without strips and fans
_DAMAGE = (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error, RecursionError, OverflowError)
"""All that walking a document which says something else than it should can raise."""


@dataclass(frozen=True, slots=True)
class GlbMesh:
    """Vertices and unit normals (N, 3) in the file's units, triangles (M, 3), linear albedo (N, 3), uv (N, 2).

    `texture` (H, W, 3) is linear and multiplies the albedo where `uv_N2` lies on it; None where there is none.
    """

    vertices: F64
    normals: F64
    faces: I32
    albedo_N3: F32
    uv_N2: F32
    texture: F32 | None


@lru_cache(maxsize=16)
def read_glb(data: bytes, name: str) -> GlbMesh:
    """Read the bytes of a GLB file; raise `AssetError` for what is none, is damaged, or needs an extension."""
    try:
        document, binary = _chunks(data)
        return _Reader(document, binary).mesh()
    except PictureError as error:
        raise AssetError(f"{name} holds a texture that cannot be read: {error.message}") from error
    except _DAMAGE as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise AssetError(
            f"{name} is not a readable GLB mesh: {why}", hint="export it again as binary glTF 2.0, all in one file"
        ) from error


def _chunks(data: bytes) -> tuple[Mapping[str, Any], bytes]:
    """Split a file into its JSON document and its binary chunk."""
    if len(data) < 20 or data[:4] != b"glTF":
        raise ValueError("it does not begin as one")
    _, version, length, json_length, json_type = struct.unpack_from("<IIIII", data)
    if version != 2 or json_type != 0x4E4F534A:
        raise ValueError(f"its version is {version}, not 2")
    if length > len(data) or 20 + json_length > len(data):
        raise ValueError("its end is missing")
    document = parse_json(data[20 : 20 + json_length])
    rest = data[20 + json_length : length]
    if len(rest) < 8:
        return document, b""
    size, kind = struct.unpack_from("<II", rest)
    if kind != 0x004E4942 or 8 + size > len(rest):
        raise ValueError("its binary part is cut short")
    return document, rest[8 : 8 + size]


class _Reader:
    """Walks the scene of one document."""

    def __init__(self, document: Mapping[str, Any], binary: bytes) -> None:
        self.document, self.binary = document, binary
        needed = document.get("extensionsRequired", [])
        if needed:
            raise ValueError(f"it needs the extension {needed[0]}")
        if any("uri" in buffer for buffer in document.get("buffers", [])):
            raise ValueError("its data is in another file")
        self.parts: list[tuple[F64, F64, I32, F32, F32]] = []
        self.texture: int | None = None
        self.visits = self.triangles = 0

    def mesh(self) -> GlbMesh:
        nodes = self.document.get("nodes", [])
        scene = self.document["scenes"][self.document.get("scene", 0)]
        for index in scene["nodes"]:
            self._walk(nodes, index, np.eye(4), 0)
        if not self.parts:
            raise ValueError("its scene shows no mesh")
        offsets = np.cumsum([0] + [len(part[0]) for part in self.parts])
        faces = np.concatenate([p[2] + np.int32(o) for p, o in zip(self.parts, offsets, strict=False)])
        if len(faces) > MAX_TRIANGLES:
            raise ValueError(f"it has {len(faces):,} triangles, the limit is {MAX_TRIANGLES:,}")
        vertices, normals, _, albedo, uv = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        if not np.isfinite(vertices).all() or not np.ptp(vertices, axis=0).max() > 0:
            raise ValueError("its positions are not finite numbers")
        return GlbMesh(vertices, normals, faces, albedo, uv, self._picture())

    def _walk(self, nodes: list[Any], index: int, above: F64, depth: int) -> None:
        if depth > 64:
            raise ValueError("its nodes are nested too deeply")
        self.visits += 1
        if self.visits > MAX_NODES:  # a node may be in several places: a few can make a tree without end
            raise ValueError(f"its scene has more than {MAX_NODES:,} nodes")
        node = nodes[index]
        world = above @ _transform(node)
        if "mesh" in node:
            for primitive in self.document["meshes"][node["mesh"]]["primitives"]:
                self._add(primitive, world)
        for child in node.get("children", []):
            self._walk(nodes, child, world, depth + 1)

    def _add(self, primitive: Mapping[str, Any], world: F64) -> None:
        if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
            return  # points and lines have no surface
        attributes = primitive["attributes"]
        local = self._accessor(attributes["POSITION"]).astype(np.float64)
        count = len(local)
        indices = primitive.get("indices")
        faces = np.arange(count) if indices is None else self._accessor(indices).ravel()
        if len(faces) % 3 or faces.dtype.kind not in "iu" or not 0 <= faces.min() <= faces.max() < count:
            raise ValueError("its triangles name vertices that are not there")
        self.triangles += len(faces) // 3
        if max(self.triangles, count // 3) > MAX_TRIANGLES:
            raise ValueError(f"it has more than {MAX_TRIANGLES:,} triangles: the limit")
        faces = faces.reshape(-1, 3).astype(np.int32)
        vertices = local @ world[:3, :3].T + world[:3, 3]
        if np.linalg.det(world[:3, :3]) < 0:
            faces = faces[:, ::-1]
        if "NORMAL" in attributes:
            turned = self._accessor(attributes["NORMAL"]).astype(np.float64) @ np.linalg.inv(world[:3, :3])
            normals = turned / (np.linalg.norm(turned, axis=1, keepdims=True) + 1e-12)
        else:
            normals = vertex_normals(vertices, faces)
        albedo, uv = self._material(primitive, attributes, count)
        for values in (normals, albedo, uv):  # the renderer, which is compiled, looks up what they say unchecked
            if len(values) != count or not np.isfinite(values).all():
                raise ValueError("its normals, colours or texture coordinates are not one for each vertex")
        self.parts.append((vertices, normals, faces, albedo, uv))

    def _material(
        self, primitive: Mapping[str, Any], attributes: Mapping[str, Any], count: int
    ) -> tuple[F32, npt.NDArray[np.float32]]:
        """Return albedo (N, 3) and uv (N, 2) of a primitive; uv is -1 where it has no picture."""
        materials = self.document.get("materials", [])
        material = materials[primitive["material"]] if "material" in primitive else {}
        plain = material.get("pbrMetallicRoughness", {})
        albedo = np.empty((count, 3), np.float32)
        albedo[:] = plain.get("baseColorFactor", [0.8, 0.8, 0.8, 1.0])[:3]
        if "COLOR_0" in attributes:
            albedo *= self._accessor(attributes["COLOR_0"])[:, :3].astype(np.float32)
        uv = np.full((count, 2), -1.0, np.float32)
        picture = plain.get("baseColorTexture")
        if picture is not None and "TEXCOORD_0" in attributes:
            index = int(picture["index"])
            if self.texture is None:
                self.texture = index
            if self.texture != index:
                raise ValueError("it has several textures: bake them into one")
            uv = np.mod(self._accessor(attributes["TEXCOORD_0"]).astype(np.float32), np.float32(1.0001))
        return albedo, uv

    def _picture(self) -> F32 | None:
        if self.texture is None:
            return None
        image = self.document["images"][self.document["textures"][self.texture]["source"]]
        view = self.document["bufferViews"][image["bufferView"]]
        return to_linear(
            decode(self._bytes(view, 0, view["byteLength"]), name="the texture", most_pixels=MAX_TEXTURE_PIXELS)
        )

    def _bytes(self, view: Mapping[str, Any], offset: int, size: int) -> bytes:
        start = view.get("byteOffset", 0) + offset
        if start < 0 or size < 0 or start + size > len(self.binary):
            raise ValueError("its buffers are missing or too short")
        return self.binary[start : start + size]

    def _accessor(self, index: int) -> npt.NDArray[Any]:
        """Return one array of the file, (count, components); normalised integers become shares of one."""
        accessor = self.document["accessors"][index]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise ValueError("its arrays are sparse")
        view = self.document["bufferViews"][accessor["bufferView"]]
        kind = np.dtype(_COMPONENTS[accessor["componentType"]])
        width, count = _WIDTHS[accessor["type"]], int(accessor["count"])
        row = width * kind.itemsize
        stride = int(view.get("byteStride", row))
        if count < 1 or stride < row:
            raise ValueError("one of its arrays is empty")
        data = self._bytes(view, accessor.get("byteOffset", 0), stride * (count - 1) + row)
        found: npt.NDArray[Any] = np.ndarray((count, width), kind, data, strides=(stride, kind.itemsize))
        if accessor.get("normalized") and kind.kind in "iu":
            return np.asarray(found, np.float32) / np.float32(np.iinfo(kind).max)
        return found.copy()


def _transform(node: Mapping[str, Any]) -> F64:
    """Return the local matrix (4, 4) of a node."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = (float(v) for v in node.get("rotation", [0, 0, 0, 1]))
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    local = np.eye(4)
    local[:3, :3] = turn * np.array(node.get("scale", [1, 1, 1]), np.float64)
    local[:3, 3] = node.get("translation", [0, 0, 0])
    return local

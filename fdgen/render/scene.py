"""A photograph prepared for occluders: pose, personal mesh, depth of the head, light and optics."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.analysis.face_grid import GRID_PX, head_plane
from fdgen.analysis.geometry import (
    HeadPose,
    canonical_face,
    fit_pose,
    grid_faces,
    personal_face,
    pixel_normals,
    vertex_normals,
)
from fdgen.analysis.hair import STATES, Hair, find_hair, over_frames
from fdgen.analysis.lighting import (
    LUMINANCE,
    RESIDUAL_GRID,
    FaceLight,
    estimate_light,
    outlined_skin,
    skin_mask,
    to_linear,
)
from fdgen.analysis.noise import luma, noise_levels
from fdgen.analysis.optics import Optics, estimate_optics
from fdgen.analysis.person_segmentation import find_person
from fdgen.analysis.strands import lower_face, strands
from fdgen.analysis.worn_already import WORN, detect_preexisting
from fdgen.arrays import F32, F64, I32, Image
from fdgen.render.frames_worn import frames_worn
from fdgen.render.rasteriser import DEPTH_ALONE, SUPERSAMPLE, Weights, timed_rasterise
from fdgen.runtime.jit import compiled
from fdgen.runtime.processes import one_blas_thread
from fdgen.runtime.step_times import timed_step

if TYPE_CHECKING:
    from fdgen.faces.face import Face


FAR = np.float32(-1e9)
"""Depth where there is no head."""

ANALYSIS_VERSION = "9"
"""Version of `Analysis`; a cached one of another version is computed again."""

_LOCK_CM = 1.6
"""Least width of a lock of hair that is distinguished from shade."""
_LIGHT_PX = 128
_SMOOTH_PX = 128
_LIGHT_OF_LEVELS = to_linear(np.arange(256, dtype=np.uint8))
"""Linear light of each level."""

_POSE = np.dtype(
    [
        ("scale_px", "<f8"),
        ("rotation", "<f8", (3, 3)),
        ("shift_px", "<f8", 2),
        ("residual_px", "<f8"),
        ("depth_slope", "<f8", 2),
    ]
)
_LIGHT = np.dtype(
    [
        ("harmonics", "<f4", 9),
        ("floor", "<f8"),
        ("direction", "<f4", 3),
        ("directional", "<f8"),
        ("mean_irradiance", "<f8"),
        ("tint", "<f4", 3),
        ("skin", "<f4", 3),
        ("skin_albedo", "<f8"),
        ("residual", "<f4", (RESIDUAL_GRID, RESIDUAL_GRID)),
        ("surround", "<f8"),
        ("grey", "?"),
    ]
)
_OPTICS = np.dtype(
    [
        ("blur_px", "<f8"),
        ("noise_levels", "<f8"),
        ("halo", "<f8"),
        ("grain_px", "<f8"),
        ("chroma_share", "<f8"),
        ("jpeg_quality", "<i8"),
    ]
)
_PARTS = np.dtype([("pose", _POSE), ("light", _LIGHT), ("optics", _OPTICS)])
_HAIR = np.dtype([("state", "u1"), ("matte", "u1", (GRID_PX, GRID_PX))])
_LAYOUT = np.dtype([("parts", _PARTS), ("worn", "?", len(WORN)), ("hair", _HAIR), ("skin_noise_levels", "<f8")])


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is estimated of a photograph from its pixels and landmarks: slow to find, small to keep.

    `worn` lists what `fdgen.analysis.worn_already` saw in it, `hair` what falls over the face: the decisions are kept,
    not the scores.
    `skin_noise_levels` is the noise on flat spots of the face (`fdgen.analysis.noise`), 0 where there are too few.
    """

    pose: HeadPose
    light: FaceLight
    optics: Optics
    worn: tuple[str, ...]
    hair: Hair
    skin_noise_levels: float

    def to_bytes(self) -> bytes:
        """Serialise without loss."""
        record = np.zeros((), _LAYOUT)
        for part in _PARTS.names or ():
            for name in _PARTS[part].names or ():
                record["parts"][part][name] = getattr(getattr(self, part), name)
        record["worn"] = [kind in self.worn for kind in WORN]
        record["hair"] = STATES.index(self.hair.state), self.hair.matte
        record["skin_noise_levels"] = self.skin_noise_levels
        return zlib.compress(record.tobytes(), 1)

    @classmethod
    def from_bytes(cls, data: bytes) -> Analysis:
        """Read back what `to_bytes` wrote; raise `ValueError` where the bytes are anything else."""
        try:
            (record,) = np.frombuffer(zlib.decompress(data), _LAYOUT)
        except zlib.error as error:
            raise ValueError(f"this is no packed analysis: {error}") from error

        def read(part: str) -> dict[str, Any]:
            names = _PARTS[part].names or ()
            values = {name: record["parts"][part][name] for name in names}
            return {name: value.copy() if value.ndim else value.item() for name, value in values.items()}

        pose = read("pose")
        slope = tuple(pose.pop("depth_slope").tolist())
        worn = tuple(kind for kind, is_worn in zip(WORN, record["worn"], strict=True) if is_worn)
        if (state := int(record["hair"]["state"])) >= len(STATES):
            raise ValueError(f"this is no packed analysis: its hair has the state {state}")
        return cls(
            pose=HeadPose(**pose, depth_slope=slope),
            light=FaceLight(**read("light")),
            optics=Optics(**read("optics")),
            worn=worn,
            hair=Hair(record["hair"]["matte"].copy(), STATES[state]),
            skin_noise_levels=float(record["skin_noise_levels"]),
        )


@dataclass(frozen=True)
class Scene:
    """Everything an occluder needs of a photograph.

    `mesh_cm` (468, 3) is the personal face in head cm, `depth_HW` the screen z in px of face and skull at
    `SUPERSAMPLE` times the crop's size, `FAR` outside the head. `keeps_surfaces` asks that layers keep what surface was
    drawn where.
    """

    face: Face
    mesh_cm: F64
    depth_HW: F32
    analysis: Analysis
    keeps_surfaces: bool = False

    @classmethod
    @one_blas_thread()
    def of(cls, face: Face, analysis: Analysis | None = None) -> Scene:
        """Analyse a face; `analysis` is one made before of the same face, and saves most of the time."""
        size = face.landmarks.size_px
        points = face.landmarks.points_px
        pose = fit_pose(points) if analysis is None else analysis.pose
        mesh = personal_face(points, pose)
        triangles = canonical_face().triangles
        n = size * SUPERSAMPLE
        depth = np.full((n, n), FAR, np.float32)
        if analysis is not None:
            timed_rasterise(sample_points(pose, mesh), triangles, depth, *DEPTH_ALONE)
        else:
            ids, weights = np.full((n, n), -1, np.int32), (np.zeros_like(depth), np.zeros_like(depth))
            timed_rasterise(sample_points(pose, mesh), triangles, depth, ids, weights)
            normals = pose.to_view(vertex_normals(mesh, triangles))
            analysis = _analyse(face, pose, triangles, normals, ids, weights)
        skull_cm, skull_faces = skull(mesh)
        skull_points = sample_points(pose, skull_cm)
        timed_rasterise(skull_points, facing(skull_points, skull_faces), depth, *DEPTH_ALONE)
        return cls(face, mesh, depth, analysis)

    @property
    def size_px(self) -> int:
        """Side of the crop."""
        return self.face.landmarks.size_px

    @property
    def pose(self) -> HeadPose:
        """How the head is turned."""
        return self.analysis.pose

    @property
    def light(self) -> FaceLight:
        """The light on this face."""
        return self.analysis.light

    @cached_property
    def linear_HWC(self) -> F32:
        """The photograph in linear light."""
        return to_linear(self.face.clean_HWC)

    @cached_property
    def light_residual_HW(self) -> F32:
        """`FaceLight.residual` at the size of the crop."""
        size = (self.size_px, self.size_px)
        return np.asarray(cv2.resize(self.light.residual, size, interpolation=cv2.INTER_LINEAR), np.float32)

    @cached_property
    def hair_HW(self) -> F32:
        """How far hair hides what is put on the face, 0 to 1."""
        return self.analysis.hair.at_size(self.size_px)

    @cached_property
    def locks_HW(self) -> F32:
        """`hair_HW` strand by strand, less what is no lock that falls over cloth: shade often passes for hair."""
        scale = self.pose.scale_px
        wide = self.analysis.hair.opened(self.size_px, _LOCK_CM * scale)
        lower = lower_face(self.face.landmarks.points_px, self.size_px)
        return strands(self.face.clean_HWC, self.hair_HW, wide, lower, scale)

    @cached_property
    def hair_over_frames_HW(self) -> F32:
        """How far hair hides eyewear that is put on, 0 to 1: locks at the side of the eyes go under it."""
        return over_frames(self.hair_HW, *self._head_plane_cm)

    @cached_property
    def frames_HW(self) -> F32:
        """How far frames and dark lenses that the photograph shows hide a mask that is put on, 0 to 1."""
        right, up = self._head_plane_cm
        return frames_worn(self.face.clean_HWC, self.light.skin, right, up, self.pose.scale_px)

    @cached_property
    def _head_plane_cm(self) -> tuple[F32, F32]:
        """`FaceGrid.right_cm` and `up_cm` at the size of the crop."""
        side, scale = self.size_px, GRID_PX / self.size_px
        points = (self.face.landmarks.points_px[:, :2] * scale).astype(np.float64)
        right, up = (
            np.asarray(cv2.resize(cm, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
            for cm in head_plane(points, self.pose, scale)
        )
        return right, up

    @cached_property
    def person_HW(self) -> F32:
        """The probability that a pixel shows the person, looked for at the grid's size."""
        size = (self.size_px, self.size_px)
        found = find_person(self.face.clean_HWC, GRID_PX)
        return np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_LINEAR), np.float32)

    @cached_property
    def head_coverage_HW(self) -> F32:
        """Where there is head for a shadow to fall on, 0 to 1, with a soft rim."""
        size = (self.size_px, self.size_px)
        shrunk = 2 if self.size_px % 2 == 0 else 1  # what is soft needs no more pixels
        step = shrunk * SUPERSAMPLE
        on_head = (self.depth_HW[step // 2 :: step, step // 2 :: step] > FAR / 2).astype(np.float32)
        soft = cv2.GaussianBlur(on_head, (0, 0), 1.5 * self.size_px / 256 / shrunk)
        return np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR), np.float32)

    @cached_property
    def _smooth_HWC(self) -> npt.NDArray[np.uint8]:
        """The photograph, blurred over 2 px of 256, at `_SMOOTH_PX` or its own size, where that is less."""
        size = min(_SMOOTH_PX, self.size_px)
        small = cv2.resize(self.face.clean_HWC, (size, size), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(small, (0, 0), 2.0 * size / 256), np.uint8)

    def skin_likeness(self, points_px: F32) -> F32:
        """Say how much the photograph looks like this face's skin at points (N, 2) of the crop: 0 to 1, (N,).

        Where it does not, hair or a hat may hide a strap.
        """
        smooth, skin = self._smooth_HWC, self.light.skin
        at = (points_px + np.float32(0.5)) * np.float32(len(smooth) / self.size_px) - np.float32(0.5)
        return _skin_likeness(smooth, at.astype(np.float32), _LIGHT_OF_LEVELS, skin, LUMINANCE)


@compiled
def _skin_likeness(picture: Image, points: F32, light_of: F32, skin: F32, luminance_rgb: F32) -> F32:
    """Say how much a picture looks like skin at points (N, 2): 0 to 1.

    Args:
        picture: RGB (H, W, 3).
        points: In its pixels; beyond its border it goes on as its border is.
        light_of: The light of each level (256,).
        skin: Linear RGB of the skin.
        luminance_rgb: Share of each channel in luminance.
    """
    height, width = picture.shape[0], picture.shape[1]
    out = np.empty(points.shape[0], np.float32)
    chroma = np.empty(3)
    own = skin[0] * luminance_rgb[0] + skin[1] * luminance_rgb[1] + skin[2] * luminance_rgb[2]
    for n in range(points.shape[0]):
        x = min(max(points[n, 0], 0.0), width - 1.0)
        y = min(max(points[n, 1], 0.0), height - 1.0)
        x0, y0 = min(int(x), width - 2), min(int(y), height - 2)
        fx, fy = x - x0, y - y0
        bright, mean = 0.0, 0.0
        for q in range(3):
            near = picture[y0, x0, q] * (1.0 - fx) + picture[y0, x0 + 1, q] * fx
            far = picture[y0 + 1, x0, q] * (1.0 - fx) + picture[y0 + 1, x0 + 1, q] * fx
            light = light_of[int(near * (1.0 - fy) + far * fy + 0.5)]
            bright += light * luminance_rgb[q]
            chroma[q] = np.log((light + 0.01) / (skin[q] + 0.01))
            mean += chroma[q] / 3.0
        brightness = np.log((bright + 1e-3) / (own + 1e-3)) / 0.95
        distance = brightness * brightness
        for q in range(3):
            distance += ((chroma[q] - mean) / 0.30) ** 2
        out[n] = np.exp(-0.5 * distance)
    return out


def sample_points(pose: HeadPose, points_cm: F64) -> F32:
    """Project head points to the sample grid: x and y in samples, z in px of the crop."""
    points = np.ascontiguousarray(points_cm, np.float64)
    return _on_samples(points, pose.rotation * pose.scale_px, np.asarray(pose.shift_px, np.float64), SUPERSAMPLE)


@compiled
def _on_samples(points: F64, turn: F64, shift: F64, step: int) -> F32:
    out = np.empty(points.shape, np.float32)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        out[n, 0] = (turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z + shift[0]) * step
        out[n, 1] = -(turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z + shift[1]) * step
        out[n, 2] = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z
    return out


def facing(points: F32, faces: I32) -> I32:
    """Return the faces of a closed surface that are turned to the viewer."""
    a, b, c = (points[faces[:, corner], :2] for corner in range(3))
    signed_area: F32 = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return np.ascontiguousarray(faces[signed_area < 0])


def skull(mesh_cm: F64) -> tuple[F64, I32]:
    """Return an ellipsoid behind the personal face: the head that temples and ear loops disappear behind."""
    half_width = 0.5 * (mesh_cm[454, 0] - mesh_cm[234, 0])
    centre_x = 0.5 * (mesh_cm[454, 0] + mesh_cm[234, 0])
    top, chin = mesh_cm[10, 1], mesh_cm[152, 1]
    sin_polar, sin_around, height, depth = _ellipsoid()
    vertices = np.column_stack(
        [
            (centre_x + 0.985 * half_width * sin_polar * sin_around).ravel(),
            (0.5 * (top + chin) + 2.2 + (0.5 * (top - chin) + 1.6) * height).ravel(),
            depth.ravel(),
        ]
    )
    return vertices, grid_faces(17, 25)


@cache
def _ellipsoid() -> tuple[F64, F64, F64, F64]:
    """Return what no face changes in the skull (17, 25): sines of both angles, height, depth in cm."""
    polar, around = np.mgrid[0 : np.pi : 17j, 0 : 2 * np.pi : 25j]
    return np.sin(polar), np.sin(around), np.cos(polar), -3.2 + 7.3 * np.sin(polar) * np.cos(around)


@timed_step("analyse photograph")
def _analyse(face: Face, pose: HeadPose, triangles: I32, normals: F64, ids_HW: I32, weights: Weights) -> Analysis:
    """Estimate light and optics from the pixels under the face mesh; `normals` are its vertices', in view.

    `ids_HW` and `weights` are those of its samples.
    Light is smooth, so it is read off a picture of about `_LIGHT_PX`; edges and noise are read off the full one.
    """
    ids_HW = ids_HW[::SUPERSAMPLE, ::SUPERSAMPLE]
    skin = skin_mask(face.landmarks.points_px, ids_HW >= 0)
    step = max(1, face.landmarks.size_px // _LIGHT_PX)
    seen = (slice(None, None, step), slice(None, None, step))
    first, second = (weight[::SUPERSAMPLE, ::SUPERSAMPLE][seen] for weight in weights)
    pixel = pixel_normals(ids_HW[seen], first, second, triangles, normals.astype(np.float32))
    height, width = pixel.shape[:2]
    small = np.asarray(cv2.resize(face.clean_HWC, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    outlined = outlined_skin(face.landmarks.points_px, face.landmarks.size_px)
    light = estimate_light(small, pixel, skin[seen])
    return Analysis(
        pose=pose,
        light=light,
        optics=estimate_optics(face.clean_HWC, skin, face.landmarks.frame),
        worn=detect_preexisting(face.clean_HWC),
        hair=find_hair(face.clean_HWC, face.landmarks.points_px, pose),
        skin_noise_levels=noise_levels(luma(face.clean_HWC), outlined) or 0.0,
    )

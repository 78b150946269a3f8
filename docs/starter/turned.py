"""Turned copies of portraits: studios show faces from the front, everybody else from all sides.

    landmarks, 3D -> the mesh turns -> smooth warp that takes its visible vertices along -> copy

As in face profiling (Zhu et al., Face alignment across large poses, 2016), with a smooth warp of the whole picture in
place of a fitted model: hair and shoulders follow a little. Good up to about 30 degrees: what a portrait does not show,
the side of a head, is stretched there.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator

from docs.starter.photographs import IDENTITIES
from fdgen.analysis.geometry import N_FACE, canonical_face, rotation_matrix, vertex_normals
from fdgen.arrays import F64, Image
from fdgen.contract.face_points import OVAL
from fdgen.contract.frame import to_picture, zoom_of
from fdgen.errors import PictureError
from fdgen.faces.detection import find_landmarks
from fdtrain.data.pictures import decode_rgb, encode_png
from fdtrain.run_files import write_bytes

SIDES = ((-30.0, -8.0), (8.0, 30.0))
"""A copy each: between which yaws, in degrees, its face looks."""

MOST_TURN, MOST_NOD = 25.0, 8.0
"""By how many degrees a face is turned and tilted at most."""

_PROBE_PX, _MOST_OUTSIDE = 256, 0.5
_DEPTH = 1.15  # FaceMesh's faces are flatter than faces
_AXIS = 0.25  # of the neck, behind the mesh, in widths of the face
_FOLLOWS = 0.6  # of the way that the face would move sideways, which is taken back: the picture's frame stays
_FACING = 0.12  # cosine: vertices that look away more than this are hidden, and hold nothing
_GRID = 32  # nodes a side, at which the warp is computed
_BORDER, _N_BORDER = 0.05, 9  # points that stay where they are, around the picture


def add_turned(folder: Path) -> int:
    """Put turned copies of each photograph beside it, and into the list of who is on them; return how many.

    Copies that are there already stay. A photograph whose face is not found has none.
    """
    with (folder / IDENTITIES).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = ["path,person", *(f"{row['path']},{row['person']}" for row in rows)]
    for row in rows:
        path = Path(row["path"])
        names = [f"{path.parent}-turned/{path.stem}-{letter}.png" for letter in "ab"]
        if not all((folder / name).is_file() for name in names):
            (folder / names[0]).parent.mkdir(parents=True, exist_ok=True)
            for name, copy_HWC in zip(names, _copies(folder / path, row["path"]), strict=False):
                write_bytes(folder / name, encode_png(copy_HWC))
        lines += [f"{name},{row['person']}" for name in names if (folder / name).is_file()]
    (folder / IDENTITIES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - 1 - len(rows)


def turned(picture_HWC: Image, points_K3: F64, yaw_deg: float, pitch_deg: float) -> Image:
    """Return a picture whose face is turned: by a yaw to the picture's right, and by a pitch down.

    `points_K3` are the vertices of the mesh (468, 3) in px of the picture, x right, y down, z away from the viewer.
    """
    before_K3 = points_K3 * (1, 1, _DEPTH)
    middle_3 = before_K3.mean(0)
    middle_3[2] = before_K3[:, 2].max() + _AXIS * np.ptp(before_K3[:, 0])
    about_y, about_x = (rotation_matrix(np.radians(turn)) for turn in ((0, -yaw_deg, 0), (pitch_deg, 0, 0)))
    after_K3 = (before_K3 - middle_3) @ (about_y @ about_x).T + middle_3
    after_K3[:, :2] += _FOLLOWS * (before_K3.mean(0) - after_K3.mean(0))[:2]
    seen = _seen(after_K3)
    height, width = picture_HWC.shape[:2]
    fixed_N2 = _border(width, height)
    from_N2, to_N2 = (np.vstack([points[seen, :2], fixed_N2]) for points in (before_K3, after_K3))
    way = RBFInterpolator(to_N2, from_N2 - to_N2, kernel="thin_plate_spline", smoothing=1.0)
    nodes = np.meshgrid(*((np.arange(_GRID) + 0.5) * side / _GRID for side in (width, height)))
    coarse_HW2 = way(np.stack([node.ravel() for node in nodes], 1)).reshape(_GRID, _GRID, 2)
    way_HW2 = cv2.resize(coarse_HW2.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    y_HW, x_HW = np.mgrid[:height, :width].astype(np.float32)
    warped = cv2.remap(
        picture_HWC,
        x_HW + way_HW2[..., 0],
        y_HW + way_HW2[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped, np.uint8)


def yaw_of(points_K3: F64) -> float:
    """Return how far a face looks to the picture's right, in degrees, by the rotation that fits its mesh best.

    Depth counts as much as the rest, unlike in `fit_pose`, which differs by some degrees: the copies that `starter` has
    learnt from were turned by this.
    """
    canonical, points = (one - one.mean(0) for one in (canonical_face().vertices_cm * (1, -1, -1), points_K3))
    u, _, vt = np.linalg.svd(canonical.T @ points)
    flip = np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
    forward = vt.T @ flip @ u.T @ (0, 0, -1)
    return float(np.degrees(np.arctan2(forward[0], -forward[2])))


def _copies(path: Path, name: str) -> list[Image]:
    """Return the copies of a photograph; its name decides by how much each is turned."""
    picture_HWC = decode_rgb(path.read_bytes(), path.name)
    try:
        points_K3 = _points(picture_HWC, path.name)
    except PictureError:
        return []
    rng = np.random.default_rng(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16))
    looks_deg = yaw_of(points_K3)
    copies = []
    for side in SIDES:
        turn_deg = float(np.clip(rng.uniform(*side) - looks_deg, -MOST_TURN, MOST_TURN))
        copies.append(turned(picture_HWC, points_K3, turn_deg, rng.uniform(-MOST_NOD, MOST_NOD)))
    return copies


def _points(picture_HWC: Image, name: str) -> F64:
    landmarks = find_landmarks(picture_HWC, _PROBE_PX, name=name, max_outside=_MOST_OUTSIDE)
    points_K3 = landmarks.points_px[:N_FACE].astype(np.float64)
    depth_K = points_K3[:, 2] / zoom_of(landmarks.frame)
    return np.column_stack([to_picture(landmarks.frame, points_K3[:, :2]), depth_K])


def _seen(points_K3: F64) -> list[int]:
    """Return every fourth vertex and those of the outline, of those that face the viewer."""
    towards_K = -vertex_normals(points_K3, canonical_face().triangles)[:, 2]
    return [vertex for vertex in np.unique([*range(0, N_FACE, 4), *OVAL]) if towards_K[vertex] > _FACING]


def _border(width: int, height: int) -> npt.NDArray[np.float64]:
    along = np.linspace(-_BORDER, 1 + _BORDER, _N_BORDER)
    places = [(x, y) for x in along for y in along if min(x, y) < 0 or max(x, y) > 1]
    return np.array(places) * (width, height)

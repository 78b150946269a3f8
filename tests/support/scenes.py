"""A synthetic face for tests that need no detector: the canonical face, posed as asked, over a flat picture."""

from __future__ import annotations

import hashlib

import numpy as np

from fdgen.analysis.geometry import N_FACE, canonical_face, rotation_matrix
from fdgen.faces.detection import Landmarks
from fdgen.faces.face import Face
from fdgen.faces.folders import Source
from fdgen.render.scene import Scene

SIZE_PX = 256
SKIN = (182, 140, 118)
GROUND = (70, 80, 96)


def landmarks(
    *,
    yaw_deg: float = 0.0,
    pitch_deg: float = 0.0,
    roll_deg: float = 0.0,
    scale_px: float = 9.4,
    shift_px: tuple[float, float] = (128.0, 142.0),
    size_px: int = SIZE_PX,
) -> Landmarks:
    """Project the canonical face with a known pose; angles as `HeadPose` means them."""
    turn = (
        rotation_matrix([0.0, np.radians(yaw_deg), 0.0])
        @ rotation_matrix([np.radians(-pitch_deg), 0.0, 0.0])
        @ rotation_matrix([0.0, 0.0, np.radians(-roll_deg)])
    )
    turned = scale_px * canonical_face().vertices_cm @ turn.T
    points = np.zeros((478, 3), np.float32)
    points[:N_FACE] = turned * (1.0, -1.0, -1.0)
    irises = points[[159, 158, 160, 145, 144, 386, 385, 387, 374, 380]]
    points[N_FACE:] = irises
    points[:, :2] += shift_px
    return Landmarks(np.round(points * 16) / np.float32(16), np.eye(2, 3), size_px)


def face(*, skin: tuple[int, int, int] = SKIN, **pose: float) -> Face:
    """Make a face of flat skin colour on a darker ground, with a little noise so that nothing divides by zero."""
    marks = landmarks(**pose)  # type: ignore[arg-type]
    size = marks.size_px
    rng = np.random.default_rng(3)
    picture = np.full((size, size, 3), GROUND, np.float64)
    rows, columns = np.mgrid[:size, :size]
    centre = marks.points_px[:N_FACE, :2].mean(0)
    reach = marks.points_px[:N_FACE, :2].max(0) - marks.points_px[:N_FACE, :2].min(0)
    inside = ((columns - centre[0]) / (0.58 * reach[0])) ** 2 + ((rows - centre[1]) / (0.62 * reach[1])) ** 2 < 1
    picture[inside] = skin
    picture += rng.normal(0, 1.5, picture.shape)
    clean = np.clip(picture, 0, 255).astype(np.uint8)
    # With CelebA's attributes, none of them: what a classifier of faces makes of this picture means nothing.
    return Face(Source("synthetic.png", hashlib.sha256(clean.tobytes()).hexdigest(), attributes=()), clean, marks)


def scene(**options: float) -> Scene:
    """Analyse such a face."""
    return Scene.of(face(**options))  # type: ignore[arg-type]

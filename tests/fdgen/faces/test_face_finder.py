"""All faces of a photograph: found where they are, also lying ones, in a process of its own (see `detector.py`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fdgen.contract.frame import EYES_PX
from fdgen.faces.face_finder import FoundFace, _same, _starts, _turned_back, _views
from fdgen.faces.folders import SampleFaces

ASK = """
import json, sys
import numpy as np
from fdgen.faces.face_finder import find_faces
pictures = np.load(sys.argv[1])
found = {name: [[*face.left_eye_xy, *face.right_eye_xy, face.score] for face in find_faces(pictures[name])]
         for name in pictures.files}
print(json.dumps(found))
"""


def found_in(pictures: dict[str, np.ndarray], folder: Path) -> tuple[dict[str, np.ndarray], str]:
    """Find the faces of pictures in a new process; return them, and what it wrote to standard error."""
    np.savez(folder / "pictures.npz", **pictures)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", ASK, str(folder / "pictures.npz")],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name: np.array(faces).reshape(-1, 5) for name, faces in json.loads(done.stdout).items()}, done.stderr


@pytest.mark.slow
def test_two_faces_of_different_size_none_and_one_that_lies(tmp_path: Path) -> None:
    faces = SampleFaces()
    portraits = [faces.read(source) for source in faces.sources()[:2]]
    page = np.full((700, 1000, 3), 110, np.uint8)
    alone = cv2.copyMakeBorder(portraits[0], 20, 20, 20, 20, cv2.BORDER_REPLICATE)
    places = []
    for portrait, wide, left, top in ((portraits[0], 300, 60, 100), (portraits[1], 110, 700, 300)):
        high = round(portrait.shape[0] * wide / portrait.shape[1])
        page[top : top + high, left : left + wide] = cv2.resize(portrait, (wide, high), interpolation=cv2.INTER_AREA)
        places.append((left, top, left + wide, top + high))
    noise = np.random.default_rng(0).integers(0, 256, (400, 500, 3), dtype=np.uint8)
    pictures = {
        "page": page,
        "again": page,
        "noise": noise,
        "tiny": np.zeros((8, 8, 3), np.uint8),
        "line": np.zeros((9, 900, 3), np.uint8),
        "upright": alone,
        "lying": np.ascontiguousarray(np.rot90(alone)),
    }
    found, said = found_in(pictures, tmp_path)
    assert said == ""  # mediapipe's notices are kept from the user
    assert [len(found[name]) for name in ("page", "noise", "tiny", "line", "upright")] == [2, 0, 0, 0, 1]
    np.testing.assert_array_equal(found["page"], found["again"])
    for face, (left, top, right, bottom) in zip(found["page"], places, strict=True):  # the largest first
        assert (face[[0, 2]] > left).all()
        assert (face[[0, 2]] < right).all()
        assert (face[[1, 3]] > top).all()
        assert (face[[1, 3]] < bottom).all()
        assert face[0] < face[2]
        assert 0.5 <= face[4] <= 1
    # rot90 turns anticlockwise: what is at (x, y) comes to (y, width - x).
    x, y = found["upright"][0][[0, 2]], found["upright"][0][[1, 3]]
    lying = min(found["lying"], key=lambda face: abs(face[0] - y[0]))
    apart = np.hypot(x[1] - x[0], y[1] - y[0])
    np.testing.assert_allclose(lying[[0, 2]], y, atol=0.1 * apart)
    np.testing.assert_allclose(lying[[1, 3]], alone.shape[1] - x, atol=0.1 * apart)


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (240, 240), (500, 3000), (9, 900), (1, 1), (3000, 4000)])
def test_views_cover_the_photograph_and_overlap(height: int, width: int) -> None:
    photo = np.zeros((height, width, 3), np.uint8)
    views = list(_views(photo, 5))
    assert max(max(view.picture_HWC.shape[:2]) for view in views) <= 240 * 1.5 + 1
    for level in {view.level for view in views}:
        parts = [view for view in views if view.level == level]
        assert min(view.start[0] for view in parts) <= 0
        assert max(view.start[0] + view.span[0] for view in parts) >= width - 1e-6
        assert max(view.start[1] + view.span[1] for view in parts) >= height - 1e-6
    assert len(views) < 1000


def test_tiles_overlap_by_half() -> None:
    assert _starts(500, 240) == [0, 120, 240, 260]
    assert _starts(200, 240) == [0]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_back(turns: int) -> None:
    picture = np.zeros((30, 50, 3), np.uint8)
    picture[10, 40] = 255
    turned = np.ascontiguousarray(np.rot90(picture, turns))
    row, column = np.argwhere(turned[..., 0])[0]
    face = FoundFace((column + 0.5, row + 0.5), (column + 0.5, row + 0.5), 1.0)
    assert _turned_back(face, turns, turned).left_eye_xy == (40.5, 10.5)


def test_looks_at_one_face_are_one() -> None:
    (left, right), shift = EYES_PX, 3.0
    one = FoundFace(left, right, 0.7)
    near = FoundFace((left[0] + shift, left[1]), (right[0] + shift, right[1]), 0.9)
    far = FoundFace((left[0] + 100, left[1]), (right[0] + 100, right[1]), 0.8)
    assert _same([one, near, far]) == [[near, one], [far]]

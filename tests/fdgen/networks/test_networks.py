"""The networks: as published, cut without a change of a weight, and answering as mediapipe does."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from fdgen.analysis.person_segmentation import find_person
from fdgen.arrays import F32, Image
from fdgen.errors import FdError
from fdgen.faces.folders import SampleFaces
from fdgen.networks import DETECTORS, engine
from fdgen.networks.engine import MODELS, Network, as_floats, changed_networks, network_digests
from fdgen.networks.face_detector import FaceDetector, _anchors, _merged
from fdgen.networks.face_mesh import FaceMesh
from fdgen.networks.face_networks import networks_of, networks_version, open_networks
from fdgen.networks.warp import Square, cut_square
from tests.support.paths import ROOT

with_mediapipe = pytest.mark.skipif(importlib.util.find_spec("mediapipe") is None, reason="mediapipe is not installed")


def portraits() -> list[Image]:
    samples = SampleFaces()
    return [samples.read(source) for source in samples.sources()]


def test_the_files_are_those_of_the_index() -> None:
    index = json.loads((MODELS / "index.json").read_text(encoding="utf-8"))
    assert changed_networks() == []
    assert network_digests().keys() == index["networks"].keys()
    assert index["release"] == "mediapipe 0.10.21"


@with_mediapipe
def test_they_are_cut_from_mediapipe_byte_for_byte(tmp_path: Path) -> None:
    """By the script that made them; its weights are mediapipe's, as its digests are."""
    spec = importlib.util.find_spec("mediapipe")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    index = json.loads((MODELS / "index.json").read_text(encoding="utf-8"))
    for facts in index["networks"].values():
        content = (folder / "modules" / facts["of"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == facts["of_sha256"]
    script = f"""
        import runpy
        from pathlib import Path
        import fdgen.networks.engine as engine
        cut = runpy.run_path({str(ROOT / "docs" / "make_networks.py")!r})
        whole = Path({str(folder / "modules")!r}) / cut["MESH"]
        files, joined = cut["cut_mesh"](whole.read_bytes())
        for name, content in files.items():
            assert (engine.MODELS / name).read_bytes() == content, name
        import json
        assert json.loads((engine.MODELS / "refinements.json").read_text()) == joined
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, cwd=ROOT)


def test_the_same_picture_gives_the_same_points_whatever_came_before() -> None:
    first, *others = portraits()
    mesh = FaceMesh()
    once = mesh.find(first, 0.5, 4)
    for other in others:
        mesh.find(other, 0.5, 4)
    again, anew = mesh.find(first, 0.5, 4), FaceMesh().find(first, 0.5, 4)
    assert len(once) == 1
    assert once[0].tobytes() == again[0].tobytes() == anew[0].tobytes()


def test_landmarks_move_with_the_picture() -> None:
    picture = portraits()[0]
    points = FaceMesh().find(picture, 0.5, 1)[0]
    mirrored = FaceMesh().find(np.ascontiguousarray(picture[:, ::-1]), 0.5, 1)[0]
    tip = 1  # of the nose
    assert np.hypot(picture.shape[1] - mirrored[tip, 0] - points[tip, 0], mirrored[tip, 1] - points[tip, 1]) < 4
    large = cv2.resize(picture, None, fx=1.5, fy=1.5)
    assert np.abs(FaceMesh().find(np.asarray(large), 0.5, 1)[0][:, :2] / 1.5 - points[:, :2]).mean() < 1


@pytest.mark.parametrize("reach", ["short", "full"])
def test_a_face_is_found_where_it_is(reach: str) -> None:
    picture = portraits()[0]
    points = FaceMesh().find(picture, 0.5, 1)[0]
    (face,) = FaceDetector(reach).find(picture, 0.5)  # type: ignore[arg-type]
    eyes = points[[468, 473], :2]
    assert np.linalg.norm(face.points[:2] - eyes, axis=1).max() < 0.15 * np.linalg.norm(eyes[1] - eyes[0])
    low, high = face.box
    assert (low < eyes.min(axis=0)).all()
    assert (high > eyes.max(axis=0)).all()
    assert 0.5 < face.score <= 1


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 700, 3), (700, 3, 3), (256, 256, 3), (2000, 3000, 3)])
def test_pictures_without_a_face_have_none(shape: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for picture in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise):
        assert FaceMesh().find(picture, 0.5, 4) == []
        assert FaceDetector("full").find(picture, 0.5) == []


def test_every_anchor_lies_in_a_cell_of_its_layer() -> None:
    short, full = _anchors("short"), _anchors("full")
    assert short.shape == (16 * 16 * 2 + 8 * 8 * 6, 2)
    assert full.shape == (48 * 48, 2)
    assert short[0].tolist() == short[1].tolist() == [0.5 / 16, 0.5 / 16]
    assert short[512].tolist() == [0.5 / 8, 0.5 / 8]
    assert full[1].tolist() == pytest.approx([1.5 / 48, 0.5 / 48])


def test_boxes_that_overlap_are_averaged_by_their_scores() -> None:
    place = np.zeros((3, 8, 2), np.float32)
    place[0, :2] = [[0, 0], [1, 1]]
    place[1, :2] = [[0.2, 0], [1.2, 1]]
    place[2, :2] = [[5, 5], [6, 6]]
    (first, joined), (second, alone) = _merged(np.array([0.6, 0.9, 0.7], np.float32), place)
    assert (first, second) == (np.float32(0.9), np.float32(0.7))
    assert joined[0, 0] == pytest.approx(0.2 * 0.9 / 1.5)
    assert alone.tolist() == place[2].tolist()


def test_a_box_without_area_ends_the_merging() -> None:
    assert len(_merged(np.array([0.9, 0.8], np.float32), np.zeros((2, 8, 2), np.float32))) == 2


def test_a_square_is_cut_out_upright() -> None:
    rows, columns = np.mgrid[:64, :64]
    picture = np.stack([3 * rows, 2 * columns, rows + columns], axis=2).astype(np.uint8)
    whole = Square(np.float32(32), np.float32(32), np.float32(64), np.float32(0))
    assert (cut_square(picture, whole, 64, cv2.BORDER_REPLICATE) == picture).all()
    quarter = Square(np.float32(32), np.float32(32), np.float32(64), np.float32(np.pi / 2))
    turned = cut_square(picture, quarter, 64, cv2.BORDER_REPLICATE).astype(int)
    # Corners lie in the middles of pixels, so a turn is one row or column off.
    assert np.abs(turned - np.rot90(picture)).max() <= 3


def test_levels_become_floats() -> None:
    levels = np.array([[[0, 128, 255]]], np.uint8)
    assert as_floats(levels, 0, 1)[0, 0].tolist() == pytest.approx([0, 128 / 255, 1], abs=1e-6)
    assert as_floats(levels, -1, 1)[0, 0].tolist() == pytest.approx([-1, 2 * 128 / 255 - 1, 1], abs=1e-6)


def test_a_missing_engine_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(FdError, match="the engine of the landmark networks cannot be loaded") as raised:
        Network("lips.tflite")
    assert raised.value.hint == "pip install ai-edge-litert"


def test_missing_mediapipe_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(FdError, match="mediapipe's detector cannot be loaded") as raised:
        open_networks("mediapipe")
    assert "fd-stackgan[mediapipe]" in (raised.value.hint or "")


def test_each_detector_has_its_version_and_its_networks() -> None:
    assert len({networks_version(name) for name in DETECTORS}) == len(DETECTORS)
    assert networks_of("builtin") == network_digests()


AGREEMENT = """
import numpy as np
from fdgen.faces.folders import SampleFaces
from fdgen.networks.face_networks import open_networks
samples = SampleFaces()
own, theirs = open_networks("builtin"), open_networks("mediapipe")
for source in samples.sources():
    picture = samples.read(source)
    for reach in ("short", "full"):
        mine, other = own.faces(picture, reach, 0.5), theirs.faces(picture, reach, 0.5)
        assert len(mine) == len(other) == 1, (source.path, reach)
        assert abs(mine[0].score - other[0].score) < 1e-3
        # Where an anchor more or less is counted among those of a face, its average moves by a part of it.
        assert np.abs(mine[0].points - other[0].points).max() < 0.02 * other[0].width_px
        assert np.abs(mine[0].box - other[0].box).max() < 0.02 * other[0].width_px
    (mine,), (other,) = own.meshes(picture, 0.5, 4), theirs.meshes(picture, 0.5, 4)
    assert np.abs(mine - other).max() < 0.05, source.path
    assert np.abs(mine - other).mean() < 0.005, source.path
"""


@with_mediapipe
def test_our_runner_agrees_with_mediapipe() -> None:
    """In a process of its own: one that has used mediapipe may never fork. Pictures are about 380 px wide."""
    subprocess.run([sys.executable, "-c", AGREEMENT], check=True, cwd=ROOT)


def test_threads_share_a_network() -> None:
    """A build on an executor of threads looks for the person in several crops at once."""
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(16)]
    alone = [find_person(crop, 32) for crop in crops]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda crop: find_person(crop, 32), crops))
    assert all((one == other).all() for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("content", [None, b"", b"TFL3", b"\x1c\x00\x00\x00TFL3" + bytes(4000)])
def test_a_missing_or_damaged_network_is_one_sentence(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MODELS", tmp_path)
    if content is not None:
        (tmp_path / "lips.tflite").write_bytes(content)
    with pytest.raises(FdError, match=r"the network lips\.tflite cannot be read") as raised:
        Network("lips.tflite")
    assert raised.value.hint == "run `pip install --force-reinstall fd-stackgan`"
    with pytest.raises(FdError, match=r"index\.json of the landmark networks cannot be read"):
        changed_networks()


def test_an_unlikely_face_overflows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = FaceMesh()
    shown, real = portraits()[0], mesh._mesh

    def sure_of_none(square_HWC: F32) -> list[F32]:
        outputs = real(square_HWC)
        return [np.full_like(output, -1000) if output.size == 1 else output for output in outputs]

    monkeypatch.setattr(mesh, "_mesh", sure_of_none)
    assert mesh.find(shown, 0.5, 1) == []

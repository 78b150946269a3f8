"""Landmarks: found in any photograph, the same however they are computed, moving with the picture.

Detection runs in spawned processes throughout: a process that has used the detector may never fork, and other tests do.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from fdgen.contract.frame import aligned_frame, outside_share, to_crop, to_picture
from fdgen.contract.records import Reject
from fdgen.errors import FdError
from fdgen.faces.detection import FaceCache, KeptWorkers, Landmarks, detect, detector_version, load_face, recall
from fdgen.faces.folders import SAMPLES, FaceSource, FolderFaces, SampleFaces, Source, open_faces
from fdgen.faces.landmarks import eye_centres
from fdgen.faces.supervised_pool import SupervisedPool
from fdgen.io.pictures.images import decode, resize
from fdgen.io.pictures.png import encode_png
from tests.support.paths import ROOT

Array = np.ndarray[Any, Any]
SIZE = 256
_OUR_CODE = {**os.environ, "PYTHONPATH": str(ROOT)}
REAL_FACES = os.environ.get("FDGEN_TEST_FACES")


def _portrait(name: str = "eileen_collins.jpg") -> Array:
    return decode((SAMPLES / name).read_bytes(), name=name)


def _backdrop(width: int, height: int) -> Array:
    """A quiet wall: nothing on it looks like a face."""
    yy, xx = np.mgrid[:height, :width]
    wall = np.stack([90 + xx * 60 // width, 100 + yy * 50 // height, 120 + (xx + yy) * 40 // (width + height)], axis=-1)
    return wall.astype(np.uint8)


def _on(wall_HWC: Array, portrait_HWC: Array, left: int, top: int, zoom: float = 1.0) -> Array:
    height, width = portrait_HWC.shape[:2]
    small = resize(portrait_HWC, round(width * zoom), round(height * zoom))
    wall_HWC[top : top + small.shape[0], left : left + small.shape[1]] = small
    return wall_HWC


def _turned(picture_HWC: Array, turn_deg: float) -> Array:
    height, width = picture_HWC.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn_deg, 1)
    return cv2.warpAffine(picture_HWC, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _jpeg(picture_HWC: Array, **options: Any) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture_HWC).save(buffer, "JPEG", quality=95, subsampling=0, **options)
    return buffer.getvalue()


def _pictures() -> dict[str, bytes]:
    collins, obama = _portrait(), _portrait("barack_obama.jpg")
    photo = _on(_backdrop(900, 800), collins, 250, 200)
    sideways = PIL.Image.Exif()
    sideways[0x0112] = 6  # shown turned clockwise
    small = resize(_portrait("joe_biden.jpg"), 178, 218)
    lower_left = _on(_backdrop(400, 400), resize(collins, 178, 218), 100, 80)[100:318, 88:266]
    return {
        "aligned-full.png": encode_png(resize(collins, 178, 218)),
        "aligned-half.png": encode_png(resize(collins, 89, 109)),
        "aligned-size-but-shifted.png": encode_png(np.ascontiguousarray(lower_left)),
        "photo.png": encode_png(photo),
        "photo-moved.png": encode_png(_on(_backdrop(900, 800), collins, 293, 267)),
        "photo-enlarged.png": encode_png(resize(photo, 1530, 1360)),
        "photo-shrunk.png": encode_png(resize(photo, 540, 480)),
        "photo-turned.png": encode_png(_turned(photo, 20)),
        "photo-on-its-side.jpg": _jpeg(np.rot90(photo), exif=sideways),
        "photo-upright.jpg": _jpeg(photo),
        "photo-grey.png": encode_png(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)),
        "far-away.jpg": _jpeg(_on(_backdrop(3200, 2400), obama, 2500, 300, 0.5)),
        "two-people.png": encode_png(_on(_on(_backdrop(1200, 800), obama, 60, 100, 0.55), collins, 700, 200)),
        "a-corner-of-it.png": encode_png(np.ascontiguousarray(photo[200:560, 392:760])),
        "cut-tightly.png": encode_png(np.ascontiguousarray(photo[290:590, 300:570])),
        "tiny.png": encode_png(_on(_backdrop(640, 480), small, 300, 200, 0.14)),
        "wall.png": encode_png(_backdrop(500, 500)),
        "wall-of-celebas-size.png": encode_png(_backdrop(178, 218)),
        "one-pixel.png": encode_png(np.zeros((1, 1, 3), np.uint8)),
        "truncated.jpg": _jpeg(photo)[:9000],
    }


@dataclass(frozen=True)
class _Detected:
    faces: FaceSource
    by_name: dict[str, Landmarks | Reject]
    sources: dict[str, Source]

    def __getitem__(self, name: str) -> Landmarks:
        found = self.by_name[name]
        assert isinstance(found, Landmarks), found
        return found

    def crop(self, name: str) -> Array:
        return load_face(self.faces, self.sources[name], self[name]).clean_HWC

    def reason(self, name: str) -> str:
        found = self.by_name[name]
        assert isinstance(found, Reject)
        assert (found.source, found.source_sha256) == (name, self.sources[name].sha256)
        assert name in found.detail
        return found.reason


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photographs")
    for name, data in _pictures().items():
        (root / name).write_bytes(data)
    return root


@pytest.fixture(scope="module")
def detected(folder: Path) -> _Detected:
    faces = FolderFaces(folder)
    sources = faces.sources()
    found = detect(faces, sources, size_px=SIZE, cache=None, workers=1)
    return _Detected(faces, {one.path: found[one.sha256] for one in sources}, {one.path: one for one in sources})


def _apart(a: Landmarks, b: Landmarks) -> float:
    """Mean distance of the points of two landmarks, in px at 256."""
    return float(np.linalg.norm((a.points_px - b.points_px)[:, :2], axis=1).mean() * 256 / a.size_px)


# --- what is found


def test_a_picture_of_celebas_size_is_taken_as_it_lies(detected: _Detected) -> None:
    for name, size in (("aligned-full.png", (178, 218)), ("aligned-half.png", (89, 109))):
        landmarks = detected[name]
        assert np.array_equal(landmarks.frame, aligned_frame(*size, SIZE))
        picture = detected.faces.read(detected.sources[name])
        top = 20 * size[0] // 178
        assert np.array_equal(detected.crop(name), resize(picture[top : top + size[0]], SIZE, SIZE))
    assert _apart(detected["aligned-full.png"], detected["aligned-half.png"]) < 2


def test_a_picture_of_celebas_size_with_the_face_elsewhere_is_aligned(detected: _Detected) -> None:
    assert not np.array_equal(detected["aligned-size-but-shifted.png"].frame, aligned_frame(178, 218, SIZE))


def test_landmarks_have_the_promised_shape(detected: _Detected) -> None:
    landmarks = detected["photo.png"]
    assert landmarks.points_px.shape == (478, 3)
    assert landmarks.points_px.dtype == np.float32
    assert np.array_equal(landmarks.points_px * 16, np.round(landmarks.points_px * 16))
    assert (landmarks.frame.shape, landmarks.size_px) == ((2, 3), SIZE)
    assert landmarks.points_px[1, 2] < landmarks.points_px[[234, 454], 2].min()  # the nose is nearer than the ears
    assert eye_centres(landmarks.points_px)[0, 0] < eye_centres(landmarks.points_px)[1, 0]


def test_every_found_face_has_its_eyes_where_celeba_has_them(detected: _Detected) -> None:
    found = [name for name, one in detected.by_name.items() if isinstance(one, Landmarks)]
    assert len(found) >= 13
    for name in found:
        off_px = eye_centres(detected[name].points_px) * 178 / SIZE - [[69.5, 91.5], [108.5, 91.5]]
        limit = 6 if name.startswith("aligned-") else 1.1
        assert np.linalg.norm(off_px, axis=1).max() < limit, name


@pytest.mark.parametrize(
    "name", ["photo-moved.png", "photo-enlarged.png", "photo-shrunk.png", "photo-turned.png", "photo-on-its-side.jpg"]
)
def test_landmarks_and_crop_move_with_the_picture(detected: _Detected, name: str) -> None:
    assert _apart(detected[name], detected["photo.png"]) < 1.6
    difference = np.abs(detected.crop(name).astype(int) - detected.crop("photo.png"))
    assert difference[48:208, 48:208].mean() < 9


def test_a_picture_turned_by_its_exif_data_is_the_upright_one(detected: _Detected) -> None:
    assert _apart(detected["photo-on-its-side.jpg"], detected["photo-upright.jpg"]) < 0.8


def test_grey_is_good_enough(detected: _Detected) -> None:
    assert _apart(detected["photo-grey.png"], detected["photo.png"]) < 3


def test_a_small_face_in_a_large_photograph_is_found(detected: _Detected) -> None:
    eyes_px = to_picture(detected["far-away.jpg"].frame, eye_centres(detected["far-away.jpg"].points_px))
    assert np.abs(eyes_px - [[2500 + 69.5, 300 + 111.5], [2500 + 108.5, 300 + 111.5]]).max() < 4


def test_of_several_faces_the_largest_is_taken(detected: _Detected) -> None:
    middle_px = to_picture(detected["two-people.png"].frame, np.array([[128.0, 128.0]]))[0]
    assert 700 < middle_px[0] < 1056


def test_what_shows_no_usable_face_is_rejected_by_reason(detected: _Detected) -> None:
    assert detected.reason("wall.png") == "no-face"
    assert detected.reason("wall-of-celebas-size.png") == "no-face"
    assert detected.reason("one-pixel.png") == "no-face"
    assert detected.reason("a-corner-of-it.png") == "out-of-picture"
    assert detected.reason("tiny.png") in ("too-small", "no-face")
    assert detected.reason("truncated.jpg") == "corrupt"


def test_frame_and_points_agree_about_the_picture(detected: _Detected) -> None:
    moved = to_picture(detected["photo-moved.png"].frame, detected["photo-moved.png"].points_px[:, :2])
    there = to_picture(detected["photo.png"].frame, detected["photo.png"].points_px[:, :2])
    assert np.linalg.norm(moved - there - (43, 67), axis=1).mean() < 1.5


# --- the same, however it is computed


def test_every_size_has_the_same_landmarks(folder: Path, detected: _Detected) -> None:
    wanted = [detected.sources[name] for name in ("photo.png", "aligned-full.png")]
    found = detect(detected.faces, wanted, size_px=64, cache=None)
    for source in wanted:
        small = found[source.sha256]
        assert isinstance(small, Landmarks)
        large = detected[source.path]
        assert np.abs(small.points_px - large.points_px / 4).max() <= 1 / 32
        places = np.array([[10.0, 20.0], [300.0, 200.0]])
        assert np.abs(to_crop(small.frame, places) - to_crop(large.frame, places) / 4).max() < 0.01
        assert load_face(detected.faces, source, small).clean_HWC.shape == (64, 64, 3)


def test_an_aligned_picture_is_only_resized_at_any_size(tmp_path: Path) -> None:
    """A frame that is rounded twice is not the aligned one: the crop would be warped, and its border blurred."""
    portrait = resize(_portrait(), 178, 218)
    (tmp_path / "aligned.png").write_bytes(encode_png(portrait))
    faces = FolderFaces(tmp_path)
    (source,) = faces.sources()
    for size_px in (64, 96, 178, 200, 384, 512, 1024):
        landmarks = detect(faces, [source], size_px=size_px, cache=None)[source.sha256]
        assert isinstance(landmarks, Landmarks)
        assert (landmarks.frame == aligned_frame(178, 218, size_px)).all(), size_px
        expected = resize(np.ascontiguousarray(portrait[20:198]), size_px, size_px)
        assert (load_face(faces, source, landmarks).clean_HWC == expected).all(), size_px


@pytest.mark.slow
def test_a_wider_limit_admits_what_reaches_out_of_the_picture(detected: _Detected, tmp_path: Path) -> None:
    names = ("cut-tightly.png", "photo.png", "wall.png")
    wanted = [detected.sources[name] for name in names]
    tight, photo, wall = (source.sha256 for source in wanted)
    with FaceCache(tmp_path / "faces.sqlite") as cache:

        def found(known: int, **limit: float) -> dict[str, Landmarks | Reject]:
            """Detect, and hold how many of the three the cache knew."""
            assert len(recall(cache, wanted, detector=detector_version(), size_px=SIZE, **limit)) == known
            return detect(detected.faces, wanted, size_px=SIZE, cache=cache, **limit)

        usual = found(0)
        wide = found(2, max_outside=0.5)  # a wider limit changes nothing but what the usual one rejects
        assert _packed(found(3, max_outside=0.5)) == _packed(wide)
        assert _packed(found(3)) == _packed(usual)
        none = found(0, max_outside=0)  # of what a narrower one rejects nothing is known
    rejected = usual[tight]
    assert isinstance(rejected, Reject)
    assert "(the limit is 15%)" in rejected.detail
    admitted = wide[tight]
    assert isinstance(admitted, Landmarks)
    source = detected.sources["cut-tightly.png"]
    height, width = detected.faces.read(source).shape[:2]
    assert 0.15 < outside_share(admitted.frame, width, height, SIZE) <= 0.5
    assert load_face(detected.faces, source, admitted).clean_HWC.shape == (SIZE, SIZE, 3)
    assert all(_packed(wide)[key] == _packed(usual)[key] for key in (photo, wall))
    assert [getattr(none[key], "reason", "") for key in (tight, photo, wall)] == ["out-of-picture", "", "no-face"]


def _packed(found: dict[str, Landmarks | Reject]) -> dict[str, object]:
    """Return what can be compared: landmarks hold arrays."""
    return {key: one.to_bytes() if isinstance(one, Landmarks) else one for key, one in found.items()}


def test_workers_and_order_change_nothing(detected: _Detected) -> None:
    wanted = sorted(detected.sources.values(), key=lambda source: source.sha256) * 2
    found = detect(detected.faces, wanted, size_px=SIZE, cache=None, workers=2)
    _same(found, detected)


def test_this_process_finds_the_same_and_is_quiet(folder: Path, tmp_path: Path, detected: _Detected) -> None:
    script = f"""
        import sys
        from fdgen.faces.folders import FolderFaces
        from fdgen.faces.detection import FaceCache, detect
        faces = FolderFaces({str(folder)!r})
        with FaceCache({str(tmp_path / "faces.sqlite")!r}) as cache:
            detect(faces, faces.sources(), size_px={SIZE}, cache=cache, workers=0)
        print("our own words", file=sys.stderr)
    """
    done = _run(script)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "our own words\n"
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        found = cache.get_many([*detected.sources.values()], detector=detector_version(), size_px=SIZE)
    _same(found, detected)


def _same(found: dict[str, Landmarks | Reject], detected: _Detected) -> None:
    assert set(found) == {source.sha256 for source in detected.sources.values()}
    for name, source in detected.sources.items():
        one = found[source.sha256]
        if isinstance(one, Landmarks):
            assert one.digest() == detected[name].digest()
        else:
            assert one == detected.by_name[name]


def test_loading_a_face_needs_no_detector(folder: Path, detected: _Detected, tmp_path: Path) -> None:
    packed = detected["photo-turned.png"].to_bytes()
    script = f"""
        import sys
        from fdgen.faces.folders import FolderFaces
        from fdgen.faces.detection import Landmarks, load_face
        faces = FolderFaces({str(folder)!r})
        source = next(one for one in faces.sources() if one.path == "photo-turned.png")
        face = load_face(faces, source, Landmarks.from_bytes({packed!r}))
        assert "mediapipe" not in sys.modules
        sys.stdout.buffer.write(face.clean_HWC.tobytes())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=True, env=_OUR_CODE
    )
    assert done.stdout == detected.crop("photo-turned.png").tobytes()


def test_the_version_names_what_landmarks_depend_on() -> None:
    litert = metadata.version("ai-edge-litert")
    assert detector_version() == f"FaceMesh in ai-edge-litert {litert}, opencv {cv2.__version__}, alignment 2"
    assert detector_version("mediapipe").startswith("mediapipe ")


# --- the cache


class _Unreadable:
    """The samples, where reading any is an error of ours: only the cache can answer."""

    kind, root, notes = "samples", SAMPLES, ()

    def sources(self, on_file: object = None) -> list[Source]:
        return SampleFaces().sources()

    def rejects(self) -> list[Reject]:
        return []

    def read(self, source: Source) -> Array:
        raise AssertionError("the cache knew this")


def test_what_the_cache_knows_is_not_detected_again(tmp_path: Path) -> None:
    faces = SampleFaces()
    seen: list[tuple[int, int]] = []
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        first = detect(
            faces, faces.sources(), size_px=SIZE, cache=cache, on_face=lambda done, of: seen.append((done, of))
        )
        again = detect(_Unreadable(), faces.sources(), size_px=SIZE, cache=cache)
    assert seen[-1] == (4, 4)
    for one in first.values():
        assert isinstance(one, Landmarks)
        assert np.array_equal(one.frame, aligned_frame(356, 436, SIZE))  # the samples lie in CelebA's frame
    assert {key: one.digest() for key, one in first.items() if isinstance(one, Landmarks)} == {
        key: one.digest() for key, one in again.items() if isinstance(one, Landmarks)
    }
    assert len(again) == 4


def test_what_only_happens_to_a_file_is_not_remembered(tmp_path: Path) -> None:
    for number, name in enumerate(("gone.png", "changed.png", "wall.png")):
        (tmp_path / name).write_bytes(encode_png(_backdrop(200 + number, 200)))
    faces = FolderFaces(tmp_path)
    sources = {one.path: one for one in faces.sources()}
    (tmp_path / "gone.png").unlink()
    (tmp_path / "changed.png").write_bytes(encode_png(_backdrop(300, 300)))
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        found = detect(faces, [*sources.values()], size_px=SIZE, cache=cache)
        kept = cache.get_many([*sources.values()], detector=detector_version(), size_px=SIZE)
    reasons = {name: found[one.sha256].reason for name, one in sources.items()}  # type: ignore[union-attr]
    assert reasons == {"gone.png": "unreadable", "changed.png": "changed", "wall.png": "no-face"}
    assert set(kept) == {sources["wall.png"].sha256}


# --- when it does not go well


@pytest.mark.parametrize("wrong", [{"size_px": 8}, {"size_px": 5000}, {"workers": -1}])
def test_a_wrong_number_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(FdError, match=str(next(iter(wrong.values())))):
        detect(SampleFaces(), [], **{"size_px": SIZE, "cache": None, **wrong})  # type: ignore[arg-type]


class _Deadly(_Unreadable):
    """The samples, where one photograph kills the process that reads it."""

    def read(self, source: Source) -> Array:
        if source.path == "joe_biden.jpg":
            os.kill(os.getpid(), signal.SIGKILL)
        return SampleFaces().read(source)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_photograph_that_kills_its_worker_costs_that_one_alone(tmp_path: Path) -> None:
    faces, said = _Deadly(), []
    sources = {one.path: one for one in faces.sources()}
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        found = detect(faces, [*sources.values()], size_px=SIZE, cache=cache, on_setback=said.append)
        kept = cache.get_many([*sources.values()], detector=detector_version(), size_px=SIZE)
    deadly = sources["joe_biden.jpg"].sha256
    assert {key for key, one in found.items() if isinstance(one, Reject)} == {deadly}
    assert found[deadly].reason == "crashed-worker"  # type: ignore[union-attr]
    assert deadly not in kept  # another day, another machine
    assert said == [
        "a worker died (SIGKILL) at joe_biden.jpg, which has one more try",
        "a worker died (SIGKILL) at joe_biden.jpg, which is left out",
    ]


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=_OUR_CODE,
    )


_LONG_RUN = """
    import sys
    from fdgen.faces.folders import FolderFaces
    from fdgen.faces.detection import FaceCache, detect
    if __name__ == "__main__":
        faces = FolderFaces({root!r})
        with FaceCache({cache!r}) as cache:
            try:
                detect(faces, faces.sources(), size_px=256, cache=cache, workers=2,
                       on_face=lambda done, of: print(done, flush=True))
            except KeyboardInterrupt:
                print("interrupted", flush=True)
                sys.exit(130)
"""


def _start_long_run(tmp_path: Path) -> tuple[subprocess.Popen[str], FolderFaces]:
    (tmp_path / "faces").mkdir()
    small = resize(_portrait(), 178, 218)
    for number in range(400):
        small[0, 0] = (number % 256, number // 256, 0)
        (tmp_path / "faces" / f"{number:03}.png").write_bytes(encode_png(small))
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(_LONG_RUN).format(root=str(tmp_path / "faces"), cache=str(tmp_path / "faces.sqlite"))
    )
    run = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=_OUR_CODE,
    )
    assert run.stdout is not None
    assert int(run.stdout.readline()) < 400
    return run, FolderFaces(tmp_path / "faces")


def _n_cached(tmp_path: Path, sources: Sequence[Source]) -> int:
    with FaceCache(tmp_path / "faces.sqlite") as cache:
        return len(cache.get_many(sources, detector=detector_version(), size_px=256))


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_an_interrupt_keeps_what_was_found_and_prints_no_traceback(tmp_path: Path) -> None:
    run, faces = _start_long_run(tmp_path)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: every process gets it
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert stdout.endswith("interrupted\n")
    assert stderr == ""
    assert 0 < _n_cached(tmp_path, faces.sources()) < 400


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_parent_takes_its_workers_along_and_the_cache_stays_good(tmp_path: Path) -> None:
    run, faces = _start_long_run(tmp_path)
    run.kill()
    run.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while _living(run.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _living(run.pid) == []
    assert 0 < _n_cached(tmp_path, faces.sources()) < 400


def _living(session: int) -> list[int]:
    living = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                living.append(int(entry.name))
    return living


# --- real faces


@pytest.mark.slow
@pytest.mark.skipif(not REAL_FACES, reason="FDGEN_TEST_FACES names no folder of real faces")
@pytest.mark.parametrize(("name", "count"), [("celeba", 200), ("portraits/images", 200)])
def test_nearly_every_real_face_gets_landmarks(name: str, count: int) -> None:
    faces = open_faces(Path(str(REAL_FACES)) / name)
    wanted = faces.sources()[:count]
    found = detect(faces, wanted, size_px=SIZE, cache=None, workers=2)
    rejects = [one for one in found.values() if isinstance(one, Reject)]
    assert len(rejects) <= 0.03 * len(wanted), rejects


def test_kept_workers_look_again_without_starting_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = open_faces(None)
    sources = faces.sources()
    alone = detect(faces, sources, size_px=64, cache=None, workers=1)
    started: list[int] = []
    begin = SupervisedPool._start_thread
    monkeypatch.setattr(SupervisedPool, "_start_thread", lambda pool: (started.append(1), begin(pool))[1])
    with KeptWorkers() as kept:
        found = [detect(faces, [one], size_px=64, cache=None, workers=1, kept=kept) for one in sources]
    assert len(started) == 1
    assert [one.to_bytes() for part in found for one in part.values() if isinstance(one, Landmarks)] == [
        one.to_bytes() for one in alone.values() if isinstance(one, Landmarks)
    ]

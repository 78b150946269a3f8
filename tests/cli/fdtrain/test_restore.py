"""`fdtrain restore` on any photograph: what it writes, says and keeps. The finder is a fake."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.main import program
from cli.fdtrain.restore_output import names_of
from cli.shared.open_restorer import open_restorers
from cli.shared.output import Voice
from fdgen.faces import face_finder
from fdgen.faces.face_finder import FoundFace
from fdtrain.data.pictures import decode_rgb, read_file, write_png
from fdtrain.inference import maskers
from fdtrain.restoration.photograph import LEAST_EXPECTED_IOU
from fdtrain.restoration.video import Frames, VideoFile
from fdtrain.training.starter import SURE, starter_file
from tests.fdtrain.restoration.test_photograph import Lower
from tests.support.running import assert_refused
from tests.support.sets import smooth_face
from tests.support.weights import write_weights

FACES = [FoundFace((60.0, 60.0), (80.0, 60.0), 0.8), FoundFace((140.0, 50.0), (160.0, 54.0), 0.7)]


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture
def known(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str | Path, ...]:
    """Options of a generator and a mask network; every picture wider than 100 px shows two faces."""
    monkeypatch.setattr(face_finder, "find_faces", lambda photo_HWC: FACES if photo_HWC.shape[1] > 100 else [])
    monkeypatch.setattr(maskers, "open_masker", lambda path, device: Lower())
    return ("--weights", weights, "--masker", "starter-mask", "--out", tmp_path / "out")


def photo_in(path: Path, seed: int = 1) -> Path:
    write_png(path, np.ascontiguousarray(smooth_face(seed, 220)[:120]))
    return path


def rgb(path: Path) -> np.ndarray:
    return decode_rgb(read_file(path), str(path))


def test_a_finish_changes_the_inpainted_region_alone_and_is_told(weights: Path, tmp_path: Path) -> None:
    photo, mask = tmp_path / "face.png", np.zeros((64, 64), np.uint8)
    write_png(photo, smooth_face(1, 64))
    mask[20:40, 16:40] = 255
    write_png(tmp_path / "mask.png", mask)
    made = {}
    for finish in ("none", "mirror", "mirror+membrane"):
        out = tmp_path / finish
        options = ("--weights", weights, "--mask", tmp_path / "mask.png", "--finish", finish)
        result = run("restore", photo, *options, "--out", out, "--json", "-q")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["finish"] == finish
        made[finish] = rgb(out / "face.png")
        np.testing.assert_array_equal(made[finish][mask == 0], rgb(photo)[mask == 0])
    assert not np.array_equal(made["none"], made["mirror"])
    edge = np.abs(made["mirror+membrane"][20, 16:40].astype(int) - rgb(photo)[19, 16:40]).mean()
    assert edge < np.abs(made["mirror"][20, 16:40].astype(int) - rgb(photo)[19, 16:40]).mean()


def test_only_the_included_weights_have_a_finish_of_their_own(weights: Path, tmp_path: Path) -> None:
    photo, mask = tmp_path / "face.png", np.zeros((64, 64), np.uint8)
    write_png(photo, smooth_face(1, 64))
    mask[20:40, 16:40] = 255
    write_png(tmp_path / "mask.png", mask)
    made = {}
    for name, given, options, told in (
        ("mine", weights, (), "none"),
        ("starter", "starter", (), "shift"),
        ("plain", "starter", ("--finish", "none"), "none"),
        ("asked", "starter", ("--finish", "shift"), "shift"),
    ):
        out = tmp_path / name
        words = ("--weights", given, "--mask", tmp_path / "mask.png", *options)
        result = run("restore", photo, *words, "--out", out, "--json", "-q")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["finish"] == told
        made[name] = rgb(out / "face.png")
    np.testing.assert_array_equal(made["starter"], made["asked"])
    assert not np.array_equal(made["starter"], made["plain"])


@pytest.mark.parametrize("included", [True, False])
@pytest.mark.parametrize("asked", [None, 0.3])
def test_the_included_mask_network_has_to_be_surer(included: bool, asked: float | None, tmp_path: Path) -> None:
    masker = Path("starter-mask")
    if not included:
        shutil.copy(starter_file("starter-mask"), masker := tmp_path / "mine.safetensors")
    [restorer] = open_restorers(
        [Path("starter")], masker, "auto", engine="auto", device="cpu", with_grain=True, voice=Voice(True), sure=asked
    )  # fmt: skip
    assert restorer.least_expected_iou == (asked or (SURE if included else LEAST_EXPECTED_IOU))
    assert SURE > LEAST_EXPECTED_IOU


def test_a_blend_lies_between_the_stages_and_is_told(weights: Path, tmp_path: Path) -> None:
    photo, mask = tmp_path / "face.png", np.zeros((64, 64), np.uint8)
    write_png(photo, smooth_face(1, 64))
    mask[20:40, 16:40] = 255
    write_png(tmp_path / "mask.png", mask)
    made = {}
    for share in (0, 0.5, 1):
        options = ("--weights", weights, "--mask", tmp_path / "mask.png", "--blend", share)
        result = run("restore", photo, *options, "--out", tmp_path / f"out-{share}", "--json", "-q")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["blend"] == share
        made[share] = rgb(tmp_path / f"out-{share}" / "face.png").astype(int)
        np.testing.assert_array_equal(made[share][mask == 0], rgb(photo)[mask == 0])
    assert not np.array_equal(made[0], made[1])
    assert np.abs(made[0.5] - (made[0] + made[1]) / 2).max() < 2  # rounded, enlarged by cubic weights, rounded again


def test_a_folder_with_all_sorts_of_things(known: tuple[str | Path, ...], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    photo_in(folder / "a.png")
    write_png(folder / "nobody.png", smooth_face(2, 90)[:80])
    PIL.Image.fromarray(rgb(folder / "a.png")).save(folder / "a.jpg")
    (folder / "torn ünï.jpg").write_bytes(b"torn")
    (folder / "notes.txt").write_text("no picture")
    out = tmp_path / "out"
    result = run("restore", folder, *known, "--save-masks", "--side-by-side", "--json")
    assert result.exit_code == 1
    assert "torn ünï.jpg is not a picture" in result.stderr
    assert "1 file in the folders skipped" in result.stderr
    assert "nobody.png: 0 faces; no face was found: it is written unchanged" in result.stderr
    assert "invented" in result.stderr
    told = json.loads(result.stdout)
    assert told["failed"] == 1
    assert [Path(path).name for path in told["restored"]] == ["a.jpg.png", "a.png.png", "nobody.png"]
    face = told["pictures"][1]["faces"][0]
    assert face["outcome"] == "restored"
    assert face["face_score"] == 0.8
    assert face["expected_mask_iou"] == pytest.approx(0.9, abs=0.001)
    assert "confidence" not in face
    assert told["models"] == [
        {"name": "small", "task": "restore", "preset": told["models"][0]["preset"], "size_px": 32, "toy": None}
    ]
    assert "toy" not in result.stderr
    assert face["kinds"] == {"cloth": 0.97}
    assert set(face["seconds"]) == {"align", "mask", "restore", "paste"}
    names = sorted(path.name for path in out.iterdir())
    extras = [f"{name}.{what}.png" for name in ("a.jpg", "a.png", "nobody") for what in ("mask", "side")]
    assert names == sorted(["a.jpg.png", "a.png.png", "nobody.png", "sheet.png", *extras])
    photo, restored = rgb(folder / "a.png"), rgb(out / "a.png.png")
    mask = rgb(out / "a.png.mask.png")[..., 0]
    assert set(np.unique(mask)) == {0, 255}
    np.testing.assert_array_equal(restored[mask == 0], photo[mask == 0])
    assert (restored != photo).any()
    np.testing.assert_array_equal(rgb(out / "nobody.png"), rgb(folder / "nobody.png"))


def test_masks_that_were_written_are_taken_again(known: tuple[str | Path, ...], tmp_path: Path) -> None:
    photo = photo_in(tmp_path / "in" / "group.png")
    assert run("restore", photo, *known, "--save-masks").exit_code == 0
    weights, out = known[:2], tmp_path / "again"
    result = run("restore", photo, *weights, "--mask", tmp_path / "out", "--out", out, "--save-masks")
    assert result.exit_code == 0, result.output
    assert (out / "group.mask.png").read_bytes() == (tmp_path / "out" / "group.mask.png").read_bytes()


def test_a_folder_of_masks_goes_before_the_mask_network(known: tuple[str | Path, ...], tmp_path: Path) -> None:
    photos = [photo_in(tmp_path / f"{name}.png") for name in "ab"]
    mask = np.zeros((120, 220), np.uint8)
    mask[70:80, 60:80] = 255
    write_png(tmp_path / "masks" / "a.png", mask)
    result = run("restore", *photos, *known, "--mask", tmp_path / "masks", "--save-masks")
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(rgb(tmp_path / "out" / "a.mask.png")[..., 0], mask)
    assert (rgb(tmp_path / "out" / "b.mask.png")[..., 0] != mask).any()


def test_strokes_correct_what_was_predicted(known: tuple[str | Path, ...], tmp_path: Path) -> None:
    photo = photo_in(tmp_path / "in.png")
    drawn = np.zeros((120, 220, 3), np.uint8)
    drawn[40:44, 60:80] = (0, 255, 0)
    drawn[75:80, 60:80] = (255, 0, 0)
    write_png(tmp_path / "strokes.png", drawn)
    assert run("restore", photo, *known, "--strokes", tmp_path / "strokes.png", "--save-masks").exit_code == 0
    mask = rgb(tmp_path / "out" / "in.mask.png")[..., 0]
    assert (mask[40:44, 60:80] == 255).all()
    assert not mask[75:80, 60:80].any()
    assert mask.any()


def test_a_video_is_restored_frame_by_frame(known: tuple[str | Path, ...], tmp_path: Path) -> None:
    frames = [np.ascontiguousarray(smooth_face(seed, 220)[:120]) for seed in range(3)]
    video = VideoFile(tmp_path / "clip.mkv", 25.0)
    for frame in frames:
        video.write(frame)
    video.close(whole=True)
    result = run("restore", tmp_path / "clip.mkv", *known, "--save-masks")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(tmp_path / "out" / "clip.mkv")]
    for number, (found, frame) in enumerate(zip(Frames(tmp_path / "out" / "clip.mkv"), frames, strict=True), 1):
        mask = rgb(tmp_path / "out" / f"clip.{number:06d}.mask.png")[..., 0]
        np.testing.assert_array_equal(found[mask == 0], frame[mask == 0])
        assert (found != frame).any()


def test_what_is_done_is_kept_when_it_is_interrupted(
    known: tuple[str | Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [photo_in(tmp_path / f"{name}.png") for name in "abc"]
    asked = []

    def find(photo_HWC: np.ndarray) -> list[FoundFace]:
        asked.append(photo_HWC.shape)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return FACES

    monkeypatch.setattr(face_finder, "find_faces", find)
    result = run("restore", *photos, *known)
    assert result.exit_code == 130
    assert "1 of 3 photographs done and kept in" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "sheet.png"]


def test_what_is_refused(known: tuple[str | Path, ...], weights: Path, tmp_path: Path) -> None:
    photo = photo_in(tmp_path / "a.png")
    generator, out = ("--weights", weights), ("--out", tmp_path / "out")
    assert_refused(run("restore", photo, *generator, *out), 2, "--mask", "--masker")
    assert_refused(run("restore", photo, photo, *known), 2, "would be called a.png")
    assert_refused(run("restore", photo, *known[:-1], tmp_path), 2, "would replace it")
    clash = photo_in(tmp_path / "a.mask.png")
    assert_refused(run("restore", photo, clash, *known, "--save-masks"), 2, "would be called a.mask.png")
    assert_refused(run("restore", photo, *known[:-1], photo / "in"), 1, "cannot be written")
    assert_refused(
        run("restore", photo, *known, "--strokes", photo, "--strokes", photo), 2, "1 photograph and 2 stroke"
    )
    (tmp_path / "empty").mkdir()
    assert_refused(run("restore", tmp_path / "empty", *known), 1, "holds no photograph")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_nothing_that_was_given_is_ever_replaced(known: tuple[str | Path, ...], weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    mask = np.zeros((120, 220), np.uint8)
    mask[70:80, 60:80] = 255
    photos = [photo_in(folder / f"{name}.png") for name in ("sheet", "neighbour")]
    PIL.Image.fromarray(rgb(photos[1])).save(folder / "neighbour.jpg")
    PIL.Image.fromarray(rgb(photos[1])).save(folder / "other.jpg")
    write_png(folder / "masked" / "other.mask.png", mask)
    write_png(folder / "other.mask.png", mask)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    here = (*known[:-1], folder)
    assert_refused(run("restore", photos[0], *here), 2, "sheet.png is a photograph to restore")
    assert_refused(run("restore", folder / "other.jpg", *here), 2, "sheet.png exists already")
    photos[0].unlink()
    del before[photos[0]]
    assert_refused(run("restore", folder / "neighbour.jpg", *here), 2, "neighbour.png exists already")
    other = ("restore", folder / "other.jpg", "--weights", weights, "--save-masks")
    drawn = folder / "masked" / "other.mask.png"
    result = run(*other, "--mask", drawn, "--out", drawn.parent)
    assert_refused(result, 2, "other.mask.png is a mask or strokes to read")
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before
    # A folder of results alone may be written again.
    for _ in range(2):
        assert run(*other, "--mask", drawn, "--out", tmp_path / "results").exit_code == 0


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_no_unicode(known: tuple[str | Path, ...], tmp_path: Path) -> None:
    photo = photo_in(tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"b\xff.png"))
    result = run("restore", photo, *known)
    assert result.exit_code == 0, result.output
    assert b"b\xff.png" in result.stdout_bytes
    told = json.loads(run("restore", photo, *known, "--json").stdout_bytes.decode())
    assert told["pictures"][0]["photo"] == str(photo)


def test_a_name_as_long_as_names_can_be(known: tuple[str | Path, ...], tmp_path: Path) -> None:
    photo = photo_in(tmp_path / "a.png").rename(tmp_path / f"{'ü' * 125}a.png")
    assert run("restore", photo, *known).exit_code == 0
    assert (tmp_path / "out" / photo.name).is_file()
    assert_refused(run("restore", photo, *known, "--save-masks"), 2, "a.mask.png is too long for a file name")


def test_help_says_that_it_is_invented() -> None:
    said = " ".join(run("restore", "--help").stdout.split())
    assert "is invented" in said
    assert "no evidence of how a person looks, and must not be used to identify anybody" in said


def test_misspelt_weights_have_the_first_word(tmp_path: Path, weights: Path) -> None:
    photo, out = photo_in(tmp_path / "a.png"), tmp_path / "out"
    for wrong, guess in (
        ("startr", "did you mean starter?"),
        (weights.with_name("smal.safetensors"), f"did you mean {weights}?"),
        (tmp_path / "nothing.onnx", "there is no file of weights"),
    ):
        assert_refused(run("restore", photo, "--weights", wrong, "--out", out), 1, str(wrong), guess)
    assert_refused(
        run("restore", photo, "--weights", weights, "--masker", "starter-msk", "--out", out), 1, "mean starter-mask?"
    )
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "dataset.json").write_text("{}")
    assert_refused(run("restore", photo, "--weights", tmp_path / "set", "--out", out), 1, "it is a dataset", "--data")
    assert not out.exists()


def test_names_of_many_photographs_are_found_in_time_that_grows_as_they_do(tmp_path: Path) -> None:
    """Counted are the comparisons of names, not seconds: each of 4,000 is compared with a few, not with all."""

    class Name(str):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Name.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    class Photo:
        def __init__(self, stem: str) -> None:
            self.stem, self.name = Name(stem), Name(f"{stem}.jpg")

    photos = [Photo(f"{number:06d}") for number in range(4000)]
    assert names_of(photos, tmp_path)[-1] == "003999"  # type: ignore[arg-type]
    assert Name.compared < 10 * len(photos)

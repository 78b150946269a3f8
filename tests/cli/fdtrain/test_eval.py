"""`fdtrain eval` and `fdtrain restore`: what they write, and one sentence for what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.fdtrain.main import program
from fdgen.contract.manifest import Manifest
from fdtrain.data.pictures import decode_rgb, write_png
from fdtrain.data.triplets import TripletDataset
from fdtrain.restoration.outlined_folder import OutlinedFolder, Place
from tests.support.paths import ROOT
from tests.support.running import assert_refused
from tests.support.sets import write_set
from tests.support.weights import write_mask_weights, write_weights


def run(*arguments: str | Path) -> Result:
    """Run fdtrain in this process."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name="fdtrain")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "set", 40)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "small.safetensors", content_id="ab" * 32)


def test_eval_prints_tables_and_writes_all(data: Path, weights: Path, tmp_path: Path) -> None:
    result = run("eval", "--data", data, "--weights", weights, "--out", tmp_path / "out", "--rows", "2", "--limit", "4")
    assert result.exit_code == 0, result.output
    for words in (
        "Inside the mask",
        "Telea",
        "Navier-Stokes",
        "mean face",
        "eigenfaces",
        "small, stage I",
        "±",
    ):
        assert words in result.stdout
    assert "Mumford-Shah-Euler" not in result.stdout  # slow, so only where it is asked for
    assert "small was trained on another dataset (abababababab)" in result.stdout
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"images.csv", "summary.csv", "table.txt", "eval.json", "worst.png", "best.png"}
    assert (tmp_path / "out" / "table.txt").read_text() == result.stdout
    # Data goes to standard output, words to standard error.
    assert "evaluating" in result.stderr
    assert "evaluating" not in result.stdout


def test_each_finish_has_rows_that_say_it(data: Path, weights: Path) -> None:
    asked = ("--finish", "none", "--finish", "mirror+membrane", "--finish", "shift")
    result = run("eval", "--data", data, "--weights", weights, *asked, "--references", "eigenfaces", "--limit", "3",
                 "--measures", "none", "--json", "-q")  # fmt: skip
    assert result.exit_code == 0, result.output
    held = json.loads(result.stdout)
    plain, mirrored = held["methods"][:2]
    assert mirrored == f"{plain}, mirror"  # they have the membrane by themselves
    assert held["methods"][2:] == [
        "small, stage I", "small", "small, stage I, mirror+membrane", "small, mirror+membrane",
        "small, stage I, shift", "small, shift",
    ]  # fmt: skip
    every = {row["method"]: row["psnr_hole"] for row in held["summary"] if row["stratum"] == "all"}
    assert len(set(every.values())) == 8
    assert any("mirrored restoration" in note and "membrane" in note for note in held["notes"])


def test_each_blend_has_a_row_between_the_stages(data: Path, weights: Path) -> None:
    result = run("eval", "--data", data, "--weights", weights, "--blend", "0.25", "--blend", "0.75", "--limit", "3",
                 "--references", "none", "--measures", "none", "--json", "-q")  # fmt: skip
    assert result.exit_code == 0, result.output
    held = json.loads(result.stdout)
    assert held["methods"] == ["small, stage I", "small, blend 0.25", "small, blend 0.75", "small"]
    every = [row["psnr_hole"] for row in held["summary"] if row["stratum"] == "all"]
    assert len(set(every)) == 4
    assert any(note.startswith("blend: the mean of the pictures of both stages") for note in held["notes"])


def test_references_learn_from_another_dataset(data: Path, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", 24)
    asked = (
        "eval",
        "--data",
        data,
        "--references",
        "eigenfaces,telea",
        "--limit",
        "3",
        "--measures",
        "none",
        "--json",
        "-q",
    )
    own, same, foreign = (
        json.loads(run(*asked, *more).stdout) for more in ((), ("--learn-from", data), ("--learn-from", other))
    )
    scores = [
        {row["method"]: row["psnr_hole"] for row in held["summary"] if row["stratum"] == "all"}
        for held in (own, same, foreign)
    ]
    assert scores[0] == scores[1]
    assert scores[2]["Telea"] == scores[0]["Telea"]
    assert set(scores[2].values()) != set(scores[0].values())
    assert any(f"learned from {other}" in note for note in foreign["notes"])
    assert not any("learned from" in note for note in same["notes"])


def test_eval_as_json_of_a_stratum(data: Path) -> None:
    options = ("--references", "copy,telea", "--kind", "mask", "--split", "train", "--limit", "3", "--json", "-q")
    result = run("eval", "--data", data, *options)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    held = json.loads(result.stdout)
    assert held["methods"] == ["copy of the input", "Telea"]
    assert held["size_px"] == 64
    assert {row["stratum"] for row in held["summary"] if row["stratum"].startswith("kind")} == {"kind mask"}
    assert held["dataset"]["pictures"] == 3


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--references", "none"), 2, "there is nothing to measure"),
        (("--references", "lama"), 2, "there is no 'lama'; there are all, none, copy"),
        (("--measures", "fsim"), 2, "there is no 'fsim'"),
        (("--kind", "hat"), 1, "of kind 'hat'"),
        (("--size", "3"), 1, "must be 16 px or more, got 3"),
        (("--weights", "missing.safetensors"), 1, "missing.safetensors"),
        (("--data", "nowhere"), 1, "nowhere is not a dataset"),
        (("--weights", "WEIGHTS", "--device", "cuda:7"), 1, "cuda:7"),
    ],
)
def test_eval_refuses(data: Path, weights: Path, options: tuple[str, ...], code: int, words: str) -> None:
    given = [str(weights) if option == "WEIGHTS" else option for option in options]
    assert_refused(run("eval", *(() if "--data" in options else ("--data", data)), *given, "-q"), code, words)


def test_eval_of_a_damaged_dataset(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "set")
    shard = Manifest.load(data).samples("test").iloc[0]["shard"]
    path = tmp_path / "set" / "shards" / f"{shard}.tar"
    path.write_bytes(path.read_bytes()[:2000])
    result = run("eval", "--data", tmp_path / "set", "--references", "copy", "-q")
    assert_refused(result, 1, f"{path} is cut short", "fdgen verify")


@pytest.fixture
def photos(data: Path, tmp_path: Path) -> Path:
    """Return a folder of two photographs and, in `masks`, their masks."""
    dataset = TripletDataset(data, "test", size_px=None)
    for index in range(2):
        _, occluded, mask = dataset.stored(index)
        write_png(tmp_path / f"face{index}.png", occluded)
        write_png(tmp_path / "masks" / f"face{index}.png", mask)
    return tmp_path


def test_restore_writes_pictures_and_a_sheet(photos: Path, weights: Path) -> None:
    out = photos / "out"
    faces = [photos / "face0.png", photos / "face1.png"]
    result = run("restore", *faces, "--weights", weights, "--mask", photos / "masks", "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(out / "face0.png"), str(out / "face1.png")]
    assert sorted(path.name for path in out.iterdir()) == ["face0.png", "face1.png", "sheet.png"]
    one = run(
        "restore", faces[0], "--weights", weights, "--mask", photos / "masks" / "face0.png", "--out", photos / "b"
    )
    assert one.exit_code == 0
    assert (photos / "b" / "face0.png").read_bytes() == (out / "face0.png").read_bytes()


def test_pictures_unpacked_from_a_shard_find_their_masks(photos: Path, weights: Path) -> None:
    """KEY.occluded.png and KEY.mask.png lie in one folder, as tar leaves them."""
    (photos / "face0.png").rename(photos / "masks" / "f0.occluded.png")
    (photos / "masks" / "face0.png").rename(photos / "masks" / "f0.mask.png")
    occluded, out = photos / "masks" / "f0.occluded.png", photos / "o"
    result = run("restore", occluded, "--weights", weights, "--mask", photos / "masks", "--out", out)
    assert result.exit_code == 0, result.output
    assert (out / "f0.occluded.png").is_file()


def test_one_bad_photograph_does_not_stop_the_others(photos: Path, weights: Path) -> None:
    (photos / "torn.png").write_bytes(b"torn")
    (photos / "masks" / "torn.png").write_bytes((photos / "masks" / "face0.png").read_bytes())
    names = [photos / name for name in ("torn.png", "face1.png")]
    result = run("restore", *names, "--weights", weights, "--mask", photos / "masks", "--out", photos / "o", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["restored"], told["failed"]) == ([str(photos / "o" / "face1.png")], 1)
    assert [face["outcome"] for face in told["pictures"][0]["faces"]] == ["restored"]
    assert "torn.png is not a picture" in result.stderr


def test_restore_refuses(photos: Path, weights: Path) -> None:
    face, mask, out = photos / "face0.png", photos / "masks" / "face0.png", ("--out", photos / "o", "-q")
    known = ("--weights", weights, *out)
    assert_refused(run("restore", face, "--mask", mask, "--mask", mask, *known), 2, "1 photograph and 2 masks")
    assert_refused(run("restore", face, face, "--mask", photos / "masks", *known), 2, "would be called face0.png")
    (photos / "masks" / "face1.png").unlink()
    assert_refused(run("restore", photos / "face1.png", "--mask", photos / "masks", *known), 2, "holds no mask for")
    assert_refused(run("restore", face, "--weights", face, "--mask", mask, *out), 1, "is not a whole safetensors file")
    grey = photos / "grey.png"
    write_png(grey, np.full((64, 64), 90, np.uint8))
    assert_refused(run("restore", face, "--mask", grey, *known), 1, "has grey values")
    assert not list((photos / "o").iterdir())


def test_a_folder_that_cannot_be_written_is_told_of_first(data: Path, weights: Path, photos: Path) -> None:
    blocked = photos / "face0.png"
    result = run("eval", "--data", data, "--references", "copy", "--out", blocked, "-q")
    assert_refused(result, 1, f"{blocked} cannot be written", "--out")
    known = ("--weights", weights, "--mask", photos / "masks", "-q")
    assert_refused(run("restore", photos / "face1.png", *known, "--out", blocked / "in"), 1, "cannot be written")


# Mask networks.


def test_eval_of_a_mask_network(data: Path, weights: Path, tmp_path: Path) -> None:
    masks = write_mask_weights(tmp_path / "masks.safetensors", content_id="cd" * 32, temperature=1.5)
    result = run("eval", "--data", data, "--weights", masks, "--out", tmp_path / "out", "--rows", "2", "--limit", "4")
    assert result.exit_code == 0, result.output
    for words in ("IoU", "boundary F", "calibration error", "1.50", "±", "IoU, by kind", "Boundary F, by coverage"):
        assert words in result.stdout
    assert "masks was trained on another dataset (cdcdcdcdcdcd)" in result.stdout
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"images.csv", "summary.csv", "table.txt", "eval.json", "worst.png", "best.png"}
    facts = json.loads(run("eval", "--data", data, "--weights", masks, "--limit", "4", "--json", "-q").stdout)
    assert facts["calibration"]["masks"]["temperature"] == 1.5
    assert sum(facts["calibration"]["masks"]["pixels"]) == 4 * 32 * 32
    assert 0 <= facts["summary"][0]["iou"] <= 1


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with photographs and, within it, masks that mark a square before the face, and the rest of it."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("occluder", "face"):
        (folder / name).mkdir()
    for path in sorted((ROOT / "fdgen/faces/sample_faces").glob("*.jpg"))[:2]:
        picture = decode_rgb(path.read_bytes(), path.name)
        (folder / path.name).write_bytes(path.read_bytes())
        mask = np.zeros(picture.shape[:2], np.uint8)
        mask[picture.shape[0] // 3 : picture.shape[0] // 2, picture.shape[1] // 3 : 2 * picture.shape[1] // 3] = 255
        write_png(folder / "occluder" / f"{path.stem}.png", mask)
        small = (picture.shape[1] // 2, picture.shape[0] // 2)
        write_png(folder / "face" / f"{path.stem}.png", cv2.resize(255 - mask, small))  # masks may be smaller
    write_png(folder / "nothing.png", np.full((64, 64, 3), 90, np.uint8))
    write_png(folder / "occluder" / "nothing.png", np.full((64, 64), 255, np.uint8))
    return folder


def test_eval_of_a_mask_network_on_photographs_and_their_masks(photographs: Path, tmp_path: Path) -> None:
    masks = write_mask_weights(tmp_path / "masks.safetensors")
    asked = ("eval", "--pictures", photographs, "--weights", masks)
    result = run(*asked, "--masks", photographs / "occluder", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 pictures, photographs of a folder, at 32 px" in result.stdout
    assert "1 of 3 photographs are left out: nothing.png: no face was found in nothing.png" in result.stdout
    assert {"images.csv", "worst.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
    of_occluder = json.loads(run(*asked, "--masks", photographs / "occluder", "--json", "-q").stdout)
    of_face = json.loads(run(*asked, "--masks", photographs / "face", "--masks-show", "face", "--json", "-q").stdout)
    assert of_occluder["summary"][0]["n"] == of_face["summary"][0]["n"] == 2
    assert sum(of_occluder["calibration"]["masks"]["pixels"]) == 2 * 32 * 32
    scored = sum(of_face["calibration"]["masks"]["pixels"])  # within the outlines of both faces alone
    assert 0.15 * 2 * 32 * 32 < scored < 0.6 * 2 * 32 * 32


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ((), 2, "name either --data or --pictures"),
        (("--pictures", "HERE", "--data", "HERE"), 2, "name either --data or --pictures"),
        (("--data", "HERE", "--masks", "HERE"), 2, "--masks and --masks-show are of --pictures"),
        (("--pictures", "HERE", "--weights", "MASKS", "--kind", "hand"), 2, "--kind is of a dataset"),
        (("--pictures", "HERE"), 2, "--pictures is for segmentation networks"),
        (("--pictures", "HERE", "--weights", "MASKS"), 1, "has no mask for barack_obama.jpg"),
    ],
)
def test_photographs_are_refused_in_a_sentence(
    photographs: Path, tmp_path: Path, given: tuple[str, ...], code: int, words: str
) -> None:
    masks = write_mask_weights(tmp_path / "masks.safetensors")
    places = {"HERE": photographs, "MASKS": masks}
    assert_refused(run("eval", *(places.get(word, word) for word in given), "-q"), code, words)


def test_an_aligned_photograph_is_taken_as_it_is(tmp_path: Path) -> None:
    """No face is looked for in it: CelebA's hardest are found by nobody."""
    (tmp_path / "masks").mkdir()
    write_png(tmp_path / "a.png", np.full((218, 178, 3), 90, np.uint8))
    mask = np.zeros((218, 178), np.uint8)
    mask[20:109] = 255  # the upper half of the square that a network sees
    write_png(tmp_path / "masks" / "a.png", mask)

    def nobody(photo_HWC: np.ndarray, name: str) -> Place:
        raise AssertionError(name)

    alpha_HW = OutlinedFolder(tmp_path, tmp_path / "masks", size_px=32, place=nobody).seen(0).alpha_HW
    assert (alpha_HW[:16] == 255).all()
    assert not alpha_HW[16:].any()


def test_eval_by_predicted_masks_beside_the_given_ones(data: Path, weights: Path, tmp_path: Path) -> None:
    masks = write_mask_weights(tmp_path / "masks.safetensors")
    options = ("--references", "none", "--measures", "none", "--limit", "4", "--json", "-q")
    result = run("eval", "--data", data, "--weights", weights, "--masker", masks, *options)
    assert result.exit_code == 0, result.output
    found = {row["method"]: row for row in json.loads(result.stdout)["summary"] if row["stratum"] == "all"}
    assert list(found) == ["small, stage I", "small", "small, stage I, predicted mask", "small, predicted mask"]
    assert found["small, predicted mask"]["psnr_raw"] != found["small"]["psnr_raw"]
    assert_refused(run("eval", "--data", data, "--weights", masks, "--masker", masks), 2, "masker")


def test_mask_networks_and_generators_are_told_apart(data: Path, weights: Path, tmp_path: Path) -> None:
    masks = write_mask_weights(tmp_path / "masks.safetensors")
    photo, mask, out = tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "out"
    write_png(photo, np.full((32, 32, 3), 90, np.uint8))
    write_png(mask, np.pad(np.full((8, 8), 255, np.uint8), 12))
    for code, words, *arguments in (
        (1, "have no measure in common", "eval", "--data", data, "--weights", weights, "--weights", masks),
        (
            2,
            "--measures is for networks that restore",
            "eval",
            "--data",
            data,
            "--weights",
            masks,
            "--measures",
            "none",
        ),
        (
            1,
            "which finds occluders and restores nothing",
            "restore",
            photo,
            "--mask",
            mask,
            "--weights",
            masks,
            "--out",
            out,
        ),
    ):
        assert_refused(run(*arguments), code, words)


@pytest.fixture(scope="module")
def restored(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what another program made of the test split: the clean pictures, a level darker in the hole."""
    folder = tmp_path_factory.mktemp("restored") / "others"
    dataset = TripletDataset(data, "test", size_px=None)
    for index, key in enumerate(dataset.keys):
        clean, _, mask = dataset.pictures(index)
        (folder / "in").mkdir(parents=True, exist_ok=True)
        darker = np.where(mask[..., None] > 0, np.maximum(clean, 1) - 1, clean)
        write_png(folder / "in" / f"{key}_mask.png", darker.astype(np.uint8))
    return folder


ALONE = ("--references", "none", "--measures", "none")


def test_pictures_that_another_program_restored_are_a_row(data: Path, restored: Path) -> None:
    result = run("eval", "--data", data, "--restored", restored, "--name", "MAT", *ALONE, "--json")
    assert result.exit_code == 0, result.output
    assert "MAT" in result.output
    found = run("eval", "--data", data, "--restored", restored, *ALONE)
    assert "others: restored by another program" in found.stdout
    decibels = 20 * np.log10(255)
    assert f"{decibels:.2f}" in found.stdout  # one level away everywhere in the hole


def test_a_sample_without_a_restored_picture_or_with_two_is_named(data: Path, restored: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    assert_refused(run("eval", "--data", data, "--restored", folder, *ALONE), 1, "there is no folder", "own")
    shutil.copytree(restored, folder)
    first, second = sorted((folder / "in").glob("*.png"))[:2]
    shutil.copy(first, folder / f"{first.stem}.copy.png")
    assert_refused(run("eval", "--data", data, "--restored", folder, *ALONE), 1, "has two pictures for", first.name)
    (folder / f"{first.stem}.copy.png").unlink()
    write_png(first, np.zeros((48, 48, 3), np.uint8))
    assert_refused(run("eval", "--data", data, "--restored", folder, *ALONE), 1, "is 48x48 px", "--size")
    second.unlink()
    assert_refused(run("eval", "--data", data, "--restored", folder, *ALONE), 1, "has no picture of 1 of")


def test_names_of_restored_folders_fit(data: Path, restored: Path) -> None:
    twice = ("--restored", restored, "--restored", restored)
    assert_refused(run("eval", "--data", data, *twice, *ALONE), 2, "one name")
    assert_refused(run("eval", "--data", data, *twice, "--name", "a", *ALONE), 2, "--name is given 1 times")

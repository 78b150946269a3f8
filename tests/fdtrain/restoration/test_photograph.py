"""Any photograph, the whole way: nothing changes beyond the mask, and what is filled in fits its surroundings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdgen.contract.frame import CROP_PX, EYES_PX, eye_frame, to_crop
from fdgen.errors import PictureError
from fdtrain.inference.mask_decision import expected_iou, grown, middle_of_crop, middle_of_face, threshold_mask
from fdtrain.inference.maskers import MaskPrediction
from fdtrain.restoration import grain
from fdtrain.restoration.blending import fill, offsets, toned
from fdtrain.restoration.face_frame import Box, FaceFrame
from fdtrain.restoration.photograph import restore_photograph
from fdtrain.restoration.strokes import strokes_of
from tests.support.sets import smooth_face

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Eyes:
    """A face as a finder tells of it."""

    left_eye_xy: tuple[float, float]
    right_eye_xy: tuple[float, float]
    score: float = 0.8


class Paint:
    """Fills squares with one colour, and remembers what it saw."""

    names = ("coarse", "fine")

    def __init__(self, colour: tuple[int, int, int] = (200, 40, 90)) -> None:
        self.colour = np.array(colour, np.uint8)
        self.seen: list[tuple[Picture, Picture]] = []

    def restore(self, pairs: Sequence[tuple[Picture, Picture]]) -> list[tuple[Picture, ...]]:
        self.seen += pairs
        return [(picture * 0, np.zeros_like(picture) + self.colour) for picture, _ in pairs]


class Copy(Paint):
    """Fills with what is there."""

    def restore(self, pairs: Sequence[tuple[Picture, Picture]]) -> list[tuple[Picture, ...]]:
        return [(picture.copy(),) for picture, _ in pairs]


class Lower:
    """Says that the lower middle of every crop is covered, by a cloth."""

    size_px, kinds, label = 48, ("cloth",), None

    def __init__(self, probability: float = 0.9) -> None:
        self.probability = probability
        self.sides: list[int] = []

    def predict(self, crops: Sequence[Picture]) -> list[MaskPrediction]:
        guesses = []
        for crop in crops:
            side = len(crop)
            self.sides.append(side)
            found = np.zeros((side, side), np.float32)
            found[side // 2 : 3 * side // 4, side // 4 : 3 * side // 4] = self.probability
            guesses.append(MaskPrediction(found, {"cloth": 0.97}))
        return guesses


def photo_of(high: int, wide: int, seed: int = 3) -> Picture:
    """A smooth picture with noise."""
    smooth = np.ascontiguousarray(smooth_face(1, max(high, wide))[:high, :wide]).astype(np.float32)
    return np.clip(smooth + np.random.default_rng(seed).normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


FACES = [Eyes((100.0, 130.0), (150.0, 120.0)), Eyes((330.0, 100.0), (370.0, 118.0), 0.6)]


def assert_only_masked(photo: Picture, done: object) -> None:
    kept = done.mask_HW == 0  # type: ignore[attr-defined]
    np.testing.assert_array_equal(done.picture_HWC[kept], photo[kept])  # type: ignore[attr-defined]
    assert set(np.unique(done.mask_HW)) <= {0, 255}  # type: ignore[attr-defined]


def test_predicted_masks_of_two_faces() -> None:
    photo, method, masker = photo_of(300, 480), Paint(), Lower()
    done = restore_photograph(photo, FACES, method, 32, masker=masker)
    assert_only_masked(photo, done)
    assert [face.outcome for face in done.faces] == ["restored", "restored"]
    assert done.beyond == 0
    first, second = done.faces
    assert (first.face_score, second.face_score) == (0.8, 0.6)
    assert first.kinds == {"cloth": 0.97}
    # Half the crop's side by a quarter of it, at 0.9 each: an overlap of 0.9 is to be expected.
    assert [face.expected_mask_iou for face in done.faces] == pytest.approx([0.9, 0.9], abs=1e-6)
    assert 0.14 < first.covered < 0.23  # an eighth, and what is widened around it
    assert {"align", "mask", "restore", "paste"} <= set(first.seconds)
    assert [crop.shape for crop, _ in method.seen] == [(32, 32, 3)] * 2
    inner = grown(done.mask_HW == 0, 8) == 0
    assert np.abs(done.picture_HWC[inner].astype(int) - photo[inner]).mean() > 10


def test_the_same_photograph_gives_the_same_picture_and_another_other_grain() -> None:
    photo = photo_of(300, 480)
    one, same = (restore_photograph(photo, FACES, Paint(), 32, masker=Lower()) for _ in range(2))
    np.testing.assert_array_equal(one.picture_HWC, same.picture_HWC)
    changed = photo.copy()
    changed[0, 0] += 1
    other = restore_photograph(changed, FACES, Paint(), 32, masker=Lower())
    np.testing.assert_array_equal(one.mask_HW, other.mask_HW)
    assert (other.picture_HWC[one.mask_HW > 0] != one.picture_HWC[one.mask_HW > 0]).any()


def test_a_given_mask_is_taken_as_it_is_and_what_no_face_reaches_is_left() -> None:
    photo = photo_of(300, 480)
    mask = np.zeros((300, 480), np.uint8)
    mask[140:160, 110:140] = 255
    mask[290:300, 0:20] = 255
    done = restore_photograph(photo, FACES, Paint(), 32, mask_HW=mask)
    assert_only_masked(photo, done)
    expected = mask.copy()
    expected[290:300, 0:20] = 0
    np.testing.assert_array_equal(done.mask_HW, expected)
    assert done.beyond == pytest.approx(200 / 800)
    assert [face.outcome for face in done.faces] == ["restored", "nothing to remove"]
    assert (done.faces[0].face_score, done.faces[0].expected_mask_iou) == (0.8, None)  # no network was asked for it


def test_strokes_add_and_take() -> None:
    photo = photo_of(300, 480)
    plain = restore_photograph(photo, FACES[:1], Paint(), 32, masker=Lower())
    rows, columns = np.nonzero(plain.mask_HW)
    row, column = int(np.median(rows)), int(np.median(columns))
    drawn = np.zeros((300, 480, 3), np.uint8)
    drawn[row - 5 : row + 5, column - 5 : column + 5] = (255, 0, 0)
    drawn[60:70, 120:130] = (0, 255, 0)
    done = restore_photograph(photo, FACES[:1], Paint(), 32, masker=Lower(), strokes_HW=strokes_of(drawn))
    assert_only_masked(photo, done)
    assert not done.mask_HW[row - 5 : row + 5, column - 5 : column + 5].any()
    assert (done.mask_HW[60:70, 120:130] == 255).all()
    alone = restore_photograph(photo, FACES[:1], Paint(), 32, strokes_HW=strokes_of(drawn))
    assert int((alone.mask_HW > 0).sum()) == 100


def test_strokes_are_green_and_red_alone() -> None:
    colours = [(0, 255, 0), (255, 0, 0), (255, 255, 255), (0, 0, 0), (128, 128, 128), (0, 0, 255), (255, 255, 0)]
    np.testing.assert_array_equal(strokes_of(np.array([colours], np.uint8)), [[1, -1, 0, 0, 0, 0, 0]])


def test_no_face_no_mask_and_a_small_face_leave_the_photograph() -> None:
    photo = photo_of(120, 160)
    small = Eyes((50.0, 60.0), (55.0, 60.0))
    for faces, masker, outcomes in (
        ([], Lower(), []),
        ([Eyes((60.0, 50.0), (90.0, 50.0))], Lower(0.2), ["nothing to remove"]),
        ([small], Lower(), ["too small"]),
    ):
        method = Paint()
        done = restore_photograph(photo, faces, method, 32, masker=masker)
        np.testing.assert_array_equal(done.picture_HWC, photo)
        assert not done.mask_HW.any()
        assert [face.outcome for face in done.faces] == outcomes
        assert method.seen == []
    mask = np.zeros((120, 160), np.uint8)
    mask[60:64, 50:56] = 255
    assert restore_photograph(photo, [small], Paint(), 32, mask_HW=mask).faces[0].outcome == "restored"


def test_a_mask_that_is_unsure_is_left_out_unless_strokes_ask() -> None:
    photo, face = photo_of(120, 160), [Eyes((60.0, 50.0), (90.0, 50.0))]
    masker = Lower(0.35)
    done = restore_photograph(photo, face, Paint(), 32, masker=masker)
    assert done.faces[0].outcome == "mask unsure"
    assert done.faces[0].expected_mask_iou == pytest.approx(0.35, abs=1e-6)
    np.testing.assert_array_equal(done.picture_HWC, photo)
    assert (
        restore_photograph(photo, face, Paint(), 32, masker=masker, least_expected_iou=0.3).faces[0].outcome
        == "restored"
    )
    strokes = np.zeros((120, 160), np.int8)
    strokes[70:75, 70:80] = 1
    asked = restore_photograph(photo, face, Paint(), 32, masker=masker, strokes_HW=strokes)
    np.testing.assert_array_equal(asked.mask_HW > 0, strokes > 0)


def test_what_cannot_be_restored_is_named() -> None:
    photo = photo_of(40, 60)
    with pytest.raises(ValueError, match="give a mask, a masker, or strokes"):
        restore_photograph(photo, [], Paint(), 32)
    with pytest.raises(PictureError, match="mask is 60x39, its photograph 60x40"):
        restore_photograph(photo, [], Paint(), 32, mask_HW=np.zeros((39, 60), np.uint8))
    with pytest.raises(PictureError, match="8 px a side or more, this one is 60x7"):
        restore_photograph(photo[:7], [], Paint(), 32, mask_HW=np.zeros((7, 60), np.uint8))
    with pytest.raises(ValueError, match="eyes are two places"):
        restore_photograph(photo, [Eyes((5.0, 5.0), (5.0, 5.0))], Paint(), 32, masker=Lower())


@settings(max_examples=25)
@given(
    high=st.integers(8, 90),
    wide=st.integers(8, 90),
    eyes=st.tuples(*[st.floats(-40, 130)] * 4),
    seed=st.integers(0, 2**16),
)
def test_nothing_changes_beyond_the_mask_wherever_faces_lie(
    high: int, wide: int, eyes: tuple[float, float, float, float], seed: int
) -> None:
    if np.hypot(eyes[2] - eyes[0], eyes[3] - eyes[1]) < 0.5:
        return
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 256, (high, wide, 3), dtype=np.uint8)
    mask = (rng.random((high, wide)) < rng.random()).astype(np.uint8) * np.uint8(255)
    faces = [Eyes(eyes[:2], eyes[2:]), Eyes((wide / 3, high / 2), (2 * wide / 3, high / 2))]
    done = restore_photograph(photo, faces, Paint(), 16, mask_HW=mask)
    assert_only_masked(photo, done)
    assert not done.mask_HW[mask == 0].any()


def test_the_frame_is_that_of_fdgen() -> None:
    """The network sees a photograph as it saw its training pictures."""
    eyes = np.array([[120.3, 80.9], [171.2, 99.5]])
    mine = FaceFrame.of_eyes(tuple(eyes[0]), tuple(eyes[1]))  # type: ignore[arg-type]
    points = np.random.default_rng(0).uniform(0, 300, (20, 2))
    theirs = to_crop(eye_frame(eyes, CROP_PX), points) / CROP_PX
    np.testing.assert_allclose(points @ mine.matrix[:, :2].T + mine.matrix[:, 2], theirs, atol=1e-4)
    at = eyes @ mine.matrix[:, :2].T + mine.matrix[:, 2]
    np.testing.assert_allclose(at * CROP_PX, EYES_PX, atol=1e-9)


def test_an_aligned_square_is_cut_as_it_is() -> None:
    photo = photo_of(218, 178)
    frame = FaceFrame.of_square(0, 20, 178)
    np.testing.assert_array_equal(frame.cut(photo, 178), photo[20:198])
    assert frame.box(photo) == Box(0, 20, 178, 198)
    back = frame.spread(frame.cut(photo, 178), Box(0, 20, 178, 198))
    np.testing.assert_array_equal(back, photo[20:198])


def test_there_and_back_lies_where_it_was() -> None:
    """A turned crop of a smooth picture, enlarged twice, comes back to its place within a level or two."""
    photo = np.ascontiguousarray(smooth_face(1, 200))
    frame = FaceFrame.of_eyes((85.0, 95.0), (110.0, 103.0))
    box = frame.box(photo)
    inside = frame.eccentricity(box) < 0.9
    off = np.abs(frame.spread(frame.cut(photo, 256), box).astype(int) - box.of(photo))[inside]
    assert off.mean() < 1
    moved = np.abs(np.roll(frame.spread(frame.cut(photo, 256), box), 2, 1).astype(int) - box.of(photo))[inside]
    assert moved.mean() > 2 * off.mean()


def test_a_mask_in_the_crop_misses_no_masked_pixel() -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[201, 203] = 255
    frame = FaceFrame.of_eyes((160.0, 190.0), (245.0, 200.0))
    small = frame.cut_mask(mask, 16)
    assert 1 <= int((small > 0).sum()) <= 4
    assert set(np.unique(small)) == {0, 255}


def test_levels_meet_at_the_edge_of_the_hole() -> None:
    """A filling that is 40 levels too dark ends without a step, and a rest of an occluder does not spread."""
    photo = np.full((120, 120, 3), 150, np.uint8)
    hole = np.zeros((120, 120), np.bool_)
    hole[40:80, 40:80] = True
    dark = np.full((120, 120, 3), 110, np.uint8)
    known, inward = ~hole, np.ones((120, 120), np.float32)
    done = fill(photo, dark, hole, known, inward, side_px=120, feather_px=0, rng=None)
    np.testing.assert_allclose(done[hole], 150, atol=2)
    stained = photo.copy()
    stained[36:40, 40:60] = (20, 30, 220)  # a missed rest: half of one side
    done = fill(stained, dark, hole, known, inward, side_px=120, feather_px=0, rng=None)
    np.testing.assert_array_equal(done[~hole], stained[~hole])
    assert np.abs(done[50:80, 40:80].astype(int) - 150).max() < 25
    assert not offsets(photo, dark.astype(np.float32), np.zeros_like(hole), hole).any()


def test_the_seam_lies_inside_the_hole() -> None:
    photo = np.full((100, 100, 3), 100, np.uint8)
    hole = np.zeros((100, 100), np.bool_)
    hole[30:70, 30:70] = True
    other = np.full((100, 100, 3), 200, np.uint8)
    inward = np.ones((100, 100), np.float32)
    soft = fill(photo, other, hole, np.zeros_like(hole), inward, side_px=100, feather_px=5, rng=None)
    np.testing.assert_array_equal(soft[~hole], 100)
    rising = soft[50, 30:38, 0].astype(int)
    assert (np.diff(rising) >= 0).all()
    assert rising[0] < 115
    assert (soft[40:60, 40:60] == 200).all()


@pytest.mark.parametrize("strength", [0.0, 3.0, 6.0])
def test_grain_is_measured_and_made_as_strong_and_as_coarse(strength: float) -> None:
    rng = np.random.default_rng(5)
    where = np.ones((128, 128), np.bool_)
    truth = grain.Grain((strength / 3, strength / 9, strength / 9), 0.6)
    noisy = 120 + grain.make(truth, (128, 128), rng)
    found = grain.measure(noisy, where)
    assert found is not None
    np.testing.assert_allclose(found.strengths, truth.strengths, rtol=0.3, atol=0.02)
    if strength:
        assert found.coarseness_px == 0.6
    lacking = grain.missing(found, grain.measure(noisy, where))
    assert lacking.strengths == (0, 0, 0)
    assert grain.measure(noisy, ~where) is None


def test_a_filled_hole_has_the_photographs_grain() -> None:
    photo = np.full((160, 160, 3), 128.0) + np.random.default_rng(0).normal(0, 5, (160, 160, 3))
    photo = np.clip(np.rint(photo), 0, 255).astype(np.uint8)
    hole = np.zeros((160, 160), np.bool_)
    hole[50:110, 50:110] = True
    flat = np.full((160, 160, 3), 128, np.uint8)
    inward = np.ones((160, 160), np.float32)
    with_grain, without = (
        fill(photo, flat, hole, ~hole, inward, side_px=160, feather_px=1, rng=rng)
        for rng in (np.random.default_rng(1), None)
    )
    assert 3 < with_grain[60:100, 60:100].std() < 7
    assert without[60:100, 60:100].std() < 1.5


def test_a_photograph_of_one_tone_stays_so() -> None:
    levels = np.random.default_rng(0).uniform(0, 255, (60, 60, 1)).astype(np.float32)
    skin = np.full((60, 60, 3), (220, 150, 130), np.float32)
    known = np.ones((60, 60), np.bool_)
    grey = np.repeat(levels, 3, 2).astype(np.uint8)
    made = toned(grey, skin, known)
    assert np.ptp(made, axis=2).max() < 1.5
    sepia = np.clip(levels * np.array([1.0, 0.9, 0.7], np.float32), 0, 255).astype(np.uint8)
    made = toned(sepia, skin, known)
    assert (made[..., 0] - made[..., 2] > 25).all()
    colour = np.random.default_rng(1).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(toned(colour, skin, known), skin)


def test_masks_are_decided_of_probabilities() -> None:
    probability = np.zeros((200, 200), np.float32)
    probability[80:120, 80:120] = 0.8
    probability[10:12, 10:12] = 1.0  # a speck
    mask = threshold_mask(probability, 200, reach=0.03)
    assert mask[74, 100]
    assert not mask[73, 100]
    assert not mask[:40, :40].any()
    assert not threshold_mask(probability * 0.3, 200).any()
    assert expected_iou(probability) == pytest.approx((1600 * 0.8 + 4) / 1604, abs=1e-5)
    assert expected_iou(np.full((10, 10), 0.2, np.float32)) == pytest.approx(0.8)


class TwoParts(Lower):
    """Says that the mouth is covered, and something in the background beside the face."""

    def predict(self, crops: Sequence[Picture]) -> list[MaskPrediction]:
        found = np.zeros((64, 64), np.float32)
        found[42:52, 24:40] = found[10:40, 1:9] = self.probability
        return [MaskPrediction(cv2.resize(found, crop.shape[:2]), {"cloth": 1.0}) for crop in crops]


@pytest.mark.parametrize("turned", [0.0, 12.0])
def test_what_lies_beside_the_face_is_left_unless_it_is_asked_for(turned: float) -> None:
    photo, eyes = photo_of(120, 160), [Eyes((60.0, 50.0), (90.0, 50.0 + turned))]
    done = restore_photograph(photo, eyes, Paint(), 64, masker=TwoParts())
    both = restore_photograph(photo, eyes, Paint(), 64, masker=TwoParts(), beside=True)
    assert cv2.connectedComponents(done.mask_HW)[0] == 2  # the background, and one part
    assert cv2.connectedComponents(both.mask_HW)[0] == 3
    assert (both.mask_HW[done.mask_HW > 0] == 255).all()


def test_the_middle_of_a_crop_is_that_of_its_frame() -> None:
    frame = FaceFrame.of_square(3, 5, 60)
    box = frame.box(np.zeros((90, 90, 3), np.uint8))
    inside = middle_of_face(*frame.coordinates(box))
    np.testing.assert_array_equal(inside[5 - box.top : 65 - box.top, 3 - box.left : 63 - box.left], middle_of_crop(60))
    cut = (0.6 - 0.44) / 0.27  # above the brows, a segment of the ellipse lies off
    share = 1 - (np.arccos(cut) - cut * np.sqrt(1 - cut**2)) / np.pi
    assert inside.sum() == pytest.approx(share * np.pi * 0.2 * 0.27 * 60**2, rel=0.03)


@pytest.mark.parametrize(("top", "stays"), [(10, False), (70, True)])
def test_a_small_part_counts_at_the_mouth_and_not_on_the_forehead(top: int, stays: bool) -> None:
    """What lies on the mouth is taken, a curl of that size over the forehead is not."""
    likely_HW = np.zeros((100, 100), np.float32)
    likely_HW[top : top + 30, 46:54] = 1
    found_HW = threshold_mask(likely_HW, 100, middle_HW=middle_of_crop(100))
    assert found_HW.any() == stays


def test_neither_torch_nor_mediapipe_is_imported() -> None:
    code = (
        "import sys\n"
        "from fdtrain.restoration import files, photo_restorer, photograph, strokes, video\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'mediapipe', 'torchvision'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

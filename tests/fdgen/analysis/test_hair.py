"""Hair over occluders: where it is sure it stays on top, where it is not nothing changes."""

from __future__ import annotations

import dataclasses
import json
import math
import sys

import cv2
import numpy as np
import pytest

from fdgen.analysis import person_segmentation
from fdgen.analysis.face_grid import GRID_PX, FaceGrid
from fdgen.analysis.geometry import fit_pose
from fdgen.analysis.hair import STATES, Hair, find_hair, over_frames
from fdgen.assets import AssetLibrary
from fdgen.contract.records import SampleRecord, Triplet
from fdgen.errors import FdError
from fdgen.faces.face import Face
from fdgen.kinds import KINDS, kind_of
from fdgen.occluders import OCCLUDERS
from fdgen.recipe.schema import Recipe
from fdgen.render.composite import composite, under_hair
from fdgen.render.scene import Analysis, Scene
from fdgen.synthesis.generator import generate, replay
from tests.support import scenes

LIBRARY = AssetLibrary.load()


def recipe(kind: str) -> Recipe:
    kinds = [f"kinds.{name}={float(name == kind)}" for name in OCCLUDERS]
    return Recipe.load("default", [*kinds, "coverage.min=0.001", "faces.worn=ignore"])


def with_hair(face: Face, matte: np.ndarray, state: str = "measured") -> Analysis:
    analysis = Scene.of(face).analysis
    return dataclasses.replace(analysis, worn=(), hair=Hair(matte.astype(np.uint8), state))


def made(*arguments: object, **named: object) -> Triplet:
    triplet = generate(*arguments, **named)  # type: ignore[arg-type]
    assert isinstance(triplet, Triplet), triplet
    return triplet


@pytest.mark.slow
@pytest.mark.parametrize("kind", [row.name for row in KINDS.values() if row.under_hair])
def test_hair_hides_what_is_put_under_it_and_the_law_of_the_blend_holds(kind: str) -> None:
    face = scenes.face()
    left = np.zeros((GRID_PX, GRID_PX))
    left[:, : GRID_PX // 2] = 15
    none = np.zeros_like(left)
    drawn = (made(face, recipe(kind), LIBRARY, v, analysis=with_hair(face, none)) for v in range(20))
    drawn = (one for one in drawn if one.record.attempt == 0)  # with hair another attempt may be the one that passes
    free = next(one for one in drawn if not one.record.placement[0]["values"].get("pushed_up"))  # that is over hair
    hidden = made(face, recipe(kind), LIBRARY, free.record.variant, analysis=with_hair(face, left))
    half = face.landmarks.size_px // 2
    # Over cloth the rim of a lock is softened by a millimetre, whose blur reaches four times as far.
    soft_px = 2 + math.ceil(0.4 * Scene.of(face).pose.scale_px) if kind_of(kind).form == "drape" else 2
    assert free.mask_HW[:, : half - soft_px].any()
    assert not hidden.mask_HW[:, : half - soft_px].any(), "hidden all through, and so its shadow"
    assert not hidden.alpha_HW[:, : half - soft_px].any()
    assert np.array_equal(hidden.occluded_HWC[:, : half - soft_px], face.clean_HWC[:, : half - soft_px])
    assert np.array_equal(hidden.occluded_HWC[:, half + soft_px :], free.occluded_HWC[:, half + soft_px :])
    outside = hidden.mask_HW == 0
    assert np.array_equal(hidden.occluded_HWC[outside], hidden.clean_HWC[outside])


@pytest.mark.slow
@pytest.mark.parametrize("kind", [row.name for row in KINDS.values() if not row.under_hair])
def test_a_hand_lies_over_hair(kind: str) -> None:
    face = scenes.face()
    everywhere = np.full((GRID_PX, GRID_PX), 15)
    free = made(face, recipe(kind), LIBRARY, analysis=with_hair(face, np.zeros_like(everywhere)))
    over = made(face, recipe(kind), LIBRARY, analysis=with_hair(face, everywhere))
    assert np.array_equal(free.occluded_HWC, over.occluded_HWC)


@pytest.mark.parametrize("state", [state for state in STATES if state != "measured"])
def test_what_is_not_measured_is_laid_over_nothing_and_told(state: str) -> None:
    face = scenes.face()
    triplet = made(face, recipe("mask"), LIBRARY, analysis=with_hair(face, np.zeros((GRID_PX, GRID_PX)), state))
    bare = made(face, recipe("mask"), LIBRARY, analysis=with_hair(face, np.zeros((GRID_PX, GRID_PX))))
    assert triplet.record.hair == state
    assert bare.record.hair == "measured"
    assert np.array_equal(triplet.mask_HW, bare.mask_HW)


def test_half_hidden_is_half_drawn() -> None:
    face = scenes.face()
    scene = Scene.of(face)
    occluder = OCCLUDERS["mask"]
    asset = LIBRARY.select("mask", held_out=False)[0]
    layer = occluder.render(scene, occluder.place(scene, asset, np.random.default_rng(0)), asset)
    half = under_hair(layer, np.full(layer.opacity_HW.shape, 0.5, np.float32))
    for name in ("colour_HWC", "opacity_HW", "silhouette_HW", "shadow_HW"):
        assert np.allclose(getattr(half, name), 0.5 * getattr(layer, name)), name
    gone = under_hair(layer, np.ones(layer.opacity_HW.shape, np.float32))
    occluded, mask, alpha = composite(face.clean_HWC, [gone])
    assert np.array_equal(occluded, face.clean_HWC)
    assert not mask.any()
    assert not alpha.any()


def test_an_analysis_keeps_the_matte() -> None:
    matte = np.random.default_rng(1).integers(0, 16, (GRID_PX, GRID_PX))
    analysis = with_hair(scenes.face(), matte)
    again = Analysis.from_bytes(analysis.to_bytes())
    assert np.array_equal(again.hair.matte, matte)
    assert again.hair.state == "measured"


def test_a_triplet_under_hair_replays_to_the_same_bytes() -> None:
    face = scenes.face(yaw_deg=10)
    triplet = made(face, recipe("sunglasses"), LIBRARY)
    again = replay(SampleRecord.from_mapping(json.loads(triplet.record.to_json())), face, LIBRARY)
    assert np.array_equal(again.occluded_HWC, triplet.occluded_HWC)
    assert again.record.to_json() == triplet.record.to_json()


@pytest.mark.parametrize("roll_deg", [-25.0, 0.0, 25.0])
def test_the_grid_lies_along_the_heads_own_axes(roll_deg: float) -> None:
    face = scenes.face(roll_deg=roll_deg)
    scene = Scene.of(face)
    scale = GRID_PX / face.landmarks.size_px
    grid = FaceGrid.of(face.landmarks.points_px[:, :2] * scale, scene.pose, scale)
    column, row = np.round(face.landmarks.points_px[[10, 152, 234, 454], :2] * scale).astype(int).T
    up, right = grid.up_cm[row, column], grid.right_cm[row, column]
    assert up[0] > 3
    assert up[1] < -9
    assert abs(right[:2]).max() < 0.5
    assert right[2] < -5
    assert right[3] > 5


def hairy(*, bangs: bool = True, long_left: bool = True, hair: tuple[int, int, int] = (38, 26, 20)) -> Face:
    """Paint hair over and beside a synthetic face: bangs to the brow on the viewer's right, long locks on the left."""
    face = scenes.face()
    points, clean = face.landmarks.points_px[:468, :2], face.clean_HWC.copy()
    rows, columns = np.mgrid[:256, :256]
    centre, reach = points.mean(0), np.ptp(points, 0)
    inside = ((columns - centre[0]) / (0.5 * reach[0])) ** 2 + ((rows - centre[1]) / (0.52 * reach[1])) ** 2 < 1
    eyes = points[[33, 133, 263, 362]].mean(0)
    over = (rows < eyes[1] - 20) & ~inside & (np.abs(columns - centre[0]) < 0.75 * reach[0])
    if long_left:
        over |= (columns < centre[0]) & ~inside & (columns > centre[0] - 0.8 * reach[0])
    if bangs:
        over |= inside & (columns > centre[0] + 4) & (rows < points[[336, 334], 1].min() - 6)
    clean[over] = np.clip(np.array(hair) + np.random.default_rng(5).normal(0, 4, (int(over.sum()), 3)), 0, 255)
    return dataclasses.replace(face, clean_HWC=clean)


def matte_of(face: Face, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, str, FaceGrid]:
    """Find the hair; nobody takes a synthetic face for a person, so whatever is not the ground is said to be one."""
    ground = np.abs(face.clean_HWC.astype(int) - scenes.GROUND).max(2) < 12
    person_HW = cv2.medianBlur((~ground).astype(np.uint8), 5)[1::2, 1::2].astype(np.float32)
    monkeypatch.setattr("fdgen.analysis.hair.find_person", lambda clean, size: person_HW)
    pose = fit_pose(face.landmarks.points_px)
    hair = find_hair(face.clean_HWC, face.landmarks.points_px, pose)
    return hair.matte, hair.state, FaceGrid.of(face.landmarks.points_px[:, :2] / 2, pose, 0.5)


def test_bangs_and_locks_are_found_and_bare_skin_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    matte, state, grid = matte_of(hairy(), monkeypatch)
    assert state == "measured"
    forehead = grid.oval & (grid.up_cm > 3.4) & (grid.up_cm < 4.6)
    assert matte[forehead & (grid.right_cm > 1.5) & (grid.right_cm < 4)].mean() > 13
    assert matte[forehead & (grid.right_cm < -1.5) & (grid.right_cm > -4)].max() == 0
    beside = ~grid.oval & (grid.up_cm < -2) & (grid.up_cm > -6) & (np.abs(grid.right_cm) > 8.6)
    assert matte[beside & (grid.right_cm < 0) & (grid.right_cm > -10)].mean() > 13
    cheeks = (np.abs(grid.right_cm) < 5.5) & (grid.up_cm < 0) & (grid.up_cm > -9)
    assert matte[cheeks].max() == 0, "cheeks, nose and mouth are bare"


def test_short_hair_beside_the_face_is_left_to_temples_and_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    matte, state, grid = matte_of(hairy(long_left=False), monkeypatch)
    assert state == "measured"
    assert matte[(grid.up_cm < 2.0) & (np.abs(grid.right_cm) > 5.5)].max() == 0
    assert matte[grid.up_cm < -1].max() == 0


def test_hair_of_the_colour_of_skin_is_unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    matte, state, _ = matte_of(hairy(hair=(150, 110, 86)), monkeypatch)
    assert state in ("unsure", "none")
    assert not matte.any()


def test_a_missing_engine_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    person_segmentation._network.cache_clear()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(FdError, match="the engine of the landmark networks cannot be loaded") as raised:
        person_segmentation.find_person(np.zeros((64, 64, 3), np.uint8), 32)
    assert raised.value.hint == "pip install ai-edge-litert"


def test_a_bare_head_has_no_hair_over_its_face() -> None:
    """Flat skin on a flat ground: nothing may be taken for hair, whatever the skin."""
    for skin in ((182, 140, 118), (92, 62, 48), (235, 205, 190), (120, 120, 120)):
        face = scenes.face(skin=skin)
        hair = find_hair(face.clean_HWC, face.landmarks.points_px, Scene.of(face).pose)
        inside = FaceGrid.of(face.landmarks.points_px[:, :2] / 2, Scene.of(face).pose, 0.5).oval
        assert not hair.matte[inside].any(), skin


def test_brows_eyes_and_the_middle_of_the_face_are_never_hair() -> None:
    """Paint them black: a network may take them for hair, and must not be believed."""
    face = scenes.face()
    clean = face.clean_HWC.copy()
    points = face.landmarks.points_px
    for first, last in ((70, 107), (300, 336)):
        (x0, y0), (x1, y1) = sorted((points[first, :2], points[last, :2]), key=lambda p: float(p[0]))
        clean[int(min(y0, y1)) - 4 : int(max(y0, y1)) + 4, int(x0) : int(x1)] = 12
    mouth = points[[61, 291, 0, 17], :2]
    clean[int(mouth[:, 1].min()) - 20 : int(mouth[:, 1].max()) + 25, int(mouth[0, 0]) : int(mouth[1, 0])] = 20
    hair = find_hair(clean, points, Scene.of(face).pose)
    column, row = np.round(points[[107, 105, 70, 336, 334, 300, 13, 14, 159, 386], :2] / 2).astype(int).T
    assert not hair.matte[row, column].any()


def test_locks_beside_an_eye_go_under_a_front_and_those_over_it_do_not() -> None:
    up, right = np.mgrid[10:-10:201j, -10:10:201j].astype(np.float32)
    beside = (np.abs(right) > 5.2).astype(np.float32)
    over = over_frames(beside, right, up)
    front, temple, fringe = (np.abs(right) < 7) & (np.abs(up) < 2.5), np.abs(right) > 8.1, up > 3.5
    assert (over[front] == 0).all()
    assert np.array_equal(over[temple | fringe], beside[temple | fringe])
    hides_the_left = np.maximum(beside, right < -1.0)
    one_eye = over_frames(hides_the_left.astype(np.float32), right, up)
    assert np.array_equal(one_eye[right < 0], hides_the_left[right < 0])
    assert (one_eye[front & (right > 0)] == 0).all()


@pytest.mark.parametrize("size_px", [64, 128, 256, 512])
def test_opened_hair_keeps_wide_locks_and_loses_thin_ones(size_px: int) -> None:
    matte = np.zeros((GRID_PX, GRID_PX), np.uint8)
    matte[:, 20:24] = 15  # 4 cells wide
    matte[:, 60:90] = 15
    hair, scale = Hair(matte, "measured"), size_px / GRID_PX
    wide = hair.opened(size_px, 12 * scale)
    assert wide.shape == (size_px, size_px)
    assert not wide[:, : round(40 * scale)].any()
    np.testing.assert_array_equal(wide[:, round(40 * scale) :], hair.at_size(size_px)[:, round(40 * scale) :])
    np.testing.assert_array_equal(hair.opened(size_px, 0.4 * scale), hair.at_size(size_px))

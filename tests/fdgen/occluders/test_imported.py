"""Imported occluders: worn and not pasted. They follow the head, take its light, and keep no background."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fdgen.analysis.lighting import FaceLight
from fdgen.assets import Asset, AssetLibrary
from fdgen.io.pictures.images import decode_rgba
from fdgen.kinds import kind_of
from fdgen.occluders import Placement, occluder_of
from fdgen.occluders.imported.cloth import thin_plate
from fdgen.occluders.imported.mesh import similarity
from fdgen.occluders.imported.texture import WHITE_ROWS, cutout
from fdgen.packs.anchors import guess_in_mesh, guess_in_picture
from fdgen.render.glb import read_glb
from fdgen.render.scene import Scene
from fdgen.synthesis.generator import render_placements
from tests.support import scenes
from tests.support.cutouts import bowl, cloth_mask, mug, png, sunglasses

Pictures = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def asset(kind: str, data: bytes, **shape: Any) -> Asset:
    """Return an asset as `fdgen assets add` would make it."""
    is_mesh, form = data[:4] == b"glTF", kind_of(kind).form
    if is_mesh:
        anchors = guess_in_mesh(read_glb(data, "it").vertices, form)
    else:
        least = 0.12 if kind == "sunglasses" else 0.5
        anchors = guess_in_picture(np.ascontiguousarray(decode_rgba(data, name="it")[..., 3]), form, least)
    points = {name: list(point) for name, point in anchors.items()}
    table = {"mesh" if is_mesh else "picture": "it", "anchors": points, **shape}
    digest = hashlib.sha256(data).hexdigest()
    return Asset(f"{kind}-own", kind, "own", "CC0-1.0", "painted", False, 1.0, digest, table, {"it": data})


OWN = {
    "mask": asset("mask", png(cloth_mask())),
    "sunglasses": asset("sunglasses", png(sunglasses())),
    "card": asset("hand", png(mug()), mirror=0.5, places=["mouth", "left_cheek"], delight=0.8),
    "mesh": asset("mask", bowl()),
}


def wear(scene: Scene, own: Asset, seed: int = 0) -> Placement:
    placed = occluder_of(own).place(scene, own, np.random.default_rng(seed))
    return Placement.from_dict(json.loads(json.dumps(placed.to_dict())))


def pictures(scene: Scene, own: Asset, placement: Placement) -> Pictures:
    return render_placements(scene, [placement], AssetLibrary({own.id: own}))


def lit_from(scene: Scene, x: float) -> Scene:
    """Return the scene under one strong lamp from the right of the picture (x > 0) or its left."""
    light = scene.light
    harmonics = np.zeros(9, np.float32)
    harmonics[0], harmonics[1], harmonics[3] = 0.5, 0.6 * x, 0.3
    direction = np.array([x, 0.0, 0.6], np.float32)
    lamp: FaceLight = dataclasses.replace(
        light,
        harmonics=harmonics,
        direction=direction / np.linalg.norm(direction),
        directional=0.8,
        residual=np.ones_like(light.residual),
    )
    return dataclasses.replace(scene, analysis=dataclasses.replace(scene.analysis, light=lamp))


@pytest.fixture(scope="module")
def frontal() -> Scene:
    return scenes.scene()


@pytest.mark.parametrize("name", OWN)
def test_the_same_placement_gives_the_same_bytes_and_changes_nothing_outside(name: str, frontal: Scene) -> None:
    placement = wear(frontal, OWN[name])
    assert placement == wear(frontal, OWN[name])
    assert placement != wear(frontal, OWN[name], seed=1)
    first, second = (pictures(frontal, OWN[name], placement) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one, other)
    occluded, mask, alpha = first
    assert np.array_equal(occluded[mask == 0], frontal.face.clean_HWC[mask == 0])
    share = float((alpha >= 128).mean())
    assert 0.03 < share < 0.5
    assert (mask[alpha >= 128] == 255).all()


@pytest.mark.parametrize("name", OWN)
def test_moving_the_landmarks_moves_it_with_them(name: str) -> None:
    def centre(scene: Scene) -> npt.NDArray[np.float64]:
        alpha = pictures(scene, OWN[name], wear(scene, OWN[name]))[2]
        rows, columns = np.nonzero(alpha >= 128)
        return np.array([columns.mean(), rows.mean()])

    moved = centre(scenes.scene(shift_px=(140.0, 134.0))) - centre(scenes.scene())  # type: ignore[arg-type]
    assert np.abs(moved - (12.0, -8.0)).max() < 1.0


def test_a_mask_turns_with_the_head() -> None:
    """Seen from the side it is foreshortened on the far side: a paste would only move."""
    scene = scenes.scene(yaw_deg=32.0)
    alpha = pictures(scene, OWN["mask"], wear(scene, OWN["mask"]))[2] >= 128
    seam = scene.pose.to_screen(scene.mesh_cm[[2, 152]])[:, 0].mean()
    columns = np.flatnonzero(alpha.any(0))
    assert columns[-1] - seam < 0.75 * (seam - columns[0])


@pytest.mark.parametrize("name", ["mask", "card", "mesh"])
def test_it_takes_the_light_of_the_face_and_leaves_its_own(name: str, frontal: Scene) -> None:
    """The mask was painted under a lamp at its left, the mug at its right."""
    placement = wear(frontal, OWN[name])

    def balance(x: float) -> float:
        occluded, _, alpha = pictures(lit_from(frontal, x), OWN[name], placement)
        rows, columns = np.nonzero(alpha >= 250)
        level = occluded[rows, columns].mean(1)
        left = columns < np.median(columns)
        return float(level[~left].mean() / level[left].mean())

    from_left, from_right = balance(-1.0), balance(1.0)
    assert from_right > 1.1
    assert from_left < 1.0
    assert from_right / from_left > 1.25


def test_no_background_shines_through_the_outline(frontal: Scene) -> None:
    """The paintings have a white fringe; a plain paste of the same picture at the same place shows it."""
    own = asset("hand", png(mug()), places=["mouth"], delight=0.0)
    occluded, _, alpha = pictures(frontal, own, wear(frontal, own))
    inside = (alpha >= 250).astype(np.uint8)
    core = cv2.erode(inside, np.ones((9, 9), np.uint8)) > 0
    ring = (inside > 0) & (cv2.erode(inside, np.ones((3, 3), np.uint8)) == 0)
    green = occluded[..., 1].astype(float)  # the mug is red: white shows in green
    ours = np.percentile(green[ring], 75) - np.median(green[core])
    picture = mug()
    soft = (picture[..., 3] >= 250).astype(np.uint8)
    edge = (soft > 0) & (cv2.erode(soft, np.ones((3, 3), np.uint8)) == 0)
    pasted = np.percentile(picture[..., 1][edge], 75) - np.median(picture[..., 1][soft > 0])
    assert pasted > 60
    assert ours < 25


def test_a_tinted_lens_is_silhouette_and_lets_the_eye_through(frontal: Scene) -> None:
    own = OWN["sunglasses"]
    placement = wear(frontal, own)
    dark = frontal.face.clean_HWC // 2
    dim = dataclasses.replace(frontal, face=dataclasses.replace(frontal.face, clean_HWC=dark))
    bright_eye, _, alpha = pictures(frontal, own, placement)
    dark_eye = pictures(dim, own, placement)[0]
    for corners in ((33, 133), (263, 362)):
        x, y = frontal.face.landmarks.points_px[list(corners), :2].mean(0).round().astype(int)
        assert alpha[y, x] == 255
        assert int(bright_eye[y, x].sum()) - int(dark_eye[y, x].sum()) > 10
    bridge = frontal.face.landmarks.points_px[6, :2].round().astype(int)
    assert abs(int(np.nonzero(alpha[:, bridge[0]])[0].mean()) - bridge[1]) < 16


def test_loops_are_cut_away_and_made_anew(frontal: Scene) -> None:
    data = png(cloth_mask())
    without, kept = (cutout(data, "it", 200, 0.0, 1.0, 0.5, keep) for keep in (False, True))
    bare = cutout(png(cloth_mask(loops=False)), "it", 200, 0.0, 1.0, 0.5, True)

    def share(one: Any) -> float:
        return float(one.cutout_HW2[WHITE_ROWS:, :, 0].sum()) * one.px_a_texel[0] * one.px_a_texel[1]

    assert share(kept) > 1.02 * share(bare)
    assert share(without) == pytest.approx(share(bare), rel=0.01)
    tied, loose = OWN["mask"], asset("mask", data, straps="none")
    placement = wear(frontal, tied)
    with_straps, cloth_alone = (pictures(frontal, own, placement)[2] >= 128 for own in (tied, loose))
    extra = with_straps & ~cloth_alone
    assert extra.sum() > 60
    columns = np.flatnonzero(extra.any(0))
    cheek = frontal.face.landmarks.points_px[[234, 454], 0]
    assert columns.min() < cheek[0] + 12
    assert columns.max() > cheek[1] - 12


def test_delight_takes_broad_light_out_and_keeps_the_pattern() -> None:
    data = png(cloth_mask(loops=False))

    def sides(delight: float) -> tuple[float, float]:
        one = cutout(data, "it", 256, delight, 1.0, 0.5, True)
        albedo = one.albedo_HWC[WHITE_ROWS:].mean(-1)
        there = one.cutout_HW2[WHITE_ROWS:, :, 0] > 0.9
        columns = np.arange(albedo.shape[1])[None] + np.zeros_like(albedo)
        left = there & (columns < 0.45 * albedo.shape[1])
        right = there & (columns > 0.55 * albedo.shape[1])
        return float(albedo[left].mean() / albedo[right].mean()), float(albedo[there].std() / albedo[there].mean())

    (lit, before), (flat, after) = sides(0.0), sides(1.0)
    assert lit > 1.5
    assert abs(np.log(flat)) < 0.4 * np.log(lit)
    assert after > 0.6 * before


def test_a_thin_plate_goes_through_its_points_nearly_and_a_similarity_comes_back() -> None:
    rng = np.random.default_rng(0)
    source = np.array([[0, -1], [-1, -0.6], [1, -0.6], [-0.8, 0.5], [0.8, 0.5], [0, 1]], float)
    moved = source @ [[0.9, 0.1], [-0.1, 1.1]] + (0.3, -0.2)
    assert np.allclose(thin_plate(source, moved, source), moved, atol=1e-9)  # affine: no slack is taken
    bent = moved + rng.normal(0, 0.05, moved.shape)
    assert np.abs(thin_plate(source, bent, source) - bent).max() < 0.05
    points = rng.normal(0, 1, (6, 3))
    turn = cv2.Rodrigues(np.array([0.3, -0.5, 0.2]))[0]
    scale, found, shift = similarity(points, 2.5 * points @ turn.T + (1, 2, 3))
    assert scale == pytest.approx(2.5)
    assert np.allclose(found, turn)
    assert np.allclose(shift, (1, 2, 3))


def test_a_mesh_keeps_its_colours_and_sits_on_the_nose(frontal: Scene) -> None:
    own = OWN["mesh"]
    occluded, _, alpha = pictures(frontal, own, wear(frontal, own))
    rows, columns = np.nonzero(alpha >= 250)
    upper = rows < np.percentile(rows, 30)
    lower = rows > np.percentile(rows, 70)
    redness = occluded[rows, columns, 0].astype(float) - occluded[rows, columns, 2]
    assert redness[upper].mean() > redness[lower].mean() + 40
    nose = frontal.face.landmarks.points_px[1, :2]
    assert alpha[int(nose[1]), int(nose[0])] == 255

"""Straps of masks beside hair and ears, valves on cloth, and edges that stay where they are cut."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import pytest

from fdgen.arrays import F64
from fdgen.assets import AssetLibrary
from fdgen.occluders.cloth.drape import head_map
from fdgen.occluders.cloth.fabric import dress
from fdgen.occluders.masks.bare_skin import BareSkin
from fdgen.occluders.masks.mask import Mask, build, lay_texels
from fdgen.occluders.masks.pattern import COLUMNS, ROWS, drape
from fdgen.occluders.masks.straps import straps
from fdgen.occluders.masks.valve import LIDS, shade_below, valves
from fdgen.render.scene import Scene
from tests.support import scenes

ASSETS = AssetLibrary.load().assets
HAIR = (38, 30, 26)


def person(*, long_hair_on: int = 0) -> Scene:
    """Return a face with ears and short dark hair; on one side, 1 the viewer's right, the hair may be long."""
    face = scenes.face()
    picture, points = face.clean_HWC.copy(), face.landmarks.points_px
    picture[: round(points[10, 1]) + 4] = HAIR
    top, bottom = round(points[10, 1]) + 4, round(points[152, 1])
    for side, tragus in ((-1, 234), (1, 454)):
        hangs = side == long_hair_on
        edge = round(points[tragus, 0]) - side * (9 if hangs else 3)
        beside = slice(0, edge) if side < 0 else slice(edge, None)
        picture[top:bottom, beside] = HAIR if hangs else scenes.SKIN
    return Scene.of(replace(face, clean_HWC=picture))


def test_ears_are_seen_where_no_hair_hides_them() -> None:
    assert BareSkin.of(person()).ears_seen() == (True, True)
    assert BareSkin.of(person(long_hair_on=1)).ears_seen() == (True, False)


def test_a_bald_head_has_ears() -> None:
    face = scenes.face()
    on = Scene.of(replace(face, clean_HWC=np.full_like(face.clean_HWC, scenes.SKIN)))
    assert BareSkin.of(on).ears_seen() == (True, True)


def test_a_loop_lies_under_hair_that_begins_at_the_mask_and_goes_under_hair_that_begins_later() -> None:
    asset, shown, always = ASSETS["mask-surgical"], {}, {}
    for long_hair_on in (0, 1):
        on = person(long_hair_on=long_hair_on)
        fit = Mask().place(on, asset, np.random.default_rng(0)).values
        head = head_map(on.mesh_cm)
        sheet = drape(head, on.mesh_cm, asset.shape["cut"], fit)
        strands = straps(on, head, sheet, asset.shape["straps"], fit)
        shown[long_hair_on] = [float(one.surface_N8[:, 1].max()) for one in strands]
        always[long_hair_on] = [one.strands[0].shown for one in strands]
    assert shown == {0: [1.0] * 4, 1: [1.0, 1.0, 0.0, 1.0]}
    whole = always[0][0]
    assert always[0] == [whole] * 4
    assert always[1][:2] == [whole, whole]
    assert 5 <= always[1][3] < whole


def test_a_loop_darkens_towards_the_cleft_behind_the_ear() -> None:
    on, asset = person(), ASSETS["mask-surgical"]
    mesh = build(on, Mask().place(on, asset, np.random.default_rng(3)).values, asset)
    strand = mesh.strands[0]
    albedo = mesh.albedo_N3[strand.start : strand.start + strand.rings * strand.ring].reshape(strand.rings, -1, 3)
    brightness = albedo.max((1, 2))  # of the side that looks away from the skin
    assert brightness[-1] < 0.45 * brightness[0]
    assert (np.diff(brightness[-8:]) < 0).all()
    assert (albedo[4:-8].min((1, 2)) < 0.75 * albedo[4:-8].max((1, 2))).all()


def rings_of(on: Scene, **changes: list[float]) -> F64:
    """Return the vertices (strands, rings, sides, 3) of the loops of a mask."""
    asset = ASSETS["mask-surgical"]
    fit = {**Mask().place(on, asset, np.random.default_rng(3)).values, **changes}
    head = head_map(on.mesh_cm)
    found = straps(on, head, drape(head, on.mesh_cm, asset.shape["cut"], fit), "ears", fit)
    return np.stack([np.asarray(one.vertices_cm, np.float64).reshape(one.strands[0].rings, -1, 3) for one in found])


def test_a_loop_hangs_as_it_was_drawn_and_is_where_it_was_at_its_ends() -> None:
    straight, hanging = (rings_of(person(), strand_sag_cm=[cm] * 4).mean(2) for cm in (0.0, 0.3))
    sunk = (straight - hanging)[..., 1]
    assert np.allclose(sunk[:, [0, -1]], 0.0, atol=0.02)
    assert (sunk[:, 9:13] > 0.15).all()


def test_a_loop_that_turns_is_broad_where_its_flat_side_is_seen_and_narrow_at_the_ear() -> None:
    def wide(turn: float) -> F64:
        rings = rings_of(person(), strand_turn=[turn] * 4, strand_twist=[0.0] * 4)
        return np.ptp(rings[..., 0], axis=2)

    flat, edgewise = wide(0.0), wide(np.pi / 2)
    assert (flat[:, 3:10] > 1.1 * edgewise[:, 3:10]).all()
    assert (flat[:, -1] < 0.8 * flat[:, 3]).all()


@pytest.mark.parametrize("name", ["mask-surgical", "mask-kn95", "mask-cloth-fitted"])
def test_the_top_edge_is_highest_over_the_nose(name: str) -> None:
    on, asset = person(), ASSETS[name]
    level = replace(asset, shape={**asset.shape, "under_nose": 0.0, "under_chin": 0.0})
    for seed in range(6):
        fit = dict(Mask().place(on, level, np.random.default_rng(seed)).values) | {"tilt_deg": 0.0, "shift_deg": 0.0}
        sheet = drape(head_map(on.mesh_cm), on.mesh_cm, asset.shape["cut"], fit)
        edge = sheet.points_cm[0, :, 1]
        middle = edge[COLUMNS // 2 - 2 : COLUMNS // 2 + 3].max()
        beside_nose = np.abs(sheet.points_cm[0, :, 0]) < 3.5
        assert edge[beside_nose].max() < middle + 0.35
        assert sheet.points_cm.shape == (ROWS, COLUMNS, 3)


def test_a_valve_throws_its_shadow_away_from_the_light() -> None:
    on, asset = person(), ASSETS["mask-cup-valve"]
    fit = Mask().place(on, asset, np.random.default_rng(1)).values
    texels = lay_texels(drape(head_map(on.mesh_cm), on.mesh_cm, "cup", fit))
    left = []
    for x in (-0.7, 0.7):
        cloth = np.ones((*texels.across.shape, 3), np.float32)
        shade_below(cloth, texels, "round", fit, np.array([x, 0.0, 0.7], np.float32))
        half = cloth.shape[1] // 2
        left.append((cloth[:, :half].mean(), cloth[:, half + 1 :].mean()))
    assert left[0][0] > left[0][1]
    assert left[1][0] < left[1][1]


@pytest.mark.parametrize("lid", LIDS)
def test_a_valve_has_sharp_edges_and_stands_off_the_cloth(lid: str) -> None:
    on, asset = person(), ASSETS["mask-cup-valve"]
    fit = {**Mask().place(on, asset, np.random.default_rng(1)).values, "valve_lid": lid}
    sheet = drape(head_map(on.mesh_cm), on.mesh_cm, "cup", fit)
    (mesh,) = valves(sheet, "round", fit)
    assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1.0)
    centre = sheet.points_cm[:, sheet.points_cm.shape[1] // 2]
    top = np.linalg.norm(centre - mesh.vertices_cm[-1], axis=-1).min()
    assert fit["valve_high"] < top < 1.2 * fit["valve_high"] + 0.1
    lit = mesh.albedo_N3.max(1) / np.max(fit["valve_colour"])
    assert lit.min() < 0.5
    assert (lit < 0.3).any() == (lid == "slotted")


def test_a_valve_keeps_light_off_the_cloth_round_it_and_nowhere_else() -> None:
    on, asset = person(), ASSETS["mask-cup-valve"]
    fit = Mask().place(on, asset, np.random.default_rng(1)).values
    texels = lay_texels(drape(head_map(on.mesh_cm), on.mesh_cm, "cup", fit))
    cloth = np.ones((*texels.across.shape, 3), np.float32)
    shade_below(cloth, texels, "round", fit, np.array([0.0, 0.0, 1.0], np.float32))
    row, column = round(fit["valve_down"] * (len(cloth) - 1)), cloth.shape[1] // 2
    away = np.hypot(texels.across - texels.across[row, column], texels.down - texels.down[row, column])
    assert cloth[row, column, 0] == pytest.approx(0.55 * 0.65, abs=0.01)
    assert cloth[away > fit["valve_cm"] + 1.0].min() > 0.99


def test_bright_cloth_is_never_dyed_as_deeply_as_light_can_be() -> None:
    for seed in range(600):
        base = dress(np.random.default_rng(seed), "cloth", {"plain": 1.0})["colours"][0]
        _, saturation, value = colorsys.rgb_to_hsv(*base)
        assert value < 0.8 or saturation < 0.75

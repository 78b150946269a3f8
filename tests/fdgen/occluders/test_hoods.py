"""Hoods and veils: a hood leaves the face free and covers the hair, a veil leaves the eyes free."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from fdgen.analysis.geometry import region_mask
from fdgen.arrays import Bools
from fdgen.assets import AssetLibrary
from fdgen.contract.digests import canonical_json
from fdgen.errors import AssetError
from fdgen.occluders import OCCLUDERS
from fdgen.occluders.headwear.head_surface import HeadSurface
from fdgen.occluders.hoods.fur import fur_mesh
from fdgen.occluders.hoods.hood import HoodSpec, shaded
from fdgen.occluders.hoods.hood_mesh import ANGLE, Opening, hood_sheets
from fdgen.occluders.hoods.veil_mesh import COLUMNS, ROWS, veil_sheet
from fdgen.render.composite import composite
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene, skull
from tests.support import wearing
from tests.support.wearing import assert_moves_with_the_landmarks, assert_read_back_the_same, scene

ASSETS = {name: asset for name, asset in AssetLibrary.load().assets.items() if asset.kind in ("hood", "veil")}
HOODS = sorted(name for name in ASSETS if ASSETS[name].kind == "hood")
VEILS = sorted(name for name in ASSETS if ASSETS[name].kind == "veil")
SOME = ["hood-sweater", "hood-parka", "veil-niqab", "veil-net"]
wear = partial(wearing.wear, seed=3)


def region(on: Scene, name: str) -> Bools:
    inside: Bools = region_mask(on.face.landmarks.points_px, name, on.size_px) > 0
    return inside


def crown(on: Scene) -> tuple[int, int]:
    """Return the row and column of the top of the skull."""
    vertices, _ = skull(on.mesh_cm)
    x, y, _ = on.pose.to_screen(vertices[vertices[:, 1].argmax()][None])[0]
    return round(float(y)), round(float(x))


def slits_px(layer: Layer) -> int:
    """Return how many pixels lie in small gaps of a silhouette: its opening is larger."""
    height, width = layer.silhouette_HW.shape
    _, _, found, _ = cv2.connectedComponentsWithStats((layer.silhouette_HW < 0.5).astype(np.uint8), connectivity=4)
    return sum(
        int(area)
        for x, y, wide, high, area in found[1:]
        if area < 200 and x > 0 and y > 0 and x + wide < width and y + high < height
    )


@pytest.mark.parametrize("yaw_deg", [0.0, 15.0, -30.0])
@pytest.mark.parametrize("name", ["hood-jacket", "veil-niqab", "veil-niqab-low"])
def test_the_head_does_not_slit_the_cloth(name: str, yaw_deg: float) -> None:
    """Temples and foreheads that jut out push a hood or a headscarf outwards."""
    for seed in range(6):
        assert slits_px(wear(scene(yaw_deg), ASSETS[name], seed=seed)[1]) < 4


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_each_is_plain_json_and_a_whole_layer_on_every_face(name: str) -> None:
    for yaw_deg in (-30.0, 30.0):
        placement, layer = wear(scene(yaw_deg), ASSETS[name], seed=5)
        json.loads(canonical_json(placement.to_dict()))
        assert np.isfinite(layer.colour_HWC).all()
        assert layer.colour_HWC.min() >= 0
        assert (layer.silhouette_HW > 0.5).mean() > 0.08
        assert (layer.silhouette_HW + layer.clear_HW).max() <= 1 + 1e-4
        occluded, mask, _ = composite(scene(yaw_deg).face.clean_HWC, [layer])
        assert np.array_equal(occluded[mask == 0], scene(yaw_deg).face.clean_HWC[mask == 0])


@pytest.mark.parametrize("name", HOODS)
def test_a_hood_covers_the_head_and_leaves_the_face(name: str) -> None:
    on = scene()
    _, layer = wear(on, ASSETS[name])
    assert layer.silhouette_HW[crown(on)] > 0.95
    for part in ("eyes", "nose", "mouth"):
        assert layer.silhouette_HW[region(on, part)].max() < 0.3
    assert layer.shadow_HW[region(on, "face")].mean() > 0.02


@pytest.mark.parametrize("name", VEILS)
def test_a_veil_covers_nose_and_mouth_and_leaves_the_eyes(name: str) -> None:
    on = scene()
    placement, layer = wear(on, ASSETS[name])
    assert (layer.silhouette_HW[region(on, "mouth")] > 0.95).all()
    assert (layer.silhouette_HW[region(on, "eyes")] > 0.5).mean() < 0.1
    assert (layer.silhouette_HW[crown(on)] > 0.5) == (placement.values["scarf"] is not None)
    sheer = placement.values["size"]["opacity"] < 1
    assert (layer.opacity_HW[region(on, "mouth")] < 0.99).all() == sheer


@pytest.mark.parametrize("name", SOME)
def test_a_placement_read_back_from_json_renders_the_same_bytes(name: str) -> None:
    assert_read_back_the_same(ASSETS[name])


@pytest.mark.parametrize("name", SOME)
def test_moving_the_landmarks_moves_them(name: str) -> None:
    assert_moves_with_the_landmarks(ASSETS[name], scale_px=8.0)


@pytest.mark.parametrize("name", HOODS)
def test_the_edge_of_a_hood_stays_outside_the_head_and_its_cloth_is_whole(name: str) -> None:
    on = scene()
    placement, _ = wear(on, ASSETS[name])
    surface = HeadSurface.of(on.mesh_cm)
    opening = Opening.of(on.mesh_cm, surface, placement.values)
    above = np.abs(ANGLE) < np.radians(110.0)
    assert surface.gap(opening.edge[above]).min() > 0.0
    assert np.allclose(opening.edge[0], opening.edge[-1], atol=1e-6)
    outside, inside, share = hood_sheets(opening, placement.values)
    rows = outside.vertices.reshape(-1, len(ANGLE), 3)
    assert np.allclose(rows[:, 0], rows[:, -1], atol=0.02)  # its ends meet below the chin
    assert len(inside.faces) < len(outside.faces)  # none of it lies before the neck
    assert (share.min(), share.max()) == (0.0, 1.0)


def test_fur_grows_outwards_along_the_edge() -> None:
    on = scene()
    placement, _ = wear(on, ASSETS["hood-parka"])
    opening = Opening.of(on.mesh_cm, HeadSurface.of(on.mesh_cm), placement.values)
    fur = fur_mesh(opening.edge, opening.middle, placement.values)
    near = np.linalg.norm(fur.vertices_cm[:, None] - opening.edge[None, ::4], axis=2).min(1)
    assert near.max() < 1.7 * placement.values["size"]["fur_cm"] + 0.6
    far = np.linalg.norm(fur.vertices_cm[:, :2] - opening.middle, axis=1)
    assert far.mean() > np.linalg.norm(opening.edge[:, :2] - opening.middle, axis=1).mean()
    plain = copy.deepcopy(dict(placement.values))
    plain["size"]["fur_cm"] = 0.0
    bare = OCCLUDERS["hood"].render(on, replace(placement, values=plain), ASSETS["hood-parka"])
    _, furry = wear(on, ASSETS["hood-parka"])
    assert (furry.silhouette_HW > 0.5).sum() > (bare.silhouette_HW > 0.5).sum()


def test_the_edge_of_a_hood_shades_the_face_and_nothing_beside_the_head() -> None:
    on = scene()
    _, layer = wear(on, ASSETS["hood-sweater"])
    bare = replace(layer, shadow_HW=np.zeros_like(layer.shadow_HW))
    shade = shaded(on, bare).shadow_HW
    points = on.face.landmarks.points_px
    brow, lip = (points[n, :2].round().astype(int) for n in (151, 17))
    assert shade[: brow[1]].max() > 0.2
    assert shade[lip[1], lip[0]] == 0  # it ends soon
    assert shade[on.head_coverage_HW == 0].max() == 0
    assert shade.max() < 0.7


@pytest.mark.parametrize("name", VEILS)
def test_a_veil_lies_outside_the_face_and_hangs_below_the_chin(name: str) -> None:
    on = scene()
    placement, _ = wear(on, ASSETS[name])
    surface = HeadSurface.of(on.mesh_cm)
    grid = veil_sheet(on.mesh_cm, surface, placement.values).vertices.reshape(ROWS, COLUMNS, 3)
    chin = on.mesh_cm[152, 1]
    beside = np.abs(grid[..., 0]) < 5.0
    assert surface.gap(grid[beside & (grid[..., 1] > chin + 1.5)]).min() > -0.25
    assert grid[-1, COLUMNS // 2, 1] == pytest.approx(chin - placement.values["size"]["drop_cm"], abs=0.05)
    lids = on.mesh_cm[[145, 374], 1]
    assert grid[0, :, 1].max() < lids.max() + 2.5
    assert grid[0, COLUMNS // 2, 2] > on.mesh_cm[6, 2] - 0.4  # on the bridge of the nose


def test_a_word_that_no_hood_knows_is_refused() -> None:
    asset = ASSETS["hood-sweater"]
    with pytest.raises(AssetError, match="fabric"):
        HoodSpec.of(replace(asset, shape={**asset.shape, "fabric": "mail"}))

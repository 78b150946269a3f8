"""Rendering, light and the blend law, on meshes simple enough to know the answer."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdgen.analysis.geometry import grid_faces
from fdgen.analysis.lighting import estimate_light, sh_basis, to_linear, to_srgb
from fdgen.analysis.optics import Optics, grain
from fdgen.render.composite import composite, match_sensor
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, Mesh, join, part, tube
from fdgen.render.scene import Analysis, Scene
from tests.support import scenes


def plate(x: float, y: float, z: float, half: float = 2.0, **material: float) -> Mesh:
    """Return a square of side 2·half cm facing the viewer of a frontal head, at (x, y, z)."""
    rows, columns = np.mgrid[0:5, 0:5] / 4 * 2 - 1
    vertices = np.stack([x + half * columns, y - half * rows, np.full_like(rows, z)], -1).reshape(-1, 3)
    return part(vertices, grid_faces(5, 5), Material([0.5, 0.5, 0.5], two_sided=True, **material))


def test_a_plate_before_the_face_shows_and_one_behind_it_does_not() -> None:
    scene = scenes.scene()
    nose = scene.mesh_cm[4]
    front = draw(scene, plate(0, nose[1], nose[2] + 1), Style())
    behind = draw(scene, plate(0, nose[1], nose[2] - 6), Style())
    assert front.silhouette_HW.max() == 1
    assert behind.silhouette_HW.max() == 0
    side_px = 4 * scene.pose.scale_px
    assert front.silhouette_HW.sum() == pytest.approx(side_px**2, rel=0.02)


def test_the_far_temple_of_a_turned_head_disappears() -> None:
    """Law of depth: of two rods along the sides of the head, only the near one shows."""
    scene = scenes.scene(yaw_deg=35)
    shown = []
    for ear in (454, 234):  # the viewer's right, then left, of a frontal face
        end = scene.mesh_cm[ear] + [0.3 * np.sign(scene.mesh_cm[ear, 0]), 1.0, -1.0]
        start = end + np.array([0, 0, 2.0])
        vertices, faces = tube(np.linspace(start, end, 12), 0.2)
        layer = draw(scene, part(vertices, faces, Material([0.1, 0.1, 0.1])), Style())
        shown.append(float(layer.silhouette_HW.sum()))
    assert shown[1] > 4 * max(shown[0], 1.0)


def test_drawing_is_pure() -> None:
    scene, mesh = scenes.scene(yaw_deg=10), plate(0, 0, 8, specular=0.3, mirror=0.2)
    environment = np.random.default_rng(0).random((8, 16, 3)).astype(np.float32)
    first, second = (draw(scene, mesh, Style(), environment=environment) for _ in range(2))
    for name in set(Layer.__dataclass_fields__) - {"box"}:
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


def test_a_mesh_outside_the_picture_draws_nothing() -> None:
    layer = draw(scenes.scene(), plate(80, 0, 5), Style())
    assert not layer.silhouette_HW.any()
    assert not layer.shadow_HW.any()


def test_a_shadow_falls_away_from_the_light() -> None:
    scene = scenes.scene()
    light = scene.light
    tilted = np.array([0.7, 0.0, 0.714], np.float32)  # from the viewer's right
    analysis = replace(scene.analysis, light=replace(light, direction=tilted, directional=1.0))
    lit = Scene(scene.face, scene.mesh_cm, scene.depth_HW, analysis)
    shadow = draw(lit, plate(0, 0, 9, half=1.5), Style()).shadow_HW
    columns = np.arange(shadow.shape[1])
    centre = (shadow.sum(0) * columns).sum() / shadow.sum()
    assert centre < scene.pose.shift_px[0] - 3


def test_light_direction_is_found_again() -> None:
    """Shade a sphere of normals by a known light; the estimate points the same way."""
    rows, columns = (np.mgrid[0:128, 0:128] - 63.5) / 63.5
    inside = rows**2 + columns**2 < 0.8
    normals = np.stack([columns, -rows, np.sqrt(np.clip(1 - rows**2 - columns**2, 0, 1))], -1).astype(np.float32)
    for direction in ([0.6, 0.3, 0.74], [-0.7, 0.0, 0.71], [0.0, 0.8, 0.6]):
        shading = 0.12 + 0.3 * np.clip(normals @ np.array(direction), 0, None)
        picture = np.repeat((to_srgb(shading.astype(np.float32)) + 0.5).astype(np.uint8)[..., None], 3, 2)
        light = estimate_light(picture, normals, inside)
        assert np.degrees(np.arccos(np.clip(light.direction @ np.array(direction), -1, 1))) < 15
        assert light.grey
        predicted = (sh_basis(normals[inside]) @ light.harmonics) * light.skin_albedo
        assert np.abs(predicted / shading[inside] - 1).mean() < 0.15


def test_what_is_no_analysis_is_a_value_error() -> None:
    packed = scenes.scene().analysis.to_bytes()
    for data in (b"", b"x", packed[:-9], zlib.compress(b"short"), zlib.compress(2 * zlib.decompress(packed))):
        with pytest.raises(ValueError, match=r"."):
            Analysis.from_bytes(data)


def test_analysis_survives_serialisation_bit_for_bit() -> None:
    analysis = scenes.scene(yaw_deg=12).analysis
    again = Analysis.from_bytes(analysis.to_bytes())
    assert again.optics == analysis.optics
    for section in ("pose", "light"):
        before, after = getattr(analysis, section), getattr(again, section)
        for name in type(before).__dataclass_fields__:
            assert np.array_equal(getattr(after, name), getattr(before, name)), name
            assert type(getattr(after, name)) is type(getattr(before, name)), name


def test_linear_light_round_trips_every_level() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal((to_srgb(to_linear(levels)) + 0.5).astype(np.uint8), levels)


@settings(max_examples=25, deadline=None)
@given(
    x=st.floats(-8, 8),
    y=st.floats(-8, 8),
    z=st.floats(10, 14),
    opacity=st.floats(0, 1),
    blur_px=st.floats(0.3, 2),
    noise=st.floats(0, 6),
    halo=st.floats(0, 1.2),
    jpeg_quality=st.sampled_from([0, 40, 90]),
)
def test_outside_the_mask_nothing_changes(
    x: float, y: float, z: float, opacity: float, blur_px: float, noise: float, halo: float, jpeg_quality: int
) -> None:
    """Law 1, and what the masks mean, whatever the occluder."""
    scene = _SCENE
    optics = Optics(blur_px, noise, halo, 0.8, 0.3, jpeg_quality)
    layer = match_sensor(draw(scene, plate(x, y, z, opacity=opacity), Style()), optics, 5)
    occluded, mask, alpha = composite(
        scene.face.clean_HWC, [layer, layer], jpeg_quality=jpeg_quality, frame=np.array([[1.4, 0, -3], [0, 1.4, -28]])
    )
    assert set(np.unique(mask)) <= {0, 255}
    assert np.array_equal(occluded[mask == 0], scene.face.clean_HWC[mask == 0])
    assert not alpha[mask == 0].any()
    assert alpha.max() >= 250  # the silhouette counts fully, however clear the plate


_SCENE = scenes.scene(yaw_deg=15)


def test_no_layer_changes_nothing() -> None:
    face = scenes.face()
    occluded, mask, alpha = composite(face.clean_HWC, [])
    assert np.array_equal(occluded, face.clean_HWC)
    assert not mask.any()
    assert not alpha.any()


def test_grey_photographs_stay_grey() -> None:
    scene = scenes.scene(skin=(128, 128, 128))
    mesh = join([plate(0, 0, 9)])
    picture = np.repeat(scene.face.clean_HWC[..., :1], 3, 2)
    occluded, mask, _ = composite(picture, [draw(scene, mesh, Style())], grey=True)
    assert mask.any()
    assert (occluded.max(-1) == occluded.min(-1)).all()


def test_grain_has_the_strength_of_the_photograph_and_a_window_of_its_own() -> None:
    optics = Optics(0.5, 4.0)
    first, second = grain((256, 200), optics, 1), grain((256, 200), optics, 2)
    assert first.shape == (256, 200, 3)
    assert np.array_equal(first, grain((256, 200), optics, 1))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1
    assert first.std() == pytest.approx(4.0, rel=0.1)

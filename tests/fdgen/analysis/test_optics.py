"""The sensor: what was done to a picture is found again, and an occluder gets what was found."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fdgen.analysis.edge_blur import _clean, _greatest, edge_spread
from fdgen.analysis.geometry import grid_faces
from fdgen.analysis.jpeg import estimate_quality, recompress
from fdgen.analysis.optics import Optics, _grey_grain, _window, blur, estimate_optics, grain
from fdgen.faces.folders import SampleFaces
from fdgen.io.pictures.images import resize, through_jpeg
from fdgen.render.composite import IN_FOCUS, composite, match_sensor
from fdgen.render.draw import Layer, Style, draw
from fdgen.render.mesh import Material, part
from tests.support import scenes

F32 = npt.NDArray[np.float32]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
UNSCALED = np.eye(2, 3)


def shapes(size_px: int = 256) -> F32:
    """Draw quadrangles of many greys and slants, sampled 16 times a pixel: edges as sharp as pixels can be."""
    rng, fine = np.random.default_rng(0), 4
    picture = np.full((size_px * fine, size_px * fine), 90, np.float32)
    for _ in range(9):
        turns = rng.uniform(0, 2 * np.pi) + np.array([0, 1.5, 3.1, 4.6])
        corners = fine * (rng.uniform(20, 230, 2) + rng.uniform(20, 50) * np.stack([np.cos(turns), np.sin(turns)], -1))
        cv2.fillPoly(picture, [corners.astype(np.int32)], (float(rng.uniform(30, 220)),))
    return np.asarray(cv2.resize(picture, (size_px, size_px), interpolation=cv2.INTER_AREA), np.float32)


def portrait(size_px: int) -> npt.NDArray[np.uint8]:
    """Shrink an embedded portrait: what its own file did to it is gone."""
    faces = SampleFaces()
    picture = faces.read(faces.sources()[0])
    return resize(np.ascontiguousarray(picture[: picture.shape[1]]), size_px, size_px)


@pytest.mark.parametrize("blur_px", [0.6, 1.0, 1.6, 2.2])
@pytest.mark.parametrize("halo", [0.0, 0.4, 0.8])
def test_blur_and_halo_are_found_again(blur_px: float, halo: float) -> None:
    picture = blur(shapes(), Optics(blur_px, 0.0, halo))
    noisy = picture + np.random.default_rng(1).normal(0, 1.0, picture.shape)
    found_px, found_halo = edge_spread(np.round(np.clip(noisy, 0, 255)).astype(np.float32), max(1.0, 1.5 * blur_px))
    assert found_px == pytest.approx(blur_px, abs=0.13, rel=0.13)  # halos hide a little of it
    assert found_halo == pytest.approx(halo, abs=0.3)


def test_a_picture_without_an_edge_is_as_soft_as_its_enlargement() -> None:
    flat = np.full((128, 128), 90, np.float32)
    assert edge_spread(flat, 1.0) == (0.5, 0.0)
    assert edge_spread(flat, 3.0) == (1.5, 0.0)


@pytest.mark.parametrize("noise", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("grain_px", [0.5, 0.8, 1.1])
@pytest.mark.parametrize("chroma_share", [0.0, 0.3, 0.6])
def test_noise_is_found_again_with_its_grain_and_colour(noise: float, grain_px: float, chroma_share: float) -> None:
    """On a shaded picture, beside an edge that is no noise."""
    rows, columns = np.mgrid[:256, :256]
    shades = 90 + 0.2 * rows + 20 * np.sin(columns / 25) + 40 * (columns > 200)
    picture = shades[..., None] * (np.array([1.1, 1.0, 0.93]) if chroma_share else np.ones(3))
    asked = Optics(0.6, noise, 0.0, grain_px, chroma_share)
    noisy = np.clip(picture + grain((256, 256), asked, 4) + 0.5, 0, 255).astype(np.uint8)
    skin = (rows > 20) & (columns > 20)
    found = estimate_optics(noisy, skin, UNSCALED)
    assert 0.70 * noise < found.noise_levels < 1.1 * noise  # the quietest parts count
    assert found.grain_px == pytest.approx(grain_px, abs=0.21)
    # A third of a level of colour lies near what rounding hides.
    assert found.chroma_share == pytest.approx(chroma_share, abs=0.15 + 0.1 / noise)


@pytest.mark.parametrize("grain_px", [0.5, 1.0, 1.5, 2.0])
def test_noise_made_anew_has_the_texture_of_what_was_measured(grain_px: float) -> None:
    """Strength and grain of coarse noise are hard to tell apart; what they do within 3 px is not."""
    picture = np.full((256, 256, 3), (140.0, 120.0, 100.0))
    noise = grain((256, 256), Optics(0.6, 4.0, 0.0, grain_px, 0.3), 4)
    seen = (picture + noise + 0.5).astype(np.uint8)
    again = grain((256, 256), estimate_optics(seen, np.ones((256, 256), np.bool_), UNSCALED), 9)
    for distance in (1, 2, 3):
        taps = np.zeros(2 * distance + 1, np.float32)
        taps[[0, distance, -1]] = 1, -2, 1
        before, after = (cv2.sepFilter2D(one @ LUMA, cv2.CV_32F, taps, taps).std() / 6 for one in (noise, again))
        assert after == pytest.approx(before, rel=0.3, abs=0.2)  # rounding alone leaves 0.2 levels


def test_a_flat_picture_has_no_noise_whatever_its_rounding() -> None:
    rows = np.mgrid[:256, :256][0]
    picture = np.repeat((90 + 0.31 * rows + 0.5)[..., None], 3, 2).astype(np.uint8)
    assert estimate_optics(picture, np.ones((256, 256), np.bool_), UNSCALED).noise_levels < 0.4


@pytest.mark.parametrize("file_px", [89, 178, 256])
@pytest.mark.parametrize("quality", [40, 60, 75, 80])
def test_the_quality_of_a_jpeg_is_read_off_its_crop(file_px: int, quality: int) -> None:
    coded = resize(through_jpeg(portrait(file_px), quality), 256, 256)
    zoom = 256 / file_px
    frame = np.array([[zoom, 0.0, 0.0], [0.0, zoom, 0.0]])
    assert abs(estimate_quality(coded @ LUMA, frame) - quality) <= 1


@pytest.mark.parametrize("file_px", [89, 178, 256])
def test_a_picture_without_blocks_has_no_quality(file_px: int) -> None:
    zoom = 256 / file_px
    frame = np.array([[zoom, 0.0, 0.0], [0.0, zoom, 0.0]])
    assert estimate_quality(resize(portrait(file_px), 256, 256) @ LUMA, frame) == 0
    coded = resize(through_jpeg(portrait(file_px), 75), 256, 256)
    # The right blocks in the wrong place, or shrunk away, cannot be seen.
    assert estimate_quality(coded @ LUMA, frame + np.array([[0, 0, 3.6], [0, 0, 2.7]]) * zoom) == 0
    assert estimate_quality(coded @ LUMA, 0.5 * frame / zoom) == 0


def test_what_is_laid_over_a_jpeg_becomes_one_and_nothing_else_changes() -> None:
    """Law 1 where blocks reach over the mask; and the occluder's coefficients lie on the file's steps."""
    zoom = 256 / 178
    frame = np.array([[zoom, 0.0, 0.0], [0.0, zoom, -20 * zoom]])
    photograph = through_jpeg(portrait(218)[:, 20:198], 60)
    clean = resize(np.ascontiguousarray(photograph[20:198]), 256, 256)
    untouched = clean.copy()
    recompress(untouched, np.ones((256, 256), np.bool_), frame, 60)
    assert np.abs(untouched.astype(int) - clean).mean() < 1.0  # coding again what was coded changes next to nothing
    touched = np.zeros((256, 256), np.bool_)
    touched[40:230, 30:220] = True
    occluded = clean.copy()
    occluder = cv2.GaussianBlur(np.random.default_rng(2).uniform(0, 255, (256, 256, 3)), (0, 0), 2.0)
    occluded[touched] = np.clip(128 + 4 * (occluder[touched] - 128), 0, 255).astype(np.uint8)
    plain = occluded.copy()
    recompress(occluded, touched, frame, 60)
    assert np.array_equal(occluded[~touched], clean[~touched])
    window = (slice(46, 224), slice(35, 214))
    inside = frame - np.array([[0, 0, 35], [0, 0, 46]])
    assert estimate_quality(plain[window] @ LUMA, inside) == 0
    assert abs(estimate_quality(occluded[window] @ LUMA, inside) - 60) <= 1


def plate_over(background: float, optics: Optics) -> tuple[npt.NDArray[np.uint8], Layer]:
    """Lay a bright plate, turned a little, over an even picture, with the sensor of `optics`."""
    scene = scenes.scene(roll_deg=8)
    rows, columns = np.mgrid[0:5, 0:5] / 4 * 2 - 1
    vertices = np.stack([5 * columns, -5 * rows, np.full_like(rows, 12.0)], -1).reshape(-1, 3)
    mesh = part(vertices, grid_faces(5, 5), Material([0.7, 0.7, 0.7]))
    layer = match_sensor(draw(scene, mesh, Style(shadow=0.0)), optics, 7)
    return composite(np.full((256, 256, 3), background, np.uint8), [layer])[0], layer


@pytest.mark.parametrize(("blur_px", "halo"), [(0.7, 0.0), (1.0, 0.5), (1.8, 0.3)])
def test_an_occluder_has_the_edges_of_what_is_in_focus(blur_px: float, halo: float) -> None:
    """Outlines of real masks are narrower than a quarter of the other edges in their pictures: 0.85 of the blur."""
    occluded, _ = plate_over(40, Optics(blur_px, 0.0, halo))
    found_px, found_halo = edge_spread(occluded @ LUMA, max(1.0, 1.5 * blur_px))
    assert IN_FOCUS == 0.85
    assert found_px == pytest.approx(0.85 * blur_px, rel=0.18)  # sharp steps are found a little narrower
    assert found_halo == pytest.approx(halo, abs=0.3)


def test_an_occluder_has_the_noise_asked_for() -> None:
    asked = Optics(1.0, 3.0, 0.2, 1.0, 0.4)
    occluded, layer = plate_over(40, asked)
    inside = cv2.erode((layer.silhouette_HW > 0.99).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    luma = occluded @ LUMA
    assert luma[inside].std() == pytest.approx(3.0, rel=0.1)
    beside = inside & np.roll(inside, 1, 1)
    correlation = np.corrcoef(luma[beside], np.roll(luma, 1, 1)[beside])[0, 1]
    assert correlation == pytest.approx(np.exp(-1 / 4), abs=0.06)  # of a Gaussian of sigma 1, one pixel on
    blue = 0.564 * (occluded[..., 2] - luma)
    assert blue[inside].std() == pytest.approx(0.4 * 3.0, rel=0.15)
    assert np.array_equal(plate_over(40, asked)[0], occluded)


def test_a_halo_is_in_the_mask() -> None:
    """The overshoot of an edge changes pixels beside the occluder: law 1 wants them masked."""
    scene = scenes.scene()
    rows, columns = np.mgrid[0:5, 0:5] / 4 * 2 - 1
    vertices = np.stack([4 * columns, -4 * rows, np.full_like(rows, 12.0)], -1).reshape(-1, 3)
    layer = draw(scene, part(vertices, grid_faces(5, 5), Material([0.9, 0.9, 0.9])), Style(shadow=0.0))
    clean = np.full((256, 256, 3), 60, np.uint8)
    occluded, mask, _ = composite(clean, [match_sensor(layer, Optics(1.2, 0.0, 1.0), 7)])
    assert (occluded < 58).any()
    assert np.array_equal(occluded[mask == 0], clean[mask == 0])


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("flip", [0, 1])
def test_a_window_of_grain_is_the_tile_turned_and_mirrored(turns: int, flip: int) -> None:
    tiles = np.arange(60 * 60, dtype=np.float32).reshape(60, 60)
    rows, columns = (20, 11) if turns % 2 == 0 else (11, 20)
    part = tiles[7 : 7 + rows, 9 : 9 + columns]
    expected = np.rot90(part[:, ::-1] if flip else part, turns)
    found = _grey_grain(tiles, _window((20, 11), 7, 9, turns, flip), 20, 11, np.float32(1.0))
    assert np.array_equal(found[..., 1], expected)


@pytest.mark.parametrize("n", [3, 8, 9, 18])
def test_clean_steps_are_those_that_numpy_finds(n: int) -> None:
    rng = np.random.default_rng(n)
    ends = rng.normal(0, 1.2, (400, 2 * n)).astype(np.float32) + np.repeat(rng.uniform(0, 60, (400, 2)), n, 1)
    ends = ends.astype(np.float32)
    dark, bright = ends[:, :n], ends[:, n:]
    rise = bright.mean(1) - dark.mean(1)
    clean = (rise > 20) & (np.maximum(dark.std(1), bright.std(1)) < np.float32(0.06) * rise)
    which, base, risen = _clean(ends, np.float32(20), np.float32(0.06))
    np.testing.assert_array_equal(which, np.flatnonzero(clean))
    np.testing.assert_array_equal(base, dark.mean(1)[clean])
    np.testing.assert_array_equal(risen, rise[clean])


def test_the_greatest_are_those_of_a_stable_sort() -> None:
    values = np.random.default_rng(1).integers(0, 50, 500).astype(np.float32)
    for most in (1, 40, 499, 500, 600):
        assert set(_greatest(values, most)) == set(np.argsort(-values, kind="stable")[:most])

"""The light of a face, on a sphere of skin under a known lamp, well and badly exposed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from fdgen.analysis.lighting import FaceLight, estimate_light, sh_basis, to_srgb
from fdgen.arrays import Image
from fdgen.synthesis.realism import angle_deg

SIZE = 128
SKIN = np.array([0.55, 0.33, 0.24])
"""Reflectance of a mid skin in linear RGB: red clips long before blue."""


def sphere() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return the normals of a ball that fills the picture, and where the middle of it is."""
    rows, columns = (np.mgrid[0:SIZE, 0:SIZE] - (SIZE - 1) / 2) / ((SIZE - 1) / 2)
    depth = np.sqrt(np.clip(1 - rows**2 - columns**2, 0, 1))
    return np.stack([columns, -rows, depth], -1).astype(np.float32), rows**2 + columns**2 < 0.8


def photograph(direction: npt.NDArray[np.float64], gain: float, *, grey: bool = False) -> Image:
    """Light the ball by a lamp and a third as much from everywhere, at an exposure, and cut off what is too bright."""
    normals, _ = sphere()
    light = 0.25 + 0.75 * np.clip(normals @ direction, 0, None)
    skin = np.full(3, SKIN.mean()) if grey else SKIN
    return (to_srgb((gain * light[..., None] * skin).astype(np.float32)) + 0.5).astype(np.uint8)


def estimated(picture: Image) -> FaceLight:
    normals, inside = sphere()
    return estimate_light(picture, normals, inside)


DIRECTIONS = [np.array(d) / np.linalg.norm(d) for d in ((0.6, 0.3, 0.74), (-0.7, 0.0, 0.71), (0.0, 0.8, 0.6))]


@pytest.mark.parametrize("direction", DIRECTIONS, ids=["right", "left", "above"])
@pytest.mark.parametrize("gain", [0.02, 0.2, 1.0, 2.5, 4.0])
@pytest.mark.parametrize("grey", [False, True])
def test_the_lamp_is_found_however_the_picture_is_exposed(
    direction: npt.NDArray[np.float64], gain: float, grey: bool
) -> None:
    """At 4 two thirds of the ball are cut off in red, and nearly as much in all of a grey picture."""
    picture = photograph(direction, gain, grey=grey)
    light = estimated(picture)
    assert angle_deg(light.direction, direction) < (25 if gain > 2 and grey else 8)
    assert light.grey == grey
    assert np.isfinite(light.harmonics).all()
    assert light.directional == pytest.approx(0.75, abs=0.3 if gain > 2 and grey else 0.12)


def test_a_brighter_picture_has_more_light_in_it() -> None:
    levels = [estimated(photograph(DIRECTIONS[0], gain)).mean_irradiance for gain in (0.05, 0.2, 1.0, 3.0)]
    assert levels == sorted(levels)
    assert levels[-1] > 3 * levels[0]


def test_what_the_face_does_not_show_is_lit_by_its_lamp() -> None:
    """Only the middle of the ball is skin; the light on normals beyond it still comes from where the lamp is."""
    normals, _ = sphere()
    narrow = normals[..., 2] > 0.75
    direction = DIRECTIONS[1]
    picture = photograph(direction, 1.0)
    light = estimate_light(picture, normals, narrow)
    beyond = normals[(normals[..., 2] > 0.05) & (normals[..., 2] < 0.5)]
    predicted = sh_basis(beyond) @ light.harmonics
    truth = 0.25 + 0.75 * np.clip(beyond @ direction, 0, None)
    assert np.corrcoef(predicted, truth)[0, 1] > 0.97


def test_a_picture_that_is_all_white_still_has_a_light() -> None:
    light = estimated(np.full((SIZE, SIZE, 3), 255, np.uint8))
    assert light.grey
    assert np.isfinite(light.harmonics).all()
    assert light.directional < 0.1

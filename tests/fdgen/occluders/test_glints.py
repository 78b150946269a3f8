"""Glints on the frames of glasses, and places that lenses mirror with little in them."""

from __future__ import annotations

import numpy as np
import pytest

from fdgen.arrays import F64
from fdgen.assets import AssetLibrary
from fdgen.occluders.environment import draw_surroundings
from fdgen.occluders.eyewear.frame_mesh import Front
from fdgen.occluders.eyewear.glints import BRIDGE, RIM, draw_glints, draw_wire, glint_light, wire_tone
from fdgen.occluders.eyewear.spec import FrameSpec
from fdgen.occluders.eyewear.sunglasses import Sunglasses
from tests.support import scenes

WAYFARER = AssetLibrary.load().assets["sunglasses-wayfarer"]


def front() -> Front:
    values = Sunglasses().place(scenes.scene(), WAYFARER, np.random.default_rng(1)).values
    return Front.draw(FrameSpec.of(WAYFARER), values["shape"], values["rim_cm"], values["wobble_seed"])


def test_a_glint_is_a_short_line_on_the_edge_of_the_rim_where_it_was_drawn() -> None:
    frame = front()
    rim = frame.rim_mesh()
    added = glint_light([[90.0, 0.4, 0.0, 1.0]], frame, rim.sheet, {"kind": "plain"}, RIM)[:, 0]
    assert added.max() == pytest.approx(1.0, abs=0.1)
    spot = frame.outer[frame.index_at(90.0)]
    assert np.hypot(*(rim.sheet[added > 0.05] - spot).T).max() < 0.8
    assert not added[RIM == 0].any()


def test_either_lens_has_its_own_light_and_dark_patterns_hide_no_glint() -> None:
    frame = front()
    rim = frame.rim_mesh()
    both = [[60.0, 0.4, 0.25, 1.0]]
    right, left = (glint_light(both, frame, side.sheet, {"kind": "plain"}, RIM).max() for side in (rim, rim.mirrored()))
    assert (right, left) == (pytest.approx(1.0, abs=0.1), pytest.approx(0.25, abs=0.03))
    tortoise = glint_light(both, frame, rim.sheet, {"kind": "tortoise"}, RIM)
    assert tortoise.max() == pytest.approx(6.0, abs=0.6)


def test_rows_of_rim_and_bridge_are_those_of_their_meshes() -> None:
    frame = front()
    assert len(RIM) == len(frame.rim_mesh().vertices)
    assert len(BRIDGE) == len(frame.bridge_mesh("keyhole").vertices)


def test_glossy_frames_have_glints_most_often_above_and_matte_ones_none() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_glints(rng, {"kind": "plain"}) for _ in range(400)]
    assert 0.80 < np.mean([bool(glints) for glints in drawn]) < 0.95
    angles = np.array([glint[0] for glints in drawn for glint in glints])
    assert 0.4 < ((angles > 55) & (angles < 125)).mean() < 0.5
    assert not any(draw_glints(rng, {"kind": "matte"}) for _ in range(20))


def test_three_places_in_ten_have_hardly_a_thing_in_them() -> None:
    rng = np.random.default_rng(0)
    things = np.array([draw_surroundings(rng)["things"] for _ in range(1000)])
    assert 0.25 < (things < 0.42).mean() < 0.35
    assert not ((things > 0.4) & (things < 0.45)).any()


def rod(path: F64) -> F64:
    """Points (rings, 8, 3) round a wire in the plane of the picture, the first of each ring above or to the right."""
    run = np.gradient(path, axis=0)
    run /= np.linalg.norm(run, axis=1, keepdims=True)
    beside = np.column_stack([np.abs(run[:, 1]), np.abs(run[:, 0]), np.zeros(len(run))])
    angle = np.arange(8) * (np.pi / 4)
    ahead = np.array([0.0, 0.0, 1.0])
    around = np.cos(angle)[:, None] * beside[:, None] + np.sin(angle)[:, None] * ahead
    points: F64 = path[:, None] + 0.05 * around
    return points


@pytest.mark.parametrize("lamp", [-1.0, 1.0])
def test_wire_is_bright_above_where_it_is_level_and_to_the_lamp_where_it_is_upright(lamp: float) -> None:
    wire = {**draw_wire(np.random.default_rng(2)), "lamp": lamp}
    at, far = np.linspace(-3.0, 3.0, 40), np.zeros(40)
    level, upright = (wire_tone(wire, rod(np.column_stack(xyz))) for xyz in ((at, far, far), (far + 2.0, at, far)))
    assert (level[:, 0] > 1.5 * level[:, 4]).all()
    assert (lamp * (upright[:, 0] - upright[:, 4]) > 0).all()
    assert upright.mean() < level.mean()


def test_wire_varies_along_its_length_about_what_it_was() -> None:
    ring = np.linspace(0.0, 2 * np.pi, 73)
    path = np.column_stack([3.0 + 2.0 * np.cos(ring), 1.6 * np.sin(ring), 0 * ring])
    tones = np.array([wire_tone(draw_wire(np.random.default_rng(n)), rod(path)).mean(1) for n in range(40)])
    assert 0.85 < tones.mean() < 1.3
    assert (np.ptp(tones, axis=1) > 0.4).all()


def test_wire_has_no_seam_in_the_middle_of_a_bridge() -> None:
    at, zero = np.linspace(-1.0, 1.0, 40), np.zeros(40)
    path = np.column_stack([at, 0.3 * np.cos(0.5 * np.pi * at), zero])
    for n in range(40):
        tone = np.log(wire_tone(draw_wire(np.random.default_rng(n)), rod(path)).mean(1))
        steps = np.abs(np.diff(tone))
        assert steps[19] < 3 * np.median(steps) + 0.02

"""From a face to a triplet: the laws of a sample, on faces that need no detector."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fdgen.assets import AssetLibrary
from fdgen.contract.records import Reject, SampleRecord, Triplet
from fdgen.errors import AssetError
from fdgen.occluders import OCCLUDERS
from fdgen.recipe.schema import Recipe
from fdgen.synthesis.generator import generate, replay
from tests.support import scenes
from tests.support.paths import ROOT

LIBRARY = AssetLibrary.load()


def recipe(kind: str | None = None, **overrides: object) -> Recipe:
    # What a classifier of faces takes the synthetic ones for means nothing.
    values: list[tuple[str, object]] = [("faces.worn", "ignore")]
    values += [(name.replace("__", "."), value) for name, value in overrides.items()]
    if kind:
        values += [(f"kinds.{name}", float(name == kind)) for name in OCCLUDERS]
    return Recipe.load("default", values)


def made(result: Triplet | Reject) -> Triplet:
    assert isinstance(result, Triplet), result
    return result


@pytest.mark.parametrize("kind", OCCLUDERS)
@pytest.mark.parametrize("yaw", [-35.0, 0.0, 35.0])
def test_a_triplet_obeys_the_law_of_the_blend(kind: str, yaw: float) -> None:
    triplet = made(generate(scenes.face(yaw_deg=yaw), recipe(kind), LIBRARY))
    assert set(np.unique(triplet.mask_HW)) == {0, 255}
    outside = triplet.mask_HW == 0
    assert np.array_equal(triplet.occluded_HWC[outside], triplet.clean_HWC[outside])
    assert not triplet.alpha_HW[outside].any()
    record = triplet.record
    assert record.kinds == (kind,)
    assert record.coverage == round(float((triplet.mask_HW == 255).mean()), 6)
    assert 0.03 <= record.coverage <= 0.60
    assert record.yaw_deg == pytest.approx(yaw, abs=0.5)


@pytest.mark.parametrize("kind", OCCLUDERS)
def test_a_record_read_from_json_replays_to_the_same_bytes(kind: str) -> None:
    """Law 2."""
    face = scenes.face(yaw_deg=12, roll_deg=-6)
    triplet = made(generate(face, recipe(kind), LIBRARY, 3))
    record = SampleRecord.from_mapping(json.loads(triplet.record.to_json()))
    again = replay(record, face, LIBRARY)
    for name in ("occluded_HWC", "mask_HW", "alpha_HW"):
        assert np.array_equal(getattr(again, name), getattr(triplet, name)), name
    assert again.record.to_json() == triplet.record.to_json()


def test_a_sample_depends_on_seed_source_and_variant_alone() -> None:
    """Law 3: what was made before changes nothing; each of the three changes all."""
    face, other = scenes.face(yaw_deg=5), scenes.face(yaw_deg=-20)
    first = made(generate(face, recipe(), LIBRARY, 1))
    made(generate(other, recipe(), LIBRARY, 0))
    assert np.array_equal(made(generate(face, recipe(), LIBRARY, 1)).occluded_HWC, first.occluded_HWC)
    for changed in (
        generate(face, recipe(seed=1), LIBRARY, 1),
        generate(face, recipe(), LIBRARY, 2),
        generate(
            dataclasses.replace(face, source=dataclasses.replace(face.source, sha256="0" * 64)), recipe(), LIBRARY, 1
        ),
    ):
        assert not np.array_equal(made(changed).occluded_HWC, first.occluded_HWC)


def test_an_analysis_made_before_changes_no_byte() -> None:
    face = scenes.face()
    fresh = made(generate(face, recipe(), LIBRARY))
    cached = made(generate(face, recipe(), LIBRARY, analysis=scenes.Scene.of(face).analysis))
    assert np.array_equal(fresh.occluded_HWC, cached.occluded_HWC)


def test_kinds_keep_their_proportions() -> None:
    """Each kind is drawn once a sample, whatever is redrawn: within three standard errors of what was asked."""
    face, asked = scenes.face(size_px=64, scale_px=2.35, shift_px=(32.0, 35.5)), recipe(kinds__mask=2.0, size_px=64)
    n, counts = 150, dict.fromkeys(OCCLUDERS, 0)
    for variant in range(n):
        counts[made(generate(face, asked, LIBRARY, variant)).record.kinds[0]] += 1
    for kind, share in asked.kinds.shares().items():
        assert abs(counts[kind] / n - share) <= 3 * np.sqrt(share * (1 - share) / n), counts


def test_held_out_assets_are_worn_in_test_only() -> None:
    """Law 9: no held-out asset may be drawn for train or val; test draws both."""
    face, asked = scenes.face(size_px=64, scale_px=2.35, shift_px=(32.0, 35.5)), recipe("sunglasses", size_px=64)
    for split in ("train", "val"):
        assert not any(made(generate(face, asked, LIBRARY, v, split=split)).record.held_out for v in range(40))
    drawn = [made(generate(face, asked, LIBRARY, v, split="test")).record for v in range(60)]
    assert {record.held_out for record in drawn} == {False, True}
    assert all(record.held_out == LIBRARY[record.asset_ids[0]].held_out for record in drawn)


def test_a_head_turned_too_far_is_refused_with_its_figures() -> None:
    refused = generate(scenes.face(yaw_deg=50), recipe(), LIBRARY)
    assert isinstance(refused, Reject)
    assert refused.reason == "yaw-too-large"
    assert "the recipe allows 45" in refused.detail


def test_landmarks_that_fit_no_head_are_refused() -> None:
    face = scenes.face()
    shaken = face.landmarks.points_px + np.random.default_rng(0).normal(0, 14, (478, 3)).astype(np.float32)
    refused = generate(
        dataclasses.replace(face, landmarks=dataclasses.replace(face.landmarks, points_px=shaken)), recipe(), LIBRARY
    )
    assert isinstance(refused, Reject)
    assert refused.reason == "landmarks-unsure"


def test_a_coverage_that_nothing_reaches_is_refused_by_reason() -> None:
    refused = generate(scenes.face(), recipe("sunglasses", coverage__min=0.9, coverage__max=0.95), LIBRARY)
    assert isinstance(refused, Reject)
    assert refused.reason == "coverage-too-small"


def test_a_recipe_that_leaves_no_asset_says_so() -> None:
    with pytest.raises(AssetError, match="leaves no asset of kind 'mask'"):
        generate(scenes.face(), recipe("mask", assets__exclude=["mask-*"]), LIBRARY)


def test_no_byte_depends_on_the_number_of_blas_threads() -> None:
    """Matrix products round otherwise with more threads: analysis and pixels are made with one, whatever is set."""
    code = (
        "import hashlib; from tests.fdgen.synthesis.test_generate import *\n"
        "digest = hashlib.sha256()\n"
        "for yaw in range(-30, 31, 5):\n"
        "    digest.update(scenes.scene(yaw_deg=yaw).analysis.to_bytes())\n"
        "for kind in OCCLUDERS:\n"
        "    digest.update(made(generate(scenes.face(yaw_deg=11), recipe(kind), LIBRARY)).occluded_HWC.tobytes())\n"
        "print(digest.hexdigest())"
    )
    root = ROOT
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(digests) == 1

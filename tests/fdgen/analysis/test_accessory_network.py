"""The network that finds accessories: where they lie on composites, that it answers alike, and what it does without."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from fdgen.analysis.models import accessory_network
from fdgen.analysis.models.accessory_network import CLASSES, MAP_PX, parse
from fdgen.arrays import Image
from fdgen.contract.frame import aligned_frame, crop
from fdgen.errors import FdError
from fdgen.faces.folders import SampleFaces
from fdgen.synthesis.one_picture import occlude

SHOWN = {"sunglasses": "eyewear", "mask": "mask", "hat": "hat", "hand": "hand"}


@functools.cache
def portrait() -> Image:
    """Return a portrait of somebody who wears nothing, in CelebA's frame."""
    faces = SampleFaces()
    (source,) = (source for source in faces.sources() if source.identity == "eileen-collins")
    picture = faces.read(source)
    return crop(picture, aligned_frame(picture.shape[1], picture.shape[0], 256), 256)


@pytest.mark.parametrize("kind", SHOWN)
def test_the_map_of_what_is_put_on_lies_where_it_was_put(kind: str) -> None:
    made = occlude(portrait(), kind, seed=3, size_px=256)
    seen = parse(made.occluded_HWC)
    shown = CLASSES.index(SHOWN[kind])
    inside = cv2.resize(made.alpha_HW, (MAP_PX, MAP_PX), interpolation=cv2.INTER_AREA) > 200
    apart = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    assert seen.maps_CHW[shown][inside].mean() > 0.6
    assert seen.maps_CHW[shown][apart].mean() < 0.1
    assert seen.scores_C[shown] > parse(made.clean_HWC).scores_C[shown] + 2


def test_maps_are_probabilities_of_each_class() -> None:
    seen = parse(portrait())
    assert seen.maps_CHW.shape == (len(CLASSES), MAP_PX, MAP_PX)
    assert seen.scores_C.shape == (len(CLASSES),)
    assert ((seen.maps_CHW >= 0) & (seen.maps_CHW <= 1)).all()


def test_answers_do_not_depend_on_other_pictures_nor_on_threads() -> None:
    masked = occlude(portrait(), "mask", seed=3, size_px=256).occluded_HWC
    first, other = parse(portrait()), parse(masked)
    assert not np.array_equal(first.scores_C, other.scores_C)
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(parse, [portrait(), masked] * 8))
    for seen, expected in zip(again, [first, other] * 8, strict=True):
        assert np.array_equal(seen.scores_C, expected.scores_C)
        assert np.array_equal(seen.maps_CHW, expected.maps_CHW)


def test_a_mirrored_crop_has_the_same_scores() -> None:
    masked = occlude(portrait(), "hand", seed=3, size_px=256).occluded_HWC
    mirrored = np.ascontiguousarray(masked[:, ::-1])
    assert np.allclose(parse(masked).scores_C, parse(mirrored).scores_C, atol=1e-4)
    assert np.allclose(parse(masked).maps_CHW[..., ::-1], parse(mirrored).maps_CHW, atol=1e-4)


@pytest.mark.parametrize("size_px", [64, 96, 97, 178, 1024])
def test_the_size_of_the_crop_hardly_matters(size_px: int) -> None:
    made = occlude(portrait(), "mask", seed=3, size_px=256).occluded_HWC
    interpolation = cv2.INTER_AREA if size_px < 256 else cv2.INTER_CUBIC
    other = np.asarray(cv2.resize(made, (size_px, size_px), interpolation=interpolation), np.uint8)
    bare, score, at_other_size = (parse(one).scores_C[CLASSES.index("mask")] for one in (portrait(), made, other))
    assert score > bare + 4
    assert abs(at_other_size - score) < 0.25 * (score - bare)


def test_a_view_of_a_larger_array_is_seen_as_its_copy_and_is_left_as_it_is() -> None:
    crops = np.zeros((256, 512, 3), np.uint8)
    crops[:, ::2] = portrait()
    view, copied = crops[:, ::2], portrait().copy()
    assert not view.flags.c_contiguous
    assert np.array_equal(parse(view).scores_C, parse(copied).scores_C)
    assert np.array_equal(view, portrait())


@pytest.mark.parametrize("data", [None, b"", b"no network"])
def test_a_missing_or_damaged_network_is_reported(
    data: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if data is not None:
        (tmp_path / "parser.onnx").write_bytes(data)
    monkeypatch.setattr(accessory_network.resources, "files", lambda package: tmp_path)
    with pytest.raises(FdError, match=r"parser\.onnx cannot be read"):
        accessory_network._network.__wrapped__()

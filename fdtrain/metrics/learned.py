"""Learned perceptual distances to the clean picture: LPIPS (Zhang et al. 2018) and ST-LPIPS (Ghildyal and Liu 2022).

Both compare unit-length features of five layers of an AlexNet with learned weights; less is nearer. ST-LPIPS forgives
shifts, and its package carries all that it needs. Weights are read as files: the packages are never imported, and
nothing is fetched.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from fdgen.arrays import Image
from fdtrain.data.tensors import to_tensor
from fdtrain.metrics.not_computed import NotComputed
from fdtrain.metrics.recent_results import RecentResults

LEAST_PX = 64
"""The patches on which people judged, and the weights were learned."""

REMEMBERED = 16
"""Clean pictures whose features are kept for the next method: a batch of them, 10 MB each at 256 px."""

PROTOCOLS = {
    "lpips": "LPIPS 0.1 with AlexNet, whole pictures",
    "stlpips": "ST-LPIPS 0.0 with AlexNet (package stlpips_pytorch), whole pictures",
}

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and spread, for pictures in [-1, 1]."""

CONVOLUTIONS = ((64, 3, 11, 11), (192, 64, 5, 5), (384, 192, 3, 3), (256, 384, 3, 3), (256, 256, 3, 3))
PADDING = (2, 2, 1, 1, 1)

ALEXNET_FILE = "alexnet-owt-7be5be79.pth"


@dataclass(frozen=True)
class LearnedDistance:
    """Scores a picture against the clean one: `distance(result_HWC, clean_HWC)` of RGB uint8.

    `layers` has weight and bias of the five convolutions, `weights` a weight for each of their channels;
    `blurred` is the backbone of ST-LPIPS, which halves by blurring where AlexNet strides.
    """

    layers: Sequence[tuple[Tensor, Tensor]]
    weights: Sequence[Tensor]
    blurred: bool
    _clean: RecentResults[list[Tensor]] = field(
        default_factory=lambda: RecentResults(REMEMBERED), repr=False, compare=False
    )

    @torch.inference_mode()
    def __call__(self, result_HWC: Image, clean_HWC: Image) -> float:
        """Return the distance of two pictures; 0 for equal ones."""
        total = torch.zeros(())
        both = zip(self._unit_features(result_HWC), self._clean.get(clean_HWC, self._unit_features), strict=True)
        for (result_CHW, clean_CHW), weight_C in zip(both, self.weights, strict=True):
            total = total + ((result_CHW - clean_CHW).square() * weight_C.view(-1, 1, 1)).sum(0).mean()
        return float(total)

    @torch.inference_mode()
    def _unit_features(self, picture_HWC: Image) -> list[Tensor]:
        """Return the maps of one picture, every pixel's channels of length 1."""
        maps = [map_1CHW[0] for map_1CHW in self.features(to_tensor(picture_HWC)[None])]
        return [map_CHW / (map_CHW.square().sum(0, keepdim=True).sqrt() + 1e-10) for map_CHW in maps]

    def features(self, images_B3HW: Tensor) -> list[Tensor]:
        """Return the five maps of pictures in [-1, 1]."""
        shift, scale = (torch.tensor(values).view(1, 3, 1, 1) for values in (SHIFT, SCALE))
        x = (images_B3HW - shift) / scale
        maps: list[Tensor] = []
        for place, ((weight, bias), padding) in enumerate(zip(self.layers, PADDING, strict=True)):
            if place in (1, 2):
                x = _halved(F.max_pool2d(x, 3, stride=1)) if self.blurred else F.max_pool2d(x, 3, stride=2)
            x = F.conv2d(x, weight, bias, stride=4 if place == 0 and not self.blurred else 1, padding=padding)
            x = F.relu(_halved(x) if place == 0 and self.blurred else x)
            maps.append(x)
        return maps


def open_stlpips(size_px: int) -> LearnedDistance:
    """Read the weights of ST-LPIPS; raise `NotComputed` where pictures are too small, or the weights missing."""
    _refuse_small("ST-LPIPS", size_px)
    path = _in_package("stlpips_pytorch", "weights/vST0.0/alex_shift_tolerant.pth")
    if path is None:
        raise NotComputed(
            "its weights are not installed", hint="`pip install --no-deps stlpips_pytorch==0.0.2` brings them"
        )
    state = _read(path)
    return LearnedDistance(_layers(path, state, "net."), _weights(path, state), True)


def open_lpips(size_px: int) -> LearnedDistance:
    """Read the weights of LPIPS and of torchvision's AlexNet; raise `NotComputed` where there are none."""
    _refuse_small("LPIPS", size_px)
    weights = _in_package("lpips", "weights/v0.1/alex.pth")
    if weights is None:
        raise NotComputed("its weights are not installed", hint="`pip install --no-deps lpips==0.1.4` brings them")
    backbone = Path(torch.hub.get_dir()) / "checkpoints" / ALEXNET_FILE
    if not backbone.is_file():
        raise NotComputed(
            f"torchvision's AlexNet ({ALEXNET_FILE}) is not in the cache",
            hint="`python -c \"import torchvision; torchvision.models.alexnet(weights='DEFAULT')\"` fetches it",
        )
    return LearnedDistance(_layers(backbone, _read(backbone), "features."), _weights(weights, _read(weights)), False)


def _refuse_small(name: str, size_px: int) -> None:
    if size_px < LEAST_PX:
        raise NotComputed(f"{name} was learned on {LEAST_PX} px and more (pictures are {size_px} px)")


def _in_package(package: str, name: str) -> Path | None:
    spec = util.find_spec(package)
    places = (spec.submodule_search_locations or []) if spec is not None else []
    return next((path for place in places if (path := Path(place) / name).is_file()), None)


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise NotComputed(f"{path.name} cannot be read", hint=f"reinstall the package of {path}") from error
    return state


def _layers(path: Path, state: Mapping[str, Tensor], prefix: str) -> list[tuple[Tensor, Tensor]]:
    """Return the convolutions, in the order of the number before the last: net.slice2.5.weight, features.3.weight."""
    names = [name.removesuffix(".weight") for name in state if name.startswith(prefix) and name.endswith(".weight")]
    names.sort(key=lambda name: int(name.rpartition(".")[2]))
    if [tuple(state[f"{name}.weight"].shape) for name in names] != list(CONVOLUTIONS):
        raise NotComputed(f"{path.name} does not hold an AlexNet", hint=f"reinstall the package of {path}")
    return [(state[f"{name}.weight"], state[f"{name}.bias"]) for name in names]


def _weights(path: Path, state: Mapping[str, Tensor]) -> list[Tensor]:
    names = [f"lin{layer}.model.1.weight" for layer in range(len(CONVOLUTIONS))]
    if any(name not in state for name in names):
        raise NotComputed(f"{path.name} does not hold LPIPS' weights", hint=f"reinstall the package of {path}")
    return [state[name].reshape(-1) for name in names]


def _halved(x_BCHW: Tensor) -> Tensor:
    """Blur by 1-2-1 both ways and take every second value, two reflected at each edge."""
    edge = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = (edge[:, None] * edge).expand(x_BCHW.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x_BCHW, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x_BCHW.shape[1])

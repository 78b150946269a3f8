"""The interface of segmentation: crops of faces to the probability that each pixel shows an occluder.

    crop --> its own size to the network's --> probability --> back to the crop's size --> widened --> mask to restore

A crop is square, RGB uint8, of any side, and framed as `fdgen` frames faces. An occluder is what the datasets call
`alpha` of 128 or more: the silhouette, without the shadows that it casts; `mask_decision.decided` adds what those need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdtrain.data.pictures import resized, to_values
from fdtrain.inference.model_label import ModelLabel
from fdtrain.inference.onnx_method import OnnxNetwork
from fdtrain.inference.open_generator import engine_of, require_torch

if TYPE_CHECKING:
    from fdtrain.networks.masknet import CalibratedMaskNet

Probabilities = npt.NDArray[np.float32]

THRESHOLD = 0.3
"""From this probability on a pixel is masked. What is left of an occluder spoils a face, what is masked without need is
only invented again: for one share of needless pixels, 0.3 leaves less behind than 0.5."""

REACH = 0.05
"""How far a mask reaches beyond the silhouette, as a share of the crop's side.

On the test split (`tests/benchmarks/bench_widening.py`, 96 px) the mask of a silhouette so widened holds 89 % of the
dataset's, shadows and all; what stays differs from the clean picture by 0.8 of 255 levels a masked pixel, and 2.3 % of
the clean pixels are masked without need. Without widening 4.5 levels stay, at 0.03 1.5; 0.07 would save another 0.3 for
5.6 %. A silhouette known exactly leaves 0.4 at 0.05.
"""


@dataclass(frozen=True)
class MaskPrediction:
    """What a masker says of one crop.

    `occluder_HW` has the crop's size: the probability of each pixel, float32 in [0, 1], to show an occluder. `kinds`
    has the probability of each kind to be worn, each by itself; it is empty where the masker distinguishes none.
    """

    occluder_HW: Probabilities
    kinds: dict[str, float] = field(default_factory=dict)


class Masker(Protocol):
    """Finds occluders at `size_px`, and distinguishes these `kinds` of them (none: an empty tuple)."""

    size_px: int
    kinds: tuple[str, ...]

    def predict(self, crops: Sequence[Image]) -> list[MaskPrediction]:
        """Look at square crops, RGB uint8 of any side, and return a prediction for each at its own size."""
        ...


class OnnxMasker:
    """An exported mask network, by onnxruntime."""

    def __init__(self, model: str | Path | bytes, *, device: str = "auto", threads: int = 0) -> None:
        """Open what `fdtrain export` wrote; raise as `OnnxNetwork` does."""
        self.network = OnnxNetwork(model, task="mask", device=device, threads=threads)
        self.size_px, self.kinds = self.network.metadata.size_px, self.network.metadata.kinds
        self.label: ModelLabel | None = ModelLabel.of_metadata(self.network.name, self.network.metadata)

    def predict(self, crops: Sequence[Image]) -> list[MaskPrediction]:
        """Look at all crops as one batch; raise `ValueError` where one is not square."""
        if not crops:
            return []
        for crop_HWC in crops:
            refuse_oblong(crop_HWC)
        occluder_B1HW, *kinds_BK = self.network.run(
            np.stack([to_values(resized(crop_HWC, self.size_px)) for crop_HWC in crops])
        )
        told = kinds_BK[0] if kinds_BK else np.zeros((len(crops), 0), np.float32)
        return [
            prediction_of(occluder_HW, kinds_K, self.kinds, len(crop_HWC))
            for crop_HWC, (occluder_HW,), kinds_K in zip(crops, occluder_B1HW, told, strict=True)
        ]


class TorchMasker:
    """A mask network of ours, by torch."""

    def __init__(
        self,
        masknet: CalibratedMaskNet,
        *,
        size_px: int,
        kinds: Sequence[str] = (),
        device: str = "cpu",
        label: ModelLabel | None = None,
    ) -> None:
        self.masknet, self.device = masknet.to(device).eval(), device
        self.size_px, self.kinds, self.label = size_px, tuple(kinds), label

    def predict(self, crops: Sequence[Image]) -> list[MaskPrediction]:
        """Look at all crops as one batch; raise `ValueError` where one is not square."""
        import torch

        from fdtrain.data.tensors import to_tensor

        if not crops:
            return []
        for crop_HWC in crops:
            refuse_oblong(crop_HWC)
        pictures_B3HW = torch.stack([to_tensor(resized(crop_HWC, self.size_px)) for crop_HWC in crops])
        with torch.inference_mode():
            found = self.masknet(pictures_B3HW.to(self.device))
        occluder_B1HW, kinds_BK = (part.cpu().numpy() for part in found)
        return [
            prediction_of(occluder_HW, kinds_K, self.kinds, len(crop_HWC))
            for crop_HWC, (occluder_HW,), kinds_K in zip(crops, occluder_B1HW, kinds_BK, strict=True)
        ]


def open_masker(path: str | Path, device: str = "auto") -> TorchMasker | OnnxMasker:
    """Open a mask network: a file of weights or the folder of a run, by torch; an ONNX file, by onnxruntime.

    Raises `FdError`: the file is missing, damaged, not ours, or holds a network that restores; the device, or what runs
    the file, is not there.
    """
    if engine_of(Path(path)) == "onnx":
        return OnnxMasker(path, device=device)
    require_torch(path)
    from fdtrain.runtime.device import open_device
    from fdtrain.training.checkpoint import load_masknet

    where = open_device(device)
    masknet, facts = load_masknet(path)
    config = facts["config"]
    return TorchMasker(
        masknet,
        size_px=config["data"]["size_px"],
        kinds=config["mask"]["kinds"] or (),
        device=str(where),
        label=ModelLabel.of_facts(path, facts),
    )


def refuse_oblong(crop_HWC: Image) -> None:
    """Raise `ValueError` where a crop is not a square RGB picture."""
    if crop_HWC.ndim != 3 or crop_HWC.shape[0] != crop_HWC.shape[1] or crop_HWC.shape[2] != 3:
        raise ValueError(f"crops must be square RGB pictures, got an array of {crop_HWC.shape}")


def prediction_of(
    occluder_HW: Probabilities, kinds_K: npt.NDArray[np.float32], kinds: Sequence[str], side_px: int
) -> MaskPrediction:
    """Return a network's probabilities as the prediction for a crop of `side_px`."""
    if len(occluder_HW) != side_px:
        how = cv2.INTER_LINEAR if side_px > len(occluder_HW) else cv2.INTER_AREA
        occluder_HW = np.asarray(cv2.resize(occluder_HW, (side_px, side_px), interpolation=how), np.float32)
    told = {kind: float(probability) for kind, probability in zip(kinds, kinds_K, strict=True)}
    return MaskPrediction(np.clip(occluder_HW, 0, 1), told)

"""Validation in training: a few numbers on the validation split, and a sheet of samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fdgen.arrays import Image
from fdtrain.data.sheets import sheet
from fdtrain.data.tensors import to_pictures
from fdtrain.networks.restorer import Restoration, composite
from fdtrain.objectives.losses import ssim_map
from fdtrain.objectives.perceptual import PerceptualLoss

SCORE = "val/hole_psnr_db"
"""PSNR in the hole alone, of the final picture: what decides which weights are the best, unless asked otherwise."""

MASK_SCORE = "val/iou"
"""The same of a mask network: intersection over union, the mean over pictures."""

PERCEPTUAL_SCORE = "val/perceptual"
"""Distance of the pasted result from the truth by the perceptual network of the losses; lower is better."""

COARSE_SCORE = "val/coarse_hole_psnr_db"


@torch.no_grad()
def validate(
    model: nn.Module,
    batches: Iterable[Mapping[str, Any]],
    device: torch.device,
    perceptual: PerceptualLoss | None = None,
) -> dict[str, float]:
    """Return means over images of the pasted results: PSNR in the hole in dB (of a coarse picture too), SSIM.

    Pictures are rounded to 8 bits first, as they would be saved. Images with an empty mask are left out. With a
    `perceptual` network its distance is given too, the mean over all images.
    """
    model.eval()
    distance, n_images = 0.0, 0
    found: dict[str, list[Tensor]] = {COARSE_SCORE: [], SCORE: [], "val/ssim": []}
    for batch in batches:
        occluded, clean, mask = (batch[name].to(device) for name in ("occluded", "clean", "mask"))
        restored: Restoration = model(occluded, mask)
        truth = rounded(clean)
        coarse = rounded(composite(restored.coarse_B3HW, occluded, mask))
        final = rounded(restored.composited(occluded, mask))
        holed = mask.sum((1, 2, 3)) > 0
        if model.has_coarse:
            found[COARSE_SCORE].append(hole_psnr_db(coarse, truth, mask)[holed])
        found[SCORE].append(hole_psnr_db(final, truth, mask)[holed])
        found["val/ssim"].append(ssim_map(final, truth).mean((1, 2, 3))[holed])
        if perceptual is not None:
            distance += float(perceptual.distance(final * 2 - 1, perceptual.features(truth * 2 - 1))) * len(clean)
            n_images += len(clean)
    means = {name: float(torch.cat(values).double().mean()) for name, values in found.items() if values}
    return means if perceptual is None else {**means, PERCEPTUAL_SCORE: distance / n_images}


def rounded(image_B3HW: Tensor) -> Tensor:
    """Return pictures in [-1, 1] as [0, 1], rounded to 8 bits."""
    return image_B3HW.float().mul(127.5).add(127.5).round().clamp(0, 255) / 255


def hole_psnr_db(image_B3HW: Tensor, truth_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Return PSNR in dB over the pixels of the mask alone, for each image (B,); pictures in [0, 1]."""
    squares_B = ((image_B3HW - truth_B3HW) ** 2 * mask_B1HW).sum((1, 2, 3))
    mse_B = squares_B / (3 * mask_B1HW.sum((1, 2, 3))).clamp(min=1)
    return -10 * torch.log10(mse_B.clamp(min=1e-10))


@torch.no_grad()
def sample_sheet(model: nn.Module, samples: Sequence[Mapping[str, Any]], split: str, device: torch.device) -> Image:
    """Return a sheet, a row a sample of `split`: before, each stage's picture pasted into the hole, and the truth.

    Captions give the split and the hole-only PSNR of each picture.
    """
    model.eval()
    occluded, clean, mask = (
        torch.stack([sample[name] for sample in samples]).to(device) for name in ("occluded", "clean", "mask")
    )
    restored: Restoration = model(occluded, mask)
    made = {"stage I": composite(restored.coarse_B3HW, occluded, mask)} if model.has_coarse else {}
    made["stage II" if model.has_coarse else "result"] = restored.composited(occluded, mask)
    psnrs = [hole_psnr_db(rounded(pictures), rounded(clean), mask).tolist() for pictures in made.values()]
    rows = list(zip(*(to_pictures(column) for column in (occluded, *made.values(), clean)), strict=True))
    captions = [[split, *(f"{psnr:.1f} dB" for psnr in found), ""] for found in zip(*psnrs, strict=True)]
    return sheet(rows, captions, ["occluded", *made, "clean"])

"""What is looked at while training: a few numbers on the validation split, and a sheet of samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fdgen.contract import Image
from fdtrain.losses import ssim_map
from fdtrain.networks.fdstack import Restoration, StackedGAN, composite
from fdtrain.pictures import to_pictures
from fdtrain.sheets import sheet

SCORE = "val/hole_psnr_db"
"""What decides which checkpoint is the best: PSNR in the hole alone, of the final picture."""


@torch.no_grad()
def validate(model: StackedGAN, batches: Iterable[Mapping[str, Any]], device: torch.device) -> dict[str, float]:
    """Return means over images of the pasted results: PSNR in the hole in dB (both stages), SSIM of the whole.

    Pictures are rounded to 8 bits first, as they would be saved. Images with an empty mask are left out.
    """
    model.eval()
    found: dict[str, list[Tensor]] = {"val/coarse_hole_psnr_db": [], SCORE: [], "val/ssim": []}
    for batch in batches:
        occluded, clean, mask = (batch[name].to(device) for name in ("occluded", "clean", "mask"))
        restored: Restoration = model(occluded, mask)
        truth = rounded(clean)
        coarse = rounded(composite(restored.coarse_B3HW, occluded, mask))
        final = rounded(restored.composited(occluded, mask))
        holed = mask.sum((1, 2, 3)) > 0
        found["val/coarse_hole_psnr_db"].append(hole_psnr_db(coarse, truth, mask)[holed])
        found[SCORE].append(hole_psnr_db(final, truth, mask)[holed])
        found["val/ssim"].append(ssim_map(final, truth).mean((1, 2, 3))[holed])
    return {name: float(torch.cat(values).double().mean()) for name, values in found.items()}


def rounded(image_B3HW: Tensor) -> Tensor:
    """Return pictures in [-1, 1] as [0, 1], rounded to 8 bits."""
    return image_B3HW.float().mul(127.5).add(127.5).round().clamp(0, 255) / 255


def hole_psnr_db(image_B3HW: Tensor, truth_B3HW: Tensor, mask_B1HW: Tensor) -> Tensor:
    """Return PSNR in dB over the pixels of the mask alone, for each image (B,); pictures in [0, 1]."""
    squares_B = ((image_B3HW - truth_B3HW) ** 2 * mask_B1HW).sum((1, 2, 3))
    mse_B = squares_B / (3 * mask_B1HW.sum((1, 2, 3))).clamp(min=1)
    return -10 * torch.log10(mse_B.clamp(min=1e-10))


COLUMNS = ("occluded", "stage I", "stage II", "clean")
"""What stands side by side on a sheet of samples."""


@torch.no_grad()
def sample_sheet(model: StackedGAN, samples: Sequence[Mapping[str, Any]], split: str, device: torch.device) -> Image:
    """Return a sheet, a row a sample of `split`: before, both stages pasted into the hole, and the truth.

    Captions give the split and the hole-only PSNR of each stage.
    """
    model.eval()
    occluded, clean, mask = (
        torch.stack([sample[name] for sample in samples]).to(device) for name in ("occluded", "clean", "mask")
    )
    restored: Restoration = model(occluded, mask)
    coarse, final = composite(restored.coarse_B3HW, occluded, mask), restored.composited(occluded, mask)
    psnrs = [hole_psnr_db(rounded(made), rounded(clean), mask).tolist() for made in (coarse, final)]
    rows = list(zip(*(to_pictures(column) for column in (occluded, coarse, final, clean)), strict=True))
    captions = [
        [f"{split} {COLUMNS[0]}", f"{COLUMNS[1]} {one:.1f} dB", f"{COLUMNS[2]} {two:.1f} dB", COLUMNS[3]]
        for one, two in zip(*psnrs, strict=True)
    ]
    return sheet(rows, captions)

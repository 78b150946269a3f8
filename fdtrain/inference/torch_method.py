"""Trained models run by torch, as a method like any other. `fdtrain.inference.onnx_method` runs them without it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fdgen.arrays import Image
from fdtrain.data.tensors import mask_to_tensor, to_pictures, to_tensor
from fdtrain.errors import DeviceError
from fdtrain.networks.restorer import Restoration
from fdtrain.runtime.device import is_out_of_memory


class ModelMethod:
    """A trained model: its final picture, and before it the coarse one under a name of its own.

    Without `stages`, or where the network makes none, the final picture is alone.
    """

    def __init__(
        self, model: torch.nn.Module, *, name: str = "model", stages: bool = True, device: str | torch.device = "cpu"
    ) -> None:
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        stages = stages and bool(getattr(model, "has_coarse", True))
        self.names: tuple[str, ...] = (f"{name}, stage I", name) if stages else (name,)

    @torch.inference_mode()
    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        """Run the network on one batch, in the precision of its weights; raise `DeviceError` where memory runs out."""
        occluded_B3HW = torch.stack([to_tensor(occluded) for occluded, _ in pairs]).to(self.device)
        mask_B1HW = torch.stack([mask_to_tensor(mask) for _, mask in pairs]).to(self.device)
        try:
            restored: Restoration = self.model(occluded_B3HW, mask_B1HW)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            batch, size = len(pairs), f"{occluded_B3HW.shape[-1]} px"
            raise DeviceError(
                f"{self.device} has too little memory for {batch} pictures of {size} at once",
                hint="use a smaller --batch" if batch > 1 else "use --device cpu",
            ) from error
        outputs = (restored.coarse_B3HW, restored.image_B3HW)[-len(self.names) :]
        return list(zip(*(to_pictures(output) for output in outputs), strict=True))

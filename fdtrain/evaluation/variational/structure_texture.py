"""Inpainting of structure and of texture, each by what is for it, and their sum.

M. Bertalmio, L. Vese, G. Sapiro and S. Osher, Simultaneous Structure and Texture Image Inpainting, 2003: the picture is
decomposed (`tv_g`), its structure inpainted by transport (`transport`), its texture by sampling (`texture_sampling`).
Structure is computed channel by channel; texture is sampled in all channels at once.
"""

from __future__ import annotations

import numpy as np

from fdgen.arrays import Bools
from fdtrain.evaluation.variational import texture_sampling, transport, tv_g
from fdtrain.evaluation.variational.hole_window import Filled, Values, Variational
from fdtrain.inference.finish import membrane


class StructureTexture(Variational):
    """The structure by transport, the texture by sampling, and their sum."""

    names: tuple[str, ...] = ("structure + texture",)
    margin_px = 24
    paper = "Bertalmio, Vese, Sapiro and Osher 2003"
    deviations = (*tv_g.DEVIATIONS, *transport.DEVIATIONS, *texture_sampling.DEVIATIONS)
    protocol = (
        f"λ {tv_g.LAMBDA:g}, μ {tv_g.MU:g} for levels to 255; texture of patches of {texture_sampling.PATCH_PX} px "
        f"from {texture_sampling.CANDIDATES:,} next to the hole, seed {texture_sampling.SEED}"
    )

    def solve(self, levels_HW3: Values, hole_HW: Bools) -> Filled:
        """Fill a window."""
        structure, texture, converged = self.filled_parts(levels_HW3, hole_HW)
        return Filled(structure + texture, converged)

    def filled_parts(self, levels_HW3: Values, hole_HW: Bools) -> tuple[Values, Values, bool]:
        """Return the structure and the texture of a window, each with its hole filled, and whether all converged."""
        u, _, split = tv_g.decomposed(np.ascontiguousarray(levels_HW3.transpose(2, 0, 1)) * 255, hole_HW)
        structure: Values = np.ascontiguousarray(u.transpose(1, 2, 0)) / 255
        texture = texture_sampling.sampled((levels_HW3 - structure) * 255, hole_HW) / 255
        filled, rested = transport.transported(membrane(structure, hole_HW.astype(np.uint8)), hole_HW)
        return filled, texture, split and rested

"""Canny's edges of the known pixels: the input of EdgeConnect next to the picture itself. Needs scikit-image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue (BT.601): as opencv turns pictures grey, and the Canny detector of the paper saw them."""


def known_edges(
    grey_HW: npt.NDArray[np.float32], sigma_px: float, known_HW: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float32]:
    """Return binary edges (0 or 1) of luma in [-1, 1]; those in and along what is not known are left out."""
    from skimage.feature import canny

    picture_HW = (grey_HW * 0.5 + 0.5).astype(np.float64)
    edges_HW = canny(picture_HW, sigma=sigma_px, mask=known_HW)  # type: ignore[no-untyped-call]
    return np.asarray(edges_HW, np.float32)

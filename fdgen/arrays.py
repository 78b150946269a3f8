"""Names for the types of arrays. A suffix of a variable gives the shape: `_HWC`, `_HW`, `_N3`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""A picture: RGB of shape `(height, width, 3)`, or one channel of shape `(height, width)`."""

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

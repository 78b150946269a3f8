"""How light or dark the skin in a photograph is: the individual typology angle (ITA) of its pixels.

It describes the photograph and not the person: exposure and the colour of the light change it. It shows only whether
and how often a dataset contains dark skin. For data cards only; drawn skin takes its colour from
`fdgen.analysis.lighting`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from fdgen.analysis.lighting import outlined_skin
from fdgen.arrays import Image
from fdgen.faces.landmarks import Points

BINS = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -math.inf),
)
"""Classes and the angle in degrees above which each begins, as Chardon et al. (1991) set them."""

LEAST_PX = 64
"""Of skin: fewer pixels say nothing."""


def ita_deg(clean_HWC: Image, points_px: Points) -> float | None:
    """Return the ITA of a face in degrees; None where hardly any skin is seen.

    arctan((L* - 50) / b*) of the median colour in CIELAB (D65) of the pixels of the face oval, less its rim, eyes,
    brows, lips and nostrils. `points_px` are its landmarks in the crop.
    """
    skin_HW = outlined_skin(points_px, clean_HWC.shape[0])
    if skin_HW.sum() < LEAST_PX:
        return None
    colours = (clean_HWC[skin_HW] / np.float32(255))[None]
    lightness, _, yellow = np.median(cv2.cvtColor(colours, cv2.COLOR_RGB2Lab)[0], axis=0)
    return math.degrees(math.atan2(float(lightness) - 50, float(yellow)))


def tone(angle_deg: float) -> str:
    """Return the class of an angle.

    >>> tone(60.0), tone(30.0), tone(-45.0)
    ('very light', 'intermediate', 'dark')
    """
    return next(name for name, above in BINS if angle_deg > above)

"""One face: its crop, where it comes from, and its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

from fdgen.arrays import Image
from fdgen.faces.landmarks import Landmarks
from fdgen.faces.sources import Source


@dataclass(frozen=True, eq=False)
class Face:
    """One face ready to be occluded: a square crop in CelebA's frame, and its landmarks in pixels of that crop."""

    source: Source
    clean_HWC: Image
    landmarks: Landmarks

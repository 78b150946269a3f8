"""What systems learn of a face in addition to its picture, by name and by number: regions, landmarks, components."""

from __future__ import annotations

REGIONS = ("face", "brows", "eyes", "nose", "lips")
"""What a parsing distinguishes. Everything else is 0; the later lies over the earlier."""

N_REGIONS = len(REGIONS) + 1

COMPONENTS = {"jaw": (0, 17), "brows": (17, 27), "nose": (27, 36), "eyes": (36, 48), "lips": (48, 68)}
"""Where the points of each component begin among the 68, and where they end."""

N_COMPONENTS = len(COMPONENTS)

N_HEATS = 68
"""Landmarks of iBUG 300-W, which papers on faces use."""

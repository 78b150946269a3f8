"""The poses of a set of faces, for `strata.offered` of a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterable

from fdgen.analysis.geometry import fit_pose
from fdgen.errors import FacesError
from fdgen.faces.landmarks import Landmarks
from fdgen.recipe.schema import Recipe
from fdgen.recipe.strata import Bin
from fdgen.synthesis.acceptance import check_pose

STEP_DEG = 15.0
"""Width of the bins where a recipe asks for none yet."""


def offered_poses(recipe: Recipe, faces: Iterable[Landmarks]) -> dict[str, float]:
    """Return the share of the faces in each bin of |yaw| that a recipe asks for, among those within its limits.

    Raises `FacesError` where no face is.
    """
    bins = _bins(recipe)
    counts = dict.fromkeys((one.name for one in bins), 0)
    usable = 0
    for landmarks in faces:
        pose = fit_pose(landmarks.points_px)
        if check_pose(pose, recipe.pose, landmarks.size_px) is not None:
            continue
        usable += 1
        for one in bins:
            counts[one.name] += abs(pose.yaw_deg) in one
    if not usable:
        raise FacesError("no face is within the recipe's limits of pose", hint="widen the limits under [pose]")
    return {name: count / usable for name, count in counts.items()}


def _bins(recipe: Recipe) -> tuple[Bin, ...]:
    """Return the bins of any of the recipe's tables of poses: all have the same."""
    for combination in recipe.combinations():
        if bins := recipe.strata.pose_bins(combination):
            return bins
    most = recipe.pose.max_yaw_deg
    lows = [STEP_DEG * number for number in range(math.ceil(most / STEP_DEG))]
    return tuple(Bin(low, min(low + STEP_DEG, most), 0.0) for low in lows)

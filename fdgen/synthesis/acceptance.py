"""Acceptance by realism measures: what a face or a pair must satisfy, and the short reason if it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fdgen.analysis.geometry import REGIONS, HeadPose, region_box
from fdgen.arrays import Image
from fdgen.recipe.schema import Coverage, FaceChoice, Gates, Pose


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a face or a placement is refused: a short code to count by, and a sentence with the figures."""

    reason: str
    detail: str


def check_pose(pose: HeadPose, limits: Pose, size_px: int) -> Failure | None:
    """Refuse a head that is turned too far, or whose landmarks no rigid head explains."""
    for name, angle, limit in (
        ("yaw", pose.yaw_deg, limits.max_yaw_deg),
        ("pitch", pose.pitch_deg, limits.max_pitch_deg),
        ("roll", pose.roll_deg, limits.max_roll_deg),
    ):
        if abs(angle) > limit:
            return Failure(f"{name}-too-large", f"{name} is {angle:.1f} degrees, the recipe allows {limit:g}")
    residual = pose.residual_px * 256 / size_px
    if residual > limits.max_residual_px:
        return Failure(
            "landmarks-unsure",
            f"the landmarks lie {residual:.1f} px off a rigid head, the recipe allows {limits.max_residual_px:g}",
        )
    return None


def check_worn(worn: Sequence[str], choice: FaceChoice, free: bool) -> Failure | None:
    """Refuse a face that wears something, or has a hand before it, as the recipe asks; `free`: what was drawn fits."""
    shown = f"the photograph already shows {', '.join(worn)}"
    if choice.worn == "exclude" and worn:
        return Failure("already-worn", f"{shown}, and the recipe excludes such faces")
    if choice.worn == "avoid" and not free:
        return Failure("already-worn", f"{shown}, which leaves no place for what the recipe draws")
    return None


def region_coverage(alpha_HW: Image, landmarks_px: npt.NDArray[np.float32]) -> Mapping[str, float]:
    """Return the share of each region of `REGIONS` that the occluder's silhouette (alpha >= 128) covers."""
    hidden = alpha_HW >= 128
    shares = {}
    for region in REGIONS:
        box, mask = region_box(landmarks_px, region, alpha_HW.shape[0])
        inside = mask.view(np.bool_)
        area = np.count_nonzero(inside)
        shares[region] = round(np.count_nonzero(hidden[box] & inside) / area, 6) if area else 0.0
    return shares


def check_coverage(coverage: float, on_face: float, limits: Coverage) -> Failure | None:
    """Refuse a pair whose mask covers too little or too much of the crop, or that leaves the face free."""
    if coverage < limits.min:
        return Failure(
            "coverage-too-small", f"the mask covers {coverage:.3f} of the crop, at least {limits.min:g} asked"
        )
    if coverage > limits.max:
        return Failure(
            "coverage-too-large", f"the mask covers {coverage:.3f} of the crop, at most {limits.max:g} asked"
        )
    if on_face <= 0:
        return Failure("beside-the-face", "the occluder covers nothing of the face")
    return None


def check_gates(gates: Mapping[str, float], limits: Gates) -> Failure | None:
    """Refuse a pair whose figures (of `realism.measure`) break a bound; one that was not measured breaks none."""
    bounds = (
        ("scale_error", None, limits.max_scale_error, "scale-unsure", "the face's proportions are {} off usual ones"),
        ("halo", None, limits.max_halo, "halo", "{} of the outline's pixels stick out"),
        ("noise_ratio", limits.min_noise_ratio, None, "too-little-noise", "the occluder has {} of the face's noise"),
        ("noise_ratio", None, limits.max_noise_ratio, "too-much-noise", "the occluder has {} of the face's noise"),
        ("light_deg", None, limits.max_light_deg, "light-direction", "its light is {} degrees off the face's"),
        ("stops_lost", None, limits.max_light_stops, "too-dark", "it gets {} stops less light than the face"),
        ("light_stops", None, limits.max_light_stops, "too-bright", "it gets {} stops more light than the face"),
    )
    if "light_stops" in gates:
        gates = {**gates, "stops_lost": -gates["light_stops"]}
    for name, least, most, reason, text in bounds:
        value = gates.get(name)
        if value is not None and ((least is not None and value < least) or (most is not None and value > most)):
            limit = f"at least {least:g}" if least is not None else f"at most {most:g}"
            return Failure(reason, f"{text.format(f'{value:.3g}')}, {limit} allowed")
    return None

"""The user's own occluders: a cut-out picture or a mesh with anchor points, placed according to its form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fdgen.assets import Asset
from fdgen.errors import AssetError, PictureError
from fdgen.occluders.base import Placement
from fdgen.occluders.environment import draw_surroundings, surroundings
from fdgen.occluders.imported.cloth import build_cloth
from fdgen.occluders.imported.held import SPOTS, build_held
from fdgen.occluders.imported.mesh import build_mesh
from fdgen.occluders.imported.plate import build_plate
from fdgen.occluders.imported.spec import ImportedSpec
from fdgen.occluders.imported.texture import Cutout, cutout
from fdgen.occluders.masks.straps import draw_strands
from fdgen.render.draw import DARK, Layer, Style, draw
from fdgen.render.mesh import Mesh
from fdgen.render.scene import Scene

_STYLES = {
    "drape": Style(bias_cm=0.45, occlusion=0.7),
    "plate": Style(bias_cm=0.12),
    "card": Style(bias_cm=0.1, occlusion=0.8),
}
_BUILDERS = {"drape": build_cloth, "plate": build_plate, "card": build_held}
_TEXELS = 0.9
"""Texels at the longer side of a picture, a pixel of the crop's side: finer ones would only flicker."""


@dataclass(frozen=True, slots=True)
class Imported:
    """An occluder of any kind whose asset brings its own picture or mesh."""

    kind: str

    def place(self, scene: Scene, asset: Asset, rng: np.random.Generator) -> Placement:
        """Draw how it is worn: a number from each range of its form, and where."""
        spec = ImportedSpec.of(asset)
        fit: dict[str, Any] = {**spec.draw(rng)}
        if spec.form == "drape":
            fit |= _draw_cloth(rng, scene, asset, spec)
        elif spec.form == "plate":
            for key, spread, most in (("roll_deg", 0.9, 2.2), ("yaw_deg", 0.7, 1.8), ("shift_cm", 0.05, 0.12)):
                fit[key] = round(float(np.clip(rng.normal(0.0, spread), -most, most)), 5)
            fit["ear_up_cm"] = round(float(rng.normal(0.0, 0.12)), 5)
            fit["surroundings"] = draw_surroundings(rng)
        else:
            place = spec.places[int(rng.integers(len(spec.places)))]
            spot = scene.mesh_cm[list(SPOTS[place])].mean(0) + np.array([fit.pop("across_cm"), fit.pop("up_cm"), 0.0])
            fit["spot_cm"] = [round(float(x), 5) for x in spot]
            fit["mirror"] = -1.0 if rng.random() < spec.mirror else 1.0
        return Placement(self.kind, asset.id, int(rng.integers(2**31)), fit)

    def render(self, scene: Scene, placement: Placement, asset: Asset) -> Layer:
        """Draw it over the scene. Pure."""
        spec, fit = ImportedSpec.of(asset), placement.values
        environment = surroundings(scene, fit["surroundings"]) if "surroundings" in fit else DARK
        return draw(scene, build(scene, fit, asset, spec), _STYLES[spec.form], environment=environment)


def build(scene: Scene, fit: Any, asset: Asset, spec: ImportedSpec) -> Mesh:
    """Build the mesh of a placement in head cm."""
    if spec.is_mesh:
        return build_mesh(scene, spec, asset, fit)
    return _BUILDERS[spec.form](scene, spec, picture_of(asset, spec, scene.size_px), fit)


def picture_of(asset: Asset, spec: ImportedSpec, size_px: int) -> Cutout:
    """Return the picture of an asset as a material for crops of a size; raise `AssetError` where it is unreadable."""
    keep_thin = spec.keep_thin or spec.form != "drape"
    try:
        return cutout(
            asset.files[spec.file],
            spec.file,
            max(32, round(_TEXELS * size_px)),
            spec.delight,
            spec.exposure,
            spec.least_alpha,
            keep_thin,
        )
    except PictureError as error:
        raise AssetError(f"the picture of {asset.id} cannot be used: {error.message}", hint=error.hint) from error


def _draw_cloth(rng: np.random.Generator, scene: Scene, asset: Asset, spec: ImportedSpec) -> dict[str, Any]:
    """Draw how a cloth hangs, and its straps."""
    colour = (0.75, 0.75, 0.74)
    if not spec.is_mesh and rng.random() < 0.5:
        near = picture_of(asset, spec, scene.size_px).colour_near(spec.anchors["left_top"])
        colour = (float(near[0]), float(near[1]), float(near[2]))
    return {
        "tilt_deg": round(float(np.clip(rng.normal(0, 1.6), -5, 5)), 4),
        "shift_deg": round(float(np.clip(rng.normal(0, 1.3), -4, 4)), 4),
        "ear_up_cm": round(float(rng.uniform(-0.2, 0.5)), 5),
        "ear_down_cm": round(float(rng.uniform(-0.3, 0.5)), 5),
        "band_up_cm": round(float(rng.uniform(1.5, 3.0)), 5),
        "band_down_cm": round(float(rng.uniform(0.5, 2.0)), 5),
        "strap_colour": [round(float(np.clip(c, 0.01, 0.75)), 5) for c in colour],
        **draw_strands(rng),
    }

"""What the asset of an imported occluder says: its form, its picture or mesh, its anchor points, how it is worn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.kinds import kind_of
from fdgen.occluders.asset_table import AssetTable
from fdgen.runtime.kept_results import kept_for_objects
from fdgen.settings.values import Number, Range, Share, both_within, list_of, one_of, within

ANCHORS: Mapping[str, tuple[str, ...]] = {
    "drape": ("nose", "left_top", "right_top", "left_bottom", "right_bottom", "chin"),
    "plate": ("bridge", "left_lens", "right_lens", "left_hinge", "right_hinge"),
    "card": ("centre",),
}
"""The named points of each form. Left and right are the viewer's."""

FORMS = tuple(ANCHORS)

PLACES = ("mouth", "nose", "chin", "left_cheek", "right_cheek", "left_eye", "right_eye", "forehead", "top")
"""Where a card may be held."""

Reach = Annotated[Range, both_within(-100.0, 180.0)]


def _not_empty(places: tuple[str, ...]) -> tuple[str, ...]:
    if not places:
        raise ValueError(f"must be a list of some of {', '.join(PLACES)}")
    return places


def _place_of(form: str) -> Callable[[str], int]:
    names = ANCHORS[form]
    return lambda name: names.index(name) if name in names else len(names)


class ImportedSpec(AssetTable):
    """The table `shape` of an imported asset; each form is a model with ranges of its own.

    `anchors` are points by name: x right, y down in px of a picture; x right, y up, z to the viewer in a mesh's units.
    Defaults of `straps` and `least_alpha` are those of the kind.
    """

    form: str
    picture: str | None = None
    mesh: str | None = None
    view: Annotated[str, one_of(("worn", "flat"))] = "worn"
    straps: Annotated[str, one_of(("ears", "head", "ties", "none"))]
    keep_thin: bool = False
    places: Annotated[tuple[Annotated[str, one_of(PLACES)], ...], list_of("places"), AfterValidator(_not_empty)] = (
        "mouth",
    )
    anchors: dict[str, Annotated[tuple[Number, ...], list_of("numbers")]] = Field(default_factory=dict)
    delight: Share = 0.7  # share of the picture's own broad shading that is taken out
    exposure: Annotated[Number, within(0.05, 20.0)] = 1.0  # factor on its brightness
    specular: Share = 0.01
    gloss: Annotated[Number, within(1.0, 200.0)] = 12.0
    mirror: Share = 0.0  # chance that a card is worn as its mirror image
    least_alpha: Annotated[Number, within(0.01, 0.99)]  # what is more transparent is not there

    @classmethod
    def of(cls, asset: Asset) -> ImportedSpec:
        """Read it, once a process; raise `AssetError` for what is missing, unknown, or out of its range."""
        return _read_once(asset)

    @classmethod
    def in_its_form(cls, asset: Asset) -> ImportedSpec:
        """Read it again, as `of` does."""
        kind = kind_of(asset.kind)
        shape = {"form": kind.form, "straps": kind.straps, "least_alpha": kind.least_alpha, **asset.shape}
        form = shape["form"]
        if not isinstance(form, str) or form not in _FORMS:
            raise AssetError(
                f"shape.form of the asset {asset.id} must be one of {', '.join(FORMS)}, got {form!r}",
                hint="correct its TOML file, then run `fdgen assets index`",
            )
        return _FORMS[form].read(asset, shape)

    @property
    def is_mesh(self) -> bool:
        """Whether it is a mesh, and no picture."""
        return self.mesh is not None

    @property
    def file(self) -> str:
        """The name of its picture or mesh."""
        return self.mesh or self.picture or ""

    @model_validator(mode="before")
    @classmethod
    def _anchors_in_order(cls, shape: dict[str, Any]) -> dict[str, Any]:
        anchors = shape.get("anchors")
        if not isinstance(anchors, dict):
            return shape
        return {**shape, "anchors": {name: anchors[name] for name in sorted(anchors, key=_place_of(shape["form"]))}}

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo[Asset]) -> ImportedSpec:
        """Check what no key can by itself."""
        named = [name for name in (self.picture, self.mesh) if name is not None]
        if len(named) != 1 or named[0] not in info.context.files:
            raise ValueError("must name one of its files as `picture` or as `mesh`")
        names, axes = ANCHORS[self.form], 3 if self.is_mesh else 2
        if set(self.anchors) != set(names):
            raise ValueError(f"must have the anchors {', '.join(names)}, got {', '.join(self.anchors) or 'none'}")
        for name, point in self.anchors.items():
            if len(point) != axes:
                raise ValueError(f"must have a point of {axes} numbers as the anchor {name}, got {list(point)}")
        return self


class DrapeSpec(ImportedSpec):
    """Cloth that covers nose, mouth and chin."""

    # Place of the nose anchor on the middle of the face: 0 between the eyes, 6 under the nose.
    top: Annotated[Range, both_within(-3.0, 12.0)] = (1.6, 2.8)
    side_deg: Annotated[Range, both_within(20.0, 100.0)] = (58.0, 66.0)  # how far round the head the corners lie
    corner_top: Reach = (0.74, 0.9)  # height of the upper corners: 0 at the chin, 1 at the ear
    corner_bottom: Reach = (0.2, 0.32)  # of the lower ones
    wrap_deg: Reach = (6.0, 12.0)  # how far the chin anchor lies under the jaw
    gap: Reach = (0.12, 0.22)  # between skin and cloth
    taut: Reach = (0.75, 0.98)  # how straight it runs from nose to chin instead of following the face
    tent: Reach = (0.25, 0.6)  # the same across, from nose to cheeks
    stiff: Reach = (1.2, 2.0)  # vertices over which it bends
    beak_cm: Reach = (0.2, 0.7)  # how far it stands off
    hug: Reach = (0.6, 0.95)  # how closely its rim follows the skin
    folds_cm: Reach = (0.05, 0.09)  # depth of the folds that are read off the picture's own shading
    strap_cm: Reach = (0.25, 0.4)  # width of straps


class PlateSpec(ImportedSpec):
    """A stiff front with temples, before the eyes."""

    # From hinge to hinge, as a share of the head's width at the temples.
    width: Annotated[Range, both_within(0.3, 3.0)] = (0.93, 1.0)
    curve_cm: Annotated[Range, both_within(4.0, 1e4)] = (9.0, 13.0)  # radius to which the front is bent
    slip_cm: Reach = (-0.1, 0.3)  # how far it has slid down the nose
    stand_cm: Reach = (0.03, 0.12)  # and stands off it
    tilt_deg: Reach = (4.0, 9.0)  # of its lower edge towards the cheeks
    thick_cm: Reach = (0.2, 0.3)  # thickness of the frame
    temple_height_cm: Reach = (0.35, 0.6)


class CardSpec(ImportedSpec):
    """A cut-out that is held before a place of the face."""

    width_cm: Reach = (8.0, 11.0)  # of the whole cut-out
    turn_deg: Reach = (-12.0, 12.0)  # how it is turned in the picture plane
    across_cm: Reach = (-0.8, 0.8)  # off its place
    up_cm: Reach = (-0.8, 0.8)
    thick_cm: Reach = (1.2, 2.2)  # how far its middle bulges towards the viewer
    bend: Reach = (0.3, 0.7)  # how much it gives way to the face behind it: 0 stiff, 1 like cloth
    gap: Reach = (0.02, 0.15)  # between skin and its back


_FORMS: Mapping[str, type[ImportedSpec]] = {"drape": DrapeSpec, "plate": PlateSpec, "card": CardSpec}


@kept_for_objects(1, most=1_000)
def _read_once(asset: Asset) -> ImportedSpec:
    return ImportedSpec.in_its_form(asset)


def is_imported(asset: Asset) -> bool:
    """Return whether an asset is a picture or a mesh of somebody's own, and no shape that we draw."""
    return "picture" in asset.shape or "mesh" in asset.shape

"""A recipe: all settings of a dataset, apart from the faces and the number of samples.

Recipes are TOML files; `default.toml` explains every value and is the only place of the defaults. Any other file
replaces some of its values, and overrides (`coverage.max=0.4`) replace values of both. `_px` is pixels, `_deg` degrees.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, RootModel, ValidationError, model_validator

from fdgen.contract.crop_limit import MAX_OUTSIDE, MOST_OUTSIDE
from fdgen.contract.digests import digest_json
from fdgen.errors import RecipeError
from fdgen.io.pictures.codecs import Codec
from fdgen.kinds import KINDS
from fdgen.recipe.combinations import Combination, Several, combination_shares
from fdgen.recipe.files import read_recipe, recipe_names, recipe_text
from fdgen.recipe.strata import Strata
from fdgen.recipe.truth import Mask, Truth
from fdgen.settings.laws import law
from fdgen.settings.suggestion import did_you_mean
from fdgen.settings.toml import flatten, write_tables
from fdgen.settings.values import Names, Number, Section, Share, Weight, above_zero, at_least, listed, within

__all__ = [
    "AssetChoice",
    "Coverage",
    "FaceChoice",
    "Gates",
    "Kinds",
    "Pose",
    "Recipe",
    "Several",
    "Shards",
    "Splits",
    "Strata",
    "recipe_names",
    "recipe_text",
]


def _kinds(weights: dict[str, float]) -> dict[str, float]:
    for kind in weights:
        if kind not in KINDS:
            raise ValueError(f"has {kind!r}, which is no kind of this version{did_you_mean(kind, KINDS)}")
    if not any(weights.values()):
        raise ValueError("must have at least one weight above 0, got only zeros")
    kept = {kind for kind, weight in weights.items() if weight > 0 or KINDS[kind].since_ten}
    return {kind: weights[kind] for kind in KINDS if kind in kept}


class Kinds(RootModel[Annotated[dict[str, Weight], AfterValidator(_kinds)]]):
    """How often each kind of occluder is drawn: weights by kind, in the order of `fdgen.kinds`; 0 for one not named.

    A weight of 0 is kept for the kinds that recipes named before one could be absent, and dropped for any other: so a
    recipe, its digest and the datasets made with it stay what they are when a kind is added.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    def shares(self) -> dict[str, float]:
        """Return the probability of each kind that is drawn at all; they add up to 1."""
        weights = {name: weight for name, weight in self.root.items() if weight > 0}
        total = math.fsum(weights.values())
        return {name: weight / total for name, weight in weights.items()}


class Coverage(Section):
    """The range of the share of the crop that the mask may cover."""

    min: Share
    max: Share

    @model_validator(mode="after")
    def _is_a_range(self) -> Coverage:
        if self.min >= self.max:
            raise ValueError(f"must have min below max, got min {self.min:g} and max {self.max:g}")
        return self


def _in_order(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


class FaceChoice(Section):
    """What is done with faces that wear something already, and who is on a photograph.

    `avoid` puts nothing where something is, and rejects a face that leaves no kind; `exclude` rejects them all;
    `ignore` takes them as bare. In each case the record says what they wear.

    `identity` is `auto` (CelebA's list, or an `identities.csv` next to the photographs) or `folder`: the folder that a
    photograph is in is the person on it.

    `exclude` names photographs that are left out: by their paths below the folder of faces, or by keys of samples that
    were made of them. A recipe may name a file of names instead, of which the recipe then has the contents.

    `max_outside` is the share of a face's crop that may lie outside the photograph and be mirrored.
    """

    worn: Literal["avoid", "exclude", "ignore"]
    identity: Literal["auto", "folder"] = "auto"
    exclude: Annotated[tuple[str, ...], BeforeValidator(listed), AfterValidator(_in_order)] = ()
    max_outside: Annotated[Number, within(0, MOST_OUTSIDE)] = MAX_OUTSIDE


class Pose(Section):
    """The limits past which a face is rejected. `max_residual_px` is meant at 256 px and scales with the crop."""

    max_yaw_deg: Annotated[Number, within(0, 90)]
    max_pitch_deg: Annotated[Number, within(0, 90)]
    max_roll_deg: Annotated[Number, within(0, 180)]
    max_residual_px: Annotated[Number, AfterValidator(above_zero)]


class Gates(Section):
    """The bounds of what is measured of a pair (`fdgen.synthesis.realism`); a pair beyond one is drawn again."""

    max_halo: Share
    min_noise_ratio: Annotated[Number, within(0, 1)]
    max_noise_ratio: Annotated[Number, within(1, 100)]
    max_light_deg: Annotated[Number, within(0, 180)]
    max_light_stops: Annotated[Number, AfterValidator(above_zero)]
    max_scale_error: Annotated[Number, AfterValidator(above_zero)]


class Splits(Section):
    """How faces are divided, and into what shares."""

    mode: Literal["auto", "official", "identity", "source"]
    train: Share
    val: Share
    test: Share

    @model_validator(mode="after")
    def _add_up(self) -> Splits:
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"must have train + val + test = 1, got {total:g}")
        return self


class Shards(Section):
    """The size of a shard."""

    samples: Annotated[int, within(1, 100_000)]


class AssetChoice(Section):
    """Which occluders may be used, and how often; ids or patterns as of a shell (`mask-*`)."""

    packs: Names = ()
    """Folders of occluders in addition to those of fdgen. Where they lie is private: see `Recipe.as_dict`."""
    include: Names
    exclude: Names
    weights: dict[str, Weight]

    def check(self, asset_ids: Collection[str]) -> None:
        """Raise `RecipeError` where an id or a pattern matches none of the assets: it is misspelt, or gone."""
        for key, patterns in (("include", self.include), ("exclude", self.exclude), ("weights", self.weights)):
            for pattern in patterns:
                if not fnmatch.filter(asset_ids, pattern):
                    raise RecipeError(
                        f"assets.{key} names {pattern!r}, and no asset matches that{did_you_mean(pattern, asset_ids)}",
                        hint="`fdgen assets list` names them all",
                    )

    def weight(self, asset_id: str) -> float:
        """Return the weight of an asset among those of its kind; 0 means that it is not used.

        An exact id wins over patterns, a longer pattern over a shorter one.
        """
        if not _matches(asset_id, self.include) or _matches(asset_id, self.exclude):
            return 0.0
        if asset_id in self.weights:
            return self.weights[asset_id]
        for pattern in sorted(self.weights, key=lambda text: (-len(text), text)):
            if fnmatch.fnmatchcase(asset_id, pattern):
                return self.weights[pattern]
        return 1.0


class Recipe(Section):
    """Everything that a dataset is asked to be. Immutable; made by `Recipe.load` or `Recipe.from_dict`.

    >>> recipe = Recipe.load("masks", ["size_px=128", "coverage.max=0.5"])
    >>> recipe.size_px, recipe.kinds.shares()
    (128, {'mask': 1.0})
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    description: str
    seed: Annotated[int, at_least(0)]
    size_px: Annotated[int, within(64, 1024)]
    codec: Codec = "png"  # of datasets made before there was a choice
    attempts: Annotated[int, within(1, 1000)]
    kinds: Kinds
    several: Several
    coverage: Coverage
    faces: FaceChoice = FaceChoice(worn="ignore")  # of the recipes in datasets made before there was a choice
    pose: Pose
    strata: Strata
    gates: Gates
    splits: Splits
    shards: Shards
    assets: AssetChoice
    mask: Mask = Mask()
    truth: Truth = Truth()

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        """Check what no part can by itself."""
        for pair in self.several.never:
            for kind in pair.split("+"):
                if kind not in KINDS:
                    raise ValueError(f"several.never names no kind {kind!r}{did_you_mean(kind, KINDS)}")
        self.strata.check(KINDS, (self.coverage.min, self.coverage.max), self.pose.max_yaw_deg)
        self.combinations()
        return self

    @classmethod
    def load(cls, path_or_name: str | Path = "default", overrides: Sequence[str | tuple[str, Any]] = ()) -> Recipe:
        """Read a built-in recipe by name or a file by path, and apply overrides in their order.

        An override is `"a.b=c"`, c in TOML's notation or a bare string, or a pair `("a.b", value)`. Raises
        `RecipeError`, naming the file or the override and the law that it breaks.
        """
        return cls._validated(*read_recipe(path_or_name, overrides))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Make a recipe of what `as_dict` gave, such as the `recipe` of a dataset.json.

        Every value must be there, but for kinds: one that is absent is not drawn.
        """
        return cls._validated(values, "", ())

    @classmethod
    def _validated(cls, values: Mapping[str, Any], where: str, overridden: Sequence[str]) -> Recipe:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            laws = []
            for problem in error.errors():
                key = ".".join(str(part) for part in problem["loc"])
                at_fault = any(name == key or name.startswith(f"{key}.") for name in overridden)
                text = law(key, problem, foreign=f"{key} is not a key of a recipe")
                laws.append(f"{where}: {text}" if where and not at_fault else text)
            hint = "`fdgen recipe show default` explains every value"
            raise RecipeError("; ".join(laws), hint=hint) from error

    def check_assets(self, asset_ids: Collection[str]) -> None:
        """Raise `RecipeError` where a name matches no asset, or where a kind that is drawn is left without any.

        An asset's id begins with its kind.
        """
        self.assets.check(asset_ids)
        for kind in self.kinds.shares():
            if not any(one.startswith(f"{kind}-") and self.assets.weight(one) > 0 for one in asset_ids):
                raise RecipeError(
                    f"the recipe draws the kind {kind!r}, and leaves no asset of it to wear",
                    hint=f"widen assets.include, or set kinds.{kind}=0",
                )

    def assets_asked(self, digests: Mapping[str, str]) -> dict[str, str]:
        """Return those assets, of digests by id, whose kind the recipe names: the others are nothing to its datasets.

        So a dataset is asked for by the same `spec_id` when a kind is added with shapes of its own.
        """
        named = tuple(f"{kind}-" for kind in self.kinds.root)
        return {asset_id: sha256 for asset_id, sha256 in digests.items() if asset_id.startswith(named)}

    def combinations(self) -> dict[Combination, float]:
        """Return the probability of each combination: the kinds that a face wears, the lowest layer first."""
        return combination_shares(self.kinds.shares(), self.several)

    def as_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, strings and numbers, as JSON and TOML hold them.

        Without `assets.packs`: a dataset names its assets by their digests, and no folder of any machine. Without
        `codec` where it is `png`, `faces.identity` where it is `auto`, `faces.exclude` where it names nothing, and
        `faces.max_outside` where it is the usual: recipes are what they were before there was a choice; so are they
        without `mask` and `truth` where these ask for nothing.
        """
        values = self.model_dump(mode="json", exclude={"assets": {"packs"}})
        if values["codec"] == "png":
            del values["codec"]
        if values["faces"]["identity"] == "auto":
            del values["faces"]["identity"]
        if not values["faces"]["exclude"]:
            del values["faces"]["exclude"]
        if values["faces"]["max_outside"] == MAX_OUTSIDE:
            del values["faces"]["max_outside"]
        for name, nothing in (("mask", Mask()), ("truth", Truth())):
            if getattr(self, name) == nothing:
                del values[name]
        return values

    def digest(self) -> str:
        """Return the sha256 of all that decides pixels and layout: everything but `name` and `description`."""
        return digest_json({key: value for key, value in self.as_dict().items() if key not in ("name", "description")})

    def flat(self) -> dict[str, Any]:
        """Return one level of dotted keys, as in overrides: what a comparison of two recipes lists."""
        return dict(flatten(self.as_dict()))

    def to_toml(self) -> str:
        """Write the whole recipe as TOML; `Recipe.load` reads it back to an equal one."""
        return write_tables(self.model_dump(mode="json"))


def _matches(asset_id: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(asset_id, pattern) for pattern in patterns)

"""What the tables `shape` of all assets have in common: they are read into frozen models, and say what is wrong."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from pydantic import ValidationError

from fdgen.assets import Asset
from fdgen.errors import AssetError
from fdgen.runtime.kept_results import kept_for_objects
from fdgen.settings.laws import law
from fdgen.settings.suggestion import did_you_mean
from fdgen.settings.values import Range, Section

if TYPE_CHECKING:
    from typing_extensions import Self

_RANGE = get_args(Range)[0]


class AssetTable(Section):
    """The table `shape` of an asset. A new parameter is one field."""

    @classmethod
    def of(cls, asset: Asset) -> Self:
        """Read an asset's table, once a process; raise `AssetError` naming the asset and each key that is wrong."""
        table: Self = _read_once(asset, cls)
        return table

    @classmethod
    def read(cls, asset: Asset, shape: dict[str, Any]) -> Self:
        """Read `shape` as the table of an asset, which validators have as their context."""
        try:
            return cls.model_validate(shape, context=asset)
        except ValidationError as error:
            known = [name for name in cls.model_fields if name not in shape]
            laws = []
            for problem in error.errors():
                loc = [str(part) for part in problem["loc"] if part != "[key]"]
                key = ".".join(["shape", *loc])
                foreign = (
                    f"{key} is not a parameter of the kind {asset.kind}{did_you_mean(loc[-1] if loc else '', known)}"
                )
                laws.append(law(key, problem, foreign=foreign))
            raise AssetError(
                f"the asset {asset.id} has a wrong table: {'; '.join(laws)}",
                hint="correct its TOML file, then rebuild the index",
            ) from error

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The ranges by name, in the order of the fields."""
        return {name: getattr(self, name) for name, is_range in _fields(type(self)) if is_range}

    def draw(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw a value from every range, in the order of their names."""
        return {name: round(float(rng.uniform(*bounds)), 5) for name, bounds in sorted(self.ranges.items())}


@kept_for_objects(2, most=1_000)
def _read_once(asset: Asset, table: type[AssetTable]) -> Any:
    return table.read(asset, dict(asset.shape))


@cache
def _fields(table: type[AssetTable]) -> tuple[tuple[str, bool], ...]:
    """Return the fields of a table, and whether each is a range."""
    return tuple((name, field.annotation == _RANGE) for name, field in table.model_fields.items())

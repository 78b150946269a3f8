"""The occluder types: each is placed and rendered here; `fdgen.kinds` lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from fdgen.assets import Asset
from fdgen.kinds import KINDS
from fdgen.occluders.base import Occluder, Placement
from fdgen.occluders.imported.occluder import Imported
from fdgen.occluders.imported.spec import is_imported
from fdgen.runtime.load_by_name import load_by_name

__all__ = ["OCCLUDERS", "Occluder", "Placement", "occluder_of"]


class _Occluders(Mapping[str, Occluder]):
    """The occluder of each kind in the table, imported when it is asked for."""

    def __getitem__(self, kind: str) -> Occluder:
        return _made(kind, KINDS[kind].occluder)

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)


OCCLUDERS: Mapping[str, Occluder] = _Occluders()


def occluder_of(asset: Asset) -> Occluder:
    """Return what places and draws an asset: the occluder of its kind, or that of imported pictures and meshes."""
    return Imported(asset.kind) if is_imported(asset) else OCCLUDERS[asset.kind]


@cache
def _made(kind: str, path: str) -> Occluder:
    occluder: Occluder = load_by_name(path)(kind)
    return occluder

"""The occluders that can be worn: what they are, under which licence, and proof that they are unaltered."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from fdgen.contract import digest_json
from fdgen.errors import AssetError

if sys.version_info >= (3, 11):
    from importlib.resources.abc import Traversable

    import tomllib
else:
    from importlib.abc import Traversable

    import tomli as tomllib


@dataclass(frozen=True, slots=True)
class Asset:
    """One occluder: parameters and files, with where they come from.

    `shape` is the asset's own table of parameters; `files` are the meshes or pictures it uses, by name. `sha256` covers
    all of them. A `held_out` asset is never worn in train or val.
    """

    id: str
    kind: str
    title: str
    licence: str
    origin: str
    held_out: bool
    weight: float
    sha256: str
    shape: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class AssetLibrary:
    """All assets, by id."""

    assets: Mapping[str, Asset]

    @classmethod
    def load(cls, root: Traversable | None = None) -> AssetLibrary:
        """Load the index and every asset in it; raise `AssetError` where one is missing, altered or malformed.

        `root` is a folder with an `index.json`; None is the one that is installed with the package.
        """
        root = resources.files("occlusion_assets") if root is None else root
        try:
            index = json.loads(root.joinpath("index.json").read_text(encoding="utf-8"))
            entries = index["assets"]
        except (OSError, ValueError, KeyError) as error:
            raise AssetError(
                f"the asset index cannot be read: {error}",
                hint="reinstall the package, or run `make_index.py` beside it",
            ) from error
        return cls({entry["id"]: _load(root, entry) for entry in entries})

    def __getitem__(self, asset_id: str) -> Asset:
        try:
            return self.assets[asset_id]
        except KeyError:
            raise AssetError(f"there is no asset {asset_id!r}", hint="`fdgen assets list` shows all") from None

    def select(
        self, kind: str, *, held_out: bool, include: Iterable[str] = ("*",), exclude: Iterable[str] = ()
    ) -> list[Asset]:
        """Return the assets of a kind whose id matches a pattern of `include` and none of `exclude`, by id.

        Held-out assets are left out unless `held_out`.
        """
        include, exclude = tuple(include), tuple(exclude)
        return [
            asset
            for _, asset in sorted(self.assets.items())
            if asset.kind == kind
            and (held_out or not asset.held_out)
            and any(fnmatch.fnmatchcase(asset.id, pattern) for pattern in include)
            and not any(fnmatch.fnmatchcase(asset.id, pattern) for pattern in exclude)
        ]

    def digests(self) -> dict[str, str]:
        """Return the sha256 of each asset, by id."""
        return {asset_id: asset.sha256 for asset_id, asset in sorted(self.assets.items())}

    def digest(self) -> str:
        """Return one digest over all assets."""
        return digest_json(self.digests())


def asset_digest(members: Sequence[tuple[str, bytes]]) -> str:
    """Return the sha256 of an asset: over the names and digests of its files, the table first."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in members]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _load(root: Traversable, entry: Mapping[str, Any]) -> Asset:
    """Read one asset and check it against its entry in the index."""
    try:
        path = entry["path"]
        folder = root.joinpath(path.rpartition("/")[0])
        table_bytes = root.joinpath(path).read_bytes()
        table = tomllib.loads(table_bytes.decode("utf-8"))
        names = list(table.get("files", []))
        files = {name: folder.joinpath(name).read_bytes() for name in names}
        members = [(path.rpartition("/")[2], table_bytes), *files.items()]
        asset = Asset(
            id=table["id"],
            kind=table["kind"],
            title=table["title"],
            licence=table["licence"],
            origin=table["origin"],
            held_out=bool(table.get("held_out", False)),
            weight=float(table.get("weight", 1.0)),
            sha256=asset_digest(members),
            shape=table.get("shape", {}),
            files=files,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError(f"the asset {entry.get('id', '?')} cannot be read: {error}") from error
    if asset.sha256 != entry["sha256"] or asset.id != entry["id"]:
        raise AssetError(
            f"the asset {asset.id} differs from the index: it has been altered",
            hint="reinstall the package, or run `make_index.py` if the change is meant",
        )
    return asset

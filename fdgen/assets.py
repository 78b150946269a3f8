"""The available occluders: their descriptions, their licences, and digests that prove them unaltered."""

from __future__ import annotations

import fnmatch
import hashlib
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from fdgen.contract.digests import digest_json
from fdgen.errors import AssetError
from fdgen.io.json_file import parse_json, why
from fdgen.io.regular_file import read_regular
from fdgen.io.toml_file import parse_toml

if sys.version_info >= (3, 11):
    from importlib.resources.abc import Traversable
else:
    from importlib.abc import Traversable

MOST_BYTES = 100_000_000
"""Of one file of an asset, as `fdgen assets add` takes."""


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
    def load(cls, root: Traversable | None = None, *, remedy: str = "") -> AssetLibrary:
        """Load the index and every asset in it; raise `AssetError` where one is missing, altered or malformed.

        `root` is a folder with an `index.json`; None is the one that is installed with the package. `remedy` is what to
        do where one is altered.
        """
        within = root if isinstance(root, Path) else None  # our own may be links of a package manager
        root = resources.files("occlusion_assets") if root is None else root
        remedy = remedy or "reinstall the package, or run `make_index.py` if the change is meant"
        try:
            index = parse_json(_bytes(root.joinpath("index.json"), within))
            entries = index["assets"]
            if not isinstance(entries, list):
                raise ValueError("its assets are no list")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AssetError(f"the asset index cannot be read: {_missing(error)}", hint=remedy) from error
        return cls({asset.id: asset for asset in (_load(root, entry, remedy, within) for entry in entries)})

    def __getitem__(self, asset_id: str) -> Asset:
        try:
            return self.assets[asset_id]
        except KeyError:
            raise AssetError(
                f"there is no asset {asset_id!r}", hint="`fdgen assets list` shows all; one of a pack needs --pack"
            ) from None

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

    def joined(self, other: AssetLibrary, name: str) -> AssetLibrary:
        """Return this library with that of the pack `name`; raise `AssetError` where both have one of the same id."""
        twice = sorted(self.assets.keys() & other.assets.keys())
        if twice:
            raise AssetError(
                f"the pack {name} has an asset {twice[0]}, and there is another of that id",
                hint="give it an id of its own in its TOML file",
            )
        return AssetLibrary({**self.assets, **other.assets})

    def require(self, digests: Mapping[str, str]) -> None:
        """Raise `AssetError` where an asset of these ids is missing here, or is not the one of that sha256."""
        missing = sorted(digests.keys() - self.assets.keys())
        changed = sorted(one for one in digests.keys() & self.assets.keys() if self.assets[one].sha256 != digests[one])
        if missing:
            raise AssetError(
                f"the dataset uses {_some(missing)}, and this asset is missing",
                hint="name the pack that it comes from with --pack",
            )
        if changed:
            raise AssetError(
                f"{_some(changed)} {'differs' if len(changed) == 1 else 'differ'} from what the dataset was made with",
                hint="name the unaltered pack with --pack, or install the version that made the dataset",
            )

    def digest(self) -> str:
        """Return one digest over all assets."""
        return digest_json(self.digests())


def plain_name(name: str) -> str:
    """Return a file's name that stays in its folder; raise `ValueError` for any other: a pack may be a stranger's."""
    if not isinstance(name, str) or not re.fullmatch(r"[^/\\\x00-\x1f:]+", name) or name in (".", ".."):
        raise ValueError(f"{name!r} is not the name of a file in its own folder")
    return name


def asset_digest(members: Sequence[tuple[str, bytes]]) -> str:
    """Return the sha256 of an asset: over the names and digests of its files, the table first."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in members]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _some(names: Sequence[str]) -> str:
    """Return a few of the names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _load(root: Traversable, entry: Mapping[str, Any], remedy: str, within: Path | None) -> Asset:
    """Read one asset and check it against its entry in the index."""
    try:
        path, sha256, asset_id = str(entry["path"]), entry["sha256"], entry["id"]
    except (KeyError, TypeError) as error:
        raise AssetError(f"the asset index has an invalid entry: {entry!r}", hint=remedy) from error
    asset = read_asset(root, path, name=str(asset_id), within=within)
    if asset.sha256 != sha256 or asset.id != asset_id:
        raise AssetError(f"the asset {asset.id} differs from the index: it has been altered", hint=remedy)
    return asset


def read_asset(root: Traversable, path: str, *, name: str = "", within: Path | None = None) -> Asset:
    """Read one asset from its table at `path` (`KIND/NAME.toml`) below `root`, and the files that it names.

    Raises `AssetError` where something is missing or malformed, saying so of `name` or the path; where a link leads out
    of the folder `within`, of a pack that may be a stranger's.
    """
    try:
        parts = [plain_name(part) for part in path.split("/")]
        folder = root.joinpath(*parts[:-1])
        table_bytes = _bytes(folder.joinpath(parts[-1]), within)
        table = parse_toml(table_bytes)
        names = [plain_name(name) for name in table.get("files", [])]
        files = {name: _bytes(folder.joinpath(name), within) for name in names}
        shape = table.get("shape", {})
        texts = {key: table[key] for key in ("id", "kind", "title", "licence", "origin")}
        if not isinstance(shape, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise ValueError("id, kind, title, licence and origin are texts, and shape is a table")
        if not 0 <= (weight := float(table.get("weight", 1.0))) < math.inf:
            raise ValueError(f"its weight is {weight}")
        return Asset(
            **texts,
            held_out=bool(table.get("held_out", False)),
            weight=weight,
            sha256=asset_digest([(parts[-1], table_bytes), *files.items()]),
            shape=shape,
            files=files,
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise AssetError(f"the asset {name or path} cannot be read: {_missing(error)}") from error


def _bytes(place: Traversable, within: Path | None) -> bytes:
    """Return a file of assets, which may lie in an archive; of a folder, through the gate."""
    return read_regular(place, most_bytes=MOST_BYTES, within=within) if isinstance(place, Path) else place.read_bytes()


def _missing(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else why(error)

"""Packs: folders of the user's own occluders, used besides those that are included with fdgen.

A pack is built like `occlusion_assets`: `KIND/NAME.toml` next to its picture or mesh, and an `index.json` with the
digest of each. The index proves what a dataset was made with; after editing a table, write it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fdgen.assets import Asset, AssetLibrary, read_asset
from fdgen.errors import AssetError
from fdgen.io.atomic import write_whole
from fdgen.io.folders import nothing_in
from fdgen.io.regular_file import is_regular
from fdgen.kinds import KINDS
from fdgen.occluders.imported.spec import ImportedSpec, is_imported

INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class LibraryLoader:
    """Loads the occluders that come with fdgen and those of packs; can be sent to another process."""

    packs: tuple[str, ...] = ()

    def __call__(self) -> AssetLibrary:
        """Return the library; raise `AssetError` where a pack is missing, altered, or holds what cannot be worn."""
        return open_library(self.packs)


def open_library(packs: Iterable[str | Path] = ()) -> AssetLibrary:
    """Return the occluders that come with fdgen, and those of packs; raise `AssetError` for what is wrong with one."""
    library = AssetLibrary.load()
    for pack in packs:
        library = library.joined(read_pack(Path(pack)), str(pack))
    return library


def read_pack(pack: Path, *, indexed: bool = True) -> AssetLibrary:
    """Return the occluders of one pack, each fit to be worn; raise `AssetError` where one is not.

    Without `indexed` they are taken as they are in the folder, regardless of the index: to look at edits.
    """
    if not pack.is_dir():
        raise AssetError(
            f"there is no pack {pack}", hint="name the folder that `fdgen assets add --pack FOLDER` filled"
        )
    if indexed:
        if (why := nothing_in(pack)) is not None:
            raise AssetError(
                f"{pack} is not a pack: {why}",
                hint=f"`fdgen assets add PICTURE --pack {pack}` puts an occluder into it",
            )
        if not is_regular(pack / INDEX):
            raise AssetError(
                f"{pack} is not a pack: it has no {INDEX}",
                hint=f"`fdgen assets index {pack}` writes one from its files",
            )
        remedy = f"if the change is intended, run `fdgen assets index {pack}`; else use the unaltered pack"
        library = AssetLibrary.load(pack, remedy=remedy)
    else:
        library = _by_id(pack, [read_asset(pack, path, within=pack) for path in tables(pack)])
    for asset in library.assets.values():
        refuse_unfit(asset)
    return library


def refuse_unfit(asset: Asset) -> None:
    """Raise `AssetError` where an asset of a pack can't be worn: another id or kind than there is, no anchors."""
    if asset.kind not in KINDS:
        raise AssetError(
            f"the asset {asset.id} is of the kind {asset.kind!r}, which does not exist",
            hint=f"known are {', '.join(KINDS)}",
        )
    if not asset.id.startswith(f"{asset.kind}-"):
        raise AssetError(
            f"the asset {asset.id} must have an id that begins with {asset.kind}-", hint="correct its TOML file"
        )
    if is_imported(asset):
        ImportedSpec.of(asset)


def tables(pack: Path) -> list[str]:
    """Return the paths of the tables in a pack, as its index names them."""
    return [path.relative_to(pack).as_posix() for path in sorted(pack.glob("*/*.toml")) if path.name[0] != "."]


def index_text(pack: Path) -> str:
    """Return the index of what is in a pack now; raise `AssetError` where a table or a file cannot be read."""
    assets = [(path, read_asset(pack, path, within=pack)) for path in tables(pack)]
    _by_id(pack, [asset for _, asset in assets])
    names = ("id", "kind", "title", "licence", "held_out")
    entries = [
        {**{name: getattr(asset, name) for name in names}, "path": path, "sha256": asset.sha256}
        for path, asset in assets
    ]
    return json.dumps({"assets": entries}, indent=1, ensure_ascii=False) + "\n"


def write_index(pack: Path) -> AssetLibrary:
    """Write the index of a pack, after edits that are meant; return what it holds. Raises `AssetError`."""
    if not pack.is_dir():
        raise AssetError(f"there is no pack {pack}", hint="`fdgen assets add PICTURE --pack FOLDER` makes one")
    library = read_pack(pack, indexed=False)
    write_whole(pack / INDEX, index_text(pack).encode())
    return library


def _by_id(pack: Path, assets: Sequence[Asset]) -> AssetLibrary:
    library = AssetLibrary({})
    for asset in assets:
        library = library.joined(AssetLibrary({asset.id: asset}), str(pack))
    return library

"""The asset library: complete, licensed, unaltered, and refused when it is not."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

import occlusion_assets
from fdgen.assets import AssetLibrary
from fdgen.errors import AssetError
from fdgen.occluders import OCCLUDERS
from occlusion_assets.make_index import index

_LEAST = {"sunglasses": 12, "mask": 8, "hand": 12, "eyeglasses": 12, "scarf": 6, "cup": 10, "microphone": 9}
_LEAST |= {"hat": 10, "phone": 5, "shape": 7, "goggles": 9, "shield": 6, "veil": 6, "hood": 6}
ROOT = Path(occlusion_assets.__file__).parent


def test_the_index_is_up_to_date() -> None:
    assert (ROOT / "index.json").read_text(encoding="utf-8") == index(ROOT), "run python occlusion_assets/make_index.py"


def test_there_are_enough_of_each_kind_and_some_are_held_out() -> None:
    library = AssetLibrary.load()
    everyone = Counter(asset.kind for asset in library.assets.values())
    train = Counter(asset.kind for asset in library.assets.values() if not asset.held_out)
    for kind, least in _LEAST.items():
        assert train[kind] >= least, train
        assert everyone[kind] >= train[kind] + 2, everyone


def test_every_kind_that_has_assets_can_be_drawn_and_the_other_way_round() -> None:
    assert {asset.kind for asset in AssetLibrary.load().assets.values()} == set(OCCLUDERS) == set(_LEAST)


def test_every_asset_says_where_it_comes_from() -> None:
    for asset in AssetLibrary.load().assets.values():
        assert asset.licence
        assert asset.origin
        assert asset.title
        assert asset.id.startswith(f"{asset.kind}-")
        assert asset.weight > 0


def test_every_mesh_file_has_a_licence_beside_it() -> None:
    for path in ROOT.rglob("*"):
        if path.suffix in {".glb", ".npz", ".png", ".jpg"}:
            assert any(path.parent.glob("LICENSE*")), path


def test_selection_by_pattern_and_hold_out() -> None:
    library = AssetLibrary.load()
    ids = {asset.id for asset in library.select("mask", held_out=False)}
    assert ids
    assert all(not library[asset_id].held_out for asset_id in ids)
    assert {a.id for a in library.select("mask", held_out=True)} > ids
    assert library.select("mask", held_out=True, exclude=["mask-*"]) == []
    assert [a.id for a in library.select("sunglasses", held_out=True, include=["*wayfarer"])] == ["sunglasses-wayfarer"]


def test_an_altered_or_missing_asset_is_refused_by_name(tmp_path: Path) -> None:
    copy = tmp_path / "assets"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / "sunglasses" / "wayfarer.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n# one more line\n", encoding="utf-8")
    with pytest.raises(AssetError, match="sunglasses-wayfarer differs from the index"):
        AssetLibrary.load(copy)
    path.unlink()
    with pytest.raises(AssetError, match="sunglasses-wayfarer cannot be read"):
        AssetLibrary.load(copy)
    (copy / "index.json").write_text(json.dumps({"wrong": 1}), encoding="utf-8")
    with pytest.raises(AssetError, match="index cannot be read"):
        AssetLibrary.load(copy)


def test_an_unknown_asset_is_named() -> None:
    with pytest.raises(AssetError, match="no asset 'mask-of-zorro'"):
        AssetLibrary.load()["mask-of-zorro"]

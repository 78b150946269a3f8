"""Files that a user writes may begin with U+FEFF, as editors on Windows save them: it is no part of the text."""

from __future__ import annotations

import shutil
from pathlib import Path

from fdgen.assets import AssetLibrary, read_asset
from fdgen.cards.prose import read_prose, starting_text
from fdgen.recipe.schema import Recipe
from fdtrain.config.schema import FitConfig
from fdtrain.evaluation.reported.table import read_table
from tests.support.paths import ROOT

MARK = "\ufeff".encode()
ASSETS = ROOT / "occlusion_assets"


def marked(path: Path, text: str | bytes) -> Path:
    path.write_bytes(MARK + (text if isinstance(text, bytes) else text.encode()))
    return path


def test_settings_and_words(tmp_path: Path) -> None:
    assert Recipe.load(marked(tmp_path / "a.toml", "seed = 7\n")).seed == 7
    config = marked(tmp_path / "b.toml", "[training]\nimages = 77\n")
    assert FitConfig.load("tiny", file=config).training.images == 77
    assert read_prose(marked(tmp_path / "card.toml", starting_text("folder", "my-faces"))).title == "My faces"
    table = marked(tmp_path / "c.csv", "method,psnr\nours,30.1\n")
    assert [one.method for one in read_table(table)] == ["ours"]


def test_an_occluder(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(ASSETS / "cup", pack / "cup")
    table = sorted((pack / "cup").glob("*.toml"))[0]
    plain = read_asset(pack, f"cup/{table.name}")
    marked(table, table.read_bytes())
    assert read_asset(pack, f"cup/{table.name}").title == plain.title
    marked(pack / "index.json", '{"assets": []}')
    assert not AssetLibrary.load(pack).digests()

"""`fdgen recipe` and the settings that build shares with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.shared.fdgen_options import resolve_recipe
from fdgen.recipe.schema import Recipe, recipe_names
from tests.support.running import assert_refused, run


def test_list_names_every_recipe() -> None:
    assert [line.split()[0] for line in run("recipe", "list").stdout.splitlines()] == list(recipe_names())
    listed = json.loads(run("recipe", "list", "--json").stdout)
    assert [entry["name"] for entry in listed] == list(recipe_names())


@pytest.mark.parametrize("options", [[], ["--resolved"]])
def test_what_show_prints_is_a_recipe(options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(run("recipe", "show", "masks", *options).stdout, encoding="utf-8")
    assert Recipe.load(file).digest() == Recipe.load("masks").digest()


def test_show_prints_a_file_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 5  # lucky\n", encoding="utf-8")
    assert run("recipe", "show", file).stdout == "seed = 5  # lucky\n"
    assert json.loads(run("recipe", "show", file, "--json").stdout) == Recipe.load(file).as_dict()


def test_init_writes_a_recipe_that_checks(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    result = run("recipe", "init", file)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert run("recipe", "check", file).stdout.strip() == Recipe.load("default").digest()
    assert_refused(run("recipe", "init", file), 2, str(file), "--force")
    assert run("recipe", "init", file, "--force", "--from", "masks").exit_code == 0
    assert run("recipe", "check", file).stdout.strip() == Recipe.load("masks").digest()


def test_check_tells_what_is_asked() -> None:
    overrides = ("--set", "several.two=0.25", "--set", "strata.pose.0-20=1", "--set", "strata.offered.0-20=0.5")
    result = run("recipe", "check", "default", *overrides)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == resolve_recipe("default", overrides[1::2]).digest()
    lines = result.stderr.splitlines()
    assert lines[0] == "default is a valid recipe; it asks for"
    assert len(lines) == 5  # kinds alone and together, poses, faces taken: whatever number of kinds there is
    assert "mask+hand" in lines[2]
    assert "others" in lines[2]
    assert "50.0% of the faces are used" in result.stderr
    told = json.loads(run("recipe", "check", "default", *overrides, "--json").stdout)
    assert told["digest"] == result.stdout.strip()
    assert told["faces_taken"] == 0.5
    assert len(told["asked"]) > 40
    kinds = {row["stratum"]: row["share"] for row in told["asked"] if row["what"] == "kinds"}
    assert sum(kinds.values()) == pytest.approx(1)
    assert sum(share for name, share in kinds.items() if "+" in name) == pytest.approx(0.25)


def test_check_tells_of_poses_that_nobody_measured() -> None:
    result = run("recipe", "check", "default", "--set", "strata.pose.0-20=1")
    assert_refused(result, 2, "strata.offered", "fdgen recipe offered")


def test_what_offered_prints_completes_a_recipe(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('size_px = 64\n[strata.pose]\n"0-20" = 0.9\n"20-45" = 0.1\n', encoding="utf-8")
    result = run("recipe", "offered", file, "--cache", cache, "--quiet")
    assert result.exit_code == 0, result.stderr
    with file.open("a", encoding="utf-8") as out:
        out.write(result.stdout)
    offered = Recipe.load(file).strata.offered
    assert offered.keys() == {"0-20", "20-45"}
    assert sum(offered.values()) == pytest.approx(1)
    assert json.loads(run("recipe", "offered", file, "--cache", cache, "--quiet", "--json").stdout) == offered


def test_check_refuses_and_guesses(tmp_path: Path) -> None:
    assert_refused(run("recipe", "check", "masks", "--set", "coverage.mxa=1"), 2, "coverage.mxa", "'coverage.max'")
    assert_refused(run("recipe", "check", "defualt"), 2, "'default'")
    file = tmp_path / "mine.toml"
    file.write_text("sead = 5\n", encoding="utf-8")
    assert_refused(run("recipe", "check", file), 2, str(file), "'seed'")


def test_later_settings_win() -> None:
    assert resolve_recipe("masks").seed == 0
    assert resolve_recipe("masks", ["seed=1"]).seed == 1
    assert resolve_recipe("masks", ["seed=1", "seed=2"]).seed == 2
    assert resolve_recipe("masks", ["seed=1", "size_px=128"], seed=3, size_px=64).flat()["seed"] == 3
    assert resolve_recipe("masks", ["size_px=128"], size_px=64).size_px == 64

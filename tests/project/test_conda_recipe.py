"""The recipe for conda-forge asks for what pyproject.toml asks for."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from fdgen.version import __version__
from tests.project.test_architecture import project
from tests.support.paths import ROOT

RECIPE = ROOT / "docs" / "conda" / "recipe.yaml"

NAMES = {
    "isal": "python-isal",
    "opencv-python-headless": "py-opencv",
    "torch": "pytorch",
    "zlib-ng": "python-zlib-ng",
}
"""Names of packages on conda-forge, where they are others."""

LEFT_OUT = {"patchmatch-cython"}
"""What the recipe says it leaves out."""


@pytest.fixture(scope="module")
def recipe() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    held: dict[str, Any] = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    return held


def output(recipe: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one of the packages that the recipe makes."""
    found: dict[str, Any] = next(one for one in recipe["outputs"] if one["package"]["name"] == name)
    return found


def run_ranges(recipe: dict[str, Any], name: str) -> dict[str, SpecifierSet]:
    """Return the ranges of what a package needs, by name, without those of Python and of our own packages."""
    lines = [line.partition(" ") for line in output(recipe, name)["requirements"]["run"] if not line.startswith("${{")]
    return {package: SpecifierSet(span) for package, _, span in lines if package != "python"}


def asked(lines: list[str]) -> dict[str, SpecifierSet]:
    """Return the ranges of requirements of pyproject.toml, by their names on conda-forge, for any Python and system."""
    found = [Requirement(line) for line in lines]
    return {NAMES.get(one.name, one.name): one.specifier for one in found if one.name not in LEFT_OUT}


@pytest.mark.parametrize(("name", "extra"), [("fd-stackgan", ""), ("fd-stackgan-train", "train")])
def test_it_needs_what_the_project_needs(recipe: dict[str, Any], name: str, extra: str) -> None:
    held = project()["project"]
    lines = held["optional-dependencies"][extra] if extra else held["dependencies"]
    assert run_ranges(recipe, name) == asked(lines)
    assert all(word in RECIPE.read_text(encoding="utf-8").partition("schema_version")[0] for word in LEFT_OUT)


def test_it_has_the_version_the_programs_and_the_licences_of_the_project(recipe: dict[str, Any]) -> None:
    held = project()
    assert recipe["context"]["version"] == __version__
    programs = [f"{name} = {place}" for name, place in held["project"]["scripts"].items()]
    assert output(recipe, "fd-stackgan")["build"]["python"]["entry_points"] == programs
    least = held["project"]["requires-python"]
    assert f"python {least}" in output(recipe, "fd-stackgan")["requirements"]["run"]
    assert (
        output(recipe, "fd-stackgan")["requirements"]["host"][-1].replace(" ", "") in held["build-system"]["requires"]
    )
    licences = {path for pattern in held["project"]["license-files"] for path in ROOT.glob(pattern)}
    assert {ROOT / name for name in recipe["about"]["license_file"]} == licences
    assert (recipe["about"]["license"], recipe["about"]["summary"]) == (
        held["project"]["license"],
        held["project"]["description"],
    )

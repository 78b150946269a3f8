"""`doctor` says which exact set of releases is installed, and what differs."""

from __future__ import annotations

import importlib
import sys

import pytest
from packaging.requirements import Requirement

from cli.shared import version_sets
from cli.shared.version_sets import SETS, Difference, differences, read_set, version_set
from tests.support.paths import ROOT

PACKAGES = ("numpy", "pandas", "opencv-python-headless")


def install(monkeypatch: pytest.MonkeyPatch, name: str, **others: str | None) -> None:
    """Pretend that a set is installed, but for `others`."""
    found = {**read_set(name), **others}
    monkeypatch.setattr(version_sets, "installed", found.get)


@pytest.mark.parametrize("name", SETS)
def test_a_whole_set_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, name)
    assert version_set(PACKAGES).found == f"the {name} (cli/sets/{name}.txt)"
    assert differences(next(other for other in SETS if other != name), PACKAGES)


def test_what_differs_is_listed_of_the_nearer_set_and_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "newest", pandas="2.9.9")
    there = read_set("newest")["pandas"]
    assert differences("newest", PACKAGES) == [Difference("pandas", "2.9.9", there)]
    found = version_set(PACKAGES)
    assert found.ok
    assert found.found == f"neither the oldest nor the newest; of the newest differ pandas 2.9.9 ({there})"


def test_what_is_not_installed_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "oldest", pandas=None)
    assert differences("oldest", PACKAGES) == []


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_within_the_ranges_of_the_project(name: str) -> None:
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["train"])]
    found = read_set(name)
    for requirement in asked:
        if requirement.name in found:
            assert requirement.specifier.contains(found[requirement.name]), requirement
    assert {"numpy", "opencv-python-headless", "pandas", "torch", "ai-edge-litert"} <= found.keys()

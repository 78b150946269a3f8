"""The exact sets that `cli/sets/` lists, and which of them is installed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import resources

from .doctor_checks import Finding, installed

SETS = ("oldest", "newest")


@dataclass(frozen=True)
class Difference:
    """A package of another release than in a set: here and there."""

    package: str
    here: str
    there: str


def read_set(name: str) -> Mapping[str, str]:
    """Return the release of each package in a set."""
    text = resources.files("fdcli").joinpath("sets", f"{name}.txt").read_text("utf-8")
    lines = [line.partition(";")[0].strip() for line in text.splitlines() if "==" in line]
    return {package: version for package, _, version in (line.partition("==") for line in lines)}


def differences(name: str, packages: Collection[str]) -> list[Difference]:
    """Return which of `packages` are installed in another release than in a set; what is missing is no difference."""
    found = read_set(name)
    here = {package: installed(package) for package in packages}
    return [
        Difference(package, version, found[package])
        for package, version in here.items()
        if version is not None and package in found and version != found[package]
    ]


def version_set(packages: Collection[str]) -> Finding:
    """Say which set the installed `packages` are of, or what differs from the nearer one; neither is no problem."""
    nearest = min(SETS, key=lambda name: len(differences(name, packages)))
    apart = differences(nearest, packages)
    if not apart:
        return Finding("set of releases", f"the {nearest} (cli/sets/{nearest}.txt)")
    listed = ", ".join(f"{other.package} {other.here} ({other.there})" for other in apart)
    return Finding("set of releases", f"neither the oldest nor the newest; of the {nearest} differ {listed}")

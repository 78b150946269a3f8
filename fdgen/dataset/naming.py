"""The name and version of a dataset, chosen by its publisher.

They are not part of `spec_id` or `content_id`, which identify the bytes that were asked for and made.
So a rebuild under another name proves by its ids that its content is the same, and so do two equal versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fdgen.errors import RecipeError

MOST_CHARACTERS = 64
"""Of a name and of a version: both become one folder's name, which file systems hold to 255 bytes."""

UNVERSIONED = "0.0.0+"
"""A dataset that was given no version has this one, with the first digits of its content_id."""

NAME_PATTERN = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
_NUMBER, _PART = r"(0|[1-9][0-9]*)", r"(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
VERSION_PATTERN = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PART}(\.{_PART})*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
"""As semver.org defines it."""

_NAME, _VERSION = re.compile(NAME_PATTERN), re.compile(VERSION_PATTERN)


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a dataset and its version; None where it was given none."""

    name: str
    version: str | None

    def version_of(self, content_id: str) -> str:
        """Return the version that a finished dataset has."""
        return self.version or UNVERSIONED + content_id[:12]


def check_name(name: str) -> str:
    """Return the name of a dataset; raise `RecipeError` where it is none."""
    if not _NAME.fullmatch(name) or len(name) > MOST_CHARACTERS:
        raise RecipeError(
            f"the name of a dataset is of small letters, digits and single hyphens, begins with a letter and has "
            f"{MOST_CHARACTERS} characters at most, got {name!r}",
            hint="for example --name celeba-occluded",
        )
    return name


def check_version(version: str) -> str:
    """Return the version of a dataset; raise `RecipeError` where it is not one of semantic versioning."""
    if not _VERSION.fullmatch(version) or len(version) > MOST_CHARACTERS:
        raise RecipeError(
            f"a version is three numbers, as in 1.2.0 or 1.2.0-rc.1 (semver.org), got {version!r}",
            hint="raise the first if readers must change, the second if samples change, the third for the rest",
        )
    return version


def check_label(name: str | None, version: str | None) -> None:
    """Check what was given of a name and a version; raise `RecipeError`."""
    if name is not None:
        check_name(name)
    if version is not None:
        check_version(version)


def label_of(
    recipe_name: str, found: Mapping[str, Any] | None, *, name: str | None = None, version: str | None = None
) -> Label:
    """Return what a build calls its dataset: the name given now, else the one given before, else the recipe's name.

    `found` is the trustworthy dataset.json of an earlier run of the same build, None where there is none.
    """
    found = found or {}
    recipe = found.get("recipe", {})
    before, version_before = found.get("name"), found.get("version")
    if name is None and isinstance(before, str) and _NAME.fullmatch(before) and before != plain(recipe.get("name", "")):
        name = before
    if version is None and isinstance(version_before, str) and _VERSION.fullmatch(version_before):
        version = version_before
    if version is not None and version.startswith(UNVERSIONED):
        version = None
    return Label(name or plain(recipe_name), version)


def plain(recipe_name: str) -> str:
    """Return the name that datasets of a recipe have where they are given none.

    >>> plain("My_masks.v2"), plain("2024")
    ('my-masks-v2', 'set-2024')
    """
    words = re.sub(r"[^a-z0-9]+", "-", recipe_name.lower()).strip("-")
    name = words if words[:1].isalpha() else f"set-{words}".rstrip("-")
    return name[:MOST_CHARACTERS].rstrip("-")

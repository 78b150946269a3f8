"""A dataset that is served for browsing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fdgen.browser.answers import Answers
from fdgen.browser.server import serving
from fdgen.browser.version import Version


@pytest.fixture(scope="session")
def version(built: Path) -> Version:
    return Version.open(built)


@pytest.fixture(scope="session")
def answers(version: Version) -> Answers:
    return Answers(version)


@pytest.fixture(scope="session")
def address(answers: Answers) -> Iterator[str]:
    with serving(answers, port=0) as found:
        yield found

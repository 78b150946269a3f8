"""SECURITY.md and the page of laws promise what tests hold: each promise names some, and those are there."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("document", "head", "least"),
    [("SECURITY.md", "| promise", 10), ("docs/pages/concepts/laws.md", "| law", 25)],
)
def test_every_promise_names_tests_that_are_there(document: str, head: str, least: int) -> None:
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith(head)]
    assert len(rows) >= least
    for row in rows:
        tests = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", row.split("|")[2])
        assert tests, row
        for file, name in tests:
            text = (ROOT / file).read_text(encoding="utf-8")
            assert f"\ndef {name or 'test_'}" in text, (file, name)
            assert not name or f"\ndef {name}(" in text, (file, name)

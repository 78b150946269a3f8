"""SECURITY.md promises what tests hold: each promise names some, and each test that it names is there."""

from __future__ import annotations

import re

from tests.support.paths import ROOT


def test_every_promise_names_tests_that_are_there() -> None:
    lines = (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) >= 10
    for row in rows:
        tests = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", row.split("|")[2])
        assert tests, row
        for file, name in tests:
            text = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert f"\ndef {name or 'test_'}" in text, (file, name)
            assert not name or f"\ndef {name}(" in text, (file, name)

"""Two versions on one page: every sample of both, each once, and what became of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdgen.browser.comparison import compare
from fdgen.browser.version import Version
from fdgen.contract.manifest import Manifest
from fdgen.versions.difference import diff
from tests.support.fake_build import COUNT, FACES, run


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("newer") / "set"
    run(out, FACES, count=COUNT - 4)
    return out


def test_rows_are_those_of_both_versions(built: Path, newer: Path) -> None:
    found = compare(Version.open(built), Version.open(newer))
    columns, told = found.columns, diff(built, newer)
    old, new = (Manifest.load(root).table["key"].tolist() for root in (built, newer))
    assert sorted(columns["key"]) == sorted({*old, *new})
    changes = {one.key: one.change for one in told.samples}
    for place, key in enumerate(columns["key"]):
        shown = (old if columns["gone"][place] else new)[columns["row"][place]]
        assert shown == key
        assert columns["change"]["names"][columns["change"]["codes"][place]] == changes.get(key, "same")
        before = columns["before"][place]
        assert (before == -1) == (key not in old)
        assert before == -1 or old[before] == key
    assert found.summary["counts"] == told.counts()
    assert found.summary["counts"]["removed"] > 0


def test_a_version_and_itself_are_the_same(built: Path) -> None:
    found = compare(Version.open(built), Version.open(built))
    assert found.summary["same"]
    assert set(found.columns["change"]["names"]) == {"same"}

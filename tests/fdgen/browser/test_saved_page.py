"""The page that is kept: what is in it, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fdgen.browser.page_files import SCRIPT, self_contained
from fdgen.browser.saved_page import chosen_rows, saved_page
from fdgen.browser.version import Version, columns_of
from fdgen.errors import DatasetError


def data_of(text: str) -> dict[str, object]:
    found = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert isinstance(found, dict)
    return found


def test_it_names_no_path(built: Path, version: Version) -> None:
    text = saved_page(version, [0])
    assert str(built) not in text
    assert str(built.parent.parent) not in text


def test_it_holds_what_was_chosen(version: Version) -> None:
    columns = columns_of(version.table)
    rows = chosen_rows(version, kinds=["mask"], split="train", limit=3)
    assert len(rows) == 3
    for row in rows:
        assert "mask" in columns["kinds"]["names"][columns["kinds"]["codes"][row]]
        assert columns["split"]["names"][columns["split"]["codes"][row]] == "train"
    data = data_of(saved_page(version, rows))
    assert [one["key"] for one in data["records"]] == [version.key(row) for row in rows]  # type: ignore[attr-defined]


def test_what_a_file_says_is_text_and_never_markup() -> None:
    bad = "</script><script>alert(1)</script><!--"
    text = self_contained({"name": bad}, "</title><script>alert(2)</script>")
    assert data_of(text) == {"name": bad}
    assert "<script>alert" not in text
    assert b"</script" not in SCRIPT  # it would end there where it stands in the page
    for way in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"eval("):
        assert way not in SCRIPT


def test_what_is_not_there_is_named(version: Version) -> None:
    with pytest.raises(DatasetError, match="there is no split 'tset'"):
        chosen_rows(version, split="tset")
    with pytest.raises(DatasetError, match="has the key 'f0-0'"):
        chosen_rows(version, keys={"f0-0"})
    with pytest.raises(DatasetError, match="wears 'sofa'"):
        chosen_rows(version, kinds=["sofa"])

"""What the project asks to be cited as."""

from __future__ import annotations

import pytest

from fdgen.version import __version__
from tests.support.paths import ROOT


def test_it_names_this_release() -> None:
    yaml = pytest.importorskip("yaml")
    held = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (held["cff-version"], held["version"], held["license"]) == ("1.2.0", __version__, "MIT")
    assert {"title", "message", "authors"} <= held.keys()
    assert held["references"][0]["title"].split(":")[0] in (ROOT / "README.md").read_text(encoding="utf-8")

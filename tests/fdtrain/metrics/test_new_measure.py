"""A measure that is added is one module and one row: eval, compare and report then show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fdtrain.comparison.plan import Task
from fdtrain.data.triplets import TripletDataset
from fdtrain.evaluation.evaluator import evaluate
from fdtrain.evaluation.references import open_references
from fdtrain.evaluation.reported.table import parse
from fdtrain.evaluation.results import Results
from fdtrain.metrics.registry import MEASURES, Measure, better, columns_compared, optional
from fdtrain.metrics.suite import open_suite
from fdtrain.report.measurements import read_comparison
from fdtrain.report.pages import build_page, markdown
from fdtrain.report.sources import read_sources
from tests.support.asks import ask_of
from tests.support.reported import begin
from tests.support.sets import write_set

MODULE = '''
"""How red a picture is."""

import numpy as np

PROTOCOL = "mean of the red channel over that of all channels"


def open_redness(size_px):
    return lambda picture_HWC: float(picture_HWC[..., 0].mean() / max(picture_HWC.mean(), 1))
'''

ROW = Measure(
    "red_share",
    "redness",
    "↓",
    "pictures",
    {"composited": 3, "raw": 3},
    scorer="redness_of_a_test:open_redness",
    protocol="redness_of_a_test:PROTOCOL",
    tested=("composited",),
    by_stratum=("composited",),
)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "redness_of_a_test.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(MEASURES, ROW.name, ROW)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("data") / "set", 40)


@pytest.mark.usefixtures("added")
def test_a_measure_is_shown_by_eval_once_it_has_its_row(data: Path, tmp_path: Path) -> None:
    assert "red_share" in optional()
    dataset = TripletDataset(data, "test", size_px=32, limit=4)
    methods = open_references(["copy", "telea"], lambda: dataset)
    suite = open_suite(dataset.size_px, ["red_share"])
    frame = evaluate(methods, dataset, suite=suite)
    results = Results.of(frame, dataset, suite)
    text = results.text()
    assert "redness ↓" in text
    assert "red_share: mean of the red channel over that of all channels" in text
    results.write(tmp_path / "eval")
    page = build_page(read_sources([tmp_path / "eval"]), title="Report")
    assert "redness ↓" in page
    assert "redness: difference from" in page
    (row,) = parse(["method,red_share,psnr", "ours,0.3,30.1"], "table.csv")
    assert row.cells == {"red_share": "0.3", "psnr": "30.1"}


@pytest.mark.usefixtures("added")
def test_a_measure_is_shown_by_compare_once_it_has_its_row(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    begin([Task(name, "reference", name) for name in ("copy", "telea")], ask_of(data, measures=optional()), out)
    measured = read_comparison(out)
    assert "redness ↓" in measured.grids["Table 1"][0]
    assert any(title.startswith("redness ↓, by kind") for title in measured.strata)
    assert "redness ↓" in markdown(read_sources([out]))


def test_columns_say_where_better_is() -> None:
    assert {name: better(name) for name in columns_compared()} == {
        name: column.better for name, column in columns_compared().items()
    }
    assert better("psnr_hole_of_mean_mse") == "↑"
    assert better("fid") == "↓"
    assert better("gain") == "↑"


def test_every_optional_measure_says_who_computes_it_and_how() -> None:
    for row in MEASURES.values():
        assert bool(row.scorer) == bool(row.protocol) == (row.name not in ("psnr", "ssim", "mse"))
        assert {*row.compared, *row.tested, *row.by_stratum} <= set(row.digits)

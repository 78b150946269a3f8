"""Auditing reported numbers: what the paper's tables have, and what tables that were really measured have not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdtrain.errors import ConfigError
from fdtrain.evaluation.audit import findings, spreads
from fdtrain.evaluation.reported.table import paper_table, parse, read_table


def measured(values_by_method: dict[str, npt.NDArray[np.float64]]) -> str:
    """Write a table as it would be reported of these PSNRs in dB, one a picture."""
    lines = ["method,PSNR,MSE"]
    for name, psnr in values_by_method.items():
        mse = 255.0**2 / 10 ** (psnr / 10)
        lines.append(f"{name},{psnr.mean():.3f},{mse.mean():.3f}")
    return "\n".join(lines)


def test_the_papers_tables_have_their_three_faults_and_no_other() -> None:
    found = [finding for finding in findings(paper_table()) if not finding.is_note]
    told = {(finding.rule, finding.place) for finding in found}
    assert told == {
        ("repeated", "Table 2, Two-stage network"),
        ("contradiction", "Table 2, Two-stage network"),
        ("spread-too-large", "Table 1, GLCM"),
    }
    notes = [finding for finding in findings(paper_table()) if finding.is_note]
    assert [(note.rule, note.place) for note in notes] == [
        ("psnr-of-mean-mse", "Table 1, FD-StackGAN"),
        ("psnr-of-mean-mse", "Table 2, Two-stage network"),  # the same row again
    ]
    for words in ("the PSNR of the mean MSE, or of batches", "differ by 0.23 dB at most", "other rows of this table"):
        assert words in notes[0].what
    repeated = next(finding for finding in found if finding.rule == "repeated")
    assert "NIQE 4.3315, BRISQUE 40.2936" in repeated.what
    contradiction = next(finding for finding in found if finding.rule == "contradiction")
    assert contradiction.what.startswith("NIQE 4.3315 for 4.499, BRISQUE 40.2936 for 42.504 in Table 1, FD-StackGAN")


def test_the_papers_spreads() -> None:
    by_place = {spread.row.place: spread for spread in spreads(paper_table())}
    assert by_place["Table 1, FD-StackGAN"].gap_db == pytest.approx(0.005, abs=0.001)
    assert by_place["Table 1, FD-StackGAN"].spread_db == pytest.approx(0.2, abs=0.05)
    assert by_place["Table 1, GLCM"].gap_db == pytest.approx(7.5, abs=0.05)
    assert by_place["Table 3, L1"].spread_db == pytest.approx(2.2, abs=0.1)


@given(st.integers(0, 2**32 - 1), st.floats(1.8, 4.5), st.floats(8.0, 40.0))
def test_what_was_measured_is_believed_and_its_spread_is_told(seed: int, spread_db: float, mean_db: float) -> None:
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal((2, 4000))
    table = parse(
        measured({"ours": mean_db + spread_db * draws[0], "theirs": mean_db - 1 + spread_db * draws[1]}).splitlines(),
        "table",
    )
    assert findings(table) == []
    for spread in spreads(table):
        assert spread.spread_db == pytest.approx(spread_db, rel=0.25)
        assert spread.least_db <= spread.spread_db <= spread.most_db


@given(st.lists(st.floats(5.0, 60.0), min_size=2, max_size=30))
def test_no_measured_table_is_called_impossible(psnr: list[float]) -> None:
    rules = {finding.rule for finding in findings(parse(measured({"ours": np.array(psnr)}).splitlines(), "table"))}
    assert "impossible" not in rules


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parent / "published").glob("*.csv")), ids=lambda path: path.stem
)
def test_honest_tables_that_were_published_pass(path: Path) -> None:
    rows = read_table(path)
    assert findings(rows) == []
    found = spreads(rows)
    assert len(found) == len(rows)
    assert all(2.0 < spread.spread_db < 5.5 for spread in found)


@given(st.lists(st.floats(8.0, 45.0), min_size=2, max_size=30), st.integers(1, 3))
def test_the_psnr_of_a_mean_mse_is_a_note_and_says_no_nan(psnr: list[float], decimals: int) -> None:
    mse = float(np.mean(255.0**2 / 10 ** (np.array(psnr) / 10)))
    line = f"ours,{10 * math.log10(255**2 / mse):.{decimals}f},{mse:.{decimals}f}"
    found = findings(parse(["method,PSNR,MSE", line], "table"))
    assert all(finding.is_note for finding in found)
    assert "nan" not in " ".join(finding.what for finding in found)


@pytest.mark.parametrize(
    ("head", "cell"),
    [
        ("MSE (%)", lambda mse: f"{100 * mse:.3f}"),
        ("MSE", lambda mse: f"{100 * mse:.3f}%"),
        ("Mean L2 loss ↓", lambda mse: f"{100 * mse:.3f} %"),
        ("L2 per cent", lambda mse: f"{100 * mse:.3f}"),
        ("RMSE", lambda mse: f"{255 * math.sqrt(mse):.3f}"),
        ("RMSE %", lambda mse: f"{100 * math.sqrt(mse):.3f}"),
        ("L2", lambda mse: f"{255 * math.sqrt(mse):.3f}"),  # a root by that name
    ],
)
def test_errors_are_read_by_other_names_and_units(head: str, cell: Callable[[float], str]) -> None:
    psnr = 25 + 2.5 * np.random.default_rng(0).standard_normal(4000)
    mse = float((10 ** (-psnr / 10)).mean())
    rows = parse([f"method,PSNR (dB) ↑,{head}", f"ours,{psnr.mean():.3f},{cell(mse)}"], "table")
    assert findings(rows) == []
    (spread,) = spreads(rows)
    assert (spread.beside, spread.spread_db) == (head, pytest.approx(2.5, rel=0.1))
    if head != "L2":  # which may be either, and fits as one of them
        low = parse([f"method,PSNR,{head}", f"ours,{psnr.mean() - 9:.3f},{cell(mse)}"], "table")
        assert [finding.rule for finding in findings(low)] == ["impossible"]


def test_a_mean_of_roots_is_a_reading_too() -> None:
    psnr = 25 + 5.5 * np.random.default_rng(0).standard_normal(4000)
    root = 255 * float((10 ** (-psnr / 20)).mean())
    rows = parse(["method,PSNR,RMSE", f"ours,{psnr.mean():.3f},{root:.3f}"], "table")
    assert findings(rows) == []


def test_an_mse_by_another_white_is_a_note() -> None:
    (finding,) = findings(parse(["method,PSNR,MSE", "ours,20.24,0.0130"], "table"))
    assert (finding.rule, finding.is_note) == ("another-white", True)
    assert "`--peak 1`" in finding.what


@pytest.mark.parametrize(
    ("metric", "cell"), [("MSE (%)", "101"), ("SSIM (%)", "101"), ("L2", "100.5%"), ("RMSE", "256")]
)
def test_more_than_all_is_impossible_in_per_cent_too(metric: str, cell: str) -> None:
    (finding,) = findings(parse([f"method,{metric}", f"ours,{cell}"], "table"))
    assert finding.rule == "impossible"
    assert findings(parse(["method,SSIM (%)", "ours,96.3"], "table")) == []


def test_a_mean_psnr_below_that_of_the_mean_mse_is_impossible() -> None:
    (finding,) = findings(parse(["method,PSNR,MSE", "ours,30.00,60.0"], "table"))
    assert finding.rule == "impossible"


def test_rounding_is_forgiven() -> None:
    exact = 10 * math.log10(255**2 / 100.0)  # pictures that are all alike
    (spread,) = spreads(parse(["method,PSNR,MSE", f"ours,{exact - 0.04:.1f},100"], "table"))
    assert spread.least_db == 0.0
    rules = [finding.rule for finding in findings(parse(["method,PSNR,MSE", f"ours,{exact:.1f},100"], "table"))]
    assert "impossible" not in rules


def test_a_model_may_be_rounded_differently_in_another_table() -> None:
    lines = ["table,method,PSNR,NIQE", "1,ours,20.24,4.50", "2,ours,20.2,4.499"]
    assert findings(parse(lines, "table")) == []
    lines[2] = "2,ours,20.3,4.499"
    assert [finding.rule for finding in findings(parse(lines, "table"))] == ["contradiction"]


def test_subsets_of_pictures_are_kept_apart_and_unequal_scales_are_asked_for() -> None:
    lines = [
        "method,stratum,psnr_hole,mse_hole,mse_hole_se",
        "ours,all,20.238,830.2,33.1",
        "ours,hand,18.691,1177.4,60.0",
    ]
    assert findings(parse(lines, "table")) == []
    unit = ["method,PSNR,MSE", "ours,20.24,0.0130"]
    assert findings(parse(unit, "table"), peak=1.0) == []


def test_two_files_that_differ_on_one_model_contradict_each_other() -> None:
    first, second = parse(["method,PSNR", "ours,30.12"], "a.csv"), parse(["method,PSNR", "ours,32.98"], "b.csv")
    (finding,) = findings([*first, *second])
    assert (finding.rule, finding.place) == ("contradiction", "b.csv, ours")


def test_rows_of_one_model_in_one_table_contradict_each_other() -> None:
    (finding,) = findings(parse(["method,model,PSNR", "ours,m,30.12", "ours again,m,32.98"], "table"))
    assert finding.rule == "contradiction"


@pytest.mark.parametrize(
    ("metric", "cell"), [("MSE", "-3"), ("PSNR", "-1"), ("SSIM", "1.7"), ("MSE", "70000"), ("LPIPS", "-0.1")]
)
def test_figures_that_no_picture_gives_are_impossible(metric: str, cell: str) -> None:
    (finding,) = findings(parse([f"method,{metric}", f"ours,{cell}"], "table"))
    assert (finding.rule, finding.what) == ("impossible", f"a {metric} of {cell}")


def test_a_long_table_is_read_like_a_wide_one() -> None:
    wide = parse(["method,psnr_hole,mse_hole", "ours,30.00,60.0", "theirs,20.1,"], "table")
    long = parse(
        [
            "method,measure,value,error",
            "ours,psnr_hole,30.00,0.1",
            "ours,mse_hole,60.0,",
            "ours,cpu_s,7,",
            "theirs,psnr_hole,20.1,",
        ],
        "table",
    )
    assert wide == long
    assert [finding.rule for finding in findings(long)] == ["impossible"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no table of methods"),
        ("a,b\n1,2\n", "has no table of methods"),
        ("method;PSNR\nours;1\n", "has no table of methods"),
        ('method,PSNR\n"x', "is no CSV"),
        ("method,PSNR\n\x1b[31mours,30\n", "control characters"),
        ("method,PSNR,PSNR\nours,30,31\n", "has the column 'PSNR' twice"),
        ("method,PSNR\nours,30 dB\n", "row 1: PSNR is '30 dB', which is not a number"),
        ("method,PSNR\nours,1_0\n", "which is not a number"),
        ("method,PSNR\nours,30,31\n", "has a row of 3 cells under 2 columns"),
        ("method,PSNR\nours,30\nours,31\n", "row 2: ours has the PSNR 31, and 30 before"),
        ("method,key,PSNR\nours,f1,30\n", "has a row a picture"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_table(path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no text"):
        read_table(tmp_path / "table.csv")


def test_cells_without_a_figure_are_passed_by() -> None:
    rows = parse(["method,PSNR,MSE,time", "ours,,-,3", "theirs,inf,nan", "more,31.5,60.2,1"], "table")
    assert [len(row.cells) for row in rows] == [0, 0, 2]

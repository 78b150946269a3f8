"""A few hundred inputs with every run of the tests, thousands with the slow ones: no promise is broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.formats import FORMATS
from tests.fuzz.harness import CORPUS, run
from tests.fuzz.seeds import make_seeds

QUICK, SLOW = 12, 300
"""Inputs of each format, beside the corpus."""

LIGHT = [name for name, one in FORMATS.items() if not one.torch]
SAMPLE = ("demo-upload", "manifest", "pack-glb", "recipe", "shard")

pytest.importorskip("resource", reason="limits are set as POSIX has them")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return whole files of the formats that need no torch."""
    return make_seeds(tmp_path_factory.mktemp("seeds"), LIGHT)


def inputs_of(name: str, mutated: int) -> int:
    return mutated + sum(1 for path in (CORPUS / name).glob("*") if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.sample if name in SAMPLE else ()) for name in LIGHT]
)
def test_a_few_inputs_break_no_promise(name: str, seeds: Path, tmp_path: Path) -> None:
    account = run(name, seeds, tmp_path / "work", inputs=inputs_of(name, QUICK))
    assert account.faults == []
    assert account.inputs == inputs_of(name, QUICK)
    assert account.outcomes["refused"] > 0 or name == "export-sums"  # a damaged list of sums is made anew


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run-json", "checkpoint", "generator", "contract"])
def test_a_few_inputs_of_training_break_no_promise(name: str, tmp_path: Path) -> None:
    seeds = make_seeds(tmp_path / "seeds", [name])
    account = run(name, seeds, tmp_path / "work", inputs=inputs_of(name, QUICK))
    assert account.faults == []
    assert account.outcomes["refused"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_many_inputs_break_no_promise(name: str, tmp_path: Path) -> None:
    seeds = make_seeds(tmp_path / "seeds", [name])
    assert run(name, seeds, tmp_path / "work", inputs=inputs_of(name, SLOW), seed=1).faults == []


@pytest.mark.parametrize("name", FORMATS)
def test_mutations_are_equal_for_equal_seeds(name: str) -> None:
    data = b'{"a": [1, {"b": "x"}], "c": 2.5}\nkey = 3\n'
    for mutator in dict.fromkeys(FORMATS[name].mutators):
        first, second = (mutator(data, np.random.default_rng(7), [data, b"other"]) for _ in range(2))
        assert first == second, mutator.__name__


def test_every_corpus_is_of_a_format() -> None:
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= FORMATS.keys()


@pytest.mark.parametrize(
    ("what", "outcome"),
    [("raises", "foreign"), ("kills", "died"), ("hangs", "hung"), ("writes", "outside")],
)
def test_the_harness_notices(
    what: str, outcome: str, seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a harness that sees nothing, every test passes."""
    monkeypatch.setenv("FUZZ_SABOTAGE", what)
    monkeypatch.setattr("tests.fuzz.harness.MOST_S", 2.0)
    account = run("recipe", seeds, tmp_path / "work", inputs=2)
    assert account.outcomes[outcome] == 2
    assert len(account.faults) == 2

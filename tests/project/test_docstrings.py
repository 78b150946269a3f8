"""Docstrings: their examples run, and public functions that take much say what each argument is."""

from __future__ import annotations

import ast
import doctest
import importlib

import pytest

from tests.support.paths import ROOT

PROGRAMS = ("cli", "fdgen", "fdtrain")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for program in PROGRAMS
    for path in sorted((ROOT / program).rglob("*.py"))
}
WITH_EXAMPLES = sorted(name for name, path in MODULES.items() if ">>> " in path.read_text(encoding="utf-8"))
LEAST_EXAMPLES = 45
"""Functions, classes and modules with examples. There were 50 when this was written: fewer means that a search fails."""

LEAST_ARGUMENTS = 5
"""From this many parameters on, a public function has a section `Args:`."""


def examples_of(module_name: str) -> list[doctest.DocTest]:
    """Return the examples of a module, one test for each docstring; skip where an optional package is missing."""
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in PROGRAMS:
            raise
        pytest.skip(f"{error.name} is not installed")
    return [test for test in doctest.DocTestFinder(exclude_empty=True).find(module, module_name) if test.examples]


@pytest.mark.parametrize("module_name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(module_name: str) -> None:
    report: list[str] = []
    tests = examples_of(module_name)
    assert tests, f"{module_name} has lines that begin with >>>, and no docstring that doctest finds"
    for test in tests:
        doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_there_are_as_many_examples_as_there_were() -> None:
    documented = [
        node
        for name in WITH_EXAMPLES
        for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module)
        and ">>> " in (ast.get_docstring(node) or "")
    ]
    assert len(documented) >= LEAST_EXAMPLES

"""Docstrings: their examples run, and public functions that take much say what each argument is."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT
from tests.support.syntax import nodes_of, tree_of

PROGRAMS = ("cli", "fdgen", "fdtrain")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for program in PROGRAMS
    for path in sorted((ROOT / program).rglob("*.py"))
}
WITH_EXAMPLES = sorted(name for name, path in MODULES.items() if ">>> " in path.read_text(encoding="utf-8"))
LEAST_EXAMPLES = 45
"""Docstrings with examples; there were 50 when this was written. Fewer means that the search fails."""

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
    with_examples = [
        node
        for name in WITH_EXAMPLES
        for node in nodes_of(MODULES[name])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module)
        and ">>> " in (ast.get_docstring(node) or "")
    ]
    assert len(with_examples) >= LEAST_EXAMPLES


def public_functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Yield the public functions and methods of a module: dotted name, node, and whether it takes self or cls."""
    pending: list[tuple[str, ast.stmt, bool]] = [("", node, False) for node in tree.body]
    while pending:
        within, node, in_class = pending.pop(0)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            pending += [(f"{within}{node.name}.", child, True) for child in node.body]
            continue
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if not any(re.search(r"\bcommand\(", decorator) for decorator in decorators):  # click documents its options
            yield within + node.name, node, in_class and "staticmethod" not in decorators


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef, *, bound: bool) -> list[str]:
    """Return the names of parameters, in their order; of a `bound` method all but the first."""
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)][1 if bound else 0 :]
    names += [arguments.vararg.arg] if arguments.vararg else []
    names += [one.arg for one in arguments.kwonlyargs]
    return names + ([arguments.kwarg.arg] if arguments.kwarg else [])


def documented(docstring: str) -> list[str]:
    """Return the names that the section `Args:` of a docstring explains, in their order."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n(?=    ))+)", docstring, re.MULTILINE)
    return re.findall(r"^    \*{0,2}(\w+): \S", section[1], re.MULTILINE) if section else []


LONG = [
    pytest.param(parameters_of(node, bound=bound), documented(ast.get_docstring(node) or ""), id=f"{module}.{name}")
    for module, path in MODULES.items()
    if not any(part.startswith("_") and part != "__init__" for part in module.split("."))
    for name, node, bound in public_functions(tree_of(path))
    if len(parameters_of(node, bound=bound)) >= LEAST_ARGUMENTS
]


@pytest.mark.parametrize(("parameters", "explained"), LONG)
def test_every_argument_of_a_long_list_is_explained(parameters: list[str], explained: list[str]) -> None:
    assert explained == parameters


def test_functions_with_long_lists_are_seen() -> None:
    seen = {str(parameter.id) for parameter in LONG}
    assert {"fdgen.pipeline.builder.build", "fdtrain.training.loop.fit", "fdgen.faces.cache.FaceCache.put_blob"} <= seen


def test_an_argument_that_is_not_explained_is_noticed() -> None:
    assert documented("Do it.\n\nArgs:\n    one: First: it\n        goes on: so.\n    two: Second.\n\nNot: this.") == [
        "one",
        "two",
    ]
    assert documented("Do `one`.") == []

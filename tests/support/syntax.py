"""Syntax trees of the project's files, each parsed once for all tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes_of(path: Path) -> Iterator[ast.AST]:
    """Walk all nodes of a file."""
    return ast.walk(tree_of(path))

"""Make the notebook of its text: `python docs/make_notebook.py`, after a change of docs/notebooks/ten_minutes.py.

The text is Python in cells, each begun by a line `# %%`, which editors show as a notebook too; `# %% [markdown]` begins
one of words, and a line `# %pip` is one of IPython. The notebook has no outputs, so that a change of it can be read.
`--run FOLDER` executes it there, and keeps it with its outputs and each of its pictures: look at them before a release.
`--set NAME=VALUE` changes a parameter of that run, as `--set PAIRS=12`.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DOCS = Path(__file__).resolve().parent
SOURCE = DOCS / "notebooks" / "ten_minutes.py"
NOTEBOOK = DOCS / "pages" / "tutorial" / "ten-minutes.ipynb"

CELL = re.compile(r"^# %%(?P<markdown> \[markdown\])?(?: tags=\[(?P<tags>[^\]]*)\])?\n", re.MULTILINE)
MAGIC = re.compile(r"^( *)# (%\w+ )", re.MULTILINE)
PARAMETERS = "parameters"
"""The tag of the cell whose values a run may change; papermill knows it by the same name."""

MOST_SECONDS = 3600
"""Of one cell, on a machine that others use too."""


def notebook_of(text: str) -> Any:
    """Return the notebook that a text in cells describes; raise `ValueError` where code stands before the first."""
    starts = [*CELL.finditer(text)]
    if not starts or text[: starts[0].start()].strip():
        raise ValueError("the text does not begin with a line `# %%`")
    ends = [start.start() for start in starts[1:]] + [len(text)]
    cells = []
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        body = text[start.end() : end].strip("\n")
        if start["markdown"]:
            cell = new_markdown_cell("\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines()))
        else:
            cell = new_code_cell(MAGIC.sub(r"\1\2", body))
            if start["tags"]:
                cell.metadata["tags"] = re.findall(r'"([\w-]+)"', start["tags"])
        cell.id = f"cell-{number:02}"  # nbformat's are random
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def written(notebook: Any) -> str:
    """Return the text of a notebook's file; raise what nbformat raises where it is none."""
    nbformat.validate(notebook)
    return str(nbformat.writes(notebook)) + "\n"


def execute(notebook: Any, folder: Path, values: dict[str, str]) -> Any:
    """Run a notebook in a folder, with some of its parameters changed; raise `CellExecutionError` where a cell fails.

    `values` has Python expressions by name, which are set after the parameters' own cell. Raises `KeyError` for a name
    that is no parameter.
    """
    place = next(n for n, cell in enumerate(notebook.cells) if PARAMETERS in cell.metadata.get("tags", ()))
    for name in values:
        if not re.search(rf"^{re.escape(name)} = ", notebook.cells[place].source, re.MULTILINE):
            raise KeyError(f"{name} is no parameter of the notebook")
    if values:
        lines = "\n".join(f"{name} = {value}" for name, value in values.items())
        notebook.cells.insert(place + 1, new_code_cell(lines, id="parameters-of-this-run"))
    client = NotebookClient(notebook, timeout=MOST_SECONDS, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def pictures(notebook: Any) -> dict[str, bytes]:
    """Return the PNG files of a notebook that was run, by the ids of their cells."""
    return {
        cell.id: base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    }


def main(words: list[str] | None = None) -> int:
    """Write the notebook, or run it, as the words of a command line say; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--run", type=Path, metavar="FOLDER", help="execute it there, and keep what comes out")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of that run")
    asked = parser.parse_args(words)
    notebook = notebook_of(SOURCE.read_text(encoding="utf-8"))
    if asked.run is None:
        NOTEBOOK.write_text(written(notebook), encoding="utf-8")
        sys.stdout.write(f"{NOTEBOOK}\n")
        return 0
    asked.run.mkdir(parents=True, exist_ok=True)
    done = execute(notebook, asked.run, dict(one.split("=", 1) for one in asked.set))
    (asked.run / NOTEBOOK.name).write_text(written(done), encoding="utf-8")
    for name, png in pictures(done).items():
        (asked.run / f"{name}.png").write_bytes(png)
    sys.stdout.write(f"{asked.run / NOTEBOOK.name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The reference pages, made of the code: the command line, the settings, the API, and what is in which module.

Needs what the commands import for their help (click, pydantic, rich), and neither torch nor mediapipe.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]

PROGRAMS = ("fdgen", "fdtrain")

SETTINGS = tuple(f"fdtrain/config/{name}.py" for name in ("schema", "data", "training", "baselines", "mask"))

TYPES = {
    "bool": "true or false",
    "Count": "a whole number from 1 on",
    "Images": "a whole number from 0 on",
    "int": "a whole number",
    "Layers": "five whole numbers, one a layer",
    "Names": "a list of names",
    "Number": "a number",
    "Positive": "a number above 0",
    "Rates": "a list of whole numbers",
    "Share": "a number in [0, 1]",
    "str": "text",
    "Betas": "two numbers in [0, 0.9999]",
    "Weight": "a number from 0 on",
    "Weights": "two numbers from 0 on, of stage I and of stage II",
}
"""In words, the types that settings are declared with (fdtrain/config/value_types.py)."""


def cli_page() -> str:
    """Return the page of the command line: each command with its own help."""
    parts = [
        "# Command line\n\nThe text of `--help`. "
        "Every command also has `--debug`, which prints the traceback of an error.\n"
    ]
    for name in PROGRAMS:
        program = importlib.import_module(f"cli.{name}.main").program
        context = click.Context(program, info_name=name)
        parts.append(f"## {name}\n\n{_prose(program.help)}\n")
        parts += [_command(command, path) for command, path in _commands(program, context)]
    return "\n".join(parts)


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield the commands of a group, those of its groups with them, each with its context."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(name)
        inner = click.Context(command, info_name=name, parent=context)
        yield command, inner
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _command(command: click.Command, context: click.Context) -> str:
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    lines = [f"### {context.command_path}\n", f"```text\n{usage}\n```\n", _prose(command.help), ""]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option) and parameter.name not in ("help", "debug"):
            lines.append(f"`{record[0]}`\n:   {_inline(record[1])}\n")
    return "\n".join(lines)


def _prose(text: str | None) -> str:
    r"""Return help as Markdown: paragraphs, and those after a `\b` line by line."""
    paragraphs = []
    for part in inspect.cleandoc(text or "").split("\n\n"):
        if part.startswith("\b"):
            paragraphs.append(f"```text\n{part.removeprefix(chr(8)).strip(chr(10))}\n```")
        else:
            paragraphs.append(_inline(" ".join(part.split())))
    return "\n\n".join(paragraphs)


def _inline(text: str) -> str:
    """Return text in which nothing but `code` is Markdown."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]])", r"\\\1", part) for part in parts)


def recipe_page() -> str:
    """Return the page of a recipe's settings: the default recipe, table by table, and what the others are."""
    folder = ROOT / "fdgen" / "recipe" / "builtin"
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    head = (
        "# Settings of a recipe\n\nThe default recipe, as `fdgen recipe show default` prints it. "
        "Other recipes give what they change.\n"
    )
    rows = ["| built-in recipe | |", "|---|---|"]
    for path in sorted(folder.glob("*.toml")):
        values = toml.loads(path.read_text(encoding="utf-8"))
        rows.append(f"| `{values['name']}` | {values['description']} |")
    parts = [head, "\n".join(rows), ""]
    for block in re.split(r"\n\n(?=(?:#[^\n]*\n)*\[)", (folder / "default.toml").read_text(encoding="utf-8")):
        table = re.search(r"^\[([\w.]+)\]", block, re.MULTILINE)
        parts.append(f"## {table[1] if table else 'The recipe itself'}\n\n```toml\n{block.strip()}\n```\n")
    return "\n".join(parts)


def config_page() -> str:
    """Return the page of a training's settings: every key with its default and the comment that it has in the code."""
    classes: dict[str, ast.ClassDef] = {}
    lines: dict[str, list[str]] = {}
    for name in SETTINGS:
        text = (ROOT / name).read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name], lines[node.name] = node, text.splitlines()
    config = importlib.import_module("fdtrain.config.schema").FitConfig
    baselines = importlib.import_module("fdtrain.config.schema").BASELINES
    parts = [
        "# Settings of a training\n\nAny of these is changed by `--set KEY=VALUE` or in a TOML file; "
        "`fdtrain presets --show NAME` prints those of a preset. Defaults are the paper's. "
        "Pairs are (stage I, stage II).\n",
        f"## {config.__name__}\n\n{_settings(classes['FitConfig'], lines['FitConfig'], '')}",
    ]
    for name, field in config.model_fields.items():
        kind = field.annotation
        if inspect.isclass(kind) and kind.__name__ in classes:
            parts.append(_section(name, f"{name}.", kind.__name__, classes, lines))
    parts.append(_section("data.on_the_fly", "data.on_the_fly.", "OnTheFlyConfig", classes, lines))
    parts.append(_section("mask", "mask.", "MaskConfig", classes, lines))
    for method, kind in baselines.items():
        if kind.__name__ in classes:  # else it has those of all of them alone
            parts.append(_section(f"baseline: {method}", "baseline.", kind.__name__, classes, lines))
    parts.append(_section("baseline: all of them", "baseline.", "BaselineSettings", classes, lines))
    return "\n".join(parts)


def _section(
    title: str, prefix: str, name: str, classes: Mapping[str, ast.ClassDef], lines: Mapping[str, list[str]]
) -> str:
    about = " ".join((ast.get_docstring(classes[name]) or "").split())
    return f"## {title}\n\n{about}\n\n{_settings(classes[name], lines[name], prefix)}"


def _settings(node: ast.ClassDef, lines: list[str], prefix: str) -> str:
    """Return the fields of a class as a definition list: default, what it may be, and the comment over it."""
    parts = []
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        declared = ast.unparse(field.annotation)
        if "ClassVar" in declared or declared.endswith("Config"):
            continue  # no setting, or a table with a section of its own
        default = _default(field.value)
        parts.append(
            f"`{prefix}{field.target.id}`{f' = `{default}`' if default else ''}\n"
            f":   *{_type(field.annotation)}.* {_inline(_comment_over(lines, field.lineno))}\n\n"
        )
    return "".join(parts)


def _comment_over(lines: list[str], number: int) -> str:
    """Return the comment right over a line, counted from 1."""
    found: list[str] = []
    while lines[number - 2 - len(found)].lstrip().startswith("#"):
        found.insert(0, lines[number - 2 - len(found)].strip().lstrip("# "))
    return " ".join(found)


def _default(value: ast.expr | None) -> str:
    if isinstance(value, ast.Call):  # Field(default=..., exclude=True)
        value = next((one.value for one in value.keywords if one.arg == "default"), None)
    if value is None:
        return ""
    text = ast.unparse(value).replace("'", '"')
    return {"None": "none", "True": "true", "False": "false"}.get(text, text.replace("(", "[").replace(")", "]"))


def _type(node: ast.expr) -> str:
    """Say in words what a setting may be."""
    if isinstance(node, ast.BinOp):  # X | None
        return f"{_type(node.left)}, or none"
    if isinstance(node, ast.Name):
        return TYPES.get(node.id, f"a table ({node.id})")
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) and ast.unparse(node.value) == "Annotated":
        words = _type(node.slice.elts[0])
        for law in node.slice.elts[1:]:
            text = ast.unparse(law)
            if bounds := re.fullmatch(r"within\((.+), (.+)\)", text):
                words = f"{words} in [{bounds[1]}, {bounds[2]}]"
            elif least := re.fullmatch(r"at_least\((.+)\)", text):
                words = f"{words} from {least[1]} on"
        return words
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
        choices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return "one of " + ", ".join(f"`{ast.literal_eval(choice)}`" for choice in choices)
    return f"`{ast.unparse(node)}`"


def methods_page() -> str:
    """Return the page of the methods: the paper of each, and where it deviates from it."""
    methods = importlib.import_module("fdtrain.methods").LEARNED
    parts = [
        "# Methods and their papers\n\nEach method is written from its paper. Where it deviates, it says so here; "
        "`fdtrain presets --show NAME` prints the same. Settings that a paper leaves open are in "
        "[Settings](config.md).\n"
    ]
    for method in methods.values():
        lines = "\n".join(f"- {_inline(line[:1].upper() + line[1:])}." for line in method.deviations)
        parts.append(f"## {method.name}\n\n{method.paper}.\n\n{lines}\n")
    parts.append(
        "# Methods without training\n\nOf these, three are solved here by their papers' equations; the others are "
        "those of libraries.\n"
    )
    for name, reference in importlib.import_module("fdtrain.evaluation.references").VARIATIONAL.items():
        lines = "\n".join(f"- {_inline(line[:1].upper() + line[1:])}." for line in reference.deviations)
        parts.append(f"## {name}\n\n{reference.paper}: {_inline(reference.protocol)}.\n\n{lines}\n")
    return "\n".join(parts)


def api_page() -> str:
    """Return the page of the public names, which mkdocstrings fills in."""
    parts = [
        "# API\n\nThe names that `import fdgen` and `import fdtrain` give. Each is imported when it is first used.\n"
    ]
    for name in PROGRAMS:
        package = importlib.import_module(name)
        parts.append(f"## {name}\n\n{_prose((package.__doc__ or '').partition(': ')[2])}\n")
        parts += [f"::: {name}.{public}\n" for public in package.__all__ if public != "__version__"]
    return "\n".join(parts)


def modules_page() -> str:
    """Return the page of all modules, by folder, each with the first sentence of its docstring."""
    parts = ["# Modules\n\nWhat is in which file: the first line of each.\n"]
    for package in ("fdgen", "fdtrain", "cli", "occlusion_assets"):
        parts.append(f"## {package}\n")
        folders = [ROOT / package, *sorted(path.parent for path in (ROOT / package).rglob("*/__init__.py"))]
        for folder in dict.fromkeys(folders):
            modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
            if folder != ROOT / package:
                parts.append(f"### {folder.relative_to(ROOT).as_posix()}\n\n{_first_line(folder / '__init__.py')}\n")
            if modules:
                parts += [
                    "| file | |",
                    "|---|---|",
                    *(f"| `{path.name}` | {_first_line(path)} |" for path in modules),
                    "",
                ]
    return "\n".join(parts)


def _first_line(path: Path) -> str:
    """Return the first sentence, or paragraph, of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return _inline(" ".join(text.split("\n\n")[0].split())).replace("|", "\\|")


REFERENCE: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": cli_page,
    "reference/recipe.md": recipe_page,
    "reference/config.md": config_page,
    "reference/methods.md": methods_page,
    "reference/api.md": api_page,
    "reference/modules.md": modules_page,
}
"""Each page of the reference, and what writes it."""

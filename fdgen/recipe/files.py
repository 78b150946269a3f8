"""Files of recipes: finding, reading and merging them, and overrides.

Knows TOML and the keys of `default.toml`, but no law on any value; those are in `fdgen.recipe.schema`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdgen.errors import RecipeError, in_words
from fdgen.io.regular_file import read_regular
from fdgen.io.toml_file import read_toml
from fdgen.kinds import KINDS, weight_lines
from fdgen.settings.suggestion import did_you_mean
from fdgen.settings.toml import merged, parse_tables, split_override, value_of

RECIPES_DIR = Path(__file__).parent / "builtin"
MOST_NAMES_BYTES = 100_000_000
"""Of a file of names; the names of CelebA's 202,599 photographs take 2 MB."""

_WEIGHTS = "# a line a kind: the weights of fdgen/kinds.py"
"""The line of a built-in recipe that is replaced by those weights."""


def recipe_names() -> tuple[str, ...]:
    """Return the names of the built-in recipes, `default` first."""
    return tuple(sorted((path.stem for path in RECIPES_DIR.glob("*.toml")), key=lambda name: (name != "default", name)))


def recipe_text(name: str) -> str:
    """Return a built-in recipe as TOML, with its comments and the weight of each kind."""
    path = _find(name)
    return path.read_text(encoding="utf-8").replace(_WEIGHTS, "\n".join(weight_lines(path.stem)))


def read_recipe(
    path_or_name: str | Path, overrides: Sequence[str | tuple[str, Any]]
) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Return the values of a recipe over the defaults, the file to blame (`""` if built in), the keys overridden.

    Raises `RecipeError` for what cannot be read and for keys that no recipe has; values are not looked at.
    """
    path, default = _find(path_or_name), RECIPES_DIR / "default.toml"
    built_in = path.parent == RECIPES_DIR
    values = _parse(default)
    given: dict[str, Any] = {}
    shape = {"": frozenset(values)} | {
        key: frozenset(table) for key, table in values.items() if isinstance(table, dict)
    }
    shape["kinds"] = frozenset(KINDS)  # the default recipe names only those that it draws
    if path != default:
        own = _parse(path)
        _check_keys(own, shape, f"{path}: ")
        _find_packs(own, path.parent)
        _read_exclusion(own, path.parent)
        values = merged({**values, "name": path.stem, "description": ""}, own)
        given = merged(given, own)
    overridden = []
    for override in overrides:
        key, value = _read_override(override)
        _check_keys(_nest(key, value), shape, "")
        if key == "faces.exclude" and isinstance(value, str):
            value = read_names(Path(value).expanduser())
        values, given = merged(values, _nest(key, value)), merged(given, _nest(key, value))
        overridden.append(key)
    values = _one_each(values, given)
    return values, "" if built_in else str(path), tuple(overridden)


def _one_each(values: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a recipe with one occluder a face where `given` says which kinds there are and not how many.

    The default recipe pairs its own kinds: others may not go together, and recipes of before it did ask for what they
    asked.
    """
    if "kinds" not in given or "several" in given:
        return values
    return merged(values, {"several": {"two": 0.0}})


# Reading


def _find(path_or_name: str | Path) -> Path:
    text = str(path_or_name)
    if isinstance(path_or_name, str) and text in recipe_names():
        return RECIPES_DIR / f"{text}.toml"
    path = Path(path_or_name)
    if path.is_file():
        return path
    if path.is_dir():
        raise RecipeError(f"the recipe {text} is a folder", hint="name a TOML file or a built-in recipe")
    if isinstance(path_or_name, Path) or path.suffix or len(path.parts) > 1:
        raise RecipeError(f"there is no recipe file {text}", hint="`fdgen recipe init FILE` writes one to start from")
    raise RecipeError(
        f"there is no recipe {text!r}{did_you_mean(text, recipe_names())}; "
        f"the built-in ones are {', '.join(recipe_names())}",
        hint="`fdgen recipe list` describes them; name your own recipe by its path",
    )


def _parse(path: Path) -> dict[str, Any]:
    if path.parent == RECIPES_DIR:
        return parse_tables(recipe_text(path.stem))
    try:
        return read_toml(path)
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read: {in_words(error)}") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise RecipeError(
            f"the recipe {path} is not valid TOML: {error}", hint="correct that place in the file"
        ) from error


def _find_packs(values: Mapping[str, Any], folder: Path) -> None:
    """Let the packs of a recipe file be found from where that file lies, in place; what is no text is left as it is."""
    assets = values.get("assets", {})
    packs = assets.get("packs", [])
    packs = [packs] if isinstance(packs, str) else packs
    if packs and isinstance(packs, list):
        assets["packs"] = [(folder / pack).as_posix() if isinstance(pack, str) else pack for pack in packs]


def _read_exclusion(values: Mapping[str, Any], folder: Path) -> None:
    """Put the names in place of the file that holds them, which is found from where the recipe's file lies."""
    faces = values.get("faces", {})
    if isinstance(faces, dict) and isinstance(faces.get("exclude"), str):
        faces["exclude"] = read_names(folder / Path(faces["exclude"]).expanduser())


def read_names(path: Path) -> list[str]:
    """Return the names of photographs in a file, one a line, as `fdgen browse` writes photographs.txt and marks.txt.

    Raises `RecipeError` where it cannot be read.
    """
    hint = 'faces.exclude is a file of names, one a line, or a list of names: ["a.jpg", "b.jpg"]'
    try:
        text = read_regular(path, most_bytes=MOST_NAMES_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise RecipeError(f"the names in {path} cannot be read: {in_words(error)}", hint=hint) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is no list of names: it is not UTF-8", hint=hint) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read_override(override: str | tuple[str, Any]) -> tuple[str, Any]:
    if not isinstance(override, str):
        key, value = override
        return key, value_of(value) if isinstance(value, str) else value
    try:
        return split_override(override)
    except ValueError as error:
        raise RecipeError(str(error), hint="write for example seed=1") from error


def _nest(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".", 2)):  # the third part is an id, a pattern or a bin: its dots are its own
        value = {part: value}
    nested: dict[str, Any] = value
    return nested


# What is wrong, in words


def _check_keys(values: Mapping[str, Any], shape: Mapping[str, frozenset[str]], prefix: str) -> None:
    """Refuse keys that the default recipe has not. `shape` is its keys by table; the top level is the table `""`."""
    known = [f"{table}.{key}" if table else key for table, keys in shape.items() for key in keys]
    for key, value in values.items():
        inner = value if isinstance(value, dict) else {}
        if key not in shape[""]:
            raise _unknown(".".join([key, *list(inner)[:1]]), known, prefix)
        if key in shape and not isinstance(value, dict):
            names = ", ".join(f"{key}.{name}" for name in sorted(shape[key]))
            raise RecipeError(f"{prefix}{key} is a table, got {value!r}", hint=f"set one of {names}")
        for name in inner:
            if name not in shape.get(key, ()):
                raise _unknown(f"{key}.{name}", known, prefix)


def _unknown(key: str, known: Sequence[str], prefix: str) -> RecipeError:
    return RecipeError(
        f"{prefix}a recipe has no key {key!r}{did_you_mean(key, known)}",
        hint="`fdgen recipe show default` lists and explains every key",
    )

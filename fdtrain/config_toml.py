"""Files and overrides of settings: reading them, laying one over another, writing, and what is wrong in words.

Knows TOML and which keys there are, but no law on any value; those stand with the models in `fdtrain.config`.
"""

from __future__ import annotations

import difflib
import importlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fdgen.errors import in_words
from fdgen.io.toml_file import read_toml
from fdtrain.errors import ConfigError

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


def read_settings(
    defaults: Mapping[str, Any],
    presets: Mapping[str, Mapping[str, Any]],
    preset: str,
    file: str | Path | None,
    overrides: Sequence[str | tuple[str, Any]],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values as nested tables, and for each key that a file set, the file to blame.

    Raises `ConfigError` for what cannot be read and for keys that no config has; values are not looked at.
    """
    if preset not in presets:
        raise ConfigError(
            f"there is no preset {preset!r}{_guess(preset, presets)}; there are {', '.join(presets)}",
            hint="`fdtrain presets` describes them",
        )
    flat = dict(flatten(defaults))
    flat.update(presets[preset])
    blame: dict[str, str] = {}
    if file is not None:
        for key, value in flatten(_parse(Path(file))):
            _refuse_unknown(key, flat, f"{file}: ")
            flat[key], blame[key] = value, f"{file}: "
    for override in overrides:
        key, value = _split(override)
        _refuse_unknown(key, flat, "")
        flat[key] = value
        blame.pop(key, None)
        if key in ("training.images", "training.epochs") and value != "none":  # saying one means it
            flat["training.epochs" if key == "training.images" else "training.images"] = "none"
    flat["preset"] = preset
    return nested(flat), blame


def parsed(text: str) -> dict[str, Any]:
    """Return the tables of what `write_settings` wrote."""
    values: dict[str, Any] = tomllib.loads(text)
    return values


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield one level of dotted keys from nested tables."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables from one level of dotted keys."""
    values: dict[str, Any] = {}
    for key, value in flat.items():
        *tables, name = key.split(".")
        table = values
        for part in tables:
            table = table.setdefault(part, {})
        table[name] = value
    return values


def write_settings(values: Mapping[str, Any]) -> str:
    """Return settings as TOML; None is written as "none"."""
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if not isinstance(value, Mapping)]
    for name, table in values.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    return "\n".join(lines).strip() + "\n"


# Reading


def _parse(path: Path) -> dict[str, Any]:
    try:
        values = read_toml(path)
    except OSError as error:
        raise ConfigError(f"the config {path} cannot be read: {in_words(error)}", hint="name a TOML file") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise ConfigError(f"the config {path} is not valid TOML: {error}", hint="mend that place in it") from error
    values.pop("preset", None)  # as `to_toml` writes it; the preset is chosen before the file is read
    return values


def _split(override: str | tuple[str, Any]) -> tuple[str, Any]:
    if not isinstance(override, str):
        return override
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"the override {override!r} is not of the form KEY=VALUE", hint="write for example seed=1")
    return key.strip(), _value(text.strip())


def _value(text: str) -> Any:
    number = text.replace(".", "0.", 1) if re.match(r"[+-]?\.\d", text) else text  # TOML wants the 0 of 0.5
    number = re.sub(r"^([+-]?\d+)(e)", r"\1.0\2", number, flags=re.IGNORECASE)  # and 1.0e-4 for 1e-4 is no harm
    try:
        parsed = tomllib.loads(f"value = {number}")
    except ValueError:
        return text
    value = parsed["value"]
    return value if len(parsed) == 1 and isinstance(value, str | bool | int | float | list) else text


# What is wrong, in words


def _refuse_unknown(key: str, known: Iterable[str], where: str) -> None:
    names = [name for name in known if name != "preset"]
    if key in names:
        return
    inside = [name for name in names if name.startswith(f"{key}.")]
    if inside:
        raise ConfigError(f"{where}{key} is a table of settings", hint=f"set one of {', '.join(inside)}")
    raise ConfigError(
        f"{where}there is no setting {key!r}{_guess(key, names)}",
        hint="`fdtrain presets --show NAME` lists every key with its value",
    )


def _guess(word: str, known: Iterable[str]) -> str:
    by_end = {name.rpartition(".")[2]: name for name in known}  # "batch" for "training.batch"
    near = difflib.get_close_matches(word, [*by_end.values(), *by_end], n=1, cutoff=0.6)
    return f", did you mean {by_end.get(near[0], near[0])!r}?" if near else ""


_TYPES = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "finite_number": "must be a finite number",
}


def law(problem: Mapping[str, Any], blame: Mapping[str, str]) -> str:
    """Return one problem that pydantic found as `key must be ..., got ...`, with the file that set the key."""
    parts = [str(part) for part in problem["loc"] if not isinstance(part, int) and "[" not in str(part)]
    if parts[:1] == ["baseline"] and len(parts) > 2:
        del parts[1]  # pydantic names the method between the table and its key
    key = ".".join(parts)
    where, kind, value = blame.get(key, ""), problem["type"], problem["input"]
    if kind == "value_error":
        return f"{where}{key or 'the config'} {problem['ctx']['error']}"
    if kind == "literal_error":
        return f"{where}{key} must be one of {problem['ctx']['expected']}, got {value!r}"
    if kind == "extra_forbidden":
        return f"{where}there is no setting {key!r}"
    if kind == "missing":
        return f"{where}{key} is missing"
    if kind == "string_pattern_mismatch":
        return f"{where}{key} must be auto, cpu, mps, cuda or cuda:N, got {value!r}"
    return f"{where}{key} {_TYPES.get(kind, problem['msg'])}, got {value!r}"


def _toml(value: Any) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)

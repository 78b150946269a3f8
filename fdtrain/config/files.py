"""Files and overrides of settings: reading and merging them, and reporting what is wrong.

Knows TOML and which keys there are, but no law on any value; those are with the models in `fdtrain.config.schema`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fdgen.errors import in_words
from fdgen.io.toml_file import read_toml
from fdgen.settings.laws import law
from fdgen.settings.suggestion import did_you_mean
from fdgen.settings.toml import flatten, nested, split_override
from fdtrain.errors import ConfigError


def read_settings(
    defaults: Mapping[str, Any],
    presets: Mapping[str, Mapping[str, Any]],
    preset: str,
    file: str | Path | None,
    overrides: Sequence[str | tuple[str, Any]],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values as nested tables, and for each key that a file set, the file to blame.

    The later wins: defaults, preset, file, overrides. Values are not looked at.

    Args:
        defaults: Every key with its default, as nested tables.
        presets: What each preset changes, by dotted key.
        preset: Name of the preset.
        file: A TOML file; None for none.
        overrides: `key=value`, or pairs of key and value.

    Raises `ConfigError` for what cannot be read and for keys that no config has.
    """
    if preset not in presets:
        raise ConfigError(
            f"there is no preset {preset!r}{did_you_mean(preset, presets)}; there are {', '.join(presets)}",
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
        key, value = _read_override(override)
        _refuse_unknown(key, flat, "")
        flat[key] = value
        blame.pop(key, None)
        if key in ("training.images", "training.epochs") and value != "none":  # saying one means it
            flat["training.epochs" if key == "training.images" else "training.images"] = "none"
    flat["preset"] = preset
    return nested(flat), blame


def names_key(key: str, blame: Mapping[str, str], overrides: Iterable[str | tuple[str, Any]]) -> bool:
    """Return whether a file, of those to `blame`, or an override sets a key that a preset may set too."""
    return key in blame or any(key == _read_override(override)[0] for override in overrides)


# Reading


def _parse(path: Path) -> dict[str, Any]:
    try:
        values = read_toml(path)
    except OSError as error:
        raise ConfigError(f"the config {path} cannot be read: {in_words(error)}", hint="name a TOML file") from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise ConfigError(f"the config {path} is not valid TOML: {error}", hint="correct that place in it") from error
    values.pop("preset", None)  # as `to_toml` writes it; the preset is chosen before the file is read
    return values


def _read_override(override: str | tuple[str, Any]) -> tuple[str, Any]:
    if not isinstance(override, str):
        return override
    try:
        return split_override(override)
    except ValueError as error:
        raise ConfigError(str(error), hint="write for example seed=1") from error


# What is wrong, in words


def _refuse_unknown(key: str, known: Iterable[str], where: str) -> None:
    names = [name for name in known if name != "preset"]
    if key in names:
        return
    inside = [name for name in names if name.startswith(f"{key}.")]
    if inside:
        raise ConfigError(f"{where}{key} is a table of settings", hint=f"set one of {', '.join(inside)}")
    raise ConfigError(
        f"{where}there is no setting {key!r}{did_you_mean(key, names)}",
        hint="`fdtrain presets --show NAME` lists every key with its value",
    )


def law_of(problem: Mapping[str, Any], blame: Mapping[str, str]) -> str:
    """Return one problem that pydantic found as `key must be ..., got ...`, with the file that set the key."""
    parts = [str(part) for part in problem["loc"] if not isinstance(part, int) and "[" not in str(part)]
    if parts[:1] == ["baseline"] and len(parts) > 2:
        del parts[1]  # pydantic names the method between the table and its key
    key = ".".join(parts)
    foreign, pattern = f"there is no setting {key!r}", "must be auto, cpu, mps, cuda or cuda:N"
    return blame.get(key, "") + law(key or "the config", problem, foreign=foreign, pattern=pattern)

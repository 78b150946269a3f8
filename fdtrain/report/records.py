"""The files of results, read back: each is complete and valid, or an error of one sentence names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from fdgen.io.json_file import MOST_BYTES, fits
from fdgen.io.json_file import read_json as read_file
from fdgen.io.regular_file import read_regular
from fdtrain.comparison.ablation import ABLATION_FILE, MEASURED_THERE, Ablation, Variant
from fdtrain.comparison.image_table import read_images
from fdtrain.comparison.plan import Ask, Auto, Kind, Task
from fdtrain.comparison.runner import ASK_FILE, ERROR_FILE, UNSAID, Done
from fdtrain.comparison.task import IMAGES_FILE, RESULT_FILE, RUN
from fdtrain.errors import RunError
from fdtrain.methods import FINISHES, LEARNED, REFERENCES
from fdtrain.training.run import RUN_FILE, require_run

EVALUATION_FILE, TABLE_FILE, ROWS = "eval.json", "table.json", "rows"

RESULT_KEYS = {"kind": str, "what": str, "notes": list, "protocols": dict, "not_computed": dict}


def read_json(path: Path, needed: Mapping[str, type]) -> dict[str, Any]:
    """Return a JSON object that has these keys; raise `RunError` where it cannot be read or lacks one."""
    found = read_file(path, error=RunError, hint="write it again by the command that made it")
    odd = next(
        (k for k, kind in needed.items() if not isinstance(found, dict) or not isinstance(found.get(k), kind)), ""
    )
    if odd:
        raise RunError(f"{path} is damaged: {odd} is missing or odd", hint="write it again by the command that made it")
    for name in needed.keys() & {"notes", "protocols", "not_computed"}:
        texts = found[name].values() if isinstance(found[name], dict) else found[name]
        if not all(isinstance(text, str) for text in texts):
            raise RunError(
                f"{path} is damaged: {name} holds what is no text", hint="write it again by the command that made it"
            )
    return dict(found)


def read_ask(folder: Path) -> tuple[Ask, dict[str, Any]]:
    """Return the terms of a comparison, without paths, and all that is recorded of them."""
    path = folder / ASK_FILE
    asked = read_json(
        path, {"content_id": str, "test_sha256": str, "size_px": int, "measures": list, "overrides": list}
    )
    names = {field.name for field in fields(Ask)} - {"data", "perceptual_weights", "auto"}
    asked = {**UNSAID, **asked}
    if lacking := sorted(names - set(asked)):
        raise RunError(f"{path} is damaged: {lacking[0]} is missing", hint="write it again by the same command")
    values = {**{name: asked[name] for name in names}, "data": "", "perceptual_weights": ""}
    if (wrong := fits(Ask, values)) is not None:
        raise RunError(f"{path} is damaged: {wrong}", hint="write it again by the same command")
    if asked.get("auto") is not None and (wrong := fits(Auto, asked["auto"])) is not None:
        raise RunError(f"{path} is damaged: {wrong}", hint="write it again by the same command")
    terms: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return Ask(**terms), asked


def read_ablation(folder: Path) -> Ablation | None:
    """Return what an ablation changes, None where the folder is of no ablation."""
    path = folder / ABLATION_FILE
    if not path.is_file():
        return None
    held = read_json(
        path, {"title": str, "preset": str, "variants": list, "against": str, "beside": list, "notes": list}
    )
    hint = "run the same `fdtrain ablate` again"
    if (wrong := fits(Ablation, held)) is not None:
        raise RunError(f"{path} is damaged: {wrong}", hint=hint)
    if lacking := next((key for one in held["variants"] for key in ("overrides", "paper") if key not in one), None):
        raise RunError(f"{path} is damaged: {lacking!r} is missing", hint=hint)
    variants = tuple(Variant(one["name"], tuple(one["overrides"]), dict(one["paper"])) for one in held["variants"])
    if any(one.paper and set(MEASURED_THERE) - set(one.paper) for one in variants):
        raise RunError(f"{path} is damaged: the paper's figures of a row are not {MEASURED_THERE}", hint=hint)
    if held.get("unseen") is not None and (len(variants) != 2 or not held["beside"]):
        raise RunError(f"{path} is damaged: it has other rows than one on an unseen kind", hint=hint)
    lists = {name: tuple(held[name]) for name in ("beside", "notes")}
    return Ablation(**{**held, **lists, "variants": variants})


def found_tasks(folder: Path) -> list[Task]:
    """Return the rows and seeds that a comparison's folder holds or reports, done or not, in a table's order."""
    tasks = []
    for place in sorted((folder / ROWS).glob("*/*")):
        name, _, number = place.name.partition("-")
        if not place.is_dir() or not (place.name == "once" or (name == "seed" and number.isdigit())):
            continue
        tasks.append(_task(place, int(number) if number else None))
    there = {task.name for task in tasks}
    tasks += [Task(name, "trained", name, 0) for name in _told_failures(folder) if name not in there]
    return sorted(tasks, key=_order)


def read_done(folder: Path, tasks: list[Task]) -> Done:
    """Return which tasks have results, each checked, and why others failed, as far as that is reported."""
    results = {task: task.place(folder) for task in tasks if (task.place(folder) / RESULT_FILE).is_file()}
    for task, place in results.items():
        needed = {**RESULT_KEYS, "cpu_s_a_picture": float}
        if task.kind == "trained":
            needed |= {"cpu_s": float, "images": int}
        facts = read_json(place / RESULT_FILE, needed)
        if facts.get("finish") not in (None, *FINISHES):
            raise RunError(
                f"{place / RESULT_FILE} is damaged: its finish is none that is known",
                hint="write it again by the command that made it",
            )
    _require_same_pictures(results)
    failed = {}
    for task in tasks:
        path = task.place(folder) / ERROR_FILE
        if task not in results and path.is_file():
            lines = read_regular(path, most_bytes=MOST_BYTES).decode("utf-8", "replace").strip().splitlines()
            failed[task] = lines[-1] if lines else "for a reason that is not recorded"
    told = _told_failures(folder)
    failed |= {task: told[task.name] for task in tasks if task not in results and task.name in told}
    return Done(results, failed, stopped=False)


def read_against(folder: Path) -> str | None:
    """Return which row the others were tested against, None where no table was written yet."""
    path = folder / TABLE_FILE
    against = read_json(path, {"rows": list}).get("against") if path.is_file() else None
    return against if isinstance(against, str) else None


def read_versions(folder: Path) -> dict[str, str]:
    """Return with which packages a comparison's table was written, nothing where none was."""
    path = folder / TABLE_FILE
    return dict(read_json(path, {"versions": dict})["versions"]) if path.is_file() else {}


def _told_failures(folder: Path) -> dict[str, str]:
    path = folder / TABLE_FILE
    rows = read_json(path, {"rows": list})["rows"] if path.is_file() else []
    return {row["name"]: row["failed"] for row in rows if isinstance(row, dict) and row.get("failed")}


def _require_same_pictures(results: Mapping[Task, Path]) -> None:
    first: pd.Index[Any] | None = None
    for place in results.values():
        keys = pd.Index(sorted(read_images(place / IMAGES_FILE)["key"]))
        if first is None:
            first = keys
        if not keys.is_unique or not keys.equals(first):
            raise RunError(
                f"{place / IMAGES_FILE} is of other pictures than the other rows", hint="delete its result.json"
            )


def _task(place: Path, seed: int | None) -> Task:
    """Return the task whose results lie, or are to lie, in a folder."""
    name = place.parent.name
    path = place / RESULT_FILE
    if path.is_file():
        facts = read_json(path, {"kind": str, "what": str})
        overrides = tuple(map(str, facts.get("overrides", ())))
        kind: Kind = facts["kind"] if facts["kind"] in ("reference", "weights") else "trained"
        return Task(name, kind, facts["what"], seed, overrides)
    if (place / RUN / RUN_FILE).is_file():
        return Task(name, "trained", str(require_run(place / RUN).config.get("preset")), seed)
    return Task(name, "trained" if seed is not None else "reference" if name in REFERENCES else "weights", name, seed)


def _order(task: Task) -> tuple[int, int, str, int]:
    """References first, then weights that were given, then what trained; known names in the order of the tables."""
    known = (*REFERENCES, *LEARNED)
    place = known.index(task.name) if task.name in known else len(known)
    return ("reference", "weights", "trained").index(task.kind), place, task.name, task.seed or 0

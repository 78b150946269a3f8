"""The numbers of a model card, all read from a run or an exported network, its dataset, and its evaluations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SPLITS
from fdgen.io.folders import mistaken
from fdgen.io.regular_file import sha256_of
from fdtrain.cards.measures import tables_of
from fdtrain.config.schema import FitConfig
from fdtrain.errors import RunError
from fdtrain.inference.model_label import ModelLabel
from fdtrain.inference.onnx_method import OnnxNetwork
from fdtrain.objectives.validation import MASK_SCORE, SCORE
from fdtrain.report.records import EVALUATION_FILE, read_json
from fdtrain.training.best import criterion_of
from fdtrain.training.checkpoint import read_facts
from fdtrain.training.run import RUN_FILE, require_run
from fdtrain.training.stats import read_stats
from fdtrain.training.weight_files import find_weights

MOST_POINTS = 12
"""Validations of the curve that a card shows, the first and the last among them."""

Facts = dict[str, Any]


def model_facts(model: Path) -> Facts:
    """Return what a run's folder, a file of weights or an ONNX file says of itself; raise `FdError` where it is none.

    `settings` are the overrides of its preset, by dotted key; None where they are not recorded. `curve` is empty but
    for runs.
    """
    if model.suffix.lower() == ".onnx":
        metadata = OnnxNetwork(model, task=None).metadata
        label, told = ModelLabel.of_metadata(model, metadata), dict(metadata.trained)
        return {**_label(label), **_told(told), "weights": _file(model), "settings": None, "curve": []}
    weights = find_weights(model)
    told = read_facts(weights)
    label = ModelLabel.of_facts(model, told)
    facts = {**_label(label), **_told(told), "weights": _file(weights), "settings": settings_changed(told["config"])}
    if not (model / RUN_FILE).is_file():
        return {**facts, "curve": []}
    record = require_run(model)
    return {
        **facts,
        "total_images": record.total_images,
        "n_train": record.n_train,
        "parameters": record.parameters,
        "decided": dict(record.decided),
        "curve": _curve(model, record.config),
    }


def data_facts(root: Path, content_id: str) -> Facts:
    """Return what a dataset says of itself; raise `RunError` where it is not the one that was trained on."""
    dataset = Manifest.load(root).dataset
    if content_id and dataset["content_id"] != content_id:
        raise RunError(
            f"{root} is not the dataset that was trained on: its content_id is {dataset['content_id'][:16]}, "
            f"the model's {content_id[:16]}",
            hint="name the dataset of the training with --data",
        )
    return {
        **{name: dataset[name] for name in ("name", "version", "spec_id", "content_id", "generator")},
        "recipe": dataset["recipe"]["name"],
        "size_px": dataset["recipe"]["size_px"],
        "photographs": dataset["sources"].get("kind"),
        "splits": {split: dataset["splits"].get(split, 0) for split in SPLITS},
        "kinds": dict(sorted(dataset["kinds"].items())),
    }


def on_the_fly_facts(model: Facts) -> Facts | None:
    """Return the same of what a model was drawn on the fly; None where it had a dataset. `kinds` are shares."""
    drawn = model.get("on_the_fly")
    if drawn is None:
        return None
    recipe = drawn["recipe"]
    total = sum(recipe["kinds"].values())
    return {
        "name": model["dataset"],
        "version": "no dataset",
        "spec_id": drawn["spec_id"],
        "content_id": model["content_id"],
        "generator": drawn["generator"],
        "recipe": recipe["name"],
        "size_px": recipe["size_px"],
        "photographs": drawn["sources"]["kind"],
        "splits": {split: drawn["splits"][split] for split in SPLITS},
        "kinds": {kind: weight / total for kind, weight in sorted(recipe["kinds"].items()) if weight > 0},
        "on_the_fly": True,
    }


def settings_changed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the preset, by dotted key; None is a value as others are: of what was switched off."""
    now = FitConfig.from_dict(config)
    plain = FitConfig.load(now.preset).flat()
    skipped = ("preset", "output.", "machine.workers")
    return {key: value for key, value in now.flat().items() if plain.get(key) != value and not key.startswith(skipped)}


def setting_text(value: Any) -> str:
    """Return the value of a setting as `--set` takes it.

    >>> [setting_text(value) for value in (None, True, "flip", [64, 128])]
    ['none', 'true', 'flip', '[64, 128]']
    """
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def evaluation_facts(
    folder: Path, model: Facts, tones: Mapping[str, str], tone_order: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Return the tables of what `fdtrain eval --out` measured, as JSON holds them.

    Args:
        folder: Folder of the evaluation.
        model: What `model_facts` returned of the model whose card it is.
        tones: Class of skin by the key of a picture; empty where nobody looked.
        tone_order: The classes in the order of their rows.

    Raises `RunError` where it is no evaluation, or measured no network for the model's task, or other weights.
    """
    path = folder / EVALUATION_FILE
    if not path.is_file():
        lacks, hint = f"it has no {EVALUATION_FILE}", "name a folder that `fdtrain eval --out` wrote"
        sentence, hint = mistaken(folder, "is not an evaluation", lacks, hint)
        raise RunError(sentence, hint=hint)
    facts = read_json(path, {"dataset": dict, "methods": list})
    dataset = facts["dataset"]
    of = f"dataset {str(dataset.get('content_id'))[:12]}" if dataset.get("content_id") else "photographs of a folder"
    title = f"{dataset.get('split')} split, {of}"
    found = tables_of(title, model["task"], folder / "images.csv", tones, tone_order)
    if not found:
        raise RunError(f"{folder} measures networks for another task", hint="name an evaluation of this model")
    _refuse_other_weights(folder, facts, model)
    return [table.json() for table in found]


def _refuse_other_weights(folder: Path, facts: Mapping[str, Any], model: Facts) -> None:
    """Raise `RunError` where an evaluation does not say that it measured the weights of a model."""
    listed = facts.get("models")
    measured = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    own = str(model.get("weights_sha256", model["weights"]["sha256"]))  # the first: what an export was made from
    if any(one.get("sha256") == own for one in measured):
        return
    named = ", ".join(f"{one.get('name')} ({str(one['sha256'])[:16]})" for one in measured if one.get("sha256"))
    what = f"it measured {named}" if named else "it does not say which weights it measured"
    raise RunError(
        f"{folder} is not of {model['name']} (weights {own[:16]}): {what}",
        hint="measure this model: `fdtrain eval --weights MODEL --out FOLDER`",
    )


def _label(label: ModelLabel) -> Facts:
    return {"name": label.name, "task": label.task, "preset": label.preset, "size_px": label.size_px, "toy": label.toy}


def _told(facts: Mapping[str, Any]) -> Facts:
    names = ("dataset", "content_id", "images", "best_by", "fdtrain", "torch", "perceptual_sha256", "credits",
             "parameters", "started_from", "on_the_fly", "origin", "weights_sha256")  # fmt: skip
    return {name: facts[name] for name in names if facts.get(name) is not None}


def _curve(run: Path, config: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Return what a run's validations found, by images; thinned to `MOST_POINTS`."""
    score = (criterion_of(config) or (MASK_SCORE if config.get("mask") else SCORE, 1))[0]
    points = [(int(line["images"]), float(line[score])) for line in read_stats(run) if line.get(score) is not None]
    if len(points) <= MOST_POINTS:
        return points
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(step * place)] for place in range(MOST_POINTS)]


def _file(path: Path) -> Facts:
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}

"""The folder of a run: its settings, and whether they are still the same.

run.json            config, content_id of the data, digests, versions: what a run is tied to
stats.jsonl         a line of means every so many images, and one a validation
samples/            sheets of occluded, stage I, stage II, clean on a fixed set
before-after.png    the newest of them
checkpoints/        what it goes on from        weights/     what is used        tensorboard/ ...  on request
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fdgen.io.folders import mistaken, recognised
from fdgen.io.json_file import fits, read_object
from fdgen.settings.toml import flatten
from fdgen.version import __version__
from fdtrain.config.schema import FitConfig, is_free
from fdtrain.errors import RunError
from fdtrain.run_files import write_text

RUN_FILE, STATS_FILE, SHEET_FILE = "run.json", "stats.jsonl", "before-after.png"
CHECKPOINTS, SAMPLES, WEIGHTS = "checkpoints", "samples", "weights"

SCHEMA = 1


@dataclass(frozen=True)
class RunRecord:
    """What a run is tied to. Paths and times are not a part of it."""

    config: Mapping[str, Any]
    content_id: str
    dataset: str
    n_train: int
    total_images: int
    perceptual_sha256: str | None
    parameters: int
    torch: str
    fdtrain: str = __version__
    schema: int = SCHEMA
    # How what the settings left to `auto` was decided, by setting: what was asked and taken, what was timed.
    decided: Mapping[str, Any] = field(default_factory=dict)
    # Digest, dataset and images of the weights that it began with; None where they were drawn.
    started_from: Mapping[str, Any] | None = None
    # Of occluders drawn while training: recipe, digests of photographs and assets, generator version, splits, rejects.
    # None where there was a dataset.
    on_the_fly: Mapping[str, Any] | None = None
    # Repository and commit of a dataset that was named on the Hub; None of any other.
    origin: Mapping[str, str] | None = None

    def facts(self, images: int, best_by: str, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is next to weights in their file: where they come from, and how good they were `found`.

        `best_by` is the value of a validation by which the run's best weights are chosen, or `last`. What was found and
        is no finite number becomes None: JSON has none for it.
        """
        shared = ("config", "content_id", "dataset", "perceptual_sha256", "fdtrain", "torch")
        begun: dict[str, Any] = {}
        for name in ("started_from", "on_the_fly", "origin"):
            if (value := getattr(self, name)) is not None:
                begun[name] = dict(value)
        own = {name: getattr(self, name) for name in shared}
        numbers = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in found.items()
        }
        return {**own, **begun, "images": images, "best_by": best_by, **numbers}


@dataclass(frozen=True)
class RunSummary:
    """How a call of `fit` ended. `images` counts all, `made_now` those of this call; `score` is `score_name`'s best.

    `gave_up` says that no validation was better for `training.patience_images`.
    """

    run_dir: Path
    images: int
    total: int
    made_now: int
    seconds: float
    score: float | None
    score_name: str
    weights: Path
    sheet: Path
    gave_up: bool = False

    @property
    def finished(self) -> bool:
        """Whether the run has come to its end."""
        return self.images >= self.total or self.gave_up


def read_record(run_dir: Path) -> RunRecord | None:
    """Return the record of a run, None where none has begun; raise `RunError` where it cannot be read."""
    path, hint = run_dir / RUN_FILE, "name another folder with --out"
    if not path.exists():
        return None
    values = read_object(path, within=run_dir, error=RunError, hint=hint)
    if (schema := values.get("schema", SCHEMA)) != SCHEMA:
        raise RunError(f"{path} has schema {schema}, this version reads {SCHEMA}")
    if (wrong := fits(RunRecord, values)) is not None:
        raise RunError(f"{path} is not the record of a run: {wrong}", hint=hint)
    if (wrong := _wrong_section(values["config"])) is not None:
        raise RunError(f"{path} is not the record of a run: {wrong}", hint=hint)
    return RunRecord(**values)


def _wrong_section(config: Mapping[str, Any]) -> str | None:
    """Say which part of a config is not of the kind that every release wrote; None where all are."""
    kinds = {"preset": str, "data": Mapping, "training": Mapping, "machine": Mapping}
    for name, kind in kinds.items():
        if not isinstance(config.get(name), kind):
            return f"its config has no {name!r} of ours"
    if not isinstance(config.get("mask"), Mapping | None):
        return "its config has no 'mask' of ours"
    return None


def require_run(run_dir: Path) -> RunRecord:
    """Return the record of a run; raise `RunError` where there is none."""
    record = read_record(run_dir)
    if record is None:
        hint = "name a folder that `fdtrain fit --out FOLDER` wrote"
        sentence, hint = mistaken(run_dir, "is not a run", f"it has no {RUN_FILE}", hint)
        raise RunError(sentence, hint=hint)
    return record


def refuse_occupied(folder: Path, wanted: str) -> None:
    """Raise `RunError` where a new run, or what else is `wanted`, would be mixed into something that is there."""
    if (known := recognised(folder)) is not None and known[0] != wanted:
        raise RunError(
            f"{folder} is {known[0]}, and {wanted} would be mixed into it", hint="name a new folder with --out"
        )


def write_record(run_dir: Path, record: RunRecord) -> None:
    """Write the record of a run."""
    write_text(run_dir / RUN_FILE, json.dumps(asdict(record), indent=2, sort_keys=True) + "\n")


def refuse_other(run_dir: Path, recorded: RunRecord, wanted: RunRecord) -> None:
    """Raise `RunError` where a run would go on with anything else than it began with."""
    if (recorded.on_the_fly is None) != (wanted.on_the_fly is None):
        was = "a dataset" if recorded.on_the_fly is None else "photographs occluded on the fly"
        raise RunError(f"{run_dir} was begun with {was}, which it is not now", hint="name another folder with --out")
    if recorded.content_id != wanted.content_id and recorded.on_the_fly is not None and wanted.on_the_fly is not None:
        raise RunError(
            f"what is drawn on the fly has changed under {run_dir}: "
            + _fly_changes(recorded.on_the_fly, wanted.on_the_fly),
            hint="name the recipe and the photographs that the run began with, or another folder with --out",
        )
    if recorded.content_id != wanted.content_id:
        raise RunError(
            f"the dataset has changed under {run_dir}: its content_id was {recorded.content_id[:16]}, "
            f"now it is {wanted.content_id[:16]}",
            hint="name the dataset that the run began with, or another folder with --out",
        )
    # A run of before a key existed has its default: a new key's default is what every run did before it came.
    before, now = FitConfig.from_dict(recorded.config).flat(), dict(flatten(wanted.config))
    changed = [
        f"{key} was {before.get(key)}, now it is {now.get(key)}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key) and not is_free(key)
    ]
    if recorded.started_from != wanted.started_from:
        changed.append("it began with other weights (training.start_from)")
    if recorded.perceptual_sha256 != wanted.perceptual_sha256:
        changed.append("the perceptual weights are another file")
    if changed:
        raise RunError(
            f"{run_dir} was begun with other settings: {'; '.join(changed)}",
            hint=f"leave them as {run_dir / RUN_FILE} has them, or name another folder with --out",
        )


def _fly_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name what differs between what two runs draw on the fly; digests are shortened."""
    was, here = dict(flatten(before)), dict(flatten(now))
    changed = [
        f"{key} was {str(was.get(key))[:16]}, now it is {str(here.get(key))[:16]}"
        for key in sorted({*was, *here})
        if was.get(key) != here.get(key) and key not in ("spec_id", "recipe.name", "recipe.description")
    ]
    return "; ".join(changed[:6]) or "other photographs can be used than could"


def as_recorded(config: FitConfig, recorded: RunRecord | None) -> FitConfig:
    """Return the config with all that it leaves open as the run began with: device, threads, and what was `auto`."""
    if recorded is None:
        return config
    was = FitConfig.from_dict(recorded.config)
    machine = {
        "device": was.machine.device if config.machine.device == "auto" else config.machine.device,
        "threads": config.machine.threads or was.machine.threads,
    }
    changes: dict[str, dict[str, Any]] = {"machine": machine}
    if config.training.precision == "auto":
        changes["training"] = {"precision": was.training.precision}
    if config.loss.perceptual == "auto":
        changes["loss"] = {"perceptual": was.loss.perceptual}
    return config.model_copy(
        update={name: getattr(config, name).model_copy(update=values) for name, values in changes.items()}
    )

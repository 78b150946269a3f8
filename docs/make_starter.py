"""Make the weights that come with the package: `python docs/make_starter.py --faces FOLDER`.

    photographs, checked --> turned copies --> fdgen build --> fdtrain fit, again --> 16 bits, ONNX --> eval --> card

FOLDER holds the photographs that docs/starter/photographs.csv lists. Everything is put into --out; run the same command
again to go on where it was stopped. The table of results goes to standard output. `--install` puts the weights and
their card into fdtrain/training/starter. Twice on one machine, it makes the same weights.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.util
import json
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402 - the project's root comes first
import torch  # noqa: E402
from safetensors.torch import load_file, save  # noqa: E402

from docs.starter.card import Made, Trained, card  # noqa: E402
from docs.starter.photographs import TABLE, Collection, credits_line, gather  # noqa: E402
from docs.starter.plans import NAMES, PLANS, Plan  # noqa: E402
from docs.starter.turned import add_turned  # noqa: E402
from fdgen.cards.sample_tones import tones_of  # noqa: E402
from fdgen.cards.skin_tones import TONES  # noqa: E402
from fdgen.errors import FdError  # noqa: E402
from fdtrain.cards.measures import GREY, Table, tables_of  # noqa: E402
from fdtrain.config.schema import FitConfig  # noqa: E402
from fdtrain.objectives.open_objective import open_perceptual  # noqa: E402
from fdtrain.run_files import write_bytes  # noqa: E402
from fdtrain.training.checkpoint import METADATA_KEY, read_facts  # noqa: E402
from fdtrain.training.starter import starter_file  # noqa: E402
from fdtrain.training.weight_files import find_weights  # noqa: E402

MOST_BYTES = 20 * 10**6
"""Of both networks together: they are in everybody's wheel."""

CARD = "MODEL_CARD.md"

TASKS = {"starter": "restore", "starter-mask": "mask"}
"""What each network does."""


def main(words: list[str] | None = None) -> int:
    """Make the weights as the words of a command line say; return the exit code."""
    asked = _arguments(words)
    try:
        sys.stdout.write(f"{make(asked)}\n")
    except FdError as error:
        sys.stderr.write(f"error: {error.message}\n  {error.hint}\n")
        return 1
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    return 0


def make(asked: argparse.Namespace) -> str:
    """Build, train, measure and write; return the tables of results. Raises `FdError` and `CalledProcessError`."""
    out, plan = Path(asked.out), PLANS[asked.plan]
    settings = {"precision": asked.precision, "threads": str(asked.threads)}
    networks = {name: tuple(one.format(**settings) for one in plan.networks[name]) for name in NAMES}
    plan = dataclasses.replace(plan, networks=networks)
    for preset, *changes in networks.values():  # what is not installed is said now, and not after an hour
        open_perceptual(FitConfig.load(preset, overrides=changes))
    collections = gather(Path(asked.faces), out / "faces", Path(asked.table))
    add_turned(out / "faces")
    pairs = out / "pairs"
    _timed(out, "pairs", "fdgen", "build", "--faces", str(out / "faces"), "--out", str(pairs), *plan.pairs)

    trained = [_train(out, pairs, name, plan, collections) for name in NAMES]
    if (n_bytes := sum(one.n_bytes for one in trained)) > MOST_BYTES:
        raise FdError(
            f"both networks take {n_bytes / 1e6:.1f} MB, and may take {MOST_BYTES / 1e6:.0f}",
            hint="narrow one in docs/starter/plans.py",
        )
    sets = {"people never trained on": pairs, **dict(asked.also)}
    tables = [table for title, data in sets.items() for table in _measure(out, title, data, plan)]
    made = Made(
        command=_command(asked),
        plan_name=asked.plan,
        plan=plan,
        collections=collections,
        table_sha256=hashlib.sha256(Path(asked.table).read_bytes()).hexdigest(),
        dataset=_dataset(pairs),
        machine=f"{_processor()}, {asked.threads} threads, {asked.precision}, torch {torch.__version__}",
        networks=trained,
        tables=tables,
    )
    (out / CARD).write_text(card(made), encoding="utf-8")
    if asked.install:
        for one in trained:
            shutil.copyfile(_weights(out, one.name), starter_file(one.name))
        shutil.copyfile(out / CARD, starter_file(NAMES[0]).parent / CARD)
    return "\n\n".join(table.markdown() for table in tables)


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", required=True, help="folder of the photographs")
    parser.add_argument("--out", default=str(ROOT / "build" / "starter"), help="where everything is put (%(default)s)")
    parser.add_argument("--plan", choices=PLANS, default="full", help="settings; `small` only tries whether all works")
    parser.add_argument("--table", default=str(TABLE), help="list of the photographs, collections.json beside it")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="bf16 if the processor has it")
    parser.add_argument(
        "--threads", type=int, default=2, help="a part of the settings: sums depend on it (%(default)s)"
    )
    parser.add_argument("--also", action="append", default=[], type=_titled, metavar="TITLE=DATASET",
                        help="measure on the test split of another dataset, too")  # fmt: skip
    parser.add_argument("--install", action="store_true", help="put weights and card into the package")
    return parser.parse_args(words)


def _titled(word: str) -> tuple[str, Path]:
    title, is_there, path = word.partition("=")
    if not is_there:
        raise argparse.ArgumentTypeError(f"expected TITLE=DATASET, got {word}")
    return title, Path(path)


def _command(asked: argparse.Namespace) -> str:
    words = ["python docs/make_starter.py --faces FOLDER", f"--precision {asked.precision} --threads {asked.threads}"]
    words += [] if asked.plan == "full" else [f"--plan {asked.plan}"]
    return " ".join([*words, *(f'--also "{title}=DATASET"' for title, _ in asked.also)])


# One network


def _train(out: Path, pairs: Path, name: str, plan: Plan, collections: list[Collection]) -> Trained:
    """Train a network as often as the plan says, round it to 16 bits, and export it."""
    preset, *changes = plan.networks[name]
    steps = [name]
    run = _fit(out, pairs, name, preset, changes)
    for number, differences in enumerate(plan.then.get(name, ()), 2):
        changes += differences
        steps.append(f"{name}-{number}")
        run = _fit(out, pairs, steps[-1], preset, [*changes, f"training.start_from={run}"])
    best = find_weights(run)
    tensors = {key: _halved(value) for key, value in load_file(best).items()}
    facts = {**read_facts(best), "credits": credits_line(collections)}
    data, path = save(tensors, {METADATA_KEY: json.dumps(facts, sort_keys=True)}), _weights(out, name)
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    told = path.with_suffix(".onnx.json")
    sha256 = hashlib.sha256(data).hexdigest()
    if not told.is_file() or json.loads(told.read_bytes())["weights"] != sha256:
        exported = _run("fdtrain", "export", str(path), "--out", str(path.with_suffix(".onnx")), "--json", kept=True)
        told.write_text(json.dumps({"weights": sha256, **json.loads(exported)}), encoding="utf-8")
    times = json.loads((out / "times.json").read_bytes())
    spent = [times[step] for step in steps if step in times]
    return Trained(
        name=name,
        facts=facts,
        parameters=sum(value.numel() for value in tensors.values()),
        n_bytes=len(data),
        sha256=sha256,
        onnx_difference=json.loads(told.read_bytes())["most_difference"],
        cpu_s=sum(one["cpu_s"] for one in spent),
        seconds=sum(one["seconds"] for one in spent),
    )


def _fit(out: Path, pairs: Path, step: str, preset: str, changes: Sequence[str]) -> Path:
    """Train in a folder of its own, or go on there; return the folder."""
    settings = [word for change in changes for word in ("--set", change)]
    run = out / "runs" / step
    _timed(out, step, "fdtrain", "fit", "--data", str(pairs), "--out", str(run), "--preset", preset, *settings)
    return run


def _weights(out: Path, name: str) -> Path:
    return out / "networks" / f"{name}.safetensors"


def _halved(value: torch.Tensor) -> torch.Tensor:
    """Round to 16 bits; counts stay whole."""
    return value.half() if value.is_floating_point() else value


# Measures


def _measure(out: Path, title: str, data: Path, plan: Plan) -> list[Table]:
    """Measure both networks on the test split of a dataset, as they are shipped."""
    masker, generator = (str(_weights(out, name)) for name in NAMES)
    options = {
        "starter": (
            *("--weights", generator, "--finish", "none", "--finish", "mirror+membrane", "--masker", masker),
            *("--references", plan.references, "--learn-from", str(out / "pairs"), "--measures", _perceptual_measure()),
        ),
        "starter-mask": ("--weights", masker),
    }
    found = []
    for name, words in options.items():
        folder = out / "measured" / title.replace(" ", "-") / name
        stamp, key = folder / "of.json", _stamp(out, data, plan)
        if not stamp.is_file() or json.loads(stamp.read_bytes()) != key:
            _run("fdtrain", "eval", "--data", str(data), *words, "--limit", str(plan.limit), "--out", str(folder), "-q",
                 kept=True)  # fmt: skip
            stamp.write_text(json.dumps(key), encoding="utf-8")
        keys = pd.read_csv(folder / "images.csv", usecols=["key"])["key"].unique().tolist()
        found.extend(tables_of(title, TASKS[name], folder / "images.csv", tones_of(data, keys, GREY), TONES))
    return found


def _perceptual_measure() -> str:
    """Return the measure beside PSNR that the tables show, where it is installed."""
    return "stlpips" if importlib.util.find_spec("stlpips_pytorch") else "none"


def _stamp(out: Path, data: Path, plan: Plan) -> dict[str, Any]:
    """Return what a measurement is of: with another, it is made again."""
    weights = {name: hashlib.sha256(_weights(out, name).read_bytes()).hexdigest() for name in NAMES}
    return {**weights, "content_id": _dataset(data)["content_id"], "limit": plan.limit, "references": plan.references}


def _dataset(pairs: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pairs / "dataset.json").read_bytes())
    return found


# Commands


def _timed(out: Path, step: str, *words: str) -> None:
    """Run one of our commands, and add the time that it takes to what its step took before it was stopped."""
    path = out / "times.json"
    times = json.loads(path.read_bytes()) if path.is_file() else {}
    before, began_s = _children_s(), time.perf_counter()
    try:
        _run(*words)
    finally:
        spent = times.setdefault(step, {"cpu_s": 0.0, "seconds": 0.0, "whole": False})
        if not spent["whole"]:  # else it was only looked at again
            spent["cpu_s"] += _children_s() - before
            spent["seconds"] += time.perf_counter() - began_s
            spent["whole"] = sys.exc_info()[0] is None
        write_bytes(path, json.dumps(times).encode())


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(program: str, *words: str, kept: bool = False) -> bytes:
    """Run `fdgen` or `fdtrain` of this environment; return its standard output where `kept`, else pass it on."""
    module = {"fdgen": "fdcli.fdgen.main", "fdtrain": "fdcli.fdtrain.main"}[program]
    code = f"from {module} import main; main()"
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code, *words],
        check=True,
        stdout=subprocess.PIPE if kept else sys.stderr,
    )
    return done.stdout or b""


def _processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())

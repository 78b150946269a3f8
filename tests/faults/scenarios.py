"""Small runs of everything that writes, in this process, each in a second or less."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fdgen.cards.card import write_card
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import Reject
from fdgen.errors import FdError
from fdgen.exporters.exporter import export
from fdgen.faces import detection
from fdgen.faces.cache import FaceCache
from fdgen.faces.landmarks import N_POINTS, Landmarks
from fdgen.packs.add import Addition, add_asset
from tests.support.cutouts import cloth_mask, mug, png
from tests.support.fake_build import STRATIFIED, FakeFaces, run

SMALL = ("shards.samples=4", "splits.train=0.6", "splits.val=0.2", "splits.test=0.2")
FACES = FakeFaces.of(14, identities=False)


def _nothing(given: Path) -> None:
    """Prepare nothing."""


def _same(name: str, data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Scenario:
    """Writes into the folder `out`, from what `prepare` put into the folder `given`.

    `normal` turns the bytes of a file, by its name, into those that every run must end with: without seconds, say.
    """

    name: str
    run: Callable[[Path, Path], object]
    prepare: Callable[[Path], object] = _nothing
    normal: Callable[[str, bytes], bytes] = _same
    logs: tuple[str, ...] = ()
    """Files that grow by lines: whole lines are all that they promise."""
    databases: tuple[str, ...] = ()
    """Files of sqlite, which sees to them itself."""


def write_small_set(given: Path) -> None:
    """Build the dataset that others read."""
    run(given / "set", FACES, *SMALL, steps=STRATIFIED, count=10, name="fakes", version="1.0.0")


def _build(given: Path, out: Path) -> None:
    run(out / "set", FACES, *SMALL, steps=STRATIFIED, count=10, name="fakes", version="1.0.0")


def _export(to: str, given: Path, out: Path) -> None:
    export(Manifest.load(given / "set"), to, out / "export")


def _card(given: Path, out: Path) -> None:
    if not (out / "set").exists():  # a card is written into its dataset too
        shutil.copytree(given / "set", out / "set")
    write_card(out / "set", out / "card")


def write_pictures(given: Path) -> None:
    for name, picture in (("Cloth Mask.png", cloth_mask()), ("mug.png", mug())):
        (given / name).write_bytes(png(picture))


def _add_assets(given: Path, out: Path) -> None:
    for name, wanted in (("Cloth Mask.png", Addition("mask")), ("mug.png", Addition("hand", id="mug"))):
        if not _is_added(out / "pack", name):  # `assets add` of what is there is refused
            add_asset(out / "pack", given / name, wanted)


def _is_added(pack: Path, name: str) -> bool:
    index = pack / "index.json"
    return index.exists() and name.partition(".")[0].lower().replace(" ", "-") in index.read_text()


class _Detector:
    """Stands in for the landmark networks."""

    def find(self, picture: object, size_px: int, *, name: str, max_outside: float) -> Landmarks | Reject:
        return Landmarks(np.full((N_POINTS, 3), len(name), np.float32), np.eye(2, 3), size_px)


class _Readable(FakeFaces):
    def read(self, source: object) -> Any:
        return np.zeros((8, 8, 3), np.uint8)


def _find_landmarks(given: Path, out: Path) -> None:
    faces = _Readable(FACES.numbers)
    with pytest.MonkeyPatch.context() as patch, FaceCache(out / "cache" / "faces.sqlite") as cache:
        patch.setattr(detection, "_own_detector", lambda networks: _Detector())
        patch.setattr(detection, "_CHUNK", 4)
        detection.detect(faces, faces.sources(None), size_px=64, cache=cache, workers=0)


def rows_of(name: str, data: bytes) -> bytes:
    """Return what a cache holds: its pages lie as they happened to be written."""
    if not name.endswith(".sqlite"):
        return data
    with tempfile.TemporaryDirectory() as folder:  # Python 3.10 has no `Connection.deserialize`
        copy = Path(folder) / "copy.sqlite"
        copy.write_bytes(data)
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            rows = [sorted(connection.execute(f"SELECT * FROM {table}")) for table in ("faces", "blobs", "files")]
    return repr(rows).encode()


def _training_set(given: Path) -> None:
    from tests.support.sets import write_set

    write_set(given / "set", 16)


def _fit(given: Path, out: Path) -> None:
    from fdtrain.training.loop import fit
    from tests.support.micro import micro

    lengths = ("training.images=16", "output.checkpoint_images=8", "output.validation_images=8")
    more = ("output.stats_images=8", "output.sample_images=16", "training.warmup_images=4")
    fit(micro(given / "set", *lengths, *more, "loss.adversarial_from_images=4"), out / "run")


def _compare(given: Path, out: Path) -> None:
    import fdtrain.comparison.runner as runner
    from fdtrain.comparison.plan import make_tasks
    from fdtrain.comparison.tables import Tables
    from tests.support.asks import SMALL as SMALL_NETWORK
    from tests.support.asks import ask_of

    tasks = make_tasks(["telea", "tiny"], {}, seeds=1, size_px=32)
    small = (*SMALL_NETWORK, "network.widths=[8,8,16,16,16]", "network.dilations=[1]", "discriminator.width=4")
    ask = ask_of(given / "set", images=8, overrides=small)
    watch = runner.Watch(lambda task, done, of: None, lambda task, moved: None, lambda task, reason: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_Worker", _Here)
        done = runner.compare(tasks, ask, out / "table", watch=watch, asked_to_stop=lambda: False)
    if done.failed:
        raise FdError(next(iter(done.failed.values())))
    Tables.of(tasks, done, ask, json.loads((out / "table" / runner.ASK_FILE).read_text()), None).write(out / "table")


class _Guard:
    def error(self) -> None:
        return None


class _Silent:
    def poll(self) -> bool:
        return False


class _Here:
    """Stands in for the process that does the tasks of a comparison."""

    guard, heard = _Guard(), _Silent()

    def __enter__(self) -> _Here:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def submit(self, task: Any, ask: Any, out: Path, stop_file: Path) -> Future[None]:
        from fdtrain.comparison.task import work

        future: Future[None] = Future()
        try:
            work(task, ask, str(out), str(stop_file), lambda moved: None)
            future.set_result(None)
        except FdError as error:
            future.set_exception(error)
        return future


def _evaluate(given: Path, out: Path) -> None:
    from fdtrain.data.pictures import write_png
    from fdtrain.data.triplets import TripletDataset
    from fdtrain.evaluation.evaluator import evaluate
    from fdtrain.evaluation.references import open_references
    from fdtrain.evaluation.results import Results
    from fdtrain.metrics.suite import open_suite
    from fdtrain.run_files import make_folder

    dataset = TripletDataset(given / "set", "test", size_px=32, limit=2)
    methods = open_references(["telea"], lambda: dataset)
    make_folder(out / "eval")
    suite = open_suite(32, ())
    results = Results.of(evaluate(methods, dataset, suite=suite), dataset, suite, [])
    results.write(out / "eval")
    write_png(out / "eval" / "worst.png", dataset.pictures(0).clean_HWC)


_SECONDS = ("cpu_s", "cpu_s_a_picture", "seconds", "images_per_second", "loader_share", "created", "images_per_s")


def timeless(name: str, data: bytes) -> bytes:
    """Return a file without the seconds that a run took, and without where it lay."""
    if name.endswith(("table.txt", "table.csv", "table.md", "table.tex", "cpu.jsonl")):
        return b"seconds stand here among others"
    if name.endswith(".pt"):  # the archive differs with the order in which states were filled
        return _state(data)
    if "/state-" in name:  # its receipt
        data = json.dumps({**json.loads(data), "sha256": "", "bytes": 0}).encode()
    if name.endswith(".jsonl"):
        return json.dumps([_without(json.loads(line)) for line in data.splitlines()]).encode()
    return json.dumps(_without(json.loads(data))).encode() if name.endswith(".json") else data


def _state(data: bytes) -> bytes:
    """Return all that a training's state holds, bit for bit."""
    import torch

    def flat(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return [str(value.dtype), [*value.shape], value.contiguous().numpy().tobytes().hex()]
        if isinstance(value, dict):
            return sorted((str(name), flat(one)) for name, one in value.items())
        return [flat(one) for one in value] if isinstance(value, (list, tuple)) else repr(value)

    return json.dumps(flat(torch.load(io.BytesIO(data), weights_only=True))).encode()


def _without(value: Any) -> Any:
    if isinstance(value, list):
        return [_without(one) for one in value]
    if isinstance(value, dict):
        return {name: _without(one) for name, one in value.items() if name.rpartition("/")[2] not in _SECONDS}
    return value


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("build", _build),
        *(
            Scenario(f"export {to}", partial(_export, to), write_small_set, logs=(".finished.txt",))
            for to in ("imagefolder", "parquet", "coco")
        ),
        Scenario("card", _card, write_small_set),
        Scenario("landmarks", _find_landmarks, normal=rows_of, databases=("cache/faces.sqlite",)),
        Scenario("assets add", _add_assets, write_pictures),
        Scenario("fit", _fit, _training_set, normal=timeless, logs=("run/stats.jsonl",)),
        Scenario("compare", _compare, _training_set, normal=timeless, logs=("stats.jsonl", "cpu.jsonl")),
        Scenario("eval", _evaluate, _training_set, normal=timeless),
    )
}

"""What is fuzzed: every kind of file that a dataset, a card, a pack, an export, a run or weights consist of.

A format is a row: the folder that a whole one lies in, the file that is replaced, how it is mutated, and who opens it.
To add one, add a row, and to `seeds.py` what makes its folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fdgen.errors import FdError
from fdgen.io.pictures.formats import PICTURE_FORMATS, what_it_needs
from tests.fuzz import mutators as m
from tests.fuzz.mutators import BYTES, Mutator

Attempt = Callable[[Path, Path, Path], bool]
"""Opens a folder that holds the input: the folder, the file, an output folder. Returns whether it found fault, where
that is told by a list of problems; raises an error of ours where it refuses."""

JSON = (*BYTES, m.change_digits, m.nest, *[m.change_json] * 6)
TOML = (*BYTES, m.change_digits, m.nest, *[m.change_toml] * 6)
LINES = (*BYTES, m.change_digits, m.nest, *[m.change_lines] * 6)
PARQUET = (*BYTES, *[m.change_parquet] * 7)


def _nothing(*_: Path) -> None:
    """Nothing needs to fit the input."""


@dataclass(frozen=True)
class Format:
    """One kind of file. `also` are other files that `forge` changes; `seeds` a pattern where the file alone is few."""

    folder: str
    file: str
    mutators: Sequence[Mutator]
    attempt: Attempt
    forge: Callable[[Path, Path], None] = _nothing
    also: tuple[str, ...] = ()
    seeds: str = ""
    torch: bool = False

    def prepare(self) -> None:
        """Keep libraries to one thread: the limit of memory counts their stacks."""
        if self.torch:
            import torch

            torch.set_num_threads(1)

    def restore(self, home: Path, original: Path) -> None:
        """Make the folder whole again."""
        for name in (self.file, *self.also):
            shutil.copyfile(original / name, home / name)


# Forging: what vouches for a file is made to fit, as whoever means harm would


def list_again(home: Path, path: Path) -> None:
    """Give the input its sum in SHA256SUMS."""
    sums, name = home / "SHA256SUMS", path.relative_to(home).as_posix()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    lines = [f"{digest}  {name}" if line.endswith(f"  {name}") else line for line in sums.read_text().splitlines()]
    sums.write_text("\n".join(lines) + "\n")


def lock_again(home: Path, path: Path) -> None:
    """Give the input its sum in lock.json, and both in SHA256SUMS."""
    lock = home / "lock.json"
    facts = json.loads(lock.read_bytes())
    facts["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    lock.write_text(json.dumps(facts), encoding="utf-8")
    list_again(home, path)
    list_again(home, lock)


def receive_again(home: Path, path: Path) -> None:
    """Write a receipt that fits a state."""
    receipt = path.with_suffix(".json")
    facts = json.loads(receipt.read_bytes())
    facts |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    receipt.write_text(json.dumps(facts), encoding="utf-8")


def index_again(home: Path, path: Path) -> None:
    """Write an index that fits a pack, where that can be."""
    from fdgen.packs.library import INDEX, index_text

    try:
        text = index_text(home)
    except FdError:
        return
    (home / INDEX).write_text(text, encoding="utf-8")


# Attempts


def each(*steps: Callable[[], object]) -> bool:
    """Take every step, whatever those before refuse; return whether one did, or returned anything that is true."""
    return sum(map(_refuses, steps)) > 0


def _refuses(step: Callable[[], object]) -> bool:
    try:
        return bool(step())
    except FdError as error:
        if "\n" in error.message or "\n" in error.hint or len(error.message) > 3_000:
            raise
        return True


def dataset(home: Path, path: Path, out: Path) -> bool:
    """Load it, read all members, export it, compare it as a snapshot, verify it."""
    from fdgen.contract.manifest import Manifest
    from fdgen.contract.records import MEMBERS
    from fdgen.exporters.exporter import export

    def members() -> None:
        manifest = Manifest.load(home)
        for key in manifest:
            for name in MEMBERS:
                manifest.read_member(key, name)
            manifest.record(key)
        for to in ("imagefolder", "coco", "parquet"):
            export(manifest, to, out / to)

    return each(members, lambda: beside(home, path, out))


def beside(home: Path, path: Path, out: Path) -> bool:
    """Compare a dataset as a snapshot, and verify it: what opens the files beside manifest and shards."""
    from fdgen.verification.verifier import verify
    from fdgen.versions.snapshot import Snapshot

    def snapshot() -> None:
        opened = Snapshot.open(home)
        sources = opened.sources()
        opened.landmarks({digest for digest, _ in sources.values()})
        opened.placements(digested=True)
        opened.reasons()

    return each(snapshot, lambda: one_line(problem.message for problem in verify(home, workers=1)))


def one_line(messages: object) -> bool:
    """Return whether there is any; raise `ValueError` where one has several lines."""
    found = list(messages)  # type: ignore[call-overload]
    if odd := next((text for text in found if "\n" in text), None):
        raise ValueError(f"a problem of several lines: {odd[:200]!r}")
    return bool(found)


def receipt(home: Path, path: Path, out: Path) -> bool:
    """Read it, and verify its dataset."""
    from fdgen.dataset.shards import read_receipt
    from fdgen.verification.verifier import verify

    return each(lambda: read_receipt(path) and None, lambda: one_line(p.message for p in verify(home, workers=1)))


def card(home: Path, path: Path, out: Path) -> bool:
    """Read its lock, open it as a snapshot, check it, verify it."""
    from fdgen.cards.card import check
    from fdgen.cards.prose import read_prose
    from fdgen.recipe.schema import Recipe
    from fdgen.verification.verifier import verify
    from fdgen.versions.lock import read_lock
    from fdgen.versions.snapshot import Snapshot

    return each(
        lambda: read_lock(home) and None,
        lambda: Snapshot.open(home) and None,
        lambda: one_line(p.message for p in check(home).problems),
        lambda: one_line(p.message for p in verify(home)),
        lambda: read_prose(home / "card.toml") and None,
        lambda: Recipe.load(home / "recipe.toml") and None,
    )


def pack(home: Path, path: Path, out: Path) -> bool:
    """Read it, indexed and not, and check it."""
    from fdgen.packs.check import check_pack
    from fdgen.packs.library import read_pack

    return each(
        lambda: read_pack(home) and None,
        lambda: read_pack(home, indexed=False) and None,
        lambda: one_line(f"{one.where}{one.problem}{one.remedy}" for one in check_pack(home)),
    )


def exported(home: Path, path: Path, out: Path) -> bool:
    """Go on with an export."""
    from fdgen.contract.manifest import Manifest
    from fdgen.exporters.exporter import export

    shutil.copytree(home / "out", out)
    export(Manifest.load(home / "dataset"), "coco", out)
    return False


def recipe(home: Path, path: Path, out: Path) -> bool:
    """Load a recipe."""
    from fdgen.recipe.schema import Recipe

    Recipe.load(path)
    return False


def config(home: Path, path: Path, out: Path) -> bool:
    """Load the settings of a training."""
    from fdtrain.config.schema import FitConfig

    FitConfig.load("tiny", path)
    return False


def report(home: Path, path: Path, out: Path) -> bool:
    """Read a folder as `fdtrain report` does."""
    from fdtrain.report.sources import read_source

    source = read_source(home, "x")
    return one_line(f"{training.title}{training.best}{training.images}" for training in source.trainings) and False


def tracked(home: Path, path: Path, out: Path) -> bool:
    """Read by which id a tracker knows a run."""
    from fdtrain.training.trackers.tracker import kept_id

    return each(lambda: kept_id(home, path.parent.name) and None)


def run(home: Path, path: Path, out: Path) -> bool:
    """Read a run's record, log, states and weights."""
    from fdtrain.training.checkpoint import read_facts, receipts
    from fdtrain.training.run import CHECKPOINTS, read_record
    from fdtrain.training.stats import read_stats
    from fdtrain.training.weight_files import find_weights

    return each(
        lambda: read_record(home) and None,
        lambda: read_stats(home) and None,
        lambda: receipts(home / CHECKPOINTS) and None,
        lambda: read_facts(find_weights(home)) and None,
        lambda: report(home, path, out),
    )


def checkpoint(home: Path, path: Path, out: Path) -> bool:
    """Load the newest state."""
    from fdtrain.training.checkpoint import load_state, receipts

    load_state(receipts(path.parent)[-1])
    return False


def weights(home: Path, path: Path, out: Path) -> bool:
    """Load the weights of a generator, and of a mask network."""
    from fdtrain.training.checkpoint import load_masknet, load_model

    return each(lambda: load_model(path) and None, lambda: load_masknet(path) and None)


def generator(home: Path, path: Path, out: Path) -> bool:
    """Load the weights of a generator."""
    from fdtrain.training.checkpoint import load_model

    load_model(path)
    return False


def masknet(home: Path, path: Path, out: Path) -> bool:
    """Load the weights of a mask network."""
    from fdtrain.training.checkpoint import load_masknet

    load_masknet(path)
    return False


def contract(home: Path, path: Path, out: Path) -> bool:
    """Read what an exported network says of itself."""
    from fdtrain.inference.metadata import KEY, ExportMetadata

    ExportMetadata.read({KEY: path.read_bytes().decode("utf-8", "replace")}, "model.onnx")
    return False


def onnx(home: Path, path: Path, out: Path) -> bool:
    """Open an exported network."""
    from fdtrain.inference.onnx_method import OnnxNetwork

    OnnxNetwork(path, task="restore", device="cpu", threads=1)
    return False


def photograph(home: Path, path: Path, out: Path) -> bool:
    """Read it as a photograph in both programs, as a picture, as a mask, and its size alone."""
    from fdgen.io.pictures.images import decode, picture_size
    from fdtrain.data.pictures import decode_grey, decode_rgb
    from fdtrain.restoration.files import read_photo_file

    data = path.read_bytes()
    return each(
        lambda: decode(data, name="x") is None,
        lambda: picture_size(data, name="x") is None,
        lambda: decode_rgb(data, "x") is None,
        lambda: decode_grey(data, "x") is None,
        lambda: read_photo_file(path) is None,
    )


def member(home: Path, path: Path, out: Path) -> bool:
    """Read it as a member of a dataset in both programs."""
    from fdgen.io.pictures.images import decode_png
    from fdtrain.data.pictures import member_grey, member_rgb

    data = path.read_bytes()
    return each(
        lambda: decode_png(data) is None,
        lambda: decode_png(data, intact=True) is None,
        lambda: member_rgb(data, "x") is None,
        lambda: member_grey(data, "x") is None,
    )


def strokes(home: Path, path: Path, out: Path) -> bool:
    """Read it as strokes on a photograph."""
    import numpy as np

    from fdtrain.restoration.strokes import read_strokes

    read_strokes(path, np.zeros((96, 96, 3), np.uint8))
    return False


def mask(home: Path, path: Path, out: Path) -> bool:
    """Read it as the mask of a photograph."""
    import numpy as np

    from fdtrain.restoration.aligned import read_mask

    read_mask(path, np.zeros((96, 96, 3), np.uint8), threshold=128)
    return False


def cutout_picture(home: Path, path: Path, out: Path) -> bool:
    """Prepare it as the texture of an occluder."""
    from fdgen.io.pictures.images import decode_rgba
    from fdgen.occluders.imported.texture import cutout

    data = path.read_bytes()
    return each(
        lambda: decode_rgba(data, name="x") is None,
        lambda: cutout(data, "x", 64, 0.5, 1.0, 0.3, True) is None,
    )


def glb_texture(home: Path, path: Path, out: Path) -> bool:
    """Read a mesh that it is the texture of."""
    from fdgen.render.glb import read_glb
    from tests.support.cutouts import textured

    read_glb(textured(path.read_bytes()), "x.glb")
    return False


def upload(home: Path, path: Path, out: Path) -> bool:
    """Read what a visitor of the page sent."""
    from fdtrain.demo.visit import read_upload

    read_upload(path)
    return False


_SUMS = ("SHA256SUMS",)
_LOCKED = ("SHA256SUMS", "lock.json")


def _listed(folder: str, file: str, mutators: Sequence[Mutator], attempt: Attempt) -> Format:
    return Format(folder, file, mutators, attempt, list_again, _SUMS)


PICTURE = (*BYTES, *[m.change_head] * 6)
PNG = (*BYTES, m.change_head, *[m.change_png] * 4)


def _picture(folder: str, mutators: Sequence[Mutator], attempt: Attempt) -> Format:
    return Format("pictures", f"{folder}/0.bin", mutators, attempt, seeds=f"{folder}/*.bin")


_STATE = "checkpoints/state-000000000032.pt"
_WHOLE = "rows/copy/once/result.json"

FORMATS: dict[str, Format] = {
    "dataset-json": _listed("dataset", "dataset.json", JSON, dataset),
    "manifest": _listed("dataset", "manifest.parquet", PARQUET, dataset),
    "landmarks": _listed("dataset", "landmarks.parquet", PARQUET, beside),
    "sources": _listed("dataset", "sources.parquet", PARQUET, beside),
    "rejects": _listed("dataset", "rejects.csv", LINES, beside),
    "sums": Format("dataset", "SHA256SUMS", LINES, beside),
    "receipt": Format("dataset", "shards/train-00000.json", JSON, receipt, list_again, _SUMS),
    "shard": Format("dataset", "shards/train-00000.tar", (*BYTES, m.change_digits), dataset, list_again, _SUMS),
    "lock": _listed("card", "lock.json", JSON, card),
    "lock-samples": Format("card", "samples.parquet", PARQUET, card, lock_again, _LOCKED),
    "lock-sources": Format("card", "sources.parquet", PARQUET, card, lock_again, _LOCKED),
    "card-recipe": Format("card", "recipe.toml", TOML, card, lock_again, _LOCKED),
    "card-toml": _listed("card", "card.toml", TOML, card),
    "numbers": _listed("card", "numbers.json", JSON, card),
    "croissant": _listed("card", "croissant.json", JSON, card),
    "card-readme": _listed("card", "README.md", LINES, card),
    "pack-index": Format("pack", "index.json", JSON, pack),
    "pack-table": Format("pack", "mask/one.toml", TOML, pack, index_again, ("index.json",), "*/*.toml"),
    "pack-glb": Format("pack", "hand/bowl.glb", (*BYTES, *[m.change_glb] * 6), pack, index_again, ("index.json",)),
    "pack-png": Format(
        "pack", "mask/one.png", (*BYTES, *[m.change_png] * 6), pack, index_again, ("index.json",), "*/*.png"
    ),
    "export-claim": Format("export", "out/export.json", JSON, exported),
    "export-sums": Format("export", "out/SHA256SUMS", LINES, exported),
    "recipe": Format("recipe", "recipe.toml", TOML, recipe),
    "config": Format("recipe", "config.toml", TOML, config, torch=True),
    "run-json": Format("run", "run.json", JSON, run, torch=True),
    "stats": Format("run", "stats.jsonl", LINES, run, torch=True),
    "tracker-id": Format("run", "wandb/run_id.json", JSON, tracked, torch=True),
    "state-receipt": Format("run", _STATE.replace(".pt", ".json"), JSON, run, torch=True),
    "checkpoint": Format(
        "run", _STATE, BYTES, checkpoint, receive_again, (_STATE.replace(".pt", ".json"),), torch=True
    ),
    "generator": Format("weights", "weights.safetensors", (*BYTES, *[m.change_safetensors] * 7), generator, torch=True),
    "masknet": Format("weights", "mask.safetensors", (*BYTES, *[m.change_safetensors] * 7), masknet, torch=True),
    "contract": Format("onnx", "contract.json", JSON, contract, torch=True),
    "onnx": Format("onnx", "model.onnx", BYTES, onnx, torch=True),
    "comparison-ask": Format("comparison", "compare.json", JSON, report, torch=True),
    "comparison-table": Format("comparison", _WHOLE, JSON, report, torch=True),
    "comparison-images": Format("comparison", "rows/copy/once/images.csv", LINES, report, torch=True),
    "ablation": Format("ablation", "ablation.json", JSON, report, torch=True),
    "evaluation": Format("evaluation", "eval.json", JSON, report, torch=True),
    "evaluation-images": Format("evaluation", "images.csv", LINES, report, torch=True),
    **{
        f"photograph-{one.name.lower()}": _picture(one.name, PNG if one.name == "PNG" else PICTURE, photograph)
        for one in PICTURE_FORMATS
        if not what_it_needs(one.name)
    },
    "dataset-png": _picture("member", PNG, member),
    "strokes-png": _picture("strokes", PNG, strokes),
    "mask-picture": _picture("mask", (*PNG, *[m.change_head] * 4), mask),
    "pack-texture": _picture("cutout", (*PNG, *[m.change_head] * 4), cutout_picture),
    "glb-texture": _picture("texture", (*PNG, *[m.change_head] * 4), glb_texture),
    "demo-upload": _picture("upload", (*PNG, *[m.change_head] * 4), upload),
}

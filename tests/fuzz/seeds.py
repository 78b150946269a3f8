"""Makes the whole files that fuzzing damages: small datasets, a card, a pack, an export, runs, comparisons, weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.contract.manifest import Manifest
from fdgen.exporters.exporter import export
from fdgen.packs.add import Addition, add_asset
from fdgen.recipe.files import recipe_text
from tests.fuzz.formats import FORMATS
from tests.support.cutouts import bowl, cloth_mask, mug, png, sunglasses
from tests.support.paths import ROOT

TRAINED = ("run", "comparison", "ablation", "evaluation", "weights", "onnx")
"""Folders that need torch, and a few seconds."""


def make_seeds(folder: Path, names: list[str]) -> Path:
    """Fill a folder with what the formats of these names need: their folders, and `files/FORMAT/` to be mutated."""
    wanted = {FORMATS[name].folder for name in names}
    makers = {"card": _card, "pack": _pack, "recipe": _recipe, "run": _run, "weights": _weights, "onnx": _onnx}
    makers["pictures"] = _pictures
    if wanted & {"dataset", "export"}:
        _dataset(folder)
    for name, make in makers.items():
        if name in wanted:
            make(folder)
    if wanted & {"comparison", "ablation", "evaluation"}:
        _compared(folder)
    for name in names:
        one = FORMATS[name]
        place = folder / "files" / name
        place.mkdir(parents=True)
        for number, path in enumerate(sorted((folder / one.folder).glob(one.seeds or one.file))):
            shutil.copyfile(path, place / f"{number}.bin")
    return folder


def _dataset(folder: Path) -> None:
    from tests.support.fake_build import FakeFaces, run

    run(folder / "dataset", FakeFaces.of(8), count=4)
    export(Manifest.load(folder / "dataset"), "coco", folder / "export" / "out")
    shutil.copytree(folder / "dataset", folder / "export" / "dataset")


def _card(folder: Path) -> None:
    shutil.copytree(ROOT / "data_cards" / "faces-demo-1.0.0", folder / "card")


def _pack(folder: Path) -> None:
    pictures = {"mask": png(cloth_mask()), "sunglasses": png(sunglasses()), "hand": png(mug())}
    (folder / "pictures").mkdir(parents=True)
    licence = {"licence": "CC0-1.0", "origin": "painted"}
    for kind, data in pictures.items():
        path = folder / "pictures" / f"{kind}-one.png"
        path.write_bytes(data)
        add_asset(folder / "pack", path, Addition(kind, **licence))
    path = folder / "pictures" / "bowl.glb"
    path.write_bytes(bowl())
    add_asset(folder / "pack", path, Addition("hand", **licence))


def _pictures(folder: Path) -> None:
    """Paint pictures of 96 by 96 pixels, and save them in every way that there is."""
    import cv2
    import PIL.Image

    from fdgen.io.pictures.formats import PICTURE_FORMATS, what_it_needs

    grain_HWC = np.random.default_rng(3).integers(0, 256, (96, 96, 3), np.uint8)
    photo = PIL.Image.fromarray(cv2.GaussianBlur(grain_HWC, (0, 0), 3.0))
    later = [photo.rotate(90), photo.rotate(180)]
    mask = PIL.Image.new("L", (96, 96))
    mask.paste(255, (20, 30, 70, 60))
    strokes = PIL.Image.composite(PIL.Image.new("RGB", (96, 96), (0, 255, 0)), PIL.Image.new("RGB", (96, 96)), mask)
    clear = photo.copy()
    clear.putalpha(mask)
    film = {"save_all": True, "append_images": later}
    sideways = PIL.Image.Exif()
    sideways[0x0112] = 6
    cmyk, grey, palette, deep = (
        photo.convert("CMYK"),
        photo.convert("L"),
        photo.convert("P"),
        PIL.Image.fromarray(grain_HWC[..., 0].astype(np.uint16) * 257),
    )
    ways: dict[str, list[tuple[PIL.Image.Image, str, dict[str, Any]]]] = {
        "JPEG": [(photo, "JPEG", {}), (photo, "JPEG", {"progressive": True, "exif": sideways}), (cmyk, "JPEG", {}),
                 (photo, "MPO", film)],
        "PNG": [(photo, "PNG", {}), (photo, "PNG", film), (deep, "PNG", {}), (palette, "PNG", {"transparency": 2}),
                (clear, "PNG", {"icc_profile": b"x" * 200, "exif": sideways}), (photo.convert("1"), "PNG", {})],
        "WEBP": [(photo, "WEBP", {}), (clear, "WEBP", {"lossless": True}), (photo, "WEBP", film)],
        "TIFF": [(photo, "TIFF", {"compression": way}) for way in ("tiff_lzw", "jpeg", "tiff_adobe_deflate")]
        + [(deep, "TIFF", {}), (cmyk, "TIFF", {}), (grey, "TIFF", film),
           (photo.convert("1"), "TIFF", {"compression": "group4"})],
        "BMP": [(photo, "BMP", {}), (palette, "BMP", {})],
        "GIF": [(photo, "GIF", {}), (palette, "GIF", film)],
        "JPEG2000": [(photo, "JPEG2000", {}), (grey, "JPEG2000", {"irreversible": True, "tile_size": (64, 64)})],
        "AVIF": [(photo, "AVIF", {}), (photo, "AVIF", film)],
        "HEIF": [(photo, "HEIF", {"exif": sideways})],
        "member": [(photo, "PNG", {}), (mask, "PNG", {}), (photo, "PNG", film)],
        "strokes": [(strokes, "PNG", {}), (strokes, "PNG", film), (strokes, "TIFF", {})],
        "mask": [(mask, "PNG", {}), (mask, "JPEG", {}), (mask.convert("1"), "PNG", {}), (mask, "WEBP", {}),
                 (mask, "TIFF", {})],
        "cutout": [(clear, "PNG", {}), (clear, "WEBP", {"lossless": True}), (clear, "TIFF", {}), (clear, "GIF", {})],
        "texture": [(photo, "PNG", {}), (photo, "JPEG", {})],
        "upload": [(photo, "JPEG", {}), (photo, "PNG", {}), (photo, "WEBP", {}), (photo, "GIF", film)],
    }  # fmt: skip
    unread = {one.name for one in PICTURE_FORMATS if what_it_needs(one.name)}
    for kind, pictures in ways.items():
        (folder / "pictures" / kind).mkdir(parents=True)
        for number, (picture, name, options) in enumerate(pictures):
            if name not in unread:
                # Pillow leaves settings of one format in a picture, which hinder another: hence copies.
                more = {"append_images": [one.copy() for one in later]} if options is film else {}
                picture.copy().save(folder / "pictures" / kind / f"{number}.bin", name, **{**options, **more})


def _recipe(folder: Path) -> None:
    (folder / "recipe").mkdir(parents=True)
    (folder / "recipe" / "recipe.toml").write_text(recipe_text("default"), encoding="utf-8")
    from fdtrain.config.schema import FitConfig

    (folder / "recipe" / "config.toml").write_text(FitConfig.load("tiny").to_toml(), encoding="utf-8")


def _triplets(folder: Path) -> Path:
    from tests.support.sets import write_set

    return folder / "triplets" if (folder / "triplets").is_dir() else write_set(folder / "triplets", 24)


def _run(folder: Path) -> None:
    from fdtrain.training.loop import fit
    from fdtrain.training.trackers.tracker import keep_id
    from tests.support.micro import micro

    fit(micro(_triplets(folder), "training.images=32"), folder / "run")
    keep_id(folder / "run", "wandb", "a1b2c3d4")


def _weights(folder: Path) -> None:
    from tests.support.weights import write_mask_weights, write_weights

    (folder / "weights").mkdir(parents=True)
    write_weights(folder / "weights" / "weights.safetensors")
    write_mask_weights(folder / "weights" / "mask.safetensors")


def _onnx(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    from fdtrain.inference.metadata import ExportMetadata

    sides = {"occluded": 3, "mask": 1, "restored": 3}
    *inputs, output = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", n, 16, 16]) for name, n in sides.items()
    )
    nodes = [helper.make_node("Mul", ["occluded", "mask"], ["restored"])]
    model = helper.make_model(
        helper.make_graph(nodes, "one", inputs, [output]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    words = {"occluded": "a picture", "mask": "a mask"}
    metadata = ExportMetadata("restore", 16, words, {"restored": "a picture"}, {"preset": "tiny"})
    helper.set_model_props(model, metadata.entries())
    (folder / "onnx").mkdir(parents=True)
    onnx.save(model, str(folder / "onnx" / "model.onnx"))
    (folder / "onnx" / "contract.json").write_text(metadata.entries()["fdtrain"], encoding="utf-8")


def _compared(folder: Path) -> None:
    from fdtrain.data.triplets import TripletDataset
    from fdtrain.evaluation.evaluator import evaluate
    from fdtrain.evaluation.references import open_references
    from fdtrain.evaluation.results import Results
    from fdtrain.metrics.suite import open_suite
    from tests.support.reported import write_ablation, write_comparison

    data = _triplets(folder)
    write_comparison(data, folder / "comparison")
    write_ablation(data, folder / "ablation")
    dataset = TripletDataset(data, "test", size_px=32, limit=4)
    train = TripletDataset(data, "train", size_px=32)
    methods = open_references(["copy", "telea"], lambda: train)
    suite = open_suite(32, (), n_pictures=len(dataset))
    (folder / "evaluation").mkdir(parents=True)
    Results.of(evaluate(methods, dataset, suite=suite), dataset, suite).write(folder / "evaluation")

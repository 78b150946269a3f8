"""Exported networks: equal to torch's, run without torch, and one sentence for each file that cannot be used."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fdgen.errors import FdError
from fdtrain.config.schema import FitConfig
from fdtrain.data.pictures import from_values, mask_to_values, to_values, write_png
from fdtrain.errors import CheckpointError, DeviceError, RunError
from fdtrain.inference.maskers import open_masker
from fdtrain.inference.metadata import INVENTED, KEY, TOLERANCE, ExportMetadata
from fdtrain.inference.model_label import ModelLabel
from fdtrain.inference.open_generator import open_generator
from fdtrain.inference.probes import probes
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.networks.build import build_model
from fdtrain.training.checkpoint import load_model, read_facts, save_model
from tests.support.paths import ROOT
from tests.support.weights import write_mask_weights, write_weights

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from fdtrain.inference import exporter as exporting
from fdtrain.inference.export_graphs import open_source, trained
from fdtrain.inference.exporter import compare, export
from fdtrain.inference.onnx_method import OnnxMethod, OnnxNetwork

FIFTY = (1, 3, 8, 38)
"""Batches that make 50 pictures."""

NARROW = {
    "faithful-64": ("network.widths=[8,8,16,16,16]",),
    "modern-64": ("network.widths=[8,8,16,16,16]",),
    "glcm-64": ("baseline.width=4",),
    "gca-64": ("baseline.width=4",),
    "edgeconnect-64": ("baseline.width=4", "baseline.blocks=2"),
    "context-encoder-64": ("baseline.width=4", "baseline.bottleneck=16"),
    "pix2pix-64": ("baseline.width=4",),
    "din-64": ("baseline.width=4",),
    "deepfillv2-64": ("baseline.width=8",),
    "lama-64": ("baseline.width=4", "baseline.blocks=2"),
    "afd-stackgan-64": ("baseline.width=4",),
    "maharjan-64": ("baseline.width=4",),
    "gafc-64": ("baseline.width=4",),
    "collagan-64": ("baseline.width=4",),
    "symmfcnet-64": ("baseline.width=4",),
    "demeshnet-64": ("baseline.width=4",),
    "gfcm-64": ("baseline.width=4", "baseline.bottleneck=16"),
}
"""Every architecture, thin: what an exporter can write does not depend on the number of channels."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a generator and a mask network, as weights and as ONNX."""
    folder = tmp_path_factory.mktemp("export")
    write_weights(folder / "face.safetensors", content_id="ab" * 32)
    write_mask_weights(folder / "masks.safetensors", temperature=1.5)
    for name in ("face", "masks"):
        export(folder / f"{name}.safetensors", folder / f"{name}.onnx")
    return folder


def pictures(n: int, size_px: int = 32) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return drawn faces and masks, as pictures."""
    occluded_B3HW, mask_B1HW = next(probes(size_px, (n,)))
    return list(zip(from_values(occluded_B3HW), (mask_B1HW[:, 0] * 255).astype(np.uint8), strict=True))


@pytest.mark.parametrize("name", ["face", "masks"])
def test_onnx_equals_torch_on_fifty_pictures(folder: Path, name: str) -> None:
    source = open_source(folder / f"{name}.safetensors")
    network = OnnxNetwork(folder / f"{name}.onnx", task=source.metadata.task)
    n_inputs = len(source.metadata.inputs)
    most, n_pictures = compare(lambda *both: network.run(*both[:n_inputs]), source.truth, 32, FIFTY)
    assert n_pictures == 50
    assert most <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_a_toy_says_so_in_what_is_exported_from_it(tmp_path: Path, form: str) -> None:
    weights, out = write_weights(tmp_path / "face.safetensors", toy="saw nobody"), tmp_path / f"face.{form}"
    metadata = export(weights, out, form=form).metadata
    assert metadata.trained["toy"] == "saw nobody"
    if form == "pt2":
        extra = dict.fromkeys(("fdtrain", "toy"), "")
        torch.export.load(out, extra_files=extra)
        held = {key: value if isinstance(value, str) else value.decode() for key, value in extra.items()}
    else:
        network = OnnxNetwork(out, task="restore")
        held = network.session.get_modelmeta().custom_metadata_map
        assert held["toy"] in network.session.get_modelmeta().description
        assert open_generator(out).label == ModelLabel.of_facts(out, read_facts(weights))
    assert held["toy"].startswith("this network is a toy that saw nobody: ")
    assert ExportMetadata.read(held, "face").trained == metadata.trained


def test_what_is_no_toy_does_not_say_so(folder: Path) -> None:
    for name, task in (("face", "restore"), ("masks", "mask")):
        meta = OnnxNetwork(folder / f"{name}.onnx", task=task).session.get_modelmeta()
        assert set(meta.custom_metadata_map) == {"fdtrain", "preprocessing", "use"}
        assert "toy" not in meta.description


def test_a_difference_is_found() -> None:
    still, moved = (lambda picture, mask, by=by: [picture + by] for by in (0, np.float32(0.01)))
    assert compare(still, moved, 32)[0] == pytest.approx(0.01, rel=1e-3)
    assert np.isnan(compare(still, lambda picture, mask: [picture * np.float32("nan")], 32)[0])
    assert compare(still, lambda picture, mask: [picture[:1, :1]], 32)[0] == np.inf


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "pt2"])
@pytest.mark.parametrize("preset", NARROW)
def test_every_architecture(tmp_path: Path, preset: str, form: str) -> None:
    config = FitConfig.load(preset, overrides=NARROW[preset])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = build_model(config)
    save_model(tmp_path / "w.safetensors", model, {"config": config.as_dict()})
    done = export(tmp_path / "w.safetensors", tmp_path / f"w.{form}", form=form)
    assert done.most <= TOLERANCE
    assert done.pictures == 12
    data = (tmp_path / f"w.{form}").read_bytes()
    if form == "pt2":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = b"".join(archive.read(name) for name in archive.namelist())
    assert str(ROOT).encode() not in data  # no path of the machine that wrote it
    if form == "onnx":  # the whole way, pictures in and out
        pairs = pictures(3, 64)
        by_onnx = OnnxMethod(tmp_path / "w.onnx").restore(pairs)
        by_torch = ModelMethod(load_model(tmp_path / "w.safetensors")).restore(pairs)
        for made, wanted in zip(by_onnx, by_torch, strict=True):
            for one, other in zip(made, wanted, strict=True):
                assert np.abs(one.astype(int) - other).max() <= 1


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_maps_of_landmarks_are_put_into_the_graph(tmp_path: Path, form: str) -> None:
    config = FitConfig.load("modern-64", overrides=["network.landmarks=true", *NARROW["modern-64"]])
    model = build_model(config)
    rng = torch.Generator().manual_seed(3)
    for tensor in model.state_dict().values():
        tensor.normal_(0, 0.1, generator=rng)
    save_model(tmp_path / "w.safetensors", model, {"config": config.as_dict()})
    done = export(tmp_path / "w.safetensors", tmp_path / f"w.{form}", form=form)
    assert done.most <= TOLERANCE
    assert list(done.metadata.inputs) == ["occluded", "mask", "landmark_maps"]
    assert "(batch, 5, 64, 64): maps of face, brows, eyes, nose, lips" in done.metadata.inputs["landmark_maps"]
    if form == "onnx":
        pairs = pictures(3, 64)
        network = OnnxMethod(tmp_path / "w.onnx")
        by_onnx, by_torch = network.restore(pairs), ModelMethod(load_model(tmp_path / "w.safetensors")).restore(pairs)
        for made, wanted in zip(by_onnx, by_torch, strict=True):
            for one, other in zip(made, wanted, strict=True):
                assert np.abs(one.astype(int) - other).max() <= 1
        occluded_B3HW, mask_B1HW = next(probes(64, (1,)))
        seen, unseen = (
            network.network.run(occluded_B3HW, mask_B1HW, np.full((1, 5, 64, 64), level, np.float32))[0]
            for level in (0, 1)
        )
        assert np.abs(seen - unseen).max() > TOLERANCE  # they count


@pytest.mark.parametrize("size_px", [pytest.param(64, marks=pytest.mark.slow), 96])
def test_eigenfaces_go_with_the_graph(tmp_path: Path, size_px: int) -> None:
    asked = ["network.eigenfaces=12", f"data.size_px={size_px}", *NARROW["modern-64"]]
    config = FitConfig.load("modern-64", overrides=asked)
    model = build_model(config)
    rng = torch.Generator().manual_seed(3)
    for tensor in model.state_dict().values():
        tensor.normal_(0, 0.05, generator=rng)
    model.state_dict()["fill.ridge_K"].fill_(1)
    save_model(tmp_path / "w.safetensors", model, {"config": config.as_dict()})
    assert export(tmp_path / "w.safetensors", tmp_path / "w.onnx", form="onnx").most <= TOLERANCE
    pairs = pictures(3, size_px)
    by_onnx = OnnxMethod(tmp_path / "w.onnx").restore(pairs)
    by_torch = ModelMethod(load_model(tmp_path / "w.safetensors")).restore(pairs)
    for made, wanted in zip(by_onnx, by_torch, strict=True):
        for one, other in zip(made, wanted, strict=True):
            assert np.abs(one.astype(int) - other).max() <= 1


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_method_restores_batches_of_any_number(folder: Path, batch: int) -> None:
    pairs = pictures(batch)
    by_onnx, by_torch = (open_generator(folder / f"face.{end}") for end in ("onnx", "safetensors"))
    assert (by_onnx.kind, by_torch.kind) == ("onnx", "torch")
    assert by_onnx.size_px == by_torch.size_px == 32
    assert by_onnx.method.names == by_torch.method.names == ("model, stage I", "model")
    made, wanted = (opened.method.restore(pairs) for opened in (by_onnx, by_torch))
    assert len(made) == batch
    for one, other in zip(made, wanted, strict=True):
        for picture, same in zip(one, other, strict=True):
            assert np.abs(picture.astype(int) - same).max() <= 1


def test_the_masker_guesses_as_torch_does(folder: Path) -> None:
    crops = [picture for picture, _ in pictures(3, 50)] + [picture for picture, _ in pictures(1, 32)]
    by_onnx, by_torch = (open_masker(folder / f"masks.{end}", "cpu") for end in ("onnx", "safetensors"))
    assert by_onnx.size_px == by_torch.size_px
    assert by_onnx.kinds == by_torch.kinds == ("hand", "mask", "sunglasses")
    for made, wanted, crop in zip(by_onnx.predict(crops), by_torch.predict(crops), crops, strict=True):
        assert made.occluder_HW.shape == crop.shape[:2]
        np.testing.assert_allclose(made.occluder_HW, wanted.occluder_HW, atol=1e-4)
        assert made.kinds == pytest.approx(wanted.kinds, abs=1e-4)
    assert by_onnx.predict([]) == []
    with pytest.raises(ValueError, match="square"):
        by_onnx.predict([crops[0][:20]])


def test_the_metadata_stands_in_the_file(folder: Path) -> None:
    import onnx

    model = onnx.load(folder / "face.onnx")
    held = {prop.key: prop.value for prop in model.metadata_props}
    metadata = ExportMetadata.read(held, "face.onnx")
    assert held["use"] == INVENTED
    assert "127.5" in held["preprocessing"]
    assert INVENTED in model.doc_string
    assert (metadata.task, metadata.size_px, metadata.trained["content_id"]) == ("restore", 32, "ab" * 32)
    assert [value.name for value in model.graph.input] == list(metadata.inputs) == ["occluded", "mask"]
    assert [value.name for value in model.graph.output] == list(metadata.outputs) == ["coarse", "restored"]
    for value in (*model.graph.input, *model.graph.output):
        batch, _, *sides = value.type.tensor_type.shape.dim
        assert batch.dim_param == "batch"
        assert [side.dim_value for side in sides] == [32, 32]
    assert all(not node.metadata_props and not node.doc_string for node in model.graph.node)


@pytest.mark.parametrize("score", ["val_hole_psnr_db", "val_iou"])
def test_metadata_tells_how_good_a_network_was(score: str) -> None:
    told = trained(torch.nn.Linear(2, 3), {"config": {"preset": "any"}, score: 0.5, "images": 7})
    assert told == {"preset": "any", "method": None, score: 0.5, "images": 7, "parameters": 9}


def test_torch_reads_the_other_format_without_fdtrain(folder: Path, tmp_path: Path) -> None:
    export(folder / "face.safetensors", tmp_path / "face.pt2", form="pt2")
    extra = {KEY: "", "use": ""}
    module = torch.export.load(tmp_path / "face.pt2", extra_files=extra).module()
    assert extra["use"] == INVENTED
    assert ExportMetadata.read(extra, "face.pt2").size_px == 32
    picture, mask = pictures(1)[0]
    _, restored = module(torch.from_numpy(to_values(picture))[None], torch.from_numpy(mask_to_values(mask))[None])
    wanted = ModelMethod(load_model(folder / "face.safetensors")).restore([(picture, mask)])[0][1]
    assert np.abs(from_values(restored.numpy())[0].astype(int) - wanted).max() <= 1


@pytest.mark.slow
def test_a_file_that_differs_is_not_left(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(weights: Path) -> object:
        source = open_source(weights)
        return source._replace(truth=lambda *given: [made + 2e-3 for made in source.truth(*given)])

    monkeypatch.setattr(exporting, "open_source", elsewhere)
    with pytest.raises(RunError, match=r"face\.pt2 was not written: on 12 pictures .* by up to 0\.002"):
        export(folder / "face.safetensors", tmp_path / "face.pt2", form="pt2")
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_networks(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "face.onnx").read_bytes()
    for name, content in (("text", b"not a network"), ("cut", whole[: len(whole) // 2]), ("empty", b"")):
        (tmp_path / f"{name}.onnx").write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"{name}\.onnx is not a whole ONNX file") as caught:
            OnnxMethod(tmp_path / f"{name}.onnx")
        assert caught.value.hint
    with pytest.raises(CheckpointError, match=r"missing\.onnx cannot be read: there is no such file"):
        OnnxMethod(tmp_path / "missing.onnx")


def test_files_of_something_else(folder: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(folder / "face.onnx")
    metadata = ExportMetadata.read({prop.key: prop.value for prop in model.metadata_props}, "face.onnx")
    for name, entries, words in (
        ("foreign", {}, "was not written by `fdtrain export`"),
        ("broken", {KEY: "{"}, "was not written by `fdtrain export`"),
        ("later", replace(metadata, schema=9).entries(), "schema 9, this version reads 1"),
    ):
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, entries)
        onnx.save(model, tmp_path / f"{name}.onnx")
        with pytest.raises(CheckpointError, match=re.escape(f"{name}.onnx") + ".*" + re.escape(words)):
            OnnxMethod(tmp_path / f"{name}.onnx")
    with pytest.raises(CheckpointError, match=r"masks\.onnx holds a network for the task 'mask'"):
        OnnxMethod(folder / "masks.onnx")
    with pytest.raises(CheckpointError, match=r"face\.onnx holds a network for the task 'restore'"):
        open_masker(folder / "face.onnx")


def test_another_size_and_another_device(folder: Path) -> None:
    with pytest.raises(ValueError, match="takes 32x32 px, got 48x48"):
        OnnxMethod(folder / "face.onnx").restore(pictures(1, 48))
    with pytest.raises(DeviceError, match="'mps'"):
        open_generator(folder / "face.onnx", device="mps")


def test_engines_refuse_what_they_cannot_run(folder: Path, tmp_path: Path) -> None:
    for name, engine, words in (
        ("face.safetensors", "onnx", "is a file of weights or a run folder, and the engine onnx wants an ONNX file"),
        ("face.onnx", "torch", "is an ONNX file, and the engine torch wants"),
        ("face.pt2", "auto", "is a torch.export file"),
    ):
        with pytest.raises(CheckpointError, match=words) as caught:
            open_generator(folder / name, engine=engine)
        assert caught.value.hint


def test_suffixes_are_told_in_capitals_too_and_weights_from_exports(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "FACE.ONNX").write_bytes((folder / "face.onnx").read_bytes())
    assert open_generator(tmp_path / "FACE.ONNX").kind == "onnx"
    with pytest.raises(CheckpointError, match="is an exported network, and weights are wanted here"):
        load_model(folder / "face.onnx")


def test_without_the_libraries(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(FdError, match="ONNX files need onnxruntime") as caught:
        OnnxMethod(folder / "face.onnx")
    assert "fd-stackgan[export]" in caught.value.hint
    monkeypatch.setattr(exporting.util, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(FdError, match="exporting to ONNX needs onnxscript"):
        export(folder / "face.safetensors", tmp_path / "face.onnx")


WITHOUT_TORCH = """
import sys
class Forbidding:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "safetensors"):
            raise ImportError("forbidden here: " + name)
sys.meta_path.insert(0, Forbidding())
from cli.fdtrain.main import main
main()
"""


def run_without_torch(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run fdtrain in a process in which torch cannot be imported."""
    words = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        words, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT
    )


def test_restore_runs_without_torch(folder: Path, tmp_path: Path) -> None:
    (picture, mask), *_ = pictures(1, 64)
    write_png(tmp_path / "face.png", picture)
    write_png(tmp_path / "mask.png", mask)
    given = ("restore", tmp_path / "face.png", "--mask", tmp_path / "mask.png", "--out", tmp_path / "out")
    done = run_without_torch(*given, "--weights", folder / "face.onnx", "--engine", "onnx", "--json", "-q")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["failed"] == 0
    assert (tmp_path / "out" / "face.png").is_file()
    refused = run_without_torch(*given, "--weights", folder / "face.safetensors")
    assert refused.returncode == 1
    assert "face.safetensors needs torch, which cannot be imported" in refused.stderr
    assert "fdtrain export" in refused.stderr

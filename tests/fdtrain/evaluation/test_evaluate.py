"""Evaluation: the views mean what they say, the tables agree with the rows, nothing is silently left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from fdgen.arrays import Image
from fdgen.errors import FdError
from fdgen.io.pictures.captions import line_px, text_px_for
from fdtrain.data.pictures import pasted
from fdtrain.data.sheets import sheet
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import DeviceError
from fdtrain.evaluation.classical import Inpainting
from fdtrain.evaluation.evaluator import compare_sets, evaluate
from fdtrain.evaluation.gallery import extremes, gallery
from fdtrain.evaluation.references import Copy, MeanFace
from fdtrain.evaluation.results import FILES, Results
from fdtrain.evaluation.summary import (
    columns_of,
    main_table,
    mean_and_error,
    strata_table,
    summarise,
)
from fdtrain.inference.models import Models
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.metrics.distribution import Inception, frechet_distance
from fdtrain.metrics.fidelity import fidelity, hole_fidelity, psnr
from fdtrain.metrics.suite import Suite, open_suite
from fdtrain.training.checkpoint import load_model
from tests.support.weights import write_weights


class Painter:
    """Puts out one colour everywhere; a method whose raw output is far worse than its composited one."""

    names: tuple[str, ...] = ("grey",)

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        return [(np.full_like(occluded, 128),) for occluded, _ in pairs]


class Truth:
    """Knows the clean pictures."""

    names: tuple[str, ...] = ("truth",)

    def __init__(self, dataset: TripletDataset) -> None:
        pictures = [dataset.pictures(index) for index in range(len(dataset))]
        self.clean = {one.occluded_HWC.tobytes(): one.clean_HWC for one in pictures}

    def restore(self, pairs: Sequence[tuple[Image, Image]]) -> list[tuple[Image, ...]]:
        return [(self.clean[occluded.tobytes()],) for occluded, _ in pairs]


@pytest.fixture(scope="module")
def dataset(triplets: Path) -> TripletDataset:
    return TripletDataset(triplets, "test", size_px=32)


@pytest.fixture(scope="module")
def frame(dataset: TripletDataset) -> pd.DataFrame:
    return evaluate([Inpainting("telea"), Painter(), Truth(dataset)], dataset, batch=4)


def test_a_row_for_each_picture_and_method(dataset: TripletDataset, frame: pd.DataFrame) -> None:
    assert len(frame) == 3 * len(dataset)
    for method in ("Telea", "grey", "truth"):
        assert frame.loc[frame["method"] == method, "key"].tolist() == dataset.keys


def test_views_are_what_they_say(dataset: TripletDataset, frame: pd.DataFrame) -> None:
    rows = frame[frame["method"] == "grey"].reset_index()
    for index in range(len(dataset)):
        clean, occluded, mask = dataset.pictures(index)
        grey = np.full_like(clean, 128)
        composited = pasted(grey, occluded, mask)
        expected = {
            "raw": fidelity(grey, clean),
            "composited": fidelity(composited, clean),
            "hole": hole_fidelity(composited, clean, mask),
        }
        for view, values in expected.items():
            for name, value in zip(("psnr", "ssim", "mse"), values, strict=True):
                assert rows.at[index, f"{name}_{view}"] == pytest.approx(value, rel=1e-12)
    assert (rows["psnr_raw"] < rows["psnr_composited"]).all()


def test_batches_change_nothing(dataset: TripletDataset, frame: pd.DataFrame) -> None:
    seen: list[tuple[int, int]] = []
    again = evaluate(
        [Inpainting("telea"), Painter(), Truth(dataset)], dataset, batch=100, on_image=lambda *done: seen.append(done)
    )
    pd.testing.assert_frame_equal(frame, again)
    n = len(dataset)
    assert seen == [(measured // 3, n) for measured in range(1, 3 * n + 1)]  # three methods, counted alike


def test_two_methods_of_one_name_are_refused(dataset: TripletDataset) -> None:
    with pytest.raises(FdError, match="both called 'grey'"):
        evaluate([Painter(), Painter()], dataset)


def test_summary_agrees_with_the_rows(frame: pd.DataFrame) -> None:
    summary = summarise(frame).set_index(["method", "stratum"])
    for method, kind in (("Telea", "mask"), ("grey", "hand")):
        part = frame[(frame["method"] == method) & (frame["kind"] == kind)]
        row = summary.loc[(method, f"kind {kind}")]
        assert row["n"] == len(part)
        assert row["psnr_hole"] == pytest.approx(part["psnr_hole"].mean())
        assert row["psnr_hole_se"] == pytest.approx(part["psnr_hole"].sem())
        assert row["psnr_hole_of_mean_mse"] == pytest.approx(psnr(part["mse_hole"].mean()))
        assert row["psnr_hole_of_mean_mse"] <= row["psnr_hole"]
    whole = summary.xs("all", level="stratum")
    kinds = summary[summary.index.get_level_values("stratum").str.startswith("kind")]
    bins = summary[summary.index.get_level_values("stratum").str.startswith("coverage")]
    for parts in (kinds, bins):
        assert parts.groupby(level="method")["n"].sum().to_dict() == whole["n"].to_dict()


def test_people_are_no_measure(frame: pd.DataFrame) -> None:
    named = summarise(frame.assign(identity="grace-hopper"))
    assert "identity" not in named.columns
    pd.testing.assert_frame_equal(named, summarise(frame))


def test_gains_are_paired(frame: pd.DataFrame) -> None:
    summary = summarise(frame)
    whole = summary[summary["stratum"] == "all"].set_index("method")
    telea, grey = (frame.loc[frame["method"] == name, "psnr_hole"].to_numpy() for name in ("Telea", "grey"))
    assert whole.at["grey", "gain"] == pytest.approx((grey - telea).mean())
    assert whole.at["grey", "gain_se"] == pytest.approx((grey - telea).std(ddof=1) / len(grey) ** 0.5)
    assert whole.at["Telea", "gain"] == 0
    assert np.isnan(summarise(frame[frame["method"] == "grey"])["gain"]).all()


def test_exact_pictures_are_counted(dataset: TripletDataset, frame: pd.DataFrame) -> None:
    summary = summarise(frame)
    assert summary.loc[(summary["method"] == "truth") & (summary["stratum"] == "all"), "exact"].item() == len(dataset)
    results = Results.of(frame, dataset, open_suite(32))
    assert f"truth: {len(dataset)} of {len(dataset)} pictures are restored exactly" in results.text()
    assert mean_and_error([1.0, 3.0, float("inf")]) == (2.0, 1.0)
    assert np.isnan(mean_and_error([float("inf")])).all()


def test_tables_say_what_they_hold(dataset: TripletDataset, frame: pd.DataFrame, tmp_path: Path) -> None:
    results = Results.of(frame, dataset, open_suite(32), ["a note"])
    text = results.text()
    for words in (
        f"{len(dataset)} pictures, test split",
        "Inside the mask",
        "over Telea",
        "niqe: not computed, because NIQE means nothing under 192 px",
        "brisque: not computed, because BRISQUE says little under 128 px",
        "Gaussian window of 11 pixels",
        "Note: a note.",
    ):
        assert words in text
    table = main_table(results.summary, columns_of("hole"))
    assert [row[0] for row in table] == ["method", "Telea", "grey", "truth"]
    assert len({len(row) for row in table}) == 1
    assert "NIQE ↓" not in table[0]
    raw = text.partition("Raw output")[2].partition("by occluder type")[0]
    assert "grey" in raw
    assert "Telea" not in raw
    assert any(cell.startswith("mask (") for cell in strata_table(results.summary, "kind")[0])
    assert [row[0] for row in strata_table(results.summary, "coverage")] == ["method", "Telea", "grey", "truth"]
    results.write(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    rows = pd.read_csv(tmp_path / "out" / "images.csv")
    np.testing.assert_allclose(rows["psnr_hole"], frame["psnr_hole"], rtol=1e-5)
    held = json.loads((tmp_path / "out" / "eval.json").read_text())
    assert held["dataset"]["content_id"] == dataset.content_id
    assert held["summary"][2]["psnr_hole"] is None
    assert str(tmp_path) not in (tmp_path / "out" / "eval.json").read_text()


def test_a_model_gives_both_stages(dataset: TripletDataset, tmp_path: Path) -> None:
    model = load_model(write_weights(tmp_path / "a.safetensors"))
    frame = evaluate(model, dataset)
    assert frame["method"].drop_duplicates().tolist() == ["model, stage I", "model"]
    alone = ModelMethod(model, stages=False)
    pairs = [(one.occluded_HWC, one.mask_HW) for one in (dataset.pictures(index) for index in range(3))]
    together = ModelMethod(model).restore(pairs)
    for pair, (coarse, final) in zip(pairs, together, strict=True):
        (single,) = alone.restore([pair])[0]
        assert np.abs(single.astype(int) - final).max() <= 1  # sums run in another order for another batch
        assert not np.array_equal(coarse, final)


class Greedy(nn.Module):
    """Runs out of memory as torch does on a CPU, or fails otherwise."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words

    def forward(self, *inputs: torch.Tensor) -> None:
        raise RuntimeError(self.words)


def test_memory_that_runs_out_is_one_sentence(dataset: TripletDataset) -> None:
    greedy = Greedy("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    with pytest.raises(DeviceError, match="cpu has too little memory for 4 pictures of 32 px") as caught:
        evaluate(greedy, dataset, batch=4)
    assert "--batch" in caught.value.hint
    with pytest.raises(RuntimeError, match="shapes"):
        evaluate(Greedy("shapes do not fit"), dataset)


def test_models_know_their_size_and_their_data(dataset: TripletDataset, tmp_path: Path) -> None:
    same = write_weights(tmp_path / "run" / "weights" / "best.safetensors", content_id=dataset.content_id)
    other = write_weights(tmp_path / "other.safetensors", content_id="ab" * 32)
    models = Models.open([tmp_path / "run", other, same], device="cpu")
    assert models.size_px == 32
    assert [method.names[-1] for method in models.methods] == ["run", "other", "run best"]
    assert [note.split(" was")[0] for note in models.notes(dataset)] == ["other"]
    assert Models.open([]).size_px is None
    large = write_weights(tmp_path / "large.safetensors", size_px=64)
    with pytest.raises(FdError, match="different sizes: other of 32 px, large of 64 px"):
        Models.open([other, large], device="cpu")


def test_train_split_is_noted(triplets: Path) -> None:
    notes = Models.open([]).notes(TripletDataset(triplets, "train", size_px=32))
    assert "have seen these pictures" in notes[0]


def test_sheets(dataset: TripletDataset, frame: pd.DataFrame) -> None:
    worst, best = extremes(frame, "grey", 3)
    scores = frame[frame["method"] == "grey"].set_index("key")["psnr_hole"]
    assert scores[worst[0]] == scores.min()
    assert scores[best[0]] == scores.max()
    page = gallery([Inpainting("telea"), Painter()], dataset, worst, frame)
    line = line_px(text_px_for(128))
    assert page.shape == (line + 3 * (128 + line + 4) + 4, 4 * (128 + 4) + 4, 3)
    for column in range(4):  # a heading above each, dark on white
        heading = page[4 : 4 + line, 4 + 132 * column :][:, :128]
        assert heading.min() < 100
        assert (heading[0] == 255).all()
    plain = sheet([[np.zeros((200, 200, 3), np.uint8), np.full((200, 200), 255, np.uint8)]])
    assert plain.shape == (208, 412, 3)
    assert plain[100, 100].tolist() == [0, 0, 0]
    assert plain[100, 300].tolist() == [255, 255, 255]


def test_an_unknown_measure() -> None:
    with pytest.raises(FdError, match="no measure 'fsim'"):
        open_suite(256, ["fsim"])
    suite = open_suite(256, ["psnr"])
    assert suite == Suite()


def test_every_measure_has_its_columns(dataset: TripletDataset) -> None:
    suite = Suite(
        unpaired={"niqe": lambda picture: float(picture.mean())},
        paired={"lpips": lambda result, clean: float(np.abs(result.astype(int) - clean).mean())},
    )
    frame = evaluate([Painter(), Truth(dataset)], dataset, suite=suite)
    clean, occluded, mask = dataset.pictures(0)
    row = frame.iloc[0]
    grey, composited = np.full_like(clean, 128), pasted(np.full_like(clean, 128), occluded, mask)
    assert row["niqe_raw"] == 128
    assert row["niqe_composited"] == pytest.approx(composited.mean())
    assert row["lpips_raw"] == pytest.approx(np.abs(grey.astype(int) - clean).mean())
    assert row["lpips_composited"] == pytest.approx(np.abs(composited.astype(int) - clean).mean())
    assert (frame.loc[frame["method"] == "truth", "lpips_composited"] == 0).all()
    for view in ("composited", "raw"):
        assert {"NIQE ↓", "LPIPS ↓", "PSNR ↑"} <= set(main_table(summarise(frame), columns_of(view))[0])


def test_sets_are_compared_by_their_features(dataset: TripletDataset, frame: pd.DataFrame) -> None:
    """With other features than Inception's: three numbers of each picture."""
    methods = [Inpainting("telea"), Painter(), Truth(dataset)]
    assert compare_sets(methods, dataset, Suite()).empty

    def features(pictures: Sequence[Image]) -> np.ndarray:
        return np.array([picture.mean(axis=(0, 1)) for picture in pictures])

    suite = Suite(features=features, sets={"fid": frechet_distance})
    sets = compare_sets(methods, dataset, suite, batch=4)
    assert sets["method"].tolist() == ["Telea", "grey", "truth"]
    assert sets["fid"].iloc[2] == pytest.approx(0, abs=1e-6)
    assert sets["fid"].iloc[1] > sets["fid"].iloc[2]
    table = main_table(Results.of(frame, dataset, suite, sets=sets).summary, columns_of("composited"))
    assert table[0][-1] == "FID ↓"
    assert table[3][-1] == "0.00"


def test_sets_need_pictures_and_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    few, some = open_suite(64, ["fid", "kid"], n_pictures=50), open_suite(64, ["fid", "kid"], n_pictures=500)
    assert few.not_computed["kid"] == "KID of under 100 pictures is mostly noise (there are 50)"
    assert "FID of under 4,096 pictures is mostly bias (there are 500)" in some.not_computed["fid"]
    assert "pytorch_fid" in some.not_computed["kid"] or "torch's cache" in some.not_computed["kid"] or some.sets
    monkeypatch.setattr(Inception, "open", lambda: "network")
    assert list(open_suite(64, ["fid", "kid"], n_pictures=5000).sets) == ["fid", "kid"]


def test_copying_is_worst(dataset: TripletDataset) -> None:
    clean = np.mean([dataset.pictures(index).clean_HWC for index in range(len(dataset))], axis=0, dtype=np.float32)
    frame = evaluate([Copy(), MeanFace(clean)], dataset)
    means = frame.groupby("method")["psnr_hole"].mean()
    assert means["mean face"] > means["copy of the input"] + 5

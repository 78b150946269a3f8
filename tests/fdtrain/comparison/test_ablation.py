"""Ablations: rows that differ in what their names say, differences paired by picture and seed, honest verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fdgen.errors import FdError
from fdtrain.comparison.ablation import AXES, Ablation, Variant, open_axis, open_table, open_unseen
from fdtrain.comparison.ablation_tables import Findings, verdict_of
from fdtrain.comparison.plan import Ask, Task, config_of
from fdtrain.comparison.runner import Done
from fdtrain.comparison.statistics import Difference, paired
from fdtrain.comparison.tables import FILES
from fdtrain.config.schema import FitConfig
from fdtrain.errors import ConfigError, RunError
from fdtrain.training.run import read_record
from tests.fdtrain.comparison.test_comparison import ROOT, run
from tests.support.asks import ask_of

MICRO = (
    "network.widths=[8,8,16,16,16]",
    "network.dilations=[1,2]",
    "discriminator.width=4",
    "training.batch=4",
    "training.precision=fp32",
    "training.channels_last=false",
)


def configs(ablation: Ablation, ask: Ask) -> dict[str, FitConfig]:
    """Return what every row trains with."""
    return {task.name: config_of(ask, task, 1000) for task in ablation.tasks(1) if task.kind == "trained"}


def findings_of(ablation: Ablation, tasks: list[Task], done: Done, ask: Ask, out: Path) -> Findings:
    return Findings.over(ablation, tasks, done, ask, json.loads((out / "compare.json").read_text()))


# Rows.


@pytest.mark.parametrize(
    ("preset", "beta", "gamma"), [("faithful-64", 33.0, 1.0), ("modern-64", 5.0, 2.0), ("faithful", 33.0, 1.0)]
)
def test_table_3_adds_a_term_a_row_to_the_base_net_alone(preset: str, beta: float, gamma: float) -> None:
    ask = ask_of(Path("data"), size_px=256 if preset == "faithful" else 64, perceptual="vgg16-stlpips", overrides=())
    found = configs(open_table(3, preset, ask), ask)
    assert list(found) == ["L1", "L1 + SSIM", "L1 + SSIM + P"]
    terms = [(one.loss.ssim, one.loss.beta[0], one.loss.perceptual) for one in found.values()]
    assert terms == [(0, 0, "off"), (1, 0, "off"), (1, beta, "vgg16-stlpips")]
    for one in found.values():
        assert (one.training.stages, one.loss.l1, one.loss.gamma[0]) == ("base", 1, gamma)
        assert one.network == FitConfig.load(preset).network


def test_table_2_leaves_the_second_stage_out_and_nothing_else() -> None:
    ask = ask_of(Path("data"), size_px=64, overrides=())
    found = configs(open_table(2, "faithful", ask), ask)
    one, two = found["one stage"].flat(), found["two stages"].flat()
    assert {key for key in one if one[key] != two[key]} == {"training.stages"}
    assert open_table(2, "faithful", ask).preset == "faithful-64"


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("overrides", [(), ("training.stages=base",)])
@pytest.mark.parametrize(("preset", "size_px"), [("faithful-64", 64), ("modern-64", 64), ("faithful", 256)])
def test_an_axis_changes_one_thing_and_has_the_presets_own_choice(
    axis: str, preset: str, size_px: int, overrides: tuple[str, ...]
) -> None:
    ask = ask_of(Path("data"), size_px=size_px, overrides=overrides)
    ablation = open_axis(axis, preset, ask)
    found = configs(ablation, ask)
    own = config_of(ask, Task("own", "trained", preset, 0), 1000)
    assert found[ablation.against].digest() == own.digest()
    assert len({one.digest() for one in found.values()}) == len(found) >= 2
    keys = {"ttur": "lr_discriminator", "se": "se_ratio", "dilation": "dilations", "patch": "window"}
    for one in found.values():
        changed = {key.rpartition(".")[2] for key, value in one.flat().items() if own.flat()[key] != value}
        assert changed <= {keys.get(axis, axis)}


def test_without_dilation_as_many_parameters_are_left() -> None:
    from fdtrain.training.cost import size_of

    ask = ask_of(Path("data"), size_px=64, overrides=())
    sizes = {name: size_of(one) for name, one in configs(open_axis("dilation", "faithful-64", ask), ask).items()}
    assert sizes["dilated"] == sizes["not dilated"]


@pytest.mark.parametrize(
    ("opened", "overrides", "words"),
    [
        (lambda ask: open_table(2, "gca-64", ask), (), "gca-64 is not the paper's network"),
        (lambda ask: open_table(3, "tiny", ask), (), "needs a perceptual network"),
        (lambda ask: open_table(2, "tiny", ask), ("training.stages=base",), "is to train the Base-Net alone"),
        (lambda ask: open_table(2, "tiny", ask), ("training.stages=joint",), "the rows of this table differ in"),
        (lambda ask: open_axis("patch", "tiny", ask), ("discriminator.window=rf70",), "differ in discriminator.window"),
        (lambda ask: open_axis("colour", "tiny", ask), (), "there is no axis 'colour'"),
        (lambda ask: open_table(2, "nothing", ask), (), "there is no method 'nothing'"),
    ],
)
def test_what_cannot_be_ablated_is_refused(opened: Any, overrides: tuple[str, ...], words: str) -> None:
    with pytest.raises((FdError, ConfigError), match=words):
        opened(ask_of(Path("data"), size_px=64, perceptual=None, overrides=overrides))


# Differences and verdicts.


def test_seeds_are_paired() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 3, (3, 1)) + rng.normal(20, 5, (1, 60))  # a seed's luck that both rows have
    found = paired(shared + 0.5 + rng.normal(0, 0.1, (3, 60)), shared)
    assert 0.4 < found.low < 0.5 < found.high < 0.6
    same = paired(shared, shared)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert np.isnan(paired(shared[:, :1], shared[:, :1]).low)
    one_seed = paired(shared[:1] + 0.5, shared[1:2])
    assert np.isfinite(one_seed.value)
    assert not one_seed.tested
    assert paired(shared[:1] + 0.5, shared[1:2], trained=False).tested


@pytest.mark.parametrize(
    ("paper", "low", "high", "verdict"),
    [
        (1.0, 0.1, 0.3, "holds"),
        (-1.0, 0.1, 0.3, "reversed"),
        (1.0, -0.3, -0.1, "reversed"),
        (1.0, -0.1, 0.3, "not distinguished at 95 %"),
        (1.0, float("nan"), float("nan"), "not computed"),
    ],
)
def test_verdicts(paper: float, low: float, high: float, verdict: str) -> None:
    assert verdict_of(paper, Difference((low + high) / 2, low, high, 0.5, 9)) == verdict
    assert verdict_of(paper, None) == "not computed"


def test_one_seed_has_no_verdict() -> None:
    nan = float("nan")
    assert verdict_of(1.0, Difference(0.3, nan, nan, nan, 40)) == "one seed: no test"
    assert verdict_of(1.0, Difference(0.3, nan, nan, nan, 1)) == "not computed"


def written(out: Path, ablation: Ablation, values: Mapping[str, Mapping[str, float]], seeds: int) -> Done:
    """Write results of 40 pictures as if they had been measured: the means of `values`, and the same spread in all."""
    rng = np.random.default_rng(3)
    spread = {seed: rng.normal(0, 0.01, 40) for seed in range(seeds)}
    results = {}
    for task in ablation.tasks(seeds):
        if task.kind != "trained":
            continue
        folder = out / task.folder
        folder.mkdir(parents=True)
        noise = spread[task.seed or 0] + rng.normal(0, 1e-3, 40)
        frame = pd.DataFrame({"key": [f"{n:03d}" for n in range(40)], "kind": "hand", "held_out": False})
        for measure, mean in values[task.name].items():
            frame[f"{measure}_composited"] = mean + noise
        frame.to_csv(folder / "images.csv", index=False)
        facts = {"kind": "trained", "what": task.what, "overrides": list(task.overrides), "notes": [], "images": 8}
        facts |= {"cpu_s": 1.0, "cpu_s_a_picture": 0.1, "protocols": {}, "not_computed": {"niqe": "of the size"}}
        (folder / "result.json").write_text(json.dumps(facts))
        results[task] = folder
    asked = {"images": 8, "seconds": None, "size_px": 64, "content_id": "c" * 64, "test_sha256": "d" * 64}
    (out / "compare.json").write_text(json.dumps(asked))
    return Done(results, {}, stopped=False)


def test_each_ordering_of_the_paper_is_told_with_its_verdict(tmp_path: Path) -> None:
    ask = ask_of(Path("data"), size_px=64, perceptual="vgg16-stlpips", overrides=())
    ablation = open_table(3, "faithful-64", ask)
    ours = {"L1": {"psnr": 20.0, "ssim": 0.8}, "L1 + SSIM": {"psnr": 21.0, "ssim": 0.9}}
    done = written(tmp_path, ablation, {**ours, "L1 + SSIM + P": {"psnr": 20.0, "ssim": 0.7}}, 3)
    found = findings_of(ablation, ablation.tasks(3), done, ask, tmp_path)
    told = {(one.theirs, one.ours, one.measure): one.verdict for one in found.orderings}
    assert told["L1", "L1 + SSIM", "psnr"] == "reversed"  # 32.346 and 32.263 in the paper
    assert told["L1", "L1 + SSIM", "ssim"] == "holds"
    assert told["L1", "L1 + SSIM + P", "psnr"] == "not distinguished at 95 %"
    assert told["L1 + SSIM", "L1 + SSIM + P", "psnr"] == "holds"
    assert told["L1", "L1 + SSIM", "niqe"] == "not computed"
    assert len(told) == 15
    text = found.text()
    assert "The paper's orderings" in text
    assert "Of the paper's 15 orderings, 4 hold here: SSIM of L1 + SSIM and L1, " in text
    assert "1 are reversed: PSNR of L1 + SSIM and L1." in text
    assert json.loads(json.dumps(found.json(), allow_nan=False))["orderings"][0]["verdict"] == "holds"


def test_a_seed_that_one_row_lacks_is_left_out_of_both(tmp_path: Path) -> None:
    ask = ask_of(Path("data"), size_px=64, overrides=())
    ablation = Ablation("Two", "tiny", (Variant("one"), Variant("two", ("loss.ssim=0.0",))), "one")
    done = written(tmp_path, ablation, {"one": {"psnr": 20.0}, "two": {"psnr": 21.0}}, 3)
    lacking = Done(
        {task: path for task, path in done.results.items() if (task.name, task.seed) != ("two", 1)}, {}, False
    )
    found = findings_of(ablation, ablation.tasks(3), lacking, ask, tmp_path)
    one = found.tests["psnr_composited"]["two"]
    assert one.value == pytest.approx(1, abs=2e-3)
    assert one.high - one.low < 0.05  # the spread of the seeds' pictures, 0.01, is in both


# All of it.


@pytest.mark.slow
def test_table_2_is_trained_told_and_left_alone(triplets: Path, tmp_path: Path) -> None:
    ask = ask_of(triplets, overrides=MICRO, limit=4)
    ablation, out = open_table(2, "tiny", ask), tmp_path / "out"
    tasks = ablation.tasks(2)
    done, told = run(tasks, ask, out)
    assert told == [(task.name, None) for task in tasks]
    found = findings_of(ablation, tasks, done, ask, out)
    found.write(tmp_path / "tables")
    assert {path.name for path in (tmp_path / "tables").iterdir()} == set(FILES)
    text = (tmp_path / "tables" / "table.txt").read_text()
    for words in ("Table 2: one stage against two", "two stages minus one stage", "of the paper's 3 orderings", "Cost"):
        assert words.lower() in text.lower()
    assert str(ROOT) not in text
    assert str(tmp_path) not in text
    rows = {row.name: row for row in found.rows}
    assert (rows["one stage"].parameters or 0) < (rows["two stages"].parameters or 0) / 1.9
    record = read_record(out / tasks[0].folder / "run")
    assert record is not None
    assert record.config["training"]["stages"] == "base"

    done, told = run(tasks, ask, out)
    assert (told, len(done.results)) == ([], 4)
    other = [Task("one stage", "trained", "tiny", 0, ("loss.ssim=0.0",))]
    with pytest.raises(RunError, match=r"was trained with .*training.stages=base.*, not with \['loss.ssim=0.0'\]"):
        run(other, ask, out)


@pytest.mark.slow
def test_an_unseen_kind_is_not_trained_on_and_measured_apart(triplets: Path, tmp_path: Path) -> None:
    ask = ask_of(triplets, overrides=MICRO, limit=None, images=8)
    ablation, out = open_unseen("mask", "tiny", ask), tmp_path / "out"
    tasks = ablation.tasks(1)
    done, told = run(tasks, ask, out)
    assert [reason for _, reason in told] == [None, None, None]
    records = {task.name: read_record(out / task.folder / "run") for task in tasks if task.kind == "trained"}
    n_train = {name: record.n_train for name, record in records.items() if record is not None}
    assert 0 < n_train["without mask"] < n_train["with mask"]
    found = findings_of(ablation, tasks, done, ask, out)
    grid = found.strata["PSNR inside the mask ↑ by what is worn"]
    assert grid[0][-1] == "without mask minus with mask"
    counts = {line[0]: int(line[1]) for line in grid[1:]}
    frame = pd.read_csv(out / tasks[0].folder / "images.csv")
    assert counts["wearing mask"] == (frame["kind"] == "mask").sum()
    assert counts["wearing mask"] + counts["wearing no mask"] == len(frame)
    assert "One seed: no test of with mask, without mask" in found.text()
    assert "[" not in grid[1][-1]
    assert f"inside the mask ↑: what was never trained on changes it by {grid[1][-1]}." in found.text()
    with pytest.raises(FdError, match=r"no sample of the train split of .* is of kind 'hat'"):
        open_unseen("hat", "tiny", ask)

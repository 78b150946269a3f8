"""The report: its numbers are those of the folders, it needs nothing but itself, and what is wrong is one sentence."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fdgen.errors import FdError
from fdtrain.comparison.ablation import record
from fdtrain.comparison.markup import markdown_table
from fdtrain.comparison.plan import Task
from fdtrain.data.silhouettes import SilhouetteDataset
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import RunError
from fdtrain.evaluation.evaluator import evaluate
from fdtrain.evaluation.mask_results import MaskResults
from fdtrain.evaluation.masks import MaskScores, evaluate_masks, open_measured
from fdtrain.evaluation.references import open_references
from fdtrain.evaluation.results import Results
from fdtrain.inference.blend import Blended
from fdtrain.inference.finish import Finished
from fdtrain.inference.maskers import open_masker
from fdtrain.inference.models import Models
from fdtrain.inference.predicted_mask import ByPredictedMask
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.metrics.suite import Suite, open_suite
from fdtrain.report.charts import NAME_PX, Interval, Line, interval_chart, line_chart
from fdtrain.report.examples import case_grid, cases_of
from fdtrain.report.gallery import data_uri, farthest, restored
from fdtrain.report.pages import build_page, grids_of, latex, markdown
from fdtrain.report.records import read_ablation
from fdtrain.report.sources import Source, read_sources
from fdtrain.training.checkpoint import load_model
from tests.support.asks import ask_of
from tests.support.reported import ODD_NAME, begin
from tests.support.sets import smooth_face, write_set
from tests.support.weights import write_mask_weights, write_weights

Folders = dict[str, Path]

VOID = {"meta", "img", "br", "input", "line", "circle", "polyline"}


@pytest.fixture(scope="module")
def sources(reported: Folders) -> list[Source]:
    return read_sources(list(reported.values()))


@pytest.fixture(scope="module")
def page(sources: list[Source], triplets: Path) -> str:
    """Return the page of all three, with pictures."""
    return build_page(sources, data=triplets, n_pictures=2)


class Page(HTMLParser):
    """Reads a page strictly: every element that is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


# What it says.


def test_every_row_of_every_table_is_on_the_page(page: str, sources: list[Source]) -> None:
    words = " ".join(" ".join(Page(page).text).split()).replace("−", "-")
    for title, grid in grids_of(sources):
        assert " ".join(title.split(": ", 1)[-1].split()) in words
        for line in grid[1:]:
            assert " ".join(" ".join(line).split()) in words, line


def test_means_by_kind_are_those_of_the_pictures(reported: Folders, sources: list[Source]) -> None:
    measured = sources[1].measured
    assert measured is not None
    grid = measured.strata["PSNR inside the mask ↑, by kind of occluder (pictures)"]
    frame = pd.read_csv(reported["comparison"] / "rows" / "telea" / "once" / "images.csv")
    line = next(line for line in grid if line[0] == "telea")
    for head, cell in zip(grid[0][1:], line[1:], strict=True):
        own = frame[frame["kind"] == head.split()[0]]["psnr_hole"]
        assert head.endswith(f"({len(own)})")
        assert cell.split()[0] == f"{own.mean():.2f}"


def test_the_worst_and_the_best_are_those_of_the_numbers(reported: Folders, sources: list[Source]) -> None:
    measured = sources[1].measured
    assert measured is not None
    folder = reported["comparison"] / "rows" / str(measured.focus)
    frame = pd.read_csv(next(folder.glob("*/images.csv"))).sort_values("psnr_hole")
    keys = frame["key"].tolist()
    assert len(keys) == 9
    found = cases_of(measured, 2)
    assert {title: [case.key for case in cases] for title, cases in found.items()} == {
        "Worst": keys[:2],
        "Median": keys[3:5],
        "Best": [keys[8], keys[7]],
    }
    numbers = {line[0]: line[4] for line in case_grid(measured, found)[1:]}
    assert numbers[keys[0]] == f"{frame['psnr_hole'].min():.2f}"
    every = [case.key for cases in cases_of(measured, 50).values() for case in cases]
    assert len(every) == len(set(every)) == 9


def test_pictures_lead_and_typical_ones_come_first(page: str, sources: list[Source]) -> None:
    for number, source in enumerate(sources, 1):
        if source.measured is None:
            continue
        section = page.partition(f'<section id="source-{number}">')[2].partition("</section>")[0]
        assert re.findall(r"<h4>(\w+)</h4>", section) == ["Median", "Worst", "Best"]
        assert 0 < section.index('<div class="gallery"') < section.index("<table")


def test_headings_of_an_evaluation_are_plain(triplets: Path, tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "mine.safetensors", size_px=32)
    dataset = TripletDataset(triplets, "test", size_px=32, limit=4)
    model = ModelMethod(load_model(weights), name="mine")
    by_mask = ByPredictedMask(model, open_masker(write_mask_weights(tmp_path / "mask.safetensors"), "cpu"))
    suite = open_suite(32, ())
    Results.of(evaluate([model, by_mask], dataset, suite=suite), dataset, suite, ()).write(tmp_path / "evaluation")
    [source] = read_sources([tmp_path / "evaluation"])
    titles = [title for title, _ in grids_of([source])]
    assert [title.partition(":")[0] for title in titles[:3]] == ["Inside the mask", "Composited", "Raw output"]
    text = build_page([source], data=triplets, weights={"mine": weights}, n_pictures=1)
    assert "<span>Inside the mask<span" in text
    # Pictures are ranked by what they show: the model with the masks that are given.
    assert source.measured is not None
    assert source.measured.focus == "mine"
    assert "Ranked by the PSNR inside the mask of <b>mine</b>" in text
    assert "Pictures are those by the masks that are given, not by predicted ones." in text
    assert "name the weights" not in text


def test_rows_that_are_not_there_are_marked(page: str) -> None:
    assert "<li><b>tiny seed 1</b>: not finished</li>" in page
    assert "<li><b>gca</b>: failed, MemoryError: too &lt;little&gt;</li>" in page


def test_an_ablation_has_its_title_and_its_unfinished_row(page: str, sources: list[Source]) -> None:
    assert sources[2].kind == "ablation"
    assert "<h2>Table 2: one stage against two" in page
    assert sources[2].measured is not None
    assert sources[2].measured.focus == "one stage"


def test_a_run_tells_its_terms_its_data_and_that_energy_was_not_measured(reported: Folders, triplets: Path) -> None:
    text = build_page(read_sources([reported["run"]]))
    record = json.loads((reported["run"] / "run.json").read_text())
    for words in (
        record["content_id"],
        "Stage I: L1",
        "Stage II: total",
        "PSNR inside the mask, dB",
        "not measured",
    ):
        assert words in text
    assert "made without pictures" in text
    assert "data:image" not in text
    manifest = json.loads((triplets / "dataset.json").read_text())
    assert manifest["spec_id"] in build_page(read_sources([reported["run"]]), data=triplets, n_pictures=1)


def test_time_is_what_the_log_says(reported: Folders) -> None:
    (source,) = read_sources([reported["run"]])
    training = source.trainings[0]
    rates = [line for line in training.lines if "images_per_s" in line]
    assert [line["images"] for line in rates] == [16, 32, 48, 64]
    assert training.training_s == pytest.approx(sum(16 / line["images_per_s"] for line in rates))


def test_markdown_and_latex_hold_every_table(sources: list[Source]) -> None:
    told, tex = markdown(sources), latex(sources)
    for title, grid in grids_of(sources):
        assert f"**{title}**\n\n{markdown_table(grid)}" in told
        assert f"% {title}\n\\begin{{tabular}}" in tex


# What it is.


def test_the_same_folders_give_the_same_bytes(page: str, reported: Folders, triplets: Path) -> None:
    assert build_page(read_sources(list(reported.values())), data=triplets, n_pictures=2) == page


def test_it_needs_nothing_but_itself(page: str) -> None:
    assert not re.search(r"(?:https?:)?//[\w.-]+\.\w|@import|<link|<iframe|<object|fetch\(|XMLHttpRequest|url\(", page)
    for attribute in re.findall(r'\b(?:src|href|srcset|action|poster)="([^"]*)"', page):
        assert attribute.startswith(("#", "data:image/webp;base64,"))
    assert "default-src 'none'" in page


def test_no_place_of_this_machine_is_told(page: str, reported: Folders, triplets: Path) -> None:
    for path in (*reported.values(), triplets):
        assert str(path.parent) not in page


def test_it_is_well_formed_and_labelled(page: str) -> None:
    read = Page(page)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {attributes["href"] for attributes in read.all("a")} <= {f"#{name}" for name in ids}
    assert read.all("th")
    assert all(attributes.get("scope") in ("col", "row") for attributes in read.all("th"))
    assert len(read.all("caption")) == len(read.all("table"))
    assert read.all("img")
    assert all(attributes.get("alt") for attributes in read.all("img"))
    charts = [attributes for attributes in read.all("svg") if attributes.get("role") == "img"]
    assert charts
    assert all(attributes.get("aria-label") for attributes in charts)
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_names_are_text_and_never_markup(page: str, sources: list[Source]) -> None:
    assert ODD_NAME not in page
    assert ODD_NAME in "".join(Page(page).text)
    text = build_page(sources, title="<script>alert(1)</script>")
    assert "<script>alert" not in text


def test_every_picture_stands_in_it_once(page: str) -> None:
    uris = re.findall(r'src="(data:image/[^"]+)"', page)
    assert len(uris) == len(re.findall("data:image/webp", page))
    assert len(uris) > 20


def test_small_pictures_are_kept_exactly() -> None:
    import base64
    import io

    import PIL.Image

    picture = smooth_face(3, 64)
    data = base64.b64decode(data_uri(picture).partition(",")[2])
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(data))), picture)
    assert len(data_uri(smooth_face(3, 256))) < 40_000


def test_thousands_of_pictures_are_a_small_page(tmp_path: Path, reported: Folders) -> None:
    folder = tmp_path / "big"
    shutil.copytree(reported["comparison"], folder)
    rng = np.random.default_rng(0)
    for name in ("copy", "telea", ODD_NAME):
        shutil.rmtree(folder / "rows" / name) if name != "telea" else None
    for path in folder.glob("rows/*/*/images.csv"):
        one = pd.read_csv(path)
        big = pd.concat([one] * 600, ignore_index=True)
        big["key"] = [f"f{place:016x}-0" for place in range(len(big))]
        big["psnr_hole"] += rng.normal(size=len(big))
        big.drop(columns=[name for name in big if name.startswith("ssim")]).to_csv(path, index=False)
    (source,) = read_sources([folder])
    assert source.measured is not None
    assert len(source.measured.pictures) == 5400
    assert len(build_page([source])) < 1_000_000


def channel(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2.1 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((channel(one), channel(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "printed"])
def test_text_and_lines_stand_out_from_the_paper(scheme: int) -> None:
    style = resources.files("fdtrain.report").joinpath("page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme]
    colours = {
        name: f"#{value[1] * 2}{value[2] * 2}{value[3] * 2}" if len(value) == 4 else value
        for name, value in re.findall(r"--(\w+): (#[0-9a-f]{3,6})", block)
    }
    for name in ("ink", "soft", "accent", "warn"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
    for number in range(8):
        assert contrast(colours[f"c{number}"], colours["paper"]) >= 3, number


# Charts.


def test_a_line_breaks_where_there_is_no_number() -> None:
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, math.nan), (3.0, 2.0), (4.0, 1.0), (5.0, math.nan), (6.0, 3.0)]
    svg = line_chart("loss", [Line("a<b", 0, points)], x_title="images")
    assert svg.count("<polyline") == 2
    assert svg.count("<circle") == 1
    assert "a&lt;b: 1 to 3" in svg
    assert "nan" not in svg


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [0.0, 0.0], [1e-9, 1e9], [-3.0, 1e12], [math.nan, math.nan]])
def test_charts_of_odd_values_stay_inside(values: list[float]) -> None:
    svg = line_chart("loss", [Line("a", 1, list(enumerate(values)))], x_title="images")
    for text in re.findall(r'points="([^"]+)"', svg):
        for pair in text.split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 372
            assert 0 <= y <= 216
    assert "nan" not in svg
    assert "inf" not in svg


def test_names_of_rows_fit_into_their_chart() -> None:
    names = ["eigenfaces", "demo-run, stage I, mirror+membrane", "a" * 30 + "b" * 30]
    svg = interval_chart("difference", [Interval(name, 1.0, 0.5, 2.0) for name in names], x_title="dB")
    rows = re.findall(r'<text class="row" text-anchor="end" x="([0-9.]+)" y="[0-9.]+">([^<]*)</text>', svg)
    assert [name for _, name in rows[:2]] == names[:2]
    assert re.fullmatch("a+…b+", rows[2][1])
    assert all(len(name) * NAME_PX <= float(right) for right, name in rows)


def test_intervals_are_drawn_in_their_order() -> None:
    svg = interval_chart("difference", [Interval("a", 1.0, 0.5, 2.0), Interval("b", math.nan, 0.0, 0.0)], x_title="dB")
    low, high = map(float, re.findall(r'class="whisker" x1="([\d.]+)" x2="([\d.]+)"', svg)[0])
    dot, zero = float(re.findall(r'cx="([\d.]+)"', svg)[0]), float(re.findall(r'class="zero" x1="([\d.]+)"', svg)[0])
    assert zero < low < dot < high
    assert svg.count("<circle") == 1


def test_a_row_of_one_seed_keeps_its_dot_and_has_no_whisker() -> None:
    none = (math.nan, math.nan)
    rows = [Interval("a", 1.0, 0.5, 2.0), Interval("b", 3.0, *none), Interval("c", -2.0, *none)]
    svg = interval_chart("difference", rows, x_title="dB")
    assert (svg.count("<circle"), svg.count('class="whisker"'), svg.count(">no test</text>")) == (3, 1, 2)
    assert "b +3, no test; c -2, no test" in svg
    zero = float(re.findall(r'class="zero" x1="([\d.]+)"', svg)[0])
    places = [float(x) for x in re.findall(r'cx="([\d.]+)"', svg)]
    assert places[2] < zero < places[0] < places[1]


def test_finished_networks_of_an_evaluation_have_pictures(triplets: Path, tmp_path: Path) -> None:
    """The weights are named once, and are those of every finish and blend; stage I has its own before the finish."""
    weights = write_weights(tmp_path / "mine.safetensors", size_px=32)
    dataset = TripletDataset(triplets, "test", size_px=32, limit=4)
    plain = ModelMethod(load_model(weights), name="mine", stages=True)
    methods = [plain, Finished(Blended(plain, [0.5]), "membrane")]
    suite = open_suite(32, ())
    frame = evaluate(methods, dataset, suite=suite)
    Results.of(frame, dataset, suite, ()).write(tmp_path / "evaluation")
    source = read_sources([tmp_path / "evaluation"])[0]
    assert source.measured is not None
    groups = cases_of(source.measured, 1)
    shown = restored(source, groups, triplets, weights={"mine": weights})
    names = [
        "mine, stage I", "mine", "mine, stage I, membrane", "mine, blend 0.5, membrane", "mine, membrane",
    ]  # fmt: skip
    assert [given.name for given in source.measured.given] == names
    for exhibit in (one for group in shown.groups.values() for one in group):
        assert [one.name for one in exhibit.results] == names
    assert farthest(shown.groups, source.measured) < 1e-3
    assert not any("no pictures" in note for note in shown.notes)
    nothing = restored(source, groups, triplets, weights={})
    assert "no pictures by mine, mine, blend 0.5, membrane, mine, membrane: name" in nothing.notes[0]


def test_an_evaluation_tests_what_trains_nothing_and_no_weights(triplets: Path, tmp_path: Path) -> None:
    """Weights are one seed of their training: another one may differ otherwise."""
    weights = write_weights(tmp_path / "mine.safetensors", size_px=32)
    dataset = TripletDataset(triplets, "test", size_px=32, limit=6)
    train = TripletDataset(triplets, "train", size_px=32)
    faces = open_references(["mean-face", "telea"], lambda: train)
    methods = [ModelMethod(load_model(weights), name="mine"), *faces]
    suite = open_suite(32, ())
    Results.of(evaluate(methods, dataset, suite=suite), dataset, suite, ()).write(tmp_path / "evaluation")
    [source] = read_sources([tmp_path / "evaluation"])
    assert source.measured is not None
    tests = source.measured.tests["psnr_hole"]
    assert {name: one.tested for name, one in tests.items()} == {
        "mine, stage I": False,
        "mine": False,
        "mean face": True,
    }
    text = build_page([source])
    assert text.count("one seed: no test") >= 1
    [grid] = [grid for title, grid in grids_of([source]) if title.startswith("Against Telea")]
    cells = {row[0]: row[grid[0].index("p")] for row in grid[1:]}
    assert cells["mine"] == "one seed: no test"
    assert re.fullmatch(r"<?[01]\.\d{3}", cells["mean face"])


def test_mirrored_references_have_pictures_as_they_were_measured(triplets: Path, tmp_path: Path) -> None:
    dataset = TripletDataset(triplets, "test", size_px=32, limit=4)
    faces = open_references(["eigenfaces"], lambda: TripletDataset(triplets, "train", size_px=32))
    methods = [*faces, Finished(faces[0], "mirror")]
    suite = open_suite(32, ())
    frame = evaluate(methods, dataset, suite=suite)
    Results.of(frame, dataset, suite, ()).write(tmp_path / "evaluation")
    ask = ask_of(triplets, size_px=32, limit=4, finish="mirror")
    begin([Task("faces", "reference", "eigenfaces")], ask, tmp_path / "comparison")
    for folder, names in (("evaluation", [one.names[0] for one in methods]), ("comparison", ["faces"])):
        source = read_sources([tmp_path / folder])[0]
        assert source.measured is not None
        shown = restored(source, cases_of(source.measured, 1), triplets, weights={})
        for exhibit in (one for group in shown.groups.values() for one in group):
            assert [one.name for one in exhibit.results] == names
        assert farthest(shown.groups, source.measured) < 1e-3
        assert not any("no pictures" in note for note in shown.notes)


# What is refused.


def damage_ask(folder: Path) -> None:
    (folder / "compare.json").write_text("{")


def damage_result(folder: Path) -> None:
    path = folder / "rows" / "tiny" / "seed-0" / "result.json"
    path.write_text(json.dumps({"kind": "trained", "what": "tiny"}))


def odd_finish(folder: Path) -> None:
    path = folder / "rows" / "telea" / "once" / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "finish": ["mirror"]}))


def damage_images(folder: Path) -> None:
    (folder / "rows" / "telea" / "once" / "images.csv").write_text('method,key\n"telea')


def empty_images(folder: Path) -> None:
    (folder / "rows" / "telea" / "once" / "images.csv").write_text("")


def words_for_numbers(folder: Path) -> None:
    path = folder / "rows" / "telea" / "once" / "images.csv"
    frame = pd.read_csv(path).astype(object)
    frame.loc[0, "psnr_hole"] = "high"
    frame.to_csv(path, index=False)


def fewer_pictures(folder: Path) -> None:
    path = folder / "rows" / "telea" / "once" / "images.csv"
    pd.read_csv(path).iloc[1:].to_csv(path, index=False)


def damage_log(folder: Path) -> None:
    with (folder / "rows" / "tiny" / "seed-0" / "run" / "stats.jsonl").open("a") as file:
        file.write('{"images": }\n')


def odd_log(folder: Path) -> None:
    with (folder / "rows" / "tiny" / "seed-0" / "run" / "stats.jsonl").open("a") as file:
        file.write('{"images": 9, "stage1/l1": "low"}\n')


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damage_ask, r"compare\.json cannot be read"),
        (damage_result, r"result\.json is damaged: notes is missing"),
        (odd_finish, r"result\.json is damaged: its finish is none that is known"),
        (damage_images, r"images\.csv cannot be read"),
        (empty_images, r"images\.csv cannot be read"),
        (words_for_numbers, "psnr_hole holds what is no number"),
        (fewer_pictures, "is of other pictures than the other rows"),
        (damage_log, r"stats\.jsonl cannot be read: line \d+"),
        (odd_log, "a line is not images and numbers"),
    ],
)
def test_what_is_damaged_is_named(harm: Callable[[Path], None], words: str, reported: Folders, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(reported["comparison"], folder, ignore=shutil.ignore_patterns("checkpoints", "samples"))
    harm(folder)
    with pytest.raises(RunError, match=words) as caught:
        read_sources([folder])
    assert "\n" not in caught.value.message


def test_other_folders_are_refused(tmp_path: Path, reported: Folders, triplets: Path) -> None:
    with pytest.raises(RunError, match="there is no such folder"):
        read_sources([tmp_path / "nothing"])
    with pytest.raises(RunError, match="is neither a run nor an evaluation nor a comparison"):
        read_sources([triplets])
    with pytest.raises(RunError, match="is named twice"):
        read_sources([reported["run"], reported["run"]])


def test_another_dataset_is_refused(tmp_path: Path, sources: list[Source]) -> None:
    other = write_set(tmp_path / "other", 24)
    with pytest.raises(RunError, match=r"run is of dataset \w{16}, and .* is \w{16}"):
        build_page(sources, data=other)


def test_weights_that_were_not_measured_are_refused(tmp_path: Path, reported: Folders, triplets: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(reported["comparison"], folder)
    run = folder / "rows" / "tiny" / "seed-0" / "run" / "weights"
    for path in run.glob("*.safetensors"):
        shutil.copy(reported["run"] / "weights" / "last.safetensors", path)
    with pytest.raises(FdError, match="is not what tiny was measured with"):
        build_page(read_sources([folder]), data=triplets, n_pictures=1)


def test_without_a_row_a_comparison_is_refused_and_without_a_result_not(reported: Folders, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(reported["comparison"], folder, ignore=shutil.ignore_patterns("result.json", "error.txt"))
    text = build_page(read_sources([folder]))
    assert "<b>telea seed None</b>" not in text
    assert "<li><b>telea</b>: not finished</li>" in text
    shutil.rmtree(folder / "rows")
    with pytest.raises(RunError, match="has no row yet"):
        read_sources([folder])


def test_what_an_ablation_changes_is_read_back_and_its_damage_named(reported: Folders, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(reported["ablation"], folder, ignore=shutil.ignore_patterns("run"))
    ablation = read_ablation(folder)
    assert ablation is not None
    record(ablation, folder)
    with pytest.raises(RunError, match="is of another ablation"):
        record(dataclasses.replace(ablation, title="Table 4"), folder)
    held = json.loads((folder / "ablation.json").read_text())
    (folder / "ablation.json").write_text(json.dumps({**held, "variants": [{"name": "one stage"}]}))
    with pytest.raises(RunError, match=r"ablation\.json is damaged: 'overrides'"):
        read_sources([folder])


@pytest.fixture
def masks_measured(triplets: Path, tmp_path: Path) -> tuple[Path, dict[str, Path], MaskScores]:
    """Evaluate two mask networks that have learnt nothing: the folder, their weights by name, their scores."""
    names = ("a", "b")
    files = {name: write_mask_weights(tmp_path / f"{name}.safetensors", seed=ord(name)) for name in names}
    dataset = SilhouetteDataset(triplets, "test", size_px=32)
    networks = open_measured(list(files.values()), device="cpu")
    scores = evaluate_masks(networks, dataset)
    MaskResults.of(scores, networks, dataset).write(tmp_path / "masks")
    return tmp_path / "masks", files, scores


def test_an_evaluation_of_what_finds_occluders(
    masks_measured: tuple[Path, dict[str, Path], MaskScores], triplets: Path
) -> None:
    folder, files, scores = masks_measured
    [source] = read_sources([folder])
    assert source.measured is not None
    grids = dict(grids_of([source]))
    for name, part in scores.frame.groupby("method"):
        [row] = [row for row in grids["Silhouettes"] if row[0] == name]
        assert row[1].startswith(f"{part['iou'].mean():.3f} ±")
        hands = part[part["kind"] == "hand"]
        [head, *rows] = grids["IoU ↑, by kind of occluder (pictures)"]
        [row] = [row for row in rows if row[0] == name]
        assert row[head.index(f"hand ({len(hands)})")].startswith(f"{hands['iou'].mean():.3f}")
    for name, calibration in scores.calibration.items():
        weights = [n for n in calibration.n if n]
        gaps = [abs(predicted - true) for predicted, true in source.measured.calibration[name]]
        assert np.average(gaps, weights=weights) == pytest.approx(calibration.error)

    text = build_page([source], data=triplets, weights=files, n_pictures=1)
    Page(text)
    assert "Ranked by the IoU of <b>b</b>" in text
    assert "True share of occluder" in text
    ious = scores.frame[scores.frame["method"] == "b"]["iou"]
    shown = re.findall(r'data-name="b">.*?class="score">IoU ([\d.]+)', text)
    assert [min(shown), shown[-1]] == [f"{ious.min():.2f}", f"{ious.max():.2f}"]  # the best come last
    alone = build_page([source], data=triplets, weights={"a": files["a"]}, n_pictures=1)
    assert "No pictures by b: name the weights" in alone
    assert set(re.findall(r'data-name="([^"]+)"', alone)) == {"a", "silhouette"}


def test_a_mask_network_of_another_size_is_refused(
    masks_measured: tuple[Path, dict[str, Path], MaskScores], triplets: Path, tmp_path: Path
) -> None:
    other = write_mask_weights(tmp_path / "other.safetensors", size_px=48)
    with pytest.raises(RunError, match="is of 48 px, b was measured at 32"):
        build_page(read_sources([masks_measured[0]]), data=triplets, weights={"b": other})


def test_a_run_that_has_only_begun_is_a_page(reported: Folders, tmp_path: Path) -> None:
    folder = tmp_path / "begun"
    folder.mkdir()
    shutil.copy(reported["run"] / "run.json", folder)
    text = build_page(read_sources([folder]))
    assert "0 of 64 images" in text
    assert "<svg" not in text


def test_an_evaluation_has_the_pictures_of_the_run_beside_it(reported: Folders, triplets: Path, tmp_path: Path) -> None:
    dataset = TripletDataset(triplets, "test", size_px=32, limit=6)
    frame = evaluate(Models.open([reported["run"]], device="cpu").methods, dataset, suite=Suite())
    Results.of(frame, dataset, Suite()).write(tmp_path)
    text = build_page(read_sources([reported["run"], tmp_path]), data=triplets, n_pictures=1)
    assert text.count('<div class="gallery"') == 1
    assert set(re.findall(r'data-name="([^"]+)"', text)) == {"run, stage I", "run", "clean"}
    shown = dict(re.findall(r'data-name="(run)".*?class="score">([\d.]+) dB', text, re.DOTALL))
    best_db = frame[frame["method"] == "run"]["psnr_hole"].max()  # the best comes last
    assert shown["run"] == f"{best_db:.1f}"

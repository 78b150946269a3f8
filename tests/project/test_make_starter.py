"""The command that makes the starter weights: which photographs it takes, and that it makes the same weights again."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from docs import make_starter
from docs.starter import turned
from docs.starter.photographs import TABLE, collections_of, gather
from docs.starter.plans import NAMES, PLANS
from fdgen.errors import FdError
from fdgen.faces.folders import SAMPLES
from fdtrain.config.schema import FitConfig
from fdtrain.data.pictures import decode_rgb
from fdtrain.training.checkpoint import read_facts
from tests.support.paths import ROOT

ORIGIN = "the sample faces"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sample faces as a collection, `photographs.csv` and `collections.json` in it."""
    root = tmp_path_factory.mktemp("photographs")
    (root / "samples").mkdir()
    lines = ["path,sha256,licence,origin"]
    for path in sorted(SAMPLES.glob("*.jpg")):
        shutil.copyfile(path, root / "samples" / path.name)
        lines.append(f"samples/{path.name},{hashlib.sha256(path.read_bytes()).hexdigest()},public domain,{ORIGIN}")
    (root / "photographs.csv").write_text("\n".join(lines) + "\n")
    facts = {"people": "four", "years": "1984", "colour": True, "picture": "356x436 px", "licence": "public domain",
             "licence_url": "https://example.org", "attribution": "Nobody Known", "gathered_by": "fdgen"}  # fmt: skip
    (root / "collections.json").write_text(json.dumps({"samples": facts}))
    return root


def test_the_table_has_all_that_is_needed_to_gather_the_photographs() -> None:
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["sha256"] for row in rows}) == len({row["path"] for row in rows}) == 1383
    assert all(len(row["sha256"]) == 64 and row["origin"].endswith(row["path"].split("/")[1]) for row in rows)
    collections = {one.name: one for one in collections_of([row["path"] for row in rows])}
    assert {name: one.n for name, one in collections.items()} == {"uk-parliament": 570, "us-congress": 813}
    for row in rows:
        facts = collections[row["path"].split("/")[0]].facts
        assert facts["licence"].startswith(row["licence"])
        assert row["origin"].startswith(f"{facts['gathered_by']}/{facts['folder']}/")
        assert facts["attribution"]


def test_only_what_the_table_lists_is_taken(faces: Path, tmp_path: Path) -> None:
    table = faces / "photographs.csv"
    shutil.copytree(faces, tmp_path / "mine")
    (tmp_path / "mine" / "samples" / "another.jpg").write_bytes(b"somebody's")
    gather(tmp_path / "mine", tmp_path / "out", table)
    assert sorted(path.name for path in (tmp_path / "out" / "samples").iterdir()) == sorted(
        path.name for path in SAMPLES.glob("*.jpg")
    )
    assert "samples/joe_biden.jpg,samples/joe_biden\n" in (tmp_path / "out" / "identities.csv").read_text()
    biden = tmp_path / "mine" / "samples" / "joe_biden.jpg"
    biden.write_bytes(biden.read_bytes() + b"\0")
    with pytest.raises(FdError, match=r"joe_biden\.jpg is another file than") as caught:
        gather(tmp_path / "mine", tmp_path / "out", table)
    assert ORIGIN in (caught.value.hint or "")
    biden.unlink()
    with pytest.raises(FdError, match=r"there is no photograph .*joe_biden\.jpg"):
        gather(tmp_path / "mine", tmp_path / "out", table)


def test_a_copy_that_was_cut_short_is_made_again(faces: Path, tmp_path: Path) -> None:
    gather(faces, tmp_path / "out", faces / "photographs.csv")
    copy = tmp_path / "out" / "samples" / "joe_biden.jpg"
    whole = copy.read_bytes()
    copy.write_bytes(whole[:1000])
    gather(faces, tmp_path / "out", faces / "photographs.csv")
    assert copy.read_bytes() == whole


def test_copies_are_turned_as_far_as_asked_and_show_the_same_person(faces: Path, tmp_path: Path) -> None:
    gather(faces, tmp_path / "out", faces / "photographs.csv")
    before = (tmp_path / "out" / "identities.csv").read_text()
    assert turned.add_turned(tmp_path / "out") == 8
    after = (tmp_path / "out" / "identities.csv").read_text()
    assert after.startswith(before)
    assert "samples-turned/joe_biden-a.png,samples/joe_biden\n" in after
    for path in SAMPLES.glob("*.jpg"):
        picture_HWC = decode_rgb(path.read_bytes(), path.name)
        looks_deg = turned.yaw_of(turned._points(picture_HWC, path.name))
        for letter, (low, high) in zip("ab", turned.SIDES, strict=True):
            copy = tmp_path / "out" / "samples-turned" / f"{path.stem}-{letter}.png"
            copy_HWC = decode_rgb(copy.read_bytes(), copy.name)
            assert copy_HWC.shape == picture_HWC.shape
            asked = (max(low, looks_deg - turned.MOST_TURN), min(high, looks_deg + turned.MOST_TURN))
            assert asked[0] - 6 < turned.yaw_of(turned._points(copy_HWC, copy.name)) < asked[1] + 6
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    gather(faces, tmp_path / "out", faces / "photographs.csv")
    assert turned.add_turned(tmp_path / "out") == 8
    assert (tmp_path / "out" / "identities.csv").read_text() == after
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")} == made


def test_a_face_that_is_not_turned_stays_as_it_is() -> None:
    path = SAMPLES / "joe_biden.jpg"
    picture_HWC = decode_rgb(path.read_bytes(), path.name)
    points_K3 = turned._points(picture_HWC, path.name)
    still_HWC = turned.turned(picture_HWC, points_K3, 0.0, 0.0)
    assert np.abs(still_HWC.astype(int) - picture_HWC).mean() < 1
    left, right = (
        turned.yaw_of(turned._points(turned.turned(picture_HWC, points_K3, by, 0.0), "")) for by in (-15, 15)
    )
    assert right - left == pytest.approx(30, abs=8)


def test_pages_and_the_card_run_it_as_it_is_run() -> None:
    named: list[str] = []
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("fdtrain/**/*.md")):
        named += re.findall(r"python docs/make_starter\.py([^`\n]*)", page.read_text(encoding="utf-8"))
    assert named
    for words in named:
        assert make_starter._arguments(shlex.split(words)).faces == "FOLDER"


@pytest.mark.parametrize("plan", PLANS)
def test_plans_are_settings_and_leave_nothing_to_the_machine(plan: str) -> None:
    for name in NAMES:
        words = [*PLANS[plan].networks[name], *itertools.chain(*PLANS[plan].then.get(name, ()))]
        preset, *changes = (word.format(precision="fp32", threads=2) for word in words)
        config = FitConfig.load(preset, overrides=changes)
        assert (config.training.precision, config.machine.threads, config.seed) == ("fp32", 2, 0)
        assert config.loss.perceptual != "auto"
        assert (config.mask is not None) == (name == "starter-mask")


def made(faces: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, ROOT / "docs" / "make_starter.py", "--faces", faces, "--out", out, "--plan", "small",
               "--table", faces / "photographs.csv", "--threads", "1", *words]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def finished(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder of a small run, and what it printed."""
    out = tmp_path_factory.mktemp("made") / "out"
    done = made(faces, out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def networks(out: Path) -> dict[str, bytes]:
    """Return the weights of a run, by name."""
    return {name: (out / "networks" / f"{name}.safetensors").read_bytes() for name in NAMES}


@pytest.mark.slow
@pytest.mark.sample
def test_one_command_makes_weights_and_their_card(finished: tuple[Path, str]) -> None:
    out, printed = finished
    assert "| people never trained on: PSNR in the inpainted region, dB | pictures | Telea |" in printed
    card = " ".join((out / "MODEL_CARD.md").read_text(encoding="utf-8").split())
    for name, data in networks(out).items():
        assert hashlib.sha256(data).hexdigest()[:16] in card
        facts = read_facts(out / "networks" / f"{name}.safetensors")
        assert facts["credits"] == "Nobody Known (public domain)"
        assert "toy" not in facts
        again = name in PLANS["small"].then
        assert (facts["config"]["network"]["face_colour"] is not None) == again
        assert facts["config"]["network"]["landmarks"] == again
        assert ("started_from" in facts) == again
        assert f"| {'64 + 32 + ' * again}{facts['images']} |" in card
        assert facts["content_id"][:12] in card
        told = json.loads((out / "networks" / f"{name}.onnx.json").read_bytes())
        assert told["most_difference"] < 1e-3
    assert "must not be used to identify" in card
    assert "Nobody Known" in card


@pytest.mark.slow
def test_it_makes_the_same_weights_again(faces: Path, finished: tuple[Path, str]) -> None:
    """One network anew; the rest is kept as it is, and so is the card but for the time."""
    out, printed = finished
    before, measured = networks(out), (out / "measured").stat().st_mtime_ns
    shutil.rmtree(out / "runs" / "starter-3")
    (out / "networks" / "starter.safetensors").unlink()
    again = made(faces, out)
    assert (again.returncode, again.stdout) == (0, printed), again.stderr
    assert networks(out) == before
    assert (out / "measured").stat().st_mtime_ns == measured


def test_what_is_missing_is_said_in_a_sentence(faces: Path, tmp_path: Path) -> None:
    done = made(tmp_path, tmp_path / "out", "--table", str(faces / "photographs.csv"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is no photograph ")

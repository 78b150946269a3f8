"""`fdgen browse` as a command."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from fdgen.contract.manifest import Manifest
from tests.support.fake_build import COUNT, FACES, run

COMMAND = (sys.executable, "-c", "from fdcli.fdgen.main import main; main()", "browse")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("browsed") / "set"
    run(out, FACES, count=COUNT)
    return out


def browse(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.skipif(os.name == "nt", reason="sends Ctrl-C")
def test_it_prints_its_address_and_serves_until_it_is_interrupted(dataset: Path) -> None:
    files = {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    command = [*COMMAND, str(dataset), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{16}/", address)
        with urllib.request.urlopen(f"{address}index.json", timeout=60) as answer:
            assert len(json.load(answer)["columns"]["key"]) == len(Manifest.load(dataset))
        process.send_signal(signal.SIGINT)
        rest, words = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    assert words.endswith("stopped\n")
    assert {path: path.read_bytes() for path in dataset.rglob("*") if path.is_file()} == files


def test_a_part_is_written_as_one_page(dataset: Path, tmp_path: Path) -> None:
    keys = list(Manifest.load(dataset))[2:5]
    marks = tmp_path / "marks.txt"
    marks.write_text("\n".join(keys), encoding="utf-8")
    done = browse(dataset, "--out", tmp_path / "page.html", "--samples", marks)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert json.loads(text.split('id="data">')[1].split("</script>")[0])["index"]["columns"]["key"] == keys


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "page.txt"], "must end in .html"),
        (["--kind", "mask"], "choose what --out writes"),
        (["{dataset}", "--out", "page.html"], "leave out DATASET2"),
        (["--out", "page.html", "--kind", "sofa"], "no sample of {dataset} wears 'sofa'"),
    ],
)
def test_what_cannot_be_is_said(dataset: Path, arguments: list[str], words: str) -> None:
    done = browse(dataset, *(one.format(dataset=dataset) for one in arguments))
    assert done.returncode in (1, 2)
    assert words.format(dataset=dataset) in done.stderr
    assert not Path("page.html").exists()


def test_a_key_of_no_sample_and_a_folder_that_is_no_dataset_are_named(dataset: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks.txt"
    marks.write_text("f0-0\n", encoding="utf-8")
    done = browse(dataset, "--out", tmp_path / "page.html", "--samples", marks)
    assert done.returncode == 1
    assert "has the key 'f0-0'" in done.stderr
    (tmp_path / "empty").mkdir()
    done = browse(tmp_path / "empty")
    assert done.returncode == 1
    assert "is not a dataset" in done.stderr

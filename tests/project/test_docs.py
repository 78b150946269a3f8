"""The README tells the truth: commands and code run, the tree is what is written, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.fdgen.main import program as fdgen_program
from cli.fdtrain.main import program as fdtrain_program
from fdgen.faces.folders import SAMPLES
from fdgen.occluders import OCCLUDERS
from fdgen.runtime.jit import compiled_folder
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(match[1], match[2]) for match in BLOCK.finditer(README)]
PICTURE = ROOT / "docs" / "preview.jpg"
MOST_BYTES = 300_000

INSTALLS = re.compile(r"python3 -m venv \.venv && \.venv/bin/pip install \S+( '[^']*')? && ")
SMALLER = {
    "--count 20000": "--count 12",
    "--workers 8": "--workers 2",
    "--count 64": "--count 24",
    "--preset tiny": "--preset tiny --set training.images=160",
    "--preset mask-96": "--preset mask-96 --set training.images=160",
}
"""What a test changes in a command before it runs it: how much, never what."""


PROGRAMS: dict[str, click.Group] = {"fdgen": fdgen_program, "fdtrain": fdtrain_program}


def commands(text: str) -> list[list[str]]:
    """Return the calls of our programs in the bash blocks of a document, as lists of words."""
    lines = [
        part.strip().removeprefix(".venv/bin/")
        for match in BLOCK.finditer(text)
        if match[1] == "bash"
        for line in match[2].splitlines()
        for part in line.split("&&")
    ]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(("fdgen ", "fdtrain "))]


@pytest.mark.parametrize("words", [*commands(README), *commands(CONTRIBUTING)], ids=" ".join)
def test_every_command_is_one_that_exists(words: list[str]) -> None:
    program = PROGRAMS[words[0]]
    command: click.Command | None = program
    context, rest = click.Context(program, info_name=words[0]), words[1:]
    while isinstance(command, click.Group):
        command = command.get_command(context, rest[0])
        assert command is not None, rest[0]
        rest = rest[1:]
    command.make_context(words[0], rest, parent=context)  # refuses unknown options and bad values


def test_the_table_of_commands_is_whole() -> None:
    table = README[README.index("| command |") :].split("\n\n")[0]
    for name, program in PROGRAMS.items():
        assert re.findall(rf"`{name} (\w+)`", table) == program.list_commands(click.Context(program))


def test_the_first_commands_are_one_line_each_that_installs() -> None:
    blocks = [text for language, text in BLOCKS if language == "bash"]
    assert INSTALLS.match(blocks[0])
    assert INSTALLS.match(blocks[1])
    assert blocks[0].count("\n") == blocks[1].count("\n") == 1


def test_what_it_points_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README + CONTRIBUTING):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
    for path in re.findall(r"`((?:cli|docs|fdgen|occlusion_assets|tests)/[\w./]*)`", README + CONTRIBUTING):
        assert "KIND" in path or (ROOT / path).exists(), path


def test_the_gallery_shows_every_kind_and_its_pictures_are_there() -> None:
    gallery = ROOT / "docs" / "gallery.md"
    targets = re.findall(r"\]\(([^)#]+)\)", gallery.read_text(encoding="utf-8"))
    assert [target for target in targets if not (gallery.parent / target).exists()] == []
    assert {f"gallery/{kind}.jpg" for kind in OCCLUDERS} <= set(targets)


def test_the_picture_is_small_and_made_by_a_command_that_is_written_down() -> None:
    assert PICTURE.stat().st_size < MOST_BYTES
    assert any("docs/preview.jpg" in words for words in commands(CONTRIBUTING))


def test_no_document_names_a_private_path() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text(encoding="utf-8")), path


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the blocks of the README are run, in their order, with some faces called celeba."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "celeba").mkdir()
    for picture in SAMPLES.glob("*.jpg"):
        shutil.copy(picture, folder / "celeba")
    return folder


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.parametrize("number", [i for i, (language, _) in enumerate(BLOCKS) if language in ("bash", "python")])
def test_the_blocks_run(number: int, workplace: Path) -> None:
    language, text = BLOCKS[number]
    if language == "bash":
        text = INSTALLS.sub("", text).replace(".venv/bin/", "")
        if text.strip() == "pytest":
            pytest.skip("these are the tests")
        for usual, smaller in SMALLER.items():
            text = text.replace(usual, smaller)
        words = ["bash", "-euo", "pipefail", "-c", text]
    else:
        words = [sys.executable, "-c", text]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(workplace / "cache"),
        "NUMBA_CACHE_DIR": str(compiled_folder()),  # compiled once for all tests
        "HF_HOME": str(workplace / "cache"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(words, cwd=workplace, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.sample
def test_the_tree_is_what_a_build_writes(workplace: Path) -> None:
    """After the blocks, whose first built `demo`."""
    tree = next(text for language, text in BLOCKS if language == "text")
    told = set(re.findall(r"^  +([\w-]+\.?\w*)/?  ", tree, re.MULTILINE)) - {"shards"}
    demo = workplace / "demo"
    found = {path.name for path in demo.iterdir() if path.is_file()}
    assert told - {"train-00000"} >= found
    assert all((demo / name).exists() or (demo / "shards" / name).exists() for name in told), told

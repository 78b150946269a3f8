"""The documentation is true: commands and code run, the tree is what is written, links lead somewhere."""

from __future__ import annotations

import importlib
import os
import posixpath
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
from docs.reference import REFERENCE
from fdgen.faces.folders import SAMPLES
from fdgen.occluders import OCCLUDERS
from fdgen.runtime.jit import compiled_folder
from fdtrain.methods import LEARNED, VARIATIONAL
from tests.project.test_architecture import project
from tests.support.paths import ROOT

PAGES = ROOT / "docs" / "pages"
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = PAGES / "preview.jpg"
MOST_BYTES = 300_000
MOST_LINES = 170
"""Of the README: what is longer is a page of its own."""

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(PAGES.rglob("*.md"))]

RUN = [
    "README.md",
    "docs/pages/tutorial/first-dataset.md",
    "docs/pages/tutorial/first-model.md",
    "docs/pages/tutorial/own-faces.md",
    "docs/pages/guides/find-occluders.md",
    *sorted(
        f"docs/pages/guides/{path.name}" for path in (PAGES / "guides").glob("*.md") if path.stem != "find-occluders"
    ),
]
"""Whose blocks run, in this order and in one folder: later ones use what earlier ones made, as `demo` and `masks`."""

BLOCKS = [
    (name, number, match[1], match[2])
    for name in RUN
    for number, match in enumerate(BLOCK.finditer((ROOT / name).read_text(encoding="utf-8")))
]

INSTALLS = re.compile(r"python3 -m venv \.venv && \.venv/bin/pip install \S+( '[^']*')? && ")
SMALLER = {
    "--count 20000": "--count 12",
    "--workers 8": "--workers 2",
    "--count 64": "--count 24",
    "--preset tiny": "--preset tiny --set training.images=160",
    "--preset mask-96": "--preset mask-96 --set training.images=160",
}
"""What a test changes in a command before it runs it: how much, never what."""

MINUTES = tuple(f"docs/pages/guides/{name}.md" for name in ("ablate", "compare-methods"))
"""Documents whose blocks train several networks."""

PROGRAMS: dict[str, click.Group] = {"fdgen": fdgen_program, "fdtrain": fdtrain_program}

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FILES = re.compile(r"`((?:cli|data_cards|docs|fdgen|fdtrain|occlusion_assets|tests)/[\w./-]*)`")


def text_of(path: Path) -> str:
    """Return a document without its blocks, in which brackets are no links."""
    return BLOCK.sub("", path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """Return where a document is, for the names of tests."""
    return path.relative_to(ROOT).as_posix()


def commands(text: str) -> list[list[str]]:
    """Return the calls of our programs in the blocks of a document, those that do not run too, as lists of words."""
    lines = [
        part.strip().removeprefix(".venv/bin/")
        for match in BLOCK.finditer(text)
        if match[1] in ("bash", "text")
        for line in match[2].splitlines()
        for part in re.split(r"&&|\|\|| > ", line)
    ]
    ours = [line for line in lines if line.startswith(("fdgen ", "fdtrain ")) and "--axis $" not in line]  # of a loop
    return [shlex.split(line, comments=True) for line in ours]


CALLS = {" ".join(words): words for path in DOCUMENTS for words in commands(path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("words", CALLS.values(), ids=CALLS)
def test_every_command_is_one_that_exists(words: list[str]) -> None:
    program = PROGRAMS[words[0]]
    command: click.Command | None = program
    context, rest = click.Context(program, info_name=words[0]), words[1:]
    while isinstance(command, click.Group):
        command = command.get_command(context, rest[0])
        assert command is not None, rest[0]
        rest = rest[1:]
    command.make_context(words[0], rest, parent=context)  # refuses unknown options and bad values


def test_commands_that_the_programs_name_exist() -> None:
    unknown = []
    for path in (file for room in ("fdgen", "fdtrain", "cli") for file in (ROOT / room).rglob("*.*")):
        if path.suffix not in (".py", ".toml", ".md"):
            continue
        for name, command in re.findall(r"`(fdgen|fdtrain) ([a-z][a-z-]*)", path.read_text(encoding="utf-8")):
            if PROGRAMS[name].get_command(click.Context(PROGRAMS[name]), command) is None:
                unknown.append(f"{path.relative_to(ROOT)}: {name} {command}")
    assert not unknown


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= MOST_LINES


def test_the_table_of_commands_is_whole_and_each_leads_to_a_page() -> None:
    table = README[README.index("| command |") :].split("\n\n")[0]
    for name, program in PROGRAMS.items():
        linked = re.findall(rf"\[`{name} (\w+)`\]\(docs/pages/[^)]+\)", table)
        assert linked == program.list_commands(click.Context(program))


def test_every_command_is_on_the_page_that_the_table_names() -> None:
    for name, command, page in re.findall(r"\[`(fdgen|fdtrain) (\w+)`\]\((docs/pages/[^)#]+)", README):
        assert f"{name} {command}" in (ROOT / page).read_text(encoding="utf-8"), (command, page)


def test_the_first_commands_are_one_line_each_that_installs() -> None:
    blocks = [match[2] for match in BLOCK.finditer(README) if match[1] == "bash"]
    assert INSTALLS.match(blocks[0])
    assert INSTALLS.match(blocks[1])
    assert blocks[0].count("\n") == blocks[1].count("\n") == 1


def anchors(path: Path) -> set[str]:
    """Return the names of a document's headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", title.lower()).strip()) for title in titles}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(text_of(path)):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        made = posixpath.relpath(there.as_posix(), PAGES.as_posix())
        assert there.exists() or made in REFERENCE, target
        assert not anchor or made in REFERENCE or anchor in anchors(there), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_files_of_the_project_that_it_names_are_there(path: Path) -> None:
    for name in FILES.findall(text_of(path)):
        places = (ROOT / name, ROOT / "tests" / name)  # promises name their tests within tests/
        assert re.search(r"KIND|NAME", name) or any(place.exists() for place in places), name


def test_the_gallery_shows_every_kind_and_its_pictures_are_there() -> None:
    gallery = PAGES / "results" / "gallery.md"
    assert {f"gallery/{kind}.jpg" for kind in OCCLUDERS} <= set(LINK.findall(gallery.read_text(encoding="utf-8")))


def test_the_drawing_names_folders_that_are_there() -> None:
    drawing = (PAGES / "concepts" / "life-of-a-sample.svg").read_text(encoding="utf-8")
    folders = re.findall(r"\bfd(?:gen|train)/\w+", drawing)
    assert len(folders) >= 15
    assert [folder for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


def test_the_picture_is_small_and_made_by_a_command_that_is_written_down() -> None:
    assert PICTURE.stat().st_size < MOST_BYTES
    assert any("docs/pages/preview.jpg" in words for words in CALLS.values())


def test_no_document_names_a_private_path() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text(encoding="utf-8")), path


def test_the_reference_has_every_command_setting_and_public_name() -> None:
    pages = {name: write() for name, write in REFERENCE.items()}
    for name, program in PROGRAMS.items():
        for command in program.list_commands(click.Context(program)):
            assert f"### {name} {command}\n" in pages["reference/cli.md"]
        for public in importlib.import_module(name).__all__:
            assert public == "__version__" or f"::: {name}.{public}\n" in pages["reference/api.md"]
    config = importlib.import_module("fdtrain.config").FitConfig
    for preset in ("faithful", "mask", "glcm", "edgeconnect"):
        loaded = config.load(preset)
        for key in ("data.root", *loaded.flat()):
            assert key == "preset" or f"`{key}`" in pages["reference/config.md"], key
    recipe = (ROOT / "fdgen" / "recipe" / "builtin" / "default.toml").read_text(encoding="utf-8")
    for method in LEARNED.values():
        assert method.deviations, f"{method.name} says nowhere how it deviates from its paper"
        assert f"## {method.name}\n" in pages["reference/methods.md"]
    for name in VARIATIONAL:
        assert f"## {name}\n" in pages["reference/methods.md"]
    assert all(line in pages["reference/recipe.md"] for line in recipe.splitlines())


def test_dev_brings_what_builds_the_site() -> None:
    extras = project()["project"]["optional-dependencies"]
    assert any(re.search(r"\[.*\bdocs\b.*\]", line) for line in extras["dev"])


@pytest.mark.slow
@pytest.mark.sample
def test_the_site_is_built_strictly_and_asks_nothing_of_the_internet(tmp_path: Path) -> None:
    pytest.importorskip("mkdocstrings", reason="the extra `docs` is not installed")
    config = ROOT / "docs" / "mkdocs.yml"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(tmp_path / "site")],
        cwd=tmp_path,
        env={
            **os.environ,
            "NO_MKDOCS_2_WARNING": "1",
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        },
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=\"(https?:)?//", page.read_text("utf-8")
        )
        assert loaded == [], page
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text("utf-8")), style


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which all blocks are run, in their order, with some faces called celeba."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "celeba").mkdir()
    for picture in SAMPLES.glob("*.jpg"):
        shutil.copy(picture, folder / "celeba")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "text"),
    [
        pytest.param(
            language,
            text,
            id=f"{name.removeprefix('docs/pages/')}-{number}",
            marks=() if name in MINUTES else pytest.mark.sample,
        )
        for name, number, language, text in BLOCKS
        if language in ("bash", "python")
    ],
)
def test_the_blocks_run(language: str, text: str, workplace: Path) -> None:
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
    tree = next(match[2] for match in BLOCK.finditer(README) if match[1] == "text")
    listed = set(re.findall(r"^  +([\w-]+\.?\w*)/?  ", tree, re.MULTILINE)) - {"shards"}
    demo = workplace / "demo"
    written = {path.name for path in demo.iterdir() if path.is_file()}
    assert listed - {"train-00000"} >= written
    assert all((demo / name).exists() or (demo / "shards" / name).exists() for name in listed), listed

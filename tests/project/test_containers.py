"""The files that images are built of name what is there. To build them takes a network; hadolint and this do not."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.project.test_architecture import project
from tests.support.paths import ROOT

FILES = sorted((ROOT / "docs" / "containers").glob("*.Containerfile"))
INSTALLED = {"pyproject.toml", "README.md", "LICENSE", "cli", "fdgen", "fdtrain", "occlusion_assets"}
"""What the package is built of."""

NEWEST = SpecifierSet(">=3.12,<3.15")
"""The Pythons of cli/sets/newest.txt, as cli/sets/README.md says."""


class Step(NamedTuple):
    """An instruction of a container file, its lines joined, and its words."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


def steps(path: Path) -> list[Step]:
    """Return the instructions of a container file in their order, without comments."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Step(*line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def installs(path: Path) -> list[list[str]]:
    """Return the words of each `pip install`, or `uv pip install`, after these."""
    commands = [part for step in steps(path) if step.name == "RUN" for part in step.text.split("&&")]
    return [shlex.split(command.partition("pip install ")[2]) for command in commands if "pip install " in command]


def files(path: Path) -> str:
    """Name a file in the names of tests."""
    return path.stem


def test_there_is_one_for_cpus_and_one_for_gpus() -> None:
    assert [path.stem for path in FILES] == ["cpu", "gpu"]


@pytest.mark.parametrize("path", FILES, ids=files)
def test_it_copies_what_the_package_is_built_of(path: Path) -> None:
    copies = [step.words for step in steps(path) if step.name == "COPY" and not step.text.startswith("--from=")]
    sources = {source for words in copies for source in words[:-1]}
    assert sources == INSTALLED
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("path", FILES, ids=files)
def test_its_base_is_a_release_of_python_for_which_the_set_is_made(path: Path) -> None:
    bases = {step.words[0] for step in steps(path) if step.name == "FROM"}
    assert len(bases) == 1
    release = re.fullmatch(r"python:(\d+\.\d+\.\d+)-slim-\w+", bases.pop())
    assert release is not None
    assert NEWEST.contains(release[1])


@pytest.mark.parametrize("path", FILES, ids=files)
def test_it_installs_extras_that_exist_in_exact_releases(path: Path) -> None:
    extras = project()["project"]["optional-dependencies"]
    (ours,) = [words for words in installs(path) if words[-1].startswith(".")]
    tools = [word for words in installs(path) if words != ours for word in words if not word.startswith("-")]
    assert ours[ours.index("--constraint") + 1] == "cli/sets/newest.txt"
    assert (ROOT / "cli" / "sets" / "newest.txt").is_file()
    wanted = Requirement(f"fd-stackgan{ours[-1].removeprefix('.')}")
    assert "train" in wanted.extras <= extras.keys()
    for word in tools:
        tool = Requirement(word)
        ranges = [Requirement(line) for line in extras["release"]]
        (pin,) = tool.specifier
        assert pin.operator == "==", word
        assert any(one.name == tool.name and one.specifier.contains(pin.version) for one in ranges), word


@pytest.mark.parametrize("path", FILES, ids=files)
def test_it_runs_as_nobody_special_and_starts_a_program_of_ours(path: Path) -> None:
    last = steps(path)[[step.name for step in steps(path)].index("USER") :]
    assert last[0].text == "1000"
    assert not any(step.name in ("RUN", "COPY", "ADD", "USER") for step in last[1:])
    program = re.findall(r'"([\w-]+)"', last[-1].text)[0]
    assert last[-1].name == "CMD"
    assert program in project()["project"]["scripts"]


@pytest.mark.parametrize("path", FILES, ids=files)
def test_the_guide_says_how_to_build_it(path: Path) -> None:
    guide = (ROOT / "docs" / "pages" / "guides" / "scale.md").read_text(encoding="utf-8")
    assert path.relative_to(ROOT).as_posix() in guide
    assert f"fd-stackgan:{path.stem}" in guide


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
@pytest.mark.parametrize("path", FILES, ids=files)
def test_the_linter_finds_nothing(path: Path) -> None:
    done = subprocess.run(["hadolint", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

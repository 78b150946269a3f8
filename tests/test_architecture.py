"""The shape of the project: who may import whom, how long a module may be, what an import may cost."""

from __future__ import annotations

import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from fdgen.version import __version__

ROOT = Path(__file__).parent.parent
PACKAGES = ("cli", "fdgen", "fdtrain", "occlusion_assets")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
MOST_LINES = 400

LAYERS = (
    ("contract", "errors", "rng", "images", "geometry"),
    ("assets", "faces", "landmarks", "recipe"),
    ("lighting", "appearance", "render"),
    ("occluders", "composite", "quality"),
    ("generate",),
    ("shards", "preview"),
    ("build", "version_lock"),
    ("verify", "diff"),
    ("reproduce",),
)
"""fdgen from the bottom up: nothing reaches, through whatever modules, one of a layer above its own."""

HEAVY = ("cv2", "mediapipe", "numba", "pandas", "torch")


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    """Return the absolute names of the modules that a file imports; relative ones as `.name`."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {id(inner) for node in ast.walk(tree) if is_type_checking(node) for inner in ast.walk(node)}
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def is_type_checking(node: ast.AST) -> bool:
    """Tell whether a node is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


GRAPH = {
    name: {found for found in imports(path) if found in MODULES and found != name} for name, path in MODULES.items()
}


def reached(name: str) -> set[str]:
    """Return every module that importing this one, and calling all of it, would import."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for found in GRAPH[waiting.pop()] - seen:
            seen.add(found)
            waiting.append(found)
    return seen


def layer_of(name: str) -> int | None:
    """Return the layer of a module of fdgen, None where it has none of its own."""
    return next(
        (i for i, layer in enumerate(LAYERS) for noun in layer if f"{name}.".startswith(f"fdgen.{noun}.")), None
    )


def test_no_import_goes_in_a_circle() -> None:
    circles = sorted(name for name in MODULES if name in reached(name))
    # `import fdgen.x` runs fdgen/__init__.py, which imports nothing but the version at its top.
    assert circles == []


def test_nothing_imports_a_layer_above_its_own() -> None:
    upwards = [
        f"{name} reaches {found}"
        for name in MODULES
        if (own := layer_of(name)) is not None
        for found in reached(name)
        if (layer_of(found) or 0) > own
    ]
    assert upwards == []


def test_every_layer_exists() -> None:
    """A module that is renamed must be renamed here too, or its layer is no longer watched."""
    missing = [noun for layer in LAYERS for noun in layer if f"fdgen.{noun}" not in MODULES]
    assert missing == []


def test_nothing_imports_the_command_line() -> None:
    guilty = [
        name
        for name, path in MODULES.items()
        if not name.startswith("cli")
        and any(found.split(".")[0] in ("cli", "fdcli", "click", "rich") for found in imports(path))
    ]
    assert guilty == []


def test_the_command_line_imports_itself_relatively() -> None:
    """It is called `cli` here and `fdcli` where it is installed."""
    guilty = [
        name
        for name, path in MODULES.items()
        if name.startswith("cli") and any(found.split(".")[0] in ("cli", "fdcli") for found in imports(path))
    ]
    assert guilty == []


def test_fdgen_needs_no_torch_and_fdtrain_no_mediapipe() -> None:
    forbidden = {
        "fdgen": ("torch", "torchvision", "fdtrain"),
        "fdtrain": ("mediapipe",),
        "occlusion_assets": ("fdgen", "fdtrain"),
    }
    guilty = [
        f"{name} imports {found}"
        for name, path in MODULES.items()
        for found in imports(path)
        if found.split(".")[0] in forbidden.get(name.split(".")[0], ())
    ]
    assert guilty == []


def test_fdtrain_shares_the_contract_and_files_and_nothing_else() -> None:
    shared = ("fdgen.contract", "fdgen.errors", "fdgen.runtime.main_guard", "fdgen.version")
    guilty = [
        f"{name} imports {found}"
        for name in MODULES
        if name.startswith("fdtrain")
        for found in GRAPH[name]
        if found.startswith("fdgen") and found not in (*shared, "fdgen") and not f"{found}.".startswith("fdgen.io.")
    ]
    assert guilty == []


def test_mediapipe_and_torch_are_imported_only_where_they_are_used() -> None:
    """Inside functions, mediapipe; torch at the top of the modules of fdtrain, but not of the package itself."""
    guilty = [
        f"{name} imports {found}"
        for name, path in MODULES.items()
        for found in imports(path, top_only=True)
        if found.split(".")[0] == "mediapipe" or (found.split(".")[0] == "torch" and not name.startswith("fdtrain."))
    ]
    assert guilty == []


def test_only_the_codecs_know_bgr() -> None:
    guilty = [
        f"{name}: {node.attr}"
        for name, path in MODULES.items()
        if name not in ("fdgen.images", "fdgen.io.jpeg", "fdtrain.pictures")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and (node.attr in ("imread", "imwrite", "imdecode", "imencode") or "BGR" in node.attr)
    ]
    assert guilty == []


def test_no_print_no_assert_and_no_handler_of_everything() -> None:
    guilty = []
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{name}:{getattr(node, 'lineno', '')}"
            if isinstance(node, ast.Assert):
                guilty.append(f"{where} assert")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                guilty.append(f"{where} print")
            if isinstance(node, ast.ExceptHandler) and (
                node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception")
            ):
                guilty.append(f"{where} except Exception")
    assert guilty == []


def test_no_global_random_state() -> None:
    allowed = {"default_rng", "Generator", "PCG64", "SeedSequence", "BitGenerator"}
    guilty = [
        f"{name}: {ast.unparse(node)}"
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("np.random", "random")
        and node.attr not in allowed
    ]
    assert guilty == []


def test_modules_are_nouns_of_a_page_or_two() -> None:
    nameless = [name for name in MODULES if name.rpartition(".")[2] in ("utils", "helpers", "common", "misc")]
    long = {name: n for name, path in MODULES.items() if (n := len(path.read_text("utf-8").splitlines())) > MOST_LINES}
    assert nameless == []
    assert long == {}


def test_packaging_lists_every_package() -> None:
    declared = project()["tool"]["setuptools"]["packages"]
    found = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    installed = {name.replace("cli", "fdcli", 1) if name.startswith("cli") else name for name in found}
    assert sorted(declared) == sorted(installed)


def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    values: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return values


def test_versions_agree() -> None:
    assert project()["project"]["version"] == __version__
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def modules_after(code: str) -> set[str]:
    """Run code in a new process; return the top-level modules that it has imported in the end."""
    ask = "\nimport sys, json; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + ask], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("package", ["fdgen", "fdtrain"])
def test_import_costs_nothing(package: str) -> None:
    assert modules_after(f"import {package}").isdisjoint({*HEAVY, "numpy", "pydantic", "click"})


@pytest.mark.parametrize("package", ["fdgen", "fdtrain"])
def test_public_names_are_there_and_hide_no_module(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert f"{package}.{name}" not in MODULES, f"{package}.{name} would be a function or a module, by who was first"
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package", ["fdgen", "fdtrain"])
def test_public_names_are_those_that_type_checkers_see(package: str) -> None:
    tree = ast.parse(MODULES[package].read_text(encoding="utf-8"))
    block = next(node for node in tree.body if is_type_checking(node))
    seen = {
        alias.name: node.module for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {name: f"{package}.{home}" for name, home in importlib.import_module(package)._HOMES.items()}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Build a wheel with the setuptools that is installed, twice: from two copies of the checkout, of other times."""
    if int(metadata.version("setuptools").split(".")[0]) < 77:
        pytest.skip("building needs setuptools 77")
    built = []
    for copy, seconds in (("first", 1_600_000_000), ("second", 1_700_000_000)):
        folder = tmp_path_factory.mktemp("wheel")
        for name in _tracked():
            file = folder / copy / name
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, file)
            os.utime(file, (seconds, seconds))
        command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet"]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1650000000"}
        subprocess.run(
            [*command, "--wheel-dir", str(folder)], cwd=folder / copy, env=environment, check=True, capture_output=True
        )
        built.append(next(folder.glob("*.whl")))
    return built


def _tracked() -> list[str]:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    return tracked.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.sample
def test_the_wheel_holds_all_that_the_checkout_holds(wheels: list[Path]) -> None:
    with zipfile.ZipFile(wheels[0]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {
        name.replace("cli/", "fdcli/", 1) if name.startswith("cli/") else name
        for name in _tracked()
        if name.split("/")[0] in PACKAGES
    }
    assert held == wanted


@pytest.mark.slow
@pytest.mark.sample
def test_the_wheel_is_the_same_bytes_whenever_it_is_built(wheels: list[Path]) -> None:
    first, second = (path.read_bytes() for path in wheels)
    assert first == second

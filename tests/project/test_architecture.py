"""The shape of the project: who may import whom, how long a module may be, what an import may cost."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fdgen.version import __version__
from tests.support.paths import ROOT
from tests.support.syntax import nodes_of, tree_of

PACKAGES = ("cli", "fdgen", "fdtrain", "occlusion_assets")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
MOST_LINES = 400

FLOORS: Mapping[str, tuple[str, ...]] = {
    "fdgen": (
        "errors version arrays kinds lazy",
        "runtime",
        "io settings",
        "contract",
        "networks",
        "faces recipe assets",
        "analysis dataset",
        "render exporters",
        "occluders",
        "synthesis packs",
        "pipeline transforms",
        "versions",
        "cards verification",
        "browser",
    ),
    "fdtrain": (
        "errors methods",
        "run_files",
        "config",
        "faces",
        "data networks runtime",
        "metrics objectives",
        "training",
        "inference",
        "restoration evaluation",
        "comparison demo",
        "report",
        "cards",
    ),
    "cli": ("shared", "fdgen fdtrain"),
}
"""Every room of a package, from the ground up: a room imports those on floors below its own, none beside it."""

SHARED = (
    "fdgen.errors",
    "fdgen.lazy",
    "fdgen.version",
    "fdgen.arrays",
    "fdgen.runtime",
    "fdgen.io",
    "fdgen.settings",
    "fdgen.contract",
    "fdgen.networks",
)
"""What fdtrain imports of fdgen."""

MOST_MODULES = {"cli": 20, "fdgen": 16, "fdtrain": 16}
"""In one folder, `__init__.py` not counted."""

TORCHVISION = "fdgen.transforms.for_torchvision"
"""The one module of fdgen that imports torch: a transform of torchvision, for who has it."""

ON_THE_FLY = "fdtrain.data.on_the_fly.faces"
"""The one module of fdtrain that imports what draws occluders, inside functions: for runs without a dataset."""

HEAVY = ("cv2", "mediapipe", "numba", "pandas", "torch")


@cache
def imports(path: Path, *, top_only: bool = False) -> frozenset[str]:
    """Return the absolute names of the modules that a file imports; relative ones as `.name`."""
    found = set()
    tree = tree_of(path)
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
    return frozenset(found)


def typing_imports(path: Path) -> set[str]:
    """Return the modules of the project that a file imports for type checkers alone."""
    blocks = [node for node in nodes_of(path) if is_type_checking(node)]
    nodes = [node for block in blocks for node in ast.walk(block) if isinstance(node, ast.ImportFrom)]
    return {str(node.module) for node in nodes if node.module in MODULES}


def relative_imports(name: str) -> set[str]:
    """Return the modules that one of the command line imports, by their absolute names."""
    package = name.rpartition(".")[0]
    found = imports(MODULES[name])
    return {importlib.util.resolve_name(relative, package) for relative in found if relative.startswith(".")}


def is_type_checking(node: ast.AST) -> bool:
    """Tell whether a node is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


GRAPH = {
    name: {found for found in imports(path) if found in MODULES and found != name} for name, path in MODULES.items()
}


GRAPH_WITHOUT_DRAWING = {
    **GRAPH,
    ON_THE_FLY: {found for found in imports(MODULES[ON_THE_FLY], top_only=True) if found in MODULES},
}
"""The same, of a run that has a dataset."""


def reached(name: str, graph: Mapping[str, set[str]] = GRAPH) -> set[str]:
    """Return every module that importing this one, and calling all of it, would import."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for found in graph.get(waiting.pop(), set()) - seen:
            seen.add(found)
            waiting.append(found)
    return seen


def room_of(name: str) -> str:
    """Return the room of a module: the second part of its name, nothing for the package itself."""
    return name.split(".")[1] if "." in name else ""


def floor_of(name: str) -> int:
    """Return the floor of a module's room; raise StopIteration where its package has no such room."""
    floors = FLOORS[name.split(".")[0]]
    return next(floor for floor, rooms in enumerate(floors) if room_of(name) in rooms.split())


def test_no_import_goes_in_a_circle() -> None:
    """Not even one for type checkers alone, but for those of a package that names what is in it."""
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    typed = {name: GRAPH[name] | (typing_imports(MODULES[name]) - {name}) for name in set(MODULES) - packages}
    circles = sorted(name for name in typed if name in reached(name, typed))
    # `import fdgen.x` runs fdgen/__init__.py, which imports nothing but the version at its top.
    assert circles == []


def test_every_room_has_a_floor_and_every_floor_its_rooms() -> None:
    """A new module is watched from its first day."""
    for package, floors in FLOORS.items():
        rooms = {room_of(name) for name in MODULES if name.startswith(f"{package}.")}
        assert sorted(" ".join(floors).split()) == sorted(rooms)


def test_rooms_import_only_those_on_floors_below() -> None:
    guilty = [
        f"{name} imports {found}"
        for name in MODULES
        if name.split(".")[0] in FLOORS and room_of(name)
        for found in {*GRAPH[name], *typing_imports(MODULES[name])}
        if found.split(".")[0] == name.split(".")[0]
        and room_of(found) not in ("", room_of(name))
        and floor_of(found) >= floor_of(name)
    ]
    assert guilty == []


def test_no_folder_is_a_heap() -> None:
    crowded = {
        str(folder.relative_to(ROOT)): len(modules)
        for package, most in MOST_MODULES.items()
        for folder in {path.parent for name, path in MODULES.items() if name.split(".")[0] == package}
        if len(modules := [path for path in folder.glob("*.py") if path.name != "__init__.py"]) > most
    }
    assert crowded == {}


def test_no_command_imports_another() -> None:
    commands = {
        f"cli.{program}.{module}"
        for program in ("fdgen", "fdtrain")
        for module, _ in importlib.import_module(f"cli.{program}.main").MODULES.values()
    }
    guilty = [f"{name} imports {found}" for name in commands for found in relative_imports(name) & commands]
    assert guilty == []


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
        if (name, found.split(".")[0]) not in {(TORCHVISION, "torch"), (TORCHVISION, "torchvision")}
    ]
    assert guilty == []


def test_fdtrain_imports_of_fdgen_what_is_shared_and_nothing_else() -> None:
    guilty = [
        f"{name} imports {found}"
        for name in MODULES
        if name.startswith("fdtrain")
        for found in {*GRAPH_WITHOUT_DRAWING[name], *(typing_imports(MODULES[name]) if name != ON_THE_FLY else ())}
        if found.startswith("fdgen.") and ".".join(found.split(".")[:2]) not in SHARED
    ]
    assert guilty == []


def test_what_is_shared_brings_no_renderer() -> None:
    shared = {name for name in MODULES if name.startswith("fdtrain")}
    reachable = {
        found for name in shared for found in reached(name, GRAPH_WITHOUT_DRAWING) if found.startswith("fdgen")
    }
    guilty = [
        f"{name} imports {found}"
        for name in sorted(reachable)
        for found in imports(MODULES[name])
        if found.split(".")[0] in ("numba", "mediapipe", "llvmlite")
    ]
    assert guilty == []


def test_mediapipe_and_torch_are_imported_only_where_they_are_used() -> None:
    """Inside functions, mediapipe; torch at the top of the modules of fdtrain, but not of the package itself."""
    guilty = [
        f"{name} imports {found}"
        for name, path in MODULES.items()
        for found in imports(path, top_only=True)
        if found.split(".")[0] == "mediapipe"
        or (found.split(".")[0] == "torch" and not name.startswith(("fdtrain.", TORCHVISION)))
    ]
    assert guilty == []


def test_pictures_are_decoded_by_one_module() -> None:
    guilty = [
        f"{name}:{node.lineno} {ast.unparse(node)}"
        for name, path in MODULES.items()
        if name != "fdgen.io.pictures.safe_decoding"
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute)
        and (
            node.attr in ("imdecode", "imdecodemulti", "imdecodeanimation", "imread", "imreadmulti", "imreadanimation")
            or (node.attr == "open" and ast.unparse(node.value).rpartition(".")[2] in ("Image", "ImageFile"))
        )
    ]
    direct = [
        f"{name} imports {found}"
        for name, path in MODULES.items()
        for found in imports(path)
        if found in ("PIL.Image.open", "cv2.imdecode", "cv2.imread") or found.split(".")[0] in ("imageio", "tifffile")
    ]
    assert guilty + direct == []


def test_only_the_codecs_know_bgr() -> None:
    guilty = [
        f"{name}: {node.attr}"
        for name, path in MODULES.items()
        if name
        not in (
            "fdgen.io.pictures.images",
            "fdgen.io.pictures.jpeg",
            "fdgen.io.pictures.safe_decoding",
            "fdtrain.data.pictures",
        )
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute)
        and (node.attr in ("imread", "imwrite", "imdecode", "imencode") or "BGR" in node.attr)
    ]
    assert guilty == []


WRITERS = {
    "fdgen.io.lock": "a lock is a file that is there, not one that is whole",
    "fdgen.faces.worker_slot": "standard error of a worker, in a temporary folder",
    "fdgen.pipeline.warmup": "a mark, an empty file, beside compiled code",
    "fdgen.io.counters": "numbers of workers, in a temporary folder",
    "fdgen.runtime.step_times": "times of a process, in a temporary folder",
    "fdgen.runtime.scratch": "a note in a temporary folder",
    "fdgen.runtime.main_guard": "a mark that a process leaves in a temporary folder",
    "fdtrain.comparison.runner": "a request to stop: an empty file",
    "fdtrain.demo.steps": "a picture for a browser, in the visitor's own temporary folder",
    "fdtrain.demo.storage": "what visitors sent, in memory or a temporary folder",
    "fdtrain.restoration.video": "opencv writes videos by their name; they take their own by the one writer",
    "fdgen.faces.sample_faces.make": "run by hand, in a checkout",
    "occlusion_assets.make_index": "run by hand, in a checkout",
}
"""Modules that may write by another way than `fdgen.io.atomic`, and why."""

_WRITES = {
    *("write_bytes", "write_text", "touch", "mkdtemp", "NamedTemporaryFile", "mkstemp", "memmap"),
    *("rename", "renames", "imwrite", "VideoWriter", "tofile", "savez", "savetxt", "to_parquet", "to_feather", "dump"),
    *("save_file", "copyfile", "copytree", "copy2", "move", "symlink_to", "hardlink_to"),
}
"""Methods and functions that make a file under the name they are given. `Image.save` and the like take a buffer too."""


def _goes_around(call: ast.Call) -> bool:
    """Tell whether a call makes a file by another way than the one writer."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    modes = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    if name in ("open", "fdopen"):
        names_flags = any(isinstance(node, ast.Attribute) and node.attr == "O_CREAT" for node in ast.walk(call))
        return names_flags or any(set(text) <= set("rwxabt+") and set(text) & set("wxa+") for text in texts)
    if name == "replace":  # of os and pathlib; text and dataclasses have others
        of_os = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "os"
        return of_os or (isinstance(call.func, ast.Attribute) and len(call.args) == 1 and not call.keywords)
    if name == "copy":  # of shutil; containers have others
        return ast.unparse(call.func) == "shutil.copy"
    # As a name alone it was imported from the writer: `write_text(path, text)`.
    return name in _WRITES and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) != "atomic"


@pytest.mark.parametrize(
    "line",
    ['path.open("w")', 'open(path, "ab")', 'path.write_text("")', "os.replace(a, b)", "part.replace(path)",
     "os.open(path, os.O_RDWR | os.O_CREAT)", 'os.fdopen(descriptor, "wb")', "shutil.copy(a, b)",
     "cv2.imwrite(name, picture)", 'path.open(mode="x")'],
)  # fmt: skip
def test_a_writer_that_goes_around_is_seen(line: str) -> None:
    assert any(_goes_around(node) for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Call))


def test_all_files_are_written_by_the_one_writer() -> None:
    guilty = {
        name: ast.unparse(node)
        for name, path in MODULES.items()
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and _goes_around(node)
    }
    assert {name: call for name, call in guilty.items() if name not in WRITERS} == {}
    assert guilty.keys() >= WRITERS.keys(), "an exception that nobody needs"


def test_no_global_random_state() -> None:
    allowed = {"default_rng", "Generator", "PCG64", "SeedSequence", "BitGenerator"}
    guilty = [
        f"{name}: {ast.unparse(node)}"
        for name, path in MODULES.items()
        for node in nodes_of(path)
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
    tree = tree_of(MODULES[package])
    block = next(node for node in tree.body if is_type_checking(node))
    seen = {
        alias.name: node.module for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {name: f"{package}.{home}" for name, home in importlib.import_module(package)._HOMES.items()}

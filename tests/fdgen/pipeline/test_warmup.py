"""The renderer is compiled before workers need it, and only once."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numba.core.dispatcher import Dispatcher

from fdgen.runtime import jit

COUNT = """
import sys
from numba.core.dispatcher import Dispatcher

found = {id(v): v for m in list(sys.modules.values()) for v in vars(m).values() if isinstance(v, Dispatcher)}.values()
ours = [one for one in found if one.__module__.startswith("fdgen.")]
for counts in ("cache_misses", "cache_hits"):
    print(sum(sum(getattr(one.stats, counts).values()) for one in ours))
"""

ALL = """
from fdgen.assets import AssetLibrary
from fdgen.pipeline.warmup import compile_renderer, is_compiled

steps = []
print(is_compiled())
compile_renderer(AssetLibrary.load(), lambda done, total: steps.append((done, total)))
assert steps == [(done, len(steps) - 1) for done in range(len(steps))], steps
print(is_compiled())
"""

ONE = """
import fdgen
from fdgen.outer import outer

print(fdgen.__file__, outer(1.0))
"""
INNER = """from fdgen.runtime.jit import compiled

@compiled
def inner(x):
    return x + {number}
"""
OUTER = """from fdgen.runtime.jit import compiled
from fdgen.inner import inner

@compiled
def outer(x):
    return 10.0 * inner(x)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return a copy of the package with two compiled functions more, one calling the other across modules."""
    copy = tmp_path / "one" / "fdgen"
    shutil.copytree(Path(jit.__file__).parents[1], copy, ignore=shutil.ignore_patterns("*.pyc", "*.jpg", "*.npz"))
    (copy / "inner.py").write_text(INNER.format(number="1.0"))
    (copy / "outer.py").write_text(OUTER)
    return copy


def run(code: str, cache: Path, package: Path | None = None) -> list[str]:
    """Run code in a process of its own, with what is compiled kept in `cache`, and the package taken from `package`."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    where = None if package is None else package.parent  # of what stands after -c, the current folder comes first
    done = subprocess.run(
        [sys.executable, "-c", code + COUNT], cwd=where, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_a_second_process_finds_everything_compiled(tmp_path: Path) -> None:
    first, second = run(ALL, tmp_path), run(ALL, tmp_path)
    assert first[:2] == ["False", "True"]
    assert int(first[2]) > 20
    assert second[:3] == ["True", "True", "0"]


@pytest.mark.slow
def test_another_installation_of_the_same_version_compiles_nothing(package: Path, tmp_path: Path) -> None:
    cache, other = tmp_path / "cache", tmp_path / "two" / "fdgen"
    assert run(ONE, cache, package) == [str(package / "__init__.py"), "20.0", "2", "0"]
    shutil.copytree(package, other)
    for path in other.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert run(ONE, cache, other) == [str(other / "__init__.py"), "20.0", "0", "1"]


@pytest.mark.slow
def test_code_is_never_that_of_another_source(package: Path, tmp_path: Path) -> None:
    """The outer function's own file stays as it is: what it calls is compiled into it."""
    cache, inner = tmp_path / "cache", package / "inner.py"
    stood = (package / "outer.py").stat().st_mtime_ns
    assert run(ONE, cache, package)[1] == "20.0"
    inner.write_text(INNER.format(number="2.0"))
    assert run(ONE, cache, package)[1:] == ["30.0", "2", "0"]
    inner.write_text(INNER.format(number="1.0"))
    assert run(ONE, cache, package)[1:] == ["20.0", "0", "1"]
    assert (package / "outer.py").stat().st_mtime_ns == stood


def test_compiled_functions_use_constants_of_modules_that_are_looked_at() -> None:
    """A number imported from a module without kernels is compiled in, and a change of it would not be noticed."""
    looked_at = jit.kernel_modules()
    assert len(looked_at) > 10
    names = {f"fdgen/{path.relative_to(Path(jit.__file__).parents[1]).as_posix()}" for path in looked_at}
    kernels = 0
    for path in looked_at:
        relative = path.relative_to(Path(jit.__file__).parents[1]).with_suffix("")
        module = importlib.import_module(".".join(("fdgen", *relative.parts)))
        imported = {
            alias.asname or alias.name: node.module
            for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for kernel in vars(module).values():
            if not isinstance(kernel, Dispatcher) or kernel.__module__ != module.__name__:
                continue
            kernels += 1
            for name in set(kernel.py_func.__code__.co_names) & imported.keys():
                is_looked_at = f"{imported[name]}".replace(".", "/") + ".py" in names
                assert is_looked_at or isinstance(vars(module)[name], Dispatcher), (
                    f"{kernel} uses {name} of {imported[name]}"
                )
    assert kernels > 20


def test_every_kind_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from fdgen.assets import AssetLibrary
    from fdgen.occluders import OCCLUDERS
    from fdgen.pipeline import warmup
    from fdgen.render.rasteriser import rasterise_cutout

    drawn = []
    render = warmup.render_placements

    def watch(scene: Any, placements: Any, library: Any) -> Any:
        pictures = render(scene, placements, library)
        assert (pictures[0] != scene.face.clean_HWC).any()
        drawn.extend(placement.kind for placement in placements)
        return pictures

    monkeypatch.setattr(warmup, "render_placements", watch)
    warmup.compile_renderer(AssetLibrary.load())
    assert drawn == list(OCCLUDERS)
    assert rasterise_cutout.signatures


@pytest.mark.slow
def test_nothing_that_is_compiled_needs_scipy() -> None:
    """Numba takes its linear algebra from there; fdgen is installed without it."""
    code = """
import sys

sys.modules["scipy"] = None
from fdgen.assets import AssetLibrary
from fdgen.pipeline.warmup import compile_renderer

compile_renderer(AssetLibrary.load())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_what_is_compiled_is_kept_outside_the_package() -> None:
    """Pip would leave it there when the package goes, and the folders would hide the next installation."""
    import numba

    import fdgen
    from fdgen.render.rasteriser import rasterise_cutout
    from fdgen.runtime.jit import compiled_folder

    assert Path(rasterise_cutout.stats.cache_path).is_relative_to(compiled_folder())
    assert not compiled_folder().is_relative_to(Path(fdgen.__file__).parent)
    assert str(numba.config.CACHE_DIR) == os.environ.get("NUMBA_CACHE_DIR", "")  # other packages keep theirs

"""Reading a dataset from a URL: the same bytes as from its folder, by ranges, and every failure in a sentence."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fdgen.contract.manifest import Manifest
from fdgen.contract.records import MEMBERS
from fdgen.errors import DatasetError
from fdgen.io import storage
from fdgen.io.storage import Remote, open_place, read_range
from tests.support.fake_build import FakeFaces, run
from tests.support.serving import Served, serving

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "set"
    run(out, FakeFaces.of(30), count=16)
    return out


@pytest.fixture
def served(built: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(storage, "WAIT_S", 0.0)
    with serving(built) as found:
        yield found


def in_memory(folder: Path, name: str) -> str:
    """Copy a folder to the file system that fsspec keeps in memory; return its URL."""
    memory = fsspec.filesystem("memory")
    for path in folder.rglob("*"):
        if path.is_file():
            memory.pipe_file(f"/{name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return f"memory://{name}"


@pytest.mark.slow
def test_a_url_gives_what_the_folder_gives(built: Path, served: Served) -> None:
    here = Manifest.load(built)
    for url in (served.url, f"{served.url}/", in_memory(built, "set"), built.as_uri()):
        there = Manifest.load(url)
        assert there.dataset == here.dataset
        assert there.table.equals(here.table)
        for key in here:
            for member in MEMBERS:
                assert there.read_member(key, member) == here.read_member(key, member)


def test_a_sample_costs_its_own_bytes_alone(built: Path, served: Served) -> None:
    manifest = Manifest.load(served.url)
    served.sent.clear()
    key = manifest.table["key"].iloc[3]
    data = manifest.read_member(key, "occluded.png")
    assert served.sent == [(f"/shards/{manifest.row(key)['shard']}.tar", len(data))]


def test_a_dropped_connection_is_tried_again_and_a_dead_one_told_of(built: Path, served: Served) -> None:
    manifest = Manifest.load(served.url)
    key = manifest.table["key"].iloc[0]
    served.drop = storage.TRIES - 1
    assert manifest.read_member(key, "clean.png") == Manifest.load(built).read_member(key, "clean.png")
    served.drop = 10 * storage.TRIES
    with pytest.raises(DatasetError, match=r"shards/.*\.tar cannot be read: \w") as told:
        manifest.read_member(key, "clean.png")
    assert told.value.hint


def test_a_server_without_ranges_is_refused(served: Served) -> None:
    manifest = Manifest.load(served.url)
    served.ranges = False
    with pytest.raises(DatasetError, match="by ranges of bytes"):
        manifest.read_member(manifest.table["key"].iloc[0], "json")


def test_what_is_not_there_is_told_by_its_url(served: Served) -> None:
    with pytest.raises(DatasetError, match=r"http://.*/nowhere/dataset\.json cannot be read"):
        Manifest.load(f"{served.url}/nowhere")
    with pytest.raises(DatasetError, match=r"memory://nowhere/dataset\.json cannot be read"):
        Manifest.load("memory://nowhere")
    with pytest.raises(DatasetError, match=r"cannot be opened: .*nonsense"):
        Manifest.load("nonsense://host/set")


def test_a_damaged_table_is_told_of(built: Path) -> None:
    url = in_memory(built, "damaged")
    fsspec.filesystem("memory").pipe_file("/damaged/manifest.parquet", b"PAR1 and nothing more")
    with pytest.raises(DatasetError, match=r"memory://damaged/manifest\.parquet cannot be read"):
        Manifest.load(url)


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(DatasetError, match="fsspec") as told:
        Manifest.load("https://example.org/set")
    assert "fd-stackgan[scale]" in told.value.hint


def test_folders_never_touch_fsspec(built: Path) -> None:
    code = (
        "import sys; from fdgen.contract import Manifest; m = Manifest.load(sys.argv[1]); "
        "m.read_member(next(iter(m)), 'clean.png'); sys.exit('fsspec' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(built)], check=False).returncode == 0


def test_places() -> None:
    assert open_place("some/set") == Path("some/set")
    place = open_place("s3://bucket/set/")
    assert isinstance(place, Remote)
    assert (str(place / "shards" / "a.tar"), place.name) == ("s3://bucket/set/shards/a.tar", "set")
    assert pickle.loads(pickle.dumps(place)) == place


def test_a_range_ends_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    fsspec.filesystem("memory").pipe_file("/range/a", b"0123456789")
    for place in (tmp_path / "a", Remote("memory://range/a")):
        assert read_range(place, 2, 3) == b"234"
        assert read_range(place, 8, 5) == b"89"

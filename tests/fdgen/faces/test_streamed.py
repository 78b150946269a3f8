"""Faces by URL, in tars and in Parquet: the photographs of a folder, read where they lie."""

from __future__ import annotations

import io
import pickle
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fdgen.errors import DatasetError, FacesError, PictureError, UnreachableError
from fdgen.faces.cache import FaceCache
from fdgen.faces.exclusion import chosen_faces
from fdgen.faces.folders import FolderFaces, open_faces
from fdgen.faces.sources import FaceSource
from fdgen.faces.streamed import tables
from fdgen.io import storage
from fdgen.io.pictures.png import encode_png
from tests.support.serving import serving

fsspec = pytest.importorskip("fsspec")
MEMORY = fsspec.filesystem("memory")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "WAIT_S", 0.0)


def picture(number: int) -> bytes:
    return encode_png(np.random.default_rng(number).integers(0, 256, (40, 30, 3), np.uint8))


FILES: Mapping[str, bytes] = {
    **{f"{'ab'[number % 2]}/{number:03d}.png": picture(number) for number in range(7)},
    "b/twin.png": picture(0),
    "a/not.jpg": b"this is no picture",
    "a/empty.png": b"",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "faces"


@pytest.fixture
def url() -> Iterator[str]:
    where = f"memory://{secrets.token_hex(8)}"
    yield where
    if MEMORY.exists(where):
        MEMORY.rm(where, recursive=True)


def put(url: str, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        MEMORY.pipe_file(f"{url}/{name}", data)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def flat(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files as img2dataset names them: by a number, each with its words beside it."""
    found = {}
    for number, (name, data) in enumerate(files.items()):
        found[f"{number:09d}.{name.rpartition('.')[2]}"] = data
        found[f"{number:09d}.json"] = b'{"caption": "a face"}'
    return found


def parquet_of(rows: list[Any], name: str = "image", rows_a_group: int = 2) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({name: rows, "label": list(range(len(rows)))}), file, row_group_size=rows_a_group)
    return file.getvalue()


def shown(faces: FaceSource) -> dict[str, Any]:
    """Return the pixels of every photograph by its sha256, as a worker reads them."""
    worker = pickle.loads(pickle.dumps(faces))
    return {source.sha256: worker.read(source).tobytes() for source in faces.sources()}


def reasons(faces: FaceSource) -> list[str]:
    faces.sources()
    return sorted(reject.reason for reject in faces.rejects())


def test_a_url_gives_what_the_folder_gives(folder: Path, url: str) -> None:
    put(url, FILES)
    here, there = open_faces(folder), open_faces(url)
    assert there.sources() == here.sources()
    assert there.rejects() == here.rejects()
    assert there.kind == here.kind == "folder"
    assert shown(there) == shown(here)
    assert len(shown(here)) == 7


def test_people_are_read_from_the_list_at_the_url(folder: Path, url: str) -> None:
    people = {"identities.csv": b"a/000.png,ann\nb/001.png,bob\n"}
    put(url, {**FILES, **people, "readme.txt": b"", ".hidden.png": picture(99)})
    (folder / "identities.csv").write_bytes(people["identities.csv"])
    there = open_faces(url)
    assert there.sources() == open_faces(folder).sources()
    assert {source.identity for source in there.sources()} == {"ann", "bob", None}
    assert any("not those of pictures: 1" in note for note in there.notes)
    assert any("lacks 5" in note for note in there.notes)


def test_tars_give_their_members_by_ranges(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    items = list(FILES.items())
    tars = {"00000.tar": tar_of(flat(dict(items[:5]))), "00001.tar": tar_of(flat(dict(items[5:])))}
    put(url, {**tars, "00000_stats.json": b"{}"})
    faces = open_faces(url)
    assert faces.kind == "tars"
    assert shown(faces) == shown(open_faces(folder))
    assert reasons(faces) == reasons(open_faces(folder))
    assert faces.sources()[0].path == "00000.tar/000000000.png"
    read: list[int] = []
    real = storage.Remote.read_range
    monkeypatch.setattr(
        storage.Remote, "read_range", lambda self, start, size: read.append(size) or real(self, start, size)
    )
    faces.read(faces.sources()[0])
    assert read == [len(items[0][1])]
    local = folder.parent / "tars"
    local.mkdir()
    for name, data in tars.items():
        (local / name).write_bytes(data)
    assert open_faces(local).sources() == faces.sources()
    assert shown(open_faces(local)) == shown(faces)
    alone = {source.sha256 for source in open_faces(local / "00001.tar").sources()}
    assert alone >= {source.sha256 for source in faces.sources() if source.path.startswith("00001.tar/")}
    assert len(alone) == 3  # the twin of one in the other tar is none here


@pytest.mark.parametrize("identity", ["auto", "folder"])
@pytest.mark.parametrize("exclude", [(), ("{first}",)])
def test_what_a_recipe_changes_of_them_is_read_as_before(url: str, identity: str, exclude: tuple[str, ...]) -> None:
    """Where each photograph lies in its tar goes along, whoever names people or leaves some out."""
    inside = {name: data for name, data in FILES.items() if name.startswith(("a/0", "b/0"))}
    put(url, {"00000.tar": tar_of(inside), "00001.tar": tar_of({"plain.png": picture(50)})})
    plain = open_faces(url)
    names = tuple(name.format(first=plain.sources()[0].path) for name in exclude)
    faces = chosen_faces(open_faces(url), identity=identity, exclude=names)
    wanted = {source.sha256 for source in plain.sources() if source.path not in names}
    assert shown(faces) == {sha256: pixels for sha256, pixels in shown(plain).items() if sha256 in wanted}
    people = {source.path: source.identity for source in faces.sources()}
    assert people["00001.tar/plain.png"] is None  # a tar is no person
    assert {*people.values()} == ({None, "a", "b"} if identity == "folder" else {None})


@pytest.mark.parametrize("cut", [300, 700, 512 * 3, -512, -1025])
def test_a_tar_that_is_cut_is_refused(url: str, cut: int) -> None:
    whole = tar_of({"a.png": picture(1), "b.png": picture(2)}).rstrip(b"\0")
    whole += bytes(-len(whole) % 512) + bytes(1024)
    put(url, {"x.tar": whole[:cut]})
    if cut == -512:  # one of two empty blocks: the end is there
        assert len(open_faces(url).sources()) == 2
        return
    with pytest.raises(FacesError, match=r"x\.tar is damaged: \w"):
        open_faces(url).sources()


def test_a_tar_with_a_flipped_header_is_refused_and_not_cut_short_in_silence(url: str) -> None:
    data = bytearray(tar_of({"a.png": picture(1), "b.png": picture(2), "c.png": picture(3)}))
    second = data.index(b"b.png")
    data[second] ^= 1
    put(url, {"x.tar": bytes(data)})
    with pytest.raises(FacesError, match=r"x\.tar is damaged"):
        open_faces(url).sources()


def test_parquet_gives_its_images_here_and_on_another_machine(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"bytes": data, "path": name} for name, data in FILES.items()]
    put(url, {"data/train-0.parquet": parquet_of(rows[:5]), "data/train-1.parquet": parquet_of(rows[5:])})
    faces = open_faces(url)
    assert faces.kind == "parquet"
    assert shown(faces) == shown(open_faces(folder))
    assert reasons(faces) == reasons(open_faces(folder))
    assert faces.sources()[0].path == "data/train-0.parquet/00000000"
    monkeypatch.setattr(tables.Path, "is_file", lambda self: False)  # as where nothing was kept
    tables._last_group.cache_clear()
    assert shown(faces) == shown(open_faces(url))


def test_parquet_that_the_library_of_hugging_face_wrote(folder: Path, url: str, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"bytes": data, "path": None} for data in FILES.values()]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    table = datasets.Dataset.from_dict({"image": rows, "label": list(range(len(rows)))}, features=features)
    table.to_parquet(str(tmp_path / "x.parquet"), batch_size=3)
    MEMORY.pipe_file(f"{url}/x.parquet", (tmp_path / "x.parquet").read_bytes())
    assert shown(open_faces(f"{url}/x.parquet")) == shown(open_faces(folder))


def test_a_column_of_images_is_found_or_asked_for(url: str) -> None:
    put(url, {"a.parquet": parquet_of([picture(1), picture(2)], name="jpg")})
    assert len(open_faces(url).sources()) == 2
    put(url, {"a.parquet": parquet_of(["one", "two"])})
    with pytest.raises(FacesError, match=r"a\.parquet has no column of images"):
        open_faces(url).sources()
    both = io.BytesIO()
    pq.write_table(pa.table({"left": [picture(1)], "right": [picture(2)]}), both)
    put(url, {"a.parquet": both.getvalue()})
    with pytest.raises(FacesError, match=r"several columns of images \(left, right\)"):
        open_faces(url).sources()
    put(url, {"a.parquet": b"PAR1 nonsense"})
    with pytest.raises(FacesError, match=r"a\.parquet cannot be read"):
        open_faces(url).sources()


def test_a_row_without_an_image_is_counted(url: str) -> None:
    rows = [{"bytes": picture(1), "path": None}, {"bytes": None, "path": "elsewhere.jpg"}]
    put(url, {"a.parquet": parquet_of(rows)})
    assert reasons(open_faces(url)) == ["unreadable"]
    assert len(open_faces(url).sources()) == 1


def test_unchanged_objects_are_not_read_again(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(url, FILES)
    with FaceCache(tmp_path / "cache.sqlite") as cache:
        first = open_faces(url, digests=cache).sources()
        read: list[str] = []
        real = storage.Remote.read_bytes
        monkeypatch.setattr(storage.Remote, "read_bytes", lambda self, most: read.append(self.name) or real(self, most))
        assert open_faces(url, digests=cache).sources() == first
        assert read == []
        put(url, {"a/000.png": picture(50)})
        assert open_faces(url, digests=cache).sources() != first
        assert read == ["000.png"]


def test_what_changed_or_went_since_the_listing_is_told(url: str) -> None:
    put(url, FILES)
    faces = open_faces(url)
    gone, changed = faces.sources()[:2]
    MEMORY.rm_file(f"{url}/{gone.path}")
    put(url, {changed.path: picture(60)})
    for source, reason in ((gone, "unreadable"), (changed, "changed")):
        with pytest.raises(PictureError) as told:
            faces.read(source)
        assert told.value.reason == reason


def test_a_connection_that_fails_ends_the_listing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(url, FILES)

    def cut(*_: Any, **__: Any) -> bytes:
        raise ConnectionResetError("connection reset by peer")

    monkeypatch.setattr(type(MEMORY), "cat_file", cut)
    with pytest.raises(UnreachableError, match=r"\.(png|jpg) cannot be read: connection reset by peer"):
        open_faces(url).sources()


def test_a_place_without_photographs_is_refused(url: str, folder: Path) -> None:
    with pytest.raises(FacesError, match=r"there are no photographs at memory://.*: no file"):
        open_faces(url)
    put(url, {"notes.txt": b"", "more.txt": b""})
    with pytest.raises(FacesError, match="2 files, none of them JPEG"):
        open_faces(url)
    put(url, {"dataset.json": b"{}", "shards/train-00000.tar": b""})
    with pytest.raises(FacesError, match="is a dataset that fdgen wrote"):
        open_faces(url)
    assert isinstance(open_faces(folder), FolderFaces)


def test_one_tar_is_read_over_http(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    (tmp_path / "x.tar").write_bytes(tar_of({"a.png": picture(1), "b.png": picture(2)}))
    with serving(tmp_path) as served:
        with pytest.raises(DatasetError, match="cannot be listed"):
            open_faces(served.url)
        assert len(shown(open_faces(f"{served.url}/x.tar"))) == 2

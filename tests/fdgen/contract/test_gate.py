"""The gate: what a stranger's dataset, card or pack says is checked where it is opened, and writers cannot leave."""

from __future__ import annotations

import ast
import json
import os
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fdgen.contract.manifest import Manifest
from fdgen.dataset.invariants import Problem
from fdgen.dataset.shards import read_receipt, receipt_path
from fdgen.errors import AssetError, DatasetError, FdError
from fdgen.exporters.exporter import FORMATS, export
from fdgen.io.json_file import MOST_DEPTH, depth_of, parse_json, read_json
from fdgen.io.path_inside import path_inside
from fdgen.io.regular_file import UnfitFileError, open_regular
from fdgen.io.storage import Remote
from fdgen.io.toml_file import parse_toml
from fdgen.packs.add import Addition, add_asset
from fdgen.packs.check import Finding, check_pack
from fdgen.packs.library import read_pack
from fdgen.render.glb import read_glb
from fdgen.verification.verifier import verify
from fdgen.versions.lock import read_lock, write_lock
from fdgen.versions.snapshot import Snapshot
from tests.support.cutouts import bowl, cloth_mask, png
from tests.support.paths import ROOT

CORPUS = ROOT / "tests" / "fuzz" / "corpus"


@pytest.fixture
def hostile(built: Path, tmp_path: Path) -> Path:
    """Return a copy of a dataset, to be turned into a stranger's."""
    copy = tmp_path / "a" / "b" / "c" / "set"
    shutil.copytree(built, copy)
    return copy


def rewrite(root: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = root / "manifest.parquet"
    table = pq.read_table(path)
    pq.write_table(change(table), path)


def with_column(name: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    """Return what gives a column this value in the first row."""

    def change(table: pa.Table) -> pa.Table:
        values = [value, *table[name].to_pylist()[1:]]
        kind = table.schema.field(name).type
        column = pa.array(values, None if isinstance(value, bytes | list) else kind)
        return table.set_column(table.schema.names.index(name), name, column)

    return change


def within_a_minute(function: Callable[[], Any]) -> FdError | None:
    """Call a function in a thread, since it may wait for ever; return which error of ours it raised."""
    raised: list[FdError | None] = []

    def call() -> None:
        try:
            function()
        except FdError as error:
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(60)
    assert raised, "it waits for ever"
    return raised[0]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("key", "../../../PWN0"),
        ("key", "/tmp/PWN0"),
        ("key", "C:PWN0"),
        ("key", "f0\0"),
        ("key", ""),
        ("key", "123"),
        ("shard", "../../outside"),
        ("shard", "train-99999"),
        ("split", "../../x"),
        ("split", "test"),
    ],
)
def test_an_export_writes_nothing_outside_and_refuses_names_that_are_none(
    hostile: Path, tmp_path: Path, to: str, column: str, value: str
) -> None:
    rewrite(hostile, with_column(column, value))
    out = tmp_path / "a" / "b" / "out"
    before = snapshot(tmp_path)
    with pytest.raises(DatasetError, match="has been altered"):
        export(Manifest.load(hostile), to, out)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("clean_png_size", 2**33, "beyond the end"),
        ("clean_png_size", -1, "below 0"),
        ("json_offset", 2**62, "beyond the end"),
        ("mask_png_offset", -5, "below 0"),
        ("mask_png_sha256", "0" * 63 + "G", "not a digest"),
        ("mask_png_sha256", "0" * 63, "not a digest"),
        ("source_sha256", "é" * 32, "not a digest"),
        ("coverage", float("nan"), "not a finite number"),
        ("yaw_deg", float("inf"), "not a finite number"),
        ("coverage", 1e308, "outside the range of its measure"),
        ("coverage_eyes", -0.1, "outside the range of its measure"),
        ("pitch_deg", -1e300, "outside the range of its measure"),
        ("coverage", None, "gaps"),
        ("key", None, "gaps"),
        ("kinds", "[[[[", "not a list of texts"),
        ("kinds", '["../x"]', "names of kinds"),
        ("asset_ids", "{}", "not a list of texts"),
        ("source", "x" * 5000, "5,000 bytes"),
        ("variant", -1, "below 0"),
        ("variant", [1], "no int64"),
    ],
)
def test_values_of_a_manifest_are_checked_where_it_is_opened(
    hostile: Path, column: str, value: Any, words: str
) -> None:
    change = with_column(column, value)
    if isinstance(value, list):
        change = lambda table: table.set_column(  # noqa: E731
            table.schema.names.index(column), column, pa.array([value] * len(table))
        )
    rewrite(hostile, change)
    with pytest.raises(DatasetError, match=words) as told:
        Manifest.load(hostile)
    assert "\n" not in told.value.message


def test_text_of_a_manifest_that_is_not_utf_8_is_refused(hostile: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        data = pa.array([b"\xff"] * len(table), pa.binary())
        text = pa.StringArray.from_buffers(len(data), *data.buffers()[1:])
        return table.set_column(table.schema.names.index("kinds"), "kinds", text)

    rewrite(hostile, change)
    with pytest.raises(DatasetError, match=r"cannot be read: .*UTF8"):
        Manifest.load(hostile)
    assert verify(hostile)


def test_keys_that_stand_twice_and_rows_that_are_missing_are_refused(hostile: Path) -> None:
    whole = pq.read_table(hostile / "manifest.parquet")
    rewrite(hostile, lambda table: table.slice(1))
    with pytest.raises(DatasetError, match=r"rows, and dataset\.json says"):
        Manifest.load(hostile)
    rewrite(hostile, lambda _: pa.concat_tables([whole.slice(0, 1), whole.slice(0, 1), whole.slice(2)]))
    with pytest.raises(DatasetError, match="twice"):
        Manifest.load(hostile)


def test_a_manifest_that_unpacks_to_more_than_its_rows_hold_is_refused(hostile: Path) -> None:
    def bomb(table: pa.Table) -> pa.Table:
        return table.append_column("ballast", pa.array(["x" * 200_000_000] * 2 + [""] * (len(table) - 2)))

    rewrite(hostile, bomb)
    assert (hostile / "manifest.parquet").stat().st_size < 20_000_000
    with pytest.raises(DatasetError, match="unpacks to"):
        Manifest.load(hostile)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["shards"][0].update(name="../../outside"),
        lambda d: d["shards"][0].update(name="test-00000"),
        lambda d: d["shards"].append(d["shards"][0]),
        lambda d: d["shards"][0].update(bytes=-1),
        lambda d: d["shards"][0].update(bytes=2.5),
        lambda d: d["shards"][0].update(sha256="../x"),
        lambda d: d.update(content_id="0" * 63),
        lambda d: d.update(spec_id=7),
        lambda d: d["splits"].update(train="many"),
        lambda d: d["recipe"].update(size_px=10**9),
        lambda d: d.update(assets={"a": "b"}),
        lambda d: d.update(notes=[[[]]]),
    ],
)
def test_fields_of_dataset_json_are_checked_where_it_is_opened(
    hostile: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    path = hostile / "dataset.json"
    values = json.loads(path.read_bytes())
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(DatasetError, match="has been altered") as told:
        Manifest.load(hostile)
    assert "\n" not in told.value.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize(
    "name", ["dataset.json", "manifest.parquet", "SHA256SUMS", "shards/train-00000.json", "rejects.csv"]
)
def test_a_fifo_is_refused_and_not_waited_for(hostile: Path, name: str) -> None:
    (hostile / name).unlink()
    os.mkfifo(hostile / name)
    assert within_a_minute(lambda: verify(hostile)) is None or name == "dataset.json"
    error = within_a_minute(
        lambda: read_receipt(hostile / name) if "shards" in name else Snapshot.open(hostile).reasons()
    )
    assert isinstance(error, DatasetError)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_shard_that_is_a_fifo_or_a_device_is_refused(hostile: Path) -> None:
    path = hostile / "shards" / "train-00000.tar"
    path.unlink()
    os.mkfifo(path)
    error = within_a_minute(lambda: Manifest.load(hostile))
    assert isinstance(error, DatasetError)
    assert "it is a FIFO" in error.message
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match="it is a device"):
        Manifest.load(hostile)


@pytest.mark.parametrize("name", ["dataset.json", "manifest.parquet", "shards/train-00000.tar"])
def test_a_link_that_leads_out_of_a_dataset_is_refused(hostile: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    shutil.move(hostile / name, outside)
    (hostile / name).symlink_to(outside)
    with pytest.raises(DatasetError, match="leads out"):
        Manifest.load(hostile)
    assert verify(hostile)


def test_a_folder_of_shards_that_leads_out_is_refused(hostile: Path, tmp_path: Path) -> None:
    shutil.move(hostile / "shards", tmp_path / "elsewhere")
    (hostile / "shards").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="leads out"):
        Manifest.load(hostile)


def test_links_within_a_dataset_and_the_cache_of_the_hub_are_followed(built: Path, tmp_path: Path) -> None:
    """`huggingface_hub.snapshot_download` keeps files as links to `blobs`."""
    snapshot, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    blobs.mkdir()
    for number, path in enumerate(sorted(p for p in built.rglob("*") if p.is_file())):
        place = snapshot / path.relative_to(built)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blobs / str(number))
        place.symlink_to(os.path.relpath(blobs / str(number), place.parent))
    manifest = Manifest.load(snapshot)
    assert manifest.read_member(next(iter(manifest)), "json")
    blob = (snapshot / "dataset.json").resolve()
    shutil.move(blob, tmp_path / "outside")
    blob.symlink_to(tmp_path / "outside")
    with pytest.raises(DatasetError, match="leads out"):
        Manifest.load(snapshot)


def test_members_are_read_no_further_than_the_file_goes(hostile: Path) -> None:
    manifest = Manifest.load(hostile)
    (hostile / "shards" / "train-00000.tar").write_bytes(b"short")
    key = manifest.samples("train")["key"].iloc[0]
    with pytest.raises(DatasetError, match=rf"train-00000\.tar is cut short: {key} is beyond its end"):
        manifest.read_member(key, "occluded.png")


# Receipts


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["samples"][0]["record"].update(key="../../x"),
        lambda r: r["samples"][0]["record"].update(coverage="1"),
        lambda r: r["samples"][0]["record"].update(kinds="mask"),
        lambda r: r["samples"][0]["record"].update(placement=5),
        lambda r: r["samples"][0]["record"].update(source_sha256="x"),
        lambda r: r["samples"][0]["record"].update(variant=2**70),
        lambda r: r["samples"][0]["members"]["json"].update(size=2**70),
        lambda r: r["samples"][0]["members"]["json"].update(sha256=5),
        lambda r: r.update(samples=5),
        lambda r: r.update(rejects=[5]),
        lambda r: r.update(bytes="many"),
        lambda r: r.update(schema=[]),
    ],
)
def test_receipts_of_strangers_are_refused_in_one_sentence(
    hostile: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    path = receipt_path(hostile, "train-00000")
    values = json.loads(path.read_bytes())
    change(values)
    path.write_text(json.dumps(values, sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")
    with pytest.raises(DatasetError) as told:
        read_receipt(path)
    assert "\n" not in told.value.message
    assert verify(hostile)


# Cards


def test_a_lock_that_names_a_folder_elsewhere_is_refused(built: Path, tmp_path: Path) -> None:
    from fdgen.dataset.checksums import write_sums

    write_lock(built, tmp_path / "card")
    path = tmp_path / "card" / "lock.json"
    values = json.loads(path.read_bytes())
    for change in ({"name": "../../x"}, {"version": "1.0.0/../.."}, {"shards": [{"sha256": ""}]}, {"made": -1}):
        path.write_text(json.dumps({**values, **change}), encoding="utf-8")
        write_sums(tmp_path / "card")
        with pytest.raises(DatasetError, match="is not a lock of fdgen"):
            read_lock(tmp_path / "card")


# Packs


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Return a pack of one mask."""
    picture = tmp_path / "one.png"
    picture.write_bytes(png(cloth_mask()))
    add_asset(tmp_path / "pack", picture, Addition("mask", licence="CC0-1.0", origin="painted"))
    return tmp_path / "pack"


@pytest.mark.parametrize("path", sorted((CORPUS / "pack-index").iterdir()), ids=lambda path: path.name)
def test_an_index_that_is_nested_deeply_is_refused(pack: Path, path: Path) -> None:
    shutil.copyfile(path, pack / "index.json")
    with pytest.raises(AssetError, match="nested"):
        read_pack(pack)
    assert check_pack(pack)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("name", ["index.json", "mask/one.toml", "mask/one.png"])
def test_a_fifo_in_a_pack_is_refused(pack: Path, name: str) -> None:
    (pack / name).unlink()
    os.mkfifo(pack / name)
    assert isinstance(within_a_minute(lambda: read_pack(pack)), AssetError)
    assert within_a_minute(lambda: check_pack(pack)) is None


@pytest.mark.parametrize("name", ["index.json", "mask/one.toml", "mask/one.png"])
def test_a_link_that_leads_out_of_a_pack_is_refused(pack: Path, tmp_path: Path, name: str) -> None:
    """A picture of somebody's own would be worn by the dataset, and passed on with it."""
    shutil.move(pack / name, tmp_path / "outside")
    (pack / name).symlink_to(tmp_path / "outside")
    with pytest.raises(AssetError, match="leads out"):
        read_pack(pack)
    assert check_pack(pack)


def test_a_folder_of_a_pack_that_leads_out_is_neither_read_nor_written(pack: Path, tmp_path: Path) -> None:
    shutil.move(pack / "mask", tmp_path / "elsewhere")
    (pack / "mask").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AssetError, match="leads out"):
        read_pack(pack)
    before = snapshot(tmp_path / "elsewhere")
    with pytest.raises(FdError, match="leads out"):
        add_asset(pack, tmp_path / "one.png", Addition("mask", id="other"))
    assert snapshot(tmp_path / "elsewhere") == before


# JSON and TOML


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested 100,000 deep"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "nested 70 deep"),
        (b'{"a": NaN}', "not a finite number"),
        (b'{"a": -Infinity}', "not a finite number"),
        (b'{"a": 1e999}', "not a finite number"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'"\\ud800"', "half a character"),
        ('"a"'.encode("utf-16"), "not UTF-8"),
        (b"1" * 5_000, "hundreds of digits"),
        (b"[1, " + b"9" * 309 + b"]", "hundreds of digits"),
        (b"", "Expecting value"),
    ],
)
def test_json_is_bounded(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(DatasetError, match=words) as told:
        read_json(tmp_path / "x.json")
    assert "\n" not in told.value.message


def test_depth_counts_no_bracket_within_text() -> None:
    assert depth_of(json.dumps({"[[": ['\\"[[[', {"a": "]]]}"}]}).encode()) == 3
    deep: Any = "x"
    for _ in range(MOST_DEPTH):
        deep = [deep]
    assert parse_json(json.dumps(deep)) == deep


def test_a_json_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(DatasetError, match="more than the limit of"):
        read_json(path)


def test_toml_keys_of_thousands_of_parts_are_refused() -> None:
    for text in ("a." * 100_000 + "a = 1", "x = " + "[" * 50_000, "\udcff"):
        with pytest.raises(ValueError, match=r"hundreds of parts|too deeply|not UTF-8|Invalid"):
            parse_toml(text.encode("utf-8", "surrogatepass"))


# Places to write to


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/../../x", "/etc/x", "a//b", "C:x", "c:/x", "a\\..\\x", "a\0b", "a\nb", "x" * 256]
)
def test_names_that_leave_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="is no name of a file within") as told:
        path_inside(tmp_path, name)
    assert "\n" not in told.value.message


def test_a_name_through_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "there").mkdir(parents=True)
    (out / "away").symlink_to(tmp_path)
    (out / "near").symlink_to(out / "there")
    (out / "file").symlink_to(tmp_path / "target")
    assert path_inside(out, "near/x") == out / "near" / "x"
    assert path_inside(out, "new/folder/x") == out / "new" / "folder" / "x"
    for name in ("away/x", "file"):
        with pytest.raises(DatasetError, match="leads out"):
            path_inside(out, name)


def test_an_export_does_not_follow_links_that_were_planted(built: Path, tmp_path: Path) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    export(Manifest.load(built), "imagefolder", out)
    shutil.rmtree(out / "train")
    (out / "train").symlink_to(outside)
    with pytest.raises(DatasetError, match="leads out"):
        export(Manifest.load(built), "imagefolder", out)
    assert not list(outside.iterdir())


WRITERS = (
    *sorted((ROOT / "fdgen" / "exporters").glob("*.py")),
    *(ROOT / "fdgen" / name for name in ("cards/card.py", "packs/add.py")),
    *(ROOT / "cli" / name for name in ("fdgen/reproduce.py", "fdtrain/restore.py", "fdtrain/restore_output.py")),
    *sorted((ROOT / "fdtrain" / "comparison").glob("*.py")),
    *sorted((ROOT / "fdtrain" / "report").glob("*.py")),
)
"""Modules that write under names from files: they join folders with names of their own alone or call `path_inside`."""

NUMBERS = (
    *("charts.py", "statistics.py", "evaluations.py", "plan.py", "task.py", "ablation.py", "tables.py"),
    *("ablation_tables.py", "sources.py"),
)
"""Of these, modules that divide numbers: there, only joins with text are looked for."""


def joins(tree: ast.AST, *, divides: bool) -> list[str]:
    """Return the expressions that join a path with other than a literal or a constant, without `path_inside`."""

    def constant(node: ast.expr) -> bool:
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        return isinstance(node, ast.Constant) or name.lstrip("_").isupper()

    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            text = isinstance(node.right, ast.JoinedStr)
            if text or not (divides or constant(node.right)):
                found.append(ast.unparse(node))
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("joinpath", "with_name", "with_stem") and not all(map(constant, node.args)):
                found.append(ast.unparse(node))
            if called == "Path" and any(isinstance(argument, ast.JoinedStr) for argument in node.args):
                found.append(ast.unparse(node))
    return found


ALLOWED = {
    "restore_output.py": {"out / f'{name}{suffix}'"},  # looked at before anything is written, never opened
    "plan.py": {"Path('rows', self.name, f'seed-{self.seed}' if self.seed is not None else 'once')"},
    "pages.py": {"resources.files('fdtrain.report').joinpath(name)"},
}


@pytest.mark.parametrize("path", WRITERS, ids=lambda path: path.name)
def test_no_writer_joins_names_around_path_inside(path: Path) -> None:
    found = joins(ast.parse(path.read_text(encoding="utf-8")), divides=path.name in NUMBERS)
    assert set(found) <= ALLOWED.get(path.name, set())


def test_a_join_around_path_inside_is_noticed() -> None:
    for text in ("root / name", "root / f'{key}.png'", "root.joinpath(key)", "Path(f'{a}-{b}')", "p.with_name(x)"):
        assert joins(ast.parse(text), divides=False), text
    assert not joins(ast.parse("root / 'a' / FILE / run.STATS"), divides=False)


def test_errors_are_one_line_whatever_they_quote() -> None:
    error = DatasetError("a\n  b\r\nc\u2028d \x1b[31m" + "x" * 10_000, hint="e\nf")
    assert error.message.startswith("a b c d \\x1b[31mx")
    assert len(error.message) < 3_000
    assert (error.hint, str(error)) == ("e f", error.message)
    assert Problem("a\nb", None, "x", "c\nd") == Problem("a b", None, "x", "c d")
    assert Finding("a\nb", "c\nd", "e") == Finding("a b", "c d", "e")


def test_what_is_opened_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(UnfitFileError, match="a folder"):
        open_regular(tmp_path)
    (tmp_path / "x").write_bytes(b"x")
    with open_regular(tmp_path / "x", within=tmp_path) as file:
        assert file.read() == b"x"


def test_loading_keeps_every_value(built: Path) -> None:
    import pandas as pd

    loaded, read = Manifest.load(built).table, pd.read_parquet(built / "manifest.parquet")
    pd.testing.assert_frame_equal(loaded, read)
    assert np.array_equal(loaded["clean_png_offset"], read["clean_png_offset"])


# Meshes


def edited_bowl(change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the mesh of a bowl whose document was changed."""
    data = bowl()
    size = int.from_bytes(data[12:16], "little")
    document = json.loads(data[20 : 20 + size])
    change(document)
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + size :]
    return data[:8] + struct.pack("<III", 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


def _endless(document: dict[str, Any]) -> None:
    root = document["scenes"][document.get("scene", 0)]["nodes"][0]
    n = len(document["nodes"])
    document["nodes"] += [{"children": [n + k + 1] * 2} for k in range(50)] + [{"children": [root]}]
    document["scenes"][document.get("scene", 0)]["nodes"] = [n]


def _accessor(document: dict[str, Any], name: str) -> dict[str, Any]:
    primitive = document["meshes"][0]["primitives"][0]
    index = primitive["indices"] if name == "indices" else primitive["attributes"][name]
    found: dict[str, Any] = document["accessors"][index]
    return found


@pytest.mark.parametrize(
    "change",
    [
        _endless,
        lambda d: _accessor(d, "indices").update(componentType=5126),
        lambda d: _accessor(d, "indices").update(
            componentType=5120, bufferView=_accessor(d, "POSITION")["bufferView"], count=30
        ),
        lambda d: (
            d["meshes"][0]["primitives"][0]["attributes"].update(
                NORMAL=d["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
            )
            or d["accessors"].append({**_accessor(d, "NORMAL"), "count": 1})
            or d["meshes"][0]["primitives"][0]["attributes"].update(NORMAL=len(d["accessors"]) - 1)
        ),
    ],
    ids=["nodes without end", "indices that are floats", "indices below 0", "one normal for all"],
)
def test_meshes_that_would_lead_the_renderer_astray_are_refused(change: Callable[[dict[str, Any]], None]) -> None:
    assert read_glb(edited_bowl(lambda document: None), "bowl.glb")
    with pytest.raises(AssetError, match="is not a readable GLB mesh"):
        read_glb(edited_bowl(change), "bowl.glb")


# Files behind URLs


def test_a_file_behind_a_url_is_not_read_where_it_is_too_large() -> None:
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").pipe("/gate/dataset.json", b"x" * 1_000)
    place = Remote("memory://gate/dataset.json")
    assert len(place.read_bytes(1_000)) == 1_000
    with pytest.raises(DatasetError, match="more than the limit of 999"):
        place.read_bytes(999)

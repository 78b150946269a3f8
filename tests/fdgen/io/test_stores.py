"""The two kinds of output: whole files under final names, one writer at a time, every failure in a sentence."""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fdgen.errors import DatasetError, UnreachableError
from fdgen.io import storage
from fdgen.io.storage import Remote, open_file, open_place
from fdgen.io.stores import lease
from fdgen.io.stores.connection import open_system, without_credentials
from fdgen.io.stores.object_store import ObjectStore
from fdgen.io.stores.opening import store_of
from fdgen.io.stores.store import OutputStore

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "WAIT_S", 0.0)


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> OutputStore:
    return store_of(tmp_path / "set" if request.param == "folder" else in_memory())


def in_memory() -> Remote:
    return Remote(f"memory://{secrets.token_hex(8)}/set")


def write_file(store: OutputStore, name: str) -> None:
    with store.whole_file(name) as file:
        file.write(b"some")


def content(store: OutputStore, name: str) -> bytes:
    with open_file(store.root / name) as file:
        return file.read()


def test_files_are_written_listed_and_removed_alike(store: OutputStore) -> None:
    store.refuse_file()
    store.make()
    assert [name for name in store.names() if name != "shards"] == store.names("shards") == store.every_file() == []
    store.write_whole("a.json", b"one")
    store.write_whole("a.json", b"two")
    with store.whole_file("shards/b.tar") as file:
        file.write(b"x" * 100_000)
        file.write(b"y")
        assert not store.exists("shards/b.tar")
    assert store.names() == ["a.json", "shards"]
    assert store.names("shards") == ["b.tar"]
    assert store.every_file() == ["a.json", "shards/b.tar"]
    assert content(store, "a.json") == b"two"
    assert content(store, "shards/b.tar") == b"x" * 100_000 + b"y"
    store.remove("shards/b.tar")
    store.remove("shards/b.tar")
    assert not store.exists("shards/b.tar")
    assert store.exists("a.json")


def test_what_raises_leaves_nothing_under_the_name(store: OutputStore) -> None:
    store.make()
    for open_file_of in (store.whole_file, store.whole_file_if_other):
        with pytest.raises(KeyError), open_file_of("shards/b.tar") as file:
            raise KeyError(file.write(b"half"))
    assert store.every_file() == []


def test_a_file_that_is_the_same_stays_untouched(store: OutputStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.make()
    store.write_whole("a", b"one")
    written: list[str] = []
    if isinstance(store, ObjectStore):
        memory = type(open_system(store.root.url)[0])
        for name in ("pipe_file", "put_file"):
            monkeypatch.setattr(memory, name, lambda *arguments, **options: written.append(str(arguments)))
    before = None if isinstance(store, ObjectStore) else (Path(str(store.root)) / "a").stat()
    store.write_whole("a", b"one")
    with store.whole_file_if_other("a") as file:
        file.write(b"one")
    assert written == []
    if before is not None:
        after = (Path(str(store.root)) / "a").stat()
        assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    with store.whole_file_if_other("a") as file:
        file.write(b"six")
    assert (len(written) == 1) if isinstance(store, ObjectStore) else content(store, "a") == b"six"


def test_one_holds_a_place_and_a_second_is_refused(store: OutputStore) -> None:
    store.make()
    again = store_of(store.root)
    with store.held():
        assert again.is_held()
        assert not again.is_held(".fdgen.part-0-of-2.lock")
        with (
            pytest.raises(DatasetError, match=re.escape(f"another build is writing to {store.root}")) as refused,
            again.held(),
        ):
            pytest.fail("two hold it")
        assert refused.value.hint
    assert not again.is_held()
    assert [name for name in store.names() if name != "shards"] == []
    with again.held():
        pass


def test_a_lease_that_is_not_renewed_is_taken_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    root = in_memory()
    dead, heir, late = (ObjectStore(root) for _ in range(3))
    monkeypatch.setattr(lease, "LEASE_S", 0.2)
    monkeypatch.setattr(lease, "RENEW_S", 60.0)  # as of a process that was killed, or sleeps
    with lease.held(dead, ".fdgen.lock", "busy is") as lost:
        time.sleep(0.25)
        assert not heir.is_held()
        monkeypatch.setattr(lease, "LEASE_S", 60.0)
        with heir.held():
            assert heir.names() == [".fdgen.lock.lease-00000002"]
            with pytest.raises(DatasetError, match="another build is writing"), late.held():
                pytest.fail("two hold it")
            with pytest.raises(DatasetError, match=r"no longer holds its lease .*: another build has taken it over"):
                lost.check()
            heir.write_whole("mine.json", b"by the heir")
    assert heir.names() == ["mine.json"]


def test_who_has_lost_a_lease_writes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.1)
    store = ObjectStore(in_memory())
    with store.held():
        store.write_whole("a", b"one")
        store.put(".fdgen.lock.lease-00000002", b"{}")
        time.sleep(0.15)
        for write in (
            lambda: store.write_whole("b", b"two"),
            lambda: write_file(store, "c"),
            lambda: store.remove("a"),
        ):
            with pytest.raises(DatasetError, match="no longer holds its lease"):
                write()
    assert store.names() == [".fdgen.lock.lease-00000001", ".fdgen.lock.lease-00000002", "a"]


def test_a_lease_is_renewed_while_its_holder_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.02)
    store = ObjectStore(in_memory())
    with store.held():
        first = store.read(".fdgen.lock.lease-00000001", 1000)
        deadline = time.monotonic() + 30
        while store.read(".fdgen.lock.lease-00000001", 1000) == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_holder_that_slept_goes_on_where_nobody_took_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_S", 0.1)
    store = ObjectStore(in_memory())
    with store.held():
        time.sleep(0.15)
        store.write_whole("a", b"one")
        assert store.is_held()


@pytest.mark.parametrize(
    "said",
    [
        b"\x00 no JSON",
        b"{}",
        *(b'{"holder": "a", "host": "b", "pid": 1, "until": %s}' % n for n in (b"9e99", b"1e400")),
    ],
)
def test_a_lease_that_says_nothing_that_can_be_has_expired(said: bytes) -> None:
    store = ObjectStore(in_memory())
    store.put(".fdgen.lock.lease-00000007", said)
    assert not store.is_held()
    with store.held():
        assert store.names() == [".fdgen.lock.lease-00000008"]


def test_of_two_that_begin_at_once_one_goes_on() -> None:
    root = in_memory()
    first, second = (lease.Lease(ObjectStore(root), ".fdgen.lock", 1) for _ in range(2))
    assert first.claim()
    assert not second.claim()


def test_one_that_made_a_lower_lease_late_gives_way() -> None:
    store = ObjectStore(in_memory())
    higher, lower = lease.Lease(store, ".fdgen.lock", 2), lease.Lease(store, ".fdgen.lock", 1)
    assert higher.claim()
    assert not lower.claim()
    assert store.names() == [".fdgen.lock.lease-00000002"]


@pytest.mark.parametrize("n_failures", [1, storage.TRIES - 1])
def test_a_put_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch, n_failures: int) -> None:
    store, left = ObjectStore(in_memory()), [n_failures]
    fail(monkeypatch, store, left)
    with store.whole_file("b.tar") as file:
        file.write(b"all of it")
    assert content(store, "b.tar") == b"all of it"
    assert left == [0]


def test_a_put_that_goes_on_failing_is_told_of_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore(in_memory())
    fail(monkeypatch, store, [100])
    with pytest.raises(UnreachableError, match=r"b\.tar cannot be reached: connection reset") as told:
        write_file(store, "b.tar")
    assert "run the same command again" in told.value.hint
    assert store.every_file() == []


def fail(monkeypatch: pytest.MonkeyPatch, store: ObjectStore, left: list[int]) -> None:
    """Let the next `left[0]` uploads fail."""
    memory = type(open_system(store.root.url)[0])
    put = memory.put_file

    def put_file(*arguments: Any, **options: Any) -> None:
        if left[0]:
            left[0] -= 1
            raise ConnectionResetError("connection reset")
        put(*arguments, **options)

    monkeypatch.setattr(memory, "put_file", put_file)


@pytest.mark.parametrize(
    ("method", "use", "said"),
    [
        ("ls", lambda store: store.names(), "listed"),
        ("find", lambda store: store.every_file(), "listed"),
        ("cat_file", lambda store: store.read("a", 100), "read"),
        ("info", lambda store: store.exists("a"), "read"),
        ("pipe_file", lambda store: store.put("a", b"other"), "written"),
        ("rm_file", lambda store: store.delete("a"), "removed"),
    ],
)
def test_what_permission_lacks_for_is_named(
    method: str, use: Callable[[ObjectStore], Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(in_memory())
    store.put("a", b"one")

    def denied(*given: Any, **named: Any) -> None:
        raise PermissionError("Forbidden")

    monkeypatch.setattr(open_system(store.root.url)[0], method, denied, raising=True)
    with pytest.raises(UnreachableError, match=f"cannot be {said}: permission denied"):
        use(store)


def test_a_store_that_does_not_put_whole_objects_is_refused() -> None:
    for url in ("https://example.org/set", "sftp://host/set", "github://a:b@main/set"):
        with pytest.raises(DatasetError, match="cannot be written to") as refused:
            store_of(open_place(url)).refuse_file()
        with pytest.raises(DatasetError, match="cannot be written to"):
            store_of(open_place(url)).write_whole("a", b"")
        assert "s3://" in refused.value.hint


def test_a_url_with_credentials_is_refused_and_never_shown() -> None:
    for url in ("s3://KEY:SECRET@bucket/set", "s3://bucket/set?X-Amz-Signature=SECRET"):
        with pytest.raises(DatasetError, match="credentials") as refused:
            store_of(open_place(url)).refuse_file()
        assert "SECRET" not in refused.value.message + refused.value.hint
        assert "SECRET" not in str(Remote(url)) + repr(Remote(url))
    assert without_credentials("no https://a:b@c/d?e=f, nor g") == "no https://c/d nor g"


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme, package, extra in (("s3", "s3fs", "s3"), ("gs", "gcsfs", "gcs"), ("az", "adlfs", "azure")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(DatasetError, match=f"{package}, which {scheme}:// needs") as told:
            store_of(open_place(f"{scheme}://bucket/set")).refuse_file()
        assert f"fd-stackgan[{extra}]" in told.value.hint

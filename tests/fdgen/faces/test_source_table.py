"""Photographs in columns are the photographs that were put in, and take a fraction of their memory."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import pickle
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fdgen.contract.digests import canonical_json
from fdgen.dataset.spec import sources_digest
from fdgen.dataset.tables import read_sources, write_sources
from fdgen.faces.source_table import SourceTable, TextColumn
from fdgen.faces.sources import Source

texts = st.text(max_size=12)
sources = st.lists(
    st.builds(
        Source,
        texts,
        st.integers(0, 40).map(lambda n: hashlib.sha256(b"%d" % n).hexdigest()),
        st.none() | texts,
        st.sampled_from([None, "train", "val", "test"]),
        st.none() | st.lists(st.sampled_from(["Male", "Smiling", "Bald", ""]), max_size=4).map(tuple),
        st.none() | st.tuples(st.integers(0, 2**50), st.integers(0, 2**40)),
    ),
    max_size=12,
)


@given(sources)
def test_a_table_holds_what_was_put_in(given: list[Source]) -> None:
    table = SourceTable(given)
    assert list(table) == given
    assert table == given
    assert table[1:] == given[1:]
    assert [table[-1]] == given[-1:] if given else not len(table)
    assert pickle.loads(pickle.dumps(table)) == given
    assert table.digests.tobytes().hex() == "".join(source.sha256 for source in given)
    assert SourceTable.of(table) is table
    assert table != [*given, Source("more", "00" * 32)]


@given(sources)
def test_columns_hold_what_was_put_in(given: list[Source]) -> None:
    table = SourceTable(given)
    assert list(table.hex_digests()) == [source.sha256 for source in given]
    assert [table.sha256(place) for place in range(len(given))] == [source.sha256 for source in given]
    assert table.without_split == sum(source.split is None for source in given)
    assert table.without_identity == sum(source.identity is None for source in given)
    start = len(given) // 3
    columns, part = table.columns(start, len(given)), given[start:]
    assert texts_of(columns.paths) == [source.path for source in part]
    assert texts_of(columns.digests) == [source.sha256 for source in part]
    assert texts_of(columns.people) == [source.identity for source in part]
    assert [columns.split_names[code] for code in columns.splits] == [source.split for source in part]
    names = [columns.attribute_names[code] for code in columns.attributes]
    ends = columns.attribute_offsets.tolist()
    lists = [tuple(names[low:high]) for low, high in itertools.pairwise(ends)]
    assert [None if lacks else some for lacks, some in zip(columns.without_attributes, lists, strict=True)] == [
        source.attributes for source in part
    ]


def texts_of(column: TextColumn) -> list[str | None]:
    spans = zip(itertools.pairwise(column.offsets.tolist()), column.missing, strict=True)
    return [None if missing else column.data[low:high].decode() for (low, high), missing in spans]


@given(sources)
def test_the_table_of_photographs_is_read_back(given: list[Source]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_sources(path := Path(folder) / "sources.parquet", given)
        assert read_sources(path) == [dataclasses.replace(source, span=None) for source in given]


@given(sources)
def test_the_digest_is_that_of_canonical_rows(given: list[Source]) -> None:
    rows = sorted(map(_row, given))
    assert sources_digest(given) == hashlib.sha256("".join(row + "\n" for row in rows).encode()).hexdigest()


def test_what_is_beyond_the_end_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        SourceTable()[0]
    with pytest.raises(ValueError, match="64 hex digits"):
        SourceTable([Source("a", "ab")])


def test_photographs_are_found_by_their_digest() -> None:
    alike = [f"{'ab' * 8}{n:048x}" for n in (5, 3, 4)]  # they begin alike
    digests = [*(hashlib.sha256(b"%d" % n).hexdigest() for n in range(50)), *alike]
    table = SourceTable(Source(f"{n}.jpg", sha256) for n, sha256 in enumerate(digests))
    asked = [52, 3, 50, 17, 51, 3]
    wanted = np.frombuffer(bytes.fromhex("".join(digests[n] for n in asked)), np.uint8).reshape(-1, 32)
    assert table.places(wanted).tolist() == asked
    assert table.places(wanted[:0]).tolist() == []
    for other in ("ff" * 32, f"{'ab' * 8}{9:048x}", "00" * 32):
        with pytest.raises(ValueError, match="not in the table"):
            table.places(np.frombuffer(bytes.fromhex(other), np.uint8)[None])


def test_a_photograph_takes_few_bytes() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        table = SourceTable(
            Source(f"{n:06d}.jpg", hashlib.sha256(b"%d" % n).hexdigest(), f"{n // 3}", "train", ("Male", "Young"))
            for n in range(5_000)
        )
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(table) < 120
    assert sys.getsizeof(table[0].sha256) > 100  # of one object, one field


@given(sources)
def test_the_digest_of_photographs_does_not_go_by_their_order(given: list[Source]) -> None:
    wanted = hashlib.sha256(b"".join(row.encode() + b"\n" for row in sorted(map(_row, given)))).hexdigest()
    for ordered in (given, sorted(given, key=_row), given[::-1], iter(given), SourceTable(given)):
        assert sources_digest(ordered) == wanted


def _row(source: Source) -> str:
    attributes = None if source.attributes is None else list(source.attributes)
    return canonical_json([source.path, source.sha256, source.identity, source.split, attributes])

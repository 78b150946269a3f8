"""The columns of manifest.parquet and their types."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fdgen.contract.records import MEMBERS, SampleRecord

if TYPE_CHECKING:
    import pyarrow as pa


def manifest_schema(members: Sequence[str] = MEMBERS) -> pa.Schema:
    """Return the columns of manifest.parquet of samples with these members.

    Lists and objects are JSON text: every reader has that, and none agree on nested columns.
    """
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    types = {"str": text, "str | None": text, "int": whole, "float": real, "bool": pa.bool_()}
    return pa.schema(
        [(f.name, types.get(str(f.type), text)) for f in dataclasses.fields(SampleRecord)]
        + [("shard", text)]
        + [
            (f"{member.replace('.', '_')}_{what}", kind)
            for member in members
            for what, kind in (("sha256", text), ("offset", whole), ("size", whole))
        ]
    )

"""The dataset format: records, manifest, digests, the frame of CelebA's crops. fdtrain uses it too.

The names below are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fdgen.contract.digests import canonical_json, digest_json, merkle_root
    from fdgen.contract.frame import CROP_PX, EYES_PX
    from fdgen.contract.manifest import Manifest, read_finished
    from fdgen.contract.records import (
        ADDED,
        KEY_PATTERN,
        MEMBERS,
        PICTURES,
        SCHEMA,
        SPLITS,
        MemberEntry,
        Reject,
        SampleEntry,
        SampleRecord,
        ShardReceipt,
        Triplet,
        sample_key,
    )

_HOMES = {
    "ADDED": "records",
    "CROP_PX": "frame",
    "EYES_PX": "frame",
    "KEY_PATTERN": "records",
    "MEMBERS": "records",
    "Manifest": "manifest",
    "MemberEntry": "records",
    "PICTURES": "records",
    "Reject": "records",
    "SCHEMA": "records",
    "SPLITS": "records",
    "SampleEntry": "records",
    "SampleRecord": "records",
    "ShardReceipt": "records",
    "Triplet": "records",
    "canonical_json": "digests",
    "digest_json": "digests",
    "merkle_root": "digests",
    "read_finished": "manifest",
    "sample_key": "records",
}

__all__ = [
    "ADDED",
    "CROP_PX",
    "EYES_PX",
    "KEY_PATTERN",
    "MEMBERS",
    "PICTURES",
    "SCHEMA",
    "SPLITS",
    "Manifest",
    "MemberEntry",
    "Reject",
    "SampleEntry",
    "SampleRecord",
    "ShardReceipt",
    "Triplet",
    "canonical_json",
    "digest_json",
    "merkle_root",
    "read_finished",
    "sample_key",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

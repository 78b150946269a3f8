"""The dataset format: records, manifest, digests, the frame of CelebA's crops. fdtrain uses it too.

The names below are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdgen.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

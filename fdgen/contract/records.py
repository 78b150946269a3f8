"""Samples and shards described as JSON: records, receipts, and the digests that verify them.

Imports the standard library and numpy alone. Arrays are RGB uint8, `_HWC` or `_HW`.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.contract.digests import canonical_json, digest_json
from fdgen.errors import DatasetError
from fdgen.io.json_file import parse_json, why

SCHEMA = 1
"""Version of the layout on disk; a reader refuses any other."""

SPLITS = ("train", "val", "test")
PICTURES = ("alpha", "clean", "mask", "occluded")
MEMBERS = ("alpha.png", "clean.png", "json", "mask.png", "occluded.png")
"""Members of a sample, in their order in a shard."""

KEY_PATTERN = re.compile(r"[a-z][a-z0-9_-]*\Z")
"""A key of digits only is read as a number by Croissant; a dot splits differently in Hugging Face and webdataset."""

SHARD_PATTERN = re.compile(rf"({'|'.join(SPLITS)})-[0-9]{{5,9}}\Z")
"""The name of a shard, `train-00000`; a million of them have seven digits."""

DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}\Z")

IMPORTED = "imported"
"""The `kind` of the sources of a dataset whose pairs were made elsewhere: no recipe, no landmarks, no placements."""

MOST_NAME = 200
"""Characters of a key: with a suffix it is the name of a file."""

MOST_DEG = 360.0
"""Of an angle: what counts by steps of it counts for ever otherwise."""

MOST_WHOLE = 2**63 - 1
"""Of any count, offset and size: what tables hold."""


Row = TypeVar("Row")


def sample_key(source_sha256: str, variant: int) -> str:
    """Return the key of a sample: `f`, 16 hex digits of its source's digest, `-`, the variant."""
    return f"f{source_sha256[:16]}-{variant}"


_PLAIN_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
}
"""What JSON may give for a field of a record, by the field's type as it is written."""

_LISTS = ("kinds", "asset_ids", "worn")
"""Fields of a record that are lists of texts."""


ADDED = ("worn", "hair")
"""Fields that records did not have from the start: None in those made before, which are written as they were read."""


def _fields_of(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as they are; `dataclasses.asdict` copies all within, six times slower."""
    values = {field_.name: getattr(record, field_.name) for field_ in dataclasses.fields(record)}
    return {name: value for name, value in values.items() if value is not None or name not in ADDED}


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """All that is known of one sample; the `json` member of a shard and a row of the manifest.

    Coverage is a share in [0, 1]: `coverage` of the crop by the mask (occluder and shadow); the others of the face
    oval, the eyes, the nose and the mouth by the occluder's silhouette (`alpha` >= 128). Angles are degrees: yaw
    positive when the face turns to the viewer's right, pitch positive when it looks up, roll positive when it tilts
    clockwise as seen. `placement` holds one JSON object a layer and is all that a replay needs in addition to the face.

    `worn` lists what the clean picture shows already, of `eyewear`, `mask`, `hat` and `hand` (a hand, or what it holds,
    before the face; older records never list it): whoever learns to uncover faces may want to leave such pictures out.
    `hair` says whether hair could be distinguished from skin, so that it lies over the occluder: `measured`, `none` (no
    hair over the face) or `unsure` (then none is put over anything).
    """

    key: str
    split: str
    source: str
    source_sha256: str
    variant: int
    identity: str | None
    kinds: tuple[str, ...]
    asset_ids: tuple[str, ...]
    held_out: bool
    attempt: int
    coverage: float
    coverage_face: float
    coverage_eyes: float
    coverage_nose: float
    coverage_mouth: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    pose_residual_px: float
    gates: Mapping[str, float]
    placement: tuple[Mapping[str, Any], ...]
    worn: tuple[str, ...] | None = None
    hair: str | None = None

    def to_json(self) -> str:
        """Serialise canonically: equal records give equal bytes.

        Gates and placements are JSON text within: their fields differ from kind to kind, and readers that make one
        table of all records (Hugging Face's) refuse fields that change their type.
        """
        values = _fields_of(self)
        values["gates"] = canonical_json(self.gates)
        values["placement"] = [canonical_json(layer) for layer in self.placement]
        return canonical_json(values)

    @classmethod
    def from_json(cls, data: bytes) -> SampleRecord:
        """Read a member `json` of a shard back; raise `DatasetError` where it is none."""
        try:
            values = parse_json(data)
        except ValueError as error:
            raise DatasetError(f"a sample record cannot be read: {why(error)}") from error
        if not isinstance(values, dict):
            raise DatasetError("a sample record cannot be read: it is no JSON object")
        return cls.from_mapping(values)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> SampleRecord:
        """Read a record back from parsed JSON, gates and placements as objects or as text.

        Raises `DatasetError` where a field is missing, unknown or of another type.
        """
        names = {f.name for f in dataclasses.fields(cls)}
        values = {**dict.fromkeys(ADDED), **values}
        if names != set(values):
            odd = sorted(names ^ set(values))
            raise DatasetError(f"a sample record of schema {SCHEMA} has other fields than expected: {', '.join(odd)}")
        _check_types(cls, values, "a sample record")
        for name in _LISTS:
            texts = values[name]
            if texts is not None or name not in ADDED:
                if not isinstance(texts, list | tuple) or not all(type(text) is str for text in texts):
                    raise DatasetError(f"a sample record has {texts!r} as its {name}, which is not a list of texts")
                values[name] = tuple(texts)
        try:
            gates = parse_json(values["gates"]) if isinstance(values["gates"], str) else values["gates"]
            layers = [parse_json(one) if isinstance(one, str) else one for one in _list_of(values["placement"])]
        except ValueError as error:
            raise DatasetError(f"a sample record has gates or a placement that cannot be read: {why(error)}") from error
        if not isinstance(gates, Mapping) or not all(_is_number(figure) for figure in gates.values()):
            raise DatasetError(f"a sample record has {gates!r} as its gates, which are not numbers by name")
        if not all(isinstance(layer, Mapping) for layer in layers):
            raise DatasetError("a sample record has a placement that is not a list of objects")
        return cls(**{**values, "gates": gates, "placement": tuple(layers)})


@dataclass(frozen=True, slots=True)
class Triplet:
    """One training pair with its masks. Outside `mask_HW` the two pictures are equal, pixel by pixel.

    `mask_HW` is 0 or 255; 255 wherever the occluder or its shadow may have changed anything. `alpha_HW` is the 8-bit
    geometric coverage of the occluder's silhouette alone. `truth` holds the further layers that the recipe asks for, by
    the names of `fdgen.contract.truth.TRUTH`: pictures, of 16 bits the depth, and the caption's text.
    """

    clean_HWC: Image
    occluded_HWC: Image
    mask_HW: Image
    alpha_HW: Image
    record: SampleRecord
    truth: Mapping[str, npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reject:
    """A face that gave no sample. `reason` is a short code to count by, `detail` one sentence for a person."""

    source: str
    source_sha256: str
    variant: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """Where one member of a sample lies in its shard: offset and size of its data in bytes, and its sha256."""

    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SampleEntry:
    """One sample of a shard: its record and where its members lie, by the names of `MEMBERS`, and of truth layers."""

    record: SampleRecord
    members: Mapping[str, MemberEntry]

    def digest(self) -> str:
        """Return the digest of the sample's content: its key and the sha256 of each of `MEMBERS`.

        Truth layers follow from the record, and their bytes are in the sha256 of the shard.
        """
        return digest_json([self.record.key, [[name, self.members[name].sha256] for name in MEMBERS]])


@dataclass(frozen=True, slots=True)
class ShardReceipt:
    """What a finished shard holds. It is written last: a shard without it does not exist.

    `plan_sha256` is the digest of what the shard was asked to hold, `spec_id` that of the dataset it belongs to.
    """

    name: str
    split: str
    spec_id: str
    plan_sha256: str
    sha256: str
    bytes: int
    samples: tuple[SampleEntry, ...]
    rejects: tuple[Reject, ...] = ()
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Serialise canonically."""
        values = _fields_of(self)
        values["rejects"] = [_fields_of(reject) for reject in self.rejects]
        values["samples"] = [
            {
                "record": _fields_of(entry.record),
                "members": {name: _fields_of(member) for name, member in entry.members.items()},
            }
            for entry in self.samples
        ]
        return canonical_json(values)

    @classmethod
    def from_json(cls, text: str) -> ShardReceipt:
        """Read a receipt back; raise `DatasetError` where it is not one, or of another schema."""
        try:
            values = parse_json(text)
            if values["schema"] != SCHEMA:
                raise DatasetError(f"the receipt has schema {values['schema']}, this version reads {SCHEMA}")
            samples = tuple(
                SampleEntry(
                    SampleRecord.from_mapping(entry["record"]),
                    {name: _typed(MemberEntry, member) for name, member in entry["members"].items()},
                )
                for entry in _list_of(values.pop("samples"))
            )
            rejects = tuple(_typed(Reject, reject) for reject in _list_of(values.pop("rejects")))
            return _typed(cls, {**values, "samples": samples, "rejects": rejects})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"not a shard receipt: {why(error)}") from error


def is_imported(dataset: Mapping[str, Any]) -> bool:
    """Return whether a dataset.json is of pairs that were made elsewhere, of which no recipe decides anything."""
    return bool(dataset["sources"].get("kind") == IMPORTED)


def check_fields(row: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the digests, the key, the split or a whole number of a row; None where nothing is."""
    for name, value in row.items():
        if name.endswith(("sha256", "_id")) and isinstance(value, str) and not DIGEST_PATTERN.match(value):
            may_be_empty = "reason" in row  # a photograph that cannot be read is rejected without a digest
            if value or not may_be_empty:
                return f"its {name} is no digest"
        if name == "key" and not (KEY_PATTERN.match(value) and len(value) <= MOST_NAME):
            return f"its key {value!r} is none"
        if name == "split" and value not in SPLITS:
            return f"its split {value!r} is none of {', '.join(SPLITS)}"
        if type(value) is int and not 0 <= value <= MOST_WHOLE:
            return f"its {name} is {str(value)[:30]}, which is no count"
        if type(value) in (int, float) and not in_range(name, value, value):
            return f"its {name} is {str(value)[:30]}, which is no such number"
    return None


def in_range(name: str, least: float, most: float) -> bool:
    """Return whether numbers from `least` to `most` are such as a field of this name has: shares, angles, or finite."""
    if name.startswith("coverage"):
        return 0 <= least <= most <= 1
    if name.endswith("_deg"):
        return -MOST_DEG <= least <= most <= MOST_DEG
    return math.isfinite(least) and math.isfinite(most)


def _typed(kind: type[Row], values: Mapping[str, Any]) -> Row:
    """Return a dataclass of ours from parsed JSON; raise `DatasetError` where a field is of another type or sense."""
    _check_types(kind, values, f"a {kind.__name__}")
    return kind(**values)


def _check_types(kind: type[Any], values: Mapping[str, Any], what: str) -> None:
    for f in dataclasses.fields(kind):
        if f.name in values:
            found = values[f.name]
            if type(found) not in _PLAIN_TYPES.get(str(f.type), (type(found),)):
                raise DatasetError(f"{what} has {found!r} as its {f.name}, which is no {f.type}")
    if (wrong := check_fields(values)) is not None:
        raise DatasetError(f"{what} is not in the form that fdgen writes: {wrong}")


def _list_of(values: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise ValueError(f"{type(values).__name__} where a list was expected")
    return values


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)

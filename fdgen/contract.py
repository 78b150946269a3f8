"""The dataset format: what a triplet is, what a shard's receipt says, how a manifest is read.

This module is the whole of what `fdgen` and `fdtrain` share. It imports the standard library and numpy; pandas only
inside `Manifest`. Arrays are RGB uint8, `_HWC` or `_HW`.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fdgen.digests import canonical_json as canonical_json
from fdgen.digests import digest_json as digest_json
from fdgen.digests import merkle_root as merkle_root
from fdgen.errors import DatasetError
from fdgen.io.folders import mistaken
from fdgen.storage import Place as Place  # fdtrain reads by these too, and of fdgen it knows this module alone
from fdgen.storage import Remote as Remote
from fdgen.storage import open_place as open_place
from fdgen.storage import read_range as read_range

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
"""Version of the layout on disk; a reader refuses any other."""

SPLITS = ("train", "val", "test")
PICTURES = ("alpha", "clean", "mask", "occluded")
MEMBERS = ("alpha.png", "clean.png", "json", "mask.png", "occluded.png")
"""Members of a sample, in the order in which they stand in a shard."""

KEY_PATTERN = re.compile(r"^[a-z][a-z0-9_-]*$")
"""A key of digits only is read as a number by Croissant; a dot splits differently in Hugging Face and webdataset."""

SPLIT_PATTERN = re.compile("|".join(SPLITS))
SHARD_PATTERN = re.compile(rf"({'|'.join(SPLITS)})-[0-9]{{5,}}")

Image = npt.NDArray[np.uint8]

CROP_PX, EYES_PX = 178, ((69.5, 91.5), (108.5, 91.5))
"""Side of CelebA's square crop, rows 20 to 198 of 178x218, and the eyes' centres in it, the viewer's left first."""


_DATASET_FIELDS: Mapping[str, Any] = {
    "name": str, "version": str, "spec_id": str, "content_id": str, "schema": int, "generator": int, "landmarks": str,
    "recipe": dict, "assets": dict, "sources": dict, "environment": dict, "made": int, "splits": dict,
    "kinds": dict, "rejects": dict, "shards": list, "warnings": list, "notes": list,
}  # fmt: skip
_NUMBER_FIELDS = {"sources": ("count",), "recipe": ("size_px", "seed"), "splits": SPLITS}
_SHARD_FIELDS = {"name": str, "split": str, "samples": int, "rejects": int, "bytes": int, "sha256": str}


def misshapen(dataset: Mapping[str, Any]) -> str | None:
    """Say which field of a finished dataset.json is missing or of another type than we write; None where all fit."""
    for name, kind in _DATASET_FIELDS.items():
        if not isinstance(dataset.get(name), kind):
            return f"its field {name!r} is missing or no {kind.__name__}"
    counted = {name: tuple(dataset[name]) for name in ("kinds", "rejects")}
    for name, inner in {**_NUMBER_FIELDS, **counted}.items():
        if not all(isinstance(dataset[name].get(key), int) for key in inner):
            return f"its field {name!r} lacks numbers"
    for row in dataset["shards"]:
        if not isinstance(row, dict) or not all(isinstance(row.get(n), kind) for n, kind in _SHARD_FIELDS.items()):
            return "a row of its shards is not one that we write"
    return None


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
    clockwise as seen. `placement` holds one JSON object a layer and is all that a replay needs beside the face.

    `worn` lists what the person wears in the clean picture already, of `eyewear`, `mask` and `hat`: whoever learns to
    uncover faces may want to leave such pictures out. `hair` tells whether hair could be told
    from skin, so that it lies over the occluder: `measured`, `none` (no hair over the face) or `unsure` (then none is
    laid over anything).
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

        Gates and placements stand as JSON text within: their fields differ from kind to kind, and readers that make one
        table of all records (Hugging Face's) refuse fields that change their type.
        """
        values = _fields_of(self)
        values["gates"] = canonical_json(self.gates)
        values["placement"] = [canonical_json(layer) for layer in self.placement]
        return canonical_json(values)

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
        for f in dataclasses.fields(cls):
            if type(values[f.name]) not in _PLAIN_TYPES.get(str(f.type), (type(values[f.name]),)):
                raise DatasetError(f"a sample record has {values[f.name]!r} as its {f.name}, which is no {f.type}")
        listed = {name: tuple(values[name]) for name in ("kinds", "asset_ids", "worn") if values[name] is not None}
        gates, layers = values["gates"], values["placement"]
        gates = json.loads(gates) if isinstance(gates, str) else gates
        if not isinstance(gates, Mapping) or not all(type(figure) in (int, float) for figure in gates.values()):
            raise DatasetError(f"a sample record has {gates!r} as its gates, which are no figures by name")
        return cls(
            **{
                **values,
                **listed,
                "gates": gates,
                "placement": tuple(json.loads(layer) if isinstance(layer, str) else layer for layer in layers),
            }
        )


@dataclass(frozen=True, slots=True)
class Triplet:
    """One training pair with its masks. Outside `mask_HW` the two pictures are equal, pixel by pixel.

    `mask_HW` is 0 or 255; 255 wherever the occluder or its shadow may have changed anything. `alpha_HW` is the 8-bit
    geometric coverage of the occluder's silhouette alone.
    """

    clean_HWC: Image
    occluded_HWC: Image
    mask_HW: Image
    alpha_HW: Image
    record: SampleRecord


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
    """One sample of a shard: its record and where its members lie, by the names of `MEMBERS`."""

    record: SampleRecord
    members: Mapping[str, MemberEntry]

    def digest(self) -> str:
        """Return the digest of the sample's content: its key and the sha256 of each member."""
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
            values = json.loads(text)
            if values["schema"] != SCHEMA:
                raise DatasetError(f"the receipt has schema {values['schema']}, this version reads {SCHEMA}")
            samples = tuple(
                SampleEntry(
                    SampleRecord.from_mapping(entry["record"]),
                    {name: MemberEntry(**member) for name, member in entry["members"].items()},
                )
                for entry in values.pop("samples")
            )
            rejects = tuple(Reject(**reject) for reject in values.pop("rejects"))
            return cls(**values, samples=samples, rejects=rejects)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"not a shard receipt: {error}") from error


def read_finished(root: Place) -> dict[str, Any]:
    """Return dataset.json of the finished dataset in `root`; raise `DatasetError` where there is none of ours."""
    path = root / "dataset.json"
    if isinstance(path, Path) and not path.is_file():
        hint = "name a folder that `fdgen build --out FOLDER` wrote"
        sentence, hint = mistaken(path.parent, "is not a dataset", "it has no dataset.json", hint)
        raise DatasetError(sentence, hint=hint)
    try:
        dataset = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read: {error}", hint=_look_at(root)) from error
    if not isinstance(dataset, dict) or "spec_id" not in dataset:
        raise DatasetError(f"{path} was not written by fdgen: it has no spec_id")
    if dataset.get("schema") != SCHEMA:
        raise DatasetError(f"{path} has schema {dataset.get('schema')}, this version reads {SCHEMA}")
    if "content_id" not in dataset:
        raise DatasetError(f"the build of {root} is not finished", hint="rerun the same `fdgen build` to finish it")
    if (wrong := misshapen(dataset)) is not None:
        raise DatasetError(f"{path} has been altered: {wrong}", hint="rerun the same `fdgen build` to mend it")
    return dataset


@dataclass(frozen=True)
class Manifest:
    """A finished dataset, opened for reading: `dataset.json` and the table of its samples.

    `root` is its folder, or what stands for the URL from which it is read by ranges of bytes. `table` has a row a
    sample: the fields of `SampleRecord` (lists and objects as JSON text), `shard`, and for each member M of `MEMBERS`
    the columns `M_sha256`, `M_offset`, `M_size`, dots written as underscores.
    """

    root: Place
    dataset: Mapping[str, Any]
    table: pd.DataFrame = field(repr=False)

    @classmethod
    def load(cls, root: str | Place) -> Manifest:
        """Open the dataset in the folder or at the URL `root`.

        Raises `DatasetError` where it is missing, unfinished, not ours or out of reach.
        """
        import pandas as pd

        root = open_place(root)
        dataset, path = read_finished(root), root / "manifest.parquet"
        try:
            table = pd.read_parquet(path if isinstance(path, Path) else io.BytesIO(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} cannot be read: {error}", hint=_look_at(root)) from error
        if missing := sorted(_columns() - set(table.columns)):
            raise DatasetError(f"{path} is no manifest of ours: it has no column {missing[0]!r}", hint=_look_at(root))
        if (odd := _odd_name(table)) is not None:
            raise DatasetError(f"{path} has been altered: {odd}", hint=_look_at(root))
        return cls(root, dataset, table)

    def samples(self, split: str | None = None) -> pd.DataFrame:
        """Return the rows of one split, or of all; raise `DatasetError` where there is no such split."""
        if split is None:
            return self.table
        if split not in SPLITS:
            raise DatasetError(f"there is no split {split!r}; the splits are {', '.join(SPLITS)}")
        chosen: pd.DataFrame = self.table[self.table["split"] == split]
        return chosen

    def row(self, key: str) -> Mapping[str, Any]:
        """Return the row of one sample; raise `DatasetError` where no sample has that key."""
        rows = self.table[self.table["key"] == key]
        if rows.empty:
            raise DatasetError(
                f"no sample of {self.root} has the key {key!r}", hint=f"`fdgen info {self.root}` lists some"
            )
        return {str(name): value for name, value in rows.iloc[0].to_dict().items()}

    def record(self, key: str) -> SampleRecord:
        """Return the record of one sample, as it stands in its shard."""
        return SampleRecord.from_mapping(json.loads(self.read_member(key, "json")))

    def read_member(self, key: str, member: str) -> bytes:
        """Read the bytes of one member straight from its shard, without unpacking."""
        row = self.row(key)
        column = member.replace(".", "_")
        shard = self.root / "shards" / f"{row['shard']}.tar"
        return read_range(shard, int(row[f"{column}_offset"]), int(row[f"{column}_size"]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.table["key"])

    def __len__(self) -> int:
        return len(self.table)


def _odd_name(table: pd.DataFrame) -> str | None:
    """Say which name in a manifest is none that we write; None where all are.

    Names become paths, of shards that are read and of files that an export writes, and a dataset may be a stranger's.
    """
    for column, pattern in (("key", KEY_PATTERN), ("shard", SHARD_PATTERN), ("split", SPLIT_PATTERN)):
        for name in table[column].unique():
            if not isinstance(name, str) or pattern.fullmatch(name) is None:
                return f"{str(name)[:80]!r} is no {column}"
    return None


def _look_at(root: Place) -> str:
    return "check the URL and the connection" if isinstance(root, Remote) else f"run `fdgen verify {root}`"


def _columns() -> set[str]:
    """Return the names of the columns that every manifest has, whatever version wrote it."""
    members = {f"{name.replace('.', '_')}_{what}" for name in MEMBERS for what in ("sha256", "offset", "size")}
    return {*(f.name for f in dataclasses.fields(SampleRecord) if f.name not in ADDED), "shard", *members}

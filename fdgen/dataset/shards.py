"""Shards: uncompressed tar files whose bytes depend on their samples alone, each with a receipt written last.

The headers are built here, byte by byte, because `tarfile` fills some fields otherwise from one Python version to the
next. Offsets and sizes are bytes.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from fdgen.contract.records import (
    KEY_PATTERN,
    MEMBERS,
    SHARD_PATTERN,
    MemberEntry,
    Reject,
    SampleEntry,
    ShardReceipt,
    Triplet,
    sample_key,
)
from fdgen.contract.truth import TRUTH, members_with
from fdgen.dataset.invariants import Problem, pair_problems
from fdgen.errors import DatasetError, UnreachableError, in_words
from fdgen.io.json_file import why
from fdgen.io.pictures.codecs import Codec, Encoder, encoder, pair_encoder
from fdgen.io.pictures.images import encode_png16
from fdgen.io.storage import Place, open_file, read_file
from fdgen.io.stores.opening import store_of
from fdgen.runtime.step_times import timed_step

_P = TypeVar("_P", bound=Place)

BLOCK = 512
END = bytes(2 * BLOCK)
"""Two empty blocks close a tar file."""

_TAIL = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(155 + 12)
_TAIL_SUM = sum(_TAIL)
"""What follows the checksum in any header, and what it adds to that."""

MOST_RECEIPT_BYTES = 512_000_000
"""3 kB a sample, and a shard holds what its recipe says."""


def shard_name(name: str) -> str:
    """Return the file name of the tar of a shard, relative to the dataset."""
    return f"shards/{name}.tar"


def receipt_name(name: str) -> str:
    """Return the file name of the receipt of a shard, relative to the dataset."""
    return f"shards/{name}.json"


def shard_path(root: _P, name: str) -> _P:
    """Return where the tar of a shard lies."""
    return cast(_P, root / shard_name(name))


def receipt_path(root: _P, name: str) -> _P:
    """Return where the receipt of a shard lies."""
    return cast(_P, root / receipt_name(name))


def tar_header(name: str, size: int) -> bytes:
    """Return the USTAR header of a regular file: mode 0644, no owner, no time.

    >>> len(tar_header("f0-0.json", 12))
    512
    """
    raw_name = name.encode("ascii")
    if len(raw_name) > 100 or size >= 8**11:
        raise ValueError(f"a USTAR member has a name of 100 bytes and 8 GB at most, got {name!r} of {size} bytes")
    head = raw_name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"00000000000\0"
    checksum = sum(head) + _TAIL_SUM + 8 * ord(" ")  # the field itself counts as spaces
    return head + b"%06o\0 " % checksum + _TAIL


def padding(size: int) -> int:
    """Return how many zero bytes follow data of this size."""
    return -size % BLOCK


@timed_step("pack and hash")
def write_shard(
    root: Place,
    *,
    name: str,
    split: str,
    spec_id: str,
    plan_sha256: str,
    results: Iterable[Triplet | Reject],
    codec: Codec = "png",
) -> ShardReceipt:
    """Write a shard and its receipt, each whole or not at all; return the receipt.

    Where all results are rejects there is a receipt but no tar.

    Args:
        root: Folder of the dataset, or its URL.
        name: Name of the shard, without a suffix.
        split: Split of its samples.
        spec_id: Digest of what the dataset was asked to be, for the receipt.
        plan_sha256: Digest of the shard's plan, for the receipt.
        results: The samples in their order, drawn one at a time, and the rejects.
        codec: What their pictures are encoded by.

    Raises `DatasetError` where the disk refuses, or a triplet breaks the laws of a pair.
    """
    store = store_of(root)
    stream = iter(results)
    rejects: list[Reject] = []
    first = _next_triplet(stream, rejects)
    digest, offset, entries = hashlib.sha256(), 0, []
    if first is None:
        store.remove(shard_name(name))
    else:
        with store.whole_file(shard_name(name)) as file:
            for result in itertools.chain([first], stream):
                if isinstance(result, Reject):
                    rejects.append(result)
                    continue
                data, entry = _pack(result, split, offset, codec)
                file.write(data)
                digest.update(data)
                offset += len(data)
                entries.append(entry)
            file.write(END)
            digest.update(END)
            offset += len(END)
    receipt = ShardReceipt(
        name=name,
        split=split,
        spec_id=spec_id,
        plan_sha256=plan_sha256,
        sha256=digest.hexdigest(),
        bytes=offset,
        samples=tuple(entries),
        rejects=tuple(rejects),
    )
    store.write_whole(receipt_name(name), (receipt.to_json() + "\n").encode())
    return receipt


def read_receipt(path: Place) -> ShardReceipt:
    """Read a receipt and check all that can be checked without its tar.

    Raises `DatasetError` naming what is wrong, `UnreachableError` where that is the connection.
    """
    try:
        text = read_file(path, most_bytes=MOST_RECEIPT_BYTES, within=path.parent.parent).decode("utf-8")
        receipt = ShardReceipt.from_json(text)
        canonical = receipt.to_json() + "\n" == text
    except UnreachableError:
        raise
    except (OSError, ValueError, DatasetError) as error:
        raise DatasetError(f"{path.name} cannot be read: {why(error)}") from error
    if not canonical:
        raise DatasetError(f"{path.name} has been altered: it is not in the form of a receipt")
    if receipt.name != path.stem or not _named_for(receipt):
        raise DatasetError(f"{path.name} says it is {receipt.name!r} of the split {receipt.split!r}")
    _check_layout(receipt, path.name)
    return receipt


def whole_receipt(path: Place) -> ShardReceipt | None:
    """Return a receipt, None where there is none that can be read; raise `UnreachableError` where that is not known."""
    try:
        return read_receipt(path)
    except UnreachableError:
        raise
    except DatasetError:
        return None


def read_samples(
    root: Place, receipt: ShardReceipt, problems: list[Problem]
) -> Iterator[tuple[SampleEntry, dict[str, bytes]]]:
    """Walk a shard as its receipt describes it: each sample with those members whose bytes are as recorded.

    Every byte of the tar is compared. What differs is appended to `problems`; a sample whose headers are not where they
    should be ends the walk. The receipt is one that `read_receipt` accepted.
    """
    file_name = shard_name(receipt.name)
    path = root / file_name

    def complain(key: str | None, law: str, message: str) -> None:
        problems.append(Problem(file_name, key, law, message))

    if not receipt.samples:
        if store_of(root).exists(file_name):
            complain(None, "count", "the receipt knows no samples, but the tar is there")
        return
    try:
        with open_file(path, within=root) as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size != receipt.bytes:
                word = "truncated" if size < receipt.bytes else "too long"
                complain(None, "tar", f"the tar is {word}: {size} bytes, the receipt says {receipt.bytes}")
            digest = hashlib.sha256()
            for entry in receipt.samples:
                key = entry.record.key
                chunk = file.read(min(_packed_size(entry), size))
                digest.update(chunk)
                members, place = {}, 0
                for name in sorted(entry.members):
                    member = entry.members[name]
                    data = chunk[place + BLOCK : place + BLOCK + member.size]
                    after = place + BLOCK + member.size + padding(member.size)
                    if chunk[place : place + BLOCK] != tar_header(f"{key}.{name}", member.size):
                        complain(key, "tar", f"{key}.{name} is not at the position in the receipt, or not only there")
                        return
                    if hashlib.sha256(data).hexdigest() != member.sha256:
                        complain(key, "member", f"{key}.{name} is not the file that was written: its sha256 differs")
                    elif name == "json" and data != entry.record.to_json().encode():
                        complain(key, "record", f"{key}.json differs from the record in the receipt")
                    else:
                        members[name] = data
                    if any(chunk[place + BLOCK + member.size : after]):
                        complain(key, "tar", f"there are stray bytes after {key}.{name}")
                    place = after
                yield entry, members
            end = file.read(len(END) + 1)
            digest.update(end)
            if end != END:
                complain(None, "tar", "the tar does not end where the receipt says")
            elif digest.hexdigest() != receipt.sha256:
                complain(None, "sha256", "the tar's sha256 differs from the receipt's")
    except FileNotFoundError:
        complain(None, "missing", "the tar is missing")
    except OSError as error:
        complain(None, "tar", f"the tar cannot be read: {in_words(error)}")


def _next_triplet(stream: Iterator[Triplet | Reject], rejects: list[Reject]) -> Triplet | None:
    for result in stream:
        if isinstance(result, Triplet):
            return result
        rejects.append(result)
    return None


def _pack(triplet: Triplet, split: str, offset: int, codec: Codec) -> tuple[bytes, SampleEntry]:
    """Return the bytes of a sample as they are in the tar, and its entry; `offset` is where they will be."""
    record = triplet.record
    problems = pair_problems(triplet.clean_HWC, triplet.occluded_HWC, triplet.mask_HW, triplet.alpha_HW, record)
    named = record.key == sample_key(record.source_sha256, record.variant) and record.split == split
    if not named or not KEY_PATTERN.match(record.key):
        problems.append(Problem("", record.key, "record", "the record has another key or split than was asked"))
    if problems:
        laws = "; ".join(problem.message for problem in problems)
        raise DatasetError(f"the generator broke a law in {record.key}: {laws}", hint="this is a bug in an occluder")
    encode = encoder(codec)
    clean, occluded = pair_encoder(codec)(triplet.clean_HWC, triplet.occluded_HWC)
    contents: dict[str, bytes] = {
        "alpha.png": encode(triplet.alpha_HW),
        "clean.png": clean,
        "json": record.to_json().encode(),
        "mask.png": encode(triplet.mask_HW),
        "occluded.png": occluded,
        **{TRUTH[layer]: packed_truth(value, encode) for layer, value in triplet.truth.items()},
    }
    parts, members = [], {}
    for name, data in sorted(contents.items()):
        members[name] = MemberEntry(offset + BLOCK, len(data), hashlib.sha256(data).hexdigest())
        parts += [tar_header(f"{record.key}.{name}", len(data)), data, bytes(padding(len(data)))]
        offset += BLOCK + len(data) + padding(len(data))
    return b"".join(parts), SampleEntry(record, members)


def packed_truth(value: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | str, encode: Encoder) -> bytes:
    """Return the member of a truth layer: a PNG of 16 bits, one of 8 by `encode`, or text in UTF-8."""
    if isinstance(value, str):
        return value.encode()
    if value.dtype == np.uint16:
        return encode_png16(np.asarray(value, np.uint16))
    return encode(np.asarray(value, np.uint8))


def _packed_size(entry: SampleEntry) -> int:
    return sum(BLOCK + member.size + padding(member.size) for member in entry.members.values())


def _named_for(receipt: ShardReceipt) -> bool:
    return SHARD_PATTERN.match(receipt.name) is not None and receipt.name.partition("-")[0] == receipt.split


def _check_layout(receipt: ShardReceipt, file_name: str) -> None:
    """Refuse a receipt whose members do not follow each other without gap, or whose keys do not fit."""
    offset, keys = 0, set()
    for entry in receipt.samples:
        record = entry.record
        names = set(entry.members)
        if not set(MEMBERS) <= names <= set(members_with(TRUTH)) or names != set(receipt.samples[0].members):
            raise DatasetError(f"{file_name} knows other members of {record.key!r} than a sample has")
        if record.key != sample_key(record.source_sha256, record.variant):
            raise DatasetError(f"{file_name} has a sample under the wrong key {record.key!r}")
        if record.key in keys or not KEY_PATTERN.match(record.key) or record.split != receipt.split:
            raise DatasetError(f"{file_name} has {record.key!r} twice, or of another split")
        keys.add(record.key)
        for name in sorted(names):
            member = entry.members[name]
            if member.offset != offset + BLOCK:
                raise DatasetError(f"{file_name} has {record.key}.{name} at a place that does not fit")
            offset += BLOCK + member.size + padding(member.size)
    if receipt.bytes != (offset + len(END) if receipt.samples else 0):
        raise DatasetError(f"{file_name} gives a length that does not fit its members")

"""Pairs made elsewhere: clean, occluded and mask pictures in three folders, paired by name, each looked at.

A pair is as good as its mask, and masks of other tools come in many forms: every way in which one is wrong is a
`Reject` with a sentence of its own, and nothing is guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import numpy as np

from fdgen.arrays import Image
from fdgen.contract.records import SPLITS, Reject, SampleRecord, Triplet, sample_key
from fdgen.errors import FacesError, PictureError
from fdgen.faces.folders import FolderFaces
from fdgen.faces.identities import folder_as_person
from fdgen.faces.sources import PASSING_REASONS, OnFile, Source, read_picture
from fdgen.io.pictures.images import resize

LEAST_PX, MOST_PX = 64, 1024
"""Sides of the pictures of a dataset, as of a recipe."""

_SHOWN_VALUES = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """How pictures made elsewhere are read.

    Args:
        size_px: Side that pictures are cut square and resized to; None takes them as they are.
        threshold: From this level on a mask marks an occluder; None wants masks of 0 and 255 alone.
        invert: Whether masks are black where the occluder is.
        outside: What is done where the occluded picture differs from the clean one outside the mask, as it does after a
            JPEG: `refuse` the pair, or take the `clean` picture there.
        kind: What all occluders are called.
    """

    size_px: int | None = None
    threshold: int | None = None
    invert: bool = False
    outside: Literal["refuse", "clean"] = "refuse"
    kind: str = "imported"


@dataclass(frozen=True, slots=True)
class Folders:
    """The three folders that pairs come from."""

    clean: Path
    occluded: Path
    masks: Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A clean picture, what it became, and the mask. `occluded` and `mask` name files within their folders.

    `source` has the digest of the clean picture, `clean` is the file of this pair: of byte-identical clean pictures the
    first is the source of all, and `variant` counts them.
    """

    source: Source
    variant: int
    clean: str
    occluded: Source
    mask: Source


@dataclass(frozen=True)
class Listed:
    """What three folders hold: pairs by name, files that make none, and notes for the user."""

    pairs: Sequence[Pair]
    rejects: Sequence[Reject]
    notes: Sequence[str]


def list_pairs(
    folders: Folders, *, identity: Literal["auto", "folder"] = "auto", on_file: OnFile | None = None
) -> Listed:
    """Pair the pictures of three folders by their paths without suffix.

    A clean picture in a folder `train`, `val` or `test` at the top is of that split, if all are in one. Who is on a
    picture is known as for `fdgen build`: by an `identities.csv` among the clean pictures, or by folder.

    Args:
        folders: Where the pictures are.
        identity: `folder` means that the folder of a clean picture is the person on it.
        on_file: Called as (done, of) while files are read.

    Raises `FacesError` where a folder is missing or holds no picture.
    """
    faces = FolderFaces(folders.clean)
    sources = faces.sources(on_file)
    if identity == "folder":
        sources = [replace(source, identity=folder_as_person(source)) for source in sources]
    if all(PurePosixPath(source.path).parts[0] in SPLITS for source in sources):
        sources = [replace(source, split=PurePosixPath(source.path).parts[0]) for source in sources]
    by_digest = {source.sha256: source for source in sources}
    clean, clean_rejects = _by_stem(folders.clean, faces, sources)
    partners: list[dict[str, Source]] = []
    rejects = list(clean_rejects)
    for folder in (folders.occluded, folders.masks):
        others = FolderFaces(folder)
        found, more = _by_stem(folder, others, others.sources(on_file))
        partners.append(found)
        rejects += [replace(reject, source=f"{folder.name}/{reject.source}") for reject in more]
    pairs, variants = [], defaultdict[str, int](int)
    for stem in sorted(clean):
        source = by_digest[clean[stem].sha256]
        lacking = [
            f"no {what} of its name in {folder}"
            for what, folder, found in (
                ("occluded picture", folders.occluded, partners[0]),
                ("mask", folders.masks, partners[1]),
            )
            if stem not in found
        ]
        if lacking:
            detail = f"there is {' and '.join(lacking)}: names must be equal but for their suffix"
            rejects.append(Reject(clean[stem].path, source.sha256, 0, "no-partner", detail))
            continue
        variant = variants[source.sha256]
        variants[source.sha256] += 1
        pairs.append(Pair(source, variant, clean[stem].path, partners[0][stem], partners[1][stem]))
    for folder, found in zip((folders.occluded, folders.masks), partners, strict=True):
        for stem in sorted(found.keys() - clean.keys()):
            detail = f"there is no clean picture of its name in {folders.clean}"
            rejects.append(Reject(f"{folder.name}/{found[stem].path}", found[stem].sha256, 0, "no-partner", detail))
    if not pairs and not rejects:
        raise FacesError(f"no picture in {folders.clean} has a partner", hint="names must be equal but for the suffix")
    notes = list(faces.notes)
    if twins := sum(pair.variant > 0 for pair in pairs):
        notes.append(f"pairs with the same clean picture are in one split, which goes with the first: {twins:,}")
    return Listed(pairs, rejects, notes)


def _by_stem(root: Path, faces: FolderFaces, sources: Sequence[Source]) -> tuple[dict[str, Source], list[Reject]]:
    """Return the pictures of a folder by path without suffix, byte-identical ones too, and the files that are none."""
    twins = [Source(one.source, one.source_sha256) for one in faces.rejects() if one.reason == "duplicate"]
    rejects = [one for one in faces.rejects() if one.reason != "duplicate"]
    found: dict[str, Source] = {}
    for source in sorted([*sources, *twins], key=lambda source: source.path):
        stem = str(PurePosixPath(source.path).with_suffix(""))
        if stem in found:
            detail = f"{found[stem].path} in {root} has the same name but for the suffix"
            rejects.append(Reject(source.path, source.sha256, 0, "same-name", detail))
        else:
            found[stem] = source
    return found, rejects


def read_pair(pair: Pair, folders: Folders, reading: Reading, *, split: str, size_px: int | None) -> Triplet | Reject:
    """Return the triplet of a pair, or what is wrong with it; raise `PictureError` where a file changed or is gone.

    Args:
        pair: Which.
        folders: Where its files are.
        reading: How they are read.
        split: Split of the sample.
        size_px: Side that all pictures of the dataset have; None of the first, which decides.
    """
    try:
        clean_HWC = read_picture(folders.clean, Source(pair.clean, pair.source.sha256))
        occluded_HWC = read_picture(folders.occluded, pair.occluded)
        picture_HWC = read_picture(folders.masks, pair.mask)
    except PictureError as error:
        if error.reason in PASSING_REASONS:
            raise
        return _reject(pair, error.reason, error.message)
    try:
        mask_HW = _mask(picture_HWC, reading, f"{folders.masks.name}/{pair.mask.path}")
        _refuse_sizes(clean_HWC, occluded_HWC, mask_HW, reading, size_px)
        _refuse_polarity(clean_HWC, occluded_HWC, mask_HW)
        gates = _outside(clean_HWC, occluded_HWC, mask_HW, reading)
    except _FaultError as fault:
        return _reject(pair, fault.reason, str(fault))
    if reading.size_px is not None:
        clean_HWC, occluded_HWC, mask_HW = _resized(reading.size_px, clean_HWC, occluded_HWC, mask_HW)
    occluded_HWC = np.where(mask_HW[..., None] > 0, occluded_HWC, clean_HWC)
    record = SampleRecord(
        key=sample_key(pair.source.sha256, pair.variant),
        split=split,
        source=pair.source.path,
        source_sha256=pair.source.sha256,
        variant=pair.variant,
        identity=pair.source.identity,
        kinds=(reading.kind,),
        asset_ids=(),
        held_out=False,
        attempt=0,
        coverage=round(float((mask_HW > 0).mean()), 6),
        # Nothing that needs landmarks is known.
        coverage_face=0.0,
        coverage_eyes=0.0,
        coverage_nose=0.0,
        coverage_mouth=0.0,
        yaw_deg=0.0,
        pitch_deg=0.0,
        roll_deg=0.0,
        pose_residual_px=0.0,
        gates=gates,
        placement=(),
    )
    return Triplet(clean_HWC, occluded_HWC, mask_HW, mask_HW, record)


def readable_pairs(
    pairs: Sequence[Pair], folders: Folders, reading: Reading, on_pair: OnFile | None = None
) -> Iterator[tuple[Pair, int | Reject]]:
    """Look at every pair: yield it with the side of its pictures, or with what is wrong with it."""
    side: int | None = None
    for done, pair in enumerate(pairs, 1):
        result = read_pair(pair, folders, reading, split="train", size_px=side)
        if on_pair is not None:
            on_pair(done, len(pairs))
        if isinstance(result, Reject):
            yield pair, result
        else:
            side = side or len(result.clean_HWC)
            yield pair, side


class _FaultError(Exception):
    """What is wrong with a pair."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _mask(picture_HWC: Image, reading: Reading, name: str) -> Image:
    """Return a mask of 0 and 255 of the picture of one."""
    if (picture_HWC != picture_HWC[..., :1]).any():
        raise _FaultError("not-a-mask", f"{name} is a coloured picture, not a mask of black and white")
    grey_HW = np.ascontiguousarray(picture_HWC[..., 0])
    if reading.threshold is not None:
        mask_HW = np.where(grey_HW >= reading.threshold, 255, 0).astype(np.uint8)
    else:
        values = np.unique(grey_HW)
        if not set(values.tolist()) <= {0, 255}:
            shown = ", ".join(map(str, values[:_SHOWN_VALUES].tolist())) + (", ..." if len(values) > 4 else "")
            advice = "--threshold 1" if values.max() == 1 else "--threshold 128"
            detail = f"{name} has the levels {shown}, a mask has 0 and 255: {advice} marks those from there on"
            raise _FaultError("mask-levels", detail)
        mask_HW = grey_HW
    if reading.invert:
        mask_HW = np.where(mask_HW > 0, 0, 255).astype(np.uint8)
    if not mask_HW.any():
        raise _FaultError("mask-empty", f"{name} marks no pixel")
    if mask_HW.all():
        raise _FaultError("mask-full", f"{name} marks every pixel")
    return mask_HW


def _refuse_sizes(clean_HWC: Image, occluded_HWC: Image, mask_HW: Image, reading: Reading, size_px: int | None) -> None:
    height, width = clean_HWC.shape[:2]
    for what, array in (("occluded picture", occluded_HWC), ("mask", mask_HW)):
        if array.shape[:2] != (height, width):
            other = f"{array.shape[1]}x{array.shape[0]}"
            raise _FaultError("size", f"its {what} is {other} px, the clean picture {width}x{height}")
    if reading.size_px is not None:
        return
    if height != width or not LEAST_PX <= height <= MOST_PX:
        detail = f"it is {width}x{height} px, and pictures are square with {LEAST_PX} to {MOST_PX} px a side"
        raise _FaultError("size", f"{detail}: --size PX cuts and resizes them")
    if size_px is not None and height != size_px:
        raise _FaultError("size", f"it is {height} px a side, the first pair {size_px}: --size PX resizes all of them")


def _refuse_polarity(clean_HWC: Image, occluded_HWC: Image, mask_HW: Image) -> None:
    """Refuse a mask that marks what is left alone: an occluder changes the picture where it is, not elsewhere."""
    away_HW = cv2.absdiff(clean_HWC, occluded_HWC).max(axis=2)
    inside, outside = float(away_HW[mask_HW > 0].mean()), float(away_HW[mask_HW == 0].mean())
    if inside == outside == 0:
        raise _FaultError("not-occluded", "its clean and occluded pictures are equal")
    if inside < outside:
        detail = (
            f"the pictures differ by {inside:.1f} levels where the mask is white, by {outside:.1f} where it is black"
        )
        raise _FaultError("mask-inverted", f"{detail}: --invert takes black for the occluder")


def _outside(clean_HWC: Image, occluded_HWC: Image, mask_HW: Image, reading: Reading) -> Mapping[str, float]:
    """Return how the pictures differ outside the mask, for the record; nothing where they do not."""
    away_HW = cv2.absdiff(clean_HWC, occluded_HWC).max(axis=2)[mask_HW == 0]
    if not away_HW.any():
        return {}
    share, most = float((away_HW > 0).mean()), int(away_HW.max())
    if reading.outside == "refuse":
        detail = f"{share:.2%} of the pixels outside its mask differ from the clean picture, by up to {most} levels"
        raise _FaultError("outside", f"{detail}: --outside clean takes the clean picture there")
    return {"outside_share": round(share, 6), "outside_levels": float(most)}


def _resized(size_px: int, clean_HWC: Image, occluded_HWC: Image, mask_HW: Image) -> tuple[Image, Image, Image]:
    """Cut the middle square out and resize it; a mask covers what any of its pixels covers."""
    height, width = mask_HW.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = slice(top, top + side), slice(left, left + side)
    clean_HWC, occluded_HWC = (
        resize(np.ascontiguousarray(one[square]), size_px, size_px) for one in (clean_HWC, occluded_HWC)
    )
    how = cv2.INTER_AREA if size_px <= side else cv2.INTER_LINEAR
    covered_HW = cv2.resize(mask_HW[square].astype(np.float32), (size_px, size_px), interpolation=how)
    return clean_HWC, occluded_HWC, np.where(covered_HW > 0, 255, 0).astype(np.uint8)


def _reject(pair: Pair, reason: str, detail: str) -> Reject:
    return Reject(pair.clean, pair.source.sha256, pair.variant, reason, detail)

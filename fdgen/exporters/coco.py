"""COCO: the occluded pictures, and the region of the occluder in each, as instances with run lengths.

    train/KEY.png                        the occluded picture
    annotations/instances_train.json     the mask: wherever occluder or shadow may have changed anything
    annotations/silhouettes_train.json   the silhouette alone (alpha >= 128), which a segmentation learns

A dataset has one mask for each picture. If a face has several occluders, their regions are not separated: such a
picture has one annotation, of the category `hand+mask`, and not two that would each be wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fdgen.contract.licences import terms_of
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import SPLITS
from fdgen.exporters.columns import Sample, Shard
from fdgen.exporters.folder import ExportFolder
from fdgen.io.pictures.images import decode_png
from fdgen.io.regular_file import open_regular
from fdgen.kinds import KINDS

if TYPE_CHECKING:
    import pandas as pd


SILHOUETTE = 128
"""From this alpha on a pixel is the occluder's."""

_TOLD = ("coverage", "yaw_deg", "pitch_deg", "roll_deg", "asset_ids", "held_out", "source", "source_sha256", "identity")
_SETS = {"instances": "mask.png", "silhouettes": "alpha.png"}
_FIRST_COMBINED = 101


class Coco:
    """Writes pictures, and the annotations of each shard as a fragment; `close` joins these."""

    members = ("alpha.png", "mask.png", "occluded.png")

    def __init__(self, manifest: Manifest, folder: ExportFolder) -> None:
        self.manifest, self.folder = manifest, folder
        self.categories = categories({_label(text) for text in manifest.table["kinds"].unique()})
        self.category_ids = {one["name"]: one["id"] for one in self.categories}
        self.ids = {key: number for number, key in enumerate(manifest.table["key"], 1)}
        self.side_px = int(manifest.dataset["recipe"]["size_px"])
        self.joined = {split: all(folder.holds(_joined(name, split)) for name in _SETS) for split in SPLITS}

    def has(self, shard: Shard) -> bool:
        """Compare the pictures with the manifest's digests, and the fragments with the sums that were written down."""
        rows = shard.records()
        told = self.joined[shard.split] or all(self.folder.holds(_fragment(name, shard.name)) for name in _SETS)
        return told and all(
            self.folder.holds(_picture(shard.split, row["key"]), row["occluded_png_sha256"]) for row in rows
        )

    def add(self, shard: Shard, samples: Iterator[Sample]) -> None:
        """Write the pictures and the fragments of one shard."""
        with (
            self.folder.writing(_fragment("instances", shard.name)) as instances,
            self.folder.writing(_fragment("silhouettes", shard.name)) as silhouettes,
        ):
            for sample in samples:
                name = _picture(shard.split, sample.key)
                if not self.folder.holds(name, sample.sha256["occluded.png"]):
                    self.folder.put(name, sample.members["occluded.png"], sample.sha256["occluded.png"])
                for file, member, least in ((instances, "mask.png", 1), (silhouettes, "alpha.png", SILHOUETTE)):
                    inside_HW = decode_png(sample.members[member], intact=True) >= least
                    if inside_HW.any():
                        file.write(f"{json.dumps(self._annotation(sample, inside_HW))}\n".encode())

    def close(self) -> None:
        """Write the annotations of each split, joined from those of its shards."""
        for split in SPLITS:
            rows = self.manifest.samples(split)
            if rows.empty:
                continue
            shards = sorted(set(rows["shard"]))
            for name in () if self.joined[split] else _SETS:
                with self.folder.writing(_joined(name, split)) as file:
                    self._join(name, rows, shards, file)
            self.folder.note()
            for fragment in [_fragment(name, shard) for name in _SETS for shard in shards]:
                self.folder.drop(fragment)

    def _join(self, name: str, rows: pd.DataFrame, shards: Sequence[str], file: BinaryIO) -> None:
        """Write one file of annotations piece by piece: it may be larger than what memory holds."""
        head = json.dumps(self._head(name), ensure_ascii=False)
        file.write(f'{head[:-1]}, "images": [\n'.encode())
        for number, key in enumerate(rows["key"]):
            file.write((b",\n" if number else b"") + json.dumps(self._image(key)).encode())
        file.write(b'\n], "annotations": [\n')
        between = b""
        for shard in shards:
            with open_regular(self.folder.path(_fragment(name, shard))) as fragment:
                for line in fragment:
                    file.write(between + line.rstrip(b"\n"))
                    between = b",\n"
        file.write(b"\n]}\n")

    def _head(self, name: str) -> dict[str, Any]:
        dataset = self.manifest.dataset
        terms = terms_of(dataset["sources"]["kind"])
        return {
            "info": {
                "description": f"{dataset['name']}: {name} of occluders on faces",
                "version": dataset["version"],
                "content_id": dataset["content_id"],
            },
            "licenses": [{"id": 1, "name": terms.name, "url": terms.url}],
            "categories": self.categories,
        }

    def _image(self, key: str) -> dict[str, Any]:
        return {
            "id": self.ids[key],
            "file_name": f"{key}.png",
            "width": self.side_px,
            "height": self.side_px,
            "license": 1,
        }

    def _annotation(self, sample: Sample, inside_HW: npt.NDArray[np.bool_]) -> dict[str, Any]:
        rows, columns = np.flatnonzero(inside_HW.any(1)), np.flatnonzero(inside_HW.any(0))
        top, left = int(rows[0]), int(columns[0])
        number, kinds = self.ids[sample.key], sample.columns["kinds"]
        return {
            "id": number,
            "image_id": number,
            "category_id": self.category_ids["+".join(kinds)],
            "segmentation": {"size": list(inside_HW.shape), "counts": run_lengths(inside_HW)},
            "area": int(inside_HW.sum()),
            "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
            "iscrowd": 0,
            "kinds": kinds,
            "attributes": {name: sample.columns[name] for name in _TOLD},
        }


def categories(labels: set[str]) -> list[dict[str, Any]]:
    """Return the categories: every kind there is, under a number of its own for ever, then what is worn together.

    >>> [one["name"] for one in categories({"mask", "hand+mask"})][-1]
    'hand+mask'
    """
    kinds = [*KINDS]
    singles = [{"id": number, "name": kind, "supercategory": "occluder"} for number, kind in enumerate(kinds, 1)]
    together = sorted(labels - set(kinds))
    return singles + [
        {"id": number, "name": label, "supercategory": "several occluders"}
        for number, label in enumerate(together, _FIRST_COMBINED)
    ]


def run_lengths(inside_HW: npt.NDArray[np.bool_]) -> list[int]:
    """Return COCO's uncompressed run lengths: column by column, in turn outside and inside, outside first.

    >>> run_lengths(np.array([[True, False], [True, True]]))
    [0, 2, 1, 1]
    """
    flat = inside_HW.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs


def _label(text: str) -> str:
    return "+".join(json.loads(text))


def _picture(split: str, key: str) -> str:
    return f"{split}/{key}.png"


def _joined(name: str, split: str) -> str:
    return f"annotations/{name}_{split}.json"


def _fragment(name: str, shard: str) -> str:
    return f".fragments/{shard}.{name}.jsonl"

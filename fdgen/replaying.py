"""Renders samples again from their records and compares the pixels: law 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.contract import Image, SampleRecord, Triplet
from fdgen.errors import FdError
from fdgen.faces import Face
from fdgen.laws import Problem
from fdgen.points import Landmarks
from fdgen.sources import Source
from fdgen.tables import read_landmarks


@dataclass(frozen=True)
class Replayer:
    """What a replay needs beside the records: the landmarks of the dataset, the occluders, the renderer.

    The clean picture is the one in the dataset: no photograph and no detector are needed.
    """

    landmarks: Mapping[str, bytes]
    library: Any
    replay: Callable[[SampleRecord, Face, Any], Triplet]

    @classmethod
    def of(cls, root: Path, worn: Mapping[str, str], packs: Sequence[str | Path] = ()) -> Replayer:
        """Open what the replays of a dataset need; `worn` is the sha256 of each asset that it wears, by id.

        Raises `DatasetError` where its landmarks cannot be read, `AssetError` where an asset is not here, in fdgen or
        in `packs`, or is another than the one it was made with.
        """
        from fdgen.generate import replay
        from fdgen.packs import open_library

        packed = {sha256: landmarks.to_bytes() for sha256, landmarks in read_landmarks(root / "landmarks.parquet")}
        library = open_library(packs)
        library.require(worn)
        return cls(packed, library, replay)

    def face(self, record: SampleRecord, clean_HWC: Image) -> Face:
        """Return the face of a sample; raise `KeyError` where its landmarks are not known."""
        landmarks = Landmarks.from_bytes(self.landmarks[record.source_sha256])
        return Face(Source(record.source, record.source_sha256, record.identity), clean_HWC, landmarks)

    def problems(
        self, file: str, record: SampleRecord, clean_HWC: Image, occluded_HWC: Image, mask_HW: Image, alpha_HW: Image
    ) -> list[Problem]:
        """Return in what a sample differs from what its record gives now."""
        if record.source_sha256 not in self.landmarks:
            return [Problem(file, record.key, "replay", "landmarks.parquet has no row for its photograph")]
        try:
            again = self.replay(record, self.face(record, clean_HWC), self.library)
        except FdError as error:
            return [Problem(file, record.key, "replay", f"it cannot be rendered again: {error.message}")]
        except (KeyError, TypeError, ValueError, IndexError) as error:  # what a placement that was tampered with gives
            why = f"its placement is none that we write ({type(error).__name__}: {error})"
            return [Problem(file, record.key, "replay", f"it cannot be rendered again: {why}")]
        pairs = {
            "clean": (clean_HWC, again.clean_HWC),
            "occluded": (occluded_HWC, again.occluded_HWC),
            "mask": (mask_HW, again.mask_HW),
            "alpha": (alpha_HW, again.alpha_HW),
        }
        differing = [name for name, (old, new) in pairs.items() if not np.array_equal(old, new)]
        if record.to_json() != again.record.to_json():
            differing.append("record")
        if not differing:
            return []
        return [Problem(file, record.key, "replay", f"rendered again, it differs in {', '.join(differing)}")]

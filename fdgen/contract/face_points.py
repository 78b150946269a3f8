"""The points of landmarks.parquet: how they are numbered, the regions that they outline, and how they are read.

They are the 478 landmarks of FaceMesh, a row a photograph, in sixteenths of a pixel of its crop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fdgen.errors import DatasetError
from fdgen.io.json_file import why
from fdgen.io.parquet_file import open_parquet, read_batches
from fdgen.io.storage import Place, Remote

if TYPE_CHECKING:
    import pyarrow as pa

N_POINTS = 478
"""468 of the face and 5 of each iris."""

STEP_PX = 1 / 16
"""Points are rounded to this, so that the detector's last digits never reach a pixel."""

# Polygons of indices, in order round the region; of two, the person's right one is first.
EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
NOSE = (168, 122, 174, 198, 49, 48, 64, 98, 97, 2, 326, 327, 294, 278, 279, 420, 399, 351)
NOSTRILS = (129, 98, 97, 2, 326, 327, 358, 4)
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)

MOST_BYTES = 4_000_000_000
"""Of landmarks.parquet; that of 200,000 photographs has 0.4 GB."""

LANDMARKS_FILE = "landmarks.parquet"


def landmark_schema() -> pa.Schema:
    """Return the columns of landmarks.parquet."""
    import pyarrow as pa

    return pa.schema(
        [
            ("source", pa.string()),
            ("source_sha256", pa.string()),
            ("size_px", pa.int32()),
            # The affine map from pixels of the photograph to pixels of the crop, by rows.
            ("frame", pa.list_(pa.float64(), 6)),
            ("points", pa.list_(pa.int16(), 3 * N_POINTS)),  # x, y, z of each point in sixteenths of a pixel
        ]
    )


def read_points(root: Place, sources: Sequence[str]) -> npt.NDArray[np.int16]:
    """Return the points of photographs, by their sha256 and in their order (n, 478, 3), in sixteenths of a pixel.

    `root` is the folder of a dataset, or its URL. Raises `DatasetError` where its table cannot be read, is another, or
    has no row for one of them.
    """
    path, wanted = root / LANDMARKS_FILE, set(sources)
    rows: dict[str, npt.NDArray[np.int16]] = {}
    try:
        where = path.read_bytes(MOST_BYTES) if isinstance(path, Remote) else path
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {why(error)}", hint="check the URL and the connection") from error
    with open_parquet(where, name=str(path), within=root if isinstance(root, Path) else None) as file:
        if not file.schema_arrow.equals(landmark_schema()):
            raise DatasetError(f"{path} has other columns than expected", hint=f"run `fdgen verify {root}`")
        for batch in read_batches(file, ["source_sha256", "points"]):
            rows |= _chosen(batch, wanted)
    if missing := wanted - rows.keys():
        raise DatasetError(
            f"{path} has no landmarks of {len(missing):,} of {len(wanted):,} photographs",
            hint="pictures that `fdgen import` took have none: choose a method that learns from no landmarks",
        )
    return np.stack([rows[source] for source in sources])


def _chosen(batch: pa.RecordBatch, wanted: set[str]) -> Mapping[str, npt.NDArray[np.int16]]:
    if batch["points"].null_count or (values := batch["points"].flatten()).null_count:
        raise ValueError("it has gaps in 'points'")
    # `to_numpy` would import pandas.
    flat = np.frombuffer(values.buffers()[1], "<i2")[values.offset : values.offset + len(values)]
    points = flat.reshape(-1, N_POINTS, 3)
    names = batch["source_sha256"].to_pylist()
    return {name: points[place].copy() for place, name in enumerate(names) if name in wanted}

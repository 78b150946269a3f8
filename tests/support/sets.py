"""Small datasets to train on: smooth made-up faces with blocks over them, written by the real builder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fdgen.analysis.geometry import canonical_face
from fdgen.arrays import Image
from fdgen.contract.face_points import EYES, LIPS, N_POINTS
from fdgen.contract.records import Reject, Triplet
from fdgen.faces.face import Face
from fdgen.faces.landmarks import Landmarks, Points
from fdgen.faces.sources import Source
from fdgen.io.pictures.png import encode_png
from tests.support import fake_build
from tests.support.fake_build import FakeFaces

SIZE_PX = fake_build.SIZE_PX


def smooth_face(seed: int, size_px: int) -> Image:
    """Return a picture of few degrees of freedom, as faces are: a light oval with two dark spots and a bar."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size_px, :size_px] / (size_px - 1)
    picture = np.full((size_px, size_px, 3), rng.uniform(40, 160, 3)) * (0.7 + 0.6 * rng.random() * x)[..., None]
    skin, dark = rng.uniform(120, 230, 3), rng.uniform(10, 90, 3)
    features = [(0.5, 0.5, 0.34, 0.42, skin), (0.35, 0.42, 0.07, 0.04, dark), (0.65, 0.42, 0.07, 0.04, dark)]
    features.append((0.5, 0.72, rng.uniform(0.08, 0.16), 0.04, dark))
    for across, down, wide, high, colour in features:
        distance = ((x - across) / wide) ** 2 + ((y - down) / high) ** 2
        picture += (1 / (1 + np.exp(np.minimum(12 * (distance - 1), 50))))[..., None] * (colour - picture)
    noisy = picture + rng.normal(0, 1.5, picture.shape)
    return cv2.GaussianBlur(noisy.clip(0, 255).astype(np.uint8), (3, 3), 0.6)


def face_points(size_px: int) -> Points:
    """Return the landmarks of that oval (478, 3) px: the canonical face, its eyes and mouth where they are drawn."""
    vertices_cm = canonical_face().vertices_cm
    rings = [vertices_cm[list(ring)].mean(0) for ring in (*EYES, LIPS)]
    scale = 0.30 * size_px / (rings[1][0] - rings[0][0])
    points = np.zeros((N_POINTS, 3), np.float32)
    points[: len(vertices_cm), 0] = 0.5 * size_px + scale * vertices_cm[:, 0]
    # From the eyes at 0.42 of the side to the mouth at 0.72.
    drop = 0.30 * size_px / (rings[0][1] - rings[2][1])
    points[: len(vertices_cm), 1] = 0.42 * size_px + drop * (rings[0][1] - vertices_cm[:, 1])
    points[: len(vertices_cm), 2] = -scale * vertices_cm[:, 2]
    points[len(vertices_cm) :] = points[1]
    return points


def detect(faces: FakeFaces, wanted: Sequence[Source], *, size_px: int, **options: Any) -> dict[str, Any]:
    """Stand in for the detector, which finds every face where it is drawn."""
    found = fake_build.detect(faces, wanted, size_px=size_px, **options)
    there = Landmarks.rounded(face_points(size_px), np.eye(2, 3), size_px)
    return {sha256: there if isinstance(one, Landmarks) else one for sha256, one in found.items()}


def load_face(faces: FakeFaces, source: Source, landmarks: Landmarks) -> Face:
    """Stand in for the loader of photographs."""
    return Face(source, smooth_face(int(source.sha256[:8], 16), landmarks.size_px), landmarks)


def generate(face: Face, *args: Any, **options: Any) -> Triplet | Reject:
    """Stand in for the generator: a block of one colour that covers 4 to 25 % of the face."""
    found = fake_build.generate(face, *args, **options)
    if isinstance(found, Reject):
        return found
    rng = np.random.default_rng(int(found.record.source_sha256[8:16], 16) + found.record.variant)
    size = len(found.mask_HW)
    high, wide = rng.integers(size // 5, size // 2, 2)
    top, left = rng.integers(size // 5, size * 4 // 5 - high), rng.integers(size // 5, size * 4 // 5 - wide)
    mask = np.zeros((size, size), np.uint8)
    mask[top : top + high, left : left + wide] = 255
    occluded = np.where(mask[..., None] > 0, rng.integers(0, 256, 3, np.uint8), face.clean_HWC)
    record = dataclasses.replace(found.record, coverage=round(float((mask > 0).mean()), 6))
    return Triplet(face.clean_HWC, occluded, mask, mask, record)


def write_set(root: Path, n_faces: int = 60) -> Path:
    """Build a dataset of a little fewer triplets: 64 px, kinds hand, mask and sunglasses, half of them in train."""
    steps = dataclasses.replace(fake_build.STEPS, detect=detect, load_face=load_face, generate=generate)  # type: ignore[arg-type]
    fake_build.run(root, FakeFaces.of(n_faces, official=True, identities=False), steps=steps)
    return root


def rewrite_manifest(path: Path, table: pd.DataFrame) -> None:
    """Write a manifest over the one that is there, with its types: pandas 2 forgets those of columns without values."""
    schema = pq.read_schema(path).remove_metadata()
    pq.write_table(pa.Table.from_pandas(table, schema, preserve_index=False), path)


def write_pairs(
    root: Path, n: int = 24, size_px: int = 64, folders: tuple[str, ...] = ("",)
) -> tuple[Path, Path, Path]:
    """Write pairs as another program would: pictures in `clean`, `occluded` and `masks`, spread over `folders`.

    The pairs 6 and 7 have the same clean picture.
    """
    roots = (root / "clean", root / "occluded", root / "masks")
    for number in range(n):
        rng = np.random.default_rng(number)
        clean = smooth_face(6 if number == 7 else number, size_px)
        mask = np.zeros((size_px, size_px), np.uint8)
        high, wide = rng.integers(size_px // 5, size_px // 2, 2)
        top, left = rng.integers(0, size_px - high), rng.integers(0, size_px - wide)
        mask[top : top + high, left : left + wide] = 255
        occluded = np.where(mask[..., None] > 0, 255 - clean // 2, clean)
        folder = folders[number % len(folders)]
        for where, picture in zip(roots, (clean, occluded, mask), strict=True):
            (where / folder).mkdir(parents=True, exist_ok=True)
            (where / folder / f"{number:04d}.png").write_bytes(encode_png(picture))
    return roots

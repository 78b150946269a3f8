"""Eigenfaces (Turk and Pentland 1991): the principal components of clean faces, fitted to the pixels outside the mask.

Without any training of a network this is hard to beat at small sizes, so it is in the table of results. Vectors are
float32 of 3 H W values, in grey levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fdgen.arrays import Image
from fdgen.errors import DatasetError
from fdtrain.data.triplets import Pictures, TripletDataset

N_FACES = 300

OVERSAMPLING, POWER_STEPS = 60, 2
"""Of the randomised decomposition (Halko et al. 2011): enough for the last of 300 to be right to a percent."""

MOST_BYTES = 2**29
"""Of clean pictures held at once; at 256 px this is 2,730 faces."""

RIDGE = 30.0
"""What a ridge is where nothing tunes it."""

RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Multiples of the noise left over by the components. 1 is what theory says, about 30 what faces want: the noise is no
white noise, and holes are not small."""

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FaceSpace:
    """The mean face, n components of unit length (n, D), their variances, the variance per value left over, a ridge."""

    size_px: int
    n_faces: int
    mean: Vectors
    components: Vectors
    variances: npt.NDArray[np.float64]
    noise: float
    ridge: float = RIDGE

    @property
    def mean_HWC(self) -> Vectors:
        """The mean face as a picture of floats."""
        return self.mean.reshape(self.size_px, self.size_px, 3)

    def complete(self, occluded_HWC: Image, mask_HW: Image, ridges: Sequence[float] = ()) -> list[Vectors]:
        """Return the face (H, W, 3), floats, that fits the pixels outside the mask best; one for each ridge.

        Minimises, over coefficients c, the squared error of known values plus ridge * noise * sum(c^2 / variance).
        """
        hole = np.repeat(mask_HW.reshape(-1) > 0, 3)
        known = np.where(hole, np.float32(0), occluded_HWC.reshape(-1) - self.mean)
        # Components are orthonormal over the whole picture: what the hole takes away is the smaller product.
        inside = self.components[:, hole].astype(np.float64)
        scale = np.sqrt(self.variances)
        gram = scale[:, None] * (np.eye(len(scale)) - inside @ inside.T) * scale
        target = scale * (self.components @ known)
        if len(ridges) < 2:
            ridge = ridges[0] if ridges else self.ridge
            found = [np.linalg.solve(gram + ridge * self.noise * np.eye(len(scale)), target)]
        else:
            values, vectors = np.linalg.eigh(gram)
            turned = vectors.T @ target
            found = [vectors @ (turned / (values.clip(0) + ridge * self.noise)) for ridge in ridges]
        faces = (self.mean + (scale * z).astype(np.float32) @ self.components for z in found)
        return [face.reshape(self.size_px, self.size_px, 3) for face in faces]

    def tuned(
        self,
        triplets: Sequence[Pictures],
        finish: Callable[[Vectors, Image, Image], Image],
        ridges: Sequence[float] = RIDGES,
    ) -> FaceSpace:
        """Return the same space with the ridge that restores these triplets best, by hole-only PSNR.

        They must not have made the space. `finish(face, occluded, mask)` turns a face into the restored picture.
        """
        total = np.zeros(len(ridges))
        for clean_HWC, occluded_HWC, mask_HW in triplets:
            hole = mask_HW > 0
            for i, face in enumerate(self.complete(occluded_HWC, mask_HW, ridges)):
                difference = finish(face, occluded_HWC, mask_HW)[hole].astype(np.float64) - clean_HWC[hole]
                total[i] += 10 * math.log10(255**2 / max(float(np.mean(difference**2)), 1e-3))
        return replace(self, ridge=float(ridges[int(np.argmax(total))]))


def fit_face_space(
    faces_NHWC: Image,
    *,
    n: int = N_FACES,
    power_steps: int = POWER_STEPS,
    on_step: Callable[[int, int], None] | None = None,
) -> FaceSpace:
    """Find the components of N clean pictures (N, H, W, 3); fewer than n where there are fewer pictures.

    Randomised, with a random state of its own that never changes: the same pictures give the same space.
    """
    if len(faces_NHWC) < 2:
        raise DatasetError(
            f"the mean face and eigenfaces need a train split of 2 photographs or more, got {len(faces_NHWC)}",
            hint="choose other references, as in --references copy,telea",
        )
    size_px, n_faces = faces_NHWC.shape[1], len(faces_NHWC)
    flat = faces_NHWC.reshape(n_faces, -1)
    mean: Vectors = np.mean(flat, axis=0, dtype=np.float64).astype(np.float32)
    n = min(n, n_faces - 1)
    wide = min(n + OVERSAMPLING, n_faces - 1)
    rng = np.random.Generator(np.random.PCG64(0))
    mixture = rng.standard_normal((n_faces, wide), dtype=np.float32)
    for step in range(power_steps):
        if on_step is not None:
            on_step(step, power_steps)
        mixed = _mixed(flat, mean, mixture)
        # Orthonormal among the pictures, of which there are far fewer than values.
        mixture = np.linalg.qr(np.concatenate([rows @ mixed for _, rows in _chunks(flat, mean)]))[0]
    mixed = _mixed(flat, mean, mixture)
    values, vectors = np.linalg.eigh(mixed.T.astype(np.float64) @ mixed)
    values, vectors = values[::-1][:n], vectors[:, ::-1][:, :n]
    # Pictures that lie in a plane leave nothing over, and give components without variance: neither may divide by 0.
    floor = max(float(values[0]) * 1e-9, 1e-6)
    components: Vectors = np.ascontiguousarray((mixed @ (vectors / np.sqrt(values.clip(floor)))).T, np.float32)
    variances = values.clip(floor) / n_faces
    total = sum(float(np.einsum("ij,ij->", rows, rows, dtype=np.float64)) for _, rows in _chunks(flat, mean)) / n_faces
    left_over = (total - float(variances.sum())) / max(flat.shape[1] - n, 1)
    return FaceSpace(size_px, n_faces, mean, components, variances, max(left_over, 1e-3))


def clean_faces(dataset: TripletDataset, indices: Sequence[int]) -> Image:
    """Return clean pictures (N, H, W, 3), one a photograph however many variants it has, as many as memory allows."""
    seen: dict[str, int] = {}
    for index in indices:
        seen.setdefault(str(dataset.table["source"].iloc[index]), index)
    most = max(2, MOST_BYTES // (3 * dataset.size_px**2))
    return np.stack([dataset.pictures(index).clean_HWC for index in list(seen.values())[:most]])


def _mixed(flat: Image, mean: Vectors, mixture: Vectors) -> Vectors:
    """Return sums of centred pictures, one a column of `mixture`: (D, columns)."""
    result = np.zeros((flat.shape[1], mixture.shape[1]), np.float32)
    for at, rows in _chunks(flat, mean):
        result += rows.T @ mixture[at : at + len(rows)]
    return result


def _chunks(flat: Image, mean: Vectors) -> Iterator[tuple[int, Vectors]]:
    """Yield centred pictures as floats, some 64 MB at a time, each with the place of its first."""
    step = max(1, 2**24 // flat.shape[1])
    for at in range(0, len(flat), step):
        yield at, flat[at : at + step] - mean

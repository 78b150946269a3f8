"""Learns the eigenfaces that fill holes before the generators see them (`network.eigenfaces`), as a run begins.

The model's own come of all people of the train split. Training fills each face by a space that lacks its person: it
would know that face better than any that the generators will meet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from fdgen.arrays import Image
from fdgen.io.regular_file import sha256_of
from fdtrain.config.schema import FitConfig, eigenface_px
from fdtrain.data.eigenfaces import RIDGE, Vectors, fit_face_space
from fdtrain.data.stored_samples import StoredSamples
from fdtrain.data.tensors import to_tensor
from fdtrain.data.triplets import TripletDataset
from fdtrain.errors import CheckpointError
from fdtrain.networks.fdstack import BaseNet
from fdtrain.networks.preparation.colour_balance import without_tint
from fdtrain.networks.preparation.eigen_fill import CrossFills, EigenFill
from fdtrain.objectives.base import Objective
from fdtrain.objectives.stacked import StackedObjective
from fdtrain.run_files import write_bytes
from fdtrain.runtime.distributed import Group

FILE = "eigenfaces.safetensors"
"""In a run's folder: the spaces of its parts, and that of all, which is the last."""

PARTS = 4
"""People are divided into so many parts; each is filled by what the others taught."""

MOST_FACES = 3_000
"""Of a space, each of which teaches its mirror image, too."""

POWER_STEPS = 1
"""Of the decomposition: enough for what generators correct, in little more than half the time."""


Parts = npt.NDArray[np.int64]


def learn_fills(
    config: FitConfig,
    objective: Objective,
    train: StoredSamples[object],
    run_dir: Path,
    group: Group,
    phase: Callable[[str], None],
) -> str | None:
    """Give a model, and what trains it, the eigenfaces of the train split; return the digest of the run's file of them.

    None where the settings have none. The first process finds them where the file is missing, and all read it: a run
    goes on with what it began with.

    Args:
        config: Every setting.
        objective: Holds the model.
        train: The train split.
        run_dir: Folder of the run.
        group: All processes; every one must call this.
        phase: Called with what is done.

    Raises `DatasetError` as reading does, and `CheckpointError` where the file is not as it was written.
    """
    if not isinstance(objective, StackedObjective) or objective.model.fill is None:
        return None
    if not isinstance(train, TripletDataset):
        raise TypeError("a stack trains on triplets")
    model, fill = objective.model, objective.model.fill
    path = run_dir / FILE
    part_N = _parts(train)
    if group.is_first and not path.is_file():
        phase("finding eigenfaces")
        fills = _found(model, config, train, part_N)
        write_bytes(path, save({name: value.contiguous() for name, value in fills.state_dict().items()}))
    group.wait()
    n, size_px = config.network.eigenfaces, config.data.size_px
    fills = EigenFill(n, size_px, spaces=PARTS + 1)
    try:
        fills.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{path} does not hold the eigenfaces of this run", hint="delete it to have them found again"
        ) from error
    device = next(model.parameters()).device
    fill.load_state_dict({name: value[-1:] for name, value in fills.state_dict().items()})
    crossed = EigenFill(n, size_px, spaces=PARTS)
    crossed.load_state_dict({name: value[:-1] for name, value in fills.state_dict().items()})
    objective.cross_fills = CrossFills(crossed.to(device), torch.from_numpy(part_N).to(device))
    return sha256_of(path)


def _parts(train: TripletDataset) -> Parts:
    """Return of each sample the part that its person is in: by identity, or by photograph where nobody knows it."""
    people = train.table["identity"].fillna(train.table["source"]).astype(str)
    digests = (hashlib.sha256(person.encode()).digest() for person in people)
    return np.array([digest[0] % PARTS for digest in digests], np.int64)


def _found(model: BaseNet, config: FitConfig, train: TripletDataset, part_N: Parts) -> EigenFill:
    """Return the spaces of all but one part each, and at the end that of all."""
    n, size_px = config.network.eigenfaces, config.data.size_px
    first = train.table.reset_index(drop=True).drop_duplicates("source").index.to_numpy()
    fills = EigenFill(n, size_px, spaces=PARTS + 1)
    faces: dict[int, Image] = {}
    for space in range(PARTS + 1):
        chosen = [int(index) for index in first if part_N[index] != space][:MOST_FACES]
        for index in chosen:
            if index not in faces:
                faces[index] = _face(model, train, index)
        _learn(fills, space, [faces[index] for index in chosen], n)
    return fills


def _face(model: BaseNet, train: TripletDataset, index: int) -> Image:
    """Return a clean face as training varies it, as large as those of a space."""
    clean_HWC = train.pictures(index).clean_HWC
    clean_B3HW = to_tensor(clean_HWC)[None]
    maps_BMHW = model.landmark_maps(clean_B3HW)
    if (tint := model.tint(clean_B3HW, torch.zeros_like(clean_B3HW[:, :1]), maps_BMHW)) is not None:
        clean_B3HW = without_tint(clean_B3HW, tint)
        clean_HWC = ((clean_B3HW[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    side = eigenface_px(train.size_px)
    return np.asarray(cv2.resize(clean_HWC, (side, side), interpolation=cv2.INTER_AREA))


def _learn(fills: EigenFill, space: int, faces: Sequence[Image], n: int) -> None:
    """Put into a space what faces and their mirror images span; of one face, that face; of none, grey."""
    if not faces:
        return
    faces_NHWC = np.stack(faces)
    faces_NHWC = np.concatenate([faces_NHWC, faces_NHWC[:, :, ::-1]])
    found = fit_face_space(faces_NHWC, n=n, power_steps=POWER_STEPS)
    basis = found.components * np.sqrt(found.variances)[:, None].astype(np.float32) / 127.5
    fills.mean_KP[space] = torch.from_numpy(_by_channel(found.mean[None] / 127.5 - 1, found.size_px))[0]
    fills.basis_KNP[space, : len(basis)] = torch.from_numpy(_by_channel(basis, found.size_px))
    fills.ridge_K[space] = RIDGE * found.noise / 127.5**2


def _by_channel(faces_NP: Vectors, side: int) -> Vectors:
    """Return faces of (S, S, 3) values as those of (3, S, S)."""
    channels_last = faces_NP.reshape(-1, side, side, 3)
    return np.ascontiguousarray(channels_last.transpose(0, 3, 1, 2), np.float32).reshape(len(faces_NP), -1)

"""FID (Heusel et al. 2017) and KID (Binkowski et al. 2018): distances between two sets of pictures; less is nearer.

Both compare 2,048 features of the Inception network of the original FID. Its weights come with no package: they are
read from torch's cache, and nothing is fetched. FID of few pictures is too large, by an amount that depends on the
model; KID has no such bias.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fdgen.arrays import Image
from fdtrain.data.tensors import to_tensor
from fdtrain.metrics.not_computed import NotComputed

N_FEATURES = 2048

LEAST_FOR_FID = 2 * N_FEATURES
"""With fewer pictures than features the covariance is singular; 10,000 are usual."""

LEAST_FOR_KID = 100

WEIGHTS_FILE = "pt_inception-2015-12-05-6726825d.pth"

PROTOCOLS = {
    "fid": "FID of the package pytorch_fid's Inception, composited against clean pictures of the same split",
    "kid": "KID (cubic kernel, unbiased, times 1,000) of the same features",
}

Features = npt.NDArray[np.float64]


class Inception:
    """Turns pictures into features: `inception(pictures)` of RGB uint8 gives (N, 2048)."""

    def __init__(self, network: Any, batch: int = 16) -> None:
        self.network, self.batch = network, batch

    @classmethod
    def open(cls) -> Inception:
        """Load the network; raise `NotComputed` where the package or the weights are missing."""
        if util.find_spec("pytorch_fid") is None:
            raise NotComputed(
                "the package pytorch_fid is not installed", hint="`pip install --no-deps pytorch-fid==0.3.0` brings it"
            )
        path = Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS_FILE
        if not path.is_file():
            raise NotComputed(
                f"its Inception weights ({WEIGHTS_FILE}) are not in torch's cache",
                hint='`python -c "from pytorch_fid.inception import InceptionV3; InceptionV3()"` fetches them',
            )
        from pytorch_fid.inception import InceptionV3

        return cls(InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[N_FEATURES]]).eval())

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image]) -> Features:
        """Return the features of pictures of one size."""
        found = []
        for start in range(0, len(pictures), self.batch):
            batch = torch.stack([to_tensor(picture) for picture in pictures[start : start + self.batch]])
            found.append(self.network(batch.add(1).div(2))[0].flatten(1).double().numpy())
        return np.concatenate(found)


def open_frechet(n_pictures: int) -> Callable[[Features, Features], float]:
    """Return the distance of FID; raise `NotComputed` where there are too few pictures."""
    if n_pictures < LEAST_FOR_FID:
        raise NotComputed(f"FID of under {LEAST_FOR_FID:,} pictures is mostly bias (there are {n_pictures:,})")
    return frechet_distance


def open_kernel(n_pictures: int) -> Callable[[Features, Features], float]:
    """Return the distance of KID, times 1,000; raise `NotComputed` where there are too few pictures."""
    if n_pictures < LEAST_FOR_KID:
        raise NotComputed(f"KID of under {LEAST_FOR_KID} pictures is mostly noise (there are {n_pictures})")
    return lambda a, b: 1000 * kernel_distance(a, b)


def frechet_distance(a: Features, b: Features) -> float:
    """Return the distance of the Gaussians that fit two sets of features, (N, D) each.

    The trace of the root of the product of two covariances is the sum of the roots of that product's eigenvalues,
    which are those of a symmetric matrix.
    """
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    covariance_a, covariance_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(covariance_a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root).clip(0)).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(covariance_a) + np.trace(covariance_b) - 2 * shared
    return float(max(distance, 0.0))


def kernel_distance(a: Features, b: Features) -> float:
    """Return the unbiased squared maximum mean discrepancy of two sets of features under (x.y / D + 1)^3."""
    n, m, d = len(a), len(b), a.shape[1]
    within_a, within_b, between = ((x @ y.T / d + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    own_a = (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
    own_b = (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
    return float(own_a + own_b - 2 * between.mean())

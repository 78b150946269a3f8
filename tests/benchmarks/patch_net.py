"""A small network that scores patches, and how well its scores tell two classes apart. Used by the benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tests.benchmarks.outline_patches import Patches, match

F32 = npt.NDArray[np.float32]

FOLDS = 3
EPOCHS = 10
BATCH = 128
BOOTSTRAPS = 200
_PEAK_RATE = 4e-3


class PatchNet(nn.Module):
    """Four convolutions to a quarter of the size, then mean and maximum over the patch: 24,000 weights."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in ((3, 16, 1), (16, 24, 2), (24, 32, 1), (32, 48, 2)):
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(2 * 48, 1)

    def forward(self, patches_B3HW: torch.Tensor) -> torch.Tensor:
        """Return the logit of being the first class (B,)."""
        maps = self.body(patches_B3HW)
        return cast(torch.Tensor, self.head(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))[:, 0])


@dataclass(frozen=True)
class Scored:
    """Two matched classes of patches with the scores of networks that had not seen their faces."""

    first: Patches
    second: Patches
    first_N: F32
    second_N: F32

    def auc(self) -> float:
        """Return the area under the ROC curve."""
        return auc(self.first_N, self.second_N)

    def interval(self, seed: int) -> tuple[float, float]:
        """Return the 95 % interval of the area, faces drawn anew with replacement."""
        rng = np.random.default_rng(seed)
        faces = np.unique(np.concatenate([self.first.face_N, self.second.face_N]))
        of_first, of_second = (
            {face: scores[patches.face_N == face] for face in faces}
            for scores, patches in ((self.first_N, self.first), (self.second_N, self.second))
        )
        areas = []
        for _ in range(BOOTSTRAPS):
            drawn = rng.choice(faces, len(faces))
            areas.append(auc(*(np.concatenate([of[face] for face in drawn]) for of in (of_first, of_second))))
        low, high = np.percentile(areas, (2.5, 97.5))
        return float(low), float(high)


def cross_fit(first: Patches, second: Patches, seed: int) -> Scored:
    """Match two classes, then score every patch by a network that was trained on other faces."""
    rng = np.random.default_rng(seed)
    first, second = match(first, second, rng)
    first_N, second_N = np.zeros(len(first), np.float32), np.zeros(len(second), np.float32)
    fold_of = rng.permutation(1 + int(max(first.face_N.max(), second.face_N.max()))) % FOLDS
    for fold in range(FOLDS):
        of_first, of_second = fold_of[first.face_N] == fold, fold_of[second.face_N] == fold
        pixels = np.concatenate([first.pixels_N3HW[~of_first], second.pixels_N3HW[~of_second]])
        label = np.repeat(np.array([1, 0], np.float32), [np.count_nonzero(~of_first), np.count_nonzero(~of_second)])
        net = _train(torch.from_numpy(pixels), torch.from_numpy(label), seed + fold)
        first_N[of_first] = _score(net, first.pixels_N3HW[of_first])
        second_N[of_second] = _score(net, second.pixels_N3HW[of_second])
    return Scored(first, second, first_N, second_N)


def auc(first_N: F32, second_N: F32) -> float:
    """Return how often a score of the first class is above one of the second."""
    scores = np.concatenate([first_N, second_N])
    rank = np.empty(len(scores))
    rank[scores.argsort(kind="stable")] = np.arange(1, len(scores) + 1)
    n = len(first_N)
    return float((rank[:n].sum() - n * (n + 1) / 2) / (n * len(second_N)))


def _train(pixels_N3HW: torch.Tensor, label_N: torch.Tensor, seed: int) -> PatchNet:
    """Train for `EPOCHS`, every batch turned and mirrored as drawn: which way an edge runs is no clue."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = PatchNet()
    n = len(label_N)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _PEAK_RATE, total_steps=EPOCHS * -(-n // BATCH))
    for _ in range(EPOCHS):
        order = rng.permutation(n)
        for start in range(0, n, BATCH):
            batch = order[start : start + BATCH]
            patches = torch.rot90(pixels_N3HW[batch], int(rng.integers(4)), (2, 3))
            if rng.random() < 0.5:
                patches = patches.flip(3)
            loss = nn.functional.binary_cross_entropy_with_logits(net(patches), label_N[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def _score(net: PatchNet, pixels_N3HW: F32) -> F32:
    """Return the mean logit over the four quarter turns (N,)."""
    patches = torch.from_numpy(pixels_N3HW)
    turned = [net(torch.rot90(patches, turns, (2, 3))) for turns in range(4)]
    return np.asarray(torch.stack(turned).mean(0), np.float32)

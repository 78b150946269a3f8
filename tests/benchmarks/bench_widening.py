"""How far must a mask reach beyond what was found? `python -m tests.benchmarks.bench_widening` prints a table.

    python -m tests.benchmarks.bench_widening --data set96 --weights RUN

The mask network learns silhouettes, and a restorer must also replace what the occluder changed around them: contact
shadows, blurred edges, what was compressed with it. The dataset's `mask` marks all of that. For each threshold and
reach of `fdtrain.inference.mask_decision.threshold_mask`, over the pictures of a split:

    covered   share of the pixels of `mask` that the widened prediction masks: mean, and the 5th percentile of pictures
    residue   what stays: the difference in levels of occluded and clean where `mask` is not covered, summed, by the
              pixels of `mask`
    lost      share of the clean pixels that it masks without need

`true` rows widen the silhouette itself, as a perfect network would. Residue is what matters: a shadow of one level
that stays is not seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from fdtrain.data.silhouettes import SOLID, SilhouetteDataset
from fdtrain.data.triplets import TripletDataset
from fdtrain.inference.mask_decision import threshold_mask
from fdtrain.inference.maskers import open_masker

THRESHOLDS = (0.3, 0.5)
REACHES = (0.0, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
BATCH = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="dataset that fdgen built")
    parser.add_argument("--weights", type=Path, required=True, help="mask network: a run or a file")
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=500)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    masker = open_masker(args.weights, "cpu")
    triplets = TripletDataset(args.data, args.split, size_px=masker.size_px, limit=args.limit)
    silhouettes = SilhouetteDataset(args.data, args.split, size_px=masker.size_px, limit=args.limit)
    found: dict[tuple[str, float, float], list[tuple[float, float, float]]] = {}
    for start in range(0, len(triplets), BATCH):
        indices = range(start, min(start + BATCH, len(triplets)))
        pictures = [triplets.pictures(index) for index in indices]
        predictions = masker.predict([one.occluded_HWC for one in pictures])
        for index, (clean_HWC, occluded_HWC, mask_HW), prediction in zip(indices, pictures, predictions, strict=True):
            truth_HW = (silhouettes.seen(index).alpha_HW >= SOLID).astype(np.float32)
            needed_HW = mask_HW > 0
            change_HW = np.abs(occluded_HWC.astype(np.float64) - clean_HWC).mean(2)
            for name, occluder_HW, thresholds in (
                ("found", prediction.occluder_HW, THRESHOLDS),
                ("true", truth_HW, (0.5,)),
            ):
                for threshold in thresholds:
                    for reach in REACHES:
                        masked_HW = threshold_mask(occluder_HW, masker.size_px, threshold=threshold, reach=reach)
                        covered = float((masked_HW & needed_HW).sum() / needed_HW.sum())
                        residue = float(change_HW[needed_HW & ~masked_HW].sum() / needed_HW.sum())
                        lost = float((masked_HW & ~needed_HW).sum() / max((~needed_HW).sum(), 1))
                        found.setdefault((name, threshold, reach), []).append((covered, residue, lost))
    sys.stdout.write(f"{len(triplets)} pictures of the {args.split} split at {masker.size_px} px\n")
    sys.stdout.write("         threshold  reach  covered  (worst 5 %)  residue  lost\n")
    for (name, threshold, reach), values in found.items():
        covered, residue, lost = np.array(values).T
        sys.stdout.write(
            f"{name:8s} {threshold:9.2f} {reach:6.3f} {covered.mean():8.3f} {np.percentile(covered, 5):12.3f} "
            f"{residue.mean():8.2f} {lost.mean():6.3f}\n"
        )


if __name__ == "__main__":
    main()

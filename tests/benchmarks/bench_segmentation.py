"""Do composites teach a network to find real occluders? `python -m tests.benchmarks.bench_segmentation` prints JSON.

    fdgen build --faces CELEBA --size 96 --recipe paper --count 20000 --out set96
    python -m tests.benchmarks.bench_segmentation --data set96 --real REAL-OCCLUDED

The same small network is trained several times, each time on the same photographs, the same silhouettes (`alpha` of at
least 128) and the same number of pictures shown, and differs in what fills the silhouette alone:

    ours     the composite itself
    paste    one flat colour: the mean of what the composite shows there, so its own colour without light or texture
    random   one flat colour drawn at random, another each time
    mixed    ours, and in three of ten pictures random

All are augmented as `fdtrain fit --preset mask` does, and each is then asked for the occluders of photographs of real
people that were outlined by hand (`outlines.py`); none of those was seen in training. With `--weights` networks that
are trained already are asked instead:

    python -m tests.benchmarks.bench_segmentation --weights RUN --real REAL-OCCLUDED --sheets FOLDER

A pixel counts as found from a probability of 0.5 on; with `--as-restored`, where `fdtrain restore` would replace it
before it widens a mask: from 0.3 on, with straps, without what lies beside the face.

IoU is per photograph over all that covers it, averaged within the kind that covers most; intervals are of 10,000
bootstrap samples of photographs, for differences of pairs. The table goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from fdgen.contract.manifest import Manifest
from fdtrain.data.augment_silhouettes import PhotographAugment
from fdtrain.data.pictures import decode_grey, decode_rgb, write_png
from fdtrain.data.silhouettes import SOLID, Seen
from fdtrain.data.tensors import to_tensor
from fdtrain.inference.mask_decision import middle_of_crop, threshold_mask, with_lines
from fdtrain.inference.maskers import Masker, TorchMasker, open_masker
from fdtrain.metrics.segmentation import EVEN
from fdtrain.networks.masknet import CalibratedMaskNet, MaskNet
from fdtrain.objectives.mask import soft_dice_loss
from fdtrain.runtime.bf16 import PRECISIONS, convolution_seconds
from tests.benchmarks import outlines

Levels = npt.NDArray[np.uint8]

SIZE_PX, BATCH = 96, 16
FILLS = ("ours", "paste", "random", "mixed")
PASTED_OF_MIXED = 0.3
RATE, DECAY, AVERAGED = 2e-3, 1e-4, 0.995
AUGMENT = PhotographAugment()


class Pictures:
    """All training pictures of a dataset in memory: clean and occluded (N, S, S, 3), alpha (N, S, S), RGB uint8."""

    def __init__(self, root: Path) -> None:
        manifest = Manifest.load(root)
        rows = manifest.samples("train")
        self.content_id: str = manifest.dataset["content_id"]
        n = len(rows)
        self.clean, self.occluded = (np.empty((n, SIZE_PX, SIZE_PX, 3), np.uint8) for _ in range(2))
        self.alpha = np.empty((n, SIZE_PX, SIZE_PX), np.uint8)
        k = 0
        for shard, part in rows.groupby("shard", sort=True):
            data = memoryview((manifest.root / "shards" / f"{shard}.tar").read_bytes())
            for row in part.to_dict("records"):
                for member, store in (("clean", self.clean), ("occluded", self.occluded), ("alpha", self.alpha)):
                    start = row[f"{member}_png_offset"]
                    png = bytes(data[start : start + row[f"{member}_png_size"]])
                    picture = (decode_grey if member == "alpha" else decode_rgb)(png, f"{member} of {row['key']}")
                    store[k] = cv2.resize(picture, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
                k += 1

    def __len__(self) -> int:
        return len(self.alpha)

    def filled(self, index: int, fill: str, rng: np.random.Generator) -> Levels:
        """Return the picture (S, S, 3) whose silhouette is filled in the way of `fill`."""
        flat = fill == "random" or (fill == "mixed" and rng.random() < PASTED_OF_MIXED)
        if not flat and fill != "paste":
            return self.occluded[index]
        share = self.alpha[index, ..., None].astype(np.float32) / 255
        colour = rng.uniform(0, 255, 3)
        if fill == "paste":
            colour = (self.occluded[index] * share).sum((0, 1)) / max(float(share.sum()), 1e-3)
        return np.rint(self.clean[index] * (1 - share) + colour.astype(np.float32) * share).astype(np.uint8)


def batch_of(seen: list[Seen], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return pictures (B, 3, S, S) in [-1, 1] and silhouettes (B, 1, S, S), varied as `fit --preset mask` does."""
    varied = [AUGMENT.vary(one, rng) for one in seen]
    targets = [torch.from_numpy((one.alpha_HW >= SOLID).astype(np.float32)[None]) for one in varied]
    return torch.stack([to_tensor(one.occluded_HWC) for one in varied]), torch.stack(targets)


def loss_of(logits_B1HW: Tensor, target_B1HW: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice, each the mean over pictures."""
    dice = soft_dice_loss(torch.sigmoid(logits_B1HW), target_B1HW)
    return functional.binary_cross_entropy_with_logits(logits_B1HW, target_B1HW) + 0.5 * dice


def train(pictures: Pictures, fill: str, *, shown: int, seed: int, precision: str) -> Masker:
    """Train a network on `shown` pictures and return the running average of its weights, ready for use."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = MaskNet().to(memory_format=torch.channels_last)
    averaged = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGED), use_buffers=True
    )
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    steps = shown // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    order = np.concatenate([rng.permutation(len(pictures)) for _ in range(shown // len(pictures) + 1)])
    for step in range(steps):
        chosen = order[step * BATCH : (step + 1) * BATCH]
        filled = [pictures.filled(int(index), fill, rng) for index in chosen]
        alphas = [pictures.alpha[index] for index in chosen]
        image, target = batch_of([Seen(*pair) for pair in zip(filled, alphas, strict=True)], rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = net(image.contiguous(memory_format=torch.channels_last))
        optimiser.zero_grad()
        loss_of(logits.float(), target).backward()
        optimiser.step()
        schedule.step()
        averaged.update_parameters(net)
    trained = averaged.module
    assert isinstance(trained, MaskNet)
    return TorchMasker(CalibratedMaskNet(trained), size_px=SIZE_PX)


def evaluate(
    masker: Masker, folder: Path, labelled: list[outlines.Labelled], sheet: Path | None, *, as_restored: bool
) -> list[float]:
    """Return the IoU of each photograph; `sheet` takes a picture of all, worst first."""
    middle = middle_of_crop(outlines.WIDTH_PX)
    scores, drawn = [], []
    for entry in labelled:
        crop = outlines.read_crop(folder, entry, outlines.WIDTH_PX)
        probability = masker.predict([crop])[0].occluder_HW
        found = probability >= EVEN
        if as_restored:
            found = threshold_mask(with_lines(probability, crop), outlines.WIDTH_PX, middle_HW=middle, reach=0)
        scores.append(outlines.iou(found, entry))
        if sheet is not None:
            drawn.append(_overlaid(crop, found, entry, scores[-1]))
    if sheet is not None:
        worst = [drawn[k] for k in np.argsort(scores)]
        worst += [np.zeros_like(drawn[0])] * (-len(worst) % 9)
        rows = [np.hstack(worst[k : k + 9]) for k in range(0, len(worst), 9)]
        write_png(sheet, np.vstack(rows))
    return scores


def _overlaid(picture: Levels, found: outlines.Bools, entry: outlines.Labelled, score: float) -> Levels:
    """Draw what was found in red and what was labelled in green over a crop."""
    drawn = picture.copy()
    drawn[found] = drawn[found] // 2 + np.array([120, 0, 0], np.uint8)
    contours, _ = cv2.findContours(entry.regions()[0].astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, (0, 255, 0), 1)
    cv2.putText(drawn, f"{Path(entry.name).stem} {score:.2f}", (2, 12), 0, 0.42, (255, 255, 0), 1, cv2.LINE_AA)
    return drawn


def summary(scores: dict[str, list[float]], kinds: list[str]) -> dict[str, Any]:
    """Return mean and interval by fill and kind, and of ours less every other."""
    of = {kind: [k for k, own in enumerate(kinds) if kind in (own, "all")] for kind in (*outlines.KINDS, "all")}

    def row(values: list[float]) -> dict[str, list[float]]:
        return {
            kind: [round(v, 3) for v in outlines.bootstrap([values[k] for k in places])]
            for kind, places in of.items()
            if places
        }

    table = {fill: row(values) for fill, values in scores.items()}
    for fill, values in scores.items():
        if "ours" in scores and fill != "ours":
            table[f"ours - {fill}"] = row([a - b for a, b in zip(scores["ours"], values, strict=True)])
    return {"photographs": {kind: len(places) for kind, places in of.items()}, "iou": table}


def main() -> None:
    """Train and compare, or ask what is trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, help="dataset that fdgen built, best at 96 px")
    what.add_argument("--weights", type=Path, action="append", help="mask network: a run or a file; may be repeated")
    parser.add_argument("--real", type=Path, required=True, help="folder of the labelled photographs")
    parser.add_argument("--fill", action="append", choices=FILLS, help="may be repeated; default: ours, paste, random")
    parser.add_argument("--shown", type=int, default=20_000, help="pictures shown in training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=PRECISIONS, help="of training; default: the faster one here, by timing")
    parser.add_argument("--as-restored", action="store_true", help="what restore makes of probabilities, not widened")
    parser.add_argument("--sheets", type=Path, help="folder for a picture of all predictions, worst first")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    labelled = outlines.load()
    scores: dict[str, list[float]] = {}
    facts: dict[str, Any] = {}

    def ask(name: str, masker: Masker) -> None:
        if args.sheets is not None:
            args.sheets.mkdir(parents=True, exist_ok=True)
        sheet = args.sheets / f"{name}.png" if args.sheets else None
        scores[name] = evaluate(masker, args.real, labelled, sheet, as_restored=args.as_restored)

    stems = [path.stem for path in args.weights or ()]
    for path in args.weights or ():  # runs of one name are told apart by their paths
        ask(path.stem if stems.count(path.stem) == 1 else "-".join(path.parts).lstrip("/-"), open_masker(path, "cpu"))
    if args.data is not None:
        pictures = Pictures(args.data)
        facts = {"shown": args.shown, "seed": args.seed, "data": pictures.content_id, "pairs": len(pictures)}
        seconds = convolution_seconds(torch.device("cpu"))
        facts["precision"] = precision = args.precision or min(seconds, key=seconds.__getitem__)
        facts["cpu_s"] = {}
        for fill in args.fill or FILLS[:3]:
            start = time.process_time()
            masker = train(pictures, fill, shown=args.shown, seed=args.seed, precision=precision)
            facts["cpu_s"][fill] = round(time.process_time() - start)
            ask(fill, masker)
    result = summary(scores, [entry.kind for entry in labelled])
    for name, row in result["iou"].items():
        cells = "  ".join(f"{kind} {mean:6.3f} [{low:6.3f}, {high:6.3f}]" for kind, (mean, low, high) in row.items())
        sys.stderr.write(f"{name:14s} {cells}\n")
    result |= {
        "each": {entry.name: [round(scores[name][k], 3) for name in scores] for k, entry in enumerate(labelled)},
        **facts,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "opencv": cv2.__version__},
    }
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

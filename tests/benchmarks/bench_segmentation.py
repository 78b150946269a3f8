"""Do composites teach a network to find real occluders? `python -m tests.benchmarks.bench_segmentation` prints JSON.

    fdgen build --faces CELEBA --size 96 --recipe paper --count 20000 --out set96
    python -m tests.benchmarks.bench_segmentation --data set96 --real REAL-OCCLUDED

The same small network is trained several times, each time on the same photographs, the same silhouettes (`alpha` of at
least 128) and the same number of pictures shown, and differs in what fills the silhouette alone:

    ours     the composite itself
    paste    one flat colour: the mean of what the composite shows there, so its own colour without light or texture
    random   one flat colour drawn at random, another each time
    mixed    ours, and in three of ten pictures random

All are augmented in the same way (`augmented` below), and each is then asked for the occluders of photographs of real
people that were outlined by hand (`outlines.py`); none of those was seen in training. IoU is per photograph over all
that covers it, averaged within the kind that covers most; intervals are of 10,000 bootstrap samples of photographs, for
differences of pairs. The table goes to standard error.
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

from fdgen.contract import Manifest
from fdtrain.networks.masknet import MaskNet
from fdtrain.pictures import decode_grey, decode_rgb
from tests.benchmarks import outlines

Levels = npt.NDArray[np.uint8]

SIZE_PX, BATCH = 96, 16
FILLS = ("ours", "paste", "random", "mixed")
PASTED_OF_MIXED = 0.3
RATE, DECAY, AVERAGED = 2e-3, 1e-4, 0.995


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


def augmented(pictures: list[Levels], alphas: list[Levels], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return pictures (B, 3, S, S) in [-1, 1] and targets (B, 1, S, S), the photographs varied as others might be.

    Mirrored, turned by up to 20 degrees, scaled by 0.75 to 1.3, moved by a tenth of the side; brightness, contrast,
    gamma, saturation and white balance; now and then grey, blurred, noisy, sharpened, or a JPEG of poor quality.
    """
    images, targets = [], []
    for picture, alpha in zip(pictures, alphas, strict=True):
        matrix = cv2.getRotationMatrix2D((SIZE_PX / 2, SIZE_PX / 2), rng.normal(0, 8), np.exp(rng.normal(0.0, 0.12)))
        matrix[:, 2] += rng.uniform(-0.1, 0.1, 2) * SIZE_PX
        if rng.random() < 0.5:
            matrix = matrix @ np.array([[-1, 0, SIZE_PX - 1], [0, 1, 0], [0, 0, 1.0]])
        side = (SIZE_PX, SIZE_PX)
        border = cv2.BORDER_REPLICATE
        image = cv2.warpAffine(picture, matrix, side, flags=cv2.INTER_LINEAR, borderMode=border)
        targets.append(cv2.warpAffine(alpha, matrix, side, flags=cv2.INTER_LINEAR, borderMode=border) >= 128)
        if rng.random() < 0.3:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
            image = cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)
        value = image.astype(np.float32) / 255
        blur = rng.random()
        if blur < 0.25:
            value = cv2.GaussianBlur(value, (0, 0), rng.uniform(0.4, 1.4))
        elif blur < 0.5:
            value = np.clip(value + rng.uniform(0.3, 1.2) * (value - cv2.GaussianBlur(value, (0, 0), 1.0)), 0, 1)
        value = value ** np.float32(np.exp(rng.normal(0, 0.25)))
        grey = value.mean(2, keepdims=True)
        value = grey + (value - grey) * np.float32(0 if rng.random() < 0.05 else np.exp(rng.normal(0, 0.3)))
        gain = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3)).astype(np.float32)
        value = (value - 0.5) * np.float32(np.exp(rng.normal(0, 0.2))) + 0.5
        value = value * gain + np.float32(rng.normal(0, 0.05))
        if rng.random() < 0.3:
            value += rng.standard_normal(value.shape, np.float32) * np.float32(rng.uniform(0, 0.04))
        images.append(np.clip(value, 0, 1))
    stack = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) * 2 - 1
    return stack, torch.from_numpy(np.stack(targets))[:, None].float()


def loss_of(logits_B1HW: Tensor, target_B1HW: Tensor) -> Tensor:
    """Return cross-entropy plus soft Dice, each the mean over pictures."""
    found = torch.sigmoid(logits_B1HW)
    overlap = (found * target_B1HW).sum((1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (found.sum((1, 2, 3)) + target_B1HW.sum((1, 2, 3)) + 1)
    return functional.binary_cross_entropy_with_logits(logits_B1HW, target_B1HW) + 0.5 * dice.mean()


def train(pictures: Pictures, fill: str, *, shown: int, seed: int) -> MaskNet:
    """Train a network on `shown` pictures and return the running average of its weights."""
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
        image, target = augmented(filled, [pictures.alpha[index] for index in chosen], rng)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(image.contiguous(memory_format=torch.channels_last))
        optimiser.zero_grad()
        loss_of(logits.float(), target).backward()
        optimiser.step()
        schedule.step()
        averaged.update_parameters(net)
    trained = averaged.module
    assert isinstance(trained, MaskNet)
    return trained.eval()


@torch.no_grad()
def predict(net: MaskNet, picture_HWC: Levels) -> npt.NDArray[np.float32]:
    """Return the probability (178, 178) that an occluder covers each pixel of a crop."""
    image = torch.from_numpy(picture_HWC).permute(2, 0, 1)[None].float() / 127.5 - 1
    found = torch.sigmoid(net(image))[0, 0].numpy()
    return np.asarray(cv2.resize(found, (outlines.WIDTH_PX,) * 2, interpolation=cv2.INTER_LINEAR), np.float32)


def evaluate(net: MaskNet, folder: Path, labelled: list[outlines.Labelled], sheet: Path | None) -> list[float]:
    """Return the IoU of each photograph; `sheet` takes a picture of all, worst first."""
    scores, drawn = [], []
    for entry in labelled:
        found = predict(net, outlines.read_crop(folder, entry, SIZE_PX)) >= 0.5
        scores.append(outlines.iou(found, entry))
        if sheet is not None:
            drawn.append(_overlaid(outlines.read_crop(folder, entry, outlines.WIDTH_PX), found, entry, scores[-1]))
    if sheet is not None:
        worst = [drawn[k] for k in np.argsort(scores)]
        worst += [np.zeros_like(drawn[0])] * (-len(worst) % 9)
        rows = [np.hstack(worst[k : k + 9]) for k in range(0, len(worst), 9)]
        cv2.imwrite(str(sheet), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
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
    """Train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="dataset that fdgen built, best at 96 px")
    parser.add_argument("--real", type=Path, required=True, help="folder of the labelled photographs")
    parser.add_argument("--fill", action="append", choices=FILLS, help="may be repeated; default: ours, paste, random")
    parser.add_argument("--shown", type=int, default=20_000, help="pictures shown in training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=Path, help="folder for a picture of all predictions, worst first")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    labelled, pictures = outlines.load(), Pictures(args.data)
    scores, seconds = {}, {}
    for fill in args.fill or FILLS[:3]:
        start = time.process_time()
        net = train(pictures, fill, shown=args.shown, seed=args.seed)
        seconds[fill] = round(time.process_time() - start)
        scores[fill] = evaluate(net, args.real, labelled, args.sheets / f"{fill}.png" if args.sheets else None)
    result = summary(scores, [entry.kind for entry in labelled])
    for name, row in result["iou"].items():
        cells = "  ".join(f"{kind} {mean:6.3f} [{low:6.3f}, {high:6.3f}]" for kind, (mean, low, high) in row.items())
        sys.stderr.write(f"{name:14s} {cells}\n")
    result |= {
        "each": {entry.name: [round(scores[fill][k], 3) for fill in scores] for k, entry in enumerate(labelled)},
        "shown": args.shown,
        "seed": args.seed,
        "data": pictures.content_id,
        "pairs": len(pictures),
        "cpu_s": seconds,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "opencv": cv2.__version__},
    }
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

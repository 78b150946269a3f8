"""Trains the parser that notices what a face wears or holds already, and writes `fdgen/analysis/models/parser.onnx`.

    python -m tests.benchmarks.train_parser --portraits DIR --out DIR

    photographs --> crops and composites, kept in --out --> training --> ONNX

DIR holds the open portraits of `docs/starter/photographs.csv`; what the people wear is in `worn_labels.json`, labelled
by eye. Everything else is put on by this generator, which says for sure what is where. One tenth of the people are left
out, and the loss on them is printed. One core, about half an hour, half of it for the composites.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import torch
import torch.nn.functional as functional
from torch import Tensor

from docs.starter.photographs import TABLE, collections_of, credits_line
from fdgen.analysis.models.accessory_network import CLASSES, INPUT_PX, MAP_PX
from fdgen.arrays import Image
from fdtrain.data.backdrop import backdrop_share, before, drawn_backdrop, drawn_place
from tests.benchmarks.parser_net import Parser
from tests.benchmarks.parser_pictures import MAP_PX as STORED_PX
from tests.benchmarks.parser_pictures import PICTURE_PX, Pictures, make

LABELS = Path(__file__).with_name("worn_labels.json")
MODEL = Path(__file__).parents[2] / "fdgen" / "analysis" / "models" / "parser.onnx"

BATCH = 32
BARE, WEARERS, FEATURELESS = 0.35, 0.12, 0.04
"""Shares of a batch: photographs as they are, among them those of people who wear something, and faces without a
feature, which teach that smooth is not a mask."""
OFTEN = {"hat": 1.6, "hand": 1.4}
"""How often composites with these classes are drawn, against others: they are hardest to find."""
RECOLOURED = (0.25, 0.8, 0.8, 0.2)
"""By how much (standard deviation of log gamma) each of `CLASSES` is recoloured: hats and masks have any colour."""
COLOURED = 1.6
"""How often a coloured portrait is drawn, against a grey one: there are fewer."""
RATE, WARMUP_STEPS, DECAY = 2e-3, 100, 0.02
MAP_WEIGHT = 4.0
N_BACKDROPS = 1000
KEPT = 0.998
"""Of the running mean of the weights, a step."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """One picture to learn from, varied: levels (3, 96, 96), map (C, 24, 24) in [0, 1] with -1 where nothing is
    said of a class, and what is there (C,) as 1, 0 or -1.
    """

    picture: Values
    maps: Values
    there: Values


class Portraits:
    """Pictures of one part of the people, with what they wear in truth, drawn at random."""

    def __init__(self, pictures: Pictures, labels: dict[str, Any], held_out: bool) -> None:
        mine = np.array([(zlib.crc32(path.encode()) % 10 == 0) == held_out for path in pictures.paths])
        self.pictures, self.maps = pictures.pictures_NHWC[mine], pictures.maps_NHWC[mine]
        self.paths, self.kinds = pictures.paths[mine], pictures.kinds[mine]
        self.there, self.hidden = with_worn(pictures.there_NC[mine], self.paths, self.kinds, labels)
        bare = self.kinds == ""
        wearing = np.isin(self.paths, [path for name in CLASSES for path in labels.get(name, ())])
        coloured = np.array([path.startswith("uk-") for path in self.paths])
        weight = np.where(coloured, COLOURED, 1.0)
        for name, often in OFTEN.items():
            weight = weight * np.where(pictures.there_NC[mine][:, CLASSES.index(name)] == 1, often, 1.0)
        self.groups = [np.flatnonzero(group) for group in (~bare, bare & ~wearing, bare & wearing)]
        self.odds = [weight[group] / weight[group].sum() for group in self.groups]
        behind = {
            path: backdrop_share(picture) for path, picture in zip(self.paths[bare], self.pictures[bare], strict=True)
        }
        clean = dict(zip(self.paths[bare], self.pictures[bare], strict=True))
        self.behind, self.clean = behind, clean
        rng = np.random.default_rng(held_out)
        made = [(drawn_place if n % 3 else drawn_backdrop)(PICTURE_PX, rng) for n in range(N_BACKDROPS)]
        self.backdrops = np.stack(made).astype(np.uint8)

    def drawn(self, rng: np.random.Generator) -> Sample:
        """Draw a picture and vary it."""
        if rng.random() < FEATURELESS:
            return self.featureless(rng)
        group = int(rng.choice(3, p=(1 - BARE, BARE - WEARERS, WEARERS)))
        return self.varied(int(rng.choice(self.groups[group], p=self.odds[group])), rng)

    def featureless(self, rng: np.random.Generator) -> Sample:
        """Draw a face that wears nothing blurred beyond recognition, or an oval of one colour."""
        if rng.random() < 0.6:
            picture = self.pictures[int(rng.choice(self.groups[1]))]
            picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(4, 16)))
        else:
            ground = rng.uniform(20, 235, 3)
            skin = np.clip(rng.uniform(50, 235) * np.array([1.0, 0.77, 0.65]) + rng.normal(0, 8, 3), 0, 255)
            picture = np.full((PICTURE_PX, PICTURE_PX, 3), ground, np.uint8)
            middle = (PICTURE_PX / 2 + rng.normal(0, 6), PICTURE_PX * 0.55 + rng.normal(0, 6))
            size = (PICTURE_PX * rng.uniform(0.45, 0.8), PICTURE_PX * rng.uniform(0.6, 0.95))
            cv2.ellipse(picture, (middle, size, float(rng.normal(0, 8))), [float(value) for value in skin], -1)
        nothing = np.zeros((STORED_PX, STORED_PX, len(CLASSES)), np.uint8)
        picture, maps = framed(np.asarray(picture, np.uint8), nothing, rng)
        shown = photographed(picture, rng).transpose(2, 0, 1).astype(np.float32)
        return Sample(shown, maps.transpose(2, 0, 1).astype(np.float32), np.zeros(len(CLASSES), np.float32))

    def varied(self, n: int, rng: np.random.Generator) -> Sample:
        """Vary picture `n` as other photographs of other people would."""
        picture, maps = self.pictures[n], self.maps[n]
        share, clean = self.behind.get(self.paths[n]), self.clean.get(self.paths[n])
        if share is not None and clean is not None and "shield" not in self.kinds[n] and rng.random() < 0.6:
            alpha = cv2.resize(maps.max(2), (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_LINEAR)
            behind = self.backdrops[int(rng.integers(N_BACKDROPS))].astype(np.float32)
            if self.paths[n].startswith("us-"):  # these are grey
                behind = np.repeat(behind[..., 1:2], 3, 2)
            picture = before(picture, clean, np.asarray(alpha, np.uint8), behind, share)
        picture, moved = framed(recoloured(picture, maps, rng), maps, rng)
        shown = photographed(picture, rng)
        target = moved.transpose(2, 0, 1).astype(np.float32) / 255
        target[self.hidden[n]] = -1
        return Sample(shown.transpose(2, 0, 1).astype(np.float32), target, self.there[n].astype(np.float32))


def with_worn(
    there_NC: npt.NDArray[np.int8], paths: npt.NDArray[np.str_], kinds: npt.NDArray[np.str_], labels: dict[str, Any]
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """Return what is there (N, C) with what people wear in truth, and of which classes no map is known (N, C).

    Args:
        there_NC: What was put on: 1, 0 or -1.
        paths: Of the photographs (N,).
        kinds: What was put on, joined by `+` (N,).
        labels: Paths of wearers by class, and `unsure` by class.
    """
    there, unknown = there_NC.copy(), there_NC < 0
    for n, name in enumerate(CLASSES):
        worn = np.isin(paths, labels.get(name, ()))
        unsure = np.isin(paths, labels["unsure"].get(name, ()))
        # What is put on later may hide what is worn: then nothing is said.
        covers = np.array(
            [any(kind in row for kind in ("hand", "phone", "cup", "goggles", "hood", "veil")) for row in kinds]
        )
        open_to_change = there[:, n] == 0
        there[worn & open_to_change & ~covers, n] = 1
        there[(worn & open_to_change & covers) | (unsure & open_to_change), n] = -1
        unknown[:, n] |= worn | unsure
    return there, unknown


def framed(picture: Image, maps: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Mirror, turn, scale and move: (96, 96, 3) and (24, 24, C) of (128, 128, 3) and (64, 64, C)."""
    if rng.random() < 0.5:
        picture, maps = np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(maps[:, ::-1])
    turn, scale = rng.normal(0, 4), INPUT_PX / PICTURE_PX * math.exp(rng.normal(0.01, 0.05))
    shift = rng.uniform(-0.04, 0.04, 2)
    shown = _warped(picture, INPUT_PX, turn, scale, shift)
    finer = _warped(maps, 2 * MAP_PX, turn, scale * PICTURE_PX / STORED_PX * 2 * MAP_PX / INPUT_PX, shift)
    return shown, np.asarray(cv2.resize(finer, (MAP_PX, MAP_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _warped(picture: Image, to: int, turn: float, scale: float, shift: npt.NDArray[np.float64]) -> Image:
    """Return a square picture turned, scaled and moved.

    Args:
        picture: The square to warp.
        to: Side of the result in px.
        turn: In degrees.
        scale: In px of the result a px.
        shift: Across and down, in sides of the result.
    """
    side = len(picture)
    matrix = np.asarray(cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), turn, scale), np.float64)
    matrix[:, 2] += (to - side) / 2 + shift * to
    warped = cv2.warpAffine(picture, matrix, (to, to), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.uint8)


def recoloured(picture: Image, maps: Image, rng: np.random.Generator) -> Image:
    """Give every second hat, mask, pair of glasses and hand another colour and brightness, where its map says."""
    for n, reach in enumerate(RECOLOURED):
        if maps[..., n].max() > 128 and rng.random() < 0.5:
            alpha = cv2.resize(maps[..., n], (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_LINEAR)[..., None]
            powers = np.exp(rng.normal(0, reach) + rng.normal(0, reach / 3, 3))
            table = np.rint(255 * (np.arange(256) / 255)[:, None] ** powers).astype(np.uint8)
            other = cv2.LUT(picture, table[None]).astype(np.float32)
            picture = np.rint(picture + (other - picture) * (alpha / np.float32(255))).astype(np.uint8)
    return picture


def photographed(picture: Image, rng: np.random.Generator) -> Image:
    """Change light, colour, sharpness, size, noise and coding."""
    side = len(picture)
    if rng.random() < 0.5:
        picture = lit_from_a_side(picture, rng)
    shown = cv2.LUT(picture, tones(rng)[None])
    saturation = 0.0 if rng.random() < 0.12 else min(math.exp(rng.normal(0, 0.3)), 1.6)
    to_grey = np.full((3, 3), (1 - saturation) / 3) + np.eye(3) * saturation
    shown = cv2.transform(shown, to_grey)
    if rng.random() < 0.5:
        small = int(rng.integers(40, 90))
        shown = cv2.resize(shown, (small, small), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        shown = cv2.GaussianBlur(shown, (0, 0), float(rng.uniform(0.3, 1.3)) * len(shown) / side)
    if rng.random() < 0.4:
        noise = rng.standard_normal(shown.shape, np.float32) * np.float32(rng.uniform(0, 10))
        shown = np.clip(shown + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        coded = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])[1]
        shown = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if len(shown) != side:
        shown = cv2.resize(shown, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(shown, np.uint8)


def tones(rng: np.random.Generator) -> Image:
    """Draw what becomes of each level of each channel (256, 3): exposure, temperature, gamma and contrast."""
    warmth, tint = rng.normal(0, (0.2, 0.06))
    gain = math.exp(rng.normal(0, 0.35)) * np.exp([warmth, tint, -warmth])
    light = (np.arange(256) / 255)[:, None] ** 2.2 * gain
    shown = np.clip(light, 0, 1) ** (math.exp(rng.normal(0, 0.15)) / 2.2)
    bend = float(np.clip(rng.normal(0, 0.35), -0.9, 0.9))
    shown = shown + bend * shown * (1 - shown) * (2 * shown - 1)
    return np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)


def lit_from_a_side(picture: Image, rng: np.random.Generator) -> Image:
    """Make one side lighter and the other darker."""
    towards, strength = rng.uniform(0, 2 * np.pi), abs(rng.normal(0, 0.55))
    places = ((np.arange(len(picture)) + 0.5) / len(picture) - 0.5).astype(np.float32)
    slope = strength * (places[None] * np.float32(np.cos(towards)) + places[:, None] * np.float32(np.sin(towards)))
    return np.clip(picture * cv2.exp(slope)[..., None], 0, 255).astype(np.uint8)


def loss_of(maps: Tensor, scores: Tensor, target_maps: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Return the losses of maps and scores where something is said of a class."""
    known_map = (target_maps >= 0).float()
    map_loss = functional.binary_cross_entropy_with_logits(maps, target_maps.clamp(0, 1), reduction="none") * known_map
    known = (there >= 0).float()
    score_loss = functional.binary_cross_entropy_with_logits(scores, there.clamp(0.01, 0.99), reduction="none") * known
    return map_loss.sum() / known_map.sum().clamp(min=1), score_loss.sum() / known.sum().clamp(min=1)


def batch_of(portraits: Portraits, rng: np.random.Generator, n: int = BATCH) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a batch: pictures, maps and what is there."""
    drawn = [portraits.drawn(rng) for _ in range(n)]
    pictures = torch.from_numpy(np.stack([sample.picture for sample in drawn]))
    return (
        pictures.to(memory_format=torch.channels_last),
        torch.from_numpy(np.stack([sample.maps for sample in drawn])),
        torch.from_numpy(np.stack([sample.there for sample in drawn])),
    )


def train(
    learned: Portraits, held_out: Portraits, n_images: int, seed: int, minutes: float | None, out: Path
) -> Parser:
    """Train and return the network with the running mean of its weights.

    Args:
        learned: The people to learn from.
        held_out: Those whose loss is printed.
        n_images: Pictures to learn from, in all.
        seed: Of the weights and of what is drawn.
        minutes: Training stops after so long at the latest, its rate falling to that end; None lets it take its time.
        out: Folder in which the weights are kept as they are, every 100 steps.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Parser().to(memory_format=torch.channels_last)
    mean = copy.deepcopy(network).eval()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}])
    held_batch = batch_of(held_out, np.random.default_rng(0), 512)
    n_steps, began = n_images // BATCH, time.perf_counter()
    sums: list[list[float]] = []
    for step in range(n_steps):
        done = step / n_steps
        if minutes is not None:
            done = max(done, (time.perf_counter() - began) / (60 * minutes))
        if done >= 1:
            break
        # Warm up, then let the rate fall to zero along half a cosine.
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP_STEPS) * 0.5 * (1 + math.cos(math.pi * done))
        pictures, maps, there = batch_of(learned, rng)
        map_loss, score_loss = loss_of(*network(pictures), maps, there)
        optimiser.zero_grad(set_to_none=True)
        (MAP_WEIGHT * map_loss + score_loss).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        keep = min(KEPT, (step + 1) / (step + 10))
        with torch.no_grad():
            for kept, current in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
                if kept.is_floating_point():
                    kept.lerp_(current, 1 - keep)
        sums.append([float(map_loss.detach()), float(score_loss.detach())])
        if step % 100 == 99:
            with torch.no_grad():
                held = [float(value) for value in loss_of(*mean(held_batch[0]), *held_batch[1:])]
            losses = [round(float(value), 4) for value in (*np.mean(sums, 0), *held)]
            sys.stderr.write(f"{(step + 1) * BATCH} images, {time.perf_counter() - began:.0f} s: {losses}\n")
            sums = []
            torch.save(mean.state_dict(), out / "parser.pt")
    return mean


def export(network: Parser, path: Path) -> None:
    """Write the network as ONNX of a fixed size, for OpenCV."""
    network = network.eval().to(memory_format=torch.contiguous_format)
    example = torch.zeros(1, 3, INPUT_PX, INPUT_PX)
    torch.onnx.export(
        network,
        (example,),
        str(path),
        input_names=["picture"],
        output_names=["maps", "scores"],
        dynamo=False,
        opset_version=13,
    )


def sign(path: Path) -> None:
    """Write whom to credit for the photographs into the file of the weights, and so into every copy."""
    found = onnx.load(path)
    with TABLE.open(newline="", encoding="utf-8") as file:
        credit = credits_line(collections_of([row["path"] for row in csv.DictReader(file)]))
    onnx.helper.set_model_props(found, {"credits": credit})
    onnx.save(found, path)


def main() -> None:
    """Make the pictures, train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--portraits", type=Path, required=True, help="folder of the open portraits")
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps composites and weights")
    parser.add_argument("--of-each", type=int, default=3, help="composites a photograph (%(default)s)")
    parser.add_argument("--images", type=int, default=80_000, help="pictures to learn from (%(default)s)")
    parser.add_argument("--minutes", type=float, help="stop after so long at the latest")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, default=MODEL, help="the file of the weights (%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "pictures.npz"
    if not kept.is_file():
        make(options.portraits, options.of_each, workers=1).save(kept)
    pictures, labels = Pictures.load(kept), json.loads(LABELS.read_text())["open portraits"]
    learned, held_out = Portraits(pictures, labels, held_out=False), Portraits(pictures, labels, held_out=True)
    network = train(learned, held_out, options.images, options.seed, options.minutes, options.out)
    torch.save(network.state_dict(), options.out / "parser.pt")
    export(network, options.model)
    sign(options.model)


if __name__ == "__main__":  # composites are made in processes of their own, which import this file
    main()

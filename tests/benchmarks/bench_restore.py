"""How long does one photograph take, step by step? `python -m tests.benchmarks.bench_restore` prints JSON.

One of the embedded portraits stands on a page of 1920x1080, its lower face grey as under a cloth. The faces are found,
the largest is aligned, a mask network of the preset `mask-96` looks at it, a generator of 256 px (`modern`) fills it,
and the result is pasted back. Both networks have the weights they start with, which take as long as trained ones; what
the mask network says is replaced by the cloth's true place. Reading and writing files is timed too. Loading is not:
every step has run once before. Each run is a whole photograph; the median and the spread (the quartiles' distance) of
the runs are given. On a busy machine the seconds of processors tell more than those of the clock.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from fdgen.faces.face_finder import find_faces
from fdgen.faces.folders import SampleFaces
from fdtrain.config.schema import FitConfig
from fdtrain.inference.maskers import MaskPrediction, TorchMasker
from fdtrain.inference.torch_method import ModelMethod
from fdtrain.networks.build import build_masknet, build_model
from fdtrain.networks.masknet import CalibratedMaskNet
from fdtrain.restoration.face_frame import FaceFrame
from fdtrain.restoration.files import read_photo_file, write_photo
from fdtrain.restoration.photograph import restore_photograph

WIDTH_PX, HEIGHT_PX = 1920, 1080


class Told:
    """A mask network that is run, and then told what it should have said."""

    kinds: tuple[str, ...] = ()

    def __init__(self, masker: TorchMasker) -> None:
        self.masker, self.size_px = masker, masker.size_px

    def predict(self, crops: Sequence[npt.NDArray[np.uint8]]) -> list[MaskPrediction]:
        """Run the network; return the lower face."""
        self.masker.predict(crops)
        side = len(crops[0])
        rows, columns = np.mgrid[:side, :side] / side
        inside = ((rows - 0.7) / 0.2) ** 2 + ((columns - 0.5) / 0.22) ** 2 <= 1
        return [MaskPrediction(inside.astype(np.float32) * np.float32(0.9)) for _ in crops]


def page() -> npt.NDArray[np.uint8]:
    """Return the photograph, with some noise, so that it packs as photographs do."""
    faces = SampleFaces()
    portrait = faces.read(faces.sources()[0])
    high = round(0.9 * HEIGHT_PX)
    wide = round(portrait.shape[1] * high / portrait.shape[0])
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 120, np.uint8)
    top, left = (HEIGHT_PX - high) // 2, (WIDTH_PX - wide) // 2
    picture[top : top + high, left : left + wide] = cv2.resize(portrait, (wide, high), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def networks(preset: str) -> tuple[ModelMethod, Told, int]:
    """Return an untrained generator and mask network, and the generator's size."""
    torch.manual_seed(0)
    config, mask_config = FitConfig.load(preset), FitConfig.load("mask-96")
    masknet = build_masknet(mask_config)
    masker = TorchMasker(
        CalibratedMaskNet(masknet), size_px=mask_config.data.size_px, kinds=mask_config.mask.kinds or ()
    )
    return ModelMethod(build_model(config)), Told(masker), config.data.size_px


def once(path: Path, method: ModelMethod, masker: Told, size_px: int) -> dict[str, float]:
    """Restore the photograph of a file into another; return the seconds of each step."""
    seconds = {}
    start, cpu = time.perf_counter(), time.process_time()
    photo = read_photo_file(path)
    seconds["read"] = time.perf_counter() - start
    start = time.perf_counter()
    faces: list[Any] = list(find_faces(photo.picture_HWC)) or [FaceFrame.of_square(420, 0, 1080)]
    seconds["find"] = time.perf_counter() - start
    start = time.perf_counter()
    done = restore_photograph(photo.picture_HWC, faces[:1], method, size_px, masker=masker)
    seconds["whole"] = time.perf_counter() - start
    seconds |= done.faces[0].seconds
    start = time.perf_counter()
    write_photo(path.with_name("restored.png"), done.picture_HWC)
    seconds["write"] = time.perf_counter() - start
    seconds["other"] = seconds["whole"] - sum(done.faces[0].seconds.values())
    del seconds["whole"]
    seconds["all"] = sum(seconds.values())
    seconds["all, of processors"] = time.process_time() - cpu
    seconds["all but files"] = seconds["all"] - seconds["read"] - seconds["write"]
    return seconds


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--preset", default="modern")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    method, masker, size_px = networks(arguments.preset)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photograph.png"
        write_photo(path, page())
        n_faces = len(find_faces(read_photo_file(path).picture_HWC))
        once(path, method, masker, size_px)
        runs = [once(path, method, masker, size_px) for _ in range(arguments.runs)]
    table = {}
    for step in runs[0]:
        low, median, high = np.percentile([run[step] for run in runs], (25, 50, 75))
        table[step] = {"median_s": round(float(median), 4), "spread_s": round(float(high - low), 4)}
        print(f"{step:14} {median:.3f} s", file=sys.stderr)
    document = {
        "photograph": f"{WIDTH_PX}x{HEIGHT_PX}",
        "preset": arguments.preset,
        "size_px": size_px,
        "threads": arguments.threads,
        "runs": arguments.runs,
        "faces found": n_faces,
        "seconds": table,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()

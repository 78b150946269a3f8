"""A build without faces: fast steps with the same contracts, importable by worker processes.

Run as a program it builds into a folder, for tests that kill it.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
import sys
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.arrays import Image
from fdgen.contract.manifest import Manifest
from fdgen.contract.records import Reject, SampleRecord, Triplet, sample_key
from fdgen.errors import PictureError
from fdgen.faces.cache import FaceCache
from fdgen.faces.detection import recall, remember
from fdgen.faces.face import Face
from fdgen.faces.landmarks import N_POINTS, Landmarks
from fdgen.faces.source_table import SourceTable
from fdgen.faces.sources import OnFile, Source
from fdgen.io.storage import Place
from fdgen.pipeline.builder import Part, build, build_part
from fdgen.pipeline.worker import Steps
from fdgen.recipe.schema import Recipe
from fdgen.runtime.rng import fraction, sample_rng
from fdgen.synthesis.targets import Targets, Trials

SIZE_PX = 64


_PLACED: dict[str, dict[str, Any]] = {
    "mask": {"cut": [0.5, 1]},
    "hand": {"cut": {"wrist": 1.5}, "left": True},
    "sunglasses": {"cut": "round"},
}
"""The kinds that are placed here, and what their placements say."""


OVERRIDES = (
    f"size_px={SIZE_PX}",
    "shards.samples=8",
    *(f"kinds.{kind}=0" for kind in Recipe.load().kinds.shares() if kind not in _PLACED),
)
"""What these steps ask of the default recipe: small shards and crops, and the kinds that they know."""


def recipe(*overrides: str) -> Recipe:
    """Return a recipe of small shards and crops."""
    return Recipe.load("default", [*OVERRIDES, *overrides])


def recipe_settings() -> list[str]:
    """Return what makes a recipe one of these faces: its size, and the kinds that are placed here."""
    return [one for one in OVERRIDES if not one.startswith("shards.")]


@dataclass(frozen=True)
class FakeFaces:
    """Photographs that exist only as numbers. Every tenth has no face."""

    numbers: Sequence[int]
    identities: bool = True
    official: bool = False
    kind: str = "folder"
    root: Path = Path("nowhere")
    notes: tuple[str, ...] = ("these faces are made up",)

    @classmethod
    def of(cls, n: int, **options: bool) -> FakeFaces:
        return cls(range(n), **options)

    def sources(self, on_file: OnFile | None = None) -> Sequence[Source]:
        return SourceTable(self.source(number) for number in self.numbers)

    def source(self, number: int) -> Source:
        identity = f"person-{number // 2}" if self.identities else None
        split = ("train", "train", "val", "test")[number % 4] if self.official else None
        return Source(f"some/{number:05d}.jpg", hashlib.sha256(b"%d" % number).hexdigest(), identity, split, ("Male",))

    def without(self, number: int) -> FakeFaces:
        return dataclasses.replace(self, numbers=tuple(n for n in self.numbers if n != number))

    def rejects(self) -> list[Reject]:
        return [Reject("some/twin.jpg", "ee" * 32, 0, "duplicate", 'it is "byte-identical", to another')]

    def read(self, source: Source) -> Image:
        raise AssertionError("these steps look at no photograph")


FACES = FakeFaces.of(60)
COUNT = 45
"""Of the dataset that tests share, the fixture `built`."""


def detect(
    faces: FakeFaces,
    wanted: Sequence[Source],
    *,
    size_px: int,
    cache: FaceCache | None,
    workers: int = 1,
    on_face: Callable[[int, int], None] | None = None,
    **watching: Any,
) -> Mapping[str, Landmarks | Reject]:
    kept_under = {"detector": detector_version(), "size_px": size_px}
    found = {} if cache is None else recall(cache, wanted, **kept_under)
    missing = [source for source in wanted if source.sha256 not in found]
    for done, source in enumerate(missing, 1 + len(found)):
        if int(source.path[5:10]) % 10 == 3:
            found[source.sha256] = Reject(source.path, source.sha256, 0, "no-face", "no face was found")
        else:
            points = np.full((N_POINTS, 3), int(source.sha256[:2], 16) / 16, np.float32)
            found[source.sha256] = Landmarks(points, np.eye(2, 3), size_px)
        if on_face is not None:
            on_face(done, len(wanted))
    if cache is not None:
        remember(cache, [(source, found[source.sha256]) for source in missing], **kept_under)
    return found


def detector_version() -> str:
    return "fake 1"


def load_face(faces: FakeFaces, source: Source, landmarks: Landmarks) -> Face:
    if fraction("torn", source.sha256) < 0.02:
        raise PictureError(f"{source.path} is torn", reason="corrupt")
    rng = np.random.default_rng(int(source.sha256[:8], 16))
    small = rng.integers(0, 256, (8, 8, 3), np.uint8)
    return Face(source, np.kron(small, np.ones((landmarks.size_px // 8,) * 2 + (1,), np.uint8)), landmarks)


@dataclass(frozen=True)
class FakeLibrary:
    assets: tuple[tuple[str, str], ...] = (("hand-a", "11" * 32), ("mask-a", "22" * 32), ("sunglasses-a", "33" * 32))

    def digests(self) -> dict[str, str]:
        return dict(self.assets)


def load_library() -> FakeLibrary:
    return FakeLibrary()


def load_other_library() -> FakeLibrary:
    others = ("hand-a", "11" * 32), ("mask-a", "44" * 32), ("mask-b", "55" * 32), ("sunglasses-b", "66" * 32)
    return FakeLibrary(others)


class FakeAnalysis:
    """What these steps learn of a face, which is nothing."""

    def to_bytes(self) -> bytes:
        return b"nothing"


def analyse(face: Face) -> FakeAnalysis:
    return FakeAnalysis()


def generate(
    face: Face, recipe: Recipe, library: FakeLibrary, variant: int = 0, *, split: str = "train", analysis: Any = None
) -> Triplet | Reject:
    """Place a rectangle. About a fifth of the candidates is rejected, a few faces always."""
    time.sleep(float(os.environ.get("FAKE_BUILD_DELAY_S", "0")))
    source = face.source
    rng = sample_rng(recipe.seed, source.sha256, variant)
    if fraction("turned", source.sha256) < 0.05 or rng.random() < 0.15 or recipe.pose.max_yaw_deg == 0:
        return Reject(source.path, source.sha256, variant, "yaw-too-large", f"yaw is {rng.integers(46, 90)} degrees")
    size = recipe.size_px
    top, left = rng.integers(0, size // 2, 2)
    mask = np.zeros((size, size), np.uint8)
    mask[top : top + size // 3, left : left + size // 3] = 255
    occluded = np.where(mask[..., None] > 0, rng.integers(0, 256, 3, np.uint8), face.clean_HWC)
    kind = str(rng.choice(list(recipe.kinds.shares())))
    held_out = split == "test" and bool(rng.random() < 0.5)
    hold = "held" if held_out else "a"
    record = SampleRecord(
        key=sample_key(source.sha256, variant), split=split, source=source.path, source_sha256=source.sha256,
        variant=variant, identity=source.identity, kinds=(kind,), asset_ids=(f"{kind}-{hold}",), held_out=held_out,
        attempt=0, coverage=round(float((mask > 0).mean()), 6), coverage_face=0.5, coverage_eyes=0.0,
        coverage_nose=0.0, coverage_mouth=1.0, yaw_deg=1.5, pitch_deg=-2.0, roll_deg=0.0, pose_residual_px=0.1,
        gates={}, placement=({"kind": kind, "top": int(top), "left_px": int(left), **_PLACED[kind]},),
    )  # fmt: skip
    return Triplet(face.clean_HWC, occluded, mask, mask, record)


STEPS = Steps(
    detector_version=detector_version,
    detect=detect,  # type: ignore[arg-type]
    load_face=load_face,  # type: ignore[arg-type]
    analyse=analyse,
    read_analysis=bytes,
    analysis_version="fake",
    load_library=load_library,
    generate=generate,
)


def find_targets(recipe: Recipe, library: FakeLibrary, **_: Any) -> Targets:
    """Offer every coverage and every set of regions alike."""
    rng = np.random.default_rng(5)
    return Targets.of(
        recipe,
        {
            combination: Trials(rng.uniform(0.03, 0.6, 400), rng.uniform(0, 1, (400, 3)), 400)
            for combination in recipe.combinations()
        },
    )


def yaw_of(number: int) -> float:
    """Return how far a face is turned: of ten, five under 10 degrees (one of them has no face), three under 30."""
    return (2.0, -4.0, 5.0, 6.0, -8.0, 15.0, -20.0, 28.0, 35.0, -40.0)[number % 10]


def generate_stratified(
    face: Face,
    recipe: Recipe,
    library: FakeLibrary,
    variant: int = 0,
    *,
    split: str = "train",
    analysis: Any = None,
    targets: Targets,
) -> Triplet | Reject:
    """Draw what a sample is to be as the real generator does, and change the made-up sample's record to that."""
    source = face.source
    target = targets.draw(sample_rng(recipe.seed, source.sha256, variant))
    yaw_deg = yaw_of(int(source.path[5:10]))
    if (failure := target.check_pose(yaw_deg)) is not None:
        return Reject(source.path, source.sha256, variant, failure.reason, failure.detail)
    made = generate(face, recipe.model_copy(update={"seed": recipe.seed + 1}), library, variant, split=split)
    if isinstance(made, Reject):
        return made
    regions = {} if target.stratum is None else target.stratum.regions
    covers = {f"coverage_{region}": float(covered) for region, covered in regions.items()}
    record = dataclasses.replace(made.record, kinds=target.combination, yaw_deg=yaw_deg, **covers)
    return dataclasses.replace(made, record=record)


STRATIFIED = dataclasses.replace(STEPS, generate=generate_stratified, find_targets=find_targets)
"""Steps whose samples keep to the strata of their recipe."""


def run(out: str | Place, faces: FakeFaces, *overrides: str, steps: Steps = STEPS, **options: Any) -> Manifest:
    """Build with the fake steps."""
    return build(recipe(*overrides), faces, out, steps=steps, **options)


def digests(out: Path) -> dict[str, str]:
    """Return the sha256 of every file of a dataset by its path."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def samples_of(out: Path) -> dict[str, dict[str, bytes]]:
    """Read a dataset with the standard library: the members of every sample by its key."""
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted((out / "shards").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar.getmembers():
                key, _, name = member.name.partition(".")
                file = tar.extractfile(member)
                assert file is not None
                found.setdefault(key, {})[name] = file.read()
    return found


def rejects_of(out: Path) -> list[dict[str, str]]:
    """Read rejects.csv."""
    with (out / "rejects.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Build `sys.argv[1]` as the JSON in `sys.argv[2]` says, or of it the part `sys.argv[3]`."""
    options = json.loads(sys.argv[2])
    faces = FakeFaces.of(options.pop("faces"))
    if len(sys.argv) > 3:
        build_part(Part.parse(sys.argv[3]), recipe(), faces, sys.argv[1], steps=STEPS, **options)
    else:
        run(sys.argv[1], faces, *options.pop("overrides", ()), **options)


if __name__ == "__main__":
    main()

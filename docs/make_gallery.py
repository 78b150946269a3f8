"""Draw the pictures of pages/results/gallery.md from the faces that come with fdgen: `python docs/make_gallery.py`.

A sheet for each kind of occluder, one of the strata that a recipe can ask for, the steps of one composite, and what the
starter weights make of composites. The same versions give the same pictures.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fdgen.analysis.lighting import FaceLight
from fdgen.arrays import Image
from fdgen.assets import AssetLibrary
from fdgen.contract.records import Reject, Triplet
from fdgen.faces.detection import Landmarks, detect, load_face
from fdgen.faces.face import Face
from fdgen.faces.folders import SampleFaces
from fdgen.io.pictures.contact_sheet import contact_sheet, encode_jpeg
from fdgen.io.pictures.images import resize
from fdgen.occluders import OCCLUDERS, Placement
from fdgen.recipe.schema import Recipe
from fdgen.render.composite import composite, match_sensor
from fdgen.render.draw import Layer
from fdgen.render.scene import Scene
from fdgen.synthesis.generator import generate
from fdtrain.inference.finish import finished
from fdtrain.inference.maskers import open_masker
from fdtrain.inference.open_generator import open_generator
from fdtrain.restoration.photo_restorer import PhotoRestorer
from fdtrain.training.starter import SURE

GALLERY = Path(__file__).parent / "pages" / "results" / "gallery"
CELL_PX, COLUMNS, ROWS = 160, 6, 2
MOST_VARIANTS = 200
"""Enough for any kind to be drawn so often on four faces."""

COVERAGE = ((0.03, 0.10), (0.10, 0.25), (0.25, 0.60))
"""One row of the sheet of strata each; then one for eyes, nose and mouth."""
REGIONS = ("eyes", "nose", "mouth")

STEPS = (("sunglasses-aviator", 1), ("mask-surgical", 3), ("hand-palm-over-mouth", 2))
"""Which occluder stands in the steps of a composite, on which of the faces."""

UNSEEN = ("eileen_collins.jpg", "grace_hopper.jpg")
"""Whom the starter weights have not learned from; the other two sat in Congress, whose portraits they learned from."""


def sample_faces(size_px: int = 256) -> list[Face]:
    """Return the embedded faces with their landmarks."""
    source = SampleFaces()
    sources = source.sources()
    found = detect(source, sources, size_px=size_px, cache=None, workers=0)
    landmarks = {one.path: found[one.sha256] for one in sources}
    return [load_face(source, one, known) for one in sources if isinstance(known := landmarks[one.path], Landmarks)]


def draw(faces: Sequence[Face], kinds: Sequence[str], n: int, *overrides: str) -> list[Triplet]:
    """Return `n` triplets of these kinds, the faces in turn, each placement another."""
    names = list(OCCLUDERS)
    recipe = Recipe.load("default", [*(f"kinds.{name}={float(name in kinds)}" for name in names), *overrides])
    library, made = AssetLibrary.load(), []
    for variant, face in itertools.product(range(MOST_VARIANTS), faces):
        triplet = generate(face, recipe, library, variant, split="test")
        if not isinstance(triplet, Reject):
            made.append(triplet)
        if len(made) == n:
            break
    return made


def unlit(light: FaceLight) -> FaceLight:
    """Return a light that comes evenly from everywhere: what is drawn in it shows its own colours and no shape."""
    even = np.zeros(9, np.float32)
    even[0] = 1.0
    return dataclasses.replace(
        light,
        harmonics=even,
        directional=0.0,
        mean_irradiance=1.0,
        tint=np.ones(3, np.float32),
        skin=light.skin_reflectance,
        residual=np.ones_like(light.residual),
        surround=1.0,
    )


def steps(face: Face, placements: Sequence[Placement], library: AssetLibrary) -> list[Image]:
    """Return the clean picture, the plain paste, that with light, with shadow, and with the photograph's sensor."""
    scene = Scene.of(face)
    flat = dataclasses.replace(scene, analysis=dataclasses.replace(scene.analysis, light=unlit(scene.light)))

    def rendered(where: Scene) -> list[Layer]:
        return [OCCLUDERS[one.kind].render(where, one, library[one.asset_id]) for one in placements]

    def shadowless(layers: list[Layer]) -> list[Layer]:
        return [dataclasses.replace(layer, shadow_HW=np.zeros_like(layer.shadow_HW)) for layer in layers]

    lit = rendered(scene)
    matched = [
        match_sensor(layer, scene.analysis.optics, one.grain_seed) for layer, one in zip(lit, placements, strict=True)
    ]
    stages = (shadowless(rendered(flat)), shadowless(lit), lit, matched)
    return [face.clean_HWC, *(composite(face.clean_HWC, layers, grey=scene.light.grey)[0] for layers in stages)]


def write(name: str, rows: Sequence[Sequence[Image]], cell_px: int = CELL_PX) -> None:
    """Write one sheet of the gallery."""
    small = [[resize(picture, cell_px, cell_px) for picture in row] for row in rows]
    (GALLERY / f"{name}.jpg").write_bytes(encode_jpeg(contact_sheet(small), 88))


def restored(pictures: Sequence[Triplet]) -> list[list[Image]]:
    """Return a row for each triplet: occluded, restored by the mask that is predicted, by the given one, clean."""
    generator, masker = open_generator("starter", device="cpu"), open_masker("starter-mask", "cpu")
    method = finished(generator.method, "shift+mirror+membrane")
    restorer = PhotoRestorer(
        method, generator.size_px, lambda photo: (), masker, how="aligned", least_expected_iou=SURE
    )
    rows = []
    for one in pictures:
        by_prediction, by_mask = (
            restorer.restore(one.occluded_HWC, mask_HW=mask_HW)[0].picture_HWC for mask_HW in (None, one.mask_HW)
        )
        rows.append([one.occluded_HWC, by_prediction, by_mask, one.clean_HWC])
    return rows


def main() -> None:
    """Write every picture."""
    GALLERY.mkdir(exist_ok=True)
    faces, library = sample_faces(), AssetLibrary.load()
    for kind in OCCLUDERS:
        pictures = [triplet.occluded_HWC for triplet in draw(faces, [kind], COLUMNS * ROWS)]
        write(kind, [pictures[i : i + COLUMNS] for i in range(0, len(pictures), COLUMNS)])
    paper = ["sunglasses", "mask", "hand"]
    asked = [(f"coverage.min={low}", f"coverage.max={high}") for low, high in COVERAGE]
    rows = [[triplet.occluded_HWC for triplet in draw(faces, paper, COLUMNS, *one)] for one in asked]
    for region in REGIONS:
        met = [one for one in draw(faces, paper, 12 * COLUMNS) if getattr(one.record, f"coverage_{region}") > 0.5]
        rows.append([triplet.occluded_HWC for triplet in met[:COLUMNS]])
    write("strata", rows)
    rows = []
    for asset_id, place in STEPS:
        kind = library[asset_id].kind
        triplet = draw(faces[place : place + 1], [kind], 1, f"assets.include=['{asset_id}']")[0]
        rows.append(steps(faces[place], [Placement.from_dict(one) for one in triplet.record.placement], library))
    write("steps", rows, 224)
    unseen = [face for face in faces if face.source.path in UNSEEN]
    write("restored", restored([one for kind in paper for one in draw(unseen, [kind], 2)]), 224)


if __name__ == "__main__":
    main()

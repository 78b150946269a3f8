"""fdgen: photographs of faces in, exact triplets (clean, occluded, mask) out.

`fdgen.build(...)` makes a dataset, `fdgen.verify(...)` checks one, `fdgen.occlude(...)` puts an occluder on one
picture in memory. The names below are imported when they are first used, so that `import fdgen` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdgen.lazy import lazy_names
from fdgen.version import __version__

if TYPE_CHECKING:
    from fdgen.assets import Asset, AssetLibrary
    from fdgen.contract.manifest import Manifest
    from fdgen.contract.records import Reject, SampleRecord, Triplet
    from fdgen.errors import FdError
    from fdgen.exporters.exporter import export
    from fdgen.faces.celeba.folder import CelebA
    from fdgen.faces.detection import detect, load_face
    from fdgen.faces.face import Face
    from fdgen.faces.folders import FolderFaces, SampleFaces, open_faces
    from fdgen.faces.landmarks import Landmarks
    from fdgen.faces.sources import Source
    from fdgen.pipeline.builder import build
    from fdgen.pipeline.pairs.foreign_pairs import Reading
    from fdgen.pipeline.pairs.importer import import_pairs
    from fdgen.recipe.schema import Recipe
    from fdgen.synthesis.generator import generate, replay
    from fdgen.synthesis.one_picture import occlude
    from fdgen.verification.verifier import verify
    from fdgen.versions.difference import diff
    from fdgen.versions.reproduction import reproduce

_HOMES = {
    "Asset": "assets",
    "AssetLibrary": "assets",
    "CelebA": "faces.celeba.folder",
    "Face": "faces.face",
    "FdError": "errors",
    "FolderFaces": "faces.folders",
    "Landmarks": "faces.landmarks",
    "Manifest": "contract.manifest",
    "Reading": "pipeline.pairs.foreign_pairs",
    "Recipe": "recipe.schema",
    "Reject": "contract.records",
    "SampleFaces": "faces.folders",
    "SampleRecord": "contract.records",
    "Source": "faces.sources",
    "Triplet": "contract.records",
    "build": "pipeline.builder",
    "detect": "faces.detection",
    "diff": "versions.difference",
    "export": "exporters.exporter",
    "generate": "synthesis.generator",
    "import_pairs": "pipeline.pairs.importer",
    "load_face": "faces.detection",
    "occlude": "synthesis.one_picture",
    "open_faces": "faces.folders",
    "replay": "synthesis.generator",
    "reproduce": "versions.reproduction",
    "verify": "verification.verifier",
}

__all__ = [
    "Asset",
    "AssetLibrary",
    "CelebA",
    "Face",
    "FdError",
    "FolderFaces",
    "Landmarks",
    "Manifest",
    "Reading",
    "Recipe",
    "Reject",
    "SampleFaces",
    "SampleRecord",
    "Source",
    "Triplet",
    "__version__",
    "build",
    "detect",
    "diff",
    "export",
    "generate",
    "import_pairs",
    "load_face",
    "occlude",
    "open_faces",
    "replay",
    "reproduce",
    "verify",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

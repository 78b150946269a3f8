"""fdgen: photographs of faces in, exact triplets (clean, occluded, mask) out.

The names below are imported when they are first used, so that `import fdgen` costs nothing. A function that is called
as its module is (`build`, `verify`, `generate`) is imported from there: `from fdgen.build import build`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fdgen.version import __version__

if TYPE_CHECKING:
    from fdgen.assets import Asset, AssetLibrary
    from fdgen.contract import Manifest, Reject, SampleRecord, Triplet
    from fdgen.errors import FdError
    from fdgen.faces import CelebA, Face, FolderFaces, SampleFaces, Source, open_faces
    from fdgen.generate import replay
    from fdgen.landmarks import Landmarks, detect, load_face
    from fdgen.recipe import Recipe

_HOMES = {
    "Asset": "assets",
    "AssetLibrary": "assets",
    "CelebA": "faces",
    "Face": "faces",
    "FdError": "errors",
    "FolderFaces": "faces",
    "Landmarks": "landmarks",
    "Manifest": "contract",
    "Recipe": "recipe",
    "Reject": "contract",
    "SampleFaces": "faces",
    "SampleRecord": "contract",
    "Source": "faces",
    "Triplet": "contract",
    "detect": "landmarks",
    "load_face": "landmarks",
    "open_faces": "faces",
    "replay": "generate",
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
    "Recipe",
    "Reject",
    "SampleFaces",
    "SampleRecord",
    "Source",
    "Triplet",
    "__version__",
    "detect",
    "load_face",
    "open_faces",
    "replay",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fdgen.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

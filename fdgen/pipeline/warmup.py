"""The first run compiles the renderer, which takes as long as hundreds of samples: do it once, before workers start.

Each worker would else compile it for itself, and the progress bar would stop for no visible reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fdgen.analysis.geometry import N_FACE, canonical_face
from fdgen.assets import AssetLibrary
from fdgen.faces.face import Face
from fdgen.faces.folders import Source
from fdgen.faces.landmarks import N_POINTS, Landmarks
from fdgen.occluders import OCCLUDERS
from fdgen.render.mesh import WHOLE
from fdgen.render.rasteriser import rasterise_cutout, read_only
from fdgen.render.scene import Scene
from fdgen.synthesis.generator import render_placements

SIZE_PX = 64
PX_PER_CM = SIZE_PX / 27
SKIN_RGB = (182.0, 140.0, 118.0)


_WHOLE = "whole"
"""A file next to compiled code: all of it is there."""


def is_compiled() -> bool:
    """Return whether all compiled code of this version is kept from an earlier run, of any installation."""
    return (_kept() / _WHOLE).is_file()


def compile_renderer(library: AssetLibrary, on_step: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Draw one occluder of each kind on a made-up face, so that what draws it is compiled and kept; and what draws the
    cut-outs of packs besides. `on_step` is called as (done, of).
    """
    total = len(OCCLUDERS) + 2
    on_step(0, total)
    rasterise_cutout(
        np.zeros((3, 3), np.float32),
        read_only(np.array([[0, 1, 2]], np.int32)),
        np.zeros((3, 2), np.float32),
        WHOLE,
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2), np.int32),
        (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)),
    )
    on_step(1, total)
    scene = Scene.of(_face())
    on_step(2, total)
    for done, (kind, occluder) in enumerate(OCCLUDERS.items(), 3):
        for asset in library.select(kind, held_out=True)[:1]:
            placement = occluder.place(scene, asset, np.random.default_rng(0))
            render_placements(scene, [placement], library)
        on_step(done, total)
    (_kept() / _WHOLE).touch()


def _kept() -> Path:
    kept: Any = rasterise_cutout
    return Path(kept.stats.cache_path)


def _face() -> Face:
    """Return the canonical face, seen from the front, over flat skin with a little noise."""
    points = np.zeros((N_POINTS, 3), np.float32)
    points[:N_FACE] = canonical_face().vertices_cm * (PX_PER_CM, -PX_PER_CM, -PX_PER_CM)
    points[N_FACE:] = points[[159, 158, 160, 145, 144, 386, 385, 387, 374, 380]]  # irises, about
    points[:, :2] += SIZE_PX / 2
    noise = np.random.default_rng(0).normal(0, 2, (SIZE_PX, SIZE_PX, 3))
    clean_HWC = np.clip(np.array(SKIN_RGB) + noise, 0, 255).astype(np.uint8)
    source = Source("made-up.png", hashlib.sha256(clean_HWC.tobytes()).hexdigest())
    return Face(source, clean_HWC, Landmarks.rounded(points.astype(np.float64), np.eye(2, 3), SIZE_PX))

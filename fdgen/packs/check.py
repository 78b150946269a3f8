"""Checks a pack: occluders that would look wrong on a face, or that lack facts for the users of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.assets import MOST_BYTES, Asset, read_asset
from fdgen.errors import AssetError, PictureError, one_line
from fdgen.io.pictures.images import decode_rgba
from fdgen.io.regular_file import read_regular
from fdgen.occluders.imported.spec import ImportedSpec, is_imported
from fdgen.packs.anchors import arrangement_problems, stray_anchors
from fdgen.packs.library import INDEX, index_text, refuse_unfit, tables
from fdgen.render.glb import read_glb

SMALLEST_PX = 160
"""A mask is about this wide on a crop of 256 px: a smaller cut-out would be blurred."""
LARGEST_PIXELS = 9_000_000
"""Every worker decodes every picture once; nothing finer than some hundred pixels is ever seen."""
_OPAQUE, _EMPTY = 0.97, 0.01
"""Shares of a picture's pixels that a cut-out seldom passes: a background left in, an empty canvas."""
_ALIKE = 6
"""Bits of 128 in which the hashes of two pictures may differ and the pictures count as the same."""

Rgba = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: where, what is wrong, what to do."""

    where: str
    problem: str
    remedy: str

    def __post_init__(self) -> None:
        """Keep what is reported to one line, for any text in the pack."""
        for name in ("where", "problem", "remedy"):
            object.__setattr__(self, name, one_line(getattr(self, name)))


def check_pack(pack: Path) -> list[Finding]:
    """Return what is to be mended in a pack, nothing if all is well; raise `AssetError` where there is no pack."""
    if not pack.is_dir():
        raise AssetError(f"there is no pack {pack}", hint="`fdgen assets add PICTURE --pack FOLDER` makes one")
    paths = tables(pack)
    findings: list[Finding] = []
    if not paths:
        findings.append(Finding(str(pack), "holds no occluder", "add one with `fdgen assets add`"))
    assets: list[Asset] = []
    pictures: dict[str, Rgba] = {}
    for path in paths:
        try:
            asset = read_asset(pack, path, within=pack)
            refuse_unfit(asset)
        except AssetError as error:
            findings.append(Finding(path, error.message, error.hint or "correct that file"))
            continue
        assets.append(asset)
        findings += _told(asset)
        if is_imported(asset):
            found, picture = _looked_at(asset)
            findings += found
            if picture is not None:
                pictures[asset.id] = picture
    findings += _duplicates(assets, pictures)
    if len(assets) == len(paths) and paths:
        findings += _index(pack)
    return findings


def _told(asset: Asset) -> Iterator[Finding]:
    """Look for what a data card must report."""
    if not asset.licence.strip():
        yield Finding(asset.id, "no licence is given", "write the licence under which it may be used as `licence`")
    if not asset.origin.strip():
        yield Finding(asset.id, "no origin is given", "write its author, or where it is from, as `origin`")


def _looked_at(asset: Asset) -> tuple[list[Finding], Rgba | None]:
    """Open the picture or the mesh of an asset, and judge it and its anchors."""
    spec = ImportedSpec.of(asset)
    try:
        if spec.is_mesh:
            read_glb(asset.files[spec.file], spec.file)
            upside = {name: (point[0], -point[1]) for name, point in spec.anchors.items()}
            return [_misplaced(asset, what) for what in arrangement_problems(upside, spec.form)], None
        picture = decode_rgba(asset.files[spec.file], name=spec.file)
    except (AssetError, PictureError) as error:
        return [Finding(asset.id, error.message, error.hint or "replace that file")], None
    findings = list(_alpha(asset, picture, spec))
    findings += [_misplaced(asset, what) for what in arrangement_problems(spec.anchors, spec.form)]
    present = picture[..., 3] >= round(255 * spec.least_alpha)
    if present.any():
        findings += [
            _misplaced(asset, f"{name} is outside the cut-out") for name in stray_anchors(spec.anchors, present)
        ]
    return findings, picture if present.any() else None


def _misplaced(asset: Asset, what: str) -> Finding:
    return Finding(asset.id, f"of its anchors, {what}", "move it in [shape.anchors] of its TOML file")


def _alpha(asset: Asset, picture: Rgba, spec: ImportedSpec) -> Iterator[Finding]:
    """Judge a cut-out's transparency and size."""
    alpha = picture[..., 3]
    present = alpha >= round(255 * spec.least_alpha)
    share = float(present.mean())
    if not present.any():
        yield Finding(asset.id, "its picture is transparent all over", "save the cut-out again")
        return
    if share > _OPAQUE:
        yield Finding(asset.id, f"{share:.0%} of its picture is opaque", "remove the background")
    if share < _EMPTY:
        yield Finding(asset.id, f"only {share:.1%} of its picture shows anything", "crop it to the occluder")
    rows, columns = np.flatnonzero(present.any(1)), np.flatnonzero(present.any(0))
    height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    if max(height, width) < SMALLEST_PX:
        yield Finding(
            asset.id,
            f"its cut-out is {width} x {height} px",
            f"take a larger picture: {SMALLEST_PX} px at least, 600 are good",
        )
    if alpha.size > LARGEST_PIXELS:
        yield Finding(
            asset.id, f"its picture has {alpha.size / 1e6:.0f} megapixels", "shrink it: 1,000 px across are plenty"
        )
    spill = present & (np.add.outer(_edge(alpha.shape[0]), _edge(alpha.shape[1])) > 0)
    if spill.sum() > 0.25 * 2 * sum(alpha.shape):
        yield Finding(asset.id, "it is cut off by the picture's edge", "take a picture that shows all of it")


def _edge(n: int) -> npt.NDArray[np.int64]:
    """Return 1 at both ends of a run of n, else 0."""
    ends = np.zeros(n, np.int64)
    ends[[0, -1]] = 1
    return ends


def _duplicates(assets: list[Asset], pictures: dict[str, Rgba]) -> Iterator[Finding]:
    """Look for assets of one id, of one file, or whose pictures look alike."""
    hashes: dict[str, npt.NDArray[np.bool_]] = {}
    for k, asset in enumerate(assets):
        for other in assets[:k]:
            if other.id == asset.id:
                yield Finding(asset.id, "two assets have this id", "give one another id")
            elif set(asset.files.values()) & set(other.files.values()):
                yield Finding(asset.id, f"it holds the same file as {other.id}", "keep one of the two")
            elif asset.id in pictures and other.id in pictures:
                for one in (asset.id, other.id):
                    if one not in hashes:
                        hashes[one] = _look(pictures[one])
                if int((hashes[asset.id] ^ hashes[other.id]).sum()) <= _ALIKE:
                    yield Finding(asset.id, f"its picture looks like that of {other.id}", "keep one of the two")


def _look(picture: Rgba) -> npt.NDArray[np.bool_]:
    """Hash how a cut-out looks (128,): whether brightness and alpha rise from cell to cell of a coarse grid."""
    rows, columns = np.nonzero(picture[..., 3].any(1))[0], np.nonzero(picture[..., 3].any(0))[0]
    if len(rows):
        picture = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    alpha = picture[..., 3].astype(np.float32)
    grey = picture[..., :3].mean(-1).astype(np.float32) * alpha / 255
    cells = [cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA) for image in (grey, alpha)]
    return np.concatenate([(cell[:, 1:] > cell[:, :-1] + 1).ravel() for cell in cells])


def _index(pack: Path) -> Iterator[Finding]:
    """Compare the index with the folder."""
    path = pack / INDEX
    try:
        same = read_regular(path, most_bytes=MOST_BYTES, within=pack).decode() == index_text(pack)
    except (OSError, ValueError):
        same = False
    except AssetError:  # of one id twice: reported already
        return
    if not same:
        yield Finding(
            INDEX, "it differs from what is in the folder", f"if that is meant, run `fdgen assets index {pack}`"
        )

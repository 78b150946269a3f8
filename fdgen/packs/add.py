"""Adds a picture or a mesh to a pack: checked first, then written, with a table to edit next to it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fdgen.assets import MOST_BYTES, Asset
from fdgen.errors import AssetError, DatasetError, PictureError, in_words
from fdgen.io.atomic import make_folder, remove, write_whole
from fdgen.io.path_inside import path_inside
from fdgen.io.pictures.formats import HEAD_BYTES, PICTURE_FORMATS, picture_format
from fdgen.io.pictures.images import MAX_CUTOUT_PIXELS, decode_rgba, picture_size
from fdgen.io.regular_file import check_regular, is_regular, read_regular
from fdgen.kinds import KINDS, kind_of
from fdgen.occluders.imported.spec import FORMS
from fdgen.packs.anchors import guess_in_mesh, guess_in_picture
from fdgen.packs.library import INDEX, index_text, read_pack
from fdgen.render.glb import read_glb

_SUFFIXES = {one.name: one.suffixes[0] for one in PICTURE_FORMATS}


@dataclass(frozen=True, slots=True)
class Addition:
    """What is known of a new asset in addition to its file; what is None is taken from the file's name or the kind."""

    kind: str
    id: str | None = None
    title: str | None = None
    licence: str = ""
    origin: str = ""
    form: str | None = None
    held_out: bool = False


def add_asset(pack: Path, file: Path, wanted: Addition) -> Asset:
    """Put a cut-out picture or a GLB mesh into a pack, which is made where it is not there; return the asset.

    Raises `AssetError` or `PictureError` where the file cannot be worn or its id is taken, `DatasetError` where the
    disk refuses; the pack is then as it was.
    """
    asset_id, stem = _names(file, wanted)
    try:
        if (size := check_regular(file)) > MOST_BYTES:
            raise AssetError(f"{file} has {size / 1e6:,.0f} MB", hint=f"the limit is {MOST_BYTES / 1e6:,.0f}")
        data = read_regular(file, most_bytes=MOST_BYTES)
    except OSError as error:
        raise AssetError(f"{file} cannot be read: {in_words(error)}", hint="name a picture or a .glb file") from error
    form = wanted.form or kind_of(wanted.kind).form
    anchors: Mapping[str, tuple[float, ...]]
    is_mesh = data[:4] == b"glTF" or file.suffix.lower() in (".glb", ".gltf")
    if is_mesh:
        name, anchors = f"{stem}.glb", guess_in_mesh(read_glb(data, str(file)).vertices, form)
    else:
        name, anchors = f"{stem}{_suffix(data)}", _anchors_of_picture(data, file, wanted.kind, form)
    folder, table = path_inside(pack, wanted.kind), path_inside(pack, f"{wanted.kind}/{stem}.toml")
    text = _table(asset_id, wanted, name, form, anchors, is_mesh=is_mesh, width_px=_width(data, is_mesh, str(file)))
    written = {path_inside(pack, f"{wanted.kind}/{name}"): data, table: text.encode()}
    if pack.exists() and not _is_half_added(pack, written):
        _refuse_taken(pack, asset_id, table, data)
    fresh = [path for path in (pack, folder, *written) if not path.exists()]
    index = b""
    try:
        make_folder(folder)
        for path, content in written.items():
            write_whole(path, content)
        asset = read_pack(pack, indexed=False)[asset_id]
        index = index_text(pack).encode()
        write_whole(pack / INDEX, index)
    except BaseException:
        if not index or not _holds(pack / INDEX, index):  # where the index has it, it is added
            _take_back(fresh)
        raise
    return asset


def _is_half_added(pack: Path, written: Mapping[Path, bytes]) -> bool:
    """Return whether a killed run has left what this one would write, and the index does not know of it."""
    if not all(_holds(path, data) for path, data in written.items()):
        return False
    *_, table = written
    if not is_regular(pack / INDEX):
        return True
    try:
        index = read_regular(pack / INDEX, most_bytes=MOST_BYTES, within=pack)
    except OSError as error:
        raise AssetError(
            f"{pack / INDEX} cannot be read: {in_words(error)}", hint=f"`fdgen assets index {pack}` writes one"
        ) from error
    return table.relative_to(pack).as_posix().encode() not in index


def _holds(path: Path, data: bytes) -> bool:
    try:
        return read_regular(path, most_bytes=len(data)) == data
    except OSError:  # it is not there, or larger
        return False


def _take_back(fresh: Sequence[Path]) -> None:
    """Remove what was made, the last first: a table without its picture would spoil the pack."""
    for path in reversed(fresh):
        try:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            elif not path.is_dir():
                remove(path)
        except (OSError, DatasetError):  # noqa: PERF203 - once
            return  # the disk refuses this too: what is left is taken up by the same command


def _names(file: Path, wanted: Addition) -> tuple[str, str]:
    """Return the id of the asset, and the name of its files without suffix."""
    if wanted.kind not in KINDS:
        raise AssetError(f"there is no kind {wanted.kind!r}", hint=f"known are {', '.join(KINDS)}")
    if wanted.form is not None and wanted.form not in FORMS:
        raise AssetError(f"there is no form {wanted.form!r}", hint=f"known are {', '.join(FORMS)}")
    text = wanted.id if wanted.id is not None else file.stem
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-").removeprefix(f"{wanted.kind}-")[:60]
    if not slug or slug == wanted.kind:
        raise AssetError(f"no id can be made of {text!r}", hint="name one with --id, of letters, digits and '-'")
    return f"{wanted.kind}-{slug}", slug


def _suffix(data: bytes) -> str:
    return _SUFFIXES.get(picture_format(data[:HEAD_BYTES]) or "", ".png")


def _width(data: bytes, is_mesh: bool, name: str) -> int:
    return 0 if is_mesh else picture_size(data, name=name)[0]


def _anchors_of_picture(data: bytes, file: Path, kind: str, form: str) -> Mapping[str, tuple[float, ...]]:
    """Look at a cut-out; raise `PictureError` where it is none, and guess its anchors."""
    if data:
        columns, rows = picture_size(data, name=str(file))
        if columns * rows > MAX_CUTOUT_PIXELS:
            raise PictureError(
                f"{file} has {columns * rows / 1e6:,.0f} megapixels; the limit of a cut-out is "
                f"{MAX_CUTOUT_PIXELS / 1e6:,.0f}",
                reason="too-large",
                hint="shrink it first: 1,000 px across are plenty",
            )
    alpha = np.ascontiguousarray(decode_rgba(data, name=str(file))[..., 3])
    least = kind_of(kind).least_alpha
    present = alpha >= round(255 * least)
    if not present.any():
        raise PictureError(f"{file} is transparent all over", reason="empty-alpha", hint="save the cut-out again")
    if present.mean() > 0.999:
        raise PictureError(
            f"{file} is opaque all over: nothing is cut out", reason="no-alpha", hint="remove its background first"
        )
    return guess_in_picture(alpha, form, least)


def _refuse_taken(pack: Path, asset_id: str, table: Path, data: bytes) -> None:
    """Raise `AssetError` where the pack has such an id, such a file, or the same picture."""
    library = read_pack(pack, indexed=(pack / INDEX).is_file())
    if asset_id in library.assets or table.exists():
        raise AssetError(f"{pack} has an asset {asset_id} already", hint="give this one another with --id")
    for other in library.assets.values():
        if data in other.files.values():
            raise AssetError(f"{pack} has the same file already, as {other.id}", hint="edit that one's TOML file")


_ABOUT = {
    "drape": "a cloth over nose and mouth",
    "plate": "glasses: a front on the nose, temples are made",
    "card": "held before the face",
}
_MORE = {
    "drape": (
        ("view", '"worn"', "worn: pictured on a head, from the front; flat: laid flat"),
        ("straps", '"ears"', "made anew: ears, head, ties, none"),
        ("keep_thin", "false", "true keeps strings and loops of the picture, which are cut away else"),
    ),
    "plate": (("specular", "0.15", "strength of highlights"), ("gloss", "120.0", "and how sharp they are")),
    "card": (
        ("places", '["mouth"]', "of mouth, nose, chin, left_cheek, right_cheek, left_eye, right_eye, forehead, top"),
        ("width_cm", "[8.0, 11.0]", "width of the cut-out, from and to"),
        ("turn_deg", "[-12.0, 12.0]", "turned clockwise"),
        ("mirror", "0.0", "chance that it is worn as its mirror image"),
    ),
}


def _table(
    asset_id: str,
    wanted: Addition,
    name: str,
    form: str,
    anchors: Mapping[str, tuple[float, ...]],
    *,
    is_mesh: bool,
    width_px: int,
) -> str:
    """Write the table of an asset, explained."""
    title = wanted.title or asset_id.removeprefix(f"{wanted.kind}-").replace("-", " ")
    lines = [
        "# An occluder of your own. After an edit run `fdgen assets index` on its pack; `assets preview` shows it.",
        f"id = {_text(asset_id)}",
        f"kind = {_text(wanted.kind)}",
        f"title = {_text(title)}",
        f"licence = {_text(wanted.licence)}",
        f"origin = {_text(wanted.origin)}",
        f"held_out = {'true' if wanted.held_out else 'false'}          # true: worn in the test split alone",
        "weight = 1.0",
        f"files = [{_text(name)}]",
        "",
        "[shape]",
        f"{'mesh' if is_mesh else 'picture'} = {_text(name)}",
        f'form = "{form}"  # {_ABOUT[form]}; of {", ".join(FORMS)}',
    ]
    more = list(_MORE[form])
    if form == "drape" and not is_mesh:
        across = abs(anchors["right_top"][0] - anchors["left_top"][0])
        tall = abs(anchors["chin"][1] - anchors["nose"][1])
        if across > 1.6 * tall:  # on a head, cheeks turn away and the cloth looks narrower
            more[0] = ("view", '"flat"', more[0][2])
    if form == "drape":
        more[1] = ("straps", f'"{kind_of(wanted.kind).straps}"', more[1][2])
    if is_mesh:
        more = [line for line in more if line[0] in ("straps", "specular", "gloss", "places", "width_cm", "turn_deg")]
    else:
        more.append(
            (
                "delight",
                {"plate": "0.3", "card": "0.8"}.get(form, "0.7"),
                "share of its own broad shading that is taken out, 0 to 1",
            )
        )
    more.append(("exposure", "1.0", "factor on its brightness"))
    lines += [f"{key} = {value}  # {why}" for key, value, why in more]
    where = (
        "x to the viewer's right, y up, z to the viewer, in the mesh's units"
        if is_mesh
        else f"x and y in px from the upper left; the picture is {width_px} px wide"
    )
    lines += ["", f"[shape.anchors]  # {where}; left and right are the viewer's"]
    lines += [f"{key} = [{', '.join(f'{x:g}' if x else '0.0' for x in point)}]" for key, point in anchors.items()]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML wants DEL escaped, JSON does not

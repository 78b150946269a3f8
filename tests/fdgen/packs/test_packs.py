"""Packs: what is added can be worn and found again; what cannot be worn is refused, and nothing is written."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from fdgen.assets import AssetLibrary
from fdgen.dataset.spec import make_spec, spec_id
from fdgen.errors import AssetError, PictureError
from fdgen.io.pictures.images import decode_rgba
from fdgen.packs.add import Addition, add_asset
from fdgen.packs.check import check_pack
from fdgen.packs.library import LibraryLoader, open_library, read_pack, write_index
from fdgen.recipe.schema import Recipe
from tests.support.cutouts import bowl, cloth_mask, glb, mug, png, sunglasses

OURS = {"licence": "CC0-1.0", "origin": "painted for a test"}


def save(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pack of four: a mask, sunglasses, a mug and a mesh."""
    folder = tmp_path_factory.mktemp("pictures")
    pack = tmp_path_factory.mktemp("packs") / "mine"
    add_asset(pack, save(folder, "Cloth Mask.png", png(cloth_mask())), Addition("mask", **OURS))
    add_asset(pack, save(folder, "shades.png", png(sunglasses())), Addition("sunglasses", **OURS))
    add_asset(pack, save(folder, "mug.png", png(mug())), Addition("hand", id="mug", **OURS))
    add_asset(pack, save(folder, "bowl.glb", bowl()), Addition("mask", **OURS))
    return pack


@pytest.fixture
def pack(filled: Path, tmp_path: Path) -> Path:
    """Return a copy of it, to be spoilt."""
    copy = tmp_path / "pack"
    shutil.copytree(filled, copy)
    return copy


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert count == 1, (pattern, text)
    path.write_text(text, encoding="utf-8")


def test_what_is_added_is_in_the_library_beside_our_own(filled: Path) -> None:
    library, own = open_library([filled]), AssetLibrary.load()
    added = library.assets.keys() - own.assets.keys()
    assert added == {"mask-cloth-mask", "sunglasses-shades", "hand-mug", "mask-bowl"}
    assert {asset_id: library[asset_id] for asset_id in own.assets} == dict(own.assets)
    mask = library["mask-cloth-mask"]
    assert (mask.kind, mask.title, mask.licence, mask.origin) == ("mask", "cloth mask", *OURS.values())
    assert mask.files == {"cloth-mask.png": png(cloth_mask())}
    assert sorted(files(filled)) == [
        "hand/mug.png",
        "hand/mug.toml",
        "index.json",
        "mask/bowl.glb",
        "mask/bowl.toml",
        "mask/cloth-mask.png",
        "mask/cloth-mask.toml",
        "sunglasses/shades.png",
        "sunglasses/shades.toml",
    ]


def test_anchors_are_guessed_where_they_were_painted(filled: Path) -> None:
    library = read_pack(filled)
    painted: dict[str, dict[str, tuple[float, ...]]] = {
        "mask-cloth-mask": {
            "nose": (430, 55),
            "chin": (430, 510),
            "left_top": (180, 150),
            "right_top": (680, 150),
            "left_bottom": (205, 360),
            "right_bottom": (655, 360),
        },
        "sunglasses-shades": {
            "left_hinge": (40, 102),
            "right_hinge": (860, 102),
            "left_lens": (245, 165),
            "right_lens": (655, 165),
            "bridge": (450, 120),
        },
    }
    for asset_id, points in painted.items():
        for name, point in points.items():
            found = library[asset_id].shape["anchors"][name]
            assert np.hypot(*(np.array(found) - point)) < 30, (asset_id, name, found)
    bowl_anchors = library["mask-bowl"].shape["anchors"]
    assert bowl_anchors["nose"][1] > bowl_anchors["left_top"][1] > 0 > bowl_anchors["chin"][1]
    assert bowl_anchors["left_top"][0] < 0 < bowl_anchors["right_top"][0]


def encoded(mode: str, kind: str = "PNG", **options: Any) -> bytes:
    """Return a plain picture of a Pillow mode."""
    buffer = io.BytesIO()
    PIL.Image.new(mode, (300, 200), options.pop("colour", 0)).save(buffer, kind, **options)
    return buffer.getvalue()


def animated() -> bytes:
    frames = [PIL.Image.fromarray(mug()[::2, ::2]), PIL.Image.fromarray(mug()[::2, ::2][:, ::-1])]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    return buffer.getvalue()


def huge() -> bytes:
    """Return the header of a PNG of 6000 by 6000 RGBA pixels that has no data."""
    head = struct.pack(">IIBBBBB", 6000, 6000, 8, 6, 0, 0, 0)
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def without_buffers() -> bytes:
    """Return a GLB whose binary chunk was left out."""
    data = bowl()
    length = struct.unpack_from("<I", data, 12)[0]
    return data[:8] + struct.pack("<I", 20 + length) + data[12 : 20 + length]


def with_outer_buffer() -> bytes:
    data = glb(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.uint32))
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    document["buffers"][0]["uri"] = "elsewhere.bin"
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + length :]
    return (
        b"glTF"
        + struct.pack("<II", 2, 20 + len(text) + len(rest))
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + rest
    )


BAD = {
    "nothing.png": (b"", "empty"),
    "text.png": (b"this is no picture" * 9, "not a picture"),
    "torn.png": (png(mug())[:3000], "damaged"),
    "huge.png": (huge(), "36 megapixels"),
    "grey.png": (encoded("L"), "no transparency (it is grey)"),
    "grey16.png": (encoded("I;16"), "no transparency"),
    "photo.png": (encoded("RGB"), "no transparency (it is RGB)"),
    "print.jpg": (encoded("CMYK", "JPEG"), "CMYK"),
    "palette.png": (encoded("P"), "no transparency"),
    "clear.png": (encoded("RGBA"), "transparent all over"),
    "whole.png": (encoded("RGBA", colour=(9, 9, 9, 255)), "nothing is cut out"),
    "moving.webp": (animated(), "several pictures"),
    "hollow.glb": (without_buffers(), "buffers are missing"),
    "torn.glb": (bowl()[:900], "its end is missing"),
    "apart.glb": (with_outer_buffer(), "another file"),
    "words.glb": (b"glTF or so, but not quite", "GLB"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_a_sentence_and_nothing_is_written(name: str, filled: Path, tmp_path: Path) -> None:
    data, words = BAD[name]
    path = save(tmp_path, name, data)
    before = files(filled)
    for pack in (filled, tmp_path / "new"):
        with pytest.raises((AssetError, PictureError)) as refused:
            add_asset(pack, path, Addition("mask", **OURS))
        assert words in refused.value.message
        assert name in refused.value.message
        assert "\n" not in refused.value.message
        assert refused.value.hint
    assert files(filled) == before
    assert not (tmp_path / "new").exists()


def test_ids_that_are_taken_and_unknown_kinds_are_refused(filled: Path, tmp_path: Path) -> None:
    before = files(filled)
    other = save(tmp_path, "cloth-mask.png", png(cloth_mask(loops=False)))
    with pytest.raises(AssetError, match="mask-cloth-mask already"):
        add_asset(filled, other, Addition("mask"))
    same = save(tmp_path, "again.png", png(cloth_mask()))
    with pytest.raises(AssetError, match="has the same file already, as mask-cloth-mask"):
        add_asset(filled, same, Addition("mask"))
    with pytest.raises(AssetError, match="no kind 'maks'"):
        add_asset(filled, same, Addition("maks"))
    with pytest.raises(AssetError, match="no id"):
        add_asset(filled, same, Addition("mask", id="???"))
    with pytest.raises(AssetError, match="cannot be read"):
        add_asset(filled, tmp_path / "gone.png", Addition("mask"))
    assert files(filled) == before


def test_a_disk_that_fails_half_way_leaves_the_pack_as_it_was(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fdgen.packs import add

    before, write = files(pack), add.write_whole

    def fail_at_the_index(path: Path, data: bytes) -> None:
        if path.name == "index.json":
            raise OSError("the disk is full")
        write(path, data)

    monkeypatch.setattr(add, "write_whole", fail_at_the_index)
    path = save(tmp_path, "plain.png", png(cloth_mask(loops=False)))
    for folder in (pack, tmp_path / "new"):
        with pytest.raises(OSError, match="full"):
            add_asset(folder, path, Addition("mask"))
    assert files(pack) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "WEBP"), ("RGBA", "TIFF"), ("LA", "PNG"), ("P", "PNG")], ids=lambda x: x
)
def test_every_format_that_keeps_transparency_is_read(mode: str, kind: str) -> None:
    picture = PIL.Image.fromarray(mug())
    buffer = io.BytesIO()
    if mode == "P":
        picture.quantize(64).save(buffer, kind)
    else:
        picture.convert(mode).save(buffer, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    alpha = decode_rgba(buffer.getvalue(), name="it")[..., 3]
    assert np.abs(alpha.astype(int) - mug()[..., 3]).mean() < (4 if mode == "P" else 0.01)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "..", "a/b.png", "c:d.png", "x\\\\y.png"])
def test_names_that_leave_the_folder_are_refused(pack: Path, name: str) -> None:
    edit(pack / "mask" / "cloth-mask.toml", r"^files = .*$", f'files = ["{name}"]'.replace("\\", "\\\\"))
    for read in (write_index, lambda folder: read_pack(folder, indexed=False)):
        with pytest.raises(AssetError, match="its own folder"):
            read(pack)
    index = json.loads((pack / "index.json").read_text(encoding="utf-8"))
    index["assets"][0]["path"] = f"mask/../{name}"
    (pack / "index.json").write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(AssetError, match="its own folder"):
        read_pack(pack)


def test_an_edit_is_refused_until_it_is_indexed_and_then_another_asset(pack: Path) -> None:
    before = read_pack(pack).digests()
    edit(pack / "mask" / "cloth-mask.toml", r"^delight = 0.7", "delight = 0.5")
    with pytest.raises(AssetError, match="mask-cloth-mask differs from the index") as refused:
        open_library([pack])
    assert f"fdgen assets index {pack}" in refused.value.hint
    write_index(pack)
    after = read_pack(pack).digests()
    assert {name for name in before if before[name] != after[name]} == {"mask-cloth-mask"}
    path = pack / "sunglasses" / "shades.png"
    path.write_bytes(png(sunglasses()[:, ::-1]))
    with pytest.raises(AssetError, match="sunglasses-shades differs from the index"):
        open_library([pack])


def test_packs_that_are_none_or_clash_are_refused(filled: Path, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="there is no pack"):
        open_library([tmp_path / "gone"])
    with pytest.raises(AssetError, match=r"is not a pack: the folder is empty"):
        open_library([tmp_path])
    with pytest.raises(AssetError, match="another of that id"):
        open_library([filled, filled])


@pytest.mark.parametrize(
    ("pattern", "replacement", "words"),
    [
        (r"^nose = .*$", "", "must have the anchors nose, left_top"),
        (r"^nose = .*$", "nose = [1, nan]", r"anchors\.nose\.1 must be a finite number"),
        (r"^view = .*$", 'view = "askew"', "one of worn, flat"),
        (r"^delight = .*$", "delight = 7", r"must be in \[0, 1\]"),
        (r"^exposure = .*$", "gap = [2, 1]", r"must be \[low, high\]"),
        (r"^exposure = .*$", "loops = 2", r"shape\.loops is not a parameter"),
        (r"^picture = .*$", 'picture = "other.png"', "must name one of its files"),
        (r"^form = .*$", 'form = "balloon"', "one of drape, plate, card"),
        (r"^id = .*$", 'id = "my-mask"', "begins with mask-"),
        (r"^kind = .*$", 'kind = "hat-stand"', "which does not exist"),
        (r"^title = .*$", "title = 5", "are texts"),
    ],
)
def test_tables_that_say_nothing_sensible_are_refused(pack: Path, pattern: str, replacement: str, words: str) -> None:
    edit(pack / "mask" / "cloth-mask.toml", pattern, replacement)
    with pytest.raises(AssetError, match=words):
        read_pack(pack, indexed=False)
    assert any(re.search(words, finding.problem) for finding in check_pack(pack))


def test_a_recipe_names_packs_and_a_dataset_only_their_digests(filled: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    shutil.copytree(filled, folder / "mine")
    recipe_file = save(
        folder, "own.toml", b'[assets]\npacks = "mine"\ninclude = ["mask-cloth-mask", "sunglasses-*", "hand-*"]\n'
    )
    recipe = Recipe.load(recipe_file)
    plain = Recipe.load("default", [("assets.include", list(recipe.assets.include))])
    assert recipe.assets.packs == ((folder / "mine").as_posix(),)
    assert recipe.digest() == plain.digest()
    assert "packs" not in json.dumps(recipe.as_dict())
    assert Recipe.from_dict(recipe.as_dict()) == plain.model_copy(update={"name": "own", "description": ""})

    def asked(pack: Path) -> str:
        return spec_id(make_spec(recipe, 5, [], LibraryLoader((str(pack),))().digests(), "detector"))

    assert asked(filled) == asked(folder / "mine")  # wherever it lies
    assert asked(filled) != spec_id(make_spec(plain, 5, [], AssetLibrary.load().digests(), "detector"))


def test_a_dataset_that_wears_what_is_not_here_is_told_so(filled: Path) -> None:
    library, own = open_library([filled]), AssetLibrary.load()
    worn = {name: library[name].sha256 for name in ("mask-cloth-mask", "mask-cup")}
    library.require(worn)
    with pytest.raises(AssetError, match="uses mask-cloth-mask, and this asset is missing") as refused:
        own.require(worn)
    assert "--pack" in refused.value.hint
    with pytest.raises(AssetError, match="mask-cup differs from what the dataset"):
        library.require({**worn, "mask-cup": "00" * 32})


def test_a_pack_in_order_gives_no_finding(filled: Path) -> None:
    assert check_pack(filled) == []


def test_what_is_wrong_with_a_pack_is_found_each_with_a_remedy(pack: Path, tmp_path: Path) -> None:
    mask, shades, cup = (
        pack / "mask" / "cloth-mask.toml",
        pack / "sunglasses" / "shades.toml",
        pack / "hand" / "mug.toml",
    )
    edit(mask, r"^licence = .*$", 'licence = " "')
    edit(mask, r"^origin = .*$", 'origin = ""')
    edit(mask, r"^chin = .*$", "chin = [430, 20]")
    edit(shades, r"^left_lens = .*$", "left_lens = [700, 160]")
    edit(shades, r"^bridge = .*$", "bridge = [450, 900]")
    small = mug()
    PIL.Image.fromarray(small).resize((90, 82)).save(pack / "hand" / "mug.png")
    add_like = save(tmp_path, "twin.png", png(np.clip(cloth_mask() * 0.98, 0, 255).astype(np.uint8)))
    shutil.copy(add_like, pack / "mask" / "twin.png")
    twin = mask.read_text(encoding="utf-8").replace("cloth-mask", "twin").replace("[430, 20]", "[430, 510]")
    (pack / "mask" / "twin.toml").write_text(twin, encoding="utf-8")
    shutil.copy(pack / "mask" / "bowl.glb", pack / "mask" / "same.glb")
    same = (pack / "mask" / "bowl.toml").read_text(encoding="utf-8").replace("bowl", "same")
    (pack / "mask" / "same.toml").write_text(same, encoding="utf-8")
    write_index(pack)
    found = check_pack(pack)
    told = {(finding.where, finding.problem) for finding in found}
    for expected in (
        ("mask-cloth-mask", "no licence is given"),
        ("mask-cloth-mask", "no origin is given"),
        ("mask-cloth-mask", "of its anchors, chin must lie below nose"),
        ("sunglasses-shades", "of its anchors, bridge must lie to the right of left_lens"),
        ("sunglasses-shades", "of its anchors, bridge is outside the cut-out"),
        ("mask-twin", "its picture looks like that of mask-cloth-mask"),
        ("mask-same", "it holds the same file as mask-bowl"),
    ):
        assert expected in told, sorted(told)
    assert any(where == "hand-mug" and "px" in problem for where, problem in told)
    assert not any(where == "index.json" for where, _ in told)
    assert all(finding.remedy and "\n" not in finding.problem for finding in found)
    edit(cup, r"^weight = .*$", "weight = 2.0")
    assert "index.json" in {finding.where for finding in check_pack(pack)}


def test_pictures_that_went_bad_in_a_pack_are_found(pack: Path) -> None:
    (pack / "mask" / "cloth-mask.png").write_bytes(png(cloth_mask())[:5000])
    (pack / "sunglasses" / "shades.png").write_bytes(encoded("RGBA", colour=(1, 2, 3, 0)))
    (pack / "hand" / "mug.png").write_bytes(encoded("RGBA", colour=(1, 2, 3, 255)))
    (pack / "mask" / "bowl.glb").write_bytes(without_buffers())
    told = {finding.where: finding.problem for finding in check_pack(pack)}
    assert "damaged" in told["mask-cloth-mask"]
    assert "transparent all over" in told["sunglasses-shades"]
    assert "opaque" in next(f.problem for f in check_pack(pack) if f.where == "hand-mug")
    assert "buffers are missing" in told["mask-bowl"]

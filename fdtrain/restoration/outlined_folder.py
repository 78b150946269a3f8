"""Photographs and their masks, two folders of pictures: a mask network is measured on them, as on our own datasets.

    photograph --> its face placed in CelebA's frame --> crop
    mask       --> the same frame                    --> silhouette, and what is scored

A picture of CelebA's size is in that frame already.

RealOcc, CelebAMat and their like are such folders. Some of them outline what covers the face, others the face that is
left to see: then what lies within the outline of the face and is not outlined counts as covered, and nothing else is
scored.

Imports no face detector: what places a face comes in as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import Bools, Image
from fdgen.errors import PictureError
from fdtrain.data.pictures import decode_grey, read_file
from fdtrain.data.silhouettes import SOLID, Seen
from fdtrain.restoration.aligned import ALIGNED
from fdtrain.restoration.face_frame import FaceFrame
from fdtrain.restoration.files import is_video, list_photos, read_photo_file
from fdtrain.restoration.mask_files import MaskFolder, is_named_as_mask, looked_for

if TYPE_CHECKING:
    import pandas as pd

Shows = Literal["occluder", "face"]

_NAMED = 3  # of what is left out


class Place(NamedTuple):
    """Where a face lies: the frame of its crop, and the outline of the face in it, (N, 2) in units of its side."""

    frame: FaceFrame
    oval: npt.NDArray[np.float64]


PlaceFace = Callable[[Image, str], Place]
"""Finds the face of a photograph, RGB uint8, by its name; raises `PictureError` where there is none."""


@dataclass(frozen=True, eq=False)
class _Outlined:
    key: str
    crop_HWC: Image
    alpha_HW: Image
    counts_HW: Bools | None


class OutlinedFolder:
    """Photographs of a folder with their masks, cut at `size_px`: read once, when it is opened.

    `left_out` says of each photograph that is not measured why: a mask that is missing, empty or of another size, no
    face. `table` has the columns of a dataset that a table of results goes by; the kind is `photograph`.

    Args:
        pictures: Folder of photographs.
        masks: Folder of their masks, by name as `fdtrain restore --mask` finds them; it may be the same folder.
        size_px: Side of the crops.
        place: Finds faces.
        shows: What white marks in a mask: the `occluder`, or the `face` that is left to see.
        limit: Number of photographs, the first ones by name; None takes all.
        on_picture: Called as (done, of).

    Raises `PictureError` where a folder cannot be read, or nothing in it can be measured.
    """

    split = "outside"
    content_id = ""
    knows_kinds = False

    def __init__(
        self,
        pictures: Path,
        masks: Path,
        *,
        size_px: int,
        place: PlaceFace,
        shows: Shows = "occluder",
        limit: int | None = None,
        on_picture: Callable[[int, int], None] | None = None,
    ) -> None:
        import pandas as pd

        beside = pictures.resolve() == masks.resolve()
        photos = [path for path in list_photos([pictures])[0] if not is_video(path)]
        photos = [path for path in photos if not (beside and is_named_as_mask(path))][:limit]
        found_masks = MaskFolder(masks)
        self.root, self.size_px, self.shows = pictures, size_px, shows
        self.left_out: dict[str, str] = {}
        self._held: list[_Outlined] = []
        for done, path in enumerate(photos, 1):
            try:
                self._held.append(_read(path, found_masks, beside, size_px, place, shows))
            except PictureError as error:
                self.left_out[path.name] = error.message
            if on_picture is not None:
                on_picture(done, len(photos))
        if not self._held:
            first = next(iter(self.left_out.values()), "it holds none")
            raise PictureError(
                f"no photograph of {pictures} can be measured: {first}",
                reason="nothing-to-measure",
                hint="--pictures and --masks are two folders with files of the same names",
            )
        self.keys = [one.key for one in self._held]
        covered = [float((one.alpha_HW >= SOLID).mean()) for one in self._held]
        self.table: pd.DataFrame = pd.DataFrame({"key": self.keys, "kind": "photograph", "coverage": covered})

    def __len__(self) -> int:
        return len(self.keys)

    def seen(self, index: int) -> Seen:
        """Return a crop and its silhouette, 0 or 255."""
        return Seen(self._held[index].crop_HWC, self._held[index].alpha_HW)

    def bare_face(self, index: int) -> Image | None:
        """Return None: nobody knows the same face bare."""
        return None

    def counts(self, index: int) -> Bools | None:
        """Return which pixels are scored; None scores all."""
        return self._held[index].counts_HW

    def notes(self) -> list[str]:
        """Return what a reader must know of these pictures."""
        found = [f"photographs of {self.root.name}, each cut to the frame of its largest face"]
        if self.shows == "face":
            found.append(
                "their masks show the face: covered is what is within its outline and not in the mask, hair over it "
                "too, and only what is within it is scored"
            )
        if self.left_out:
            of = len(self.left_out) + len(self)
            some = "; ".join(f"{name}: {why}" for name, why in list(self.left_out.items())[:_NAMED])
            more = f"; and {len(self.left_out) - _NAMED} more" if len(self.left_out) > _NAMED else ""
            found.append(f"{len(self.left_out)} of {of} photographs are left out: {some}{more}")
        return found


def _read(path: Path, masks: MaskFolder, beside: bool, size_px: int, place: PlaceFace, shows: Shows) -> _Outlined:
    if (mask_path := masks.find(path, beside=beside)) is None:
        raise PictureError(
            f"{masks.folder} has no mask for {path.name}", reason="no-mask", hint=f"call it {looked_for(path)}"
        )
    photo_HWC = read_photo_file(path).picture_HWC
    mask_HW = decode_grey(read_file(mask_path), str(mask_path))
    if mask_HW.shape != photo_HWC.shape[:2]:
        high, wide = photo_HWC.shape[:2]
        # Of several sets the pictures were enlarged, or the masks made at another size, of the same field of view.
        if abs(mask_HW.shape[1] * high - mask_HW.shape[0] * wide) > max(high, wide):
            raise PictureError(
                f"the mask {mask_path.name} is {mask_HW.shape[1]}x{mask_HW.shape[0]}, its photograph {wide}x{high}: "
                "another shape",
                reason="mask-size",
                hint="a mask shows what its photograph shows",
            )
        mask_HW = np.asarray(cv2.resize(mask_HW, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)
    if mask_HW.max() == 1:  # classes 0 and 1
        mask_HW = mask_HW * np.uint8(255)
    if mask_HW.max() < SOLID:
        raise PictureError(f"the mask {mask_path.name} marks nothing", reason="mask-empty")
    oval = np.zeros((0, 2))
    if shows == "occluder" and photo_HWC.shape[:2] in ALIGNED:
        top, left, side = ALIGNED[photo_HWC.shape[0], photo_HWC.shape[1]]
        frame = FaceFrame.of_square(left, top, side)
    else:
        frame, oval = place(photo_HWC, path.name)
    crop_HWC = frame.cut(photo_HWC, size_px)
    marked_HW = frame.cut(np.repeat(mask_HW[..., None], 3, 2), size_px)[..., 0] >= SOLID
    counts_HW = None
    if shows == "face":
        inside = np.zeros((size_px, size_px), np.uint8)
        cv2.fillPoly(inside, [np.round(oval * size_px * 16).astype(np.int32)], (1,), shift=4)
        counts_HW = inside > 0
        marked_HW = counts_HW & ~marked_HW
    if not marked_HW.any():
        raise PictureError(f"nothing covers the face of {path.name}", reason="mask-empty")
    return _Outlined(path.name, crop_HWC, marked_HW.astype(np.uint8) * np.uint8(255), counts_HW)

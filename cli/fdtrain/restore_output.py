"""What `fdtrain restore` writes and reports for each photograph."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..shared.errors import report_error
from ..shared.output import Voice, counted, emit

if TYPE_CHECKING:
    from fdgen.arrays import Image
    from fdtrain.inference.model_label import ModelLabel
    from fdtrain.restoration.photograph import RestoredFace, RestoredPhotograph

MOST_ROWS = 60
"""Faces on the sheet; more would make a picture that nobody can open."""

SHEET = "sheet.png"
"""What all faces are shown on, in the folder of the results."""

LONGEST_NAME = 255
"""Bytes; what file systems take."""

LEFT = 0.01
"""Share of a mask beyond every face's crop from which on it is reported."""


@dataclass
class Outcomes:
    """What was written, and what is reported of each photograph."""

    out: Path
    voice: Voice
    as_json: bool
    saves_masks: bool
    saves_sides: bool
    size_px: int
    labels: Sequence[ModelLabel] = ()
    passed_over: Sequence[Path] = ()
    finished_by: str = "none"
    blend: float = 1.0
    pictures: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Sequence[Image]] = field(default_factory=list)
    captions: list[Sequence[str]] = field(default_factory=list)
    n_done: int = 0
    n_failed: int = 0
    n_faces: int = 0

    @contextlib.contextmanager
    def failures_told(self) -> Iterator[None]:
        """Report a photograph that cannot be used, count it, and go on."""
        from fdgen.errors import PictureError

        try:
            yield
            self.n_done += 1
        except PictureError as error:
            report_error(f"error: {error.message}", error.hint)
            self.n_failed += 1

    def place(self, name: str) -> Path:
        """Return where a result goes; raise `PictureError` where its photograph's name leads out of the folder."""
        from fdgen.errors import DatasetError, PictureError
        from fdgen.io.path_inside import path_inside

        try:
            return path_inside(self.out, name)
        except DatasetError as error:
            raise PictureError(error.message, reason="name", hint=error.hint) from error

    def keep(
        self,
        name: str,
        source: str,
        photo_HWC: Image,
        done: RestoredPhotograph,
        *,
        searched_s: float,
        profile: bytes | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """Write all that is asked for of a photograph, and report it.

        Args:
            name: Name of its files, without a suffix.
            source: What messages call the photograph.
            photo_HWC: The photograph, RGB uint8.
            done: What became of it.
            searched_s: Seconds that finding its faces took.
            profile: Its ICC profile; None for none.
            notes: Sentences that are said of it.

        Raises `FdError` where a file cannot be written.
        """
        from fdtrain.restoration.files import write_photo

        path = self.place(f"{name}.png")
        write_photo(path, done.picture_HWC, profile)
        self.keep_extras(name, photo_HWC, done)
        self.tell(source, str(path), done, searched_s=searched_s, notes=notes)
        if not self.as_json:
            emit(str(path))

    def keep_extras(self, name: str, photo_HWC: Image, done: RestoredPhotograph) -> None:
        """Write the mask and the three pictures side by side where they are asked for, and remember the faces."""
        from fdtrain.data.pictures import write_png
        from fdtrain.restoration.before_after import cells, side_by_side

        if self.saves_masks:
            write_png(self.place(f"{name}.mask.png"), done.mask_HW)
        if self.saves_sides:
            write_png(self.place(f"{name}.side.png"), side_by_side(photo_HWC, done))
        for row, captions in cells(done, self.size_px)[: MOST_ROWS - len(self.rows)]:
            self.rows.append(row)
            self.captions.append([name, *captions])

    def tell(
        self,
        source: str,
        written: str,
        done: RestoredPhotograph,
        *,
        searched_s: float,
        notes: Sequence[str] = (),
        table: bool = True,
    ) -> None:
        """Remember what became of each face, and say it.

        Args:
            source: What messages call the photograph.
            written: The file that was written.
            done: What became of the photograph.
            searched_s: Seconds that finding its faces took.
            notes: Sentences that are said of it.
            table: Whether a line is said for each face, too.
        """
        told = list(notes)
        if not done.faces:
            told.append("no face was found: it is written unchanged (--faces aligned treats it as one face)")
        if done.beyond > LEFT:
            told.append(f"{done.beyond:.0%} of its mask is outside every face and was left unchanged")
        restored = [face for face in done.faces if face.outcome == "restored"]
        self.n_faces += len(restored)
        self.pictures.append(
            {
                "photo": source,
                "written": written,
                "find_s": round(searched_s, 3),
                "faces": [described(face) for face in done.faces],
                "notes": told,
            }
        )
        self.voice.say(f"{source}: {counted(len(done.faces), 'face')}" + "".join(f"; {note}" for note in told))
        for line in lines_of(done.faces) if table else ():
            self.voice.say(line)

    def finish(self) -> None:
        """Write the sheet, and say how it went."""
        import numpy as np

        from fdtrain.data.pictures import write_png
        from fdtrain.data.sheets import sheet

        if self.rows:
            widest = max(map(len, self.rows))
            blank = np.full_like(self.rows[0][0], 255)
            rows = [[*row, *[blank] * (widest - len(row))] for row in self.rows]
            captions = [[*texts, *[""] * (widest - len(texts))] for texts in self.captions]
            write_png(self.out / SHEET, sheet(rows, captions))
            more = f" (the first {MOST_ROWS} faces)" if self.n_faces > MOST_ROWS else ""
            self.voice.say(
                f"{counted(len(self.pictures), 'picture')}, {counted(self.n_faces, 'face')} restored; before and after "
                f"in {self.out / SHEET}{more}. The inpainted region is invented: it shows nobody's true face"
            )

    def document(self) -> dict[str, Any]:
        """Return all of it for a machine."""
        written = dict.fromkeys(picture["written"] for picture in self.pictures)  # frames of a video have one
        return {
            "restored": list(written),
            "failed": self.n_failed,
            "passed_over": [str(path) for path in self.passed_over],
            "models": [label.json() for label in self.labels],
            "finish": self.finished_by,
            "blend": self.blend,
            "pictures": self.pictures,
        }


def described(face: RestoredFace) -> dict[str, Any]:
    """Return what is known of a face, for a machine."""
    return {
        "outcome": face.outcome,
        "corners": [[round(float(x), 1), round(float(y), 1)] for x, y in face.frame.corners_xy],
        "side_px": round(face.frame.side_px, 1),
        "face_score": None if face.face_score is None else round(face.face_score, 4),
        "expected_mask_iou": None if face.expected_mask_iou is None else round(face.expected_mask_iou, 4),
        "covered": round(face.covered, 4),
        "kinds": {kind: round(probability, 4) for kind, probability in face.kinds.items()},
        "seconds": {step: round(seconds, 4) for step, seconds in face.seconds.items()},
    }


def lines_of(faces: Sequence[RestoredFace]) -> list[str]:
    """Return a table with a line a face."""
    from ..shared.output import aligned

    rows: list[tuple[str, ...]] = [("where", "side", "face score", "expected mask IoU", "covered", "seconds", "what")]
    for face in faces:
        x, y = face.frame.corners_xy.mean(axis=0)
        likely = [kind for kind, probability in face.kinds.items() if probability >= 0.5]
        rows.append(
            (
                f"{x:.0f},{y:.0f}",
                f"{face.frame.side_px:.0f} px",
                "-" if face.face_score is None else f"{face.face_score:.2f}",
                "-" if face.expected_mask_iou is None else f"{face.expected_mask_iou:.2f}",
                f"{face.covered:.0%}",
                f"{sum(face.seconds.values()):.2f}",
                face.outcome + (f" ({', '.join(likely)})" if likely else ""),
            )
        )
    return aligned(rows, indent=2) if faces else []


def names_of(photos: Sequence[Path], out: Path) -> list[str]:
    """Return what each picture will be called in the folder, without suffix.

    That is its stem, or its whole name where stems are the same. Raises `UsageError` where two would still be called
    the same.
    """
    stems = Counter(photo.stem for photo in photos)
    names = [photo.name if stems[photo.stem] > 1 or photo.stem == "sheet" else photo.stem for photo in photos]
    if twice := next((name for name, n in Counter(names).items() if n > 1), None):
        raise click.UsageError(
            f"two pictures would be called {Path(twice).stem}.png in {out}", click.get_current_context(silent=True)
        )
    return names


def refuse_overwriting(
    photos: Sequence[Path],
    names: Sequence[str],
    out: Path,
    *,
    extras: Sequence[str],
    drawn: Sequence[Path | None] = (),
) -> None:
    """Refuse results that could not be named, or would take the place of what was given or of another.

    Next to a photograph no file at all is replaced: it may be another photograph.

    Args:
        photos: The photographs.
        names: Names of their results, without a suffix.
        out: Folder of the results.
        extras: Suffixes of what is written next to each picture, `.mask.png` say.
        drawn: The masks and strokes that were given; None for a photograph without.

    Raises `UsageError`, naming the file.
    """
    from fdtrain.restoration.files import is_video
    from fdtrain.restoration.video import SUFFIX

    context = click.get_current_context(silent=True)
    taken = {Path(os.path.realpath(photo)): "a photograph to restore" for photo in photos}
    taken |= {Path(os.path.realpath(path)): "a mask or strokes to read" for path in drawn if path is not None}
    among_photos = Path(os.path.realpath(out)) in {path.parent for path in taken}
    written: set[Path] = set()

    def refuse(path: Path) -> None:
        if len(os.fsencode(path.name)) > LONGEST_NAME:
            raise click.UsageError(f"{path.name} is too long for a file name: rename its photograph", context)
        if what := taken.get(Path(os.path.realpath(path))):
            raise click.UsageError(f"{path} is {what}, and a result would replace it: name another --out", context)
        if among_photos and path.exists():
            raise click.UsageError(
                f"{path} exists already, among the inputs: delete it if it is a result, or name another --out",
                context,
            )

    refuse(out / SHEET)
    for photo, name in zip(photos, names, strict=True):
        for suffix in (SUFFIX if is_video(photo) else ".png", *extras):
            path = out / f"{name}{suffix}"
            refuse(path)
            if path in written:
                raise click.UsageError(f"two pictures would be called {path.name} in {out}", context)
            written.add(path)

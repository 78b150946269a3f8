"""What happens at an upload, at a click on an example, and at a press of the button."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

import gradio as gr
import numpy as np

from fdgen.arrays import Image
from fdgen.errors import FdError, PictureError
from fdtrain.demo.offer import Example, Offer
from fdtrain.demo.quota import Quota, RefusedError
from fdtrain.demo.thumbnails import thumbnails
from fdtrain.demo.visit import Visit, read_upload
from fdtrain.demo.words import PAINTS, summary_text
from fdtrain.metrics.fidelity import hole_fidelity
from fdtrain.restoration.files import write_photo
from fdtrain.restoration.photograph import RestoredPhotograph
from fdtrain.restoration.strokes import Strokes

Shown = tuple[Any, ...]
"""Values of all that is shown, in the order of the outputs: the visit, the uploaded file, the thumbnails, the editor,
the slider, the two downloads, the button, the words."""

N_SHOWN = 9


class Layers(TypedDict):
    """What gradio's editor gives back, of which the layers count."""

    background: Image | None
    layers: list[Image]
    composite: Image | None


class Steps:
    """The steps of a page. Each is given the name of the model that is chosen, and returns the values of all shown."""

    def __init__(self, offer: Offer, folder: Path, quota: Quota) -> None:
        self.offer, self.folder, self.quota = offer, folder, quota

    def from_file(self, path: str | None, model: str | None, request: gr.Request) -> Shown:
        """Take a file that was sent. It stays until it is old: gradio keeps one for all who send the same bytes."""

        def begun(visitor: str) -> Shown:
            if path is None:
                return _unchanged("")
            return self._begun(Visit.of(read_upload(Path(path)), Path(path).stem), model, visitor)

        return self._told(begun, request)

    def from_camera(self, picture_HWC: Image | None, model: str | None, request: gr.Request) -> Shown:
        """Take a picture of the webcam."""

        def begun(visitor: str) -> Shown:
            if picture_HWC is None:
                return _unchanged("")
            return self._begun(Visit.of(picture_HWC, "webcam"), model, visitor)

        return self._told(begun, request)

    def from_example(self, example: Example) -> Callable[..., Shown]:
        """Return the step that takes an example. Where visitors paint masks, that of the example is there already."""

        def step(model: str | None, request: gr.Request) -> Shown:
            visit = Visit.of(example.occluded_HWC, example.name, example=example)
            return self._told(lambda visitor: self._begun(visit, model, visitor), request)

        return step

    def again(self, visit: Visit | None, painted: Layers | None, model: str | None, request: gr.Request) -> Shown:
        """Restore what is red now."""

        def restored(visitor: str) -> Shown:
            if visit is None or painted is None or painted["background"] is None:
                return _unchanged("There is no photograph any more. Please give it again.")
            return self._restored(visit, visit.strokes(painted["layers"]), model, visitor)

        return self._told(restored, request)

    def by_other_model(
        self, visit: Visit | None, painted: Layers | None, model: str | None, request: gr.Request
    ) -> Shown:
        """Restore the same by the model that is chosen now; where there is no photograph yet, nothing."""
        if visit is None:
            return self._told(lambda visitor: _unchanged(""), request)
        return self.again(visit, painted, model, request)

    def _begun(self, visit: Visit, model: str | None, visitor: str) -> Shown:
        self.quota.charge(visitor, visit.photo_HWC.nbytes)  # it is kept in memory until the visitor's next one
        if self.offer.model(model).restorer.masker is None and visit.example is None:
            return _shown(visit, None, (), PAINTS)
        return self._restored(visit, None, model, visitor)

    def _restored(self, visit: Visit, strokes_HW: Strokes | None, model: str | None, visitor: str) -> Shown:
        """Restore a visit's photograph: from the start where no strokes are given, else as it is painted now."""
        chosen = self.offer.model(model)
        finds, fresh = chosen.restorer.masker is not None, strokes_HW is None
        mask_HW = visit.example.mask_HW if visit.example is not None and not finds else None
        if not finds:
            strokes_HW = np.zeros(visit.photo_HWC.shape[:2], np.int8) if strokes_HW is None else strokes_HW
            if mask_HW is None and not strokes_HW.any():
                return _unchanged("Nothing is red yet: paint over what is to be replaced.")
        started_s = time.perf_counter()
        done, searched_s = chosen.restorer.restore(visit.photo_HWC, mask_HW=mask_HW, strokes_HW=strokes_HW)
        whole_s = time.perf_counter() - started_s
        by = chosen.name if len(self.offer.models) > 1 else ""
        words = summary_text(done, searched_s, whole_s, by=by, truth_db=_truth_db(visit, done))
        if fresh:
            visit = visit.found(done.mask_HW)
        if not done.mask_HW.any():
            return _shown(visit, None, (), words, fresh=fresh)
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        stem = f"{visit.name}.{chosen.file_part}" if len(self.offer.models) > 1 else visit.name
        files = [folder / f"{stem}.{what}.png" for what in ("restored", "mask")]
        for file, picture in zip(files, (done.picture_HWC, done.mask_HW), strict=True):
            write_photo(file, picture)
        sides = visit.before_and_after(done)
        n_bytes = sum(file.stat().st_size for file in files) + sum(side.nbytes for side in sides)
        self.quota.charge(visitor, n_bytes, enforce=False)
        return _shown(visit, sides, files, words, fresh=fresh)

    def _told(self, step: Callable[[str], Shown], request: gr.Request) -> Shown:
        """Return what a step shows for a visitor, or the sentence of what is wrong; the visitor is out of the line."""
        visitor = str(request.client.host)
        try:
            return step(visitor)
        except RefusedError as refused:
            words = refused.sentence
        except PictureError as error:
            words = f"{error.message[:1].upper()}{error.message[1:]}: {error.hint}."
        except FdError as error:
            words = f"It cannot be restored: {error.message}."
        finally:
            self.quota.leave(visitor)
        gr.Warning(words, title="This cannot be used")
        return _unchanged(words)


def _truth_db(visit: Visit, done: RestoredPhotograph) -> float | None:
    """Return how close an example's face is to the true one, as PSNR inside its mask; None where no truth is known."""
    if visit.example is None:
        return None
    return hole_fidelity(done.picture_HWC, visit.example.clean_HWC, visit.example.mask_HW).psnr


def _shown(
    visit: Visit, sides: tuple[Image, Image] | None, files: Sequence[Path], words: str, *, fresh: bool = True
) -> Shown:
    """Return the values of all that is shown; without `fresh` what the visitor gave and painted stays.

    `files` are the restored photograph and its mask, or nothing.
    """
    canvas_HWC = visit.canvas()
    layers = {"background": canvas_HWC, "layers": [visit.layer()], "composite": canvas_HWC}
    return (
        visit,
        None if visit.example is not None else gr.skip(),
        thumbnails(visit) if fresh else gr.skip(),
        layers if fresh else gr.skip(),
        gr.ImageSlider(value=sides),
        *(gr.DownloadButton(value=str(file), interactive=True) for file in files),
        *(gr.DownloadButton(value=None, interactive=False) for _ in range(2 - len(files))),
        gr.Button(interactive=True),
        words,
    )


def _unchanged(words: str) -> Shown:
    return (*[gr.skip()] * (N_SHOWN - 1), words if words else gr.skip())

"""The page: open a photograph, correct its mask with a brush, compare before and after with a slider."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypedDict

import gradio as gr

from fdgen.arrays import Image
from fdgen.errors import FdError, PictureError
from fdtrain.demo.quota import Quota, RefusedError
from fdtrain.demo.storage import KEPT_S
from fdtrain.demo.visit import CANVAS_PX, RED, SEEN_THROUGH, Visit, read_upload
from fdtrain.demo.words import FINDS, PAINTS, TITLE, header, summary_text
from fdtrain.restoration.files import write_photo
from fdtrain.restoration.photo_restorer import PhotoRestorer

CSS = resources.files("fdtrain.demo").joinpath("page.css").read_text(encoding="utf-8")

AT_ONCE = 1
"""Photographs restored at the same time: one uses all cores, and faces are found by one detector."""


class Layers(TypedDict):
    """What gradio's editor gives back, of which the layers count."""

    background: Image | None
    layers: list[Image]
    composite: Image | None


def build_page(restorer: PhotoRestorer, folder: Path, quota: Quota) -> gr.Blocks:
    """Return the page; files for visitors are written into `folder`, and counted for them by `quota`."""
    finds = restorer.masker is not None
    brush = gr.Brush(
        default_size=32, colors=[f"rgba({RED[0]}, {RED[1]}, {RED[2]}, {SEEN_THROUGH / 255:.2f})"], color_mode="fixed"
    )
    page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False)
    with page:
        visit = gr.State(None, time_to_live=KEPT_S)
        gr.HTML(header(restorer.labels), padding=False)
        with gr.Row(equal_height=False):
            with gr.Column(elem_id="given"):
                gr.Markdown("### 1 · Photograph")
                with gr.Tab("File"):
                    given = gr.File(
                        label="Photograph", show_label=False, file_types=["image"], height=140, elem_id="file"
                    )
                with gr.Tab("Webcam"):
                    camera = gr.Image(
                        sources=["webcam"], type="numpy", show_label=False, height=300, elem_id="webcam", format="png"
                    )
                status = gr.Markdown(elem_id="status", value=FINDS if finds else PAINTS)
            with gr.Column(elem_id="masked"):
                gr.Markdown("### 2 · What is replaced")
                editor = gr.ImageEditor(
                    label="Mask",
                    show_label=False,
                    sources=(),
                    transforms=(),
                    brush=brush,
                    eraser=gr.Eraser(default_size=32),
                    layers=gr.LayerOptions(allow_additional_layers=False, disabled=True),
                    canvas_size=(CANVAS_PX, CANVAS_PX),
                    type="numpy",
                    image_mode="RGBA",
                    format="png",
                    buttons=["fullscreen"],
                    placeholder="The photograph appears here",
                    elem_id="editor",
                )
                again = gr.Button("Restore what is red", variant="primary", interactive=False, elem_id="restore")
            with gr.Column(elem_id="made"):
                gr.Markdown("### 3 · Before and after")
                slider = gr.ImageSlider(
                    label="Before and after", show_label=False, type="numpy", format="png", interactive=False,
                    buttons=["fullscreen"], elem_id="slider",
                )  # fmt: skip
                with gr.Row():
                    saved = gr.DownloadButton("Save at full size", interactive=False, elem_id="save")
                    saved_mask = gr.DownloadButton("Save the mask", interactive=False, elem_id="save-mask")
        steps = _Steps(restorer, folder, quota)
        shown = [visit, editor, slider, saved, saved_mask, again, status]
        one_by_one: dict[str, Any] = {
            "concurrency_limit": AT_ONCE,
            "concurrency_id": "model",
            "api_visibility": "private",
        }
        given.upload(steps.from_file, [given], shown, **one_by_one)
        camera.input(steps.from_camera, [camera], shown, **one_by_one)
        again.click(steps.again, [visit, editor], shown, **one_by_one)
    page.queue(max_size=quota.limits.all_waiting, api_open=False)
    return page


class _Steps:
    """What happens at an upload and at a press of the button. Each step returns the values of all that is shown."""

    def __init__(self, restorer: PhotoRestorer, folder: Path, quota: Quota) -> None:
        self.restorer, self.folder, self.quota = restorer, folder, quota

    def from_file(self, path: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Take a file that was sent. It stays until it is old: gradio keeps one for all who send the same bytes."""

        def begun(visitor: str) -> tuple[Any, ...]:
            if path is None:
                return _unchanged("")
            return self._begun(Visit.of(read_upload(Path(path)), Path(path).stem), visitor)

        return self._told(begun, request)

    def from_camera(self, picture_HWC: Image | None, request: gr.Request) -> tuple[Any, ...]:
        """Take a picture of the webcam."""

        def begun(visitor: str) -> tuple[Any, ...]:
            if picture_HWC is None:
                return _unchanged("")
            return self._begun(Visit.of(picture_HWC, "webcam"), visitor)

        return self._told(begun, request)

    def again(self, visit: Visit | None, painted: Layers | None, request: gr.Request) -> tuple[Any, ...]:
        """Restore what is red now."""

        def restored(visitor: str) -> tuple[Any, ...]:
            if visit is None or painted is None or painted["background"] is None:
                return _unchanged("There is no photograph any more. Please give it again.")
            return self._restored(visit, visit.strokes(painted["layers"]), visitor)

        return self._told(restored, request)

    def _begun(self, visit: Visit, visitor: str) -> tuple[Any, ...]:
        self.quota.charge(visitor, visit.photo_HWC.nbytes)  # it is kept in memory until the visitor's next one
        if self.restorer.masker is None:
            return _shown(visit, None, (), PAINTS)
        return self._restored(visit, None, visitor)

    def _restored(self, visit: Visit, strokes_HW: Any, visitor: str) -> tuple[Any, ...]:
        if strokes_HW is not None and not strokes_HW.any() and self.restorer.masker is None:
            return _unchanged("Nothing is red yet: paint over what is to be replaced.")
        started_s = time.perf_counter()
        done, searched_s = self.restorer.restore(visit.photo_HWC, strokes_HW=strokes_HW)
        words = summary_text(done, searched_s, time.perf_counter() - started_s)
        if strokes_HW is None:
            visit = visit.found(done.mask_HW)
        if not done.mask_HW.any():
            return _shown(visit, None, (), words, fresh=strokes_HW is None)
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        files = [folder / f"{visit.name}.{what}.png" for what in ("restored", "mask")]
        for file, picture in zip(files, (done.picture_HWC, done.mask_HW), strict=True):
            write_photo(file, picture)
        sides = visit.before_and_after(done)
        n_bytes = sum(file.stat().st_size for file in files) + sum(side.nbytes for side in sides)
        self.quota.charge(visitor, n_bytes, enforce=False)
        return _shown(visit, sides, files, words, fresh=strokes_HW is None)

    def _told(self, step: Callable[[str], tuple[Any, ...]], request: gr.Request) -> tuple[Any, ...]:
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


def _shown(
    visit: Visit, sides: tuple[Image, Image] | None, files: Sequence[Path], words: str, *, fresh: bool = True
) -> tuple[Any, ...]:
    """Return the values of all that is shown; without `fresh` the editor keeps what the visitor painted.

    `files` are the restored photograph and its mask, or nothing.
    """
    canvas_HWC = visit.canvas()
    layers = {"background": canvas_HWC, "layers": [visit.layer()], "composite": canvas_HWC}
    return (
        visit,
        layers if fresh else gr.skip(),
        gr.ImageSlider(value=sides),
        *(gr.DownloadButton(value=str(file), interactive=True) for file in files),
        *(gr.DownloadButton(value=None, interactive=False) for _ in range(2 - len(files))),
        gr.Button(interactive=True),
        words,
    )


def _unchanged(words: str) -> tuple[Any, ...]:
    return (*[gr.skip()] * 6, words if words else gr.skip())


__all__ = ["CSS", "build_page"]

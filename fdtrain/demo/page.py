"""The page: open a photograph, correct its mask with a brush, compare before and after with a slider."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import gradio as gr

from fdtrain.demo.offer import ModelCard, Offer
from fdtrain.demo.quota import Quota
from fdtrain.demo.steps import Steps
from fdtrain.demo.storage import KEPT_S
from fdtrain.demo.thumbnails import example_css
from fdtrain.demo.visit import CANVAS_PX, RED, SEEN_THROUGH
from fdtrain.demo.words import CARDS, FINDS, PAINTS, TITLE, header

AT_ONCE = 1
"""Photographs restored at the same time: one uses all cores, and faces are found by one detector."""


def build_page(offer: Offer, folder: Path, quota: Quota) -> gr.Blocks:
    """Return the page; files for visitors are written into `folder`, and counted for them by `quota`."""
    steps = Steps(offer, folder, quota)
    page: gr.Blocks = gr.Blocks(title=TITLE, analytics_enabled=False)
    with page:
        visit = gr.State(None, time_to_live=KEPT_S)
        gr.HTML(header(offer.labels), padding=False, elem_id="header")
        _cards(offer.cards)
        model = gr.Radio(
            offer.names, value=offer.names[0], label="Model that restores", visible=len(offer.models) > 1,
            elem_id="model",
        )  # fmt: skip
        with gr.Row(equal_height=False):
            with gr.Column(elem_id="given"):
                gr.Markdown("### 1 · Photograph")
                given, camera = _inputs()
                buttons = _examples(offer)
                thumbnail = gr.HTML(elem_id="thumbnails", padding=False)
                status = gr.Markdown(elem_id="status", value=FINDS if offer.finds_masks else PAINTS)
            with gr.Column(elem_id="masked"):
                gr.Markdown("### 2 · What is replaced")
                editor = _editor()
                again = gr.Button("Restore what is red", variant="primary", interactive=False, elem_id="restore")
            with gr.Column(elem_id="made"):
                gr.Markdown("### 3 · Before and after")
                slider = gr.ImageSlider(
                    label="Before and after", show_label=False, type="numpy", format="png", interactive=False,
                    buttons=["fullscreen"], elem_id="slider",
                )  # fmt: skip
                with gr.Row(elem_id="saves"):
                    saved = gr.DownloadButton("Save picture", interactive=False, elem_id="save")
                    saved_mask = gr.DownloadButton("Save mask", interactive=False, elem_id="save-mask")
        shown = [visit, given, thumbnail, editor, slider, saved, saved_mask, again, status]
        one_by_one: dict[str, Any] = {
            "concurrency_limit": AT_ONCE,
            "concurrency_id": "model",
            "api_visibility": "private",
        }
        given.upload(steps.from_file, [given, model], shown, **one_by_one)
        camera.input(steps.from_camera, [camera, model], shown, **one_by_one)
        again.click(steps.again, [visit, editor, model], shown, **one_by_one)
        model.input(steps.by_other_model, [visit, editor, model], shown, **one_by_one)
        for button, example in zip(buttons, offer.examples, strict=True):
            button.click(steps.from_example(example), [model], shown, **one_by_one)
    page.queue(max_size=quota.limits.all_waiting, api_open=False)
    return page


def page_css(offer: Offer) -> str:
    """Return the style sheet of a page."""
    style = resources.files("fdtrain.demo").joinpath("page.css").read_text(encoding="utf-8")
    return f"{style}\n{example_css(offer.examples)}\n"


def _cards(cards: Sequence[ModelCard]) -> None:
    """Add what is known of the models, folded: their limits first, then each whole card."""
    if not cards:
        return
    with gr.Accordion(CARDS.format(titles="; ".join(card.title for card in cards)), open=False, elem_id="cards"):
        for card in cards:
            gr.Markdown(f"### Limits of {card.title}\n\n{card.limits or 'None are stated.'}", elem_classes="card")
            with gr.Accordion(f"The whole card of {card.title}", open=False):
                gr.Markdown(card.text, elem_classes="card")


def _inputs() -> tuple[gr.File, gr.Image]:
    with gr.Tab("File"):
        given = gr.File(label="Photograph", show_label=False, file_types=["image"], height=140, elem_id="file")
    with gr.Tab("Webcam"):
        camera = gr.Image(
            sources=["webcam"], type="numpy", show_label=False, height=300, elem_id="webcam", format="png"
        )
    return given, camera


def _examples(offer: Offer) -> list[gr.Button]:
    """Add a button an example; the style sheet puts their pictures on them."""
    if not offer.examples:
        return []
    gr.Markdown("#### Or an example", elem_id="examples-title")
    with gr.Row(elem_id="examples"):
        buttons = [
            gr.Button(example.title, elem_id=f"example-{number}", elem_classes="example", min_width=0)
            for number, example in enumerate(offer.examples, 1)
        ]
    gr.Markdown(offer.credit, elem_id="examples-credit")
    return buttons


def _editor() -> gr.ImageEditor:
    brush = gr.Brush(
        default_size=32, colors=[f"rgba({RED[0]}, {RED[1]}, {RED[2]}, {SEEN_THROUGH / 255:.2f})"], color_mode="fixed"
    )
    return gr.ImageEditor(
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


__all__ = ["build_page", "page_css"]

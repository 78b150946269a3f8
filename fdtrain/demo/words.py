"""The text of the page."""

from __future__ import annotations

import html
from collections.abc import Sequence

from fdtrain.inference.metadata import INVENTED
from fdtrain.inference.model_label import ModelLabel, toy_note
from fdtrain.restoration.photograph import RestoredFace, RestoredPhotograph

TITLE = "Remove what covers a face"

USE = (
    f"{INVENTED} Use photographs of yourself, or of people who agreed. Photographs are not kept: they stay on the "
    "computer that runs this page for ten minutes at most."
)

HEAD = '<h1>{title}</h1><p role="note"><strong>Invented, not revealed.</strong> {use}</p>'
TOY = '<p role="note" class="toy"><strong>Toy weights.</strong> {note}.</p>'
MODELS = '<p class="models">{models}</p>'

CARDS = "Limits and model cards: {titles}"

FINDS = (
    "Give a photograph: what covers its faces is found and replaced at once. Correct the red mask where it is wrong."
)
PAINTS = "Give a photograph, paint over what is to be replaced, and press the button."

STEPS = ("align", "mask", "restore", "paste")
"""Of one face, in their order."""


def header(labels: Sequence[ModelLabel]) -> str:
    """Return the top of the page, as HTML: what this is, which models it runs, and which of them are toys."""
    parts = [HEAD.format(title=TITLE, use=USE)]
    if note := toy_note(labels):
        parts.append(TOY.format(note=_html(note)))
    if labels:
        parts.append(MODELS.format(models=_html(_named(labels))))
    return f"<header>{''.join(parts)}</header>"


def summary_text(
    done: RestoredPhotograph, searched_s: float, whole_s: float, *, by: str = "", truth_db: float | None = None
) -> str:
    """Return in words what became of each face, and how long each step took.

    Args:
        done: What became of the photograph.
        searched_s: Seconds in which its faces were looked for.
        whole_s: Seconds of all steps.
        by: Name of the model, where that is to be said.
        truth_db: PSNR against the true face, inside the mask of an example; None where no truth is known.
    """
    if not done.faces:
        return "**No face was found.** Is one large enough, and turned to the camera? It works on faces alone."
    restored = [face for face in done.faces if face.outcome == "restored"]
    named = f" by `{by.replace('`', '')}`," if by else ""
    lines = [f"**{_faces(len(restored))} restored**{named} of {len(done.faces)} found, in {whole_s:.2f} s."]
    if done.beyond > 0.01:
        lines.append(f"{done.beyond:.0%} of the mask lies beyond every face and was left.")
    if not restored:
        lines = [f"**Nothing to replace was found** on {_faces(len(done.faces))}. Paint it red, and press the button."]
    if restored and truth_db is not None:
        lines.append(
            f"Against the true face, PSNR is {truth_db:.1f} dB where the occluder was drawn. What is invented may look "
            "likely, and is not the person."
        )
    seconds = {"find faces": searched_s}
    for step in STEPS:
        if any(step in face.seconds for face in done.faces):
            seconds[step] = sum(face.seconds.get(step, 0.0) for face in done.faces)
    if measured := _measured(restored):
        lines.append(f"{measured} Of what is behind a mask nothing is known.")
    return "\n\n".join([*lines, " · ".join(f"{step} {taken_s:.2f} s" for step, taken_s in seconds.items())])


def _measured(faces: Sequence[RestoredFace]) -> str:
    """Return what the finder and the mask network say of themselves; nothing where neither was asked."""
    scores = [f"{face.face_score:.2f}" for face in faces if face.face_score is not None]
    ious = [f"{face.expected_mask_iou:.2f}" for face in faces if face.expected_mask_iou is not None]
    parts = [f"Score of the face finder: {', '.join(scores)}."] if scores else []
    if ious:
        parts.append(
            f"Overlap (IoU) of mask and occluder, expected by the segmentation network itself: {', '.join(ious)}."
        )
    return " ".join(parts)


def _named(labels: Sequence[ModelLabel]) -> str:
    """Return which models restore and which predict masks, in a sentence."""
    parts = []
    for task, what in (("restore", "Faces are restored by"), ("mask", "masks are predicted by")):
        if names := [_described(label) for label in labels if label.task == task]:
            parts.append(f"{what} {' or '.join(names)}")
    return "; ".join(parts)


def _described(label: ModelLabel) -> str:
    preset = f"preset {label.preset}, " if label.preset else ""
    return f"{label.name} ({preset}{label.size_px} px)"


def _html(text: str) -> str:
    """Return plain text as HTML; what is between backquotes is code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _faces(number: int) -> str:
    return f"{number} face" if number == 1 else f"{number} faces"

"""Opens the models that restore photographs, for restore and demo: each with the finder of faces and a mask network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .output import Voice

if TYPE_CHECKING:
    from fdtrain.methods import Finish
    from fdtrain.restoration.photo_restorer import PhotoRestorer


def open_restorers(
    weights: Sequence[Path],
    masker: Path | None,
    how: str,
    *,
    engine: str,
    device: str,
    with_grain: bool,
    voice: Voice,
    finish: Finish | Literal["auto"] = "auto",
    blend: float = 1.0,
    jaw_line: bool = True,
    sharpen: bool = True,
    sure: float | None = None,
    beside: bool = False,
) -> list[PhotoRestorer]:
    """Open several generators, all with the same mask network.

    Args:
        weights: Files of weights, folders of runs, or ONNX files, all on this machine.
        masker: Weights of the mask network; None opens none.
        how: How faces are found: auto, aligned or find.
        engine: What runs the generators; `auto` goes by each file's suffix.
        device: Where networks run.
        with_grain: Whether the photograph's grain is added to what is filled in.
        voice: Where notes go.
        finish: What is done to the generators' pictures; auto as `finish_of` says.
        blend: Share of the last stage in them, in [0, 1]; the rest is the first stage's.
        jaw_line: Whether what lies beside a face goes on up to its outline.
        sharpen: Whether what is filled in is made as sharp as the photograph around.
        sure: A predicted mask of a lower expected IoU, in [0, 1], is left out; None as `sure_of` says.
        beside: Whether what hides little of the middle of a face is replaced, too.

    Raises `FdError` where weights cannot be opened.
    """
    from typing import cast

    from fdgen.faces.face_finder import find_faces
    from fdtrain.inference.blend import blended
    from fdtrain.inference.finish import finished
    from fdtrain.inference.model_label import toy_note
    from fdtrain.inference.open_generator import open_generator
    from fdtrain.restoration.photo_restorer import How, PhotoRestorer

    opened = [open_generator(one, engine=engine, device=device) for one in weights]
    finder, of_finder = None, []
    if masker is not None:
        from fdtrain.inference.maskers import open_masker

        finder = open_masker(masker, device)
        of_finder = [finder.label] if finder.label else []
    if note := toy_note([*(one.label for one in opened), *of_finder]):
        voice.say(f"note: {note}")
    return [
        PhotoRestorer(
            finished(blended(one.method, [blend], beside="coarse"), finish_of(path, finish)),
            one.size_px,
            find_faces,
            finder,
            cast(How, how),
            with_grain,
            jaw_line,
            sharpen,
            sure_of(masker) if sure is None else sure,
            beside,
            labels=(one.label, *of_finder),
        )
        for path, one in zip(weights, opened, strict=True)
    ]


def finish_of(weights: Path, finish: Finish | Literal["auto"]) -> Finish:
    """Return how the pictures of weights are finished: where it is left to them, only included ones have a finish."""
    from fdtrain.training.starter import FINISH, is_starter

    if finish != "auto":
        return finish
    return FINISH if is_starter(weights) else "none"


def sure_of(masker: Path | None) -> float:
    """Return the expected IoU from which on masks are used where nobody says: the included network has its own."""
    from fdtrain.restoration.photograph import LEAST_EXPECTED_IOU
    from fdtrain.training.starter import SURE, is_starter

    return SURE if masker is not None and is_starter(masker) else LEAST_EXPECTED_IOU

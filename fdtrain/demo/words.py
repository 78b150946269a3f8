"""What the page says."""

from __future__ import annotations

from fdtrain.photograph import RestoredPhotograph
from fdtrain.portable import INVENTED

TITLE = "Remove what covers a face"

USE = (
    f"{INVENTED} Use photographs of yourself, or of people who agreed. Photographs are not kept: they stay on the "
    "computer that runs this page for ten minutes at most."
)

HEAD = '<header><h1>{title}</h1><p role="note"><strong>Invented, not revealed.</strong> {use}</p></header>'

FINDS = (
    "Give a photograph: what covers its faces is found and replaced at once. Correct the red mask where it is wrong."
)
PAINTS = "Give a photograph, paint over what is to be replaced, and press the button."

STEPS = ("align", "mask", "restore", "paste")
"""Of one face, in their order."""

CSS = """
header h1 { margin: 0.2em 0 0.3em; font-size: 1.7em; font-weight: 650; }
header p, header p strong { color: #451a03; }
header p { margin: 0 0 0.4em; padding: 0.7em 1em; border-left: 4px solid #b45309; background: #fef3c7;
           border-radius: 4px; }
#status { min-height: 3em; }
#status p:last-child:not(:first-child) { font-size: 0.85em; opacity: 0.75; font-variant-numeric: tabular-nums; }
#file a { pointer-events: none; color: inherit; }  /* the upload goes while its name still stands here */
footer { display: none !important; }
"""


def told(done: RestoredPhotograph, searched_s: float, whole_s: float) -> str:
    """Return in words what became of each face, and how long each step took."""
    if not done.faces:
        return "**No face was found.** Is one large enough, and turned to the camera? It works on faces alone."
    restored = [face for face in done.faces if face.outcome == "restored"]
    lines = [f"**{_faces(len(restored))} restored** of {len(done.faces)} found, in {whole_s:.2f} s."]
    if done.beyond > 0.01:
        lines.append(f"{done.beyond:.0%} of the mask lies beyond every face and was left.")
    if not restored:
        lines = [f"**Nothing to replace was found** on {_faces(len(done.faces))}. Paint it red, and press the button."]
    seconds = {"find faces": searched_s}
    for step in STEPS:
        if any(step in face.seconds for face in done.faces):
            seconds[step] = sum(face.seconds.get(step, 0.0) for face in done.faces)
    sure = [f"{face.confidence:.0%}" for face in restored]
    if sure:
        lines.append(f"How sure face and mask are: {', '.join(sure)}. Of what is behind nothing is known.")
    return "\n\n".join([*lines, " · ".join(f"{step} {taken_s:.2f} s" for step, taken_s in seconds.items())])


def _faces(number: int) -> str:
    return f"{number} face" if number == 1 else f"{number} faces"

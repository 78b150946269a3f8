"""Small pictures within the page itself: no file of them is served, and none is left."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fdgen.arrays import Image
from fdtrain.data.pictures import webp_uri
from fdtrain.demo.offer import Example
from fdtrain.demo.visit import Visit, shrunk

SIDE_PX, QUALITY = 240, 80
"""Longest side of a thumbnail, twice as long as it is shown, and its quality."""

FIGURE = Markup('<figure><img src="{uri}" alt="{alt}"><figcaption>{words}</figcaption></figure>')


def thumbnails(visit: Visit) -> str:
    """Return what the visitor gave, as HTML; next to an example the true face, which no model saw."""
    height, width = visit.photo_HWC.shape[:2]
    if visit.example is None:
        shown = [(visit.photo_HWC, f"{visit.name}, {width} × {height} px", "The photograph that was given")]
    else:
        shown = [
            (visit.example.occluded_HWC, "what the model gets", f"The example: {visit.example.title}"),
            (visit.example.clean_HWC, "the true face, which it never sees", "The same photograph without an occluder"),
        ]
    return str(Markup("").join(FIGURE.format(uri=_uri(one), alt=alt, words=words) for one, words, alt in shown))


def example_css(examples: Sequence[Example]) -> str:
    """Return the rules that put each example's picture on its button, `#example-1` and so on."""
    return "\n".join(
        f'#example-{number} {{ background-image: url("{_uri(example.occluded_HWC)}"); }}'
        for number, example in enumerate(examples, 1)
    )


def _uri(picture_HWC: Image) -> str:
    return webp_uri(shrunk(picture_HWC, SIDE_PX), quality=QUALITY)

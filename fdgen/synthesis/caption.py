"""The caption of a sample: one line that says what covers the face, and how the head is turned."""

from __future__ import annotations

from collections.abc import Sequence

from fdgen.analysis.geometry import HeadPose
from fdgen.assets import Asset

_TURNED_DEG = 12.0
"""Past this a head looks turned, and not only off the middle."""


def caption(assets: Sequence[Asset], pose: HeadPose) -> str:
    """Return the caption of a face that wears assets: `A face turned to the left, with a mask (duckbill respirator)`.

    Sides are the viewer's. Nothing is said of the person, of whom nothing is known.
    """
    turned = []
    if abs(pose.yaw_deg) > _TURNED_DEG:
        turned.append("turned to the " + ("right" if pose.yaw_deg > 0 else "left"))
    if abs(pose.pitch_deg) > _TURNED_DEG:
        turned.append("looking " + ("up" if pose.pitch_deg > 0 else "down"))
    face = " ".join(["A face", " and ".join(turned)]) if turned else "A face"
    worn = [f"{_with_article(asset.kind)} ({_lowered(asset.title)})" for asset in assets]
    return f"{face}, with {' and '.join(worn)}"


def _with_article(kind: str) -> str:
    if kind.endswith("s"):  # sunglasses, eyeglasses
        return kind
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _lowered(title: str) -> str:
    """Let a title go on within a sentence; an abbreviation keeps its capitals."""
    first = title.split()[0] if title.split() else ""
    return title if first.isupper() and len(first) > 1 else title[:1].lower() + title[1:]

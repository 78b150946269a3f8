"""Anchor points of an imported occluder: estimated from its outline when it is added, and checked with the pack."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from fdgen.arrays import F64
from fdgen.occluders.imported.texture import body_of

Anchors = dict[str, tuple[float, ...]]

_LENS_SHARE = 0.235
"""How far from the middle a lens lies, a share of the width of the front, where the picture does not show it."""
_OUTSIDE = 0.08
"""How far from the cut-out an anchor may lie, a share of its larger side: a bridge may be a gap."""
_LOOSE = 3
"""Decimals of a mesh's units that are kept."""


def guess_in_picture(alpha_HW: npt.NDArray[np.uint8], form: str, least_alpha: float) -> Anchors:
    """Return the anchors of a form, x and y in px, guessed from the outline of a cut-out that is not empty."""
    present = alpha_HW >= max(1, round(255 * least_alpha))
    if form == "drape":
        found = _of_cloth(body_of(present))
    elif form == "plate":
        found = _of_glasses(present, alpha_HW)
    else:
        rows, columns = np.nonzero(present)
        found = {"centre": (float(columns.mean()), float(rows.mean()))}
    return {name: (round(x, 1), round(y, 1)) for name, (x, y) in found.items()}


def guess_in_mesh(vertices: F64, form: str) -> Anchors:
    """Return the anchors of a form, in a mesh's own units (y up, z to the viewer, as glTF has it)."""
    low, high = vertices.min(0), vertices.max(0)
    middle, size = 0.5 * (low + high), np.maximum(high - low, 1e-9)
    ahead = vertices[vertices[:, 2] > low[2] + 0.02 * size[2]]
    ahead = ahead if len(ahead) > 8 else vertices

    def extreme(across: float, up: float, within: float = 9.0) -> tuple[float, ...]:
        """Return the outermost vertex in a direction; `within` limits x to a share of the half width."""
        near = vertices[np.abs(vertices[:, 0] - middle[0]) <= 0.5 * within * size[0]]
        near = near if len(near) else vertices
        score = (near[:, :2] - middle[:2]) / size[:2] @ np.array([across, up])
        return tuple(near[int(np.argmax(score))].tolist())

    if form == "drape":
        found = {
            "nose": extreme(0.0, 1.0, 0.2),
            "left_top": extreme(-1.0, 0.7),
            "right_top": extreme(1.0, 0.7),
            "left_bottom": extreme(-1.0, -0.6),
            "right_bottom": extreme(1.0, -0.6),
            "chin": extreme(0.0, -1.0, 0.2),
        }
    elif form == "plate":
        front = float(high[2])
        y = float(np.median(ahead[ahead[:, 2] > high[2] - 0.2 * size[2], 1]))
        found = {
            "bridge": (float(middle[0]), y, front),
            "left_lens": (float(middle[0] - _LENS_SHARE * size[0]), y, front),
            "right_lens": (float(middle[0] + _LENS_SHARE * size[0]), y, front),
            "left_hinge": (float(low[0]), y, front - 0.1 * float(size[0])),
            "right_hinge": (float(high[0]), y, front - 0.1 * float(size[0])),
        }
    else:
        found = {"centre": tuple(middle.tolist())}
    digits = _LOOSE - int(np.floor(np.log10(float(size.max()))))
    return {name: tuple(round(float(x), digits) for x in point) for name, point in found.items()}


def arrangement_problems(anchors: Mapping[str, tuple[float, ...]], form: str) -> list[str]:
    """Say in what anchors of a picture (y down) contradict each other; for a mesh, turn y round first."""
    rows: list[tuple[str, ...]]
    if form == "drape":
        rows = [("left_top", "nose", "right_top"), ("left_bottom", "chin", "right_bottom")]
        columns = [("left_top", "left_bottom"), ("nose", "chin"), ("right_top", "right_bottom")]
    elif form == "plate":
        rows, columns = [("left_hinge", "left_lens", "bridge", "right_lens", "right_hinge")], []
    else:
        return []
    found = [
        f"{b} must lie to the right of {a}" for row in rows for a, b in pairwise(row) if anchors[a][0] >= anchors[b][0]
    ]
    return found + [f"{b} must lie below {a}" for a, b in columns if anchors[a][1] >= anchors[b][1]]


def stray_anchors(anchors: Mapping[str, tuple[float, ...]], present_HW: npt.NDArray[np.bool_]) -> list[str]:
    """Return the names of the anchors that lie outside a cut-out."""
    height, width = present_HW.shape
    distance = cv2.distanceTransform((~present_HW).astype(np.uint8), cv2.DIST_L2, 5)
    found = []
    for name, (x, y) in anchors.items():
        inside = 0 <= x < width and 0 <= y < height
        if not inside or distance[int(y), int(x)] > _OUTSIDE * max(height, width):
            found.append(name)
    return found


def _of_cloth(body: npt.NDArray[np.bool_]) -> dict[str, tuple[float, float]]:
    """Corners are where the outline reaches farthest askew; nose and chin the ends of the middle."""
    contours, _ = cv2.findContours(body.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)[:, 0].astype(np.float64)
    low, high = outline.min(0), outline.max(0)
    unit = (outline - 0.5 * (low + high)) / np.maximum(high - low, 1.0)

    def farthest(across: float, down: float) -> tuple[float, float]:
        x, y = outline[int(np.argmax(unit @ np.array([across, down])))]
        return float(x), float(y)

    middle = outline[np.abs(unit[:, 0]) < 0.12]
    middle = middle if len(middle) else outline
    top, bottom = middle[int(np.argmin(middle[:, 1]))], middle[int(np.argmax(middle[:, 1]))]
    return {
        "nose": (float(top[0]), float(top[1])),
        "left_top": farthest(-1.0, -0.7),
        "right_top": farthest(1.0, -0.7),
        "left_bottom": farthest(-1.0, 0.6),
        "right_bottom": farthest(1.0, 0.6),
        "chin": (float(bottom[0]), float(bottom[1])),
    }


def _of_glasses(present: npt.NDArray[np.bool_], alpha_HW: npt.NDArray[np.uint8]) -> dict[str, tuple[float, float]]:
    """Hinges are the outer ends; lenses the two largest holes or tinted panes, or where they usually lie."""
    rows, columns = np.nonzero(present)
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    width = max(1, right - left)
    edge = max(1, round(0.02 * width))
    middle = 0.5 * (left + right)
    panes = _panes(alpha_HW, int(top), int(bottom), int(left), int(right))
    sides = [[p for p in panes if (p[0] < middle) == before] for before in (True, False)]
    lenses = [
        side[0] if side else (middle + sign * _LENS_SHARE * width, 0.5 * (top + bottom))
        for side, sign in zip(sides, (-1.0, 1.0), strict=True)
    ]
    centre = np.abs(columns - middle) <= max(1.0, 0.02 * width)
    bridge_y = float(rows[centre].mean()) if centre.any() else float(top + 0.35 * (bottom - top))
    return {
        "bridge": (float(middle), bridge_y),
        "left_lens": lenses[0],
        "right_lens": lenses[1],
        "left_hinge": (float(left), float(rows[columns <= left + edge].mean())),
        "right_hinge": (float(right), float(rows[columns >= right - edge].mean())),
    }


def _panes(alpha_HW: npt.NDArray[np.uint8], top: int, bottom: int, left: int, right: int) -> list[tuple[float, float]]:
    """Return the centres of the large holes and panes inside a frame, the largest first."""
    window = np.pad((alpha_HW[top : bottom + 1, left : right + 1] < 230).astype(np.uint8), 1, constant_values=1)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(window, connectivity=4)
    outer = {int(label) for label in np.unique(labels[0])}
    area = (bottom - top + 1) * (right - left + 1)
    found = [
        (float(centres[i][0]) + left - 1, float(centres[i][1]) + top - 1, int(stats[i, cv2.CC_STAT_AREA]))
        for i in range(1, count)
        if i not in outer and stats[i, cv2.CC_STAT_AREA] > 0.04 * area
    ]
    return [(x, y) for x, y, _ in sorted(found, key=lambda pane: -pane[2])]

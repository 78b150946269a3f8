"""The logs of trainings as charts: validation first, then every term of the loss by stage, all trainings in each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fdtrain.objectives.validation import COARSE_SCORE, MASK_SCORE, PERCEPTUAL_SCORE, SCORE
from fdtrain.report.charts import Line, legend_sample, line_chart
from fdtrain.report.sources import Training

VALIDATED: Mapping[str, str] = {
    SCORE: "PSNR inside the mask, dB",
    COARSE_SCORE: "PSNR inside the mask, of stage I, dB",
    "val/ssim": "SSIM",
    PERCEPTUAL_SCORE: "perceptual distance of validation",
    MASK_SCORE: "IoU of silhouettes",
    "val/kind": "share of pictures whose kind is found",
    "val/cross_entropy_cooled": "cross-entropy a pixel, at the fitted temperature",
}

STAGES: Mapping[str, str] = {"stage1": "Stage I", "stage2": "Stage II"}

TERMS: Mapping[str, str] = {
    "total": "total",
    "l1": "L1",
    "hole_l1": "L1 inside the mask",
    "known_l1": "L1 outside the mask",
    "coarse_l1": "L1 of the coarse picture",
    "mse": "MSE",
    "ssim": "SSIM loss",
    "perceptual": "perceptual",
    "style": "style",
    "feature_matching": "feature matching",
    "adversarial": "adversarial",
    "region_adversarial": "adversarial, region",
    "discriminator": "discriminator",
    "gradient": "norm of the gradient",
}
"""Terms in the order of the page; one that is not named here comes last, under its own name."""


@dataclass(frozen=True)
class Panel:
    """A chart and its title; whose line is which, where the legend of the page does not say it."""

    title: str
    svg: Markup
    legend: Sequence[tuple[str, Markup]] = ()


@dataclass(frozen=True)
class Curves:
    """The charts of all trainings by group, and which line is whose."""

    groups: Mapping[str, Sequence[Panel]]
    legend: Sequence[tuple[str, Markup]]


def curves_of(trainings: Sequence[Training]) -> Curves:
    """Draw what trainings reported; seeds of one row have the same line."""
    rows = list(dict.fromkeys(training.row for training in trainings))
    styles = {row: place for place, row in enumerate(rows)}

    def panel(column: str, title: str) -> Panel | None:
        lines = [
            Line(training.title, styles[training.row], points)
            for training in trainings
            if (points := _points(training, column))
        ]
        if all(len(line.points) < 2 for line in lines):  # what was validated once is a number, not a curve
            return None
        svg = line_chart(title, lines, x_title="images")
        return Panel(title, svg) if svg else None

    columns = {name for training in trainings for line in training.lines for name in line}
    groups: dict[str, list[Panel]] = {}
    validated = [panel(name, title) for name, title in VALIDATED.items() if name in columns]
    groups["Validation"] = [one for one in validated if one is not None]
    for stage, title in STAGES.items():
        own = [name.partition("/")[2] for name in sorted(columns) if name.startswith(f"{stage}/")]
        ordered = sorted(own, key=lambda term: (list(TERMS).index(term) if term in TERMS else len(TERMS), term))
        found = [panel(f"{stage}/{term}", f"{title}: {TERMS.get(term, term.replace('_', ' '))}") for term in ordered]
        groups[f"{title}, terms of the loss"] = [one for one in found if one is not None]
    legend = [(row, legend_sample(styles[row])) for row in rows]
    return Curves({title: panels for title, panels in groups.items() if panels}, legend)


def _points(training: Training, column: str) -> list[tuple[float, float]]:
    """Return the values of a column by images; one that was not finite is NaN, and breaks the line."""
    return [
        (float(line["images"]), math.nan if line[column] is None else float(line[column]))
        for line in training.lines
        if column in line
    ]

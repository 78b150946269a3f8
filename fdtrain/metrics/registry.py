"""The measures, one row for each: the only place that lists them. Standard library alone, so that help can read it.

To add a measure: write its module in `fdtrain/metrics/` and put a row here. Tables, tests, reports and options follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

VIEWS = ("raw", "composited", "hole")
"""What a method puts out; that pasted into the hole of the input; the masked pixels alone."""

Better = Literal["↑", "↓"]


@dataclass(frozen=True, slots=True)
class Measure:
    """What is known of one measure.

    Args:
        name: As in options, and in the columns of images.csv.
        title: As in tables.
        better: Where better is.
        of: What it scores: `pairs`, a picture against the clean one; `pictures`, one by itself; `sets`, all composited
            pictures against all clean ones; `silhouettes`, what a segmentation network found.
        digits: Decimals in tables, by the views that it has. Beyond PSNR, SSIM and MSE none is of the hole alone, and
            sets are of composited pictures.
        unit: None where it has no unit.
        scorer: `module:attribute` of what opens it for a size in px, or sets for a number of pictures, and returns a
            function of pictures; "" for those that are always computed.
        protocol: `module:attribute` of how it is measured, in words: a text, texts by name, or what returns one.
        compared: Views that `fdtrain compare` and reports show.
        tested: Views by which methods are tested against each other, picture by picture.
        by_stratum: Views that are shown by kind of occluder and by coverage.
        never_negative: Whether a table that has it below zero cannot be true.
    """

    name: str
    title: str
    better: Better
    of: Literal["pairs", "pictures", "sets", "silhouettes"]
    digits: Mapping[str, int]
    unit: str | None = None
    scorer: str = ""
    protocol: str = ""
    compared: tuple[str, ...] = ("composited",)
    tested: tuple[str, ...] = ()
    by_stratum: tuple[str, ...] = ()
    never_negative: bool = False

    def column(self, view: str) -> str:
        """Return the column of a view: of what has one view only, the name."""
        return self.name if self.of in ("sets", "silhouettes") else f"{self.name}_{view}"


_FOUND = {"found": 3}
"""The one view of silhouettes."""

_ROWS = (
    Measure(
        "psnr", "PSNR", "↑", "pairs", {"hole": 2, "composited": 2, "raw": 2}, unit="dB",
        compared=("hole", "composited"), tested=("hole",), by_stratum=("hole",), never_negative=True,
    ),
    Measure(
        "ssim", "SSIM", "↑", "pairs", {"hole": 3, "composited": 4, "raw": 4}, compared=("hole", "composited"),
    ),
    Measure(
        "mse", "MSE", "↓", "pairs", {"hole": 0, "composited": 1, "raw": 1}, unit="squared levels of 8 bits",
        never_negative=True,
    ),
    Measure(
        "niqe", "NIQE", "↓", "pictures", {"composited": 2, "raw": 2}, scorer="fdtrain.metrics.niqe:Niqe.open",
        protocol="fdtrain.metrics.niqe:PROTOCOL",
    ),
    Measure(
        "brisque", "BRISQUE", "↓", "pictures", {"composited": 1, "raw": 1},
        scorer="fdtrain.metrics.brisque:Brisque.open", protocol="fdtrain.metrics.brisque:PROTOCOL",
    ),
    Measure(
        "lpips", "LPIPS", "↓", "pairs", {"composited": 4, "raw": 4}, scorer="fdtrain.metrics.learned:open_lpips",
        protocol="fdtrain.metrics.learned:PROTOCOLS", tested=("composited",), by_stratum=("composited",),
        never_negative=True,
    ),
    Measure(
        "stlpips", "ST-LPIPS", "↓", "pairs", {"composited": 4, "raw": 4}, scorer="fdtrain.metrics.learned:open_stlpips",
        protocol="fdtrain.metrics.learned:PROTOCOLS", tested=("composited",), by_stratum=("composited",),
        never_negative=True,
    ),
    Measure(
        "identity", "identity", "↓", "pairs", {"composited": 3, "raw": 3},
        scorer="fdtrain.metrics.identity:Identity.open", protocol="fdtrain.metrics.identity:PROTOCOL",
        tested=("composited",),
    ),
    Measure(
        "fid", "FID", "↓", "sets", {"composited": 2}, scorer="fdtrain.metrics.distribution:open_frechet",
        protocol="fdtrain.metrics.distribution:PROTOCOLS", compared=(), never_negative=True,
    ),
    Measure(
        "kid", "KID", "↓", "sets", {"composited": 2}, scorer="fdtrain.metrics.distribution:open_kernel",
        protocol="fdtrain.metrics.distribution:PROTOCOLS", compared=(),
    ),
)  # fmt: skip

MEASURES: Mapping[str, Measure] = {row.name: row for row in _ROWS}
"""Of restored pictures, in the order of the tables."""

SILHOUETTES: Mapping[str, Measure] = {
    row.name: row
    for row in (
        Measure("iou", "IoU", "↑", "silhouettes", _FOUND, tested=("found",), by_stratum=("found",)),
        Measure("boundary_f", "boundary F", "↑", "silhouettes", _FOUND, tested=("found",), by_stratum=("found",)),
        Measure("precision", "precision", "↑", "silhouettes", _FOUND),
        Measure("recall", "recall", "↑", "silhouettes", _FOUND),
        Measure("kind_found", "kind", "↑", "silhouettes", _FOUND),
        Measure("bare_left", "bare left", "↑", "silhouettes", _FOUND),
    )
}
"""Of what a segmentation network found; `fdtrain.evaluation.masks` computes all of them at once."""


@dataclass(frozen=True, slots=True)
class Column:
    """One view of a measure as tables of means show it."""

    name: str
    title: str
    digits: int
    better: Better

    @property
    def head(self) -> str:
        """Return the title with what is better."""
        return f"{self.title} {self.better}"


def always() -> tuple[str, ...]:
    """Return the measures that every evaluation computes: PSNR, SSIM and MSE."""
    return tuple(row.name for row in MEASURES.values() if not row.scorer)


def optional(*, sets: bool = True) -> tuple[str, ...]:
    """Return the measures that can be asked for beyond those; without `sets` those of single pictures.

    >>> optional(sets=False)
    ('niqe', 'brisque', 'lpips', 'stlpips', 'identity')
    """
    return tuple(row.name for row in MEASURES.values() if row.scorer and (sets or row.of != "sets"))


def columns_compared() -> dict[str, Column]:
    """Return by name the columns of restored pictures that comparisons and reports show, the hole first."""
    return {
        row.column(view): Column(
            row.column(view),
            f"{row.title} inside the mask" if view == "hole" else row.title,
            row.digits[view],
            row.better,
        )
        for view in reversed(VIEWS)
        for row in MEASURES.values()
        if view in row.compared
    }


def columns_of_silhouettes() -> dict[str, Column]:
    """Return by name the columns of silhouettes."""
    return {row.name: Column(row.name, row.title, row.digits["found"], row.better) for row in SILHOUETTES.values()}


def columns_tested(measures: Mapping[str, Measure] = MEASURES) -> tuple[str, ...]:
    """Return the columns by which methods are tested against each other."""
    return _columns(measures, lambda row: row.tested)


def columns_by_stratum(measures: Mapping[str, Measure] = MEASURES) -> tuple[str, ...]:
    """Return the columns that are shown by kind of occluder and by coverage."""
    return _columns(measures, lambda row: row.by_stratum)


def better(column: str) -> Better:
    """Return where better is in a column of a measure; up where it is of none.

    >>> better("lpips_composited"), better("gain")
    ('↓', '↑')
    """
    rows = [row for row in MEASURES.values() if column == row.name or column.startswith(f"{row.name}_")]
    return max(rows, key=lambda row: len(row.name)).better if rows else "↑"


def _columns(measures: Mapping[str, Measure], views: Callable[[Measure], tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(row.column(view) for row in measures.values() for view in views(row))

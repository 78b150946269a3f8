"""Charts as inline SVG: lines over images, and differences with their intervals.

Small on purpose: colours and type are those of the page, light, dark and printed, where the SVG of a plotting library
brings its own with every path. Series are distinguished by dashes as well as by colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

Point = tuple[float, float]
Scale = Callable[[float], float]

N_COLOURS, N_DASHES = 8, 5
"""As the style sheet has them: classes `c0` to `c7` and `d0` to `d4`."""

WIDE, HIGH = 372, 216
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 10, 38
"""Of a chart, in px at its natural size, and its margins: room for numbers of five digits, and for two lines below."""

NAME_PX, NAME_LEAST, NAME_MOST = 6.6, 124, 250
"""Of a letter of a row's name, and the room for names: a browser draws nothing left of the chart."""

MOST_POINTS = 240
"""A curve has no more: with several hundred its file grows and its picture does not change."""

LOG_FROM = 50.0
"""A ratio of the largest to the smallest value from which on the axis is logarithmic."""


@dataclass(frozen=True)
class Line:
    """A series: its name, its place in the order of all names of the page, and points in rising order of x."""

    name: str
    style: int
    points: Sequence[Point]


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval, which are not finite where there is no test, as of one seed."""

    name: str
    value: float
    low: float
    high: float

    @property
    def tested(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def told(self) -> str:
        """The interval, in words."""
        return f"from {self.low:+.3g} to {self.high:+.3g}" if self.tested else "no test"


def style_of(number: int) -> str:
    """Return the classes of a series: 40 of them differ."""
    return f"c{number % N_COLOURS} d{(number // N_COLOURS + number) % N_DASHES}"


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """Return at most so many points, each the mean of as many neighbours.

    >>> thinned([(0, 1), (1, 3), (2, 5), (3, 7)], 2)
    [(0.5, 2.0), (2.5, 6.0)]
    """
    size = -(-len(points) // most)
    groups = [points[start : start + size] for start in range(0, len(points), size)] if size > 1 else []
    if not groups:
        return list(points)
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers within a range, about so many.

    >>> ticks(0.0, 120_000.0, 4)
    [0.0, 50000.0, 100000.0]
    """
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) + 0.0 for place in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float) -> str:
    """Return a short number: `0.05`, `-4`, `120k`, `1.5M`.

    >>> [tick_text(value) for value in (0.05, -4.0, 120_000.0, 1_500_000.0)]
    ['0.05', '−4', '120k', '1.5M']
    """
    size = abs(value)
    text = f"{value / 1e6:g}M" if size >= 1e6 else f"{value / 1e3:g}k" if size >= 1e4 else f"{value:.6g}"
    return text.replace("-", "−")


def line_chart(title: str, lines: Sequence[Line], *, x_title: str) -> Markup:
    """Draw series; one of a single point is a dot. Values that are no number break a line."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points if math.isfinite(y)]
    if not ys:
        return Markup("")
    low_x, high_x = min(0.0, *xs), max(xs) or 1.0
    logarithmic = min(ys) > 0 and max(ys) / min(ys) >= LOG_FROM
    low_y, high_y = _padded(min(ys), max(ys), logarithmic)

    def x_of(value: float) -> float:
        return LEFT + (value - low_x) / (high_x - low_x) * (WIDE - LEFT - RIGHT)

    def y_of(value: float) -> float:
        share = _share(value, low_y, high_y, logarithmic)
        return HIGH - BOTTOM - share * (HIGH - TOP - BOTTOM)

    parts = []
    for value in _y_ticks(low_y, high_y, logarithmic):
        y = y_of(value)
        parts.append(_rule("grid", LEFT, WIDE - RIGHT, y, y))
        parts.append(_text("tick", "end", LEFT - 6, y + 3.5, tick_text(value)))
    base = HIGH - BOTTOM
    for value in ticks(low_x, high_x, 4):
        x = x_of(value)
        parts.append(_rule("axis", x, x, base, base + 4))
        parts.append(_text("tick", "middle", x, base + 16, tick_text(value)))
    parts.append(_rule("axis", LEFT, WIDE - RIGHT, base, base))
    parts.append(_text("name", "end", WIDE - RIGHT, HIGH - 6, x_title))
    if logarithmic:
        parts.append(_text("name", "start", LEFT, HIGH - 6, "logarithmic"))
    parts += [_drawn(line, x_of, y_of) for line in lines]
    told = "; ".join(_told(line) for line in lines)
    return _figure(f"{title} against {x_title}. {told}", parts, WIDE, HIGH)


def interval_chart(title: str, rows: Sequence[Interval], *, x_title: str) -> Markup:
    """Draw values with their intervals, a row each, and a line at zero; one without an interval says `no test`."""
    rows = [row for row in rows if math.isfinite(row.value)]
    if not rows:
        return Markup("")
    wide, step = 420, 22
    left = min(max(NAME_LEAST, NAME_PX * max(len(row.name) for row in rows) + 16), NAME_MOST)
    high = TOP + step * len(rows) + BOTTOM
    ends = [0.0, *(end for row in rows for end in (row.value, row.low, row.high) if math.isfinite(end))]
    low_x, high_x = _padded(min(ends), max(ends), False)

    def x_of(value: float) -> float:
        return left + (value - low_x) / (high_x - low_x) * (wide - left - RIGHT)

    base = TOP + step * len(rows)
    parts = []
    for value in ticks(low_x, high_x, 5):
        x = x_of(value)
        kind = "zero" if value == 0 else "grid"
        parts.append(_rule(kind, x, x, TOP, base))
        parts.append(_text("tick", "middle", x, base + 16, tick_text(value)))
    for place, row in enumerate(rows):
        y = TOP + step * (place + 0.5)
        parts.append(_text("row", "end", left - 10, y + 4, _fitting(row.name, left - 16)))
        x = x_of(row.value)
        if row.tested:
            parts.append(_rule("whisker", x_of(row.low), x_of(row.high), y, y))
        else:
            after = x < (left + wide - RIGHT) / 2
            parts.append(_text("tick", "start" if after else "end", x + 8 if after else x - 8, y + 4, "no test"))
        parts.append(Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3.6"/>').format(x, y))
    parts.append(_text("name", "end", wide - RIGHT, high - 6, x_title))
    told = "; ".join(f"{row.name} {row.value:+.3g}, {row.told}" for row in rows)
    return _figure(f"{title}. {told}", parts, wide, high)


def _fitting(name: str, room_px: float) -> str:
    """Return a name as it is, or without its middle where there is no room for it."""
    most = int(room_px / NAME_PX)
    return name if len(name) <= most else f"{name[: most - most // 2 - 1]}…{name[-(most // 2) :]}"


def legend_sample(style: int) -> Markup:
    """Draw the piece of line that is next to a name."""
    return Markup(
        '<svg class="sample" viewBox="0 0 28 10" width="28" height="10" aria-hidden="true">'
        '<line class="curve {}" x1="1" x2="27" y1="5" y2="5"/></svg>'
    ).format(style_of(style))


def _figure(label: str, parts: Sequence[Markup], wide: float, high: float) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        wide, high, label, Markup("").join(parts)
    )


def _drawn(line: Line, x_of: Scale, y_of: Scale) -> Markup:
    style, parts = style_of(line.style), []
    for piece in _pieces(line.points):
        if len(piece) == 1:
            x, y = piece[0]
            parts.append(
                Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="3.2"/>').format(style, x_of(x), y_of(y))
            )
            continue
        places = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in thinned(piece))
        parts.append(Markup('<polyline class="curve {}" points="{}"/>').format(style, places))
    return Markup("<g><title>{}</title>{}</g>").format(line.name, Markup("").join(parts))


def _rule(kind: str, x1: float, x2: float, y1: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(kind, x1, x2, y1, y2)


def _text(kind: str, anchor: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text class="{}" text-anchor="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, anchor, x, y, text)


def _pieces(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Cut a series where a value is no number."""
    piece: list[Point] = []
    for point in points:
        if math.isfinite(point[1]):
            piece.append(point)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _told(line: Line) -> str:
    known = [y for _, y in line.points if math.isfinite(y)]
    if not known:
        return f"{line.name}: no number"
    return f"{line.name}: {known[-1]:.4g}" if len(known) == 1 else f"{line.name}: {known[0]:.4g} to {known[-1]:.4g}"


def _padded(low: float, high: float, logarithmic: bool) -> Point:
    """Return a range with room at both ends; of one value, a range around it."""
    if logarithmic:
        return low / 1.15, high * 1.15
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return (low - room if low < 0 or low - room > 0 else 0.0), high + room


def _share(value: float, low: float, high: float, logarithmic: bool) -> float:
    """Return where on an axis a value is, from 0 to 1."""
    if logarithmic:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _y_ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    if not logarithmic:
        return ticks(low, high, 5)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [10.0**power for power in powers if low <= 10.0**power <= high]
    return found if len(found) <= 5 else found[:: -(-len(found) // 5)]

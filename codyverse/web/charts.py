"""Charts as plain SVG: the shapes only. Words and numbers stand beside them as text, and in a table behind them.

The drawing is stretched to the room there is (0–100 both ways), so nothing in it may be text. Lines differ by their
dashes, not by colour. Reasons: docs/decisions/dashboards.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

Format = Callable[[float], str]
MOST_TICKS = 4
"""Names along the time axis."""


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name, its drawing (a path; '' if it has no values), its latest value in words."""

    name: str
    path: str
    latest: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A column of the drawing, from the bottom up."""

    x: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A name on an axis, at so many percent from its beginning."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the macro `chart` draws. `rows` are the numbers behind it, newest first, each with its time."""

    key: str
    title: str
    lines: tuple[Line, ...]
    bars: tuple[Bar, ...]
    ups: tuple[Tick, ...]
    times: tuple[Tick, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    empty: bool


def plain(value: float) -> str:
    """“1,204”; small fractions keep what says something."""
    if value and abs(value) < 10 and value != int(value):
        return f"{value:.2g}" if abs(value) < 1 else f"{value:.1f}"
    return f"{value:,.0f}"


def percent(value: float) -> str:
    """“7 %” of a share from 0 to 1."""
    return f"{100 * value:.1f} %" if 0 < value < 0.1 else f"{100 * value:.0f} %"


def duration(seconds: float) -> str:
    """“0.8 ms”, “42 ms”, “1.3 s”."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def megabytes(value: float) -> str:
    """“112 MB” of so many megabytes."""
    return f"{value:,.0f} MB"


def chart(
    key: str,
    title: str,
    names: Sequence[str],
    points: Sequence[tuple[str, Sequence[float | None]]],
    shown: Format = plain,
    *,
    bars: bool = False,
    least_top: float = 0.0,
) -> Chart:
    """Points in the order of time, each with one value per name (None: nothing was measured).

    `bars` draws the first series as columns. `least_top` keeps the axis from magnifying what is next to nothing.
    """
    values = [value for _, row in points for value in row if value is not None]
    top, step = _scale(max([*values, least_top], default=0.0))
    wide = 100 / max(1, len(points))
    lines = tuple(
        Line(name, _path([row[place] for _, row in points], top, wide), _latest(points, place, shown))
        for place, name in enumerate(names)
    )
    return Chart(
        key=key,
        title=title,
        lines=lines,
        bars=_bars([row[0] for _, row in points], top, wide) if bars else (),
        ups=tuple(Tick(100 * step * n / top, shown(step * n)) for n in range(floor(top / step + 0.01) + 1)),
        times=_times([when for when, _ in points], wide),
        rows=tuple(
            (when, tuple("–" if value is None else shown(value) for value in row))
            for when, row in reversed(points)
        ),
        empty=not any(values),
    )


def _scale(highest: float) -> tuple[float, float]:
    """The top of the axis, and the step between its two to five lines: 1, 2 or 5 times a power of ten."""
    if highest <= 0:
        return 1.0, 1.0
    rough = highest / 3
    power = 10.0 ** floor(log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    return step * ceil(highest / step - 0.001), step


def _path(values: Sequence[float | None], top: float, wide: float) -> str:
    """A line from middle to middle; it is broken where nothing was measured, and a point alone is a short line."""
    pieces, pen_is_down = [], False
    for place, value in enumerate(values):
        if value is None:
            pen_is_down = False
            continue
        x, y = (place + 0.5) * wide, 100 - 100 * min(1.0, value / top)
        lonely = not pen_is_down and (place + 1 == len(values) or values[place + 1] is None)
        if lonely:
            pieces.append(f"M{x - wide * 0.45:.2f} {y:.2f}H{x + wide * 0.45:.2f}")
        else:
            pieces.append(f"{'L' if pen_is_down else 'M'}{x:.2f} {y:.2f}")
            pen_is_down = True
    return "".join(pieces)


def _bars(values: Sequence[float | None], top: float, wide: float) -> tuple[Bar, ...]:
    return tuple(
        Bar(round(place * wide + wide * 0.12, 3), round(wide * 0.76, 3), round(100 * value / top, 2))
        for place, value in enumerate(values)
        if value
    )


def _times(names: Sequence[str], wide: float) -> tuple[Tick, ...]:
    every = max(1, ceil(len(names) / MOST_TICKS))
    places = range(len(names) - 1, -1, -every)
    return tuple(Tick((place + 0.5) * wide, names[place]) for place in reversed(places))


def _latest(points: Sequence[tuple[str, Sequence[float | None]]], place: int, shown: Format) -> str:
    found = [row[place] for _, row in points if row[place] is not None]
    return "–" if not found or found[-1] is None else shown(found[-1])

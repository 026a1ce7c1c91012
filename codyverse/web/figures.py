"""From the figures over time to what the dashboards show: spans, endpoints, shares. Sums first, percentiles after."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from codyverse.core.recorder import Figure, added, percentile
from codyverse.core.series import MINUTES, Point, Step
from codyverse.core.zones import zone_named

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Range:
    """How far back, in how many spans of which step."""

    key: str
    name: str
    step: Step
    number: int

    @property
    def span(self) -> timedelta:
        return timedelta(minutes=MINUTES[self.step])

    def begins(self, at: datetime) -> tuple[datetime, ...]:
        """Where each span begins, oldest first; the last is the one that `at` lies in."""
        seconds = MINUTES[self.step] * 60
        last = datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)
        return tuple(last - self.span * back for back in range(self.number - 1, -1, -1))

    def label(self, begin: datetime, time_zone: str) -> str:
        """A span as its time is told: “14:05” on the reader's wall, a day as “9 Oct” (in UTC, as days are summed)."""
        if self.step == "day":
            return f"{begin.day} {MONTHS[begin.month - 1]}"
        return f"{begin.astimezone(zone_named(time_zone)):%H:%M}"


RANGES = {
    each.key: each
    for each in (
        Range("hour", "Last hour", "minute", 60),
        Range("day", "Last day", "hour", 24),
        Range("month", "Last 30 days", "day", 30),
    )
}


@dataclass(frozen=True, slots=True)
class EndpointLine:
    """What an endpoint did in a range; times in seconds. `refused` counts statuses 4xx, `failed` 5xx."""

    name: str
    number: int
    per_minute: float
    p50: float | None
    p95: float | None
    p99: float | None
    slowest: float
    refused: int
    failed: int


Row = tuple[str, Sequence[float | None]]
Worth = Callable[[list[Point]], Sequence[float | None]]


def endpoints(points: Iterable[Point], minutes: float) -> tuple[EndpointLine, ...]:
    """One line for each endpoint, the most asked first."""
    grouped: dict[str, list[Point]] = {}
    for point in points:
        grouped.setdefault(point.label, []).append(point)
    lines = [_endpoint(name, mine, minutes) for name, mine in grouped.items()]
    return tuple(sorted(lines, key=lambda line: (-line.number, line.name)))


def _endpoint(name: str, points: list[Point], minutes: float) -> EndpointLine:
    whole = added(point.figure for point in points)
    return EndpointLine(
        name=name,
        number=whole.number,
        per_minute=whole.number / minutes,
        p50=at_most(percentile(whole.cells, 0.5), whole.peak),
        p95=at_most(percentile(whole.cells, 0.95), whole.peak),
        p99=at_most(percentile(whole.cells, 0.99), whole.peak),
        slowest=whole.peak,
        refused=of_class(points, "4"),
        failed=of_class(points, "5"),
    )


def at_most(value: float | None, peak: float) -> float | None:
    """A percentile is read from the cell it falls into, whose end may lie beyond the slowest there was."""
    return value if value is None else min(value, peak)


def whole(points: Iterable[Point], minutes: float) -> EndpointLine:
    """All of them as one line."""
    return _endpoint("", list(points), minutes)


def of_class(points: Iterable[Point], first: str) -> int:
    """How many had a status that begins with this digit."""
    return sum(point.figure.number for point in points if point.outcome.startswith(first))


def rows(points: Iterable[Point], span: Range, at: datetime, time_zone: str, worth: Worth) -> list[Row]:
    """What the points of each span are worth, for a chart. The minute that still runs would look like a fall, and is left out."""
    begins = span.begins(at)
    grouped: dict[datetime, list[Point]] = {
        begin: [] for begin in (begins[:-1] if span.step == "minute" else begins)
    }
    for point in points:
        if point.at in grouped:
            grouped[point.at].append(point)
    return [(span.label(begin, time_zone), worth(mine)) for begin, mine in grouped.items()]


def named(points: Iterable[Point], name: str) -> list[Point]:
    """Those under this name."""
    return [point for point in points if point.name == name]


def numbers(points: list[Point]) -> Sequence[float | None]:
    """How many, and how many of them failed (5xx)."""
    return (sum(point.figure.number for point in points), of_class(points, "5"))


def times(points: list[Point]) -> Sequence[float | None]:
    """Half, 95 % and 99 % were done within so many seconds."""
    every = added(point.figure for point in points)
    return tuple(at_most(percentile(every.cells, share), every.peak) for share in (0.5, 0.95, 0.99))


def mean(figure: Figure) -> float | None:
    """Of what was sampled."""
    return figure.total / figure.number if figure.number else None


def ratio(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None

"""The operators' dashboards: how the system is, what the API does, how people learn."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from codyverse import alerting, jobs
from codyverse.core import heartbeat, job_runs, series
from codyverse.core.cache import SECONDS
from codyverse.core.clock import now
from codyverse.core.health import Monitor
from codyverse.core.recorder import added, percentile
from codyverse.core.resilience import breaker_state
from codyverse.core.series import Point
from codyverse.http.access import access, principal
from codyverse.insights import queries as insights
from codyverse.insights.queries import SiteDay
from codyverse.web import charts, figures, htmx
from codyverse.web.charts import Chart, chart
from codyverse.web.figures import RANGES, Range, named, ratio
from codyverse.web.render import fragment, page

bp = Blueprint("admin", __name__, url_prefix="/admin")
OF_SYSTEM = (
    "requests",
    "refused",
    "capacity",
    "cpu",
    "memory",
    "pool",
    "cache",
    "statements",
    "queue",
    "streams",
)
LATE = timedelta(hours=2)
"""Learning is reckoned twice an hour; what is older was not."""
SPANS = {"month": ("Last 30 days", 30), "quarter": ("Last 90 days", 90), "year": ("Last year", 365)}


@dataclass(frozen=True, slots=True)
class CacheLine:
    """Looks into the cache in the last hour, all processes together. `rate` is the share of hits."""

    lifetime: str
    hits: int
    misses: int
    rate: float | None


@bp.get("")
@access("operator")
def show() -> Response:
    """The first of the dashboards."""
    return redirect(url_for(".system"))


@bp.get("/system")
@access("operator")
def system() -> Response:
    """Health, processes, cache, jobs and the last hour. Asked for by htmx, only what changes."""
    at, zone = now(), principal().time_zone
    monitor: Monitor = current_app.extensions["health"]
    points = series.read("minute", at - timedelta(minutes=59), OF_SYSTEM)
    context: dict[str, Any] = {
        "at": at,
        "health": monitor.current(),
        "breaker": breaker_state(),
        "uptime": timedelta(seconds=monitor.uptime),
        "processes": heartbeat.instances(),
        "charts": _system_charts(points, at, zone),
        "cache": _cache(named(points, "cache")),
        "faults": _faults(at),
        "jobs": jobs.JOBS,
        "runs": job_runs.last_runs(),
        "alerts": alerting.latest(8),
    }
    if htmx.wants_fragment():
        return fragment("pages/admin/system.html", "state", **context)
    return page("pages/admin/system.html", **context)


def _cache(points: list[Point]) -> tuple[CacheLine, ...]:
    lines = []
    for lifetime in SECONDS:
        mine = [point for point in points if point.label == lifetime]
        hits = sum(point.figure.number for point in mine if point.outcome == "hit")
        looks = sum(point.figure.number for point in mine)
        lines.append(CacheLine(lifetime, hits, looks - hits, ratio(hits, looks)))
    return tuple(lines)


def _faults(at: datetime) -> dict[str, int]:
    """What failed in the last 24 hours, by category."""
    found = dict.fromkeys(("validation", "business rule", "system", "external service"), 0)
    for point in series.read("hour", at - timedelta(hours=23), ["faults"]):
        found[point.label] = found.get(point.label, 0) + point.figure.number
    return found


def _system_charts(points: tuple[Point, ...], at: datetime, zone: str) -> list[Chart]:
    span = RANGES["hour"]

    charted: tuple[tuple[str, str, list[str], figures.Worth, charts.Format, float], ...] = (
        ("requests refused", "Requests a minute", ["answered", "failed", "refused"], _asked, charts.plain, 5),
        ("requests capacity", "Threads busy", ["share"], _busy, charts.percent, 0.05),
        ("queue", "Waiting for a thread", ["half at most", "99 % at most"], _waits, charts.duration, 0.001),
        ("cpu", "CPU, in cores", ["all processes"], _cores, charts.plain, 0.1),
        ("memory", "Memory of a process", ["on average", "largest"], _memory, charts.megabytes, 100),
        ("pool", "Database connections in use", ["on average", "at most"], _sampled, charts.plain, 2),
        ("statements", "Statements a minute", ["sent"], _count, charts.plain, 10),
        ("cache", "Looks into the cache that hit", ["share"], _hits, charts.percent, 1),
        ("streams", "Open streams", ["on average", "at most"], _sampled, charts.plain, 5),
    )
    drawn = []
    for names, title, lines, worth, shown, least in charted:
        chosen = [point for point in points if point.name in names.split()]
        rows = figures.rows(chosen, span, at, zone, worth)
        drawn.append(chart(names.replace(" ", "-"), title, lines, rows, shown, least_top=least))
    return drawn


def _asked(points: list[Point]) -> tuple[float | None, ...]:
    """Answered, failed (5xx), and refused at the door."""
    answered = named(points, "requests")
    refused = sum(point.figure.number for point in named(points, "refused"))
    return (*figures.numbers(answered), refused)


def _waits(points: list[Point]) -> tuple[float | None, float | None]:
    cells = added(point.figure for point in points).cells
    return percentile(cells, 0.5), percentile(cells, 0.99)


def _hits(points: list[Point]) -> tuple[float | None]:
    hits = sum(point.figure.number for point in points if point.outcome == "hit")
    return (ratio(hits, sum(point.figure.number for point in points)),)


def _busy(points: list[Point]) -> tuple[float | None]:
    seconds = sum(point.figure.total for point in points if point.name == "requests")
    room = sum(point.figure.total for point in points if point.name == "capacity")
    return (min(1.0, seconds / room) if room else None,)


def _cores(points: list[Point]) -> tuple[float | None]:
    return (sum(point.figure.total for point in points) / 60 if points else None,)


def _sampled(points: list[Point]) -> tuple[float | None, float | None]:
    whole = added(point.figure for point in points)
    return figures.mean(whole), whole.peak if points else None


def _memory(points: list[Point]) -> tuple[float | None, float | None]:
    whole = added(point.figure for point in points)
    mean = figures.mean(whole)
    return mean and mean / 2**20, whole.peak / 2**20 if points else None


def _count(points: list[Point]) -> tuple[float | None]:
    return (sum(point.figure.number for point in points),)


@bp.get("/api")
@access("operator")
def api() -> Response:
    """Every endpoint over an hour, a day or a month; one of them alone, if it is asked for."""
    at, zone = now(), principal().time_zone
    chosen = RANGES.get(request.args.get("range", ""), RANGES["hour"])
    points = series.read(chosen.step, chosen.begins(at)[0], ["requests"])
    minutes = max(1.0, (at - chosen.begins(at)[0]).total_seconds() / 60)
    lines = figures.endpoints(points, minutes)
    only = request.args.get("of", "")
    if only not in {line.name for line in lines}:
        only = ""
    mine = [point for point in points if only in ("", point.label)]
    return page(
        "pages/admin/api.html",
        chosen=chosen,
        ranges=RANGES.values(),
        only=only,
        lines=lines,
        whole=figures.whole(mine, minutes),
        charts=_api_charts(mine, chosen, at, zone),
    )


def _api_charts(points: list[Point], chosen: Range, at: datetime, zone: str) -> list[Chart]:
    a_span = {"minute": "a minute", "hour": "an hour", "day": "a day"}[chosen.step]
    counts = figures.rows(points, chosen, at, zone, figures.numbers)
    times = figures.rows(points, chosen, at, zone, figures.times)
    return [
        chart("rate", f"Requests {a_span}", ["answered", "failed"], counts, least_top=5),
        chart(
            "times", "Time to answer", ["half within", "95 % within", "99 % within"], times, charts.duration
        ),
    ]


@bp.get("/learning")
@access("operator")
def learning() -> Response:
    """Who learns how much, where they stop, what is hard, who comes back, and what could do harm."""
    at = now()
    key = request.args.get("range", "")
    key = key if key in SPANS else "month"
    days = insights.days(at, SPANS[key][1])
    return page(
        "pages/admin/learning.html",
        chosen=key,
        spans=SPANS,
        days=days,
        last=days[-1] if days else None,
        today=at.date(),
        is_old=bool(days) and at - days[-1].settled_at > LATE,
        charts=_learning_charts(days, at.date(), SPANS[key][1]),
        lessons=insights.lessons(at, SPANS[key][1]),
        items=insights.hardest(),
        cohorts=insights.cohorts(at),
        harm=_harm(days),
    )


def _learning_charts(days: tuple[SiteDay, ...], today: date, number: int) -> list[Chart]:
    known = {day.date: day for day in days}
    dates = [today - timedelta(days=back) for back in range(number - 1, -1, -1)]

    def rows(*worth: Callable[[SiteDay], float | None]) -> list[figures.Row]:
        return [
            (
                f"{each.day} {figures.MONTHS[each.month - 1]}",
                tuple(_of(known.get(each), part) for part in worth),
            )
            for each in dates
        ]

    active = rows(lambda day: day.active, lambda day: day.active_7, lambda day: day.active_28)
    done = rows(lambda day: day.lessons, lambda day: day.repeats)
    joined = rows(lambda day: day.joined)
    right = rows(lambda day: ratio(day.correct, day.answers))
    return [
        chart("active", "Active learners", ["that day", "in 7 days", "in 28 days"], active, least_top=5),
        chart("lessons", "Lessons finished a day", ["all", "done before"], done, least_top=5),
        chart("joined", "New accounts a day", ["joined"], joined, bars=True, least_top=5),
        chart("right", "Answers that were right", ["share"], right, charts.percent, least_top=1),
    ]


def _of(day: SiteDay | None, part: Callable[[SiteDay], float | None]) -> float | None:
    """A day that was not reckoned (yet) has no value."""
    return part(day) if day else None


@dataclass(frozen=True, slots=True)
class Harm:
    """Signs that the game hurts the learning, in the time shown. Shares are None where there is nothing to share."""

    repeat_share: float | None
    repeats: int
    repeaters: int
    runs: int
    ended: int
    ended_share: float | None
    returned: int
    returned_share: float | None


def _harm(days: tuple[SiteDay, ...]) -> Harm:
    lessons, repeats = sum(day.lessons for day in days), sum(day.repeats for day in days)
    known = [day for day in days if day.ended is not None]
    ended = sum(day.ended or 0 for day in known)
    settled = [day for day in days if day.returned is not None]
    returned = sum(day.returned or 0 for day in settled)
    return Harm(
        repeat_share=ratio(repeats, lessons),
        repeats=repeats,
        repeaters=sum(day.repeaters for day in days),
        runs=sum(day.runs for day in known),
        ended=ended,
        ended_share=ratio(ended, sum(day.runs for day in known)),
        returned=returned,
        returned_share=ratio(returned, sum(day.ended or 0 for day in settled)),
    )

"""What was done on which day: a month as a calendar, and the work in each course."""

import re
from calendar import Calendar
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, request
from werkzeug.wrappers import Response

from codyverse.accounts.game_days import today_of
from codyverse.core.clock import now
from codyverse.courses import queries as courses
from codyverse.gamification.streak_care import kept_days
from codyverse.http.access import access, principal
from codyverse.progress import queries
from codyverse.progress.queries import Day
from codyverse.web.render import MONTHS, page

bp = Blueprint("progress", __name__)
FIRST_YEAR = 2020


@dataclass(frozen=True, slots=True)
class Cell:
    """A day of the calendar. `work` is None without study; `kept` is how a missed day was kept for the streak."""

    date: date
    work: Day | None
    kept: str
    today: bool
    future: bool


@dataclass(frozen=True, slots=True)
class Month:
    """A month as weeks from Monday to Sunday, None beside it, and what it adds up to. `earlier`, `later`: "2026-05"."""

    name: str
    weeks: tuple[tuple[Cell | None, ...], ...]
    days: int
    lessons: int
    seconds: int
    correct: int
    answers: int
    earlier: str | None
    later: str | None


@bp.get("/progress")
@access("learner")
def show() -> Response:
    """The month that was asked for, or this one."""
    who = principal()
    today = today_of(who.id, now())
    first = _first_day(request.args.get("month", ""), today)
    last = _next_month(first) - timedelta(days=1)
    days = {day.date: day for day in queries.activity(who.id, first, last)}
    hidden = "streak" in who.preferences.hidden
    kept = {} if hidden else kept_days(who.id, today, first, last)
    return page(
        "pages/progress/progress.html",
        month=_month(first, today, days, kept),
        work=queries.course_work(who.id, first, last),
        done=queries.course_progress(who.id),
        courses=courses.catalogue(),
    )


def _first_day(text: str, today: date) -> date:
    """The first of the month “2026-06”; of this month for anything else, or what is still to come."""
    found = re.fullmatch(r"(20[2-9][0-9])-(0[1-9]|1[0-2])", text)
    this_month = today.replace(day=1)
    return min(date(int(found[1]), int(found[2]), 1), this_month) if found else this_month


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _month(first: date, today: date, days: dict[date, Day], kept: dict[date, str]) -> Month:
    weeks = tuple(
        tuple(
            Cell(day, days.get(day), kept.get(day, ""), day == today, day > today)
            if day.month == first.month
            else None
            for day in week
        )
        for week in Calendar().monthdatescalendar(first.year, first.month)
    )
    worked = [day for day in days.values() if day.lessons]
    before = first - timedelta(days=1)
    after = _next_month(first)
    return Month(
        name=f"{MONTHS[first.month - 1]} {first.year}",
        weeks=weeks,
        days=len(worked),
        lessons=sum(day.lessons for day in days.values()),
        seconds=sum(day.seconds for day in days.values()),
        correct=sum(day.correct for day in days.values()),
        answers=sum(day.answers for day in days.values()),
        earlier=f"{before:%Y-%m}" if before.year >= FIRST_YEAR else None,
        later=f"{after:%Y-%m}" if after <= today else None,
    )

"""Reads of insights. They look only at what has been reckoned, so that they cost the same however much was learned."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from codyverse.core.database import session
from codyverse.insights import statements as sql

LEAST_ASKED = 10
"""Below this a share says nothing about an item."""
MOST_ITEMS = 15
COHORTS = 8


@dataclass(frozen=True, slots=True)
class SiteDay:
    """See `models.LearningDay`."""

    date: date
    active: int
    active_7: int
    active_28: int
    joined: int
    answers: int
    correct: int
    lessons: int
    seconds: int
    repeats: int
    repeaters: int
    runs: int
    ended: int | None
    returned: int | None
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class LessonFlow:
    """A lesson's attempts that were begun in a time, and how many of them were finished; score 0–100, or None."""

    lesson_id: int
    title: str
    course: str
    begun: int
    finished: int
    score: float | None
    minutes: float | None
    estimate: int

    @property
    def lost(self) -> float:
        """The share that was not finished (so far)."""
        return 1 - self.finished / self.begun if self.begun else 0.0


@dataclass(frozen=True, slots=True)
class Item:
    """A step that asks, as it stands now, in all the time since it was last changed."""

    lesson_id: int
    title: str
    lesson: str
    kind: str
    position: int
    asked: int
    right: int
    answers: int
    guesses: int
    hints: int


@dataclass(frozen=True, slots=True)
class CohortLine:
    """Who joined in a week, and the share of them that was active in each week from then on (None: still to come)."""

    cohort: date
    learners: int
    shares: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """A few numbers about the whole site."""

    people: int
    active_today: int
    courses: int
    lessons: int


def days(at: datetime, number: int) -> tuple[SiteDay, ...]:
    """The last so many days that have been reckoned, oldest first. One statement."""
    since = at.astimezone(UTC).date() - timedelta(days=number - 1)
    return tuple(SiteDay(*row) for row in session.connection().execute(sql.DAYS, {"since": since}))


def lessons(at: datetime, number: int) -> tuple[LessonFlow, ...]:
    """What became of the attempts of the last so many days, in the order of the courses. One statement."""
    since = at.astimezone(UTC).date() - timedelta(days=number - 1)
    rows = session.connection().execute(sql.LESSONS, {"since": since})
    return tuple(
        LessonFlow(
            row.id,
            row.title,
            row.course,
            int(row.begun),
            int(row.finished),
            float(row.score) / int(row.finished) if row.finished else None,
            float(row.seconds) / 60 / int(row.finished) if row.finished else None,
            row.minutes,
        )
        for row in rows
    )


def hardest() -> tuple[Item, ...]:
    """The items that fewest got right at the first answer. One statement."""
    values = {"least": LEAST_ASKED, "most": MOST_ITEMS}
    return tuple(Item(*row) for row in session.connection().execute(sql.HARDEST, values))


def cohorts(at: datetime) -> tuple[CohortLine, ...]:
    """The last eight weeks' newcomers, newest first, and who of them came back. One statement."""
    today = at.astimezone(UTC).date()
    this = today - timedelta(days=today.weekday())
    weeks = [this - timedelta(weeks=back) for back in range(COHORTS)]
    found: dict[date, tuple[int, dict[date, int]]] = {}
    for row in session.connection().execute(sql.COHORT_TABLE, {"since": weeks[-1]}):
        active = found.setdefault(row.cohort, (row.learners, {}))[1]
        if row.week is not None:
            active[row.week] = row.active
    return tuple(_line(week, this, *found[week]) for week in weeks if week in found)


def _line(cohort: date, this: date, learners: int, active: dict[date, int]) -> CohortLine:
    shares: list[float | None] = []
    for number in range(COHORTS):
        week = cohort + timedelta(weeks=number)
        shares.append(active.get(week, 0) / learners if week <= this else None)
    return CohortLine(cohort, learners, tuple(shares))


def stats(today: date) -> Stats:
    """One statement."""
    return Stats(*session.connection().execute(sql.STATS, {"today": today}).one())

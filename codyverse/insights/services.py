"""Reckoning the insights, a little at a time: the job opens a unit of work around each call. Again is harmless."""

from datetime import UTC, date, datetime, time, timedelta

from codyverse.core.database import session
from codyverse.insights import statements as sql

MOVING = 2
"""Days back from today that still change, for the learners' days end at different times."""
SETTLING = 16
"""Days back of which it only becomes known whether somebody came back, or finished what they had begun."""
MOST_DAYS = 800
BATCH = 50_000
LATE = timedelta(minutes=5)
"""Answers that are younger wait for the next time."""
SLOW_MS = 60_000
_PATIENCE = f"set local statement_timeout = {SLOW_MS}"


def due_days(at: datetime) -> tuple[date, ...]:
    """The days that have to be reckoned now, oldest first; all there were on the first run."""
    today = at.astimezone(UTC).date()
    connection = session.connection()
    first = connection.execute(sql.FIRST_DAY).scalar_one() or today
    values = {
        "first": max(min(first, today), today - timedelta(days=MOST_DAYS)),
        "today": today,
        "moving": timedelta(days=MOVING),
        "settling": timedelta(days=SETTLING),
        "midnight": _begins(today),
    }
    return tuple(connection.execute(sql.DUE_DAYS, values).scalars())


def reckon_day(day: date, at: datetime) -> None:
    """A day of the site and of each lesson, written over what was known of it. Two statements."""
    today = at.astimezone(UTC).date()
    values = {
        "day": day,
        "begins": _begins(day),
        "ends": _begins(day + timedelta(days=1)),
        "at": at,
        "knows_end": day + timedelta(days=3) < today,
        "knows_return": day + timedelta(days=15) < today,
    }
    _be_patient()
    session.connection().execute(sql.DAY, values)
    session.connection().execute(sql.LESSONS_OF_DAY, values)


def add_answers(at: datetime) -> int:
    """Add a batch of new answers to the items they belong to; how many. Each is added once, whoever asks how often."""
    _be_patient()
    connection = session.connection()
    mark = connection.execute(sql.MARK, {"name": "answers"}).scalar_one()
    taken = connection.execute(sql.ITEMS, {"mark": mark, "most": BATCH, "until": at - LATE}).one()
    if taken.number:
        connection.execute(sql.SET_MARK, {"name": "answers", "value": taken.last})
    return int(taken.number)


def due_weeks(at: datetime) -> tuple[date, ...]:
    """The Mondays of the weeks to be reckoned: this one, the one before, and all that never were."""
    today = at.astimezone(UTC).date()
    this = today - timedelta(days=today.weekday())
    first = session.connection().execute(sql.FIRST_DAY).scalar_one() or today
    first = max(first - timedelta(days=first.weekday()), this - timedelta(days=MOST_DAYS))
    known = set(session.connection().execute(sql.KNOWN_WEEKS).scalars())
    weeks = (first + timedelta(days=7 * number) for number in range((this - first).days // 7 + 1))
    return tuple(week for week in weeks if week not in known or (this - week).days <= 7)


def reckon_cohorts() -> None:
    """How many joined in each week. One statement."""
    _be_patient()
    session.connection().execute(sql.COHORTS)


def reckon_week(week: date) -> None:
    """How many of each cohort did something in this week. One statement."""
    _be_patient()
    session.connection().execute(sql.COHORT_WEEK, {"week": week})


def _be_patient() -> None:
    """A site of years may take longer than a learner would wait."""
    session.connection().exec_driver_sql(_PATIENCE)


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

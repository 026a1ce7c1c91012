"""An attempt as it was seen without a lock, by the statement that found out who acts.

Whoever finishes it writes only if the learner's row and the attempt's are still the versions that were seen (`xmin`): every
event of study writes both. So nothing has to be read again under a lock, and what was seen is as good as what is locked.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from codyverse.accounts.riders import Rider
from codyverse.core.database import noted

ATTEMPT = "attempt"
_SEEN = "codyverse_attempt_seen"


class Seen(NamedTuple):
    """What `study_seen` tells of an own attempt: as `study_attempt`, with the versions of both rows."""

    attempt_id: int
    user_seen: str
    attempt_seen: str
    time_zone: str
    day_start_hour: int
    last_game_date: date | None
    owed_until: datetime | None
    lesson_id: int
    seconds: int
    counted_to: datetime
    completed_at: str | None
    asked: int
    answered_right: int
    waiting: int
    title: str
    difficulty: str
    minutes: int
    course_id: int
    best_score: Decimal | None
    last_local_date: date | None


def take(told: list[Any] | None) -> None:
    """Keep it until it is used, which is once: whoever begins anew reads under the lock."""
    noted()[_SEEN] = told


RIDER = Rider(ATTEMPT, "study_seen(users.id, :attempt_id)", take, needs=("attempt_id",))


def seen(attempt_id: int) -> Seen | None:
    """This attempt, if it was seen and can be finished as it is; asked again, None."""
    told = noted().pop(_SEEN, None)
    if told is None or told[0] != attempt_id:
        return None
    found = Seen(*told)
    if found.completed_at is not None or found.waiting:
        return None
    return found._replace(
        last_game_date=_date(told[5]),
        owed_until=_moment(told[6]),
        counted_to=datetime.fromisoformat(told[9]),
        best_score=None if told[18] is None else Decimal(told[18]),
        last_local_date=_date(told[19]),
    )


def _date(told: str | None) -> date | None:
    return None if told is None else date.fromisoformat(told)


def _moment(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)

"""An attempt, or a step of it, as it was seen without a lock, by the statement that found out who acts.

Whoever finishes or answers it writes only if the learner's row and the attempt's are still the versions that were seen
(`xmin`): every event of study writes both, and a report of a lesson done elsewhere the learner's. So nothing has to be
read again under a lock, and what was seen is as good as what is locked. It is used once, and a request that is done again
takes in nothing: it reads under the lock.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from codyverse.accounts.riders import Rider
from codyverse.core.database import noted
from codyverse.core.resilience import is_repeated

ATTEMPT, STEP = "attempt", "step"


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


class SeenStep(NamedTuple):
    """What `study_step_seen` tells of a step of the attempt that is open at a lesson: as `study_step`, with the versions."""

    attempt_id: int
    step_id: int
    user_seen: str
    attempt_seen: str
    time_zone: str
    day_start_hour: int
    last_game_date: date | None
    owed_until: datetime | None
    lesson_id: int
    seed: int
    seconds: int
    counted_to: datetime
    revision_id: int
    asks: bool
    tries: int
    solved: bool
    hints: int
    exercise: dict[str, Any] | None
    minutes: int
    met_before: bool


def _keep(name: str) -> Callable[[list[Any] | None], None]:
    return partial(_take, f"codyverse_seen_{name}")


def _take(name: str, told: list[Any] | None) -> None:
    noted()[name] = None if is_repeated() else told


take, take_step = _keep(ATTEMPT), _keep(STEP)
RIDERS = (
    Rider(ATTEMPT, "study_seen(users.id, :attempt_id)", take, needs=("attempt_id",)),
    Rider(STEP, "study_step_seen(users.id, :lesson_id, :step_id)", take_step, needs=("lesson_id", "step_id")),
)


def seen(attempt_id: int) -> Seen | None:
    """This attempt, if it was seen and can be finished as it is; asked again, None."""
    told = noted().pop(f"codyverse_seen_{ATTEMPT}", None)
    if told is None or told[0] != attempt_id:
        return None
    found: Any = Seen(*told)  # its dates and its score as JSON says them
    if found.completed_at is not None or found.waiting:
        return None
    read: Seen = found._replace(
        last_game_date=_date(found.last_game_date),
        owed_until=_moment(found.owed_until),
        counted_to=_moment(found.counted_to),
        best_score=None if found.best_score is None else Decimal(found.best_score),
        last_local_date=_date(found.last_local_date),
    )
    return read


def seen_step(lesson_id: int, step_id: int, try_no: int) -> SeenStep | None:
    """This step in the attempt that is open at this lesson, if it was seen and can be answered so; asked again, None."""
    told = noted().pop(f"codyverse_seen_{STEP}", None)
    if told is None:
        return None
    found: Any = SeenStep(*told)
    is_this = (found.lesson_id, found.step_id) == (lesson_id, step_id)
    if not is_this or not found.asks or try_no != found.tries + 1:
        return None
    read: SeenStep = found._replace(
        last_game_date=_date(found.last_game_date),
        owed_until=_moment(found.owed_until),
        counted_to=_moment(found.counted_to),
    )
    return read


def _date(told: str | None) -> date | None:
    return None if told is None else date.fromisoformat(told)


def _moment(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)

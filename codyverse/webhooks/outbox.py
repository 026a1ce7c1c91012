"""What lower rooms report, written into the outbox at the commit of what happened. Connected in `wiring.py`.

One statement per transaction however much happened in it, none where there is no webhook that might want to be told,
and nothing is stored that nobody wants to be told.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from codyverse.core.database import at_commit, session
from codyverse.core.together import Rider, known
from codyverse.gamification.events import BadgeEarned, LevelReached
from codyverse.progress.events import CourseCompleted, LessonCompleted
from codyverse.webhooks.rules import new_key
from codyverse.webhooks.statements import WRITE

RIDER = Rider("hooks", "hooks_listen(:user_id)")
"""What rides along with a fact: whether there is any webhook that might want to be told of it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to be told: what kind of thing, to whom it happened, and what makes it one (`source`)."""

    kind: str
    user_id: int
    source: str
    data: dict[str, Any]
    at: datetime


def on_lesson_completed(event: LessonCompleted) -> None:
    """A lesson was finished, for the first time or again."""
    data = {
        "lessonId": event.lesson_id,
        "lessonTitle": event.lesson_title,
        "courseId": event.course_id,
        "attemptId": event.attempt_id,
        "score": round(float(event.score), 2),
        "firstTime": event.first_time,
    }
    _tell("lesson.completed", event, f"attempt:{event.attempt_id}", data)


def on_badge_earned(event: BadgeEarned) -> None:
    """A badge."""
    data = {
        "badge": event.badge,
        "name": event.name,
        "rarity": event.rarity,
        "xp": event.xp,
        "coins": event.coins,
    }
    _tell("badge.earned", event, f"badge:{event.badge}", data)


def on_level_reached(event: LevelReached) -> None:
    """A new level."""
    data = {"level": event.level, "name": event.name, "gems": event.gems}
    _tell("level.reached", event, f"level:{event.level}", data)


def on_course_completed(event: CourseCompleted) -> None:
    """The last lesson of a course."""
    data = {
        "courseId": event.course_id,
        "courseSlug": event.course_slug,
        "courseTitle": event.course_title,
    }
    _tell("course.completed", event, f"course:{event.course_id}", data)


def _tell(
    kind: str,
    event: LessonCompleted | BadgeEarned | LevelReached | CourseCompleted,
    source: str,
    data: dict[str, Any],
) -> None:
    if not known(RIDER.name, event.user_id, lambda: True):
        return
    whole = {"userId": event.user_id} | data | {"localDate": event.local_date.isoformat()}
    at_commit(_write, Fact(kind, event.user_id, source, whole, event.at))


def _write(facts: list[Fact]) -> None:
    told = [
        {
            "key": new_key(),
            "user_id": fact.user_id,
            "kind": fact.kind,
            "source": fact.source,
            "data": fact.data,
            "at": fact.at.isoformat(),
        }
        for fact in facts
    ]
    values = {"facts": told, "user_ids": list({fact.user_id for fact in facts})}
    session.connection().execute(WRITE, values)

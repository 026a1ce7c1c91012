"""When the last lesson of a course is finished: a fact of its own, told once. Connected in `wiring.py`."""

from sqlalchemy import text

from codyverse.core.asking import send
from codyverse.core.events import publish
from codyverse.core.together import Rider, known
from codyverse.progress.events import CourseCompleted, LessonCompleted
from codyverse.progress.statements import WHOLE_COURSE

COURSE = "whole course"
_COLUMN = "study_course_completed(:user_id, :course_id, :at, :local_date)"
RIDER = Rider(COURSE, f"case when kept.whole_course then {_COLUMN} end")
_COMPLETE = text(f"select case when {WHOLE_COURSE} then {_COLUMN} end")


def on_lesson_completed(fact: LessonCompleted) -> None:
    """Publish CourseCompleted if this was the last lesson that was missing. No statement if it rode along with the fact."""
    if not fact.first_time:
        return
    course = known(COURSE, fact.user_id, lambda: _look(fact))
    if course is not None:
        key, title = course
        publish(CourseCompleted(fact.user_id, fact.course_id, key, title, fact.at, fact.local_date))


def _look(fact: LessonCompleted) -> list[str] | None:
    values = {
        "user_id": fact.user_id,
        "course_id": fact.course_id,
        "at": fact.at,
        "local_date": fact.local_date,
    }
    [[found]] = send(_COMPLETE, values)
    return found  # type: ignore[no-any-return]

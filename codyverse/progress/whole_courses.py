"""When the last lesson of a course is finished: a fact of its own, told once. Connected in `wiring.py`."""

from sqlalchemy import text

from codyverse.core.database import session
from codyverse.core.events import publish
from codyverse.progress.events import CourseCompleted, LessonCompleted

_COMPLETE = text("""
    with done as (
        insert into course_completions (user_id, course_id, completed_at, local_date)
        select :user_id, courses.id, :at, :local_date from courses
        where courses.id = :course_id and courses.retired_at is null
              and not exists (
                  select from lessons join modules on modules.id = lessons.module_id
                  where lessons.course_id = courses.id
                        and lessons.retired_at is null and modules.retired_at is null
                        and not exists (
                            select from lesson_progress
                            where lesson_progress.user_id = :user_id and lesson_progress.lesson_id = lessons.id
                        )
              )
        on conflict do nothing
        returning course_id
    )
    select courses.key, courses.title from courses join done on done.course_id = courses.id
""")


def on_lesson_completed(fact: LessonCompleted) -> None:
    """Publish CourseCompleted if this was the last lesson that was missing. One statement, none for a repetition."""
    if not fact.first_time:
        return
    values = {
        "user_id": fact.user_id,
        "course_id": fact.course_id,
        "at": fact.at,
        "local_date": fact.local_date,
    }
    course = session.connection().execute(_COMPLETE, values).one_or_none()
    if course is not None:
        publish(
            CourseCompleted(fact.user_id, fact.course_id, course.key, course.title, fact.at, fact.local_date)
        )

"""Progress and reports as JSON."""

from typing import Annotated

from pydantic import Field

from codyverse.api.schemas.common import Day, GivenDay, Id, In, Moment, Out
from codyverse.api.schemas.game import BadgeOut, GoalOut, LevelUpOut

Score = Annotated[float, Field(ge=0, le=100, examples=[87.5])]
Minutes = Annotated[float, Field(ge=0, le=1440, examples=[6])]


class ProgressQuery(In):
    """Which lessons to tell of."""

    course_id: Annotated[Id | None, Field(description="Only the lessons of this course.")] = None


class TotalsOut(Out):
    """All study days together. `completions` counts repeats too, `lessons` different ones, `days` those with a lesson."""

    lessons: int
    completions: int
    answers: int
    correct: int
    seconds: int
    days: int


class CourseProgressOut(Out):
    """How many of a course's lessons are done."""

    course_id: Id
    slug: str
    title: str
    lessons: int
    completed: int


class LessonProgressOut(Out):
    """A lesson that was begun or done. `attemptId` is the open attempt; `offered`: it can still be begun."""

    lesson_id: Id
    title: str
    course_id: Id
    completed: bool
    best_score: Score | None
    completions: int
    first_completed_at: Moment | None
    last_completed_at: Moment | None
    attempt_id: Id | None
    offered: bool


class ContinueOut(Out):
    """Where to go on: an open attempt, or with `attemptId` null a lesson that was not begun yet."""

    lesson_id: Id
    lesson_title: str
    course_slug: str
    course_title: str
    minutes: int
    attempt_id: Id | None
    steps_done: int
    steps: int


class ProgressOut(Out):
    """A learner's progress as a whole. `continue` is null when everything is done."""

    user_id: Id
    totals: TotalsOut
    courses: list[CourseProgressOut]
    lessons: list[LessonProgressOut]
    continue_with: Annotated[ContinueOut | None, Field(alias="continue")]


class DaysQuery(In):
    """Which days, both included; without them the last thirty. Of more than 366 the last are told."""

    since: GivenDay | None = None
    until: GivenDay | None = None


class DayOut(Out):
    """A local day with study, or one that was kept for the streak without: `kept` is then frozen, mended or bridged."""

    date: Day
    lessons: int
    answers: int
    correct: int
    seconds: int
    xp: int
    kept: str | None


class DaysOut(Out):
    """Days in their order; those without study are left out, unless they were kept."""

    since: Day
    until: Day
    items: list[DayOut]


class ReportIn(In):
    """A lesson that was finished elsewhere: `timeSpent` in minutes, `score` 0 to 100."""

    lesson_id: Id
    time_spent: Minutes
    score: Score


class ProgressIn(In):
    """Where somebody is in a lesson, or with `completed` that they finished it, then with a score; without one it is 0."""

    lesson_id: Id
    module_id: Id | None = None
    completed: bool
    time_spent: Minutes
    score: Score = 0


class ReportOut(Out):
    """What a report brought. `alreadyCompleted`: the lesson had been finished before it."""

    lesson_id: Id
    xp_awarded: int
    coins_awarded: int
    gems_awarded: int
    new_badges: list[BadgeOut]
    level_up: LevelUpOut | None
    goals_completed: list[GoalOut]
    streak_updated: bool
    already_completed: bool


class SavedOut(ReportOut):
    """The same for progress that was saved. Not completed: `attemptId` is the open attempt, and nothing was brought."""

    completed: bool
    attempt_id: Id | None

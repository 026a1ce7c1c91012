"""What learners did: facts that the game and notifications act on, in the same transaction."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What a learner's local day holds, this fact included. `xp` (lesson XP only) and `mended` grow after the fact."""

    lessons: int
    distinct_lessons: int
    answers: int
    correct: int
    first_try: int
    seconds: int
    xp: int
    mended: int = 0


DAY_COLUMNS = len(fields(DayTotals))


@dataclass(frozen=True, slots=True)
class StepAnswered:
    """An answer was graded and kept. `first_try`: right at the learner's first answer ever to this step."""

    user_id: int
    lesson_id: int
    attempt_id: int
    step_id: int
    correct: bool
    first_try: bool
    at: datetime
    local_date: date
    day: DayTotals


@dataclass(frozen=True, slots=True)
class StudyTimeGrew:
    """A teaching step was read, a hint taken or a draft kept: study time was counted, nothing else."""

    user_id: int
    lesson_id: int
    attempt_id: int
    at: datetime
    local_date: date
    day: DayTotals


@dataclass(frozen=True, slots=True)
class LessonCompleted:
    """An attempt was finished. `first_time`: the learner never finished this lesson before.

    `score` 0–100, exact (a third is a third, so that rounding happens once, in the reward); `previous_best` likewise,
    None at the first completion. `seconds` is the attempt's counted study time. `reported`: another program said so.
    """

    user_id: int
    lesson_id: int
    lesson_title: str
    course_id: int
    attempt_id: int
    first_time: bool
    score: Fraction
    previous_best: Fraction | None
    seconds: int
    difficulty: str
    at: datetime
    local_date: date
    day: DayTotals
    reported: bool = False


@dataclass(frozen=True, slots=True)
class CourseCompleted:
    """Every lesson that the course offers has been finished; told once per learner and course, for all time."""

    user_id: int
    course_id: int
    course_slug: str
    course_title: str
    at: datetime
    local_date: date

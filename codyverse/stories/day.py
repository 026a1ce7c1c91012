"""One local day of a learner in memory, and how they stand with a lesson."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from codyverse.gamification.rules import Goal


@dataclass(slots=True)
class Today:
    """What a local day holds so far: the columns of `activity_days`, its goals, and first-time scores."""

    date: date
    text: str
    goals: Sequence[Goal]
    reached: dict[int, datetime] = field(default_factory=dict)
    new_scores: list[Fraction] = field(default_factory=list)
    lessons: int = 0
    distinct_lessons: int = 0
    answers: int = 0
    correct: int = 0
    first_try: int = 0
    seconds: int = 0
    xp: int = 0
    mended: int = 0

    def newly_reached(self, at: datetime) -> list[Goal]:
        """The goals that the day has come to now and had not before; they count as reached from now on."""
        if len(self.reached) == len(self.goals):
            return []
        hits = [
            goal
            for goal in self.goals
            if _COME[goal.kind](self) >= goal.target and goal.slot not in self.reached
        ]
        self.reached.update((goal.slot, at) for goal in hits)
        return hits

    def record(self) -> tuple[int, ...]:
        """The numbers in the order of the table's columns."""
        return (
            self.lessons,
            self.distinct_lessons,
            self.answers,
            self.correct,
            self.first_try,
            self.seconds,
            self.xp,
            self.mended,
        )


_COME: dict[str, Callable[[Today], int]] = {
    "lessons": lambda day: day.distinct_lessons,
    "xp": lambda day: day.xp,
    "minutes": lambda day: day.seconds // 60,
    "first_try": lambda day: day.first_try,
    "right": lambda day: day.correct,
    "mended": lambda day: day.mended,
}
"""How far a day has come by kind of goal, as `rules.goal_progress` says it."""


@dataclass(slots=True)
class Standing:
    """How a learner stands with a lesson that they have finished: the columns of `lesson_progress`."""

    best: Decimal
    completions: int
    first_at: datetime
    first_date: date
    last_at: datetime
    last_date: date


@dataclass(frozen=True, slots=True)
class Finished:
    """A lesson was finished just now. `best` is the best score before, None at the first time."""

    lesson_id: int
    course_id: int
    title: str
    difficulty: str
    seconds: int
    score: Fraction
    best: Decimal | None
    reported: bool

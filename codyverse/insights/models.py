"""Tables of insights: sums by day, lesson, item and cohort. Nothing in them leads to a person.

Dates are the learners' own local dates where learners act, and UTC where the site does (lessons begun, accounts made).
"""

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, PrimaryKeyConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base


class LearningDay(Base):
    """A day of the whole site. `active`, `active_7`, `active_28`: learners who did something on it, or in so many days
    that end with it. `lessons` counts finished ones, `repeats` those begun on it (UTC) that had been finished before.

    Harm: `repeaters` finished one lesson three or more times. `runs` are those who finished a lesson on this day and the
    two before; `ended` of them finished none on the two days after, and `returned` of these did within two weeks; null
    while that cannot be known yet. `settled_at` is when the day was last reckoned.
    """

    __tablename__ = "learning_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    active: Mapped[int]
    active_7: Mapped[int]
    active_28: Mapped[int]
    joined: Mapped[int]
    answers: Mapped[int] = mapped_column(BigInteger)
    correct: Mapped[int] = mapped_column(BigInteger)
    lessons: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[int] = mapped_column(BigInteger)
    repeats: Mapped[int] = mapped_column(BigInteger)
    repeaters: Mapped[int]
    runs: Mapped[int]
    ended: Mapped[int | None]
    returned: Mapped[int | None]
    settled_at: Mapped[datetime]


class LessonDay(Base):
    """What became of the attempts at a lesson that were begun on a day (UTC): how many, and how many were finished."""

    __tablename__ = "lesson_days"
    __table_args__ = (PrimaryKeyConstraint("day", "lesson_id"),)

    day: Mapped[date]
    lesson_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("lessons.id"))
    begun: Mapped[int]
    finished: Mapped[int]
    score: Mapped[float]
    seconds: Mapped[int] = mapped_column(BigInteger)


class ItemTotal(Base):
    """One revision of a step: in how many attempts it was `asked`, `right` at the first answer; `answers` in all, those
    from the fourth on as `guesses`; `hints` taken before the first.
    """

    __tablename__ = "item_totals"

    revision_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("step_revisions.id"), primary_key=True, autoincrement=False
    )
    asked: Mapped[int] = mapped_column(BigInteger)
    right: Mapped[int] = mapped_column(BigInteger)
    answers: Mapped[int] = mapped_column(BigInteger)
    guesses: Mapped[int] = mapped_column(BigInteger)
    hints: Mapped[int] = mapped_column(BigInteger)


class CohortWeek(Base):
    """Of the people who joined in the week of `cohort` (its Monday), how many did something in the week of `week`."""

    __tablename__ = "cohort_weeks"
    __table_args__ = (PrimaryKeyConstraint("cohort", "week"),)

    cohort: Mapped[date]
    week: Mapped[date]
    active: Mapped[int]


class Cohort(Base):
    """How many learners joined in the week that begins on this Monday."""

    __tablename__ = "cohorts"

    cohort: Mapped[date] = mapped_column(primary_key=True)
    learners: Mapped[int]


class InsightMark(Base):
    """Up to which id the append-only table of this name has been added up."""

    __tablename__ = "insight_marks"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)

"""Tables of what learners did. Each fact carries the learner's local date, stamped once when it happened."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    null,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base
from codyverse.core.personal import Personal, register


class Attempt(Base):
    """One going-through of a lesson. At most one is open per learner and lesson.

    `seconds` is the counted study time so far, `last_event_at` the moment it was counted up to in this attempt; the
    learner has one clock for all of them, `users.studied_until`. `seed` makes the random option ids of this attempt and
    never leaves the server. `score` (0–100 to nine places) is set at completion; what that earned stands in the ledger.
    `reported`: another program said that it was finished, here nothing was asked; such an attempt has no steps, and its
    time and score are what was told.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        CheckConstraint("score between 0 and 100", name="score"),
        CheckConstraint("(completed_at is null) = (score is null)", name="completed"),
        CheckConstraint("not reported or completed_at is not null", name="reported"),
        Index(
            "uq_attempts_open",
            "user_id",
            "lesson_id",
            unique=True,
            postgresql_where=text("completed_at is null"),
        ),
        Index(
            "ix_attempts_user_id_completed_at",
            "user_id",
            "completed_at",
            postgresql_include=["id", "lesson_id", "local_date", "score", "reported"],
        ),
        Index("ix_attempts_lesson_id", "lesson_id"),
        Index("ix_attempts_started_at", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    lesson_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("lessons.id"))
    seed: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime]
    last_event_at: Mapped[datetime]
    seconds: Mapped[int] = mapped_column(server_default="0")
    completed_at: Mapped[datetime | None]
    local_date: Mapped[date | None]
    score: Mapped[Decimal | None] = mapped_column(Numeric(12, 9))
    reported: Mapped[bool] = mapped_column(server_default=text("false"))


class AttemptStep(Base):
    """A step within an attempt, pinned to the revision that was current when the attempt began.

    `first_correct` is what its first answer was, `solved` whether any answer was right, `done_at` when it was read or
    first answered.
    """

    __tablename__ = "attempt_steps"
    __table_args__ = (
        PrimaryKeyConstraint("attempt_id", "step_id"),
        CheckConstraint("hints between 0 and 3", name="hints"),
    )

    attempt_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("attempts.id", ondelete="CASCADE"))
    step_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("steps.id"))
    revision_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("step_revisions.id"))
    position: Mapped[int]
    asks: Mapped[bool]
    tries: Mapped[int] = mapped_column(server_default="0")
    first_correct: Mapped[bool | None]
    solved: Mapped[bool] = mapped_column(server_default=text("false"))
    hints: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    done_at: Mapped[datetime | None]
    draft: Mapped[dict[str, Any] | None]


class Answer(Base):
    """Every graded answer, kept for good: material for review queues and adaptive difficulty.

    `answer` is in the stable keys of the revision, not in the random ids of the attempt. `seconds` since the event
    before it, uncapped; `hints` taken on this step when it was given.
    """

    __tablename__ = "answers"
    __table_args__ = (
        Index("uq_answers_attempt_id_step_id_try_no", "attempt_id", "step_id", "try_no", unique=True),
        Index("ix_answers_user_id_step_id", "user_id", "step_id"),
        Index("ix_answers_revision_id", "revision_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    attempt_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("attempts.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    step_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("steps.id"))
    revision_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("step_revisions.id"))
    try_no: Mapped[int]
    answer: Mapped[dict[str, Any]]
    correct: Mapped[bool]
    hints: Mapped[int] = mapped_column(SmallInteger)
    seconds: Mapped[int]
    local_date: Mapped[date]
    created_at: Mapped[datetime]


class LessonProgress(Base):
    """A learner's standing with a lesson that they have finished at least once. Dates are the learner's own.

    All columns are in the index of the primary key (migration 0101), from which all of a learner's standings are read.
    """

    __tablename__ = "lesson_progress"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "lesson_id"),
        Index("ix_lesson_progress_lesson_id", "lesson_id"),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    lesson_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("lessons.id"))
    best_score: Mapped[Decimal] = mapped_column(Numeric(12, 9))
    completions: Mapped[int]
    first_completed_at: Mapped[datetime]
    first_local_date: Mapped[date]
    last_completed_at: Mapped[datetime]
    last_local_date: Mapped[date]


class ActivityDay(Base):
    """What a learner did on one of their local days: the only input of streak and goals.

    `lessons` counts finished lessons, repeats included; `distinct_lessons` counts each lesson once a day; `first_try`
    counts steps right at the first answer, each step once ever; `answers` and `correct` count until a step is solved in
    its attempt, what comes after is practice; `xp` is lesson XP only and `mended` counts lessons done better than before,
    both filled by the game.
    """

    __tablename__ = "activity_days"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "local_date"),
        Index("ix_activity_days_local_date_user_id", "local_date", "user_id"),
        Index(
            "ix_activity_days_learned",
            "user_id",
            "local_date",
            postgresql_include=["lessons"],
            postgresql_where=text("lessons > 0"),
        ),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    local_date: Mapped[date]
    lessons: Mapped[int] = mapped_column(server_default="0")
    distinct_lessons: Mapped[int] = mapped_column(server_default="0")
    answers: Mapped[int] = mapped_column(server_default="0")
    correct: Mapped[int] = mapped_column(server_default="0")
    first_try: Mapped[int] = mapped_column(server_default="0")
    seconds: Mapped[int] = mapped_column(server_default="0")
    xp: Mapped[int] = mapped_column(server_default="0")
    mended: Mapped[int] = mapped_column(server_default="0")


class CourseCompletion(Base):
    """A learner had finished every lesson that a course offered then. Lessons that come later change nothing about it.

    All columns are in the index of the primary key (migration 0101).
    """

    __tablename__ = "course_completions"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "course_id"),
        Index("ix_course_completions_course_id", "course_id"),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    course_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("courses.id"))
    completed_at: Mapped[datetime]
    local_date: Mapped[date]


register(
    Personal("attempts", leave_out=("seed",)),
    Personal("attempt_steps", owner="attempt_id", through="attempts", blank={"draft": null()}),
    Personal("answers", blank={"answer": {}}),
    Personal("lesson_progress"),
    Personal("activity_days"),
    Personal("course_completions"),
)

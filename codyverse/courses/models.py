"""Tables of what is taught. Text keys from the files are what progress hangs on; nothing is ever deleted, only retired."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base

DIFFICULTIES = ("beginner", "intermediate", "advanced")
KINDS = ("teach", "choice", "choices", "blank", "order", "match", "parsons")
_DIFFICULTY = "difficulty in ('beginner', 'intermediate', 'advanced')"


class Course(Base):
    """A course; `key` is its slug. `digest` is the hash of its files or its document when last written.

    `version` is raised by each write. `source` is the document of a course that was made over the API.
    """

    __tablename__ = "courses"
    __table_args__ = (
        CheckConstraint(_DIFFICULTY, name="difficulty"),
        CheckConstraint("origin in ('files', 'api')", name="origin"),
        CheckConstraint("(origin = 'api') = (source is not null)", name="source"),
        Index("uq_courses_key", "key", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text, server_default="files")
    title: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text)
    description_html: Mapped[str] = mapped_column(Text, server_default="")
    difficulty: Mapped[str] = mapped_column(Text)
    skills: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    position: Mapped[int]
    digest: Mapped[str] = mapped_column(Text, server_default="")
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    source: Mapped[dict[str, Any] | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    retired_at: Mapped[datetime | None]


class Module(Base):
    """A part of a course."""

    __tablename__ = "modules"
    __table_args__ = (Index("uq_modules_course_id_key", "course_id", "key", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    course_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("courses.id"))
    key: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text, server_default="")
    position: Mapped[int]
    retired_at: Mapped[datetime | None]


class Lesson(Base):
    """A lesson; it may move between the modules of its course. `minutes` is the author's estimate."""

    __tablename__ = "lessons"
    __table_args__ = (
        CheckConstraint(_DIFFICULTY, name="difficulty"),
        CheckConstraint("minutes between 1 and 60", name="minutes"),
        Index("uq_lessons_course_id_key", "course_id", "key", unique=True),
        Index("ix_lessons_module_id", "module_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    course_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("courses.id"))
    module_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("modules.id"))
    key: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text)
    goal: Mapped[str] = mapped_column(Text)
    difficulty: Mapped[str] = mapped_column(Text)
    minutes: Mapped[int] = mapped_column(SmallInteger)
    position: Mapped[int]
    retired_at: Mapped[datetime | None]


class Step(Base):
    """A step of a lesson; what it says is in its revisions, `revision_id` names the current one."""

    __tablename__ = "steps"
    __table_args__ = (Index("uq_steps_lesson_id_key", "lesson_id", "key", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lesson_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("lessons.id"))
    key: Mapped[str] = mapped_column(Text)
    position: Mapped[int]
    revision_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("step_revisions.id", use_alter=True, name="fk_steps_revision_id")
    )
    retired_at: Mapped[datetime | None]


class StepRevision(Base):
    """What a step said at one time; immutable. `exercise` is the compiled exercise with its answer key."""

    __tablename__ = "step_revisions"
    __table_args__ = (
        CheckConstraint(
            "kind in ('teach', 'choice', 'choices', 'blank', 'order', 'match', 'parsons')", name="kind"
        ),
        CheckConstraint("(kind = 'teach') = (exercise is null)", name="exercise"),
        Index("uq_step_revisions_step_id_digest", "step_id", "digest", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    step_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("steps.id"))
    digest: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    body_html: Mapped[str] = mapped_column(Text)
    exercise: Mapped[dict[str, Any] | None]
    skills: Mapped[list[str]] = mapped_column(server_default=text("'[]'::jsonb"))
    level: Mapped[int | None] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ContentState(Base):
    """One row: the version of all that is taught, which triggers replace at each write. See `versions.py`."""

    __tablename__ = "content_state"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(
        SmallInteger, primary_key=True, autoincrement=False, server_default=text("1")
    )
    version: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())

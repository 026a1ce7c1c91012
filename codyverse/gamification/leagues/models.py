"""Tables of the leagues. What a member did is read from the study days; only results are kept here, once a week is over."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base
from codyverse.core.personal import Personal, register


class LeagueCohort(Base):
    """Some of the learners of one week (named by its Monday). `size` guards the limit of thirty; full, it stays closed."""

    __tablename__ = "league_cohorts"
    __table_args__ = (
        CheckConstraint("size between 1 and 30", name="size"),
        CheckConstraint("extract(isodow from week) = 1", name="week"),
        Index("uq_league_cohorts_week_number", "week", "number", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    week: Mapped[date]
    number: Mapped[int]
    size: Mapped[int] = mapped_column(SmallInteger)
    closed_at: Mapped[datetime | None]
    quest_lessons: Mapped[int | None]
    quest_reached: Mapped[bool | None]


class LeagueMember(Base):
    """A learner in the league of one week, under a name of that week.

    `rank`, `xp`, `lessons` are set when it is closed; for who had left before, only `lessons`, which count for the quest.
    """

    __tablename__ = "league_members"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "week"),
        CheckConstraint("(rank is null) = (xp is null)", name="result"),
        Index("uq_league_members_cohort_id_pseudonym", "cohort_id", "pseudonym", unique=True),
        Index("ix_league_members_unpaid", "week", postgresql_where=text("paid_at is null")),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    week: Mapped[date]
    cohort_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("league_cohorts.id"))
    pseudonym: Mapped[str] = mapped_column(Text)
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    rank: Mapped[int | None] = mapped_column(SmallInteger)
    xp: Mapped[int | None]
    lessons: Mapped[int | None]
    paid_at: Mapped[datetime | None]


register(
    Personal(
        "league_members", blank={"pseudonym": func.concat("Somebody ", LeagueMember.user_id)}, stays=True
    )
)

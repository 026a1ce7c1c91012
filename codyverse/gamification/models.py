"""Tables of the game. The ledger is the truth; `players` keeps its sums and changes only in the same transaction."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codyverse.core.database import Base

CURRENCIES = ("xp", "coins", "gems")


class LedgerEntry(Base):
    """One movement of one currency; append-only. `rule` says why, `source` for which fact, together only once.

    `details` keeps the numbers that went into it, so that it can be explained for good; `attempt_id` names the attempt
    in which it was earned.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint("currency in ('xp', 'coins', 'gems')", name="currency"),
        CheckConstraint("amount <> 0", name="amount"),
        Index("uq_ledger_entries_once", "user_id", "currency", "rule", "source", unique=True),
        Index("ix_ledger_entries_user_id_id", "user_id", "id"),
        Index("ix_ledger_entries_attempt_id", "attempt_id", postgresql_where=text("attempt_id is not null")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    currency: Mapped[str] = mapped_column(Text)
    amount: Mapped[int] = mapped_column(Integer)
    rule: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    local_date: Mapped[date]
    created_at: Mapped[datetime]
    attempt_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("attempts.id"))
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class Player(Base):
    """The sums of a learner's ledger, and the streak as it stood after `streak_date`."""

    __tablename__ = "players"
    __table_args__ = (
        CheckConstraint("xp >= 0", name="xp"),
        CheckConstraint("coins >= 0", name="coins"),
        CheckConstraint("gems >= 0", name="gems"),
        CheckConstraint("level >= 1", name="level"),
        CheckConstraint("streak >= 0 and best_streak >= streak", name="streak"),
    )

    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    xp: Mapped[int] = mapped_column(BigInteger, server_default="0")
    coins: Mapped[int] = mapped_column(BigInteger, server_default="0")
    gems: Mapped[int] = mapped_column(BigInteger, server_default="0")
    level: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    streak: Mapped[int] = mapped_column(server_default="0")
    best_streak: Mapped[int] = mapped_column(server_default="0")
    streak_date: Mapped[date | None]


class DailyGoal(Base):
    """One of a learner's three goals of one local day, as it was set at the day's first write."""

    __tablename__ = "daily_goals"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "local_date", "slot"),
        CheckConstraint("slot between 1 and 3", name="slot"),
        CheckConstraint("kind in ('lessons', 'xp', 'minutes', 'first_try', 'right')", name="kind"),
        CheckConstraint("target > 0", name="target"),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    local_date: Mapped[date]
    slot: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[str] = mapped_column(Text)
    target: Mapped[int]
    coins: Mapped[int]
    reached_at: Mapped[datetime | None]

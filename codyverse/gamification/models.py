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
from codyverse.core.personal import Personal, register

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
        Index(
            "ix_ledger_entries_user_id_id",
            "user_id",
            "id",
            postgresql_include=["currency", "amount", "rule", "local_date"],
        ),
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
    """The sums of a learner's ledger, the streak as it stood after its last fact, and what Cody wears.

    `streak` is the last run of days, `streak_date` its last studied day, `days_learned` all studied days; `freezes` are
    held, `freeze_days` studied towards the next one, `kept_date` the latest missed day that a freeze or a repair kept.
    """

    __tablename__ = "players"
    __table_args__ = (
        CheckConstraint("xp >= 0", name="xp"),
        CheckConstraint("coins >= 0", name="coins"),
        CheckConstraint("gems >= 0", name="gems"),
        CheckConstraint("level >= 1", name="level"),
        CheckConstraint("streak >= 0 and best_streak >= streak", name="streak"),
        CheckConstraint("freezes between 0 and 2", name="freezes"),
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
    days_learned: Mapped[int] = mapped_column(server_default="0")
    freezes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    freeze_days: Mapped[int] = mapped_column(server_default="0")
    kept_date: Mapped[date | None]
    outfit: Mapped[str | None] = mapped_column(Text)
    world: Mapped[str | None] = mapped_column(Text)


class DailyGoal(Base):
    """One of a learner's three goals of one local day, as it was set at the day's first write.

    All columns are in the index of the primary key (migration 0101).
    """

    __tablename__ = "daily_goals"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "local_date", "slot"),
        CheckConstraint("slot between 1 and 3", name="slot"),
        CheckConstraint("kind in ('lessons', 'xp', 'minutes', 'first_try', 'right', 'mended')", name="kind"),
        CheckConstraint("target > 0", name="target"),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    local_date: Mapped[date]
    slot: Mapped[int] = mapped_column(SmallInteger)
    kind: Mapped[str] = mapped_column(Text)
    target: Mapped[int]
    coins: Mapped[int]
    reached_at: Mapped[datetime | None]


class Purchase(Base):
    """Something bought in the shop. The ledger's entry has the source `purchase:<id>`.

    `nonce` comes with the form, so that the same form sent twice buys once. All but freezes are bought once. The local
    date is a fact of the streak: a freeze guards missed days from the day on which it was bought.
    """

    __tablename__ = "purchases"
    __table_args__ = (
        CheckConstraint("kind in ('freeze', 'outfit', 'world')", name="kind"),
        CheckConstraint("currency in ('coins', 'gems')", name="currency"),
        CheckConstraint("price > 0", name="price"),
        Index("uq_purchases_user_id_nonce", "user_id", "nonce", unique=True),
        Index("uq_purchases_once", "user_id", "item", unique=True, postgresql_where=text("kind <> 'freeze'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Text)
    item: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    price: Mapped[int]
    nonce: Mapped[str] = mapped_column(Text)
    local_date: Mapped[date]
    bought_at: Mapped[datetime]


class StreakRepair(Base):
    """A missed day that a second finished lesson of `local_date` mended in time; one a day.

    All columns are in the index of the primary key (migration 0101).
    """

    __tablename__ = "streak_repairs"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "missed_date"),
        CheckConstraint("missed_date < local_date", name="missed_date"),
        Index("uq_streak_repairs_user_id_local_date", "user_id", "local_date", unique=True),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    missed_date: Mapped[date]
    local_date: Mapped[date]
    repaired_at: Mapped[datetime]
    attempt_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("attempts.id"))


class EarnedBadge(Base):
    """A badge that a learner has earned, for good. `badge` is its key in the catalogue, `attempt_id` where it happened.

    What it paid stands in the ledger with the source `badge:<key>`. All columns are in the index of the primary key
    (migration 0101).
    """

    __tablename__ = "earned_badges"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "badge"),
        Index("ix_earned_badges_attempt_id", "attempt_id", postgresql_where=text("attempt_id is not null")),
    )

    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="CASCADE"))
    badge: Mapped[str] = mapped_column(Text)
    earned_at: Mapped[datetime]
    local_date: Mapped[date]
    attempt_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("attempts.id"))


register(
    Personal("players"),
    Personal("ledger_entries"),
    Personal("daily_goals"),
    Personal("purchases", leave_out=("nonce",)),
    Personal("streak_repairs"),
    Personal("earned_badges"),
)

"""Paying: what one fact brings is gathered, written into the ledger, and added to the player, once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Protocol

from codyverse.core.database import session
from codyverse.core.events import publish
from codyverse.gamification.badge_catalogue import Count
from codyverse.gamification.events import RewardPaid
from codyverse.gamification.numbers import numbers
from codyverse.gamification.rules import GameNumbers
from codyverse.gamification.statements import PAY, PLAYER
from codyverse.gamification.streaks import Streak
from codyverse.progress.events import DayTotals


class Fact(Protocol):
    """What can be settled: something that happened to a learner. `attempt_id` if it happened in an attempt."""

    @property
    def user_id(self) -> int: ...
    @property
    def attempt_id(self) -> int | None: ...
    @property
    def at(self) -> datetime: ...
    @property
    def local_date(self) -> date: ...
    @property
    def day(self) -> DayTotals: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry to be written. `rule` and `source` make it unique per learner and currency; `details` explain it."""

    currency: str
    amount: int
    rule: str
    source: str
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """What it can be written once for."""
        return (self.currency, self.rule, self.source)

    def record(self) -> dict[str, Any]:
        """As it is handed to the database."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class PlayerState:
    """A player's row, and the badges that they have earned."""

    xp: int = 0
    coins: int = 0
    gems: int = 0
    level: int = 1
    streak: int = 0
    best_streak: int = 0
    streak_date: date | None = None
    days_learned: int = 0
    freezes: int = 0
    freeze_days: int = 0
    kept_date: date | None = None
    badges: Sequence[str] = ()

    @property
    def kept_streak(self) -> Streak:
        """The streak as the row keeps it."""
        return Streak(
            self.streak,
            self.best_streak,
            self.streak_date,
            self.days_learned,
            self.freezes,
            self.freeze_days,
            self.kept_date,
        )


def streak_columns(streak: Streak) -> dict[str, Any]:
    """The columns of a player's row that keep this streak."""
    return {
        "streak": streak.run,
        "best_streak": streak.best,
        "streak_date": streak.last,
        "days_learned": streak.days,
        "freezes": streak.freezes,
        "freeze_days": streak.towards,
        "kept_date": streak.kept,
    }


STREAK_COLUMNS = tuple(streak_columns(Streak()))
CHANGEABLE = ("level", *STREAK_COLUMNS)


class Settlement:
    """One fact being settled. Effects add entries and changes to the player; `pay` writes them.

    The fact's writer holds the lock on the learner's row, so nothing changes in between; that something is paid once
    is held by the ledger's unique key all the same. `moves` counts what effects have brought so far; `counted` is what
    badges are earned by, once it has been read.
    """

    def __init__(self, fact: Fact) -> None:
        self.fact = fact
        self.day: DayTotals = fact.day
        self.numbers: GameNumbers = numbers()
        self.earned_xp = False
        self.moves = 0
        self.counted: dict[Count, int] | None = None
        self._entries: list[Entry] = []
        self._news: list[tuple[tuple[str, str, str] | None, object]] = []
        self._changes: dict[str, Any] = {}
        self._player: PlayerState | None = None

    @property
    def player(self) -> PlayerState:
        """The player with all that was paid or changed so far. Reads it if nothing was paid yet."""
        if self._player is None:
            row = session.connection().execute(PLAYER, {"user_id": self.fact.user_id}).one_or_none()
            self._player = PlayerState() if row is None else PlayerState(*row)
        return replace(self._player, **self._changes)

    def add(self, *entries: Entry) -> None:
        """Have these written by the next `pay`. Amounts of 0 leave no trace."""
        worth = [entry for entry in entries if entry.amount != 0]
        self._entries += worth
        self.moves += len(worth)

    def change(self, **columns: Any) -> None:
        """Have the player's level or streak set by the next `pay`."""
        self._changes |= columns
        self.moves += 1

    def announce(self, news: object, because_of: Entry | None = None) -> None:
        """Publish an event at the end; with an entry, only if that entry was written."""
        self._news.append((because_of.key if because_of else None, news))

    def heard(self, kind: type) -> bool:
        """Whether an event of this type is to be published."""
        return any(isinstance(news, kind) for _, news in self._news)

    def pay(self) -> None:
        """Write what was gathered, in one statement; nothing gathered, nothing done."""
        if not self._entries and not self._changes:
            return
        fact = self.fact
        values = {
            "user_id": fact.user_id,
            "local_date": fact.local_date,
            "at": fact.at,
            "attempt_id": fact.attempt_id,
            "entries": [entry.record() for entry in self._entries],
        }
        changes = dict.fromkeys(CHANGEABLE) | self._changes
        row = session.connection().execute(PAY, values | changes).one()
        self._player = PlayerState(*row[:-1])
        self._take_in({tuple(key) for key in row.won})
        self._entries, self._changes = [], {}

    def _take_in(self, won: set[tuple[str, ...]]) -> None:
        fact = self.fact
        for entry in self._entries:
            if entry.key not in won:
                continue
            if entry.currency == "xp":
                self.earned_xp = True
                if entry.rule in {"lesson", "lesson_again"}:
                    again = entry.rule == "lesson_again"
                    self.day = replace(
                        self.day, xp=self.day.xp + entry.amount, mended=self.day.mended + again
                    )
            paid = (entry.currency, entry.amount, entry.rule, entry.source)
            self._news.append(
                (None, RewardPaid(fact.user_id, fact.attempt_id, *paid, fact.at, fact.local_date))
            )
        lost = {entry.key for entry in self._entries} - won
        self._news = [(key, news) for key, news in self._news if key not in lost]

    def close(self) -> None:
        """Pay what is left and publish what happened."""
        self.pay()
        for _, news in self._news:
            publish(news)


Effect = Callable[[Settlement], None]


def until_nothing_follows(*effects: Effect) -> Effect:
    """These effects in their order, again and again, until a round brings nothing new.

    It ends, for each thing is brought only once.
    """

    def rounds(settlement: Settlement) -> None:
        before = -1
        while settlement.moves != before:
            before = settlement.moves
            for effect in effects:
                effect(settlement)

    return rounds


def settle(fact: Fact, effects: Iterable[Effect]) -> None:
    """Let the effects of a fact happen in their order, in the fact's own transaction."""
    settlement = Settlement(fact)
    for effect in effects:
        effect(settlement)
    settlement.close()

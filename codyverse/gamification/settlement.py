"""Paying: what one fact brings is gathered, written into the ledger, and added to the player, once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from codyverse.core.database import session
from codyverse.core.events import publish
from codyverse.gamification.events import RewardPaid
from codyverse.gamification.numbers import numbers
from codyverse.gamification.rules import GameNumbers
from codyverse.gamification.statements import PAY, PLAYER
from codyverse.progress.events import DayTotals, LessonCompleted, StepAnswered, StudyTimeGrew

Fact = StepAnswered | StudyTimeGrew | LessonCompleted


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
    """A player's row."""

    xp: int = 0
    coins: int = 0
    gems: int = 0
    level: int = 1
    streak: int = 0
    best_streak: int = 0
    streak_date: date | None = None


class Settlement:
    """One fact being settled. Effects add entries and changes to the player; `pay` writes them.

    The fact's writer holds the lock on the learner's row, so nothing changes in between; that something is paid once
    is held by the ledger's unique key all the same.
    """

    def __init__(self, fact: Fact) -> None:
        self.fact = fact
        self.day: DayTotals = fact.day
        self.numbers: GameNumbers = numbers()
        self.earned_xp = False
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
        self._entries.extend(entry for entry in entries if entry.amount != 0)

    def change(self, **columns: Any) -> None:
        """Have the player's level or streak set by the next `pay`."""
        self._changes |= columns

    def announce(self, news: object, because_of: Entry | None = None) -> None:
        """Publish an event at the end; with an entry, only if that entry was written."""
        self._news.append((because_of.key if because_of else None, news))

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
        changes = dict.fromkeys(("level", "streak", "best_streak", "streak_date")) | self._changes
        row = session.connection().execute(PAY, values | changes).one()
        self._player = PlayerState(*row[:7])
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
                    self.day = replace(self.day, xp=self.day.xp + entry.amount)
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


def settle(fact: Fact, effects: Iterable[Effect]) -> None:
    """Let the effects of a fact happen in their order, in the fact's own transaction."""
    settlement = Settlement(fact)
    for effect in effects:
        effect(settlement)
    settlement.close()

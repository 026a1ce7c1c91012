"""Paying: what one fact brings is gathered, written into the ledger, and added to the player, once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

import orjson

from codyverse.core.asking import send
from codyverse.core.events import is_heard, publish
from codyverse.core.resilience import is_repeated
from codyverse.core.together import known, put_down, together
from codyverse.gamification.badge_catalogue import Count
from codyverse.gamification.events import RewardPaid
from codyverse.gamification.numbers import numbers
from codyverse.gamification.rules import GameNumbers
from codyverse.gamification.statements import BROUGHT, GAME, KNOWN, SETTLE
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
        return {
            "currency": self.currency,
            "amount": self.amount,
            "rule": self.rule,
            "source": self.source,
            "details": self.details,
        }


class PlayerState(NamedTuple):
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
    badges: frozenset[str] = frozenset()

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


COLUMNS = tuple(each for each in PlayerState._fields if each != "badges")
STREAK_COLUMNS = tuple(streak_columns(Streak()))
CURRENCIES = ("xp", "coins", "gems")
LESSON_RULES = frozenset({"lesson", "lesson_again"})


@dataclass(frozen=True, slots=True)
class Known:
    """What stood before a fact: the player, entries that it might bring and that were paid before, and whether the
    learner is to be put into a league this week."""

    player: PlayerState
    paid: frozenset[tuple[str, str, str]]
    joins: bool


def known_of(fact: Fact) -> Known:
    """What stood before this fact; without a statement if it came along with it.

    What came along does not tell what was paid before, for hardly ever anything was: whoever pays it once more fails as by
    a passing fault, and does it again knowing.
    """
    told = known(GAME, fact.user_id, lambda: _read(fact))
    if "paid" not in told and is_repeated():
        told = _read(fact)
    return known_in(told)


def _read(fact: Fact) -> dict[str, Any]:
    values = {
        "user_id": fact.user_id,
        "local_date": fact.local_date,
        "lesson_id": getattr(fact, "lesson_id", None),
        "attempt_id": fact.attempt_id,
    }
    [[found]] = send(KNOWN, values)
    return found  # type: ignore[no-any-return]


def known_in(told: dict[str, Any]) -> Known:
    """From the column of `game_known`, or what came along."""
    paid = frozenset(tuple(key) for key in told.get("paid") or ())
    return Known(player_in(told["player"], told["badges"]), paid, told["joins"] is True)


def player_in(stored: list[Any] | None, badges: Iterable[str]) -> PlayerState:
    """A player as the database tells it; a beginner's, if there is no row."""
    if stored is None:
        return PlayerState(badges=frozenset(badges))
    values: dict[str, Any] = dict(zip(COLUMNS, stored, strict=True))
    values["streak_date"], values["kept_date"] = _day(values["streak_date"]), _day(values["kept_date"])
    return PlayerState(**values, badges=frozenset(badges))


def _day(told: str | None) -> date | None:
    return None if told is None else date.fromisoformat(told)


class Settlement:
    """One fact being settled: effects add entries and changes to the player, and `close` has them written, all at once.

    The fact's writer holds the lock on the learner's row, so what was read under it is still true when it is written, and
    everything is reckoned in memory. That something is paid once is held by the ledger's unique key all the same. `moves`
    counts what effects have brought so far; `counted` is what badges are earned by, once it has been read; `full_day`:
    all goals of the day are reached by this fact.
    """

    def __init__(self, fact: Fact) -> None:
        self.fact = fact
        self.day: DayTotals = fact.day
        self.numbers: GameNumbers = numbers()
        self.earned_xp = False
        self.full_day = False
        self.moves = 0
        self.counted: dict[Count, int] | None = None
        self._known: Known | None = None
        self._player: PlayerState | None = None
        self._entries: list[Entry] = []
        self._news: list[object] = []
        self._changes: dict[str, Any] = {}
        self._goals: list[int] = []
        self._badges: list[str] = []

    @property
    def known(self) -> Known:
        """What stood before this fact was settled."""
        if self._known is None:
            self._known = known_of(self.fact)
        return self._known

    @property
    def player(self) -> PlayerState:
        """The player with all that was added or changed so far."""
        if self._player is None:
            self._player = self.known.player
        return self._player

    def add(self, *entries: Entry) -> None:
        """Have these written. Amounts of 0 leave no trace, and what was paid before is not paid again."""
        for entry in entries:
            if entry.amount == 0 or entry.key in self.known.paid:
                continue
            self._entries.append(entry)
            self.moves += 1
            self._take_in(entry)

    def _take_in(self, entry: Entry) -> None:
        before = getattr(self.player, entry.currency)
        self._player = self.player._replace(**{entry.currency: before + entry.amount})
        if entry.currency == "xp":
            self.earned_xp = True
            if entry.rule in LESSON_RULES:
                mended = self.day.mended + (entry.rule == "lesson_again")
                self.day = replace(self.day, xp=self.day.xp + entry.amount, mended=mended)
        if is_heard(RewardPaid):
            fact, paid = self.fact, (entry.currency, entry.amount, entry.rule, entry.source)
            self._news.append(RewardPaid(fact.user_id, fact.attempt_id, *paid, fact.at, fact.local_date))

    def change(self, **columns: Any) -> None:
        """Have the player's level or streak set."""
        self._changes |= columns
        self._player = self.player._replace(**columns)
        self.moves += 1

    def reach(self, slots: Iterable[int], *, full: bool) -> None:
        """Have these goals of the day marked as reached; `full`: with them all are."""
        self._goals += slots
        self.full_day = full and bool(self._goals)

    def grant(self, *keys: str) -> None:
        """Have these badges granted."""
        self._badges += keys
        self._player = self.player._replace(badges=self.player.badges | set(keys))

    def announce(self, news: object, because_of: Entry | None = None) -> None:
        """Publish an event at the end; with an entry, only if that entry is written."""
        if because_of is None or because_of in self._entries:
            self._news.append(news)

    def heard(self, kind: type) -> bool:
        """Whether an event of this type is to be published."""
        return any(isinstance(news, kind) for news in self._news)

    def close(self) -> None:
        """Have everything written and publish what happened."""
        with together() as fact:
            fact.noted[BROUGHT, self.fact.user_id] = [
                (each.currency, each.amount, each.rule, each.source, each.details) for each in self._entries
            ]
            if self._entries or self._changes or self._goals or self._badges:
                put_down(SETTLE, self._told())
            for news in self._news:
                publish(news)

    def _told(self) -> dict[str, Any]:
        fact, entries, player = self.fact, self._entries, self.player
        sums = dict.fromkeys(CURRENCIES, 0)
        for entry in entries:
            sums[entry.currency] += entry.amount
        return {
            "user_id": fact.user_id,
            "local_date": fact.local_date,
            "at": fact.at,
            "attempt_id": fact.attempt_id,
            "entries": orjson.dumps([entry.record() for entry in entries]).decode(),
            "number": len(entries),
            **sums,
            "lesson_xp": self.day.xp - fact.day.xp,
            "mended": self.day.mended - fact.day.mended,
            "level": player.level,
            **streak_columns(player.kept_streak),
            "goals": self._goals,
            "badges": self._badges,
        }


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

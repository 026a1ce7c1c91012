"""Reads of the leagues."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from codyverse.accounts.game_days import today_of
from codyverse.core.database import session
from codyverse.gamification.leagues import rules, statements

PERIODS = ("this", "last")


@dataclass(frozen=True, slots=True)
class Place:
    """A member on the board. `xp` counts lesson XP, each day up to the cap; `me` is the one who looks."""

    rank: int
    pseudonym: str
    xp: int
    lessons: int
    me: bool


@dataclass(frozen=True, slots=True)
class Quest:
    """What the cohort does together: `lessons` of `target`, each counted once for each of the `members`.

    Members are all who joined, also those who left. `reached` while the week runs, too.
    """

    members: int
    lessons: int
    target: int
    coins: int
    reached: bool


@dataclass(frozen=True, slots=True)
class Board:
    """A learner's league of one week. `closed`: the result stands."""

    week: date
    places: tuple[Place, ...]
    quest: Quest
    closed: bool

    @property
    def mine(self) -> Place:
        """The place of the one who looks."""
        return next(place for place in self.places if place.me)

    @property
    def neighbours(self) -> tuple[Place, ...]:
        """Up to two above and two below the one who looks."""
        index = self.places.index(self.mine)
        return self.places[max(0, index - 2) : index + 3]


def board(user_id: int, at: datetime, period: str = "this") -> Board | None:
    """The learner's league of this week or of the last one they were in before; None if there is none. Three statements."""
    week = rules.week_of(today_of(user_id, at))
    found = session.connection().execute(statements.MEMBERSHIP, {"user_id": user_id, "week": week}).all()
    wanted = [row for row in found if (row.week == week) == (period == "this")]
    return _board(user_id, wanted[0]) if wanted else None


def _board(user_id: int, membership: Row[Any]) -> Board:
    which = {"cohort_id": membership.cohort_id, "week": membership.week}
    members = session.connection().execute(statements.STANDING, which).all()
    rows = [row for row in members if row.placed]
    places = rules.ranks([row.xp for row in rows])
    return Board(
        week=membership.week,
        places=tuple(
            Place(rank, row.pseudonym, row.xp, row.lessons, row.user_id == user_id)
            for row, rank in zip(rows, places, strict=True)
        ),
        quest=_quest([row.lessons for row in members]),
        closed=membership.closed_at is not None,
    )


def _quest(done: Sequence[int]) -> Quest:
    target = rules.quest_target(len(done))
    return Quest(len(done), sum(done), target, rules.QUEST_COINS, rules.quest_reached(done))

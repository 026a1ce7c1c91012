"""Earning badges: which are due by the facts, granting them once, and granting them after the fact."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import text

from codyverse.accounts.game_days import game_date_for
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.events import publish
from codyverse.gamification.badge_catalogue import Badge, badges
from codyverse.gamification.badge_facts import Counted, read_counts
from codyverse.gamification.events import BadgeEarned
from codyverse.gamification.settlement import Entry, PlayerState, Settlement
from codyverse.gamification.statements import PLAYER
from codyverse.progress.events import DayTotals, LessonCompleted

_NOTHING = DayTotals(**dict.fromkeys((each.name for each in fields(DayTotals)), 0))
_GRANT = text("""
    insert into earned_badges (user_id, badge, earned_at, local_date, attempt_id)
    select :user_id, wanted.badge, :at, :local_date, :attempt_id from unnest(cast(:badges as text[])) as wanted (badge)
    on conflict do nothing
    returning badge
""")
_LEARNERS = text("select user_id from players where user_id > :after order by user_id limit :size")


class _Player(Protocol):
    @property
    def level(self) -> int: ...
    @property
    def best_streak(self) -> int: ...


@dataclass(frozen=True, slots=True)
class BadgeReview:
    """Somebody's badges are looked at anew, without anything having happened."""

    user_id: int
    at: datetime
    local_date: date
    attempt_id: None = None
    day: DayTotals = _NOTHING


@dataclass(frozen=True, slots=True)
class Granted:
    """A badge that was granted after the fact, or would be."""

    user_id: int
    badge: str
    name: str


def so_far(badge: Badge, counted: Counted, player: _Player) -> int:
    """How far a learner has come towards a badge; it is earned at `badge.at_least`."""
    match badge.count.fact:
        case "best_streak":
            return player.best_streak
        case "level":
            return player.level
        case "badges":
            return len(counted.earned)
        case _:
            return counted.counts[badge.count]


def due(counted: Counted, player: _Player) -> tuple[Badge, ...]:
    """The badges that the facts have earned and that are not granted yet, in the catalogue's order."""
    return tuple(
        badge
        for badge in badges()
        if badge.key not in counted.earned and so_far(badge, counted, player) >= badge.at_least
    )


def grant_due(settlement: Settlement) -> None:
    """An effect: grant what is due by now and pay it, XP and coins. Source of both: the badge.

    The facts are counted once for a settlement; what a grant itself brings (one more badge, XP, a level) is reckoned
    with in the next round. An answer that reached no goal is not looked at: lessons and goals are what counts.
    """
    fact = settlement.fact
    if settlement.moves == 0 and not isinstance(fact, LessonCompleted | BadgeReview):
        return
    if settlement.counted is None:
        day = fact.local_date if fact.attempt_id is not None else None
        settlement.counted = read_counts(fact.user_id, fact.attempt_id, day)
    found = due(settlement.counted, settlement.player)
    if found:
        _grant(settlement, settlement.counted, found)


def _grant(settlement: Settlement, counted: Counted, found: tuple[Badge, ...]) -> None:
    fact = settlement.fact
    values = {
        "user_id": fact.user_id,
        "at": fact.at,
        "local_date": fact.local_date,
        "attempt_id": fact.attempt_id,
        "badges": [badge.key for badge in found],
    }
    won = set(session.connection().execute(_GRANT, values).scalars())
    for badge in found:
        if badge.key in won:
            details = {"badge": badge.key, "name": badge.name, "says": badge.says}
            source = f"badge:{badge.key}"
            settlement.add(
                Entry("xp", badge.xp, "badge", source, details),
                Entry("coins", badge.coins, "badge", source, details),
            )
            told = (fact.user_id, badge.key, badge.name, badge.rarity, badge.xp, badge.coins)
            settlement.announce(BadgeEarned(*told, fact.at, fact.local_date))
    settlement.counted = Counted(counted.earned | {badge.key for badge in found}, counted.counts)
    settlement.pay()


def learners(size: int = 500) -> Iterator[int]:
    """Everybody who plays, read in batches."""
    after = 0
    while batch := list(session.connection().execute(_LEARNERS, {"after": after, "size": size}).scalars()):
        yield from batch
        after = batch[-1]


def sync_badges(user_id: int) -> tuple[Granted, ...]:
    """Grant a learner what the facts have earned already: for badges that are new, or easier than they were.

    Locks the learner only if there is something to grant. A second call grants nothing.
    """
    before = read_counts(user_id)
    row = session.connection().execute(PLAYER, {"user_id": user_id}).one_or_none()
    if row is None or not due(before, PlayerState(*row)):
        return ()
    at = now()
    publish(BadgeReview(user_id, at, game_date_for(user_id, at)))
    granted = read_counts(user_id).earned - before.earned
    return tuple(Granted(user_id, badge.key, badge.name) for badge in badges() if badge.key in granted)


def would_grant(user_id: int) -> tuple[Granted, ...]:
    """What `sync_badges` would grant this learner now; it is done and undone. The caller must not commit."""
    with session.begin_nested() as attempt:
        granted = sync_badges(user_id)
        attempt.rollback()
    return granted

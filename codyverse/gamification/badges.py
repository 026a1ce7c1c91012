"""Earning badges: which are due by the facts, granting them once, and granting them after the fact."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from operator import attrgetter

from sqlalchemy import text

from codyverse.accounts.game_days import game_date_for
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.events import publish
from codyverse.gamification.badge_catalogue import Badge, Count, badges
from codyverse.gamification.badge_facts import SOURCES, counts_of_lesson, fact_of, read_counts
from codyverse.gamification.events import BadgeEarned, GoalReached
from codyverse.gamification.settlement import Entry, PlayerState, Settlement
from codyverse.gamification.statements import PLAYER
from codyverse.progress.events import DayTotals, LessonCompleted, StepAnswered, StudyTimeGrew

_NOTHING = DayTotals(**dict.fromkeys((each.name for each in fields(DayTotals)), 0))
_LEARNERS = text("select user_id from players where user_id > :after order by user_id limit :size")


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


def so_far(badge: Badge, player: PlayerState, counted: Mapping[Count, int]) -> int:
    """How far a learner has come towards a badge; it is earned at `badge.at_least`. What was not counted is 0."""
    of_player = _OF_PLAYER.get(badge.count.fact)
    return counted.get(badge.count, 0) if of_player is None else of_player(player)


_OF_PLAYER: Mapping[str, Callable[[PlayerState], int]] = {
    "best_streak": attrgetter("best_streak"),
    "days": attrgetter("days_learned"),
    "level": attrgetter("level"),
    "badges": lambda player: len(player.badges),
}


def still_open(player: PlayerState) -> tuple[Badge, ...]:
    """The badges that are not earned yet, in the catalogue's order."""
    return tuple(badge for badge in badges() if badge.key not in player.badges)


def _due(player: PlayerState, counted: Mapping[Count, int]) -> tuple[Badge, ...]:
    """What `so_far` says of all that are open, with the player's own facts read once."""
    own, earned = {fact: read(player) for fact, read in _OF_PLAYER.items()}, player.badges
    due = []
    for badge in badges():
        if badge.key not in earned:
            reached = own.get(badge.count.fact)
            if (counted.get(badge.count, 0) if reached is None else reached) >= badge.at_least:
                due.append(badge)
    return tuple(due)


def countable(some: Iterable[Badge]) -> tuple[Count, ...]:
    """What has to be counted in tables for these badges."""
    return tuple(badge.count for badge in some if fact_of(badge.count).source)


def grant_due(settlement: Settlement) -> None:
    """An effect: grant what is due by now and pay it, XP and coins. Source of both: the badge.

    Counted is only what this fact can have changed, for badges that are not earned yet, and once for a settlement.
    What a grant itself brings (one more badge, XP, a level) is reckoned with in the next round.
    """
    fact = settlement.fact
    if isinstance(fact, StepAnswered | StudyTimeGrew) and not settlement.heard(GoalReached):
        return
    if settlement.counted is None:
        settlement.counted = _count(settlement)
    if found := _due(settlement.player, settlement.counted):
        _grant(settlement, found)


def _count(settlement: Settlement) -> dict[Count, int]:
    """What can have come nearer by this fact, counted."""
    fact, user_id = settlement.fact, settlement.fact.user_id
    open_badges = still_open(settlement.player)
    if isinstance(fact, LessonCompleted):
        counted = counts_of_lesson(fact, settlement.player.badges)
        touched = {"goals"}
    else:
        counted = {}
        touched = {"days", "goals"} if fact.attempt_id is not None else set(SOURCES)
    if not settlement.full_day and not isinstance(fact, BadgeReview):
        touched.discard("goals")
    if touched:
        day = None if fact.attempt_id is None else fact.local_date
        wanted = [each for each in open_badges if fact_of(each.count).source in touched]
        counted |= read_counts(user_id, countable(wanted), fact.attempt_id, day)
    if settlement.full_day:  # its last goal is marked when all of this is written
        for count in counted:
            counted[count] += fact_of(count).source == "goals"
    return counted


def _grant(settlement: Settlement, found: tuple[Badge, ...]) -> None:
    fact = settlement.fact
    settlement.grant(*(badge.key for badge in found))
    for badge in found:
        details = {"badge": badge.key, "name": badge.name, "says": badge.says}
        source = f"badge:{badge.key}"
        settlement.add(
            Entry("xp", badge.xp, "badge", source, details),
            Entry("coins", badge.coins, "badge", source, details),
        )
        told = (fact.user_id, badge.key, badge.name, badge.rarity, badge.xp, badge.coins)
        settlement.announce(BadgeEarned(*told, fact.at, fact.local_date))


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
    first_look = player_state(user_id)
    if not _due(first_look, read_counts(user_id, countable(still_open(first_look)))):
        return ()
    at = now()
    today = game_date_for(user_id, at)
    before = player_state(user_id)
    publish(BadgeReview(user_id, at, today))
    after = player_state(user_id)
    return tuple(
        Granted(user_id, badge.key, badge.name) for badge in still_open(before) if badge.key in after.badges
    )


def player_state(user_id: int) -> PlayerState:
    """A player's row as it is now; that of a beginner if there is none."""
    row = session.connection().execute(PLAYER, {"user_id": user_id}).one_or_none()
    return (
        PlayerState()
        if row is None
        else PlayerState(**dict(row._mapping) | {"badges": frozenset(row.badges)})
    )


def would_grant(user_id: int) -> tuple[Granted, ...]:
    """What `sync_badges` would grant this learner now; it is done and undone. The caller must not commit."""
    with session.begin_nested() as attempt:
        session.connection()  # the savepoint is made now, also for what is written past the session
        granted = sync_badges(user_id)
        attempt.rollback()
    return granted

"""Proof and repair: what players keep, against what the ledger and the study days say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, text

from codyverse.core.database import session
from codyverse.gamification import rules
from codyverse.gamification.numbers import numbers
from codyverse.gamification.settlement import STREAK_COLUMNS, streak_columns
from codyverse.gamification.streak_care import FACT_COLUMNS, facts_in

BATCH = 500
_ALL = {"until": date.max}
_FIELDS = ("xp", "coins", "gems", "level", *STREAK_COLUMNS)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that does not agree, in words and by value. `what` is a player's field, an entry's or a fact's source."""

    user_id: int
    what: str
    stored: str
    derived: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a rebuild set anew on one player."""

    user_id: int
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RebuildBatch:
    """One batch of a rebuild. `last_user_id` is None when there was nobody left."""

    last_user_id: int | None
    players: int
    changes: tuple[Change, ...]


_PLAYERS = f"""
    select users.id as user_id, player.user_id is not null as exists,
           player.xp, player.coins, player.gems, player.level, {", ".join(f"player.{name}" for name in STREAK_COLUMNS)},
           sums.xp as xp_sum, sums.coins as coins_sum, sums.gems as gems_sum, {FACT_COLUMNS}
    from users
    left join players as player on player.user_id = users.id
    cross join lateral (
        select coalesce(sum(amount) filter (where currency = 'xp'), 0) as xp,
               coalesce(sum(amount) filter (where currency = 'coins'), 0) as coins,
               coalesce(sum(amount) filter (where currency = 'gems'), 0) as gems
        from ledger_entries where ledger_entries.user_id = users.id
    ) as sums
"""  # noqa: S608 - only the columns above
_NEXT_PLAYERS = text(f"{_PLAYERS} where users.id > :after order by users.id limit :size")
_THESE_PLAYERS = text(f"{_PLAYERS} where users.id = any(:ids) order by users.id")
"""A player's row beside everything that it is derived from. One statement, so one moment in time for each batch."""

_LOCK = text("select id from users where id > :after order by id limit :size for no key update")

_PUT = text(f"""
    insert into players (user_id, {", ".join(_FIELDS)})
    values (:user_id, {", ".join(f":{name}" for name in _FIELDS)})
    on conflict (user_id) do update set {", ".join(f"{name} = excluded.{name}" for name in _FIELDS)}
""")  # noqa: S608 - only the columns above

_COMPLETION_UNPAID = text("""
    select distinct done.user_id, 'lesson:' || done.lesson_id as source
    from lesson_progress as done cross join unnest(cast(:paid as text[])) as paid (currency)
    where not exists (
        select from ledger_entries as entry
        where entry.user_id = done.user_id and entry.rule = 'lesson' and entry.source = 'lesson:' || done.lesson_id
            and entry.currency = paid.currency
    ) order by 1, 2
""")
_PAID_UNCOMPLETED = text("""
    select distinct entry.user_id, entry.source from ledger_entries as entry
    where entry.rule = 'lesson' and not exists (
        select from lesson_progress as done
        where done.user_id = entry.user_id and 'lesson:' || done.lesson_id = entry.source
    ) order by 1, 2
""")
_STANDING_UNTRUE = text("""
    select done.user_id, 'lesson:' || done.lesson_id as source from lesson_progress as done
    left join (
        select user_id, lesson_id, count(*) as times, max(score) as best from attempts
        where completed_at is not null group by user_id, lesson_id
    ) as finished on finished.user_id = done.user_id and finished.lesson_id = done.lesson_id
    where (done.completions, done.best_score) is distinct from (finished.times, finished.best) order by 1, 2
""")
_PAID_NOT_AGAIN = text("""
    select entry.user_id, entry.source from ledger_entries as entry
    where entry.rule = 'lesson_again' and not exists (
        select from attempts as attempt
        where attempt.id = entry.attempt_id and attempt.user_id = entry.user_id and attempt.completed_at is not null
            and 'attempt:' || attempt.id = entry.source
    ) order by 1, 2
""")
_GOAL_UNPAID = text("""
    select goal.user_id, 'goal:' || goal.local_date || ':' || goal.slot as source from daily_goals as goal
    where goal.reached_at is not null and goal.coins <> 0 and not exists (
        select from ledger_entries as entry
        where entry.user_id = goal.user_id and entry.currency = 'coins' and entry.rule = 'goal'
            and entry.source = 'goal:' || goal.local_date || ':' || goal.slot
    ) order by 1, 2
""")
_PAID_UNREACHED = text("""
    select entry.user_id, entry.source from ledger_entries as entry
    where entry.rule = 'goal' and not exists (
        select from daily_goals as goal
        where goal.user_id = entry.user_id and goal.reached_at is not null
            and 'goal:' || goal.local_date || ':' || goal.slot = entry.source
    ) order by 1, 2
""")

_PURCHASE_UNPAID = text("""
    select bought.user_id, 'purchase:' || bought.id as source from purchases as bought
    where not exists (
        select from ledger_entries as entry
        where entry.user_id = bought.user_id and entry.currency = bought.currency and entry.rule = 'purchase'
            and entry.source = 'purchase:' || bought.id and entry.amount = -bought.price
    ) order by 1, 2
""")
_PAID_UNBOUGHT = text("""
    select entry.user_id, entry.source from ledger_entries as entry
    where entry.rule = 'purchase' and not exists (
        select from purchases as bought
        where bought.user_id = entry.user_id and 'purchase:' || bought.id = entry.source
    ) order by 1, 2
""")
_REPAIRED_UNSTUDIED = text("""
    select repair.user_id, 'repair:' || repair.missed_date as source from streak_repairs as repair
    where not exists (
        select from activity_days as day
        where day.user_id = repair.user_id and day.local_date = repair.local_date and day.lessons >= :lessons
    ) or exists (
        select from activity_days as day
        where day.user_id = repair.user_id and day.local_date = repair.missed_date and day.lessons > 0
    ) order by 1, 2
""")
_WORN_UNBOUGHT = text("""
    select player.user_id, worn.item as source
    from players as player
    cross join lateral (values (player.outfit), (player.world)) as worn (item)
    where worn.item is not null and not exists (
        select from purchases as bought where bought.user_id = player.user_id and bought.item = worn.item
    ) order by 1, 2
""")


_BADGE_UNPAID = text("""
    select earned.user_id, 'badge:' || earned.badge as source from earned_badges as earned
    where not exists (
        select from ledger_entries as entry
        where entry.user_id = earned.user_id and entry.rule = 'badge' and entry.source = 'badge:' || earned.badge
    ) order by 1, 2
""")
_PAID_UNEARNED = text("""
    select distinct entry.user_id, entry.source from ledger_entries as entry
    where entry.rule = 'badge' and not exists (
        select from earned_badges as earned
        where earned.user_id = entry.user_id and 'badge:' || earned.badge = entry.source
    ) order by 1, 2
""")


_FACTS = (
    (_COMPLETION_UNPAID, "a finished lesson", "no entry for it"),
    (_PAID_UNCOMPLETED, "an entry for a lesson", "the lesson is not finished"),
    (
        _STANDING_UNTRUE,
        "times and best score of a lesson",
        "its finished attempts, reported ones among them, differ",
    ),
    (_PAID_NOT_AGAIN, "an entry for a lesson done again", "there is no such finished attempt"),
    (_GOAL_UNPAID, "a reached goal", "no entry for it"),
    (_PAID_UNREACHED, "an entry for a goal", "the goal is not reached"),
    (_PURCHASE_UNPAID, "something bought", "no entry for its price"),
    (_PAID_UNBOUGHT, "an entry for something bought", "it was not bought"),
    (_REPAIRED_UNSTUDIED, "a repaired day", "a missed day, and a second lesson for it"),
    (_BADGE_UNPAID, "an earned badge", "no entry for it"),
    (_PAID_UNEARNED, "an entry for a badge", "the badge is not earned"),
    (_WORN_UNBOUGHT, "something worn", "it was not bought"),
)
_OF_ONE = {
    statement: text(f"select user_id, source from ({statement.text}) as found where user_id = :whose")  # noqa: S608
    for statement, _, _ in _FACTS
}
"""The same, asked about one learner."""


def verify_ledger(whose: int | None = None) -> tuple[Difference, ...]:
    """Everything that does not agree; empty when all is well. Reads only, and takes no locks, so it may run at any time.

    Of all learners, or of the one with the id `whose`.

    Proved: players' sums = their entries, level = f(XP), streak and freezes = f(study days, purchases, repairs, zones),
    each finished lesson, reached goal and purchase has its entry, and each such entry its fact; a lesson's standing = its
    finished attempts, those that were done here and those that were reported.
    """
    players = _all_players() if whose is None else _these_players(whose)
    found = [difference for row in players for difference in _differences(row)]
    bases = {"xp": numbers().base_xp, "coins": numbers().base_coins}
    paid = [currency for currency, base in bases.items() if min(base.values()) > 0]
    given: dict[Any, dict[str, Any]] = {
        _COMPLETION_UNPAID: {"paid": paid},
        _REPAIRED_UNSTUDIED: {"lessons": numbers().repair_lessons},
    }
    for statement, stored, derived in _FACTS:
        values = given.get(statement, {})
        if whose is None:
            rows = session.connection().execute(statement, values)
        else:
            rows = session.connection().execute(_OF_ONE[statement], values | {"whose": whose})
        found.extend(Difference(row.user_id, row.source, stored, derived) for row in rows)
    return tuple(found)


def rebuild_batch(after: int = 0, size: int = BATCH) -> RebuildBatch:
    """Derive the next players (user ids above `after`) anew from the ledger and the study days, and set what differs.

    Locks these learners, as every write about them does, until the transaction ends; so commit after each batch. The
    ledger itself is never touched. A second run changes nothing.
    """
    connection = session.connection()
    ids = list(connection.execute(_LOCK, {"after": after, "size": size}).scalars())
    if not ids:
        return RebuildBatch(None, 0, ())
    changes: list[Change] = []
    for row in connection.execute(_THESE_PLAYERS, {"ids": ids, **_ALL}).all():
        derived = _derived(row)
        different = [name for name in _FIELDS if not row.exists or getattr(row, name) != derived[name]]
        if different and min(derived["xp"], derived["coins"], derived["gems"]) >= 0:
            connection.execute(_PUT, {"user_id": row.user_id, **derived})
            changes += [
                Change(row.user_id, name, str(getattr(row, name)), str(derived[name])) for name in different
            ]
    return RebuildBatch(ids[-1], len(ids), tuple(changes))


def rebuild_ledger() -> int:
    """All batches in the caller's one transaction; how many players were changed. For small sites and tests."""
    changed: set[int] = set()
    after: int | None = 0
    while after is not None:
        batch = rebuild_batch(after)
        changed |= {change.user_id for change in batch.changes}
        after = batch.last_user_id
    return len(changed)


def _all_players() -> Iterator[Row[*tuple[Any, ...]]]:
    after = 0
    while rows := session.connection().execute(_NEXT_PLAYERS, {"after": after, "size": BATCH, **_ALL}).all():
        yield from rows
        after = rows[-1].user_id


def _these_players(*ids: int) -> Sequence[Row[*tuple[Any, ...]]]:
    return session.connection().execute(_THESE_PLAYERS, {"ids": list(ids), **_ALL}).all()


def _derived(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """What a player's row should be."""
    # The row keeps the last run as it ended; whether it is still alive is decided when it is shown.
    xp = int(row.xp_sum)
    return {
        "xp": xp,
        "coins": int(row.coins_sum),
        "gems": int(row.gems_sum),
        "level": rules.level_of(xp, numbers()),
        **streak_columns(facts_in(row).course().streak),
    }


def _differences(row: Row[*tuple[Any, ...]]) -> Iterator[Difference]:
    derived = _derived(row)
    if not row.exists:
        yield Difference(row.user_id, "player", "no row", "a row for every account")
        return
    for name in _FIELDS:
        stored = getattr(row, name)
        if stored != derived[name]:
            yield Difference(row.user_id, name, str(stored), str(derived[name]))

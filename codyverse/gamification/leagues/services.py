"""Writes of the leagues: join, leave, close a week. Add and flush, never commit."""

import random
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from codyverse.accounts.game_days import game_date_for
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.locks import lock_key
from codyverse.gamification.leagues import models, rules, statements
from codyverse.gamification.leagues.events import LeagueClosed
from codyverse.gamification.settlement import Entry, Settlement
from codyverse.progress.events import DayTotals

TABLES = (models.LeagueCohort, models.LeagueMember)
_LOCK_WEEK = text("select pg_advisory_xact_lock(:key)")
NOTHING = DayTotals(**dict.fromkeys(DayTotals.__dataclass_fields__, 0))


@dataclass(frozen=True, slots=True)
class WeekPaid:
    """A member's week is settled: a fact like a lesson, but of no attempt and of no study."""

    user_id: int
    at: datetime
    local_date: date
    day: DayTotals = NOTHING
    attempt_id: int | None = None


def league(settlement: Settlement) -> None:
    """An effect: the week's first lesson XP of somebody who wants leagues puts them into the first cohort with room."""
    fact = settlement.fact
    if settlement.earned_xp:
        join(fact.user_id, rules.week_of(fact.local_date), fact.at)


def join(user_id: int, week: date, at: datetime) -> None:
    """Put a learner who wants leagues into a cohort of this week. Again is harmless.

    Who joins takes the week's lock until the end of the transaction, so that cohorts fill one after another and never
    beyond thirty.
    """
    whose = {"user_id": user_id, "week": week}
    connection = session.connection()
    if not connection.execute(statements.WANTS_IN, whose).scalar():
        return
    connection.execute(_LOCK_WEEK, {"key": lock_key(f"league:{week}")})
    cohort_id = connection.execute(statements.ROOM, {"week": week}).scalar()
    if cohort_id is None:
        cohort_id = connection.execute(statements.OPEN_COHORT, {"week": week}).scalar_one()
    taken = set(connection.execute(statements.TAKEN, {"cohort_id": cohort_id}).scalars())
    name = rules.pseudonym(taken, random.SystemRandom())
    connection.execute(statements.JOIN, whose | {"cohort_id": cohort_id, "pseudonym": name, "at": at})


def leave(user_id: int) -> None:
    """Take a learner off the boards that are still open. Their place stays theirs if they come back. Again is harmless."""
    session.connection().execute(statements.LEAVE, {"user_id": user_id, "at": now()})


def come_back(user_id: int) -> None:
    """Put a learner who had left back on the board of this week. Again is harmless."""
    session.connection().execute(statements.RETURN, {"user_id": user_id})


def due_cohorts(at: datetime) -> list[int]:
    """The cohorts whose week is over everywhere and that are not closed yet, oldest first."""
    week = rules.week_of(at.date())
    while rules.over_everywhere(week) > at:
        week -= rules.WEEK
    return list(session.connection().execute(statements.DUE_COHORTS, {"last_over": week}).scalars())


def close_cohort(cohort_id: int) -> bool:
    """Fix the result of one cohort: ranks, XP, lessons, whether the quest was reached. False if it was closed already.

    Nothing can change it afterwards, for the week is over for everybody in it; so a run that was killed is repeated
    with the same result.
    """
    connection = session.connection()
    cohort = connection.execute(statements.LOCK_COHORT, {"cohort_id": cohort_id}).one_or_none()
    if cohort is None:
        return False
    members = connection.execute(statements.STANDING, {"cohort_id": cohort_id}).all()
    places = rules.ranks([member.xp for member in members])
    for member, rank in zip(members, places, strict=True):
        result = {
            "user_id": member.user_id,
            "week": cohort.week,
            "rank": rank,
            "xp": member.xp,
            "lessons": member.lessons,
        }
        connection.execute(statements.KEEP_RESULT, result)
    lessons = sum(member.lessons for member in members)
    reached = bool(members) and lessons >= rules.quest_target(len(members))
    outcome = {"cohort_id": cohort_id, "at": now(), "lessons": lessons, "reached": reached}
    connection.execute(statements.CLOSE, outcome)
    return True


def due_members() -> list[tuple[int, date]]:
    """The members of closed cohorts (user id, week) that have not been told and paid yet."""
    return [(row.user_id, row.week) for row in session.connection().execute(statements.DUE_MEMBERS)]


def settle_member(user_id: int, week: date) -> bool:
    """Pay a member's share of the quest and publish the result, once; False if that has happened already."""
    at = now()
    local_date = game_date_for(user_id, at)
    taken = {"user_id": user_id, "week": week, "at": at}
    row = session.connection().execute(statements.TAKE_MEMBER, taken).one_or_none()
    if row is None:
        return False
    settlement = Settlement(WeekPaid(user_id, at, local_date))
    coins = rules.QUEST_COINS if row.quest_reached and row.lessons > 0 else 0
    settlement.add(
        Entry("coins", coins, "quest", f"quest:{week}", {"week": str(week), "members": row.members})
    )
    news = LeagueClosed(
        user_id, week, row.rank, row.members, row.xp, bool(row.quest_reached), coins, at, local_date
    )
    settlement.announce(news)
    settlement.close()
    return True

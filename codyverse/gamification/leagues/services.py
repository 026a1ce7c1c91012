"""Writes of the leagues: join, leave, close a week. Add and flush, never commit."""

import random
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from codyverse.accounts.game_days import game_date_for
from codyverse.accounts.services import choose_leagues
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
    if settlement.earned_xp and settlement.known.joins:
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


def choose(user_id: int, *, wanted: bool) -> bool:
    """Opt into the leagues, or out; whether the learner then stands on the board of their week. Again is harmless.

    Who opts out leaves the running week only: a week that is over is theirs, closed or not. Who opts in again in the
    same week has their place back.
    """
    at = now()
    week = rules.week_of(game_date_for(user_id, at))
    choose_leagues(user_id, wanted=wanted)
    whose = {"user_id": user_id, "week": week}
    if wanted:
        return session.connection().execute(statements.RETURN, whose).rowcount > 0
    session.connection().execute(statements.LEAVE, whose | {"at": at})
    return False


def due_cohorts(at: datetime) -> list[int]:
    """The cohorts whose week is over everywhere and that are not closed yet, oldest first."""
    week = rules.week_of(at.date())
    while rules.over_everywhere(week) > at:
        week -= rules.WEEK
    return list(session.connection().execute(statements.DUE_COHORTS, {"last_over": week}).scalars())


def close_cohort(cohort_id: int) -> bool:
    """Fix the result of one cohort: ranks, XP, lessons, whether the quest was reached. False if it was closed already.

    Who left gets no rank; their lessons are kept all the same, for the quest.
    Nothing can change it afterwards, for the week is over for everybody in it; so a run that was killed is repeated
    with the same result.
    """
    connection = session.connection()
    cohort = connection.execute(statements.LOCK_COHORT, {"cohort_id": cohort_id}).one_or_none()
    if cohort is None:
        return False
    which = {"cohort_id": cohort_id, "week": cohort.week}
    members = connection.execute(statements.STANDING, which).all()
    placed = [member for member in members if member.placed]
    ranks = rules.ranks([member.xp for member in placed])
    results = {member.user_id: (rank, member.xp) for member, rank in zip(placed, ranks, strict=True)}
    for member in members:
        rank, xp = results.get(member.user_id, (None, None))
        whose = {"user_id": member.user_id, "week": cohort.week}
        result = {"rank": rank, "xp": xp, "lessons": member.lessons}
        connection.execute(statements.KEEP_RESULT, whose | result)
    done = [member.lessons for member in members]
    outcome = {"at": now(), "lessons": sum(done), "reached": rules.quest_reached(done)}
    connection.execute(statements.CLOSE, {"cohort_id": cohort_id} | outcome)
    return True


def due_members() -> list[tuple[int, date]]:
    """The members of closed cohorts (user id, week) that have not been told and paid yet."""
    return [(row.user_id, row.week) for row in session.connection().execute(statements.DUE_MEMBERS)]


def settle_member(user_id: int, week: date) -> bool:
    """Pay a member's share of the quest and publish the result, once; False if that has happened already.

    Who left the week has no result to hear of, but is paid like everybody.
    """
    at = now()
    local_date = game_date_for(user_id, at)
    taken = {"user_id": user_id, "week": week, "at": at}
    row = session.connection().execute(statements.TAKE_MEMBER, taken).one_or_none()
    if row is None:
        return False
    settlement = Settlement(WeekPaid(user_id, at, local_date))
    coins = rules.QUEST_COINS if row.quest_reached and row.lessons > 0 else 0
    ranked, together = row.members
    if not row.paid:
        settlement.add(
            Entry("coins", coins, "quest", f"quest:{week}", {"week": str(week), "members": together})
        )
    if row.rank is not None:
        result = (row.rank, ranked, row.xp, bool(row.quest_reached))
        settlement.announce(LeagueClosed(user_id, week, *result, coins, at, local_date))
    settlement.close()
    return True

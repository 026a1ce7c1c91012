"""A week of farming against a week of learning: every trick at once brings no more than the same lessons bring anybody.

What may be had at most, for lessons finished and real days passed:

- a lesson: what its best score and its whole estimate pay, once; a bad first time mended later is no more than that;
- a day: the coins of three goals, and one gem when all three are reached;
- the streak: a day for each real day. Real days are those of somebody who stays where they are, whose day begins
  where it suits them best; so many dates and no more can be worked on, wherever the farmer says that they live.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import partial
from itertools import pairwise

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from codyverse.accounts import services as accounts
from codyverse.accounts.rules import OWED, Reckoning, ShortDays, owed_until, stamped_date
from codyverse.core.clock import now, standing_at
from codyverse.core.database import db, session, unit_of_work
from codyverse.core.errors import DomainError
from codyverse.gamification import badge_catalogue, queries, rules, services
from codyverse.gamification.models import LedgerEntry
from codyverse.gamification.streaks import StreakFacts, replay
from codyverse.progress import services as study
from codyverse.progress.models import Attempt
from tests.domains.study import (
    Plan,
    answer,
    answer_all,
    asking,
    complete,
    do_lesson,
    make_course,
    start,
    steps_of,
)
from tests.domains.together import together
from tests.factories import make_user

MONDAY = datetime(2026, 6, 15, 9, tzinfo=UTC)
DAYS = 7
LESSONS = 8
PLACES = ("Etc/GMT+12", "Pacific/Pago_Pago", "America/St_Johns", "UTC", "Asia/Tokyo", "Pacific/Kiritimati")
PLANS = [
    Plan(asks=3 + number % 3, difficulty=difficulty, minutes=5 + number)
    for number, difficulty in zip(
        range(LESSONS), ["beginner", "intermediate", "advanced"] * LESSONS, strict=False
    )
]


def most_of_a_lesson(plan: Plan) -> tuple[int, int]:
    """XP and coins of a lesson done without a mistake in all of its time."""
    what = (plan.difficulty, plan.minutes * 60, Fraction(100))
    return rules.lesson_xp(*what), rules.lesson_coins(*what)


def sums(who: int) -> Counter[tuple[str, str]]:
    """What was earned, by currency and rule; doing a lesson again belongs to the lesson."""
    found: Counter[tuple[str, str]] = Counter()
    for entry in session.scalars(select(LedgerEntry).where(LedgerEntry.user_id == who)):
        found[entry.currency, entry.rule.removesuffix("_again")] += entry.amount
    return found


def dates(who: int) -> list[date]:
    worked = text("select local_date from activity_days where user_id = :who and lessons > 0 order by 1")
    return list(session.execute(worked, {"who": who}).scalars())


@dataclass
class Farmer:
    """Does everything that might pay twice. `at` is the farmer's moment; a refusal is no reason to stop."""

    app: Flask
    who: int
    lessons: list[int]
    dice: random.Random
    at: datetime = MONDAY
    nonces: list[str] = field(default_factory=list)

    def attempt(self, act) -> None:
        with standing_at(self.at):
            try:
                act()
            except DomainError:
                session.rollback()

    def waits(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)

    def sloppy_first(self, lesson: int) -> None:
        """Wrong on purpose, then once more for the better score, then for nothing; each sent twice."""
        asks = PLANS[self.lessons.index(lesson)].asks
        for wrong in (asks, 1, 0, 0):
            attempt_id = start(self.who, lesson)
            for number, step in enumerate(asking(attempt_id)):
                for _ in range(2):
                    self.attempt(partial(answer, self.who, attempt_id, step, right=number >= wrong))
                self.attempt(partial(answer, self.who, attempt_id, step, right=True, try_no=2))
                for try_no in (3, 4):
                    self.attempt(partial(answer, self.who, attempt_id, step, right=True, try_no=try_no))
            for _ in range(3):
                self.attempt(partial(complete, self.who, attempt_id))
            self.waits(1)

    def stretched(self, lessons: list[int]) -> None:
        """Many lessons open at once, hints and drafts in each of them for the minutes, left and opened again."""
        attempts = [start(self.who, lesson) for lesson in lessons]
        for _ in range(6):
            self.waits(119)
            for attempt_id, lesson in zip(attempts, lessons, strict=True):
                assert start(self.who, lesson) == attempt_id
                for step in asking(attempt_id):
                    self.attempt(partial(self._fuss, attempt_id, step.step_id))
        for attempt_id in attempts:
            for step in steps_of(attempt_id):
                if not step.asks:
                    self.attempt(partial(self._read, attempt_id, step.step_id))
            self.attempt(partial(answer_all, self.who, attempt_id))
            self.attempt(partial(complete, self.who, attempt_id))

    def _fuss(self, attempt_id: int, step_id: int) -> None:
        with unit_of_work():
            for number in (1, 1):
                study.take_hint(self.who, attempt_id, step_id, number)
            study.save_draft(self.who, attempt_id, step_id, str(self.dice.random()))

    def _read(self, attempt_id: int, step_id: int) -> None:
        with unit_of_work():
            study.finish_teaching(self.who, attempt_id, step_id)

    def moves(self) -> None:
        """To another place, with another start of the day; and other goals, several times."""
        for _ in range(2):
            place, hour = self.dice.choice(PLACES), self.dice.choice([0, 3, 4, 12, 23])
            self.attempt(partial(self._move, place, hour))
            for intensity in ("casual", "serious", "regular"):
                self.attempt(partial(self._wants, intensity))

    def _move(self, place: str, hour: int) -> None:
        with unit_of_work():
            accounts.change_profile(self.who, display_name="Fay", time_zone=place, day_start_hour=hour)

    def _wants(self, intensity: str) -> None:
        with unit_of_work():
            services.keep_todays_goals(self.who)
            accounts.change_goal_intensity(self.who, intensity)

    def hops(self, lesson: int) -> None:
        """From the place where the date is the earliest to that where it is the latest, with a lesson at each stop."""
        for place, hour in [("Etc/GMT+12", 23), ("UTC", 4), ("Asia/Tokyo", 4), ("Pacific/Kiritimati", 0)]:
            self.attempt(partial(self._move, place, hour))
            self.attempt(partial(do_lesson, self.who, lesson))
            self.waits(1)

    def in_many_tabs(self, lesson: int) -> None:
        """Everything of one lesson from six tabs at once."""
        moment = self.at
        db.session.remove()

        def tab() -> None:
            with standing_at(moment):
                attempt_id = start(self.who, lesson)
                for step in asking(attempt_id):
                    answer(self.who, attempt_id, step)
                for _ in range(2):
                    complete(self.who, attempt_id)

        together(self.app, [tab] * 6)
        db.session.remove()


def a_week_of_farming(app: Flask, lessons: list[int], seed: int, days: int = DAYS) -> int:
    with standing_at(MONDAY):
        who = make_user(name="Fay", time_zone="Etc/GMT+12")
    farmer = Farmer(app, who, lessons, random.Random(seed))
    for day in range(days):
        farmer.at = MONDAY + timedelta(days=day)
        farmer.hops(lessons[day])
        farmer.sloppy_first(lessons[day])
        farmer.stretched([lessons[day], lessons[(day + 1) % LESSONS], lessons[-1]])
        farmer.moves()
        farmer.in_many_tabs(lessons[day])
        farmer.at -= timedelta(hours=2)
        farmer.sloppy_first(lessons[0])
        farmer.at += timedelta(hours=2)
        farmer.hops(lessons[0])
    return who


def a_week_of_learning(lessons: list[int]) -> int:
    """The same lessons on the same days, one or two a day, with time and without a mistake, at home."""
    with standing_at(MONDAY):
        who = make_user(name="Hope")
        with unit_of_work():
            accounts.change_goal_intensity(who, "serious")
    for day in range(DAYS):
        todays = lessons[day : day + 1] if day < DAYS - 1 else lessons[day:]
        at = MONDAY + timedelta(days=day)
        for lesson in todays:
            at = _with_time(who, lesson, PLANS[lessons.index(lesson)], at)
        for lesson in lessons[: 3 - len(todays)] if day >= 3 else []:
            at = _with_time(who, lesson, PLANS[lessons.index(lesson)], at)
    return who


def _with_time(who: int, lesson: int, plan: Plan, at: datetime) -> datetime:
    with standing_at(at):
        attempt_id = start(who, lesson)
    steps = asking(attempt_id)
    for step in [*steps, *steps, *steps]:
        at += timedelta(minutes=2)
        with standing_at(at), unit_of_work():
            study.save_draft(who, attempt_id, step.step_id, str(at))
    with standing_at(at):
        answer_all(who, attempt_id)
        complete(who, attempt_id)
    return at + timedelta(minutes=1)


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.drill), pytest.param(3, marks=pytest.mark.drill)]
)
def test_a_week_of_farming_brings_no_more_than_a_week_of_learning(
    committed_app: Flask, no_badges: None, seed: int
) -> None:
    with standing_at(MONDAY - timedelta(days=1)):
        lessons = make_course(*PLANS)
    farmer, learner = a_week_of_farming(committed_app, lessons, seed), a_week_of_learning(lessons)
    farmed, earned = sums(farmer), sums(learner)
    most = [most_of_a_lesson(plan) for plan in PLANS]
    assert earned["xp", "lesson"] == sum(xp for xp, _ in most)
    assert earned["coins", "lesson"] == sum(coins for _, coins in most)
    assert farmed["xp", "lesson"] <= earned["xp", "lesson"]
    assert farmed["coins", "lesson"] <= earned["coins", "lesson"]
    assert farmed["xp", "badge"] == 0
    assert farmed["gems", "level"] <= earned["gems", "level"]
    goal_coins = max(rules.DEFAULTS.goal_coins.values())
    assert farmed["coins", "goal"] <= DAYS * rules.GOAL_SLOTS * goal_coins
    assert farmed["gems", "all_goals"] <= DAYS
    assert len(dates(farmer)) <= len(dates(learner)) == DAYS
    with standing_at(MONDAY + timedelta(days=DAYS - 1, hours=3)):
        standing = queries.player(farmer, now())
    assert standing.best_streak <= DAYS
    assert services.verify_ledger() == ()


def test_the_farmers_badges_are_paid_once_each(committed_app: Flask) -> None:
    with standing_at(MONDAY - timedelta(days=1)):
        lessons = make_course(*PLANS)
    who = a_week_of_farming(committed_app, lessons, 3, days=3)
    paid = Counter(
        (entry.currency, entry.source)
        for entry in session.scalars(
            select(LedgerEntry).where(LedgerEntry.user_id == who, LedgerEntry.rule == "badge")
        )
    )
    assert paid
    assert set(paid.values()) == {1}
    known = {badge.key: badge for badge in badge_catalogue.badges()}
    farmed = sums(who)
    mine = {known[source.removeprefix("badge:")] for _, source in paid}
    assert farmed["xp", "badge"] == sum(badge.xp for badge in mine)
    assert services.verify_ledger() == ()


def test_time_in_many_tabs_pays_no_lesson_more_than_its_estimate(app: Flask, no_badges: None) -> None:
    lessons = make_course(*PLANS)
    who = make_user()
    farmer = Farmer(app, who, lessons, random.Random(5))
    for _ in range(3):
        farmer.stretched(lessons)
    rows = session.execute(select(Attempt.lesson_id, Attempt.seconds).where(Attempt.user_id == who))
    for lesson, seconds in rows:
        assert seconds <= PLANS[lessons.index(lesson)].minutes * 60
    assert sums(who)["xp", "lesson"] <= sum(most_of_a_lesson(plan)[0] for plan in PLANS)


def test_lessons_open_side_by_side_bring_no_more_minutes_than_one(app: Flask, no_badges: None) -> None:
    """Half an hour in eight lessons at once is half an hour: of the day, of its goals, of what the lessons pay."""
    lessons = make_course(*PLANS)
    who = make_user()
    with standing_at(MONDAY):
        attempts = [start(who, lesson) for lesson in lessons]
    for minutes in range(2, 31, 2):
        for seconds, attempt_id in enumerate(attempts):
            with standing_at(MONDAY + timedelta(minutes=minutes, seconds=seconds)), unit_of_work():
                step = asking(attempt_id)[0]
                study.save_draft(who, attempt_id, step.step_id, f"{minutes}")
    counted = session.scalars(select(Attempt.seconds).where(Attempt.user_id == who)).all()
    day = text("select seconds from activity_days where user_id = :who")
    passed = 30 * 60 + len(lessons) - 1
    assert sum(counted) == session.scalars(day, {"who": who}).one() <= passed


def test_going_from_one_lesson_to_another_loses_no_time(app: Flask, no_badges: None) -> None:
    """What an honest learner spends in two lessons by turns counts whole, in the lesson where it was spent."""
    lessons = make_course(*PLANS[:2])
    who = make_user()
    with standing_at(MONDAY):
        attempts = [start(who, lesson) for lesson in lessons]
    for turn in range(1, 7):
        attempt_id = attempts[turn % 2]
        with standing_at(MONDAY + timedelta(minutes=turn)), unit_of_work():
            study.save_draft(who, attempt_id, asking(attempt_id)[0].step_id, f"{turn}")
    counted = select(Attempt.seconds).where(Attempt.user_id == who).order_by(Attempt.id)
    assert session.scalars(counted).all() == [180, 180]


scores = st.integers(1, 12).flatmap(
    lambda asked: st.lists(
        st.integers(0, asked).map(lambda right: Fraction(100 * right, asked)), min_size=1, max_size=6
    )
)


@given(scores, st.integers(1, 30), st.data())
def test_a_bad_first_time_mended_later_is_no_more_than_doing_it_well(
    tries: list[Fraction], minutes: int, data
) -> None:
    """The roundings on the way do not add up to a point more."""
    seconds = data.draw(st.integers(0, minutes * 60))
    xp, best = rules.lesson_xp("beginner", seconds, tries[0]), tries[0]
    for score in tries[1:]:
        xp += rules.improvement_xp(score, best)
        best = max(best, score)
    assert xp <= rules.lesson_xp("beginner", minutes * 60, Fraction(100))


# --- dates ---

journeys = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(PLACES), st.sampled_from([0, 3, 4, 12, 23])),
    max_size=25,
)


@given(journeys)
def test_who_works_all_the_time_has_a_day_for_each_real_day_wherever_they_say_they_are(
    steps: list[tuple[int, str, int]],
) -> None:
    """No date is worked on before the last one had its 23 hours, and none that is passed over breaks the streak.

    They finish a lesson every half hour, and move between two of them.
    """
    at, here = MONDAY, Reckoning(MONDAY, "UTC", 4)
    facts, begun = [here], {date(2026, 6, 15): MONDAY - timedelta(hours=5)}
    last, owed = date(2026, 6, 15), owed_until(date(2026, 6, 15), *here.place)
    for lessons, place, hour in steps:
        for _ in range(lessons):
            at += timedelta(minutes=30)
            today = stamped_date(at, *here.place, last, owed)
            if today != last:
                last, owed = today, owed_until(today, *here.place)
                begun[last] = owed - OWED
        here = Reckoning(at + timedelta(minutes=15), place, hour)
        facts.append(here)
    starts = list(begun.values())
    assert all(later - earlier >= OWED for earlier, later in pairwise(starts))
    assert len(begun) <= 1 + (at - starts[0]) / OWED
    course = replay(StreakFacts(list(begun), bridged=ShortDays(facts)))
    assert course.breaks == ()
    assert course.streak.run == len(begun)


def test_a_lesson_at_every_stop_of_a_journey_round_the_world_is_one_day(
    committed_app: Flask, no_badges: None
) -> None:
    lessons = make_course(*[Plan(asks=1)] * 5)
    with standing_at(MONDAY):
        who = make_user(time_zone="Etc/GMT+12")
    farmer = Farmer(committed_app, who, lessons, random.Random(1))
    for lesson in lessons:
        farmer.hops(lesson)
    assert len(dates(who)) == 1
    assert sums(who)["gems", "all_goals"] <= 1
    farmer.at += timedelta(days=1, hours=1)
    farmer.hops(lessons[0])
    assert len(dates(who)) == 2
    assert queries.player(who, farmer.at).streak == 2
    assert services.verify_ledger() == ()

"""Random histories: lessons, repeats, purchases, journeys, clocks that move, crashes between and within steps.

After every step the sums are what the ledger says, nothing is below nought, and replaying the facts gives the same
streak, freezes, goals and badges as the rows keep.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import event, text

from codyverse.accounts import services as accounts
from codyverse.core.clock import standing_at
from codyverse.core.database import db, session, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.gamification import queries, services, shop
from codyverse.gamification.badges import would_grant
from codyverse.gamification.rules import goal_progress
from codyverse.gamification.shop_catalogue import shelf
from codyverse.notifications import queries as news
from codyverse.notifications.dashboard import own_page
from codyverse.progress import queries as studied
from codyverse.progress import services as study
from tests.domains.study import Plan, asking, make_course
from tests.factories import make_user, principal_of

BEGIN = datetime(2026, 3, 20, 9, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Los_Angeles",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Asia/Kathmandu",
)
LESSONS = 5


class Crash(Exception):
    """The process dies here."""


@contextmanager
def crash_at(statement: int) -> Iterator[None]:
    """Die once, just before the nth statement from now; do nothing if it never comes to it."""
    left = [statement]

    def count(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        if sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            return
        left[0] -= 1
        if left[0] == -1:
            raise Crash

    event.listen(db.engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(db.engine, "before_cursor_execute", count)


class Histories(RuleBasedStateMachine):
    """One learner. `at` is the server's clock, which may be set back a little."""

    lessons: tuple[int, ...] = ()
    lives = False

    @initialize(zone=st.sampled_from(ZONES), rich=st.booleans())
    def register(self, zone: str, rich: bool) -> None:
        self.at = BEGIN
        self.number = 0
        session.remove()
        db.engine.exec_driver_sql("savepoint a_life")
        self.lives = True
        with standing_at(self.at):
            self.who = make_user(time_zone=zone)
        if rich:
            self.earn(900)

    def earn(self, coins: int) -> None:
        """A first balance, so that there is something to spend."""
        with unit_of_work():
            session.execute(
                text(
                    "insert into ledger_entries (user_id, currency, amount, rule, source, local_date, created_at) "
                    "values (:who, 'coins', :coins, 'gift', 'gift', :day, :at)"
                ),
                {"who": self.who, "coins": coins, "day": self.at.date(), "at": self.at},
            )
            services.rebuild_batch(self.who - 1, 1)

    def act(self, do: Callable[[], Any], crash: int | None = None) -> Any:
        """One use case at the clock's time; with `crash`, it dies before that statement, and nothing has happened."""
        with standing_at(self.at):
            if crash is None:
                with unit_of_work():
                    return do()
            try:
                with crash_at(crash), unit_of_work():
                    do()
                    raise Crash
            except Crash:
                return None

    crashes = st.one_of(st.none(), st.none(), st.integers(0, 12))

    @rule(n=st.integers(0, LESSONS - 1), wrong=st.integers(0, 2), stops=st.booleans(), crash=crashes)
    def learn(self, n: int, wrong: int, stops: bool, crash: int | None) -> None:
        """Go through a lesson, or go on with it; stop before the end, or die at its end and send it again."""
        attempt = self.act(lambda: study.start_attempt(self.who, self.lessons[n]))
        for number, step in enumerate(asking(attempt)):
            self.at += timedelta(seconds=40)
            given = step.wrong if number < wrong else step.right
            try:
                self.act(
                    lambda step=step, given=given: study.answer_step(
                        self.who, attempt, step.step_id, 1, given
                    )
                )
            except Conflict:
                continue
        if stops:
            return
        self.act(lambda: study.complete_attempt(self.who, attempt), crash)
        self.act(lambda: study.complete_attempt(self.who, attempt))
        self.act(lambda: study.complete_attempt(self.who, attempt))

    @rule(days=st.integers(2, 8), n=st.integers(0, LESSONS - 1))
    def keep_going(self, days: int, n: int) -> None:
        """Some days in a row, one lesson each."""
        for _ in range(days):
            self.at += timedelta(hours=24)
            self.learn(n, 0, False, None)

    @rule(item=st.sampled_from(shelf()), again=st.booleans(), crash=crashes)
    def buy(self, item: Any, again: bool, crash: int | None) -> None:
        """Buy something that may be too dear, owned or too many; send the form twice, or die over it and send it again."""
        self.number += not again
        nonce = f"nonce-{self.number:04}"
        for dying in (crash, None, None):
            try:
                self.act(lambda: shop.purchase(self.who, item.key, nonce), dying)
            except Conflict:
                continue

    @rule(item=st.sampled_from([each for each in shelf() if each.kind != "freeze"]))
    def wear(self, item: Any) -> None:
        owned = text("select item from purchases where user_id = :who")
        if item.key in session.scalars(owned, {"who": self.who}).all():
            self.act(lambda: shop.wear(self.who, item.kind, item.key))

    @rule(zone=st.sampled_from(ZONES), hour=st.sampled_from([0, 4, 12, 23]), crash=crashes)
    def move(self, zone: str, hour: int, crash: int | None) -> None:
        """Travel, or get up at another hour; today's goals stay."""

        def change() -> None:
            services.keep_todays_goals(self.who)
            accounts.change_profile(self.who, display_name="Ada", time_zone=zone, day_start_hour=hour)

        self.act(change, crash)
        self.at += timedelta(seconds=1)

    @rule(
        intensity=st.sampled_from(["casual", "regular", "serious"]), mode=st.sampled_from(["daily", "weekly"])
    )
    def prefer(self, intensity: str, mode: str) -> None:
        def change() -> None:
            services.keep_todays_goals(self.who)
            accounts.change_preferences(
                self.who, goal_intensity=intensity, hidden=frozenset(), theme="auto", streak_mode=mode
            )

        self.act(change)

    @rule(hours=st.sampled_from([1, 7, 20, 24, 25, 30, 48, 50, 73, 24 * 8]))
    def wait(self, hours: int) -> None:
        self.at += timedelta(hours=hours)

    @rule(minutes=st.sampled_from([1, 90, 60 * 26]))
    def set_back(self, minutes: int) -> None:
        """Somebody sets the server's clock back."""
        self.at -= timedelta(minutes=minutes)

    @rule()
    def look(self) -> None:
        """Look at everything: it changes nothing."""
        before = self.rows()
        with standing_at(self.at):
            self.same_on_the_page(queries.board(self.who, self.at))
            shop.shop(self.who, self.at)
            queries.ledger_page(self.who)
        assert self.rows() == before

    def same_on_the_page(self, board: queries.Board) -> None:
        """The learner's own page reads it all at once, for the date that most people have: it must say the same."""
        shown = own_page(principal_of(self.who), self.at)
        assert shown.board == board
        assert shown.bell == news.bell(self.who, frozenset())
        assert shown.resume == studied.continue_with(self.who)
        assert shown.done == studied.course_progress(self.who)

    def rows(self) -> list[Any]:
        tables = ("players", "ledger_entries", "daily_goals", "purchases", "streak_repairs", "earned_badges")
        found = []
        for table in tables:
            found += session.execute(
                text(f"select * from {table} where user_id = :who"), {"who": self.who}
            ).all()
        return found

    @invariant()
    def sums_are_the_ledger_and_the_streak_is_its_facts(self) -> None:
        assert services.verify_ledger() == ()

    @invariant()
    def nothing_is_below_nought(self) -> None:
        least = text("select min(least(xp, coins, gems, freezes, streak)) from players")
        assert session.scalar(least) is None or session.scalar(least) >= 0
        running = text(
            "select min(balance) from (select sum(amount) over (partition by user_id, currency order by id) as balance "
            "from ledger_entries) as balances"
        )
        assert (session.scalar(running) or 0) >= 0

    @invariant()
    def goals_are_what_the_days_reached(self) -> None:
        rows = session.execute(
            text(
                "select goal.kind, goal.target, goal.reached_at, day.distinct_lessons, day.xp, day.seconds, "
                "day.first_try, day.correct, day.mended from daily_goals as goal "
                "left join activity_days as day using (user_id, local_date) where user_id = :who"
            ),
            {"who": self.who},
        ).mappings()
        for row in rows:
            told = {
                name: row[name] or 0
                for name in ("distinct_lessons", "xp", "seconds", "first_try", "correct", "mended")
            }
            assert (goal_progress(**told)[row["kind"]] >= row["target"]) == (row["reached_at"] is not None), (
                dict(row)
            )

    @invariant()
    def every_level_was_paid(self) -> None:
        level = text("select level from players where user_id = :who")
        paid = text("select count(*) from ledger_entries where user_id = :who and rule = 'level'")
        assert session.scalar(paid, {"who": self.who}) == session.scalar(level, {"who": self.who}) - 1

    def teardown(self) -> None:
        """After one more lesson no badge is owed, and deriving everything anew changes nothing. Then all of it is undone."""
        if not self.lives:
            return
        try:
            self.wait(1)
            self.learn(0, 0, False, None)
            with standing_at(self.at):
                assert would_grant(self.who) == ()
            assert services.rebuild_ledger() == 0
        finally:
            session.remove()
            db.engine.exec_driver_sql("rollback to savepoint a_life")


def machine(lessons: tuple[int, ...]) -> type[Histories]:
    return type("Lives", (Histories,), {"lessons": lessons})


@pytest.mark.parametrize(
    ("examples", "steps"),
    [(8, 20), pytest.param(120, 50, marks=pytest.mark.drill)],
    ids=["a few", "many"],
)
def test_histories(app, time_machine, examples: int, steps: int) -> None:
    with standing_at(BEGIN - timedelta(days=1)):
        plans = [
            Plan(asks=2, minutes=2, difficulty=each) for each in ("beginner", "intermediate", "advanced")
        ]
        lessons = tuple(make_course(*plans, *plans[:2]))
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        print_blob=True,
    )
    run_state_machine_as_test(machine(lessons), settings=chosen)

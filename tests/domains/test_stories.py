"""Stories: lived in memory they leave the very rows that the same lives leave when the services are called one by one."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import services as accounts
from codyverse.core.clock import now, standing_at
from codyverse.core.database import session, unit_of_work
from codyverse.notifications import services as notifications
from codyverse.progress import reports, services
from codyverse.progress.rehearsal import solution
from codyverse.stories import loading, plot
from codyverse.stories.library import Lesson, read_library
from codyverse.stories.rows import COLUMNS
from codyverse.stories.telling import Tale
from tests.domains.study import Plan, make_course

OWN_IDS = {"attempts": "id, seed", "answers": "id", "ledger_entries": "id", "notifications": "id"}
"""Ids that any row may have, and an attempt's seed: what cannot be the same twice."""
LEARNERS = 5
WEEKS = 6


@pytest.fixture
def site(committed_app: Flask) -> Flask:
    """Courses small enough to be finished, so that repeats, weak lessons and whole courses occur."""
    make_course(*[Plan(asks=4, teaches=2, difficulty="beginner", minutes=3)] * 3)
    make_course(*[Plan(asks=3, difficulty="advanced", minutes=12), Plan(asks=1, minutes=1)] * 5)
    session.remove()
    return committed_app


def tale(**changed: Any) -> Tale:
    given = {"seed": "t", "weeks": WEEKS, "until": now().replace(microsecond=0), "password_hash": "x"}
    return Tale(**given | changed)


def tell(some: Tale, learners: int = LEARNERS) -> None:
    with loading.batches(some, loading.missing(learners)) as batches:
        for batch in batches:
            with unit_of_work():
                loading.keep(batch)


def state(without: tuple[str, ...] = ("public_profiles",)) -> dict[str, list[str]]:
    """All rows, each as text, without what cannot be the same twice."""
    found = {}
    for table in COLUMNS.keys() - set(without):
        left_out = ",".join(f"'{name}'" for name in OWN_IDS.get(table, "").split(", "))
        rows = session.execute(
            text(f"select (to_jsonb(t) - array[{left_out}]::text[] - 'attempt_id')::text from {table} t")
        )
        found[table] = sorted(rows.scalars())
    session.rollback()
    return found


class Replay:
    """The same lives through the services, as a browser would live them."""

    def __init__(self, some: Tale) -> None:
        self.tale, self.lessons = some, read_library().lessons
        self.ids: dict[int, int] = {}
        session.rollback()

    def live(self, number: int, user_id: int) -> None:
        who = self.tale.person(number)
        session.execute(text("select setval('users_id_seq', :next, false)"), {"next": user_id})
        with standing_at(plot.joined(who)), unit_of_work():
            made = accounts.create_account(who.email, "wren-lantern-tide-42", who.name, time_zone=who.zone)
            assert made == user_id
            accounts.change_goal_intensity(user_id, who.intensity)
        steps = [len(lesson.steps) for lesson in self.lessons]
        for sitting in plot.sittings(who, self.tale.seed, self.tale.days(who), steps):
            spent = sum(sitting.seconds) + 5
            if sitting.at + timedelta(seconds=spent) >= self.tale.until:
                break
            lesson = self.lessons[sitting.lesson]
            if number % self.tale.answers_every == 0:
                self.study(user_id, lesson, sitting)
            else:
                self.report(user_id, lesson, sitting)

    def study(self, user_id: int, lesson: Lesson, sitting: plot.Sitting) -> None:
        at = sitting.at
        with standing_at(at), unit_of_work():
            notifications.mark_all_read(user_id)
            attempt_id = services.start_attempt(user_id, lesson.id)
        for step, seconds, missed in zip(lesson.steps, sitting.seconds, sitting.missed, strict=True):
            at += timedelta(seconds=seconds)
            with standing_at(at):
                self.do(user_id, attempt_id, step.id, asks=step.asks, missed=missed)
        with standing_at(at + timedelta(seconds=5)), unit_of_work():
            services.complete_attempt(user_id, attempt_id)

    def do(self, user_id: int, attempt_id: int, step_id: int, *, asks: bool, missed: bool) -> None:
        if not asks:
            with unit_of_work():
                services.finish_teaching(user_id, attempt_id, step_id)
            return
        for number, right in enumerate((False, True) if missed else (True,), start=1):
            given = solution(attempt_id, step_id, right=right)
            session.rollback()
            with unit_of_work():
                services.answer_step(user_id, attempt_id, step_id, number, given)

    def report(self, user_id: int, lesson: Lesson, sitting: plot.Sitting) -> None:
        score = 100 - 100 * sum(sitting.missed) // len(sitting.missed)
        with standing_at(sitting.at + timedelta(seconds=sum(sitting.seconds) + 5)):
            with unit_of_work():
                notifications.mark_all_read(user_id)
            if not self.done_today(user_id, lesson.id):
                with unit_of_work():
                    reports.report_completion(user_id, lesson.id, sum(sitting.seconds) // 60, score)

    def done_today(self, user_id: int, lesson_id: int) -> bool:
        today = accounts.game_date_for(user_id, now())
        found = session.execute(
            text(
                "select 1 from lesson_progress where user_id = :u and lesson_id = :l and last_local_date = :d"
            ),
            {"u": user_id, "l": lesson_id, "d": today},
        ).one_or_none()
        session.rollback()
        return found is not None


@pytest.mark.parametrize("answers_every", [1, 2])
def test_lived_in_memory_and_through_the_services(site: Flask, answers_every: int) -> None:
    some = tale(answers_every=answers_every)
    tell(some)
    ids = dict(session.execute(text("select email, id from users")).all())
    quick = state()
    session.execute(text(f"truncate {', '.join(COLUMNS)} restart identity cascade"))
    session.commit()
    replay = Replay(some)
    for number in range(LEARNERS):
        replay.live(number, ids[plot.address(number)])
    session.execute(text("update users set password_hash = 'x'"))
    slow = state()
    for table in quick:
        assert quick[table] == slow[table], table
    counts = {table: len(rows) for table, rows in quick.items()}
    assert min(counts[name] for name in counts if name != "course_completions") > 0, counts

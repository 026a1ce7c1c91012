"""PostgreSQL is stopped under load: no acknowledged write is lost, nothing is paid twice, and all comes back by itself."""

import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask_migrate import upgrade

from codyverse import create_app
from codyverse.core.database import db
from tests.conftest import settings_for
from tests.crash.hall import Hall
from tests.crash.test_kill import whole
from tests.domains.study import Plan, make_course
from tests.e2e.conftest import environment, stop
from tests.ports import free_port
from tests.resilience.measured import written
from tests.resilience.outage import Outage
from tests.resilience.postgres import own_postgres

LEARNERS, ASKS = 6, 2
RECOVERY_S = 35


@contextmanager
def scene(lessons: int, pace: float, hangs: bool = False, **more: str) -> Iterator[Outage]:
    """A server on a PostgreSQL of its own, with so many short lessons."""
    with own_postgres() as postgres:
        env = environment(
            postgres.url, CODYVERSE_ENV="development", PORT=str(free_port()), LOG_LEVEL="CRITICAL"
        )
        app = create_app(settings_for(postgres.url, SECRET_KEY=env["SECRET_KEY"]))
        with app.app_context():
            upgrade()
            hall = Hall(app, env | more, make_course(*[Plan(asks=ASKS, teaches=0)] * lessons))
            try:
                yield Outage(hall, postgres, pace=pace, hangs=hangs)
            finally:
                if hall.process is not None:
                    stop(hall.process)
                db.session.remove()
                db.engine.dispose()


def outage(made: Outage, seconds: float) -> None:
    """The run, and all that must hold after it."""
    people = made.run(LEARNERS, seconds)
    record, tasks = made.record, LEARNERS * len(made.hall.lessons)
    assert record.sent_meanwhile > 0
    assert {status for _, status in record.statuses} <= {200, 303, 503}, record.statuses
    for reader in ("courses, stranger", "courses, signed in"):
        assert {status for name, status in record.statuses if name == reader} == {200}, record.statuses
    assert record.statuses["API", 503] > 0
    assert record.without_wait == 0
    assert record.acknowledged == {"completion": tasks, "answer": ASKS * tasks}
    assert whole(made.hall, people, record.completed) == tasks
    assert made.answers(people) == (ASKS * tasks, ASKS * tasks)
    assert record.recovered_s <= RECOVERY_S


def test_five_seconds_without_the_database() -> None:
    with scene(lessons=4, pace=0.3, BREAKER_REST_S="1") as made:
        outage(made, 5)


@pytest.mark.drill
def test_a_minute_without_the_database() -> None:
    """What `make drill` runs; the result is written down."""
    with scene(lessons=22, pace=1.1) as made:
        outage(made, 60)
        written("database-away", "A minute without PostgreSQL, under load", HOW, facts(made))


@pytest.mark.drill
def test_half_a_minute_in_which_the_database_hangs() -> None:
    """What those who waited when it began had sent may be done once it goes on: they send it again, and it counts once."""
    with scene(lessons=22, pace=1.1, hangs=True, METRICS_EVERY_S="10") as made:
        outage(made, 30)
        written(
            "database-hangs",
            "Half a minute in which PostgreSQL answers nothing, under load",
            HANGS,
            facts(made),
        )


HANGS = (
    "The same people as in database-away.md. After two seconds all processes of PostgreSQL are stopped by SIGSTOP, so that they take what is sent and "
    "answer nothing; half a minute later they go on (tests/resilience/test_outage.py)."
)
HOW = (
    f"{LEARNERS} learners answer and finish lessons on granian with one process (`make run`'s way of serving), one request each 1.1 s; "
    "whatever is not taken is sent again, the same. Three readers ask for the catalogue ten times a second each: a stranger, somebody signed in, "
    "a program. After two seconds PostgreSQL is stopped, a minute later started. Then the database is looked at "
    "(tests/resilience/test_outage.py)."
)


def facts(made: Outage) -> dict[str, object]:
    record = made.record
    refused = record.refused_seconds
    by_status = {
        f"{name}: answered {status}": number for (name, status), number in sorted(record.statuses.items())
    }
    return {
        "PostgreSQL hung" if made.hangs else "PostgreSQL away": f"{record.stopped_s:.1f} s",
        "sent by learners meanwhile": record.sent_meanwhile,
        **by_status,
        "any other status, or none": 0,
        "503 without Retry-After": record.without_wait,
        "a refusal took (median, worst)": f"{statistics.median(refused) * 1000:.0f} ms, {max(refused) * 1000:.0f} ms",
        "refusals that took more than a second": sum(each > 1 for each in refused),
        "answers acknowledged, and in the database": f"{record.acknowledged['answer']}, {record.acknowledged['answer']}",
        "completions acknowledged, and paid exactly once": f"{record.acknowledged['completion']}, {len(record.completed)}",
        "differences that `flask ledger verify` found": 0,
        "first page confirmed by the database after it was back": f"{record.recovered_s:.1f} s (bar: {RECOVERY_S} s)",
        "processors": os.cpu_count(),
    }

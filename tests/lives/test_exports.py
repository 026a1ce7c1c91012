"""An export is asked for, prepared by the job, fetched: once, whole, also when the job dies, and never by anybody else."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import create_engine, text

from codyverse import jobs
from codyverse.accounts import people
from codyverse.archives import prepared, preparing
from codyverse.archives.prepared import Prepared
from codyverse.cli.jobs import run_what_is_waited_for
from codyverse.core import job_runs, personal
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.core.locks import only_one
from config import ROOT
from tests.domains.together import together
from tests.factories import make_user
from tests.lives.test_erasing import dump
from tests.lives.test_moving import a_life, contents, exported, load, without_moments
from tests.waiting import PATIENCE_S, eventually
from tests.web.visits import Visitor

ADA = "ada@example.org"
PAGE, FILE = "/settings/data", "/settings/data/archive"


def ask(who: int) -> Prepared:
    with unit_of_work():
        return prepared.ask(who)


def fetched(who: int) -> bytes:
    found, made = prepared.archive(who)
    assert made is not None, found
    session.remove()
    return made.data


def row() -> Any:
    session.remove()
    found = session.execute(text("select * from prepared_exports")).mappings().one_or_none()
    session.remove()
    return found


@contextmanager
def held_up(app: Flask) -> Iterator[None]:
    """Nobody can read the ledger meanwhile: an export stops in the middle."""
    engine = create_engine(app.extensions["settings"].database_url)
    try:
        with engine.connect() as connection, connection.begin():
            connection.execute(text("lock table ledger_entries in access exclusive mode"))
            yield
    finally:
        engine.dispose()


# --- what it is ---


def test_what_is_prepared_is_what_is_there(here: Flask, tmp_path: Path) -> None:
    with here.app_context():
        who = a_life(load(tmp_path))
        direct, rows = exported(here, who), personal.export(who)
        session.remove()
        ask(who)
        assert jobs.run("exports") == "1 export prepared."
        first = fetched(who)
        assert without_moments(contents(first)) == without_moments(contents(direct))
        _, tables = prepared.tables(who)
        assert tables is not None
        assert json.loads(tables.json) == rows
        assert "prepared_exports" not in rows
        assert fetched(who) == first, "the same bytes"


def test_it_is_of_one_moment(here: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person does while it is being read is in it as a whole or not at all."""
    with here.app_context():
        who = a_life(load(tmp_path))
        before = personal.export(who)
        session.remove()
        ask(who)
        with held_up(here):
            busy = in_background(here, preparing.prepare)
            assert eventually(lambda: waiting_for_locks(here))
            with unit_of_work():
                session.execute(text("update users set display_name = 'Later' where id = :who"), {"who": who})
                session.execute(
                    text("update activity_days set xp = xp + 7 where user_id = :who"), {"who": who}
                )
        busy.join(PATIENCE_S)
        _, tables = prepared.tables(who)
        assert tables is not None
        assert json.loads(tables.json) == before


def in_background(app: Flask, act: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        with app.app_context():
            act()

    made = threading.Thread(target=run)
    made.start()
    return made


def waiting_for_locks(app: Flask) -> bool:
    session.remove()
    found = session.execute(text("select count(*) from pg_locks where not granted")).scalar_one()
    session.remove()
    return bool(found)


def test_a_dump_holds_nothing_of_it_that_can_be_read(here: Flask) -> None:
    with here.app_context():
        who = make_user(email=ADA, name="Adelaide-Unique")
        whole = dump(here)
        ask(who)
        jobs.run("exports")
        assert dump(here).count("Adelaide-Unique") == whole.count("Adelaide-Unique") == 1
        kept = row()
        for form in ("archive", "tables"):
            assert b"Adelaide" not in bytes(kept[form])
            assert bytes(kept[form])[12:14] not in (b"PK", b"\x78\x9c")


def test_it_cannot_be_opened_as_somebody_elses(here: Flask) -> None:
    """Nor under another SECRET_KEY: then it is as good as over."""
    with here.app_context():
        ada, ben = make_user(email=ADA), make_user()
        for who in (ada, ben):
            ask(who)
        assert jobs.run("exports") == "2 exports prepared."
        session.execute(
            text("""
                update prepared_exports as mine set archive = other.archive, tables = other.tables
                from prepared_exports as other where mine.user_id <> other.user_id
            """)
        )
        session.commit()
        session.remove()
        for read in (prepared.archive, prepared.tables):
            found, document = read(ada)
            assert (found.state, document) == ("over", None)
        learner = Visitor(here).sign_in(ADA)
        page = learner.get(FILE)
        assert page.response.request.path == PAGE
        assert "not there any more. Prepare a new one" in page.text
        assert ask(ada).state == "waiting"


# --- once ---


def test_asked_by_many_at_once_it_is_prepared_once(committed_app: Flask) -> None:
    who = make_user(email=ADA)
    found = together(committed_app, [lambda: ask(who)] * 12)
    assert {each.state for each in found} == {"waiting"}
    assert len({each.asked_at for each in found}) == 1
    assert preparing.prepare().prepared == 1
    assert preparing.prepare().prepared == 0


def test_two_workers_at_once(here: Flask, tmp_path: Path) -> None:
    """One is at it; the other is told so, and changes nothing."""
    with here.app_context():
        who = a_life(load(tmp_path))
        ask(who)
        with held_up(here):
            busy = in_background(here, lambda: jobs.run("exports"))
            assert eventually(lambda: prepared.state(who).state == "running")
            assert eventually(lambda: waiting_for_locks(here))
            with pytest.raises(Conflict):
                jobs.run("exports")
            run_what_is_waited_for(here)
            assert ask(who).state == "running", "asked again meanwhile, that is the one"
            assert row()["tries"] == 1
        busy.join(PATIENCE_S)
        assert prepared.state(who).state == "ready"
        assert row()["tries"] == 1


def test_whoever_asked_first_is_first(here: Flask) -> None:
    with here.app_context():
        people_ = [make_user() for _ in range(3)]
        for number, who in enumerate(reversed(people_)):
            with time_machine.travel(now() + timedelta(seconds=number), tick=False):
                ask(who)
        order = []
        with unit_of_work():
            while (claimed := prepared.claim()) is not None and claimed.tries == 1:
                order.append(claimed.user_id)
                prepared.fail(claimed)
        assert order == people_[::-1]


def test_a_long_queue_is_gone_through_in_several_runs(here: Flask) -> None:
    with here.app_context():
        for _ in range(preparing.MOST_AT_ONCE + 1):
            ask(make_user())
        assert jobs.run("exports") == f"{preparing.MOST_AT_ONCE} exports prepared."
        assert jobs.run("exports") == "1 export prepared."


# --- when something goes wrong ---


def flask_command(app: Flask, *words: str) -> subprocess.Popen[bytes]:
    settings = app.extensions["settings"]
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env = keep | {
        "CODYVERSE_ENV": "testing",
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key,
        "METRICS_EVERY_S": "0",
    }
    return subprocess.Popen([sys.executable, "-m", "flask", *words], cwd=ROOT, env=env)


def test_a_job_that_is_killed_half_way_is_taken_up_again(here: Flask, tmp_path: Path) -> None:
    with here.app_context():
        who = a_life(load(tmp_path))
        ask(who)
        with held_up(here):
            process = flask_command(here, "jobs", "run", "exports")
            assert eventually(lambda: prepared.state(who).state == "running")
            assert eventually(lambda: waiting_for_locks(here))
            process.kill()
            process.wait(PATIENCE_S)
        assert prepared.archive(who) == (prepared.state(who), None)
        assert (row()["state"], row()["archive"]) == ("running", None)
        session.remove()
        assert eventually(lambda: is_free("job:exports"))
        assert prepared.waits()
        run_what_is_waited_for(here)
        assert prepared.state(who).state == "ready"
        assert row()["tries"] == 2
        assert without_moments(contents(fetched(who))) == without_moments(contents(exported(here, who)))


def is_free(name: str) -> bool:
    """PostgreSQL notices that a client is gone only when it has done what that asked for."""
    with only_one(name) as mine:
        return mine


def test_one_that_kills_every_job_is_given_up(here: Flask) -> None:
    with here.app_context():
        who, other = make_user(), make_user()
        ask(who)
        for _ in range(prepared.MOST_TRIES):
            with unit_of_work():
                claimed = prepared.claim()
            assert claimed
            assert claimed.user_id == who
        ask(other)
        assert jobs.run("exports") == "1 export prepared."
        assert prepared.state(who).state == "failed"
        assert prepared.state(other).state == "ready"
        assert ask(who).state == "waiting"
        assert jobs.run("exports") == "1 export prepared."


def test_what_cannot_be_made_is_told_and_others_get_theirs(here: Flask) -> None:
    """A row that the page of the archive cannot tell, as another program may have written it."""
    with here.app_context():
        ada, ben = make_user(email=ADA), make_user()
        session.execute(
            text("""
                insert into ledger_entries
                    (user_id, currency, amount, rule, source, local_date, created_at, details)
                values (:who, 'xp', 5, 'odd', 'odd:1', current_date, now(), '[]')
            """),
            {"who": ada},
        )
        session.commit()
        session.remove()
        ask(ada)
        ask(ben)
        with pytest.raises(jobs.NotPrepared, match=r"1 export prepared, 1 could not be prepared"):
            jobs.run("exports")
        assert job_runs.last_runs()["exports"].failing == 1
        session.remove()
        assert (prepared.state(ada).state, prepared.state(ben).state) == ("failed", "ready")
        learner = Visitor(here).sign_in(ADA)
        page = learner.get(PAGE)
        assert "could not be put together" in page.text
        assert page.css(f'form[action="{FILE}"] button')[0].text_content() == "Try again"


def test_somebody_who_is_erased_meanwhile(here: Flask, tmp_path: Path) -> None:
    with here.app_context():
        who = a_life(load(tmp_path))
        ask(who)
        with held_up(here):
            busy = in_background(here, lambda: jobs.run("exports"))
            assert eventually(lambda: waiting_for_locks(here))
            with unit_of_work():
                people.erase(who)
            assert row() is None
        busy.join(PATIENCE_S)
        assert row() is None
        assert not prepared.waits()


def test_somebody_who_is_gone_gets_none(here: Flask) -> None:
    with here.app_context():
        who = make_user()
        with unit_of_work():
            people.erase(who)
        ask(who)
        assert jobs.run("exports") == ""
        assert row() is None


def test_erasing_takes_it_along(here: Flask) -> None:
    with here.app_context():
        who = make_user()
        ask(who)
        jobs.run("exports")
        assert row()
        with unit_of_work():
            people.erase(who)
        assert row() is None


# --- its time ---


def test_it_is_kept_for_a_day(here: Flask) -> None:
    with here.app_context():
        who = make_user()
        ask(who)
        jobs.run("exports")
        until_ = prepared.state(who).keep_until
        assert until_
        with time_machine.travel(until_ - timedelta(seconds=1), tick=False):
            assert jobs.run("exports") == ""
            assert fetched(who)
        with time_machine.travel(until_, tick=False):
            assert prepared.state(who).state == "over"
            assert prepared.archive(who)[1] is prepared.tables(who)[1] is None, "also before it is deleted"
            assert jobs.run("exports") == "1 old one deleted."
            assert (row()["archive"], row()["tables"], row()["state"]) == (None, None, "over")
            assert "exports" not in jobs.run("forget")
        with time_machine.travel(until_ + prepared.REMEMBERED, tick=False):
            assert "exports that are over (1)" in jobs.run("forget")
            assert prepared.state(who) == Prepared("none")


# --- the worker ---


def test_the_worker_does_not_wait_for_the_clock(here: Flask) -> None:
    """The real process takes it up within seconds, and ends when asked to."""
    with here.app_context():
        who = make_user(email=ADA)
        process = flask_command(here, "worker")
        try:
            assert eventually(lambda: job_runs.last_runs().get("exports"))
            session.remove()
            ran = job_runs.last_runs()["exports"].runs
            session.remove()
            ask(who)
            assert eventually(lambda: prepared.state(who).state == "ready")
            session.remove()
            assert job_runs.last_runs()["exports"].runs > ran
            session.remove()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0

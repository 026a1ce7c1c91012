"""Erased: a search of the whole database's dump finds nothing personal, the ledger stays right, nobody comes back."""

import random
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import make_url

from codyverse import jobs
from codyverse.accounts import people, profiles, tokens
from codyverse.accounts.models import SecondFactor
from codyverse.archives import erasures
from codyverse.core.clock import now
from codyverse.core.database import db, session, unit_of_work
from codyverse.core.embedded.programs import find
from codyverse.gamification.services import verify_ledger
from codyverse.notifications import post
from codyverse.progress import rehearsal
from codyverse.progress import services as progress
from tests.api.client import Program, token_for
from tests.factories import PASSWORD, make_user
from tests.lives.test_moving import STYLE, load
from tests.web.visits import Visitor

ADA, NAME, HANDLE = "ada.lovelace@example.org", "Adelaide-Unique", "adelaide-unique"
WORDS = (
    "ada.lovelace",
    "Adelaide",
    "adelaide",
    "Peculiar-Agent",
    "pet-name-of-token",
    "198.51.100.77",
    "my-own-words",
)


def dump(app: Flask) -> str:
    """The whole database as text."""
    url = make_url(str(app.extensions["settings"].database_url)).set(drivername="postgresql")
    command = [find().path("pg_dump"), "--inserts", "--dbname", url.render_as_string(hide_password=False)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def a_life(app: Flask, lessons: list[int]) -> int:
    """Somebody who leaves traces wherever one can: pages, the API, mails, drafts, answers, a second factor."""
    who = make_user(email=ADA, name=NAME, time_zone="Europe/Berlin")
    visitor = Visitor(app)
    visitor.client.environ_base |= {"HTTP_USER_AGENT": "Peculiar-Agent", "REMOTE_ADDR": "198.51.100.77"}
    visitor.sign_in(ADA)
    with unit_of_work():
        rehearsal.play(
            who, lessons[0], now() - timedelta(days=2), until=now(), style=STYLE, dice=random.Random(2)
        )
        profiles.change_profile_page(who, handle=HANDLE, public=True, shown=frozenset(profiles.SHOWABLE))
        tokens.issue_token(who, "pet-name-of-token")
        post.write_mail(
            "digest", "x", ADA, {"name": NAME}, user_id=who, at=now(), useful_for=timedelta(days=99)
        )
    visitor.post("/settings/address", {"email": "adelaide@example.org", "current_password": PASSWORD})
    visitor.post("/settings/security/app", {"current_password": PASSWORD})
    Program(app, token_for(who)).patch("/users/me", {"name": NAME, "publicPage": {"handle": HANDLE}})
    with unit_of_work():
        attempt = progress.start_attempt(who, lessons[-1])
    gap = text("""
        select steps.step_id from attempt_steps steps join step_revisions r on r.id = steps.revision_id
        where steps.attempt_id = :attempt and r.kind = 'blank'
    """)
    step = session.execute(gap, {"attempt": attempt}).scalar_one()
    given = ["my-own-words"] * len(rehearsal.solution(attempt, step))
    with unit_of_work():
        progress.answer_step(who, attempt, step, 1, given)
    with unit_of_work():
        progress.save_draft(who, attempt, step, given)
    session.remove()
    return who


def test_nothing_personal_is_left_in_a_dump(here: Flask, tmp_path: Path) -> None:
    with here.app_context():
        lessons = load(tmp_path)
        who = a_life(here, lessons)
        ben = make_user(email="ben@example.org", name="Ben")
        with unit_of_work():
            rehearsal.play(
                ben, lessons[0], now() - timedelta(days=1), until=now(), style=STYLE, dice=random.Random(5)
            )
        totals = text("select sum(amount), count(*) from ledger_entries")
        earned = session.execute(totals).one()
        session.remove()
        found = {word for word in WORDS if word in dump(here)}
        assert found == set(WORDS) - {"198.51.100.77"}, (
            "the search finds what is there; addresses are never kept"
        )
        with unit_of_work():
            receipt = people.ask_erasure(who).receipt
        session.remove()
        with time_machine.travel(now() + timedelta(days=31), tick=False):
            assert jobs.run("erase") == "Erased 1 account."
            jobs.run("forget")
        session.remove()
        whole = dump(here)
        assert {word for word in WORDS if word.lower() in whole.lower()} == set()
        assert left_of(who) <= STATISTICS
        assert session.execute(totals).one() == earned
        assert verify_ledger() == ()
        assert people.erased_at(receipt)
        assert not people.erased_at("AAAA-BBBB-CCCC-DDDD")
        session.remove()


STATISTICS = {
    *("users", "attempts", "answers", "lesson_progress", "activity_days", "course_completions"),
    *("ledger_entries", "players", "daily_goals", "earned_badges"),
}
"""Where the bare number of somebody who is gone still stands: counts and points, for the ledger must add up."""


def left_of(who: int) -> set[str]:
    """The tables that have rows with the person's id as their owner, by asking each table that has such a column."""
    owners = text("""
        select table_name, column_name from information_schema.columns
        where table_schema = 'public' and (column_name = 'user_id' or (table_name = 'users' and column_name = 'id'))
    """)
    found = set()
    for table, column in session.execute(owners).all():
        if session.execute(
            text(f"select count(*) from {table} where {column} = :who"), {"who": who}
        ).scalar_one():
            found.add(table)
    return found


def test_nobody_comes_back_with_a_backup(here: Flask, tmp_path: Path) -> None:
    with here.app_context():
        lessons = load(tmp_path)
        who, ben = a_life(here, lessons), make_user(email="ben@example.org", name="Ben")
        row = session.execute(text("select * from users where id = :who"), {"who": who}).mappings().one()
        kept = dict(row)
        with unit_of_work():
            people.erase(who)
        path = erasures.write_down()
        assert re.fullmatch(r"[0-9a-f]{64}\n", path.read_text())
        with unit_of_work():  # as a backup from before brings it back, without the list
            session.execute(text("delete from erasures"))
            session.execute(
                text(
                    "update users set email = :email, email_key = :email_key, display_name = :display_name where id = :id"
                ),
                kept,
            )
        assert people.person(who).name == NAME
        session.remove()
        assert erasures.replay() == 1
        assert people.person(who).name == "Erased"
        assert people.person(ben).name == "Ben"
        session.remove()
        assert erasures.replay() == 0
        assert len(people.erasures()) == 1
        session.remove()


def test_from_the_page_to_the_receipt_and_back(here: Flask) -> None:
    with here.app_context():
        make_user(email=ADA, name=NAME)
        visitor, phone = Visitor(here).sign_in(ADA), Visitor(here).sign_in(ADA)
        page = visitor.get("/settings/data")
        wrong = visitor.submit(page, "/settings/data/erase", {"current_password": "x"}, status=422)
        assert "not your current password" in wrong.text
        sent = visitor.submit(page, "/settings/data/erase", {"current_password": PASSWORD})
        assert sent.response.location == "/goodbye"
        receipt = visitor.get("/goodbye").css(".token-text")[0].text_content()
        assert re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", receipt)
        again = visitor.get("/goodbye")
        assert receipt in again.text, "it can be loaded again"
        assert again.response.headers["Cache-Control"] == "no-store"
        assert NAME not in again.text
        assert ADA not in again.text
        assert Visitor(here).get("/goodbye").response.request.path == "/", "it is nobody else's"
        assert phone.get("/dashboard").response.request.path == "/login"
        visitor.sign_in(ADA)
        assert visitor.get("/goodbye").response.request.path == "/dashboard"
        visitor.post("/logout")
        assert visitor.get("/goodbye").response.request.path == "/", "who has come back has not left"
        assert people.person(session.execute(text("select id from users")).scalar_one()).erase_after is None
        session.remove()


def test_the_commands(here: Flask) -> None:
    with here.app_context():
        make_user(email=ADA, name=NAME)
        make_user(email="ben@example.org", name="Ben")
        session.remove()
    run = here.test_cli_runner().invoke
    asked = run(args=["users", "erase", ADA], input="n\n")
    assert (asked.exit_code, "Aborted!" in asked.output) == (1, True)
    later = run(args=["users", "erase", ADA, "--yes"])
    receipt = later.output.split()[-1]
    assert (later.exit_code, "signed out" in later.output) == (0, True)
    assert "not yet" in run(args=["users", "erased", receipt]).output
    assert run(args=["users", "erased", receipt]).exit_code == 1
    at_once = run(args=["users", "erase", ADA, "--now"], input="y\n")
    assert (at_once.exit_code, at_once.output.split()[-1]) == (0, receipt), at_once.output
    told = run(args=["users", "erased", receipt.lower()])
    assert (told.exit_code, told.output.startswith("Erased on ")) == (0, True)
    gone = run(args=["users", "erase", ADA, "--yes"])
    assert (gone.exit_code, "Nobody has the address" in gone.output) == (1, True)
    with here.app_context():
        assert people.person(2).name == "Ben"
        db.session.remove()


@pytest.mark.parametrize("words", [("reset-link",), ("reset-second-factor", "--yes")])
def test_help_for_who_is_locked_out(here: Flask, words: tuple[str, ...]) -> None:
    command, *rest = words
    with here.app_context():
        ada = make_user(email=ADA)
        visitor = Visitor(here).sign_in(ADA)
        if command == "reset-second-factor":
            session.add(SecondFactor(user_id=ada, sealed_secret="", created_at=now(), confirmed_at=now()))
        session.commit()
        session.remove()
        done = here.test_cli_runner().invoke(args=["users", command, ADA, *rest])
        assert done.exit_code == 0, done.output
        if command == "reset-link":
            path = done.output.split()[-1].partition("8000")[2]
            visitor.post(path, {"new_password": "river-comet-fable"})
            Visitor(here).sign_in(ADA, "river-comet-fable")
        nobody = here.test_cli_runner().invoke(args=["users", command, "nobody@example.org", *rest])
        assert (nobody.exit_code, "Nobody has the address" in nobody.output) == (1, True)
        helped = here.test_cli_runner().invoke(args=["users", command, "--help"])
        assert "Example:" in helped.output
        session.remove()

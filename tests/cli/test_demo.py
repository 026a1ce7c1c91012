"""flask demo seed: learners with a believable past, made once; never where strangers come."""

import json

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import profiles
from codyverse.cli.demo import PASSWORD
from codyverse.core.database import session, unit_of_work
from tests.cli.programs import flask
from tests.domains.study import Plan, make_course
from tests.factories import make_user
from tests.web.visits import Visitor

TABLES = (
    "users",
    "zone_facts",
    "attempts",
    "answers",
    "lesson_progress",
    "activity_days",
    "ledger_entries",
    "players",
)


def run(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["demo", "seed", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def state() -> list[str]:
    sums = "select count(*) || md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {} t"
    return [session.execute(text(sums.format(name))).scalar_one() for name in TABLES]


@pytest.fixture
def site(app: Flask) -> Flask:
    make_course(*[Plan(asks=2, difficulty="intermediate")] * 4)
    return app


def test_seed_and_again(site: Flask) -> None:
    code, output = run(site, "--learners", "3", "--weeks", "2")
    assert code == 0
    assert output.splitlines() == [
        "Added 3 demo learners with up to 2 weeks of history.",
        f"Sign in as demo1@example.org with the password {PASSWORD}",
    ]
    before = state()
    code, output = run(site, "--learners", "3", "--weeks", "2")
    assert (code, output.splitlines()[0]) == (0, "The demo learners are there already; nothing was changed.")
    assert state() == before
    assert run(site, "--learners", "4")[1].startswith("Added 1 demo learner with up to 6 weeks of")
    people = session.execute(
        text(
            "select email, xp, streak, best_streak from users u join players on user_id = u.id order by u.id"
        )
    ).all()
    assert [row.email for row in people] == [f"demo{number}@example.org" for number in range(1, 5)]
    assert people[0].xp > 0
    assert people[0].streak > 1
    days = "select count(*), max(local_date) - min(local_date) from activity_days where user_id = (select min(id) from users)"
    studied, span = session.execute(text(days)).one()
    assert studied > 7
    assert 7 <= span <= 15
    page = Visitor(site).sign_in("demo1@example.org", PASSWORD).get("/dashboard")
    assert f"{people[0].xp:,} XP" in page.text
    verified = site.test_cli_runner().invoke(args=["ledger", "verify"])
    assert (verified.exit_code, verified.output) == (0, "The ledger agrees.\n")


def test_without_courses_it_says_what_to_do(app: Flask) -> None:
    code, _ = run(app)
    result = app.test_cli_runner().invoke(args=["demo", "seed"])
    assert code == 1
    assert result.output == "Error: There are no courses yet: run `flask content apply` first.\n"
    assert session.execute(text("select count(*) from users")).scalar_one() == 0


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_never_where_strangers_come(site: Flask, environment: str) -> None:
    site.config["CODYVERSE_ENV"] = environment
    try:
        result = site.test_cli_runner().invoke(args=["demo", "seed"])
    finally:
        site.config["CODYVERSE_ENV"] = "testing"
    assert result.exit_code == 1
    assert "for development only" in result.output
    assert session.execute(text("select count(*) from users")).scalar_one() == 0


def test_looking_first(site: Flask) -> None:
    code, output = run(site, "--learners", "1200", "--dry-run")
    assert code == 0
    assert output == "Would add 1,200 demo learners with up to 6 weeks of history. Nothing was changed.\n"
    assert session.execute(text("select count(*) from users")).scalar_one() == 0


def test_the_seed_makes_the_people(site: Flask) -> None:
    """The same seed the same histories; another one others."""
    found = []
    for word in ("a", "a", "b"):
        assert run(site, "--learners", "4", "--seed", word)[0] == 0
        rows = session.execute(text("select xp, days_learned from players order by user_id")).all()
        found.append([(row.xp, row.days_learned) for row in rows])
        session.execute(text("truncate users cascade"))
        session.commit()
    assert found[0] != found[2]
    assert sum(xp for xp, _ in found[0]) > 0
    # goals depend on who somebody is, and ids go on: days do not
    assert [days for _, days in found[0]] == [days for _, days in found[1]]


def test_on_a_trial_of_production(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(site.config, "CODYVERSE_ENV", "production")
    assert run(site, "--learners", "2", "--dry-run")[0] == 0
    assert run(site, "--learners", "2", "--yes")[0] == 0
    assert session.execute(text("select count(*) from users")).scalar_one() == 2


def test_a_public_page_that_is_somebodys_already(site: Flask) -> None:
    user_id = make_user()
    with unit_of_work():
        profiles.change_profile_page(user_id, handle="demo-1", public=True, shown=frozenset())
    assert run(site, "--learners", "12")[0] == 0
    handles = session.execute(text("select handle, user_id from public_profiles order by handle")).all()
    assert [row.handle for row in handles] == ["demo-1", "demo-11"]
    assert handles[0].user_id == user_id


def test_many_with_several_processes(committed_app: Flask) -> None:
    """More than one batch, lived in processes of their own, all proved."""
    make_course(*[Plan(asks=2)] * 3)
    session.remove()
    url = committed_app.extensions["settings"].database_url
    done = flask(url, "demo", "seed", "--learners", "450", "--weeks", "2", "--answers-every", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Added 450 demo learners")
    verified = committed_app.test_cli_runner().invoke(args=["ledger", "verify"])
    assert verified.stdout == "The ledger agrees.\n"
    attempts = "select count(*) filter (where reported) as reported, count(*) as all from attempts"
    row = session.execute(text(attempts)).one()
    assert 0 < row.reported < row.all


@pytest.mark.parametrize(
    "words", [("--learners", "0"), ("--learners", "many"), ("--weeks", "27"), ("--days", "3")]
)
def test_wrong_words(site: Flask, words: tuple[str, ...]) -> None:
    assert run(site, *words)[0] == 2
    assert session.execute(text("select count(*) from users")).scalar_one() == 0


def test_as_a_program(committed_app: Flask) -> None:
    """Progress goes to stderr, so that a script reads the result alone."""
    make_course(Plan(asks=1))
    session.remove()
    url = committed_app.extensions["settings"].database_url
    done = flask(url, "demo", "seed", "--learners", "1", "--weeks", "1")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr
    verified = committed_app.test_cli_runner().invoke(args=["ledger", "verify", "--json"])
    assert json.loads(verified.stdout) == {"clean": True, "differences": []}

"""flask ledger verify and rebuild: what they say, how they exit."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import update

from codyverse.core.database import session
from codyverse.gamification.models import Player
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("no_badges")


@pytest.fixture
def learner(app: Flask) -> int:
    who = make_user()
    [lesson] = make_course(Plan(asks=2))
    do_lesson(who, lesson)
    return who


@pytest.fixture
def run(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def test_a_ledger_that_agrees(learner: int, run: FlaskCliRunner) -> None:
    done = run.invoke(args=["ledger", "verify"])
    assert (done.exit_code, done.output) == (0, "The ledger agrees.\n")
    done = run.invoke(args=["ledger", "verify", "--json"])
    assert (done.exit_code, json.loads(done.output)) == (0, {"clean": True, "differences": []})
    done = run.invoke(args=["ledger", "rebuild"])
    assert (done.exit_code, done.output) == (0, "1 player looked at, 0 changed.\n")


def test_differences_are_listed_and_mended(learner: int, run: FlaskCliRunner) -> None:
    session.execute(update(Player).values(xp=7))
    session.commit()
    done = run.invoke(args=["ledger", "verify"])
    assert done.exit_code == 1
    assert f"learner {learner}: xp: stored 7, should be 40" in done.output
    assert "1 difference." in done.output
    done = run.invoke(args=["ledger", "verify", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["differences"] == [
        {"user_id": learner, "what": "xp", "stored": "7", "derived": "40"}
    ]
    done = run.invoke(args=["ledger", "rebuild"])
    assert (done.exit_code, done.output) == (
        0,
        f"learner {learner}: xp: 7 → 40\n1 player looked at, 1 changed.\n",
    )
    done = run.invoke(args=["ledger", "rebuild", "--json"])
    assert json.loads(done.output) == {"players": 1, "changes": []}
    assert run.invoke(args=["ledger", "verify"]).exit_code == 0


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_help(run: FlaskCliRunner, command: str) -> None:
    done = run.invoke(args=["ledger", command, "--help"])
    assert done.exit_code == 0
    assert "while the site is in use" in " ".join(done.output.split())

"""flask badges sync: what it says, what it grants, and that it grants it once."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select

from codyverse.core.database import session
from codyverse.gamification import badge_catalogue
from codyverse.gamification.models import EarnedBadge, LedgerEntry
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user


@pytest.fixture
def learner(app: Flask) -> Iterator[int]:
    """Somebody who finished a lesson before there were badges; and somebody who did nothing yet."""
    badge_catalogue.play_for(())
    who = make_user()
    make_user()
    [lesson, _] = make_course(Plan(asks=2), Plan(asks=2))
    do_lesson(who, lesson)
    badge_catalogue.play_for(None)
    yield who
    badge_catalogue.play_for(None)


@pytest.fixture
def run(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def granted() -> int:
    return session.scalar(select(func.count()).select_from(EarnedBadge)) or 0


def test_a_dry_run_names_and_changes_nothing(learner: int, run: FlaskCliRunner) -> None:
    for _ in range(2):
        done = run.invoke(args=["badges", "sync", "--dry-run"])
        assert done.exit_code == 0, done.output
        assert done.output.splitlines() == [
            f"learner {learner}: First Steps",
            f"learner {learner}: Flawless",
            "2 learners looked at, 2 badges would be granted.",
        ]
    assert granted() == 0
    assert session.scalars(select(LedgerEntry.rule).where(LedgerEntry.rule == "badge")).all() == []


def test_it_grants_once(learner: int, run: FlaskCliRunner) -> None:
    done = run.invoke(args=["badges", "sync"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "2 learners looked at, 2 badges granted."
    assert granted() == 2
    done = run.invoke(args=["badges", "sync"])
    assert done.output == "2 learners looked at, 0 badges granted.\n"
    assert run.invoke(args=["ledger", "verify"]).exit_code == 0


def test_for_scripts(learner: int, run: FlaskCliRunner) -> None:
    told = json.loads(run.invoke(args=["badges", "sync", "--dry-run", "--json"]).output)
    assert (told["dryRun"], told["learners"]) == (True, 2)
    assert told["granted"][0] == {"user_id": learner, "badge": "first-steps", "name": "First Steps"}
    told = json.loads(run.invoke(args=["badges", "sync", "--json"]).output)
    assert (told["dryRun"], len(told["granted"])) == (False, 2)


def test_help(run: FlaskCliRunner) -> None:
    done = run.invoke(args=["badges", "sync", "--help"])
    assert done.exit_code == 0
    assert "a second run grants nothing" in " ".join(done.output.split())

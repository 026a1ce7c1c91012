"""A row that holds what no page would have written: it costs nobody else their day, and can still be erased."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import jobs
from codyverse.core.clock import now
from codyverse.core.database import db, session
from tests.api.client import Program, token_for
from tests.factories import make_user
from tests.web.visits import Visitor

ADA, BEN = "ada@example.org", "ben@example.org"


def damage(email: str, **values: Any) -> None:
    for column, value in values.items():
        given = json.dumps(value) if column == "preferences" else value
        session.execute(
            text(f"update users set {column} = :value where email = :email"), {"value": given, "email": email}
        )
    session.commit()
    session.remove()


def due_for_a_reminder(who: int) -> None:
    """A streak of five days, the last of them yesterday."""
    at = now()
    values = {"who": who, "day": at.date() - timedelta(days=1), "at": at - timedelta(hours=23, minutes=45)}
    session.execute(
        text("update players set streak = 5, best_streak = 5, streak_date = :day where user_id = :who"),
        values,
    )
    session.commit()
    session.remove()


@pytest.mark.parametrize("zone", ["Mars/X", "America", "../UTC", "a\u0131"])
def test_an_unknown_time_zone_breaks_no_job_and_no_page(here: Flask, zone: str) -> None:
    with here.app_context():
        for email in (ADA, BEN):
            due_for_a_reminder(make_user(email=email))
        damage(ADA, time_zone=zone)
        for each in jobs.JOBS:
            jobs.run(each.name)
        runs = session.execute(text("select job from job_runs where failures > 0")).scalars().all()
        assert runs == []
        Visitor(here).sign_in(ADA).get("/notifications")
        session.remove()


BAD = ({"theme": 5, "hidden": 7}, [], "x", {"hidden": [{}, []], "goal_intensity": []}, {"hidden": {"xp": 1}})


@pytest.mark.parametrize("preferences", BAD)
def test_damaged_preferences_are_read_as_the_defaults(here: Flask, preferences: Any) -> None:
    with here.app_context():
        operator = make_user(role="operator")
        make_user(email=ADA)
        damage(ADA, preferences=preferences)
        found = Program(here, token_for(operator)).get("/users")
        assert found.status == 200, found.json
        visitor = Visitor(here).sign_in(ADA)
        chosen = {"theme": "dark", "goal_intensity": "casual", "streak_mode": "daily"}
        visitor.post("/settings/preferences", chosen)
        erased = here.test_cli_runner().invoke(args=["users", "erase", ADA, "--now", "--yes"])
        assert (erased.exit_code, "Receipt: " in erased.output) == (0, True), erased.output
        db.session.remove()


def test_erase_works_on_any_row(here: Flask) -> None:
    with here.app_context():
        make_user(email=ADA)
        damage(ADA, preferences=7, time_zone="Mars/X", locale="xx")
        erased = here.test_cli_runner().invoke(args=["users", "erase", ADA, "--now", "--yes"])
        assert erased.exit_code == 0, erased.output
        assert session.execute(text("select time_zone from users")).scalar_one() == "UTC"
        session.remove()

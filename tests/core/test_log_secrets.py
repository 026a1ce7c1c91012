"""The log holds no secret and nothing personal, whatever people send and whatever breaks."""

import io
import json
import logging

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from codyverse import create_app
from codyverse.core.database import db, session
from codyverse.core.telemetry import configure_logs
from tests.api.client import token_for
from tests.conftest import settings_for
from tests.domains.study import Plan, asking, make_course, start
from tests.factories import PASSWORD, make_user
from tests.web.visits import Visitor

EMAIL = "quite.private+tag@people.example.org"
NAME = "Zebulon Quix"
ANSWER = "a-private-answer-of-somebody"


@pytest.fixture
def written(app: Flask):
    """What the log says from here on, as JSON lines, everything included."""
    configure_logs("DEBUG", "json")
    sink = io.StringIO()
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(sink)
    yield sink.getvalue
    configure_logs("WARNING", "text")


def none_of(said: str, *secrets: str) -> None:
    assert said, "nothing was logged at all"
    for line in said.splitlines():
        json.loads(line)
    for secret in secrets:
        assert secret not in said, secret


def test_accounts_and_tokens(app: Flask, written) -> None:
    visitor = Visitor(app)
    visitor.post("/register", {"display_name": NAME, "email": EMAIL, "password": PASSWORD})
    visitor.post("/login", {"email": EMAIL, "password": "wrong-" + PASSWORD}, status=422)
    visitor.post("/login", {"email": EMAIL, "password": PASSWORD})
    client = app.test_client()
    made = client.post(
        "/api/auth/tokens",
        json={"email": EMAIL, "password": PASSWORD, "name": "My phone", "scopes": ["profile:read"]},
    )
    token = made.get_json()["data"]["token"]
    client.get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
    client.get("/api/users/me", headers={"Authorization": "Bearer cody_wrong_wrong_wrong_wrong"})
    client.get(f"/mails/unsubscribe/{token}")
    client.get(f"/no/such/place/{token}?email={EMAIL}")
    client.get("/u/zebulon-quix")
    none_of(written(), EMAIL, NAME, PASSWORD, token, "cody_wrong", "zebulon", "My phone")


def test_answers(app: Flask, written) -> None:
    [lesson] = make_course(Plan(asks=1, teaches=0))
    user = make_user()
    attempt = start(user, lesson)
    [step] = asking(attempt)
    headers = {"Authorization": f"Bearer {token_for(user, 'progress:write')}"}
    for given in (ANSWER, step.right):
        body = {"stepId": step.step_id, "tryNo": 1, "answer": given}
        app.test_client().post(f"/api/attempts/{attempt}/answers", json=body, headers=headers)
    none_of(written(), ANSWER, step.right)


def test_what_the_database_says_of_a_row(app: Flask, written) -> None:
    make_user(email=EMAIL)
    log = logging.getLogger("codyverse.test")
    twice = text("insert into users (email, email_key, display_name, password_hash) values (:e, :e, :n, :p)")
    nothing = text("insert into users (email, email_key, display_name) values (:e, :e, :n)")
    for statement in (twice, nothing):
        try:
            session.execute(statement, {"e": EMAIL.casefold(), "n": NAME, "p": PASSWORD})
        except SQLAlchemyError:
            session.rollback()
            log.exception("it failed")
    said = written()
    none_of(said, EMAIL, EMAIL.casefold(), NAME, PASSWORD)
    assert "IntegrityError" in said


def test_named_values_and_nested_ones(app: Flask, written) -> None:
    import structlog

    log = structlog.get_logger("codyverse.test")
    log.info("said", password=PASSWORD, body={"answer": ANSWER, "list": [f"mail to {EMAIL}"]}, email=EMAIL)
    log.warning("Authorization: Bearer abc.def.ghi", user_id=7)
    said = written()
    none_of(said, PASSWORD, ANSWER, EMAIL, "abc.def.ghi")
    assert '"user_id": 7' in said


def test_an_unknown_failure_is_told_without_its_values(cluster: str) -> None:
    made = create_app(settings_for(cluster, CODYVERSE_ENV="development", LOG_LEVEL="INFO", LOG_FORMAT="json"))
    sink = io.StringIO()
    [handler] = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(sink)
    try:
        answered = made.test_client().post(
            "/api/auth/tokens",
            json={"email": EMAIL, "password": PASSWORD, "name": "x", "scopes": ["profile:read"]},
        )
        assert answered.status_code == 500, "this database has no tables"
    finally:
        configure_logs("WARNING", "text")
        with made.app_context():
            db.engine.dispose()
    none_of(sink.getvalue(), EMAIL, EMAIL.casefold(), PASSWORD)
    assert "unhandled" in sink.getvalue() or "database failed" in sink.getvalue()

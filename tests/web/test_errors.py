"""What people see when something is wrong: a page that says what to do, and never a detail of the inside."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import create_app
from codyverse.core.database import db
from config import load_settings
from tests.conftest import FreshClient, drop_database, make_database
from tests.factories import make_user
from tests.web.visits import HTMX, Visitor, checked

INSIDE = ("Traceback", "psycopg", "sqlalchemy", "SELECT", "permission denied", 'File "', "/codyverse/")


def test_an_unknown_address_is_404_with_a_way_back(visitor: Visitor) -> None:
    page = visitor.get("/no/such/place", status=404)
    assert page.css('a[href="/"]')
    assert page.response.headers["X-Request-Id"] in page.text


@pytest.mark.parametrize(
    "path",
    ["/lessons/0", "/lessons/-1", "/lessons/abc", "/lessons/1.5", f"/lessons/{2**63}", "/lessons/999999999"],
)
def test_ids_that_cannot_be_are_404(learner: Visitor, path: str) -> None:
    learner.get(path, status=404)


def test_a_wrong_method_names_the_right_one(visitor: Visitor) -> None:
    response = visitor.client.put("/login", data={"csrf_token": visitor.token()})
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("sent_to", "leads_to"),
    [
        ("/settings/profile", "/settings"),
        ("/settings/security/app/confirm", "/settings/security/app"),
        ("/settings/data/erase", "/settings/data"),
        ("/lessons/1/steps/2/answer", "/lessons/1"),
    ],
)
def test_a_tab_that_showed_the_answer_to_a_form_opens_again(
    learner: Visitor, sent_to: str, leads_to: str
) -> None:
    answer = learner.client.get(sent_to)
    assert (answer.status_code, answer.location) == (303, leads_to)


def test_where_nothing_stands_above_the_wrong_method_stays_one(learner: Visitor) -> None:
    page = learner.get("/logout", status=405)
    assert "POST" in page.response.headers["Allow"]
    assert page.css('a[href="/"]')


@pytest.mark.parametrize("size", [2 * 2**20, 10 * 2**20])
def test_too_much_is_413(visitor: Visitor, size: int) -> None:
    response = visitor.client.post("/register", data={"display_name": "x" * size})
    assert response.status_code == 413
    assert "Shorten" in checked(response).text


@pytest.mark.parametrize("path", ["/register", "/login"])
def test_nul_is_refused_by_name(visitor: Visitor, path: str) -> None:
    page = visitor.post(
        path, {"email": "a\x00b@example.org", "display_name": "a\x00", "password": "x" * 12}, status=400
    )
    assert "NUL" in page.text


def test_nul_in_an_address_is_refused(visitor: Visitor) -> None:
    assert visitor.client.get("/courses/a%00b").status_code == 400
    assert visitor.client.get("/?next=%00").status_code == 400


def test_htmx_gets_a_short_alert_instead_of_a_page(learner: Visitor) -> None:
    response = learner.client.get("/lessons/999999999", headers=HTMX)
    assert response.status_code == 404
    assert "<html" not in response.text
    assert "data-trouble" in response.text


def test_who_was_signed_out_in_another_tab_is_sent_to_sign_in_and_not_to_reload(learner: Visitor) -> None:
    token = learner.token()
    learner.post("/logout", status=303)
    answer = learner.client.post(
        "/settings/profile", data={"csrf_token": token, "display_name": "Ada L."}, headers=HTMX
    )
    assert answer.status_code == 401
    alert = checked(answer, whole=False)
    assert alert.css('a[href="/login"][data-sign-in-again]')
    assert "no longer signed in" in alert.text


@pytest.fixture
def real_app(cluster: str) -> Iterator[Flask]:
    """The application as it is served, errors not passed through, on a database of its own."""
    settings = load_settings(
        {
            "CODYVERSE_ENV": "development",
            "DATABASE_URL": make_database(cluster, "cv_broken"),
            "SECRET_KEY": "a-key-for-this-test-and-nothing-else",
            "LOG_LEVEL": "CRITICAL",
            "METRICS_EVERY_S": "0",
        }
    )
    app = create_app(settings)
    app.test_client_class = FreshClient
    yield app
    with app.app_context():
        db.engine.dispose()
    drop_database(cluster, "cv_broken")


def test_a_broken_permission_is_a_plain_500_with_the_request_id(real_app: Flask) -> None:
    with real_app.app_context():
        make_user(email="ada@example.org")
        visitor = Visitor(real_app).sign_in("ada@example.org")
        with db.engine.begin() as connection:
            connection.execute(text("revoke all on courses, users, players, sessions from current_user"))
    for path, headers in [("/courses", {}), ("/dashboard", {}), ("/courses", HTMX), ("/lessons/1", {})]:
        response = visitor.client.get(path, headers=headers)
        assert response.status_code == 500, path
        assert response.headers["X-Request-Id"] in response.text
        assert not [word for word in INSIDE if word in response.text]
        if not headers:
            checked(response)


def test_a_database_that_is_gone_is_503_with_retry_after(cluster: str) -> None:
    settings = load_settings(
        {
            "CODYVERSE_ENV": "development",
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
            "SECRET_KEY": "a-key-for-this-test-and-nothing-else",
            "LOG_LEVEL": "CRITICAL",
            "METRICS_EVERY_S": "0",
        }
    )
    response = create_app(settings).test_client().get("/courses")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert not [word for word in INSIDE if word in response.text]

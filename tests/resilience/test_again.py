"""PostgreSQL restarts, breaks off, or stays away: what is done again, what is refused, what is counted once."""

import threading

import flask
import psycopg2
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from codyverse.core.database import commit_was_sent, db, session, unit_of_work
from codyverse.core.resilience import again, breaker_state
from codyverse.gamification.services import verify_ledger
from codyverse.http.access import access
from tests.domains.study import Plan, answer_all, make_course, start
from tests.factories import make_user
from tests.resilience.conftest import Served
from tests.web.visits import Visitor

AT_ONCE = 4


def many(served: Served, path: str, count: int) -> list[int]:
    """The statuses of so many requests, from as many threads at once as a web process has."""
    gate, statuses = threading.Barrier(AT_ONCE), []

    def ask() -> None:
        client = served.app.test_client()
        gate.wait(30)
        statuses.extend(client.get(path).status_code for _ in range(count // AT_ONCE))

    threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return statuses


def test_after_a_restart_a_pool_full_of_dead_connections_is_no_fault(served: Served) -> None:
    with served.app.app_context():
        held = [db.engine.connect() for _ in range(5)]
        for each in held:
            each.close()
        assert db.engine.pool.checkedin() == 5
    served.postgres.restart()
    assert many(served, "/courses", 40) == [200] * 40


def test_while_it_is_away_pages_and_api_say_503_at_once_and_all_is_well_when_it_is_back(
    served: Served,
) -> None:
    client = served.app.test_client()
    assert client.get("/dashboard").status_code == 303
    served.postgres.stop()
    for _ in range(6):
        page, answer = client.get("/u/ada"), client.get("/api/courses")
        assert (page.status_code, answer.status_code) == (503, 503)
    assert breaker_state(served.app) == "open"
    assert answer.json["code"] == "SERVICE_UNAVAILABLE"
    assert int(page.headers["Retry-After"]) in (1, 2)
    assert int(answer.headers["Retry-After"]) in (1, 2)
    served.postgres.start()
    for _ in range(200):
        if client.get("/courses").status_code == 200 and breaker_state(served.app) == "closed":
            break
        threading.Event().wait(0.05)
    assert breaker_state(served.app) == "closed"
    assert client.get("/api/courses").status_code == 200


def break_off_in_commit(served: Served) -> list[int]:
    """At the next commit the connection breaks, before PostgreSQL hears of it; the processes that were ended so."""
    ended: list[int] = []

    def once(connection) -> None:  # type: ignore[no-untyped-def]
        if not ended:
            ended.append(connection.connection.dbapi_connection.info.backend_pid)
            terminate(served, ended[0])

    with served.app.app_context():
        event.listen(db.engine, "commit", once)
    return ended


def terminate(served: Served, pid: int) -> None:
    url = served.postgres.url.replace("+psycopg2", "")
    other = psycopg2.connect(url)
    with other, other.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s)", (pid,))
    other.close()


def a_learner(served: Served, plans: int = 1) -> tuple[Visitor, int, list[int]]:
    with served.app.app_context():
        lessons = make_course(*[Plan(asks=1, teaches=0)] * plans)
        user_id = make_user()
        email = session.execute(text("select email from users where id = :id"), {"id": user_id}).scalar_one()
    return Visitor(served.app).sign_in(email), user_id, lessons


def test_a_connection_that_breaks_before_the_commit_repeats_whatever_it_was(served: Served) -> None:
    """Registering says of itself nothing about being harmless; nothing of the first run was stored."""
    visitor = Visitor(served.app)
    fields = {"email": "bea@example.org", "display_name": "Bea", "password": "wren-lantern-tide-42"}
    token = visitor.token()
    seen = []

    def kill_at_insert(conn, _cursor, statement, *_rest) -> None:  # type: ignore[no-untyped-def]
        if statement.lower().lstrip().startswith("insert into users") and not seen:
            seen.append(statement)
            terminate(served, conn.connection.dbapi_connection.info.backend_pid)

    with served.app.app_context():
        event.listen(db.engine, "before_cursor_execute", kill_at_insert)
    response = visitor.client.post("/register", data=fields | {"csrf_token": token})
    assert (len(seen), response.status_code) == (1, 303)
    with served.app.app_context():
        count = session.execute(text("select count(*) from users where email = 'bea@example.org'"))
        assert count.scalar_one() == 1


def test_a_connection_that_breaks_in_the_commit_of_a_completion_pays_once(served: Served) -> None:
    visitor, user_id, [lesson_id] = a_learner(served)
    with served.app.app_context():
        attempt_id = start(user_id, lesson_id)
        answer_all(user_id, attempt_id)
    token = visitor.token()
    ended = break_off_in_commit(served)
    fields = {"csrf_token": token, "attempt_id": attempt_id}
    response = visitor.client.post(f"/lessons/{lesson_id}/complete", data=fields)
    assert (len(ended), response.status_code) == (1, 303)
    with served.app.app_context():
        paid = session.execute(
            text(
                "select count(*) from ledger_entries where user_id = :id and rule = 'lesson' and currency = 'xp'"
            ),
            {"id": user_id},
        )
        assert paid.scalar_one() == 1
        assert verify_ledger() == ()


def test_a_commit_of_unknown_outcome_is_not_repeated_where_nobody_says_that_it_may(served: Served) -> None:
    visitor, _, _ = a_learner(served)
    token, ended = visitor.token(), break_off_in_commit(served)
    fields = {"csrf_token": token, "name": "ci", "scopes": ["profile:read"], "days": "30"}
    response = visitor.client.post("/settings/tokens", data=fields)
    assert (len(ended), response.status_code) == (1, 503)


def test_a_deadlock_and_a_serialization_failure_are_repeated(served: Served) -> None:
    runs = []

    def work() -> str:
        with unit_of_work():
            runs.append(commit_was_sent())
            code = ("40P01", "40001", "")[min(len(runs), 3) - 1]
            if code:
                session.execute(text(f"do $$ begin raise exception 'again' using errcode = '{code}'; end $$"))
        return "done"

    with served.app.app_context():
        assert again(work) == "done"
        assert runs == [False] * 3


def test_what_is_our_own_fault_is_not_repeated(served: Served) -> None:
    runs = []

    def work() -> None:
        with unit_of_work():
            runs.append(1)
            session.execute(text("select 1 / 0"))

    with served.app.app_context(), pytest.raises(DBAPIError):
        again(work)
    assert len(runs) == 1


def test_a_repeated_request_finds_the_cookie_as_it_came(served: Served) -> None:
    """Such as an answer that is held in it until its writer has signed in: the first run has taken it out."""
    seen: list[object] = []

    @served.app.get("/test/cookie")
    @access("anyone")
    def take() -> str:
        seen.append(flask.session.pop("held", None))
        if len(seen) == 1:
            session.execute(text("do $$ begin raise exception 'again' using errcode = '40001'; end $$"))
        return ""

    client = served.app.test_client()
    with client.session_transaction() as cookie:
        cookie["held"] = "what was typed"
    assert client.get("/test/cookie").status_code == 200
    assert seen == ["what was typed"] * 2
    with client.session_transaction() as cookie:
        assert "held" not in cookie

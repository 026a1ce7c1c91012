"""/health, /metrics, /cache-stats: what they say is what is."""

import contextvars
import json
import socket
from pathlib import Path

import pytest
from flask import Flask

from codyverse import create_app
from codyverse.core import cache
from codyverse.courses import queries as courses
from tests.api.client import Program, token_for
from tests.api.conftest import Actor
from tests.conftest import settings_for
from tests.domains.study import Plan, do_lesson, make_course
from tests.web.playing import make_tea


def test_health_tells_four_words_to_all(app: Flask) -> None:
    told = app.test_client().get("/health")
    assert told.status_code == 200
    body = told.get_json()
    assert body.keys() == {"overall", "database", "memory", "cache", "checkedAt", "uptime"}
    assert (body["overall"], body["database"], body["memory"], body["cache"]) == (
        "healthy",
        "connected",
        "optimal",
        "operational",
    )
    assert "RateLimit-Limit" not in told.headers


def test_health_asks_nothing_when_it_is_asked(app: Flask) -> None:
    client = app.test_client()
    first = client.get("/health").get_json()["checkedAt"]
    assert client.get("/health").get_json()["checkedAt"] == first


def test_operators_get_figures(app: Flask, operator: Actor, ada: Actor) -> None:
    for token, expected in ((operator.program.token, True), (ada.program.token, False)):
        told = app.test_client().get("/health", headers={"Authorization": f"Bearer {token}"})
        assert ("details" in told.get_json()) is expected


def test_a_database_that_is_gone_is_critical() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        broken = create_app(settings_for(f"postgresql://nobody@127.0.0.1:{port}/none"))
        told = broken.test_client().get("/health")
    assert told.status_code == 503
    assert (told.get_json()["overall"], told.get_json()["database"]) == ("critical", "disconnected")
    assert broken.test_client().get("/health/live").status_code == 200


def test_whoever_comes_with_a_token_hears_of_it_too(operator: Actor) -> None:
    """Whose token it is cannot be asked then; the four words are for everybody."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        broken = create_app(settings_for(f"postgresql://nobody@127.0.0.1:{port}/none"))
        token = {"Authorization": f"Bearer {operator.program.token}"}
        told = contextvars.Context().run(broken.test_client().get, "/health", headers=token)
    assert (told.status_code, told.get_json().get("overall")) == (503, "critical"), told.get_json()
    assert "details" not in told.get_json()


def test_memory_is_measured_against_its_limit(cluster: str) -> None:
    small = create_app(settings_for(cluster, MEMORY_LIMIT_MB="1"))
    told = small.test_client().get("/health")
    assert (told.status_code, told.get_json()["memory"]) == (503, "critical")


def requests_counted(app: Flask, endpoint: str) -> float:
    told = app.test_client().get("/metrics", headers={"Accept": "application/json"}).get_json()
    [found] = [each for each in told if each["name"] == "cody_requests"]
    return sum(
        each["value"]
        for each in found["samples"]
        if each["name"].endswith("_total") and each["labels"]["endpoint"] == endpoint
    )


def test_a_hundred_requests_are_a_hundred_in_the_metrics(app: Flask) -> None:
    before = requests_counted(app, "docs.spec")
    client = app.test_client()
    for _ in range(100):
        client.get("/api-spec.json")
    assert requests_counted(app, "docs.spec") - before == 100
    text = client.get("/metrics").text
    assert 'cody_requests_total{endpoint="docs.spec",method="GET",status="200"}' in text
    assert "# TYPE cody_request_seconds histogram" in text


@pytest.mark.parametrize("path", ["/metrics", "/cache-stats"])
def test_watchers_are_operators_or_come_from_near(app: Flask, operator: Actor, ada: Actor, path: str) -> None:
    client = app.test_client()
    far = {"REMOTE_ADDR": "203.0.113.9"}
    assert client.get(path).status_code == 200
    assert client.get(path, environ_base=far).status_code == 401
    for token, status in (
        (operator.program.token, 200),
        (ada.program.token, 403),
        (token_for(operator.id, "profile:read"), 403),
        ("cody_nonsense", 401),
    ):
        headers = {"Authorization": f"Bearer {token}"}
        told = client.get(path, environ_base=far, headers=headers)
        assert told.status_code == status
        if status >= 400:
            assert told.get_json()["success"] is False


def test_the_cache_tells_what_it_did(app: Flask, ada: Actor, tmp_path: Path) -> None:
    lesson_id = make_tea(tmp_path)
    before = {each.lifetime: each for each in cache.stats()}["static"]
    ada.program.post(f"/lessons/{lesson_id}/attempts", status=201)
    after = {each.lifetime: each for each in cache.stats()}["static"]
    steps = len(courses.current_steps(lesson_id))
    assert after.misses - before.misses == steps
    ada.program.post(f"/lessons/{lesson_id}/attempts")
    told = app.test_client().get("/cache-stats").get_json()
    [static] = [each for each in told["lifetimes"] if each["lifetime"] == "static"]
    assert static["hits"] - after.hits == steps
    assert static["entries"] >= steps
    assert {each["lifetime"]: each["seconds"] for each in told["lifetimes"]} == {
        "user": 600,
        "courses": 900,
        "static": 3600,
        "responses": 300,
    }


def test_the_log_tells_the_request_and_its_statements(
    app: Flask, ada: Actor, capfd: pytest.CaptureFixture[str]
) -> None:
    from codyverse.core.telemetry import configure_logs

    configure_logs("INFO", "json")
    try:
        told = ada.program.get("/users/me", headers={"X-Request-Id": "trace-me-1234"})
    finally:
        configure_logs("WARNING", "text")
    [line] = [json.loads(each) for each in capfd.readouterr().err.splitlines() if '"request"' in each]
    assert line["request_id"] == told.headers["X-Request-Id"] == "trace-me-1234"
    assert (line["endpoint"], line["status"], line["user_id"]) == ("api.getMe", 200, ada.id)
    assert line["statements"] >= 2
    assert "cody_" not in json.dumps({**line, "endpoint": ""})
    assert "ada@" not in json.dumps(line)


def test_a_lesson_works_the_same_with_what_is_kept(ada: Actor, ben: Actor) -> None:
    [lesson_id] = make_course(Plan(asks=2))
    for actor in (ada, ben):
        attempt_id = do_lesson(actor.id, lesson_id)
        assert actor.program.get(f"/attempts/{attempt_id}").data["completedAt"]
    assert (
        Program(ada.program.app, ben.program.token).get(f"/attempts/{attempt_id}").data["attemptId"]
        == attempt_id
    )
    ada.program.get(f"/attempts/{attempt_id}", status=404)

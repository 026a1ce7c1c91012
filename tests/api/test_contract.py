"""What holds for all of the API: its codes, methods, headers, other origins, what it logs."""

import json
import re
from io import BytesIO
from typing import Any

import pytest
from flask import Flask

from codyverse import create_app
from codyverse.api.openapi import STATUS, codes_of
from codyverse.api.operation import OPERATIONS
from codyverse.core.telemetry import configure_logs
from tests.api.client import Program
from tests.api.world import PASSWORD, World
from tests.conftest import FreshClient, settings_for

ALL = list(OPERATIONS.values())
CONTRACT = {
    "VALIDATION_ERROR",
    "INVALID_USER_ID",
    "USER_NOT_FOUND",
    "LESSON_NOT_FOUND",
    "COURSE_NOT_FOUND",
    "NOT_FOUND",
    "UNAUTHORIZED",
    "SECOND_FACTOR_REQUIRED",
    "FORBIDDEN",
    "CONFLICT",
    "ATTEMPT_INCOMPLETE",
    "IDEMPOTENCY_IN_PROGRESS",
    "IDEMPOTENCY_KEY_REUSED",
    "PRECONDITION_FAILED",
    "RATE_LIMITED",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "METHOD_NOT_ALLOWED",
    "MALFORMED_JSON",
    "SERVICE_UNAVAILABLE",
    "INTERNAL_ERROR",
}
"""All codes, as the contract lists them."""
HERE = {"METHOD_NOT_ALLOWED"}
"""Codes that no operation has, for they are about addresses; this file brings them about."""
ORIGIN = "https://app.example.org"
NO_DATABASE = "postgresql://nobody@127.0.0.1:9/none"
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_every_code_of_the_contract_is_produced() -> None:
    """`test_statuses.py` brings about each code of each operation; together with these they are all."""
    assert set(STATUS) == CONTRACT
    produced = {code for op in ALL for code in codes_of(op)} | HERE
    assert produced == CONTRACT


def test_every_address_knows_its_methods(world: World) -> None:
    """HEAD is GET without a body; OPTIONS needs nobody; another method is 405 and told which there are."""
    stranger = Program(world.app)
    there: dict[str, set[str]] = {}
    for op in ALL:
        there.setdefault(op.path, set()).add(op.method)
    for op in ALL:
        path, methods = world.path(op), there[op.path]
        allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        asked = world.app.test_client().options(f"/api{path}")
        assert asked.status_code == 200
        assert set(asked.headers["Allow"].split(", ")) == allowed, op.id
        for method in METHODS - _methods_at(world, path):
            told = stranger.send(method, path, status=405)
            assert told.code == "METHOD_NOT_ALLOWED"
            assert set(told.headers["Allow"].split(", ")) == allowed
        if op.method == "GET":
            by = world.browser if op.id == "listTokens" else world.program
            by.get(path)
            whole, head = by.get(path), by.send("HEAD", path, checked=False)
            assert (head.status, head.response.data) == (200, b"")
            for name in ("Content-Type", "ETag", "Cache-Control", "RateLimit-Limit"):
                assert head.headers.get(name) == whole.headers.get(name), (op.id, name)


def _methods_at(world: World, path: str) -> set[str]:
    """The methods of all rules that fit this address: /users/me fits /users/{userId} too."""
    adapter = world.app.url_map.bind("localhost")
    return set(adapter.allowed_methods(f"/api{path}"))


def test_addresses_that_are_none_are_told_in_json(world: World) -> None:
    for path in ("/none", "/users/me/none", "/lessons", "/auth", "/", "/users/", "/%00", "/é"):
        for method in METHODS:
            assert world.program.send(method, path, status=404).code == "NOT_FOUND", path
    assert "text/html" in world.app.test_client().get("/apiary").content_type


def test_every_answer_says_what_is_left_and_which_request_it_was(world: World) -> None:
    first = world.program.get("/users/me", headers={"X-Request-Id": "a-request-of-mine"})
    assert first.headers["X-Request-Id"] == "a-request-of-mine"
    second = world.program.get("/users/me", headers={"X-Request-Id": "<script>"})
    assert second.headers["X-Request-Id"].isalnum()
    left = [int(each.headers["RateLimit-Remaining"]) for each in (first, second)]
    assert left[0] - left[1] == 1
    assert 0 < int(second.headers["RateLimit-Reset"]) <= 60
    assert second.headers["RateLimit-Limit"] == "100000"
    refused = world.program.get("/attempts/0", status=404)
    assert refused.headers["X-Request-Id"]


def test_nothing_is_kept_by_others(world: World) -> None:
    """Answers belong to one person: no cache on the way may keep them for another."""
    for op in ALL:
        came = world.send(op, by=world.browser if op.id == "listTokens" else None)
        kept = came.headers["Cache-Control"]
        assert "private" in kept or "no-store" in kept, op.id
        assert {"Authorization", "Cookie"} <= set(came.headers["Vary"].split(", ")), op.id
        if op.id in {"eraseMe", "revokeToken"}:
            return


@pytest.fixture
def shared() -> Flask:
    """The application with one site on the allow-list."""
    app = create_app(settings_for(NO_DATABASE, CORS_ORIGINS=f"{ORIGIN} https://other.example.org"))
    app.test_client_class = FreshClient
    return app


def test_only_sites_on_the_list_may_read_it(shared: Flask) -> None:
    client = shared.test_client()
    for op in ALL:
        path = "/api" + re.sub(r"<(\w+:)?\w+>", "1", op.path)
        asks = {"Access-Control-Request-Method": op.method, "Access-Control-Request-Headers": "authorization"}
        told = client.options(path, headers=asks | {"Origin": ORIGIN}).headers
        assert told["Access-Control-Allow-Origin"] == ORIGIN
        assert op.method in told["Access-Control-Allow-Methods"]
        assert told["Access-Control-Allow-Headers"] == "authorization"
        assert "Access-Control-Allow-Credentials" not in told
        assert "Origin" in told["Vary"]
        for other in ("https://evil.example", "null", f"{ORIGIN}.evil.example", "http://app.example.org"):
            told = client.options(path, headers=asks | {"Origin": other}).headers
            assert "Access-Control-Allow-Origin" not in told, other
    read = client.get("/api/none", headers={"Origin": ORIGIN}).headers
    assert read["Access-Control-Allow-Origin"] == ORIGIN
    assert "RateLimit-Remaining" in read["Access-Control-Expose-Headers"]
    for page in ("/login", "/health/live"):
        assert "Access-Control-Allow-Origin" not in client.get(page, headers={"Origin": ORIGIN}).headers


def test_without_a_list_nobody_else_may(world: World) -> None:
    told = world.program.get("/users/me", headers={"Origin": ORIGIN}).headers
    assert not [name for name in told.keys() if name.startswith("Access-Control")]  # noqa: SIM118 - names may repeat


def test_the_log_has_a_line_with_the_requests_id(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO", "json")
    try:
        world.program.get("/users/me", headers={"X-Request-Id": "find-me-in-the-log"})
    finally:
        configure_logs("WARNING", "text")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "find-me-in-the-log" in line]
    [line] = [each for each in lines if each["event"] == "request"]
    assert (line["request_id"], line["status"], line["endpoint"]) == ("find-me-in-the-log", 200, "api.getMe")
    assert line["user_id"] == world.user_id
    assert world.token not in json.dumps(lines)


def test_a_body_in_chunks_is_read_to_its_end(world: World) -> None:
    def chunked(body: bytes) -> Any:
        headers = {
            "Authorization": f"Bearer {world.program.token}",
            "Content-Type": "application/json",
            "Transfer-Encoding": "chunked",
        }
        return world.app.test_client().open(
            "/api/users/me", method="PATCH", headers=headers, input_stream=BytesIO(body)
        )

    assert chunked(b'{"name": "In pieces"}').get_json()["data"]["name"] == "In pieces"
    assert chunked(b'{"name": "' + b"x" * 2_000_000 + b'"}').status_code == 413


def test_what_only_looks_like_a_number_or_a_key_or_a_time_is_refused(world: World) -> None:
    admin = Program(world.app, world.program.token)
    for odd in ("1_0", "+1", "01", " 1", "١"):
        assert "page" in admin.get("/notifications", query_string={"page": odd}, status=422).json["details"]
    key = {"Idempotency-Key": "a,b"}
    assert admin.post("/notifications/read-all", status=422, headers=key).code == "VALIDATION_ERROR"
    far = {
        "email": world.email,
        "password": PASSWORD,
        "name": "far",
        "expiresAt": "9999-12-31T23:59:59-05:00",
    }
    assert "expiresAt" in Program(world.app).post("/auth/tokens", far, status=422).json["details"]
    assert "timeZone" in admin.patch("/users/me", {"timeZone": "localtime"}, status=422).json["details"]
    packed = {"Content-Encoding": "gzip"}
    assert (
        admin.patch("/users/me", {"name": "x"}, status=415, headers=packed).code == "UNSUPPORTED_MEDIA_TYPE"
    )


def test_asking_whether_one_may_ask_is_not_counted(world: World) -> None:
    told = world.app.test_client().options("/api/users/me")
    assert "RateLimit-Limit" not in told.headers

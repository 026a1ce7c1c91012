"""Every status and every code that the document names for an operation is produced, over HTTP.

What holds for all operations is brought about here for all of them; what is an operation's own in `triggers.py`. An
operation that is added is covered by itself, or `test_nothing_is_only_on_paper` names what has to be brought about.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from codyverse import create_app
from codyverse.api.openapi import STATUS, codes_of
from codyverse.api.operation import OPERATIONS, Operation
from codyverse.core.database import db
from codyverse.core.idempotency import Once
from codyverse.http.limits import limiter
from config import load_settings
from tests.api.client import Program, Told, at_once, check, token_for
from tests.api.triggers import TRIGGERS
from tests.api.world import NOWHERE, World, make_world
from tests.conftest import FreshClient, drop_database, make_database
from tests.factories import make_user

ALL = list(OPERATIONS.values())
WRITES = [op for op in ALL if op.writes]
POSTS = [op for op in ALL if op.method == "POST"]
READS = [op for op in ALL if not op.writes]
RANKED = {"author", "operator"}
FOR_ALL = {"UNAUTHORIZED", "RATE_LIMITED", "SERVICE_UNAVAILABLE", "INTERNAL_ERROR"}
FOR_WRITES = {
    "FORBIDDEN",
    "VALIDATION_ERROR",
    "MALFORMED_JSON",
    "UNSUPPORTED_MEDIA_TYPE",
    "PAYLOAD_TOO_LARGE",
}
MIB = 2**20
MALFORMED = {
    "no JSON": b"{",
    "a key twice": b'{"a": 1, "a": 2}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a huge number": b'{"a": 1e400}',
    "more than 64 bits": b'{"a": 18446744073709551616}',
    "a very long number": b'{"a": ' + b"9" * 5000 + b"}",
    "nested deeply": b"[" * 34 + b"]" * 34,
    "nested endlessly": b"[" * 100_000,
    "no UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "half a pair": b'{"a": "\\ud800"}',
}


def documented(op: Operation) -> set[str]:
    """The statuses of success and the codes."""
    good = {str(status) for status in (op.status, *op.also)}
    return good | ({"304"} if not op.writes and op.media is None else set()) | set(codes_of(op))


def brought_about(op: Operation) -> set[str]:
    """What the tests of this file bring about for the operation; the rest is in `triggers.py`."""
    found = FOR_ALL | {str(op.status)} | (FOR_WRITES if op.writes else {"304"})
    if op.scope is not None or op.policy in RANKED:
        found |= {"FORBIDDEN"}
    if op.query is not None:
        found |= {"VALIDATION_ERROR"}
    if op.method == "POST":
        found |= {"IDEMPOTENCY_IN_PROGRESS", "IDEMPOTENCY_KEY_REUSED"}
    if op.conditional:
        found |= {"PRECONDITION_FAILED"}
    if "<user_id>" in op.path:
        found |= {"INVALID_USER_ID", "FORBIDDEN", "USER_NOT_FOUND"}
    if "<id:" in op.path:
        found |= {"NOT_FOUND"} | _not_found(op)
    return found


def _not_found(op: Operation) -> set[str]:
    """The code of an id in the path that leads nowhere, if it is one of its own."""
    return {code for code in op.errors if code.endswith("_NOT_FOUND")} if "<id:" in op.path else set()


def test_nothing_is_only_on_paper() -> None:
    missing = [
        (op.id, name)
        for op in ALL
        for name in sorted(documented(op) - brought_about(op))
        if (op.id, name) not in TRIGGERS
    ]
    assert not missing, (
        f"documented, but no test brings it about; write a trigger, or mend the declaration: {missing}"
    )
    beyond = [(name, told) for name, told in TRIGGERS if told not in documented(OPERATIONS[name])]
    assert not beyond, f"brought about, but not documented: {beyond}"


@pytest.mark.parametrize(("name", "told"), TRIGGERS)
def test_what_is_an_operations_own(world: World, name: str, told: str) -> None:
    must_be(TRIGGERS[name, told](world), told, OPERATIONS[name])


def must_be(came: Told, wanted: str, op: Operation) -> None:
    """`wanted` is a status of success or a code."""
    status = int(wanted) if wanted.isdigit() else STATUS[wanted]
    said = f"{op.id}: {came.status} {came.response.text[:300]}"
    assert came.status == status, said
    assert wanted.isdigit() or came.code == wanted, said


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.id)
def test_all_is_well(world: World, op: Operation) -> None:
    if (op.id, str(op.status)) in TRIGGERS:
        return
    if not op.writes:
        world.send(op)  # the first use of a token is noted, which some answers tell
    came = world.send(op)
    must_be(came, str(op.status), op)
    if "304" in documented(op):
        known = {"If-None-Match": came.headers["ETag"]}
        must_be(world.send(op, headers=known), "304", op)
    if op.status == 201:
        assert came.headers["Location"].startswith("/api/")


def test_unauthorized(world: World) -> None:
    stranger, liar = Program(world.app), Program(world.app, "cody_" + "x" * 36)
    for op in ALL:
        came = world.send(op, by=liar)
        must_be(came, "UNAUTHORIZED", op)
        assert came.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        if op.policy != "anyone":
            came = world.send(op, by=stranger)
            must_be(came, "UNAUTHORIZED", op)
            assert came.headers["WWW-Authenticate"] == "Bearer"


def test_a_scope_or_a_role_that_is_too_small(world: World) -> None:
    learner = make_user(email="learner@example.org")
    whole = Program(world.app, token_for(learner))
    narrow = {
        scope: Program(world.app, token_for(world.user_id, scope))
        for scope in ("profile:read", "courses:read")
    }
    for op in ALL:
        if op.scope is not None:
            other = "profile:read" if op.scope != "profile:read" else "courses:read"
            must_be(world.send(op, by=narrow[other]), "FORBIDDEN", op)
        if op.policy in RANKED:
            must_be(world.send(op, by=whole), "FORBIDDEN", op)
        if "<user_id>" in op.path:
            must_be(world.send(op, by=whole), "FORBIDDEN", op)
            must_be(world.send(op, by=whole, ids={"user_id": NOWHERE}), "FORBIDDEN", op)


def test_a_session_without_its_csrf_token(world: World) -> None:
    for op in WRITES:
        for csrf in ("", "nonsense"):
            must_be(world.send(op, by=world.browser, headers={"X-CSRFToken": csrf}), "FORBIDDEN", op)


def test_ids_that_are_none(world: World) -> None:
    for op in ALL:
        odd = ("0", "-5", "abc", "1.5", str(2**63))
        if "<id:" in op.path:
            for each in odd:
                must_be(
                    world.send(op, ids={name: each for name in world.ids if name != "user_id"}),
                    "NOT_FOUND",
                    op,
                )
            nowhere = world.send(op, ids={name: NOWHERE for name in world.ids if name != "user_id"})
            if (op.id, "NOT_FOUND") not in TRIGGERS:
                assert nowhere.status in {404, 403}, f"{op.id}: {nowhere.status}"
            for code in _not_found(op):
                if (op.id, code) not in TRIGGERS:
                    must_be(nowhere, code, op)
        if "<user_id>" in op.path:
            for each in odd:
                must_be(world.send(op, ids={"user_id": each}), "INVALID_USER_ID", op)
            must_be(world.send(op, ids={"user_id": NOWHERE}), "USER_NOT_FOUND", op)


def test_bodies_that_are_not_read(world: World) -> None:
    plain = {"content_type": "text/plain", "data": b"{}"}
    for op in WRITES:
        must_be(world.send(op, body=None, **plain), "UNSUPPORTED_MEDIA_TYPE", op)
        huge = {"content_type": "application/json", "data": b'"' + b"x" * 2 * MIB + b'"'}
        must_be(world.send(op, body=None, **huge), "PAYLOAD_TOO_LARGE", op)
        for what, body in MALFORMED.items():
            came = world.send(op, body=None, data=body, content_type="application/json")
            assert came.json.get("code") == "MALFORMED_JSON", f"{op.id}: {what}: {came.response.text}"


def test_fields_and_keys_that_are_none(world: World) -> None:
    for op in ALL:
        if op.writes:
            whole = world.body(op) if op.body is not None else {}
            must_be(world.send(op, body=whole | {"unheardOf": 1}), "VALIDATION_ERROR", op)
            must_be(world.send(op, body=[whole]), "VALIDATION_ERROR", op)
        if op.query is not None:
            came = world.program.send(op.method, world.path(op) + "?unheardOf=1")
            must_be(came, "VALIDATION_ERROR", op)
        if op.method == "POST":
            for key in ("x" * 256, "two words", "", '"half'):
                came = world.send(op, headers={"Idempotency-Key": key})
                must_be(came, "VALIDATION_ERROR", op)
                assert "Idempotency-Key" in came.json["details"]
        if op.needs_key:
            must_be(world.send(op, headers={}), "VALIDATION_ERROR", op)


def test_another_request_under_one_key(world: World) -> None:
    for op in POSTS:
        by = Program(world.app) if op.policy == "anyone" else world.program
        body = None if op.body is None else world.body(op)
        key = {"Idempotency-Key": f"key-of-{op.id}"}
        by.send("POST", world.path(op), body, headers=key)
        must_be(by.send("POST", world.path(op) + "?other=1", body, headers=key), "IDEMPOTENCY_KEY_REUSED", op)


def test_versions_that_are_not_met(world: World) -> None:
    for op in ALL:
        if op.conditional:
            must_be(world.send(op, headers={"If-Match": '"another"'}), "PRECONDITION_FAILED", op)


def test_too_often(world: World) -> None:
    kept = world.app.extensions["settings"]
    world.app.extensions["settings"] = kept.model_copy(update={"ratelimit_default": "1 per minute"})
    stranger = Program(world.app)
    limiter.reset()
    try:
        world.program.get("/users/me")
        stranger.get("/users/me", status=401)
        for op in ALL:
            for who in (world.program, stranger):
                came = world.send(op, by=who)
                must_be(came, "RATE_LIMITED", op)
                assert 1 <= int(came.headers["Retry-After"]) <= 60
                assert came.headers["RateLimit-Limit"] == "1"
                assert came.headers["RateLimit-Remaining"] == "0"
    finally:
        world.app.extensions["settings"] = kept
        limiter.reset()


def test_the_same_is_still_being_worked_on(committed_app: Flask, tmp_path: Path) -> None:
    world = make_world(committed_app, tmp_path, "operator")
    kept = committed_app.extensions["settings"]
    committed_app.extensions["settings"] = kept.model_copy(update={"idempotency_wait_s": 1})
    others = create_engine(kept.database_url)
    sends = []
    with others.connect() as elsewhere:
        for op in POSTS:
            who = "stranger" if op.policy == "anyone" else f"person:{world.user_id}"
            held = Once.of(who, op.id, "busy", b"", "")
            lock = int.from_bytes(held.scope_hash[:8], "big", signed=True)
            elsewhere.execute(text("select pg_advisory_lock(:lock)"), {"lock": lock})
            by = Program(committed_app) if op.policy == "anyone" else world.program
            busy = {"Idempotency-Key": "busy"}
            body = None if op.body is None else world.body(op)
            sends.append(partial(by.send, "POST", world.path(op), body, headers=busy, checked=False))
        told = at_once(sends)
    others.dispose()
    for op, came in zip(POSTS, told, strict=True):
        check(committed_app, "POST", world.path(op), came)
        must_be(came, "IDEMPOTENCY_IN_PROGRESS", op)


@contextmanager
def as_served(url: str) -> Iterator[Flask]:
    """The application as it is served: errors are told, not raised through."""
    values: dict[str, Any] = {
        "CODYVERSE_ENV": "development",
        "DATABASE_URL": url,
        "SECRET_KEY": "a-key-for-this-test-and-nothing-else",
        "LOG_LEVEL": "CRITICAL",
        "METRICS_EVERY_S": "0",
        "RATELIMIT_DEFAULT": "100000 per minute",
    }
    app = create_app(load_settings(values))
    app.test_client_class = FreshClient
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def test_a_permission_that_is_missing(cluster: str, tmp_path: Path) -> None:
    """First on all tables but those that say who somebody is, then on all."""
    url = make_database(cluster, "cv_api_broken")
    try:
        with as_served(url) as app:
            world = make_world(app, tmp_path, "operator")
            broken = set()
            for spared in ("and tablename not in ('users', 'api_tokens')", ""):
                tables = f"select tablename from pg_tables where schemaname = 'public' {spared}"
                with db.engine.begin() as connection:
                    for table in connection.execute(text(tables)).scalars().all():
                        connection.execute(text(f"revoke all on {table} from current_user"))
                for op in ALL:
                    by = Program(app) if op.policy == "anyone" and not spared else world.program
                    came = world.send(op, by=by)
                    if came.status == 500 or not spared:
                        must_be(came, "INTERNAL_ERROR", op)
                        broken.add(op.id)
            assert broken == set(OPERATIONS)
    finally:
        drop_database(cluster, "cv_api_broken")


def test_a_database_that_is_gone(world: World) -> None:
    with as_served("postgresql://nobody@127.0.0.1:9/none") as app:
        there = World(app, world.email, world.user_id, world.token, world.ids)
        for op in ALL:
            by = Program(app) if op.policy == "anyone" else there.program
            came = there.send(op, by=by)
            must_be(came, "SERVICE_UNAVAILABLE", op)
            assert int(came.headers["Retry-After"]) > 0

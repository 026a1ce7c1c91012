"""Rubbish in every place of every operation: the documented status and code, and nothing written."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from codyverse.accounts import tokens
from codyverse.api.operation import OPERATIONS, Operation
from codyverse.core.clock import now
from codyverse.core.database import unit_of_work
from codyverse.courses.services import retire_courses
from tests.api.client import Program, spec_of, token_for
from tests.api.snapshots import changed, state
from tests.api.world import NOWHERE, World
from tests.domains.study import Plan, make_course
from tests.factories import make_user

ALL = list(OPERATIONS.values())
WRITES = [op for op in ALL if op.writes]
WITH_BODY = [op for op in ALL if op.body is not None]
OF_USERS = [op for op in ALL if "<user_id>" in op.path]
REPORTS = [op for op in WITH_BODY if op.path == "/gamification/lesson-complete/<user_id>"]
OF_LESSONS = [op for op in ALL if "<id:lesson_id>" in op.path]
MIB = 2**20
VALUES: dict[str, Any] = {
    "minus": -1,
    "zero": 0,
    "101": 101,
    "huge": 10**9,
    "half": 1.5,
    "too large": 2**63,
    "text": "95",
    "empty": "",
    "long": "x" * 300_000,
    "NUL": "a\x00b",
    "list": [95],
    "empty list": [],
    "object": {"a": 1},
    "null": None,
    "true": True,
}
NO_SCORES = {
    "-1": b"-1",
    "101": b"101",
    "1e9": b"1e9",
    "text": b'"95"',
    "list": b"[95]",
    "null": b"null",
    "true": b"true",
}


@pytest.fixture
def learner(app: Flask, world: World) -> Program:
    """Another learner, whose token may report."""
    program = Program(app, token_for(make_user(email="ben@example.org")))
    program.get("/users/me", status=200)
    return program


def fits(app: Flask, op: Operation, body: Any) -> bool:
    """Whether the document says that this may be sent."""
    spec = spec_of(app)
    registry = Registry().with_resource(
        "urn:it", Resource.from_contents(spec, default_specification=DRAFT202012)
    )
    asked = next(
        each for path in spec["paths"].values() for each in path.values() if each["operationId"] == op.id
    )
    wanted = asked["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return Draft202012Validator({"$ref": f"urn:it{wanted}"}, registry=registry).is_valid(body)


@pytest.mark.parametrize("op", WITH_BODY, ids=lambda op: op.id)
def test_rubbish_in_every_field(world: World, op: Operation) -> None:
    """What the schema does not allow is 422 and named by its field (400 where no JSON reader may take it)."""
    whole, before = world.body(op), state()
    names = [field.alias or name for name, field in op.body.model_fields.items()] if op.body else []
    tried = 0
    for name in names:
        for what, value in VALUES.items():
            body = whole | {name: value}
            if fits(world.app, op, body):
                continue
            tried += 1
            came = world.send(op, body=body)
            assert came.json.get("code") == "VALIDATION_ERROR", f"{name} {what}: {came.response.text[:300]}"
            assert any(each.partition(".")[0] == name for each in came.json["details"]), (name, what)
    assert tried > len(names)
    assert changed(before) == set()


@pytest.mark.parametrize("op", WRITES, ids=lambda op: op.id)
def test_bodies_that_are_none(world: World, op: Operation) -> None:
    before = state()
    bodies = [[], [{}], "text", 5, None, True]
    for body in bodies:
        data = {"json": body} if body is not None else {"data": b"null", "content_type": "application/json"}
        came = world.send(op, body=None, **data)
        assert (came.status, came.code) == (422, "VALIDATION_ERROR"), (body, came.response.text[:200])
    if op.body is not None and not fits(world.app, op, {}):
        assert world.send(op, body={}).code == "VALIDATION_ERROR"
    huge = {"data": b"{" + b" " * 2 * MIB + b"}", "content_type": "application/json"}
    assert (came := world.send(op, body=None, **huge)).code == "PAYLOAD_TOO_LARGE", came.status
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        came = world.send(op, body=None, data=b'{"a": 1}', content_type=kind)
        assert (came.status, came.code) == (415, "UNSUPPORTED_MEDIA_TYPE"), kind
    assert changed(before) == set()


def test_tokens_that_do_not_count(world: World) -> None:
    """Expired, revoked, cut short, not there, of another kind, of too small a scope."""
    soon = now() + timedelta(minutes=1)
    with unit_of_work():
        expired, _ = tokens.issue_token(world.user_id, "short", ["profile:read"], soon, by_operator=True)
        revoked, made = tokens.issue_token(world.user_id, "gone", ["profile:read"], by_operator=True)
        tokens.revoke_token(world.user_id, made.id)
    narrow = {
        name: Program(world.app, token_for(world.user_id, name)) for name in ("profile:read", "courses:read")
    }
    for program in narrow.values():
        program.send("GET", "/users/me")
    odd = [revoked, revoked[:-1], f"{revoked}x", "cody_", "x", "é", "a b c", "x" * 9000]
    before = state()
    for op in ALL:
        for text in odd:
            given = {"Authorization": f"Bearer {text}".encode().decode("latin-1")}
            came = world.send(op, by=Program(world.app), headers=given)
            assert (came.status, came.code) == (401, "UNAUTHORIZED"), (op.id, text)
        came = world.send(op, by=Program(world.app), headers={"Authorization": "Basic YTpi"})
        assert (came.status, came.code) == (401, "UNAUTHORIZED"), op.id
        with time_machine.travel(soon + timedelta(seconds=1)):
            assert world.send(op, by=Program(world.app, expired)).code == "UNAUTHORIZED"
        if op.scope is not None:
            other = narrow["courses:read" if op.scope == "profile:read" else "profile:read"]
            assert world.send(op, by=other).code == "FORBIDDEN", op.id
    assert changed(before) == set()


def test_people_who_are_not_meant(world: World, learner: Program) -> None:
    before = state()
    for op in OF_USERS:
        for text in ("0", "-5", "abc", "1.5", str(2**63), "1e3", "٣", "%20", "1%00"):
            came = world.send(op, ids={"user_id": text})
            assert (came.status, came.code) == (400, "INVALID_USER_ID"), (op.id, text)
        assert world.send(op, ids={"user_id": NOWHERE}).code == "USER_NOT_FOUND", op.id
        for user_id in (world.user_id, NOWHERE):
            assert world.send(op, by=learner, ids={"user_id": user_id}).code == "FORBIDDEN", op.id
    assert changed(before) == set()


@pytest.mark.parametrize("op", REPORTS, ids=lambda op: op.id)
def test_reports_of_lessons_that_cannot_be(world: World, op: Operation) -> None:
    """Scores, and lessons that are unknown or retired."""
    [retired] = make_course(Plan(asks=1), key="retired")
    with unit_of_work():
        retire_courses({"tea"})
    before, whole = state(), world.body(op) | {"lessonId": world.ids["lesson_id"]}
    head = {"content_type": "application/json", "body": None}
    for what, score in NO_SCORES.items():
        data = b'{"lessonId": %d, "timeSpent": 5, "score": %b}' % (world.ids["lesson_id"], score)
        came = world.send(op, data=data, **head)
        assert (came.status, came.code, set(came.json["details"])) == (422, "VALIDATION_ERROR", {"score"}), (
            what
        )
    came = world.send(op, data=b'{"lessonId": 1, "timeSpent": 5, "score": NaN}', **head)
    assert (came.status, came.code) == (400, "MALFORMED_JSON")
    for lesson_id in (NOWHERE, retired):
        came = world.send(op, body=whole | {"lessonId": lesson_id})
        assert (came.status, came.code) == (404, "LESSON_NOT_FOUND"), lesson_id
    assert changed(before) == set()


@pytest.mark.parametrize("op", OF_LESSONS, ids=lambda op: op.id)
def test_lessons_that_are_not_there(world: World, op: Operation) -> None:
    [retired] = make_course(Plan(asks=1), key="retired")
    with unit_of_work():
        retire_courses({"tea"})
    before = state()
    for lesson_id in (NOWHERE, retired):
        came = world.send(op, ids={"lesson_id": lesson_id})
        assert (came.status, came.code) == (404, "LESSON_NOT_FOUND"), lesson_id
    assert changed(before) == set()

"""Hints, drafts and steps that were read, over the API: as on the page."""

from typing import Any

import pytest
from flask import Flask

from tests.api.client import Program, token_for
from tests.api.conftest import Actor
from tests.domains.study import Plan, answer_all, asking, complete, make_course, start, steps_of

BAD = ["0", "abc", "-1", "1.5", str(2**63)]


@pytest.fixture
def attempt(ada: Actor) -> int:
    [lesson] = make_course(Plan(asks=2))
    return start(ada.id, lesson)


def step_shown(ada: Actor, attempt: int, step_id: int) -> dict[str, Any]:
    steps = ada.program.get(f"/attempts/{attempt}").data["steps"]
    return next(each for each in steps if each["stepId"] == step_id)


def test_hints(ada: Actor, ben: Actor, attempt: int) -> None:
    step = asking(attempt)[0].step_id
    path = f"/attempts/{attempt}/steps/{step}/hints"
    assert ada.program.post(path, {"number": 2}, status=409).code == "CONFLICT"
    for _ in range(2):
        told = ada.program.post(path, {"number": 1}).data
        assert (told["stepId"], told["number"]) == (step, 1)
        assert "Look closer." in told["html"]
    ada.program.post(path, {"number": 2})
    shown = step_shown(ada, attempt, step)
    assert (len(shown["hints"]), shown["hintsLeft"]) == (2, 0)
    assert ada.program.post(path, {"number": 3}, status=404).code == "NOT_FOUND"
    assert ben.program.post(path, {"number": 1}, status=404).code == "NOT_FOUND"
    for body in ({}, {"number": 0}, {"number": "1"}, {"number": 1.5}, {"number": 1, "x": 1}):
        assert ada.program.post(path, body, status=422).code == "VALIDATION_ERROR"


def test_no_new_hint_after_the_end(ada: Actor, attempt: int) -> None:
    step = asking(attempt)[0].step_id
    path = f"/attempts/{attempt}/steps/{step}/hints"
    ada.program.post(path, {"number": 1})
    answer_all(ada.id, attempt)
    complete(ada.id, attempt)
    ada.program.post(path, {"number": 1})
    assert ada.program.post(path, {"number": 2}, status=409).code == "CONFLICT"


def test_a_step_that_was_read(ada: Actor, ben: Actor, attempt: int) -> None:
    teaching, *_ = [step.step_id for step in steps_of(attempt) if not step.asks]
    path = f"/attempts/{attempt}/steps/{teaching}/read"
    assert ben.program.post(path, status=404).code == "NOT_FOUND"
    for _ in range(2):
        ada.program.post(path, status=204)
    assert step_shown(ada, attempt, teaching)["done"] is True
    asks = f"/attempts/{attempt}/steps/{asking(attempt)[0].step_id}/read"
    assert ada.program.post(asks, status=422).code == "VALIDATION_ERROR"
    assert ada.program.post(path, {"x": 1}, status=422).code == "VALIDATION_ERROR"


def test_a_draft(ada: Actor, ben: Actor, attempt: int) -> None:
    first = asking(attempt)[0]
    path = f"/attempts/{attempt}/steps/{first.step_id}/draft"
    for _ in range(2):
        ada.program.put(path, {"answer": first.wrong}, status=204)
    assert step_shown(ada, attempt, first.step_id)["given"] == first.wrong
    assert ben.program.put(path, {"answer": first.wrong}, status=404).code == "NOT_FOUND"
    for body in ({"answer": ["a"]}, {"answer": {"a": "b"}}, {"answer": 1}, {}, {"answer": "a", "tryNo": 0}):
        assert ada.program.put(path, body, status=422).code == "VALIDATION_ERROR"
    answer_all(ada.id, attempt)
    ada.program.put(path, {"answer": first.wrong, "tryNo": 1}, status=204)
    assert step_shown(ada, attempt, first.step_id)["given"] == first.right
    complete(ada.id, attempt)
    assert ada.program.put(path, {"answer": first.wrong}, status=409).code == "CONFLICT"


CALLS = [("POST", "hints", {"number": 1}), ("POST", "read", None), ("PUT", "draft", {"answer": "a"})]


@pytest.mark.parametrize("call", CALLS)
def test_who_may_and_where(
    app: Flask, ada: Actor, stranger: Program, attempt: int, call: tuple[str, str, Any]
) -> None:
    method, what, body = call
    step = steps_of(attempt)[0].step_id
    path = f"/attempts/{attempt}/steps/{step}/{what}"
    assert stranger.send(method, path, body, status=401).code == "UNAUTHORIZED"
    small = Program(app, token_for(ada.id, "progress:read"))
    assert small.send(method, path, body, status=403).code == "FORBIDDEN"
    for strange in BAD:
        for where in (
            f"/attempts/{strange}/steps/{step}/{what}",
            f"/attempts/{attempt}/steps/{strange}/{what}",
        ):
            assert ada.program.send(method, where, body, status=404).code == "NOT_FOUND"
    unknown = f"/attempts/{attempt}/steps/{step + 10_000}/{what}"
    assert ada.program.send(method, unknown, body, status=404).code == "NOT_FOUND"

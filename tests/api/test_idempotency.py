"""Sent again, done once: what a client may rely on when a request timed out."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from codyverse.core import idempotency
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from tests.api.client import Program
from tests.api.conftest import Actor
from tests.domains.study import Plan, asking, make_course
from tests.factories import PASSWORD


def begin(ada: Actor) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Where to answer, a right answer and a wrong one."""
    [lesson_id] = make_course(Plan(asks=2))
    attempt_id = ada.program.post(f"/lessons/{lesson_id}/attempts", status=201).data["attemptId"]
    step = asking(attempt_id)[0]
    sent = {"stepId": step.step_id, "tryNo": 1}
    return f"/attempts/{attempt_id}/answers", sent | {"answer": step.right}, sent | {"answer": step.wrong}


def records() -> int:
    return int(session.execute(text("select count(*) from idempotency_records")).scalar_one())


def test_the_same_again_replays_status_headers_and_body(ada: Actor) -> None:
    [lesson_id] = make_course(Plan(asks=1))
    key = {"Idempotency-Key": '"7c0a1f36-2f6e-4a55-9a0e-3a7d5a3f0a11"'}
    first = ada.program.post(f"/lessons/{lesson_id}/attempts", status=201, headers=key)
    again = ada.program.post(f"/lessons/{lesson_id}/attempts", status=201, headers=key)
    assert again.response.data == first.response.data
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    bare = {"Idempotency-Key": key["Idempotency-Key"].strip('"')}
    assert ada.program.post(f"/lessons/{lesson_id}/attempts", status=201, headers=bare).data == first.data


def test_a_failure_that_is_the_clients_replays_too(ada: Actor) -> None:
    path, right, wrong = begin(ada)
    key = {"Idempotency-Key": "k1"}
    ada.program.post(path, right)
    first = ada.program.post(path, wrong, status=409, headers=key)
    assert ada.program.post(path, wrong, status=409, headers=key).response.data == first.response.data


def test_another_request_under_the_key_is_refused(ada: Actor) -> None:
    path, right, wrong = begin(ada)
    key = {"Idempotency-Key": "k1"}
    ada.program.post(path, right, headers=key)
    assert ada.program.post(path, wrong, status=422, headers=key).code == "IDEMPOTENCY_KEY_REUSED"
    elsewhere = path.replace("/attempts/", "/attempts/9")
    assert ada.program.post(elsewhere, right, status=422, headers=key).code == "IDEMPOTENCY_KEY_REUSED"


def test_keys_of_two_people_and_two_operations_are_two_keys(ada: Actor, ben: Actor) -> None:
    [lesson_id] = make_course(Plan(asks=1))
    key = {"Idempotency-Key": "k1"}
    path = f"/lessons/{lesson_id}/attempts"
    hers = ada.program.post(path, status=201, headers=key).data["attemptId"]
    assert ben.program.post(path, status=201, headers=key).data["attemptId"] != hers
    assert (
        ada.program.post(f"/attempts/{hers}/complete", status=409, headers=key).code == "ATTEMPT_INCOMPLETE"
    )


def test_after_a_day_the_key_is_free_and_what_was_kept_is_forgotten(ada: Actor) -> None:
    path, right, _ = begin(ada)
    key = {"Idempotency-Key": "k1"}
    ada.program.post(path, right, headers=key)
    assert records() == 1
    with time_machine.travel(now() + timedelta(hours=23)), unit_of_work():
        assert idempotency.forget_old(now()) == 0
    with time_machine.travel(now() + timedelta(hours=25)):
        assert "Idempotency-Replayed" not in ada.program.post(path, right, headers=key).headers
        with unit_of_work():
            assert idempotency.forget_old(now() + timedelta(hours=25)) == 1


def test_a_secret_is_kept_only_encrypted_and_replays(app: Flask, ada: Actor, stranger: Program) -> None:
    body = {"email": ada.email, "password": PASSWORD, "name": "phone"}
    key = {"Idempotency-Key": "my-key-of-2026"}
    first = stranger.post("/auth/tokens", body, status=201, headers=key)
    assert stranger.post("/auth/tokens", body, status=201, headers=key).data == first.data
    kept = session.execute(
        text("select encode(body, 'escape') || headers::text from idempotency_records")
    ).scalar()
    assert first.data["token"] not in kept
    assert "phone" not in kept
    assert session.execute(text("select count(*) from api_tokens where name = 'phone'")).scalar() == 1
    whole = session.execute(text("select string_agg(r::text, '') from idempotency_records r")).scalar()
    assert "my-key" not in whole
    assert b"my-key".hex() not in whole


@pytest.mark.parametrize("key", ["", '"', "ключ", 'a"b', "x" * 256, "a\tb"])
def test_what_is_no_key_is_refused(ada: Actor, key: str) -> None:
    [lesson_id] = make_course(Plan(asks=1))
    headers = {"Idempotency-Key": key.encode().decode("latin-1")}
    told = ada.program.post(f"/lessons/{lesson_id}/attempts", status=422, headers=headers)
    assert "Idempotency-Key" in told.json["details"]


def broken(once: idempotency.Once) -> None:
    with unit_of_work():
        assert once.begin(1) is None
        once.keep(idempotency.Kept(200, {}, b"{}"), secret=False)
        raise ZeroDivisionError


def test_an_effect_that_is_undone_leaves_no_answer(app: Flask) -> None:
    once = idempotency.Once.of("person:1", "x", "k", b"request", "secret")
    with pytest.raises(ZeroDivisionError):
        broken(once)
    assert records() == 0
    with unit_of_work():
        assert once.begin(1) is None

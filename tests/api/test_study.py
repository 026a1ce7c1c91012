"""A whole lesson over the API: begin, answer in every kind, finish, and again."""

from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import text

from codyverse.core.database import count_statements, db, session
from codyverse.gamification.services import verify_ledger
from codyverse.progress.rehearsal import solution
from tests.api.client import Program, at_once, check, token_for
from tests.api.conftest import Actor
from tests.domains.study import Plan, asking, make_course
from tests.factories import PASSWORD, make_user
from tests.web.playing import make_tea


def test_from_registering_to_the_end_of_a_lesson(app: Flask, stranger: Program, tmp_path: Path) -> None:
    lesson_id = make_tea(tmp_path)
    person = {"email": "new@example.org", "password": PASSWORD, "name": "Neo"}
    assert stranger.post("/auth/register", person, status=201).headers["Location"] == "/api/users/me"
    wanted = {"name": "phone", "scopes": ["progress:read", "progress:write"]}
    made = stranger.post(
        "/auth/tokens", {**wanted, "email": person["email"], "password": PASSWORD}, status=201
    )
    assert made.headers["Cache-Control"] == "no-store"
    neo = Program(app, made.data["token"])

    begun = neo.post(f"/lessons/{lesson_id}/attempts", status=201)
    attempt_id = begun.data["attemptId"]
    assert begun.headers["Location"] == f"/api/attempts/{attempt_id}"
    assert neo.post(f"/lessons/{lesson_id}/attempts", status=200).data == begun.data
    kinds = {step["kind"] for step in begun.data["steps"]}
    assert kinds == {"teach", "choice", "choices", "blank", "order", "match", "parsons"}
    assert neo.post(f"/attempts/{attempt_id}/complete", status=409).code == "ATTEMPT_INCOMPLETE"

    for step in begun.data["steps"]:
        if step["exercise"] is not None:
            sent = {"stepId": step["stepId"], "tryNo": 1, "answer": solution(attempt_id, step["stepId"])}
            told = neo.post(f"/attempts/{attempt_id}/answers", sent)
            assert told.data["verdict"]["correct"] is True
            assert told.data["verdict"]["explanationHtml"]
            assert neo.post(f"/attempts/{attempt_id}/answers", sent).data == told.data
    done = neo.post(f"/attempts/{attempt_id}/complete")
    assert done.data["score"] == 100
    assert done.data["rewards"]["xp"] > 0
    assert neo.post(f"/attempts/{attempt_id}/complete").data == done.data
    assert neo.get(f"/attempts/{attempt_id}").data["completedAt"] is not None
    assert verify_ledger() == ()


def begin(actor: Actor, lesson_id: int) -> tuple[int, Any]:
    attempt_id = actor.program.post(f"/lessons/{lesson_id}/attempts", status=201).data["attemptId"]
    return attempt_id, asking(attempt_id)


def test_the_end_tells_what_the_answers_before_it_brought_too(ada: Actor) -> None:
    [lesson_id] = make_course(Plan(asks=3))
    attempt_id, steps = begin(ada, lesson_id)
    for number, step in enumerate(steps):
        if number == 1:  # the day's first answer has set its goals
            goal = "update daily_goals set kind = 'first_try', target = 2 where slot = 1"
            other = "update daily_goals set kind = 'minutes', target = 60 where slot > 1"
            for sql in (goal, other):
                session.execute(text(sql))
            session.commit()
        sent = {"stepId": step.step_id, "tryNo": 1, "answer": step.right if number < 2 else step.wrong}
        ada.program.post(f"/attempts/{attempt_id}/answers", sent)
    done = ada.program.post(f"/attempts/{attempt_id}/complete").data
    rules = [entry["rule"] for entry in done["rewards"]["entries"]]
    assert rules[0] == "goal", "it was reached before the lesson ended"
    assert {"lesson", "badge"} <= set(rules)
    for currency in ("xp", "coins", "gems"):
        amounts = (each["amount"] for each in done["rewards"]["entries"] if each["currency"] == currency)
        assert done["rewards"][currency] == sum(amounts)
    assert (done["right"], done["asked"], done["firstTime"]) == (2, 3, True)
    assert ada.program.post(f"/attempts/{attempt_id}/complete").data == done


def test_another_answer_under_the_same_number_is_a_conflict(ada: Actor) -> None:
    [lesson_id] = make_course(Plan(asks=2))
    attempt_id, [first, _] = begin(ada, lesson_id)
    path = f"/attempts/{attempt_id}/answers"
    wrong = ada.program.post(path, {"stepId": first.step_id, "tryNo": 1, "answer": first.wrong})
    assert wrong.data["verdict"]["correct"] is False
    before = rows()
    for body in ({"tryNo": 1, "answer": first.right}, {"tryNo": 3, "answer": first.right}):
        assert ada.program.post(path, {"stepId": first.step_id} | body, status=409).code == "CONFLICT"
    assert rows() == before


def test_fifty_at_once_under_one_key_and_without(committed_app: Flask) -> None:
    user_id = make_user(email="ada@example.org")
    token = token_for(user_id, "progress:read", "progress:write")
    [keyed, bare] = make_course(Plan(asks=1), Plan(asks=1))
    for lesson_id, headers in ((keyed, {"Idempotency-Key": "one"}), (bare, {})):
        ada = Program(committed_app, token)
        attempt_id = ada.post(f"/lessons/{lesson_id}/attempts", status=201).data["attemptId"]
        [step] = asking(attempt_id)
        sent = {"stepId": step.step_id, "tryNo": 1, "answer": step.right}
        for path, body in (
            (f"/attempts/{attempt_id}/answers", sent),
            (f"/attempts/{attempt_id}/complete", None),
        ):
            send = partial(
                Program(committed_app, token).send, "POST", path, body, headers=headers, checked=False
            )
            told = at_once([send] * 50)
            for each in told:
                check(committed_app, "POST", path, each)
            assert {each.status for each in told} <= ({200, 409} if headers else {200})
            good = [each for each in told if each.status == 200]
            assert good
            assert all(each.code == "IDEMPOTENCY_IN_PROGRESS" for each in told if each.status == 409)
            if headers:
                assert len({each.response.data for each in good}) == 1, "one body for all"
    assert rows()["answers"] == 2
    paid = session.execute(
        text("select count(*) from ledger_entries where rule = 'lesson' and currency = 'xp'")
    )
    assert paid.scalar_one() == 2
    assert verify_ledger() == ()


def rows() -> dict[str, int]:
    tables = ("answers", "ledger_entries", "attempts", "purchases", "activity_days")
    return {table: session.execute(text(f"select count(*) from {table}")).scalar_one() for table in tables}


def test_a_completion_that_is_done_again_reads_under_the_lock(ada: Actor) -> None:
    """An entry that nothing knew of is there already: the second time it is known, and what was seen is not relied on."""
    [lesson_id] = make_course(Plan(asks=1))
    attempt_id, [step] = begin(ada, lesson_id)
    ada.program.post(
        f"/attempts/{attempt_id}/answers", {"stepId": step.step_id, "tryNo": 1, "answer": step.right}
    )
    paid = "insert into ledger_entries (user_id, currency, amount, rule, source, local_date, created_at, details) "
    entry = "values (:id, 'xp', 7, 'lesson', :source, current_date, now(), '{}')"
    session.execute(text(paid + entry), {"id": ada.id, "source": f"lesson:{lesson_id}"})
    session.commit()
    sent: list[str] = []
    count_statements(db.engine, sent.append)
    done = ada.program.post(f"/attempts/{attempt_id}/complete").data
    assert "lesson" not in {each["rule"] for each in done["rewards"]["entries"] if each["currency"] == "xp"}
    written = [sql.split(" from ")[1].split("(")[0] for sql in sent if "game_of_lesson" in sql]
    assert written == ["study_finish_seen", "study_finish"]


def test_an_end_that_nothing_came_between_is_written_as_it_was_seen(ada: Actor) -> None:
    """Nothing is read once more: who acts, with the attempt; the lesson; all that it brings."""
    [lesson_id] = make_course(Plan(asks=1))
    attempt_id, [step] = begin(ada, lesson_id)
    ada.program.post(
        f"/attempts/{attempt_id}/answers", {"stepId": step.step_id, "tryNo": 1, "answer": step.right}
    )
    sent: list[str] = []
    count_statements(db.engine, sent.append)
    ada.program.post(f"/attempts/{attempt_id}/complete")
    names = ("study_seen", "study_finish_seen", "game_settled", "study_attempt", "study_finish")
    called = [name for sql in sent for name in names if f"{name}(" in sql]
    assert called == ["study_seen", "study_finish_seen", "game_settled"]

"""Progress over the API: the whole of it, the position, lessons reported as finished; what is refused writes nothing."""

import math
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import tokens
from codyverse.accounts.tokens import tokens_of
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.gamification import queries as game
from codyverse.gamification.services import verify_ledger
from codyverse.progress import queries
from tests.api.client import Program, at_once, check, token_for
from tests.api.conftest import Actor
from tests.domains.study import Plan, do_lesson, make_course, start
from tests.factories import make_user

BIG = 2**63
TABLES = ("attempts", "lesson_progress", "activity_days", "ledger_entries", "daily_goals", "notifications")


def rows() -> dict[str, int]:
    return {table: session.execute(text(f"select count(*) from {table}")).scalar_one() for table in TABLES}


@pytest.fixture
def lesson(app: Flask) -> int:
    return make_course(Plan(asks=2, minutes=10))[0]


@pytest.fixture
def reporter(app: Flask, ada: Actor) -> Program:
    """A program of Ada's to which an operator granted reporting."""
    return Program(app, token_for(ada.id, "progress:report", "progress:write", "progress:read"))


def told(lesson: int, **more: Any) -> dict[str, Any]:
    return {"lessonId": lesson, "timeSpent": 5, "score": 80} | more


def saved(lesson: int, **more: Any) -> dict[str, Any]:
    return {"lessonId": lesson, "completed": True, "timeSpent": 5, "score": 80} | more


# --- reports ---


def test_a_report_is_paid_and_told_again_it_brings_nothing(
    ada: Actor, reporter: Program, lesson: int
) -> None:
    path = f"/gamification/lesson-complete/{ada.id}"
    first = reporter.post(path, told(lesson)).data
    assert first == {
        "lessonId": lesson,
        "xpAwarded": first["xpAwarded"],
        "coinsAwarded": first["coinsAwarded"],
        "gemsAwarded": first["gemsAwarded"],
        "newBadges": first["newBadges"],
        "levelUp": first["levelUp"],
        "goalsCompleted": [],
        "streakUpdated": True,
        "alreadyCompleted": False,
    }
    card = game.player(ada.id, now())
    assert (first["xpAwarded"], first["coinsAwarded"]) == (card.xp, card.coins)
    assert "first-steps" in {badge["key"] for badge in first["newBadges"]}
    before = rows()
    again = reporter.post(path, told(lesson)).data
    assert again == first | {
        "xpAwarded": 0,
        "coinsAwarded": 0,
        "gemsAwarded": 0,
        "newBadges": [],
        "levelUp": None,
        "streakUpdated": False,
        "alreadyCompleted": True,
    }
    assert rows() == before
    better = reporter.post(path, told(lesson, score=100)).data
    brought = [*better["newBadges"], *better["goalsCompleted"]]
    assert better["xpAwarded"] == 4 + sum(each.get("xp", 0) for each in brought)
    assert better["coinsAwarded"] == sum(each["coins"] for each in brought)
    assert (better["alreadyCompleted"], better["streakUpdated"]) == (True, False)
    assert verify_ledger() == ()


def test_a_level_and_goals_are_told(ada: Actor, reporter: Program) -> None:
    brought = [
        reporter.post(f"/gamification/lesson-complete/{ada.id}", told(lesson, score=100)).data
        for lesson in make_course(*[Plan(difficulty="advanced")] * 3)
    ]
    levels = [each["levelUp"]["number"] for each in brought if each["levelUp"]]
    assert levels == sorted(set(levels)) != []
    assert any(each["goalsCompleted"] for each in brought)
    card = game.player(ada.id, now())
    assert sum(each["xpAwarded"] for each in brought) == card.xp
    assert sum(each["gemsAwarded"] for each in brought) == card.gems


def test_both_ways_of_reporting_share_their_source(ada: Actor, reporter: Program, lesson: int) -> None:
    one = reporter.post(f"/progress/lesson/{ada.id}", saved(lesson)).data
    assert (one["completed"], one["attemptId"], one["alreadyCompleted"]) == (True, None, False)
    assert one["xpAwarded"] > 0
    before = rows()
    assert (
        reporter.post(f"/gamification/lesson-complete/{ada.id}", told(lesson)).data["alreadyCompleted"]
        is True
    )
    assert rows() == before


def test_an_operator_reports_for_everybody(operator: Actor, ada: Actor, lesson: int) -> None:
    brought = operator.program.post(f"/gamification/lesson-complete/{ada.id}", told(lesson)).data
    assert brought["xpAwarded"] == game.player(ada.id, now()).xp > 0
    assert game.player(operator.id, now()).xp == 0


def test_the_same_under_a_key_replays(ada: Actor, reporter: Program, lesson: int) -> None:
    path, key = f"/gamification/lesson-complete/{ada.id}", {"Idempotency-Key": "report-1"}
    first = reporter.post(path, told(lesson), headers=key)
    again = reporter.post(path, told(lesson), headers=key)
    assert again.response.data == first.response.data
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (
        reporter.post(path, told(lesson, score=90), status=422, headers=key).code == "IDEMPOTENCY_KEY_REUSED"
    )


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "fifty"}])
def test_fifty_at_once_are_one(committed_app: Flask, key: dict[str, str]) -> None:
    who = make_user(email="ada@example.org")
    [lesson] = make_course(Plan())
    token = token_for(who, "progress:report")
    path = f"/gamification/lesson-complete/{who}"
    send = partial(Program(committed_app, token).send, "POST", path, told(lesson), headers=key, checked=False)
    answers = at_once([send] * 50)
    for each in answers:
        check(committed_app, "POST", path, each)
    good = [each for each in answers if each.status == 200]
    assert {each.status for each in answers} <= ({200, 409} if key else {200})
    if key:
        assert len({each.response.data for each in good}) == 1
    else:
        assert sum(not each.data["alreadyCompleted"] for each in good) == 1
    assert rows()["attempts"] == rows()["lesson_progress"] == 1
    assert verify_ledger() == ()


# --- what is refused ---

NUMBERS = [-1, -0.5, 1e9, "95", [95], None, True, {"a": 1}]


@pytest.mark.parametrize("score", [*NUMBERS, 101, 100.0001])
@pytest.mark.parametrize("way", ["lesson-complete", "progress"])
def test_a_score_that_is_none(ada: Actor, reporter: Program, lesson: int, way: str, score: Any) -> None:
    path, body = _way(way, ada.id, lesson, score=score)
    before = rows()
    refused = reporter.post(path, body, status=422)
    assert (refused.code, list(refused.json["details"])) == ("VALIDATION_ERROR", ["score"])
    assert rows() == before


def _way(way: str, who: Any, lesson: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    if way == "progress":
        return f"/progress/lesson/{who}", saved(lesson, **more)
    return f"/gamification/lesson-complete/{who}", told(lesson, **more)


@pytest.mark.parametrize("minutes", [*NUMBERS, 1441])
@pytest.mark.parametrize("way", ["lesson-complete", "progress"])
def test_time_that_is_none(ada: Actor, reporter: Program, lesson: int, way: str, minutes: Any) -> None:
    path, body = _way(way, ada.id, lesson, timeSpent=minutes)
    before = rows()
    assert reporter.post(path, body, status=422).code == "VALIDATION_ERROR"
    assert rows() == before


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{}", 422, "VALIDATION_ERROR"),
        (b"[]", 422, "VALIDATION_ERROR"),
        (b'"text"', 422, "VALIDATION_ERROR"),
        (b"null", 422, "VALIDATION_ERROR"),
        (b"", 400, "MALFORMED_JSON"),
        (b"{", 400, "MALFORMED_JSON"),
        (b'{"lessonId": 1, "timeSpent": 5, "score": NaN}', 400, "MALFORMED_JSON"),
        (b'{"lessonId": 1, "timeSpent": 5, "score": Infinity}', 400, "MALFORMED_JSON"),
        (b'{"lessonId": 1, "timeSpent": 5, "score": 1e999}', 400, "MALFORMED_JSON"),
        (b'{"lessonId": 1, "lessonId": 2, "timeSpent": 5, "score": 1}', 400, "MALFORMED_JSON"),
        (b'{"lessonId": 1, "timeSpent": 5, "score": 1, "more": 1}', 422, "VALIDATION_ERROR"),
        (b'{"lessonId": 1.5, "timeSpent": 5, "score": 1}', 422, "VALIDATION_ERROR"),
        (b'{"lessonId": 0, "timeSpent": 5, "score": 1}', 422, "VALIDATION_ERROR"),
        (b'{"lessonId": "1", "timeSpent": 5, "score": 1}', 422, "VALIDATION_ERROR"),
        (b'{"lessonId": 9223372036854775808, "timeSpent": 5, "score": 1}', 422, "VALIDATION_ERROR"),
        (b'{"lessonId": 9223372036854775807, "timeSpent": 5, "score": 1}', 404, "LESSON_NOT_FOUND"),
        (b'{"lessonId": "\xff"}', 400, "MALFORMED_JSON"),
        (b'{"a":"' + b"x" * 2_000_000 + b'"}', 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_bodies_that_are_none(ada: Actor, reporter: Program, body: bytes, status: int, code: str) -> None:
    before = rows()
    path = f"/gamification/lesson-complete/{ada.id}"
    refused = reporter.post(path, status=status, data=body, content_type="application/json")
    assert refused.code == code
    assert rows() == before


def test_another_content_type(ada: Actor, reporter: Program, lesson: int) -> None:
    for path, body in (_way(way, ada.id, lesson) for way in ("lesson-complete", "progress")):
        refused = reporter.post(path, status=415, data=str(body), content_type="text/plain")
        assert refused.code == "UNSUPPORTED_MEDIA_TYPE"
        assert reporter.post(path, status=415, data={"lessonId": "1"}).code == "UNSUPPORTED_MEDIA_TYPE"


WHO = ["0", "-5", "abc", "1.5", str(BIG), "1e3", "%20", "01", "+1", "١"]
EVERYWHERE = [
    ("GET", "/progress/user/{}", None),
    ("GET", "/progress/user/{}/days", None),
    ("POST", "/progress/lesson/{}", {"lessonId": 1, "completed": False, "timeSpent": 1}),
    ("POST", "/gamification/lesson-complete/{}", {"lessonId": 1, "timeSpent": 1, "score": 1}),
    ("GET", "/gamification/dashboard/{}", None),
    ("GET", "/gamification/goals/{}", None),
    ("PUT", "/gamification/goals/{}", {"intensity": "casual"}),
    ("GET", "/gamification/ledger/{}", None),
    ("GET", "/gamification/ledger/{}/1", None),
]


@pytest.mark.parametrize("call", EVERYWHERE)
def test_whose_it_is(app: Flask, ada: Actor, ben: Actor, operator: Actor, call: tuple[str, str, Any]) -> None:
    method, path, body = call
    learner = Program(app, token_for(ada.id))
    assert learner.token
    before = rows()
    for wrong in WHO:
        for program in (learner, operator.program):
            refused = program.send(method, path.format(wrong), body, status=400)
            assert refused.code == "INVALID_USER_ID"
    for other in (ben.id, ben.id + 1000, operator.id, BIG - 1):
        assert learner.send(method, path.format(other), body, status=403).code == "FORBIDDEN"
    for unknown in (ben.id + 1000, BIG - 1):
        assert operator.program.send(method, path.format(unknown), body, status=404).code == "USER_NOT_FOUND"
    assert rows() == before


@pytest.mark.parametrize("way", ["lesson-complete", "progress"])
def test_who_may_report(app: Flask, ada: Actor, lesson: int, way: str) -> None:
    path, body = _way(way, ada.id, lesson)
    before = rows()
    assert Program(app).post(path, body, status=401).code == "UNAUTHORIZED"
    assert ada.program.post(path, body, status=403).code == "FORBIDDEN", "no scope progress:report"
    for token in (_expired(ada.id), _revoked(ada.id), "cody_nonsense"):
        assert Program(app, token).post(path, body, status=401).code == "UNAUTHORIZED"
    small = Program(app, token_for(ada.id, "game:read", "progress:write"))
    assert small.post(path, body, status=403).code == "FORBIDDEN"
    assert rows() == before


def _expired(who: int) -> str:
    return _made(who, now() + timedelta(seconds=1))


def _made(who: int, expires_at: datetime | None = None) -> str:
    with unit_of_work():
        secret, made = tokens.issue_token(who, "test", ["progress:report"], expires_at, by_operator=True)
        if expires_at is not None:
            session.execute(
                text("update api_tokens set expires_at = :at where id = :id"),
                {"at": now() - timedelta(minutes=1), "id": made.id},
            )
    return secret


def _revoked(who: int) -> str:
    secret = _made(who)
    with unit_of_work():
        tokens.revoke_token(who, tokens_of(who)[0].id)
    return secret


@pytest.mark.parametrize("way", ["lesson-complete", "progress"])
def test_lessons_that_are_not_offered(ada: Actor, reporter: Program, way: str) -> None:
    [_, gone] = make_course(Plan(key="kept"), Plan(key="gone"), key="offered")
    make_course(Plan(key="kept"), key="offered")
    before = rows()
    for lesson in (gone, gone + 1000):
        path, body = _way(way, ada.id, lesson)
        assert reporter.post(path, body, status=404).code == "LESSON_NOT_FOUND"
    assert rows() == before


# --- the position ---


def test_a_position_is_kept_and_continue_leads_there(ada: Actor, lesson: int) -> None:
    path, body = f"/progress/lesson/{ada.id}", {"lessonId": lesson, "completed": False, "timeSpent": 3}
    kept = ada.program.post(path, body).data
    attempt_id = queries.open_attempt_id(ada.id, lesson)
    assert (kept["completed"], kept["attemptId"], kept["alreadyCompleted"]) == (False, attempt_id, False)
    assert (kept["xpAwarded"], kept["coinsAwarded"], kept["newBadges"]) == (0, 0, [])
    assert ada.program.post(path, body).data == kept
    shown = ada.program.get(f"/progress/user/{ada.id}").data
    assert (shown["continue"]["lessonId"], shown["continue"]["attemptId"]) == (lesson, attempt_id)
    assert rows()["ledger_entries"] == 0


def test_a_position_for_somebody_else_needs_the_right_to_report(
    app: Flask, operator: Actor, ada: Actor, lesson: int
) -> None:
    path, body = f"/progress/lesson/{ada.id}", {"lessonId": lesson, "completed": False, "timeSpent": 3}
    small = Program(app, token_for(operator.id, "progress:write"))
    assert small.post(path, body, status=403).code == "FORBIDDEN"
    assert operator.program.post(path, body).data["attemptId"] == queries.open_attempt_id(ada.id, lesson)


def test_a_position_needs_the_scope_to_write(app: Flask, ada: Actor, lesson: int) -> None:
    reads = Program(app, token_for(ada.id, "progress:read"))
    body = {"lessonId": lesson, "completed": False, "timeSpent": 3}
    assert reads.post(f"/progress/lesson/{ada.id}", body, status=403).code == "FORBIDDEN"
    assert rows()["attempts"] == 0


@pytest.mark.parametrize("completed", [True, False])
def test_a_module_that_the_lesson_is_not_of(
    ada: Actor, reporter: Program, lesson: int, completed: bool
) -> None:
    right = session.execute(text("select module_id from lessons where id = :id"), {"id": lesson}).scalar_one()
    path, before = f"/progress/lesson/{ada.id}", rows()
    refused = reporter.post(path, saved(lesson, completed=completed, moduleId=right + 1), status=404)
    assert refused.code == "LESSON_NOT_FOUND"
    assert rows() == before
    reporter.post(path, saved(lesson, completed=completed, moduleId=right))


def test_completed_without_a_score_claims_none(ada: Actor, reporter: Program, lesson: int) -> None:
    path, body = f"/progress/lesson/{ada.id}", {"lessonId": lesson, "completed": True, "timeSpent": 10}
    first = reporter.post(path, body).data
    assert queries.lesson_states(ada.id, _course())[lesson].best_score == 0
    assert reporter.post(path, body).data["xpAwarded"] == 0
    later = reporter.post(path, body | {"score": 100}).data
    paid = [each for each in game.ledger_page(ada.id).entries if each.rule.startswith("lesson")]
    assert sum(each.amount for each in paid if each.currency == "xp") == 45
    assert first["xpAwarded"] + later["xpAwarded"] == game.player(ada.id, now()).xp


@pytest.mark.parametrize("completed", ["true", 1, None, "yes"])
def test_completed_is_yes_or_no(ada: Actor, reporter: Program, lesson: int, completed: Any) -> None:
    refused = reporter.post(f"/progress/lesson/{ada.id}", saved(lesson, completed=completed), status=422)
    assert list(refused.json["details"]) == ["completed"]


def test_an_attempt_that_was_open_can_be_finished_after_a_report(
    ada: Actor, reporter: Program, lesson: int
) -> None:
    attempt_id = start(ada.id, lesson)
    reporter.post(f"/progress/lesson/{ada.id}", saved(lesson))
    assert ada.program.get(f"/attempts/{attempt_id}").data["completedAt"] is None
    assert ada.program.post(f"/attempts/{attempt_id}/complete", status=409).code == "ATTEMPT_INCOMPLETE"


# --- reading ---


def test_the_whole_of_a_learners_progress(ada: Actor, reporter: Program, operator: Actor) -> None:
    done, reported, opened, untouched = make_course(*[Plan(asks=2, minutes=10)] * 4)
    [other] = make_course(Plan(asks=1))
    do_lesson(ada.id, done, wrong=1)
    do_lesson(ada.id, other)
    reporter.post(f"/progress/lesson/{ada.id}", saved(reported, score=66.5))
    attempt_id = start(ada.id, opened)
    shown = ada.program.get(f"/progress/user/{ada.id}").data
    assert shown["userId"] == ada.id
    lessons = {each["lessonId"]: each for each in shown["lessons"]}
    assert lessons.keys() == {done, reported, opened, other}
    assert untouched not in lessons
    assert (lessons[done]["bestScore"], lessons[done]["completions"], lessons[done]["completed"]) == (
        50,
        1,
        True,
    )
    assert lessons[reported]["bestScore"] == 66.5
    assert (lessons[opened]["attemptId"], lessons[opened]["completed"]) == (attempt_id, False)
    assert (lessons[opened]["bestScore"], lessons[opened]["firstCompletedAt"]) == (None, None)
    assert shown["totals"]["lessons"] == shown["totals"]["completions"] == 3
    assert (shown["totals"]["answers"], shown["totals"]["correct"], shown["totals"]["days"]) == (3, 2, 1)
    assert {(each["lessons"], each["completed"]) for each in shown["courses"]} == {(4, 2), (1, 1)}
    assert shown["continue"]["lessonId"] == opened
    course = lessons[other]["courseId"]
    only = ada.program.get(f"/progress/user/{ada.id}?courseId={course}").data
    assert [each["lessonId"] for each in only["lessons"]] == [other]
    assert [each["courseId"] for each in only["courses"]] == [course]
    assert operator.program.get(f"/progress/user/{ada.id}").data == shown


def test_somebody_new(ada: Actor) -> None:
    shown = ada.program.get(f"/progress/user/{ada.id}").data
    assert (shown["lessons"], shown["courses"], shown["continue"]) == ([], [], None)
    assert set(shown["totals"].values()) == {0}


def test_a_lesson_that_is_no_longer_offered_stays_in_the_progress(ada: Actor) -> None:
    [_, gone] = make_course(Plan(key="kept"), Plan(key="gone"), key="stays")
    do_lesson(ada.id, gone)
    make_course(Plan(key="kept"), key="stays")
    [shown] = ada.program.get(f"/progress/user/{ada.id}").data["lessons"]
    assert (shown["lessonId"], shown["offered"], shown["completed"]) == (gone, False, True)


def test_what_did_not_change_is_not_sent_again(ada: Actor, lesson: int) -> None:
    path = f"/progress/user/{ada.id}"
    tag = ada.program.get(path).headers["ETag"]
    ada.program.get(path, status=304, headers={"If-None-Match": tag})
    start(ada.id, lesson)
    ada.program.get(path, headers={"If-None-Match": tag})


def test_study_days(ada: Actor, lesson: int, time_machine) -> None:
    first = datetime(2026, 6, 17, 12, tzinfo=UTC)
    for day in (0, 1, 2, 3, 4, 5, 6, 8):
        time_machine.move_to(first + timedelta(days=day), tick=False)
        do_lesson(ada.id, lesson)
    program = Program(ada.program.app, token_for(ada.id, "progress:read"))
    shown = program.get(f"/progress/user/{ada.id}/days?since=2026-06-17&until=2026-06-25").data
    days = {each["date"]: each for each in shown["items"]}
    assert len(days) == 9
    assert days["2026-06-24"] | {"kept": "frozen", "lessons": 0} == days["2026-06-24"]
    assert (days["2026-06-17"]["lessons"], days["2026-06-17"]["kept"]) == (1, None)
    assert program.get(f"/progress/user/{ada.id}/days").data["until"] == "2026-06-25"
    assert program.get(f"/progress/user/{ada.id}/days?since=2026-06-18&until=2026-06-17").data["items"] == []
    long = program.get(f"/progress/user/{ada.id}/days?since=2020-01-01&until=2026-06-25").data
    assert (long["since"], long["items"]) == ("2025-06-25", shown["items"])
    for asked in (
        "since=yesterday",
        "since=0",
        "until=20260617",
        "since=2026-02-30",
        "since=2026-13-01",
        "until=2026-06-17T00:00:00Z",
        "day=1",
        "since=1&since=2",
    ):
        assert program.get(f"/progress/user/{ada.id}/days?{asked}", status=422).code == "VALIDATION_ERROR"
    for asked in ("until=0001-01-01", "until=9999-12-31", "since=0001-01-01&until=0001-01-02"):
        assert program.get(f"/progress/user/{ada.id}/days?{asked}").data["items"] == []


def test_score_and_time_may_be_whole_or_not(ada: Actor, reporter: Program) -> None:
    for number, lesson in enumerate(make_course(*[Plan()] * 3)):
        for value in (0, 0.5, 100):
            body = told(lesson, score=value, timeSpent=value + number)
            reporter.post(f"/gamification/lesson-complete/{ada.id}", body)
    assert {
        float(each.best_score or math.nan) for each in queries.lesson_states(ada.id, _course()).values()
    } == {100.0}


def _course() -> int:
    return session.execute(text("select max(id) from courses")).scalar_one()

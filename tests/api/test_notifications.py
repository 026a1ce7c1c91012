"""Notifications over the API: the list, what was read, preferences, the stream where no stream process runs."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.notifications import queries, services
from tests.api.client import Program, token_for
from tests.api.conftest import Actor

NONE: frozenset[str] = frozenset()


def tell(who: int, *levels: int) -> None:
    """Notifications about reaching these levels."""
    with unit_of_work():
        for level in levels:
            details = {"level": level, "name": f"Level {level}", "gems": level}
            services.tell("level", f"level:{level}", details, [who], now())


def ids(answer: Any) -> list[int]:
    return [each["id"] for each in answer.data["items"]]


def test_the_list(ada: Actor, ben: Actor) -> None:
    tell(ada.id, 2, 3, 4)
    tell(ben.id, 2)
    told = ada.program.get("/notifications")
    assert (told.data["page"], told.data["perPage"], told.data["total"]) == (1, 20, 3)
    assert ids(told) == sorted(ids(told), reverse=True)
    newest = told.data["items"][0]
    assert newest == {
        "id": newest["id"],
        "kind": "level",
        "title": "Level 4: Level 4",
        "text": "It brings 4 gems.",
        "target": "",
        "createdAt": newest["createdAt"],
        "read": False,
    }
    second = ada.program.get("/notifications?page=2&perPage=2")
    assert ids(second) == ids(told)[2:]
    assert 'rel="prev"' in second.headers["Link"]
    for asked in ("unread=1.5", "unread=maybe", "page=0", "kind=level"):
        assert ada.program.get(f"/notifications?{asked}", status=422).code == "VALIDATION_ERROR"


def test_marking_one_as_read(ada: Actor, ben: Actor) -> None:
    tell(ada.id, 2, 3)
    tell(ben.id, 2)
    newest, oldest = ids(ada.program.get("/notifications"))
    for _ in range(2):
        told = ada.program.patch(f"/notifications/{newest}", {"read": True})
        assert (told.data["id"], told.data["read"]) == (newest, True)
    assert ids(ada.program.get("/notifications?unread=true")) == [oldest]
    assert ids(ada.program.get("/notifications?unread=false")) == [newest, oldest]
    [others] = ids(ben.program.get("/notifications"))
    for unknown in (others, others + 1000, 2**63 - 1):
        answer = ada.program.patch(f"/notifications/{unknown}", {"read": True}, status=404)
        assert answer.code == "NOT_FOUND"
    assert ben.program.get("/notifications?unread=true").data["total"] == 1
    for strange in ("0", "-1", "abc", "1.5", str(2**63)):
        assert ada.program.patch(f"/notifications/{strange}", {"read": True}, status=404).code == "NOT_FOUND"


@pytest.mark.parametrize(
    "body", [{}, [], {"read": False}, {"read": 1}, {"read": "true"}, {"read": True, "x": 1}]
)
def test_what_is_no_reading(ada: Actor, body: Any) -> None:
    tell(ada.id, 2)
    [one] = ids(ada.program.get("/notifications"))
    assert ada.program.patch(f"/notifications/{one}", body, status=422).code == "VALIDATION_ERROR"
    assert ada.program.get("/notifications?unread=true").data["total"] == 1


def test_marking_all_as_read(ada: Actor, ben: Actor) -> None:
    tell(ada.id, 2, 3, 4)
    tell(ben.id, 2)
    _, middle, _ = ids(ada.program.get("/notifications"))
    assert ada.program.post("/notifications/read-all", {"upTo": middle}).data == {"unread": 1}
    assert ada.program.post("/notifications/read-all").data == {"unread": 0}
    assert ada.program.post("/notifications/read-all", {}).data == {"unread": 0}
    assert ben.program.get("/notifications?unread=true").data["total"] == 1
    for body in ({"upTo": 0}, {"upTo": "1"}, {"upTo": 2**63}, [], {"x": 1}):
        assert ada.program.post("/notifications/read-all", body, status=422).code == "VALIDATION_ERROR"


def test_a_key_does_not_mark_what_came_later(ada: Actor) -> None:
    key = {"Idempotency-Key": "read-it"}
    tell(ada.id, 2)
    first = ada.program.post("/notifications/read-all", headers=key)
    tell(ada.id, 3)
    again = ada.program.post("/notifications/read-all", headers=key)
    assert again.response.data == first.response.data
    assert ada.program.get("/notifications?unread=true").data["total"] == 1


def test_what_was_left_out_is_not_told(ada: Actor) -> None:
    tell(ada.id, 2)
    with unit_of_work():
        accounts.change_preferences(
            ada.id, goal_intensity="regular", hidden=frozenset({"xp"}), theme="auto", streak_mode=None
        )
    assert ada.program.get("/notifications").data["total"] == 0


def test_preferences(ada: Actor) -> None:
    path = "/notifications/preferences"
    kinds = ["badge", "level", "goal", "streak", "league", "course"]
    at_first = ada.program.get(path)
    assert at_first.data == {"shown": kinds, "mailed": [], "mailHour": 17, "quietHours": None}
    wanted = {
        "shown": ["badge", "goal"],
        "mailed": ["course"],
        "mailHour": 8,
        "quietHours": {"from": 22, "until": 7},
    }
    for _ in range(2):
        assert ada.program.put(path, wanted).data == wanted
    assert ada.program.get(path).data == wanted
    ada.program.get(path, headers={"If-None-Match": at_first.headers["ETag"]})
    chosen = queries.choices(ada.id)
    assert chosen.page_off == {"level", "streak", "league", "course"}
    assert (chosen.mail_kinds, chosen.quiet) == ({"course"}, (22, 7))
    none = ada.program.put(path, wanted | {"quietHours": {"from": 7, "until": 7}}).data
    assert none["quietHours"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"shown": ["news"]},
        {"shown": "badge"},
        {"mailed": None},
        {"mailHour": 24},
        {"mailHour": -1},
        {"mailHour": "17"},
        {"quietHours": {"from": 22}},
        {"quietHours": {"from": 22, "until": 24}},
        {"quietHours": [22, 7]},
        {"more": 1},
    ],
)
def test_preferences_that_are_none(ada: Actor, change: dict[str, Any]) -> None:
    good = {"shown": [], "mailed": [], "mailHour": 17, "quietHours": None}
    assert ada.program.put("/notifications/preferences", good | change, status=422).code == "VALIDATION_ERROR"
    assert session.execute(text("select count(*) from notification_choices")).scalar_one() == 0


def test_the_stream_without_a_stream_process_tells_the_state_and_asks_to_come_again(ada: Actor) -> None:
    path = "/notifications/stream"
    tell(ada.id, 2)
    state = queries.bell(ada.id, NONE).state
    told = ada.program.get(path)
    assert told.response.mimetype == "text/event-stream"
    assert told.headers["Cache-Control"] == "no-store"
    assert told.response.text == f"retry: 15000\nid: {state}\nevent: news\ndata: {state}\n\n"
    for known in ({"headers": {"Last-Event-ID": state}}, {}):
        where = path if known else f"{path}?after={state}"
        quiet = ada.program.get(where, **known).response.text
        assert "event:" not in quiet
        assert f"id: {state}" in quiet
    tell(ada.id, 3)
    assert "event: news" in ada.program.get(path, headers={"Last-Event-ID": state}).response.text
    assert ada.program.get(f"{path}?after=rubbish", status=422).code == "VALIDATION_ERROR"


CALLS = [
    ("GET", "/notifications", None),
    ("PATCH", "/notifications/1", {"read": True}),
    ("POST", "/notifications/read-all", None),
    ("GET", "/notifications/preferences", None),
    ("PUT", "/notifications/preferences", {"shown": [], "mailed": [], "mailHour": 1, "quietHours": None}),
    ("GET", "/notifications/stream", None),
]


@pytest.mark.parametrize("call", CALLS)
def test_who_may(app: Flask, ada: Actor, stranger: Program, call: tuple[str, str, Any]) -> None:
    method, path, body = call
    small = Program(app, token_for(ada.id, "game:read", "profile:read"))
    assert stranger.send(method, path, body, status=401).code == "UNAUTHORIZED"
    assert small.send(method, path, body, status=403).code == "FORBIDDEN"
    wrong = Program(app, "cody_wrong")
    assert wrong.send(method, path, body, status=401).code == "UNAUTHORIZED"


@pytest.mark.parametrize("path", ["/notifications", "/notifications/read-all", "/notifications/stream"])
def test_other_methods(ada: Actor, path: str) -> None:
    refused = ada.program.send("DELETE", path, status=405)
    assert refused.code == "METHOD_NOT_ALLOWED"
    assert refused.headers["Allow"]

"""Your own account over the API: read, change, take along, erase; for operators everybody's."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import time_machine
from flask import Flask
from sqlalchemy import text

from codyverse import jobs
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.gamification.services import verify_ledger
from tests.api.client import Program, Told, token_for
from tests.api.conftest import Actor
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import PASSWORD


def test_your_own_account_is_read_and_changed(ada: Actor) -> None:
    me = ada.program.get("/users/me").data
    assert (me["email"], me["name"], me["role"]) == ("ada@example.org", "Ada", "learner")
    wanted = {
        "name": "Ada L.",
        "timeZone": "Europe/Berlin",
        "dayStartHour": 3,
        "preferences": {"goalIntensity": "serious", "hidden": ["leagues"], "theme": "dark", "leagues": False},
        "publicPage": {"handle": "ada-l", "public": True, "shown": ["badges"]},
    }
    changed = ada.program.patch("/users/me", wanted).data
    assert changed == me | {
        "name": "Ada L.",
        "timeZone": "Europe/Berlin",
        "dayStartHour": 3,
        "preferences": wanted["preferences"] | {"streakMode": "daily"},
        "publicPage": wanted["publicPage"],
    }
    assert ada.program.patch("/users/me", {"name": "Ada"}).data == changed | {"name": "Ada"}


def test_what_cannot_be_is_told_by_the_field_and_changes_nothing(ada: Actor, ben: Actor) -> None:
    ben.program.patch("/users/me", {"publicPage": {"handle": "taken"}})
    before = ada.program.get("/users/me").data
    for wanted, field in [
        ({"timeZone": "Mars/Olympus"}, "timeZone"),
        ({"name": " "}, "name"),
        ({"dayStartHour": 24}, "dayStartHour"),
        ({"preferences": {"theme": "neon"}}, "preferences.theme"),
        ({"name": "Eve", "publicPage": {"handle": "taken"}}, "publicPage.handle"),
        ({"role": "operator"}, "role"),
    ]:
        told = ada.program.patch("/users/me", wanted, status=422)
        assert field in told.json["details"], told.json
    assert ada.program.get("/users/me").data == before


def test_others_are_seen_by_operators_only(ada: Actor, ben: Actor, operator: Actor) -> None:
    assert ada.program.get(f"/users/{ada.id}").data["name"] == "Ada"
    assert ada.program.get(f"/users/{ben.id}", status=403).code == "FORBIDDEN"
    assert ada.program.get("/users/999999999", status=403).code == "FORBIDDEN"
    assert ada.program.get("/users", status=403).code == "FORBIDDEN"
    assert operator.program.get(f"/users/{ben.id}").data["email"] == "ben@example.org"
    assert operator.program.get("/users/999999999", status=404).code == "USER_NOT_FOUND"
    for odd in ("0", "-5", "abc", "1.5", str(2**63), "1e3", "٣"):
        assert operator.program.get(f"/users/{odd}", status=400).code == "INVALID_USER_ID"


def test_operators_page_through_people(ada: Actor, ben: Actor, operator: Actor) -> None:
    page = operator.program.get("/users?perPage=2&page=1")
    assert [each["name"] for each in page.data["items"]] == ["Ada", "Ben"]
    assert page.data["total"] == 3
    assert page.headers["Link"] == (
        '</api/users?perPage=2&page=1>; rel="first", </api/users?perPage=2&page=2>; rel="last", '
        '</api/users?perPage=2&page=2>; rel="next"'
    )
    assert operator.program.get("/users?role=operator").data["total"] == 1
    for odd in ("page=0", "perPage=101", "page=x", "role=king", "nonsense=1", "page=1&page=2"):
        assert operator.program.get(f"/users?{odd}", status=422).code == "VALIDATION_ERROR"


def test_operators_walk_through_people_from_the_last_one_seen(
    ada: Actor, ben: Actor, operator: Actor
) -> None:
    page = operator.program.get("/users?perPage=2&afterId=0")
    assert [each["id"] for each in page.data["items"]] == [ada.id, ben.id]
    first = '</api/users?perPage=2&afterId=0>; rel="first"'
    assert page.headers["Link"] == f'{first}, </api/users?perPage=2&afterId={ben.id}>; rel="next"'
    page = operator.program.get(f"/users?perPage=2&afterId={ben.id}")
    assert [each["id"] for each in page.data["items"]] == [operator.id]
    assert page.data["total"] == 3
    assert page.headers["Link"] == first
    page = operator.program.get(f"/users?perPage=1&role=learner&afterId={ada.id}")
    assert f'</api/users?role=learner&perPage=1&afterId={ben.id}>; rel="next"' in page.headers["Link"]
    assert operator.program.get("/users?afterId=-1", status=422).code == "VALIDATION_ERROR"


def test_a_version_that_is_known_is_not_sent_again(ada: Actor) -> None:
    first = ada.program.get("/users/me")
    again = ada.program.get("/users/me", status=304, headers={"If-None-Match": first.headers["ETag"]})
    assert again.headers["ETag"] == first.headers["ETag"]
    ada.program.patch("/users/me", {"name": "Other"})
    ada.program.get("/users/me", headers={"If-None-Match": first.headers["ETag"]})


def exported(actor: Actor) -> Told:
    actor.program.post("/users/me/export", status=202)
    assert jobs.run("exports") == "1 export prepared."
    return actor.program.get("/users/me/export")


def test_an_export_is_asked_for_and_then_fetched(ada: Actor, ben: Actor) -> None:
    none = ada.program.get("/users/me/export", status=404)
    assert (none.code, "Ask for one with POST" in none.json["error"]) == ("NOT_FOUND", True)
    asked = ada.program.post("/users/me/export", status=202)
    assert asked.data["state"] == "waiting"
    assert asked.headers["Location"] == "/api/users/me/export"
    assert int(asked.headers["Retry-After"]) > 0
    again = ada.program.post("/users/me/export", status=202)
    waiting = ada.program.get("/users/me/export", status=202)
    assert asked.data == again.data == waiting.data
    assert waiting.headers["Retry-After"] == asked.headers["Retry-After"]
    assert jobs.run("exports") == "1 export prepared."
    assert ben.program.get("/users/me/export", status=404)
    first = ada.program.get("/users/me/export")
    ada.program.patch("/users/me", {"name": "Other"})
    with time_machine.travel(now() + timedelta(hours=1)):
        second = ada.program.get("/users/me/export")
    assert first.data == second.data, "as it was when it was prepared"
    assert first.data["tables"]["users"][0]["display_name"] == "Ada"
    assert parsedate_to_datetime(first.headers["Last-Modified"]) == datetime.fromisoformat(
        first.data["exportedAt"]
    ).replace(microsecond=0)
    known = {"If-None-Match": first.headers["ETag"]}
    ada.program.get("/users/me/export", status=304, headers=known)
    newer = exported(ada)
    assert newer.data["tables"]["users"][0]["display_name"] == "Other"
    assert newer.headers["ETag"] != first.headers["ETag"]


def test_an_export_that_is_over_or_was_not_made_says_so(ada: Actor) -> None:
    exported(ada)
    with time_machine.travel(now() + timedelta(hours=25)):
        assert "deleted" in ada.program.get("/users/me/export", status=404).json["error"]
    ada.program.post("/users/me/export", status=202)
    session.execute(text("update prepared_exports set state = 'failed'"))
    assert "could not be prepared" in ada.program.get("/users/me/export", status=404).json["error"]


def test_everything_is_exported_and_nothing_of_others(ada: Actor, ben: Actor) -> None:
    lessons = make_course(Plan(asks=1))
    do_lesson(ada.id, lessons[0])
    do_lesson(ben.id, lessons[0])
    told = exported(ada)
    tables = told.data["tables"]
    assert len(tables["attempts"]) == len(tables["answers"]) == 1
    assert tables["users"][0]["email"] == "ada@example.org"
    assert "ben@example.org" not in told.response.text
    assert "password_hash" not in told.response.text


def test_erasing_ends_everything_now_and_can_be_called_off(app: Flask, ada: Actor, stranger: Program) -> None:
    told = ada.program.delete("/users/me", status=200)
    assert told.data["eraseAfter"] > told.json["timestamp"]
    assert ada.program.get("/users/me", status=401).code == "UNAUTHORIZED"
    person = {"email": ada.email, "password": PASSWORD, "name": "again"}
    back = Program(app, stranger.post("/auth/tokens", person, status=201).data["token"])
    assert back.get("/users/me").data["eraseAfter"] is None
    with time_machine.travel(now() + timedelta(days=31)):
        jobs.run("erase")
        assert back.get("/users/me").data["email"] == ada.email


def test_after_thirty_days_nothing_personal_is_left(app: Flask, ada: Actor, ben: Actor) -> None:
    lessons = make_course(Plan(asks=1))
    do_lesson(ada.id, lessons[0])
    ada.program.delete("/users/me", status=200)
    with time_machine.travel(now() + timedelta(days=31)):
        assert jobs.run("erase") == "Erased 1 account."
        assert jobs.run("erase") == ""
    assert (
        session.execute(
            text("select count(*) from users where email like '%ada%' or display_name = 'Ada'")
        ).scalar()
        == 0
    )
    assert (
        session.execute(text("select count(*) from sessions where user_id = :id"), {"id": ada.id}).scalar()
        == 0
    )
    assert verify_ledger() == ()
    assert ben.program.get("/users/me").data["name"] == "Ben"
    assert Program(app, token_for(ben.id, "profile:read")).get("/users/me").data["scopes"] == ["profile:read"]

"""Webhooks over the API: registered, told, looked after, replayed; nobody's but one's own."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import jobs
from codyverse.core.database import session
from codyverse.webhooks.rules import KINDS, MOST_PER_PERSON
from tests.api.client import Program, at_once, token_for
from tests.api.conftest import Actor, actor
from tests.domains.study import Plan, do_lesson, make_course
from tests.domains.webhooks.hooks import may_call_loopback, proof, said
from tests.receiver import Receiver, receiver, status

URL = "http://127.0.0.1:9000/hook"
WANTED = {"url": URL, "events": ["lesson.completed"]}


@pytest.fixture
def other() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture(autouse=True)
def near(app: Flask) -> Iterator[None]:
    with may_call_loopback(app):
        yield


def test_from_registering_to_the_delivery(ada: Actor, other: Receiver) -> None:
    made = ada.program.post("/webhooks", {"url": other.url, "events": list(KINDS)}, status=201)
    hook, secret = made.data["id"], made.data["secret"]
    assert made.headers["Location"] == f"/api/webhooks/{hook}"
    assert made.headers["Cache-Control"] == "no-store"
    [lesson] = make_course(Plan(asks=1))
    attempt = do_lesson(ada.id, lesson)
    waiting = ada.program.get(f"/webhooks/{hook}/deliveries").data
    assert {each["type"] for each in waiting["items"]} == set(KINDS)
    assert {each["state"] for each in waiting["items"]} == {"pending"}
    jobs.run("webhooks")
    [told] = [got for got in other.got if said(got.body)["type"] == "lesson.completed"]
    assert told.headers["webhook-signature"] == proof(secret, told.headers, told.body)
    assert said(told.body)["data"]["attemptId"] == attempt
    kept = ada.program.get(f"/webhooks/{hook}/deliveries").data["items"]
    assert {(each["state"], each["statusCode"]) for each in kept} == {("delivered", 204)}
    assert said(told.body)["id"] in {each["eventId"] for each in kept}


def test_the_secret_is_shown_once(ada: Actor) -> None:
    made = ada.program.post("/webhooks", WANTED, status=201).data
    [listed] = ada.program.get("/webhooks").data["items"]
    shown = {key: value for key, value in made.items() if key != "secret"}
    assert listed == shown == ada.program.get(f"/webhooks/{made['id']}").data
    assert shown["scope"] == "own"
    assert shown["active"] is True
    ada.program.post("/users/me/export", status=202)
    jobs.run("exports")
    assert made["secret"] not in ada.program.get("/users/me/export").response.text


def test_under_a_key_the_secret_comes_again_and_is_not_readable_in_the_database(ada: Actor) -> None:
    key = {"Idempotency-Key": "k-webhook"}
    first = ada.program.post("/webhooks", WANTED, status=201, headers=key)
    again = ada.program.post("/webhooks", WANTED, status=201, headers=key)
    assert again.response.data == first.response.data
    kept = session.execute(text("select encrypted, body from idempotency_records")).one()
    assert kept.encrypted
    assert first.data["secret"].encode() not in bytes(kept.body)
    assert ada.program.get("/webhooks").data["total"] == 1
    assert ada.program.post("/webhooks", WANTED, status=409).code == "CONFLICT"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "http://[::1]:8080/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "http://localhost.:22/"}, "url"),
        ({"url": "https://user:pw@example.org/"}, "url"),
        ({"url": "ftp://example.org/"}, "url"),
        ({"url": "https://no-such-name.invalid/"}, "url"),
        ({"url": "https://example.org/" + "x" * 2000}, "url"),
        ({"url": None}, "url"),
        ({"url": ["https://example.org/"]}, "url"),
        ({"events": []}, "events"),
        ({"events": "lesson.completed"}, "events"),
        ({"events": ["lesson.started"]}, "events.0"),
        ({"scope": "some"}, "scope"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_what_is_refused_is_told_by_its_field(ada: Actor, changed: dict[str, object], field: str) -> None:
    told = ada.program.post("/webhooks", WANTED | changed, status=422)
    assert told.code == "VALIDATION_ERROR"
    assert list(told.json["details"]) == [field]
    assert ada.program.get("/webhooks").data["total"] == 0


def test_everybodys_events_are_for_operators(ada: Actor, author: Actor, operator: Actor) -> None:
    for who in (ada, author):
        assert who.program.post("/webhooks", WANTED | {"scope": "all"}, status=403).code == "FORBIDDEN"
    hook = operator.program.post("/webhooks", WANTED | {"scope": "all"}, status=201).data["id"]
    [lesson] = make_course(Plan(asks=1))
    do_lesson(ada.id, lesson)
    assert operator.program.get(f"/webhooks/{hook}/deliveries").data["total"] == 1


def test_the_scope_of_the_token(app: Flask, ada: Actor, stranger: Program) -> None:
    small = Program(app, token_for(ada.id, "profile:read", "notifications"))
    paths = [
        ("GET", "/webhooks"),
        ("GET", "/webhooks/1"),
        ("DELETE", "/webhooks/1"),
        ("GET", "/webhooks/1/deliveries"),
        ("POST", "/webhooks/1/deliveries/1/replay"),
    ]
    for method, path in paths:
        assert small.send(method, path, status=403).code == "FORBIDDEN"
        assert stranger.send(method, path, status=401).code == "UNAUTHORIZED"
    assert small.post("/webhooks", WANTED, status=403).code == "FORBIDDEN"
    assert stranger.post("/webhooks", WANTED, status=401).code == "UNAUTHORIZED"


def test_somebody_elses_is_not_there(ada: Actor, ben: Actor, operator: Actor) -> None:
    hook = ada.program.post("/webhooks", WANTED, status=201).data["id"]
    [lesson] = make_course(Plan(asks=1))
    do_lesson(ada.id, lesson)
    [delivery] = ada.program.get(f"/webhooks/{hook}/deliveries").data["items"]
    own = ben.program.post("/webhooks", WANTED, status=201).data["id"]
    for who in (ben, operator):
        for method, path in [
            ("GET", f"/webhooks/{hook}"),
            ("DELETE", f"/webhooks/{hook}"),
            ("GET", f"/webhooks/{hook}/deliveries"),
            ("POST", f"/webhooks/{hook}/deliveries/{delivery['id']}/replay"),
            ("POST", f"/webhooks/{own}/deliveries/{delivery['id']}/replay"),
        ]:
            assert who.program.send(method, path, status=404).code == "NOT_FOUND"
    assert ada.program.get(f"/webhooks/{hook}/deliveries").data["items"] == [delivery]


def test_replay(ada: Actor, other: Receiver) -> None:
    other.answers = [status(500)]
    hook = ada.program.post("/webhooks", WANTED | {"url": other.url}, status=201).data["id"]
    [lesson] = make_course(Plan(asks=1))
    do_lesson(ada.id, lesson)
    jobs.run("webhooks")
    [failed] = ada.program.get(f"/webhooks/{hook}/deliveries").data["items"]
    assert (failed["state"], failed["statusCode"], failed["fault"]) == (
        "pending",
        500,
        "The server answered 500.",
    )
    again = ada.program.post(f"/webhooks/{hook}/deliveries/{failed['id']}/replay").data
    assert (again["state"], again["eventId"]) == ("pending", failed["eventId"])
    jobs.run("webhooks")
    assert [got.headers["webhook-id"] for got in other.got] == [failed["eventId"]] * 2
    other.usual = status(410)
    ada.program.post(f"/webhooks/{hook}/deliveries/{failed['id']}/replay")
    jobs.run("webhooks")
    assert ada.program.get(f"/webhooks/{hook}").data["active"] is False
    told = ada.program.post(f"/webhooks/{hook}/deliveries/{failed['id']}/replay", status=409)
    assert told.code == "CONFLICT"


def test_deleting_and_pages(ada: Actor) -> None:
    hooks = [
        ada.program.post("/webhooks", WANTED | {"url": f"{URL}{n}"}, status=201).data["id"]
        for n in range(MOST_PER_PERSON)
    ]
    assert ada.program.post("/webhooks", WANTED, status=409).code == "CONFLICT"
    page = ada.program.get("/webhooks?page=2&perPage=4")
    assert [each["id"] for each in page.data["items"]] == hooks[4:8]
    assert 'rel="next"' in page.headers["Link"]
    ada.program.delete(f"/webhooks/{hooks[0]}")
    assert ada.program.delete(f"/webhooks/{hooks[0]}", status=404).code == "NOT_FOUND"
    assert ada.program.get("/webhooks").data["total"] == MOST_PER_PERSON - 1
    for path in ("/webhooks?perPage=0", f"/webhooks/{hooks[1]}/deliveries?page=x"):
        assert ada.program.get(path, status=422).code == "VALIDATION_ERROR"


def test_a_lesson_that_failed_to_be_completed_is_not_told(ada: Actor) -> None:
    """A request under a key that ends in a conflict is kept with its answer; what it had begun to tell is not."""
    hook = ada.program.post("/webhooks", WANTED, status=201).data["id"]
    [lesson] = make_course(Plan(asks=1))
    attempt = ada.program.post(f"/lessons/{lesson}/attempts", status=201).data["attemptId"]
    key = {"Idempotency-Key": "too-early"}
    ada.program.post(f"/attempts/{attempt}/complete", status=409, headers=key)
    assert ada.program.get(f"/webhooks/{hook}/deliveries").data["total"] == 0


def test_fifty_at_once_register_one(committed_app: Flask) -> None:
    with may_call_loopback(committed_app):
        ada = actor(committed_app, "ada@example.org", "Ada")
        key = {"Idempotency-Key": "together"}
        told = at_once(
            [lambda: ada.program.send("POST", "/webhooks", WANTED, headers=key, checked=False)] * 50
        )
        assert {each.status for each in told} <= {201, 409}
        made = {each.response.data for each in told if each.status == 201}
        assert len(made) == 1
        assert ada.program.get("/webhooks").data["total"] == 1

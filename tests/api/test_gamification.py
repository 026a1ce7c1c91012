"""The game over the API: the dashboard, levels, badges, goals, the ledger, leagues, the shop."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import count_statements, db, session, unit_of_work
from codyverse.gamification import badge_catalogue, rules
from codyverse.gamification import queries as game
from codyverse.gamification.services import verify_ledger
from tests.api.client import Program, at_once, check, token_for
from tests.api.conftest import Actor
from tests.domains.gamification.test_shop import give
from tests.domains.study import Plan, do_lesson, make_course
from tests.factories import make_user

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)


@pytest.fixture
def clock(app: Flask, time_machine):
    time_machine.move_to(NOON, tick=False)
    return time_machine


def learn(who: int, lessons: int = 3) -> None:
    for lesson in make_course(*[Plan(asks=2, difficulty="advanced")] * lessons):
        do_lesson(who, lesson)


def prefer(who: int, *hidden: str) -> None:
    with unit_of_work():
        accounts.change_preferences(
            who, goal_intensity="regular", hidden=frozenset(hidden), theme="auto", streak_mode=None
        )


# --- the dashboard ---


def test_the_dashboard(ada: Actor) -> None:
    learn(ada.id)
    give(ada.id, coins=500)
    ada.program.post("/gamification/shop/scarf/purchases", status=201, headers={"Idempotency-Key": "scarf-1"})
    shown = ada.program.get(f"/gamification/dashboard/{ada.id}").data
    card = game.player(ada.id, now())
    assert shown["user"] == {
        "id": ada.id,
        "name": "Ada",
        "totalXP": card.xp,
        "level": card.level,
        "levelName": card.level_name,
        "levelIcon": card.level_icon,
        "xpToNext": card.xp_to_next,
        "xpProgress": card.xp_progress,
    }
    wallet = shown["wallet"]
    assert (wallet["coins"], wallet["gems"]) == (card.coins, card.gems)
    assert wallet["totalCoinsEarned"] - wallet["totalCoinsSpent"] == card.coins
    assert wallet["totalCoinsSpent"] > 0
    assert {each["key"] for each in shown["badges"]} >= {"first-steps"}
    assert all(each["earnedOn"] for each in shown["badges"])
    assert [each["slot"] for each in shown["goals"]] == [1, 2, 3]
    assert (shown["streak"]["current"], shown["streak"]["unit"], shown["streak"]["studiedToday"]) == (
        1,
        "days",
        True,
    )
    assert shown["notifications"]["unread"] >= len(shown["notifications"]["latest"]) > 0


def test_the_dashboard_of_somebody_new(ada: Actor) -> None:
    shown = ada.program.get(f"/gamification/dashboard/{ada.id}").data
    assert (shown["user"]["totalXP"], shown["user"]["level"], shown["user"]["levelName"]) == (0, 1, "Novice")
    assert (shown["user"]["xpToNext"], shown["user"]["xpProgress"]) == (100, 0)
    assert shown["wallet"] == {"coins": 0, "gems": 0, "totalCoinsEarned": 0, "totalCoinsSpent": 0}
    assert (shown["badges"], shown["notifications"]) == ([], {"unread": 0, "latest": []})


def test_at_the_top_there_is_no_next_level(ada: Actor) -> None:
    give(ada.id, xp=5000)
    user = ada.program.get(f"/gamification/dashboard/{ada.id}").data["user"]
    assert (user["xpToNext"], user["xpProgress"], user["totalXP"]) == (None, 1, 5000)


@pytest.mark.parametrize(
    ("hidden", "place"),
    [("coins", "wallet"), ("badges", "badges"), ("goals", "goals"), ("streak", "streak")],
)
def test_what_was_left_out_is_null(ada: Actor, hidden: str, place: str) -> None:
    learn(ada.id)
    prefer(ada.id, hidden)
    shown = ada.program.get(f"/gamification/dashboard/{ada.id}").data
    assert shown[place] is None
    assert all(shown[each] is not None for each in ("wallet", "badges", "goals", "streak") if each != place)


def test_without_xp_nothing_is_told_of_levels(ada: Actor) -> None:
    learn(ada.id)
    prefer(ada.id, "xp")
    shown = ada.program.get(f"/gamification/dashboard/{ada.id}").data
    assert {key for key, value in shown["user"].items() if value is not None} == {"id", "name"}
    assert "level" not in {each["kind"] for each in shown["notifications"]["latest"]}


def test_the_dashboard_in_few_statements(ada: Actor) -> None:
    learn(ada.id)
    path = f"/gamification/dashboard/{ada.id}"
    ada.program.get(path)
    sent: list[str] = []
    count_statements(db.engine, sent.append)
    ada.program.get(path)
    selects = [sql for sql in sent if "SAVEPOINT" not in sql]
    assert len(selects) <= 4, selects


def test_the_dashboard_as_it_was(ada: Actor) -> None:
    path = f"/gamification/dashboard/{ada.id}"
    tag = ada.program.get(path).headers["ETag"]
    ada.program.get(path, status=304, headers={"If-None-Match": tag})
    learn(ada.id, 1)
    assert ada.program.get(path, headers={"If-None-Match": tag}).headers["ETag"] != tag


# --- levels, badges, goals, ledger ---


def test_levels(ada: Actor) -> None:
    told = ada.program.get("/gamification/levels").data
    assert [each["threshold"] for each in told["items"]] == list(rules.DEFAULTS.level_thresholds)
    assert (told["items"][0]["name"], told["items"][-1]["name"]) == ("Novice", "Grandmaster")
    assert (told["page"], told["perPage"], told["total"]) == (1, 20, 8)


def test_pages_of_a_list_and_their_links(ada: Actor) -> None:
    told = ada.program.get("/gamification/levels?page=2&perPage=3")
    assert [each["number"] for each in told.data["items"]] == [4, 5, 6]
    links = told.headers["Link"]
    for name, page in (("first", 1), ("prev", 1), ("next", 3), ("last", 3)):
        assert f'page={page}>; rel="{name}"' in links or f'page={page}&perPage=3>; rel="{name}"' in links, (
            links
        )
    assert ada.program.get("/gamification/levels?page=9").data["items"] == []
    for asked in (
        "page=0",
        "page=-1",
        "page=a",
        "page=1.5",
        "perPage=0",
        "perPage=101",
        "page=1&page=2",
        "x=1",
    ):
        assert ada.program.get(f"/gamification/levels?{asked}", status=422).code == "VALIDATION_ERROR"


def test_badges(ada: Actor) -> None:
    learn(ada.id, 1)
    every = ada.program.get("/gamification/badges?perPage=100").data
    assert every["total"] == len(every["items"]) == len(badge_catalogue.badges()) >= 20
    first = next(each for each in every["items"] if each["key"] == "first-steps")
    assert (first["xp"], first["coins"], first["soFar"], first["atLeast"]) == (50, 10, 1, 1)
    assert first["earnedOn"] is not None
    earned = ada.program.get("/gamification/badges?earned=true&perPage=100").data["items"]
    waiting = ada.program.get("/gamification/badges?earned=false&perPage=100").data["items"]
    assert earned
    assert len(earned) + len(waiting) == every["total"]
    social = ada.program.get("/gamification/badges?category=social").data["items"]
    assert {each["category"] for each in social} == {"social"}
    assert ada.program.get("/gamification/badges?category=none", status=422).code == "VALIDATION_ERROR"


def test_badges_of_what_was_left_out(ada: Actor) -> None:
    prefer(ada.id, "streak")
    keys = {each["key"] for each in ada.program.get("/gamification/badges?perPage=100").data["items"]}
    assert keys == {badge.key for badge in badge_catalogue.badges() if badge.mechanic != "streak"}


def test_goals(ada: Actor, clock) -> None:
    learner = Program(ada.program.app, token_for(ada.id, "game:read", "game:write"))
    path = f"/gamification/goals/{ada.id}"
    before = learner.get(path).data
    assert (before["date"], before["intensity"], before["past"]) == ("2026-06-17", "regular", [])
    assert [each["slot"] for each in before["goals"]] == [1, 2, 3]
    changed = learner.put(path, {"intensity": "serious"}).data
    assert (changed["intensity"], changed["goals"]) == ("serious", before["goals"])
    assert learner.put(path, {"intensity": "serious"}).data == changed
    clock.shift(timedelta(days=1))
    fresh = Program(ada.program.app, token_for(ada.id, "game:read", "game:write"))
    after = fresh.get(path).data
    assert after["date"] == "2026-06-18"
    assert {each["coins"] for each in after["goals"]} == {15}
    [past] = after["past"]
    assert past["date"] == "2026-06-17"
    assert [each["kind"] for each in past["goals"]] == [each["kind"] for each in before["goals"]]
    assert fresh.get(f"{path}?days=0").data["past"] == []
    assert fresh.get(f"{path}?before=2026-06-17").data["past"] == []


@pytest.mark.parametrize(
    "body", [{"intensity": "hard"}, {"intensity": None}, {}, [], {"intensity": "casual", "x": 1}]
)
def test_an_intensity_that_is_none(ada: Actor, body: Any) -> None:
    assert ada.program.put(f"/gamification/goals/{ada.id}", body, status=422).code == "VALIDATION_ERROR"


def test_the_ledger(ada: Actor, ben: Actor, operator: Actor) -> None:
    learn(ada.id)
    learn(ben.id, 1)
    path = f"/gamification/ledger/{ada.id}"
    told = ada.program.get(f"{path}?perPage=100").data
    assert told["total"] == len(told["items"]) > 5
    assert [each["id"] for each in told["items"]] == sorted(
        (each["id"] for each in told["items"]), reverse=True
    )
    card = game.player(ada.id, now())
    sums = {
        unit: sum(each["amount"] for each in told["items"] if each["currency"] == unit)
        for unit in ("xp", "coins", "gems")
    }
    assert sums == {"xp": card.xp, "coins": card.coins, "gems": card.gems}
    second = ada.program.get(f"{path}?currency=xp&perPage=1&page=2")
    assert (second.data["page"], second.data["perPage"], len(second.data["items"])) == (2, 1, 1)
    assert "currency=xp" in second.headers["Link"]
    lessons = ada.program.get(f"{path}?rule=lesson").data["items"]
    assert {each["rule"] for each in lessons} == {"lesson"}
    assert all(each["lessonId"] and each["reason"].startswith("First time") for each in lessons)
    one = ada.program.get(f"{path}/{lessons[0]['id']}").data
    assert one == lessons[0]
    assert ada.program.get(f"{path}?until=2020-01-01").data["total"] == 0
    assert ada.program.get(f"{path}?since=2020-01-01").data["total"] == told["total"]
    others = ben.program.get(f"/gamification/ledger/{ben.id}").data["items"][0]["id"]
    assert ada.program.get(f"{path}/{others}", status=404).code == "NOT_FOUND"
    assert operator.program.get(f"{path}?perPage=100").data == told
    for asked in ("currency=gold", "rule=luck", "since=then", "page=0"):
        assert ada.program.get(f"{path}?{asked}", status=422).code == "VALIDATION_ERROR"


# --- leagues ---


def test_leagues(ada: Actor, ben: Actor) -> None:
    nobody = ada.program.get("/gamification/leaderboard").data
    assert nobody == {
        "takingPart": False,
        "period": "this",
        "week": None,
        "closed": False,
        "places": [],
        "quest": None,
    }
    for person in (ada, ben):
        for _ in range(2):
            assert person.program.put("/gamification/leagues", {"takingPart": True}).data == {
                "takingPart": True
            }
    assert ada.program.get("/gamification/leaderboard").data["takingPart"] is True
    learn(ada.id, 2)
    learn(ben.id, 1)
    board = ada.program.get("/gamification/leaderboard?period=this").data
    assert [place["me"] for place in board["places"]] == [True, False]
    assert (board["quest"]["lessons"], board["quest"]["target"], board["closed"]) == (3, 6, False)
    assert not any("Ada" in place["pseudonym"] for place in board["places"])
    assert ada.program.get("/gamification/leaderboard?period=last").data["places"] == []
    assert ada.program.get("/gamification/leaderboard?period=ever", status=422).code == "VALIDATION_ERROR"
    for leave, path in (("put", "/gamification/leagues"), ("patch", "/users/me")):
        body = {"takingPart": False} if leave == "put" else {"preferences": {"leagues": False}}
        getattr(ben.program, leave)(path, body)
        left = ada.program.get("/gamification/leaderboard").data
        assert len(left["places"]) == 1
        assert left["quest"] == board["quest"]
        ben.program.put("/gamification/leagues", {"takingPart": True})
        assert ada.program.get("/gamification/leaderboard").data == board
    ben.program.put("/gamification/leagues", {"takingPart": False})
    assert ben.program.get("/gamification/leaderboard").data["takingPart"] is False
    for body in ({"takingPart": "yes"}, {"takingPart": 1}, {}):
        assert ada.program.put("/gamification/leagues", body, status=422).code == "VALIDATION_ERROR"


# --- the shop ---

KEY = {"Idempotency-Key": "a-key-of-my-own"}


def purchases() -> int:
    return session.execute(text("select count(*) from purchases")).scalar_one()


def test_the_shop(ada: Actor) -> None:
    give(ada.id, coins=1000)
    told = ada.program.get("/gamification/shop").data
    assert (told["coins"], told["freezes"], told["mostFreezes"]) == (1000, 0, 2)
    scarf = next(each for each in told["offers"] if each["item"]["key"] == "scarf")
    assert (scarf["owned"], scarf["worn"], scarf["refusal"]) == (False, False, None)
    bought = ada.program.post("/gamification/shop/scarf/purchases", status=201, headers=KEY)
    assert bought.headers["Location"] == "/api/gamification/shop"
    assert bought.data["coins"] == 1000 - scarf["item"]["price"]
    assert bought.data["item"] == scarf["item"]
    for _ in range(2):
        assert ada.program.put("/gamification/worn", {"kind": "outfit", "item": "scarf"}).data == {
            "outfit": "scarf",
            "world": None,
        }
    after = ada.program.get("/gamification/shop").data
    scarf = next(each for each in after["offers"] if each["item"]["key"] == "scarf")
    assert (scarf["owned"], scarf["worn"]) == (True, True)
    off = ada.program.put("/gamification/worn", {"kind": "outfit", "item": None}).data
    assert off == {"outfit": None, "world": None}


def test_a_purchase_needs_a_key(ada: Actor) -> None:
    give(ada.id, coins=1000)
    refused = ada.program.post("/gamification/shop/scarf/purchases", status=422)
    assert (refused.code, list(refused.json["details"])) == ("VALIDATION_ERROR", ["Idempotency-Key"])
    for key in ("", "two words", "x" * 256, "ключ".encode().decode("latin-1")):
        answer = ada.program.post(
            "/gamification/shop/scarf/purchases", status=422, headers={"Idempotency-Key": key}
        )
        assert answer.code == "VALIDATION_ERROR"
    assert purchases() == 0


def test_the_same_key_buys_once_also_when_its_record_is_gone(ada: Actor) -> None:
    give(ada.id, coins=1000)
    path = "/gamification/shop/streak-freeze/purchases"
    first = ada.program.post(path, status=201, headers=KEY)
    again = ada.program.post(path, status=201, headers=KEY)
    assert again.response.data == first.response.data
    assert ada.program.post("/gamification/shop/scarf/purchases", status=422, headers=KEY).code == (
        "IDEMPOTENCY_KEY_REUSED"
    )
    session.execute(text("delete from idempotency_records"))
    session.commit()
    late = ada.program.post(path, status=201, headers=KEY)
    assert late.data == first.data
    assert purchases() == 1
    assert ada.program.post(path, status=201, headers={"Idempotency-Key": "another"}).data["freezes"] == 2
    assert verify_ledger() == ()


def test_what_cannot_be_bought(ada: Actor) -> None:
    path = "/gamification/shop/{}/purchases"
    tries = {"scarf": 409, "no-such-thing": 404, "SCARF": 404, "%00": 404, "a" * 300: 404}
    for number, (item, status) in enumerate(tries.items()):
        key = {"Idempotency-Key": f"try-{number}"}
        refused = ada.program.post(path.format(item), status=status, headers=key)
        assert refused.code == {409: "CONFLICT", 404: "NOT_FOUND"}[status]
        assert ada.program.post(path.format(item), status=status, headers=key).json == refused.json
    give(ada.id, coins=1000)
    ada.program.post(path.format("scarf"), status=201, headers={"Idempotency-Key": "one"})
    again = ada.program.post(path.format("scarf"), status=409, headers={"Idempotency-Key": "two"})
    assert again.code == "CONFLICT"
    assert purchases() == 1


def test_what_is_not_owned_is_not_worn(ada: Actor) -> None:
    for body, status in [
        ({"kind": "outfit", "item": "scarf"}, 404),
        ({"kind": "world", "item": "nothing"}, 404),
        ({"kind": "hat", "item": None}, 422),
        ({"kind": "outfit"}, 422),
        ({"kind": "outfit", "item": "Scarf!"}, 422),
        ({}, 422),
    ]:
        ada.program.put("/gamification/worn", body, status=status)


def test_fifty_purchases_at_once(committed_app: Flask) -> None:
    who = make_user(email="ada@example.org")
    give(who, coins=10_000)
    token = token_for(who, "game:read", "game:write")
    path = "/gamification/shop/scarf/purchases"
    same = partial(Program(committed_app, token).send, "POST", path, headers=KEY, checked=False)
    own = [
        partial(
            Program(committed_app, token).send,
            "POST",
            path,
            headers={"Idempotency-Key": f"key-{number}"},
            checked=False,
        )
        for number in range(25)
    ]
    told = at_once([same] * 25 + own)
    for each in told:
        check(committed_app, "POST", path, each)
    assert {each.status for each in told} <= {201, 409}
    assert purchases() == 1
    assert len({each.response.data for each in told[:25] if each.status == 201}) <= 1
    assert verify_ledger() == ()


# --- who may ---

READS = [
    f"/gamification/{path}"
    for path in ("levels", "badges", "shop", "leaderboard", "dashboard/{}", "goals/{}", "ledger/{}")
]
WRITES = [
    ("PUT", "/gamification/goals/{}", {"intensity": "casual"}),
    ("PUT", "/gamification/leagues", {"takingPart": True}),
    ("PUT", "/gamification/worn", {"kind": "outfit", "item": None}),
    ("POST", "/gamification/shop/scarf/purchases", None),
]


def test_scopes(app: Flask, ada: Actor, stranger: Program) -> None:
    small = Program(app, token_for(ada.id, "profile:read"))
    reads = Program(app, token_for(ada.id, "game:read"))
    for path in READS:
        assert stranger.get(path.format(ada.id), status=401).code == "UNAUTHORIZED"
        assert small.get(path.format(ada.id), status=403).code == "FORBIDDEN"
        reads.get(path.format(ada.id))
    for method, path, body in WRITES:
        sent = partial(Program.send, method=method, path=path.format(ada.id), body=body, headers=KEY)
        assert sent(stranger, status=401).code == "UNAUTHORIZED"
        assert sent(reads, status=403).code == "FORBIDDEN"

"""The shop, goals, calendar and wallet as a person without JavaScript sees them."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from codyverse.accounts.models import User
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.gamification import queries, services
from codyverse.web.ledger import _harmless
from tests.domains.gamification.test_shop import give
from tests.domains.study import Plan, do_lesson, make_course
from tests.web.visits import Page, Visitor

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)
PREFERENCES = {"goal_intensity": "regular", "theme": "auto", "streak_mode": "daily"}


@pytest.fixture
def clock(time_machine):
    time_machine.move_to(NOON, tick=False)
    return time_machine


@pytest.fixture
def ada(clock, learner: Visitor) -> int:
    return session.scalars(select(User.id).where(User.email_key == "ada@example.org")).one()


@pytest.fixture
def lessons(app: Flask, clock) -> list[int]:
    return make_course(*[Plan(asks=2)] * 3)


def item(page: Page, key: str) -> str:
    [found] = page.css(f"#item-{key}")
    return " ".join(found.text_content().split())


def test_buying_twice_with_the_same_form_buys_once(ada: int, learner: Visitor) -> None:
    give(ada, coins=200)
    page = learner.get("/shop")
    for _ in range(2):
        done = learner.submit(page, "/shop/scarf/purchases")
        assert done.response.location == "/shop#item-scarf"
    page = learner.get("/shop")
    assert "Bought: Comet scarf. You have 140 coins and 0 gems left." in item(page, "scarf")
    assert not page.css(".messages")
    assert "Put on" in item(page, "scarf")
    assert "Bought" not in learner.get("/shop").text
    assert queries.player(ada, now()).coins == 140


def test_a_purchase_that_cannot_be_is_a_conflict_with_its_reason(ada: int, learner: Visitor) -> None:
    page = learner.post("/shop/scarf/purchases", {"nonce": "nonce-01"}, status=409)
    assert "60 are missing yet" in page.css('[role="alert"]')[0].text_content()
    assert page.css("#item-scarf"), "the shop, not a page of errors"
    assert "60 more to go" in item(learner.get("/shop"), "scarf")
    learner.post("/shop/unicorn/purchases", {"nonce": "nonce-01"}, status=404)
    incomplete = learner.post("/shop/scarf/purchases", {}, status=422)
    assert "no proper number of its own" in incomplete.css('[role="alert"]')[0].text_content()
    learner.post("/shop/wear", {"kind": "outfit", "item": "scarf"}, status=404)
    learner.post("/shop/wear", {"kind": "hat", "item": ""}, status=404)
    short = learner.post("/shop/scarf/purchases", {"nonce": "nonce-01"}, status=409, htmx=True)
    assert short.css("[data-trouble]"), "htmx gets the alert that it knows how to show"


def test_from_the_page_of_a_refusal_one_can_buy_on(ada: int, learner: Visitor) -> None:
    give(ada, coins=200)
    form = learner.get("/shop")
    learner.submit(form, "/shop/scarf/purchases")
    nonce = f"{form.css('input[name=nonce]')[0].get('value')}-another"
    page = learner.post("/shop/scarf/purchases", {"nonce": nonce}, status=409)
    assert "You have that already" in page.css('[role="alert"]')[0].text_content()
    assert "Put on" in item(page, "scarf")
    learner.submit(page, "/shop/streak-freeze/purchases")
    assert "Bought: " in item(learner.get("/shop"), "streak-freeze")


def test_a_refusal_names_no_level_to_whoever_left_them_out(ada: int, learner: Visitor) -> None:
    page = learner.post("/shop/crown/purchases", {"nonce": "nonce-01"}, status=409)
    assert "from level 8 on" in page.css('[role="alert"]')[0].text_content()
    learner.post("/settings/preferences", PREFERENCES | {"hidden": ["xp"]})
    page = learner.post("/shop/crown/purchases", {"nonce": "nonce-02"}, status=409)
    assert "can be bought later" in page.css('[role="alert"]')[0].text_content()
    assert "evel" not in page.css("main")[0].text_content()
    learner.post("/settings/preferences", PREFERENCES | {"hidden": ["coins"]})
    assert not learner.post("/shop/crown/purchases", {"nonce": "nonce-03"}, status=409).css("#item-crown")


def test_wearing_shows_on_cody_and_on_the_page(ada: int, learner: Visitor) -> None:
    give(ada, coins=300, xp=150)
    for key in ("scarf", "aurora"):
        learner.submit(learner.get("/shop"), f"/shop/{key}/purchases")
    for kind, key in (("outfit", "scarf"), ("world", "aurora")):
        learner.post("/shop/wear", {"kind": kind, "item": key})
        said = item(learner.get("/shop"), key)
        assert "Put on." in said or "In use." in said
        assert "You have" not in said, "nothing was paid"
    page = learner.get("/dashboard")
    assert page.css(".onward-cody .cody-cloth")
    assert page.document.get("data-world") == "aurora"
    assert "Take off" in item(learner.get("/shop"), "scarf")
    learner.post("/shop/wear", {"kind": "world", "item": ""})
    assert "The usual colours are back." in learner.get("/shop").css(".messages")[0].text_content()
    assert learner.get("/dashboard").document.get("data-world") is None


def test_what_opens_later_says_when(ada: int, learner: Visitor) -> None:
    assert "From level 8 on" in item(learner.get("/shop"), "crown")
    learner.post("/settings/preferences", PREFERENCES | {"hidden": ["xp"]})
    assert "Opens later" in item(learner.get("/shop"), "crown")


@pytest.mark.parametrize(
    ("hidden", "path"),
    [(["coins"], "/shop"), (["goals"], "/goals"), (["xp", "coins"], "/ledger")],
)
def test_what_is_left_out_leaves_no_trace(ada: int, learner: Visitor, hidden: list[str], path: str) -> None:
    learner.post("/settings/preferences", PREFERENCES | {"hidden": hidden})
    page = learner.get(path)
    assert not page.css("main [data-mechanic]")
    assert "you left this out" in page.text
    links = {each.get("href") for each in learner.get("/dashboard").css("a")}
    assert path not in links


def test_the_shop_without_a_streak_sells_no_freezes(ada: int, learner: Visitor) -> None:
    learner.post("/settings/preferences", PREFERENCES | {"hidden": ["streak"]})
    page = learner.get("/shop")
    assert not page.css('#item-streak-freeze, [data-mechanic="streak"]')
    assert page.css("#item-scarf")


# --- goals ---


def test_goals_of_today_and_of_days_before(ada: int, learner: Visitor, lessons: list[int], clock) -> None:
    assert "will stand here" in learner.get("/goals").text
    for lesson in lessons:
        do_lesson(ada, lesson)
    for n in range(1, 16):
        clock.move_to(NOON + timedelta(days=n), tick=False)
        do_lesson(ada, lessons[n % 3])
    page = learner.get("/goals")
    assert len(page.css(".goal")) == 3
    assert len(page.css(".past-day")) == 14
    assert "1 July 2026" in page.css(".past-date")[0].text_content()
    [older] = page.css('a[href*="before="]')
    page = learner.get(older.get("href"))
    assert [each.text_content().strip() for each in page.css(".past-date")] == ["17 June 2026"]
    assert not page.css(".goal")
    assert page.css(".past-reached")
    learner.get("/goals?before=nonsense")
    learner.get("/goals?before=9999-12-31")


def test_asking_for_more_leaves_today_as_it_is(ada: int, learner: Visitor, lessons: list[int], clock) -> None:
    before = queries.goals(ada, now())
    learner.post("/goals/intensity", {"goal_intensity": "serious"})
    assert queries.goals(ada, now()) == before
    clock.move_to(NOON + timedelta(days=1), tick=False)
    assert {goal.coins for goal in queries.goals(ada, now())} == {15}
    learner.post("/goals/intensity", {"goal_intensity": "heroic"}, status=422)
    assert learner.get("/goals").css("#intensity-serious[checked]")


def test_a_weak_lesson_is_due(ada: int, learner: Visitor, lessons: list[int], clock) -> None:
    """Done badly yesterday, it is asked for today; done better, the goal is reached; the goals stay the same all day."""
    its_turn = NOON + timedelta(days=next(n for n in (1, 2, 3) if (NOON.toordinal() + n + ada) % 3 == 0))
    clock.move_to(its_turn - timedelta(days=1), tick=False)
    do_lesson(ada, lessons[0], wrong=2)
    assert "mended" not in [goal.kind for goal in queries.goals(ada, now())]
    clock.move_to(its_turn, tick=False)
    goals = queries.goals(ada, now())
    assert goals[0].kind == "mended"
    assert "1 lesson done better than before" in learner.get("/dashboard").text
    do_lesson(ada, lessons[0])
    after = queries.goals(ada, now())
    assert [(goal.kind, goal.target) for goal in after] == [(goal.kind, goal.target) for goal in goals]
    assert after[0].reached
    clock.move_to(its_turn + timedelta(days=3), tick=False)
    assert "mended" not in [goal.kind for goal in queries.goals(ada, now())]
    assert services.verify_ledger() == ()


# --- the calendar ---


def test_a_month_of_study(ada: int, learner: Visitor, lessons: list[int], clock) -> None:
    for n in (-9, -8, -7):
        clock.move_to(NOON + timedelta(days=n), tick=False)
        do_lesson(ada, lessons[0])
    clock.move_to(NOON + timedelta(days=-5), tick=False)
    do_lesson(ada, lessons[1], wrong=1)
    do_lesson(ada, lessons[1])
    clock.move_to(NOON, tick=False)
    page = learner.get("/progress")
    assert page.css("caption")[0].text_content() == "June 2026"
    assert len(page.css(".calendar-lit")) == 4
    assert len(page.css(".calendar-day")) == 30
    assert "repaired" in page.css("td.calendar-day")[10].text_content()
    assert "Days learned 4" in " ".join(" ".join(page.css(".facts")[0].itertext()).split())
    assert "5 lessons" in page.text
    assert page.css('a[href="/progress?month=2026-05"]')
    assert not page.css('a[href="/progress?month=2026-07"]')
    page = learner.get("/progress?month=2026-05")
    assert page.css("caption")[0].text_content() == "May 2026"
    assert page.css('a[href="/progress?month=2026-06"]')


@pytest.mark.parametrize("month", ["2026-13", "2099-01", "1999-01", "junk", "2026-6", "２０２６-06", ""])
def test_a_month_that_is_none_is_this_one(ada: int, learner: Visitor, month: str) -> None:
    assert learner.get(f"/progress?month={month}").css("caption")[0].text_content() == "June 2026"


def test_without_a_streak_the_calendar_is_still_there(ada: int, learner: Visitor, lessons: list[int]) -> None:
    do_lesson(ada, lessons[0])
    learner.post("/settings/preferences", PREFERENCES | {"hidden": ["streak"]})
    page = learner.get("/progress")
    assert page.css(".calendar-lit")
    assert not page.css('main [data-mechanic="streak"]')
    assert "freeze" not in page.css("main")[0].text_content()


def test_weeks_in_the_words_of_the_page(ada: int, learner: Visitor, lessons: list[int], clock) -> None:
    learner.post("/settings/preferences", PREFERENCES | {"streak_mode": "weekly"})
    assert learner.get("/settings").css('#streak_mode option[selected][value="weekly"]')
    do_lesson(ada, lessons[0])
    assert "1 of 4 days this week" in learner.get("/dashboard").text
    learner.post("/settings/preferences", PREFERENCES | {"streak_mode": "yearly"}, status=422)


# --- the wallet ---


def test_the_wallet_filters_by_currency_and_rule(ada: int, learner: Visitor, lessons: list[int]) -> None:
    for lesson in lessons:
        do_lesson(ada, lesson)
    page = learner.get("/ledger?currency=coins&rule=lesson")
    amounts = [each.text_content() for each in page.css(".ledger-amount")]
    assert len(amounts) == 3
    assert all("coins" in each for each in amounts)
    assert page.css('option[selected][value="lesson"]')
    assert len(learner.get("/ledger?currency=coins").css(".ledger-amount")) > 3
    assert "There is no such entry" in learner.get("/ledger?rule=purchase").text
    learner.get("/ledger?rule=nonsense&currency=rubles&before=x")


def test_pages_of_the_wallet_lose_and_repeat_nothing(ada: int, learner: Visitor) -> None:
    for n in range(60):
        give(ada, coins=n + 1)
    seen: list[str] = []
    path = "/ledger?currency=coins"
    while path:
        page = learner.get(path)
        seen += [each.text_content().split()[0] for each in page.css(".ledger-amount")]
        older = [each.get("href") for each in page.css("a.button") if each.text_content() == "Older entries"]
        path = older[0] if older else ""
    assert seen == [f"+{n}" for n in range(60, 0, -1)]
    beyond = learner.get("/ledger?before=1").text
    assert "There are no older entries." in beyond
    assert "Nothing yet" not in beyond


def test_why_did_i_get_this(ada: int, learner: Visitor, other: Visitor, lessons: list[int]) -> None:
    attempt = do_lesson(ada, lessons[0])
    page = learner.get("/ledger?rule=lesson&currency=xp")
    [why] = [
        each.get("href") for each in page.css("main a") if (each.get("href") or "").startswith("/ledger/")
    ]
    page = learner.get(why)
    assert "First time through" in page.text
    assert "pays a base" in page.text
    assert page.css(f'a[href="/lessons/{lessons[0]}/attempts/{attempt}"]')
    assert "17 June 2026, 12:00" in page.text
    other.get(why, status=404)
    learner.post("/settings/preferences", PREFERENCES | {"hidden": ["xp"]})
    learner.get(why, status=404)


def test_the_wallet_as_csv(ada: int, learner: Visitor, lessons: list[int]) -> None:
    for lesson in lessons:
        do_lesson(ada, lesson)
    answer = learner.client.get("/ledger.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    sums = {
        each: sum(int(row["amount"]) for row in rows if row["currency"] == each)
        for each in ("xp", "coins", "gems")
    }
    card = queries.player(ada, now())
    assert sums == {"xp": card.xp, "coins": card.coins, "gems": card.gems}
    assert len({(row["currency"], row["rule"], row["source"]) for row in rows}) == len(rows)
    few = list(csv.DictReader(io.StringIO(learner.client.get("/ledger.csv?currency=xp&rule=lesson").text)))
    assert {(row["currency"], row["rule"]) for row in few} == {("xp", "lesson")}
    learner.post("/settings/preferences", PREFERENCES | {"hidden": ["xp"]})
    assert "xp" not in learner.client.get("/ledger.csv").text.split("\n", 1)[1]


def test_what_a_spreadsheet_would_run_is_only_text() -> None:
    assert [_harmless(each) for each in ("=1+1", "+1", "-1", "@a", "Plain")] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@a",
        "Plain",
    ]

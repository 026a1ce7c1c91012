"""The shop: what can be bought and by whom, once and never below nought, and what is worn."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import Conflict, DomainError, Invalid, NotFound
from codyverse.gamification import queries, services, shop
from codyverse.gamification.models import LedgerEntry, Purchase
from codyverse.gamification.shop_catalogue import read_shelf, shelf, unlocked_at
from tests.domains.study import Plan, do_lesson, make_course
from tests.domains.together import together
from tests.factories import make_user

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)


@pytest.fixture
def ada(app, time_machine) -> int:
    time_machine.move_to(NOON, tick=False)
    return make_user(name="Ada")


def give(user_id: int, **amounts: int) -> None:
    """Coins, gems or XP by an entry, as if they had been earned."""
    with unit_of_work():
        for currency, amount in amounts.items():
            values = {
                "user_id": user_id,
                "currency": currency,
                "amount": amount,
                "at": now(),
                "day": now().date(),
            }
            session.execute(
                text(
                    "insert into ledger_entries (user_id, currency, amount, rule, source, local_date, created_at) "
                    "values (:user_id, :currency, :amount, 'gift', 'gift:' || random(), :day, :at)"
                ),
                values,
            )
        services.rebuild_batch(user_id - 1, 1)


def buy(user_id: int, key: str, nonce: str = "nonce-01") -> None:
    with unit_of_work():
        shop.purchase(user_id, key, nonce)


def purse(user_id: int) -> tuple[int, int]:
    card = queries.player(user_id, now())
    return card.coins, card.gems


def offer(user_id: int, key: str) -> shop.Offer:
    return next(each for each in shop.shop(user_id, now()).offers if each.item.key == key)


def test_a_purchase_is_an_entry_with_its_reason(ada: int) -> None:
    give(ada, coins=100)
    buy(ada, "scarf")
    assert purse(ada) == (40, 0)
    newest = queries.ledger_page(ada).entries[0]
    assert (newest.amount, newest.rule, newest.reason) == (-60, "purchase", "Bought in the shop: Comet scarf")
    assert offer(ada, "scarf").owned
    assert services.verify_ledger() == ()


def test_the_same_form_twice_buys_once(ada: int) -> None:
    give(ada, coins=500)
    buy(ada, "streak-freeze", "nonce-01")
    buy(ada, "streak-freeze", "nonce-01")
    assert purse(ada) == (440, 0)
    buy(ada, "streak-freeze", "nonce-02")
    assert purse(ada) == (380, 0)
    with pytest.raises(Conflict, match="another item"):
        buy(ada, "scarf", "nonce-01")


def test_a_form_of_somebody_else_is_not_in_the_way(ada: int) -> None:
    ben = make_user(name="Ben")
    for who in (ada, ben):
        give(who, coins=60)
        buy(who, "scarf", "the-same-nonce")
    assert session.scalar(select(func.count()).select_from(Purchase)) == 2


@pytest.mark.parametrize(
    ("owns", "key", "fault", "says"),
    [
        ({"coins": 59}, "scarf", Conflict, "costs 60 coins; 1 are missing"),
        ({"coins": 999}, "bow-tie", Conflict, "from level 2"),
        ({"coins": 999, "xp": 100}, "bow-tie", Conflict, "3 gems"),
        ({"coins": 999}, "crown", Conflict, "from level 8"),
        ({"coins": 999}, "unicorn", NotFound, "nothing of that name"),
    ],
)
def test_what_cannot_be_bought(ada: int, owns: dict[str, int], key: str, fault: type, says: str) -> None:
    give(ada, **owns)
    before = purse(ada)
    with pytest.raises(fault, match=says):
        buy(ada, key)
    assert purse(ada) == before
    assert services.verify_ledger() == ()


@pytest.mark.parametrize("nonce", ["", "short", "x" * 65, "with space", "ü" * 10, "a\nb\nc\nd\ne"])
def test_a_form_without_a_proper_nonce_buys_nothing(ada: int, nonce: str) -> None:
    give(ada, coins=100)
    with pytest.raises(Invalid):
        buy(ada, "scarf", nonce)
    assert purse(ada) == (100, 0)


def test_an_outfit_is_bought_once(ada: int) -> None:
    give(ada, coins=500)
    buy(ada, "scarf", "nonce-01")
    with pytest.raises(Conflict, match="have that already"):
        buy(ada, "scarf", "nonce-02")
    assert purse(ada) == (440, 0)


def test_at_most_two_freezes_are_held_and_used_ones_make_room(ada: int, time_machine) -> None:
    [lesson] = make_course(Plan(asks=1))
    do_lesson(ada, lesson)
    give(ada, coins=500)
    buy(ada, "streak-freeze", "nonce-01")
    buy(ada, "streak-freeze", "nonce-02")
    assert offer(ada, "streak-freeze").refusal == "held"
    with pytest.raises(Conflict, match="hold 2 freezes"):
        buy(ada, "streak-freeze", "nonce-03")
    time_machine.move_to(NOON + timedelta(days=2), tick=False)
    assert shop.shop(ada, now()).freezes == 1
    buy(ada, "streak-freeze", "nonce-03")
    card = queries.player(ada, now())
    assert (card.streak, card.freezes) == (1, 2)
    assert services.verify_ledger() == ()


def test_in_weekly_mode_there_are_no_freezes_to_waste_coins_on(ada: int) -> None:
    give(ada, coins=500)
    with unit_of_work():
        accounts.change_preferences(
            ada, goal_intensity="regular", hidden=frozenset(), theme="auto", streak_mode="weekly"
        )
    assert offer(ada, "streak-freeze").refusal == "weekly"
    with pytest.raises(Conflict, match="counts weeks"):
        buy(ada, "streak-freeze")


def test_wearing_what_one_has(ada: int) -> None:
    give(ada, coins=1000, xp=400)
    buy(ada, "scarf", "nonce-01")
    buy(ada, "aurora", "nonce-02")
    with unit_of_work():
        shop.wear(ada, "outfit", "scarf")
        shop.wear(ada, "world", "aurora")
    card = queries.player(ada, now())
    assert (card.outfit, card.world) == ("scarf", "aurora")
    assert offer(ada, "scarf").worn
    assert services.verify_ledger() == ()
    for kind, key in [
        ("outfit", "glasses"),
        ("outfit", "aurora"),
        ("world", "scarf"),
        ("freeze", "streak-freeze"),
    ]:
        with pytest.raises(NotFound), unit_of_work():
            shop.wear(ada, kind, key)
    with unit_of_work():
        shop.wear(ada, "outfit", None)
        shop.wear(ada, "outfit", None)
    assert queries.player(ada, now()).outfit is None


def test_who_left_out_coins_wears_nothing(ada: int) -> None:
    give(ada, coins=100)
    buy(ada, "scarf")
    with unit_of_work():
        shop.wear(ada, "outfit", "scarf")
        accounts.change_preferences(ada, goal_intensity="regular", hidden=frozenset({"coins"}), theme="auto")
    assert queries.player(ada, now()).outfit is None


def test_nobody_has_no_shop(app) -> None:
    with pytest.raises(NotFound):
        shop.shop(2**62, now())
    with pytest.raises(NotFound):
        buy(2**62, "scarf")


def test_differences_of_the_shop_are_found(ada: int) -> None:
    give(ada, coins=200)
    buy(ada, "scarf")
    with unit_of_work():
        shop.wear(ada, "outfit", "scarf")
    with session.begin_nested() as nested:
        session.execute(text("delete from purchases"))
        found = {each.stored for each in services.verify_ledger()}
        assert found == {"an entry for something bought", "something worn"}
        nested.rollback()
    with session.begin_nested() as nested:
        session.execute(text("delete from ledger_entries where rule = 'purchase'"))
        found = {each.stored for each in services.verify_ledger()}
        assert "something bought" in found
        nested.rollback()
    with session.begin_nested() as nested:
        session.execute(text("update players set freezes = 2"))
        assert [each.what for each in services.verify_ledger()] == ["freezes"]
        nested.rollback()
    assert services.verify_ledger() == ()


# --- at once ---


def test_fifty_at_once_with_the_same_form_buy_once(committed_database: Flask) -> None:
    who = make_user()
    give(who, coins=10_000)
    session.remove()
    results = together(committed_database, [lambda: buy(who, "streak-freeze")] * 50)
    assert results == [None] * 50
    assert purse(who) == (9_940, 0)
    assert session.scalar(select(func.count()).select_from(Purchase)) == 1
    assert services.verify_ledger() == ()


def test_fifty_at_once_with_different_forms_buy_an_outfit_once(committed_database: Flask) -> None:
    who = make_user()
    give(who, coins=10_000)
    session.remove()
    acts = [lambda n=n: buy(who, "scarf", f"nonce-{n:03}") for n in range(50)]
    results = together(committed_database, acts)
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 49
    assert purse(who) == (9_940, 0)


def test_fifty_at_once_never_spend_what_is_not_there(committed_database: Flask) -> None:
    """Coins for two of three wares, asked for by fifty forms at once, while a lesson is being paid."""
    [lesson] = make_course(Plan(asks=1))
    who = make_user()
    give(who, coins=125)
    session.remove()
    wares = ["scarf", "streak-freeze", "streak-freeze"]
    acts = [lambda n=n: buy(who, wares[n % 3], f"nonce-{n:03}") for n in range(49)]
    results = together(committed_database, [*acts, lambda: do_lesson(who, lesson)])
    bought = sum(result is None for result in results[:49])
    assert all(result is None or isinstance(result, DomainError) for result in results[:49])
    assert bought >= 2
    spent = session.scalar(select(func.sum(LedgerEntry.amount)).where(LedgerEntry.rule == "purchase"))
    assert spent == -60 * bought
    assert purse(who)[0] >= 0
    assert services.verify_ledger() == ()


# --- the shelf ---


def test_the_shelf_is_in_order() -> None:
    items = shelf()
    assert {item.kind for item in items} == {"freeze", "outfit", "world"}
    assert sum(item.kind == "outfit" for item in items) >= 6
    assert sum(item.kind == "world" for item in items) >= 4
    assert all(unlocked_at(level) for level in range(1, 7))
    assert [item.key for item in items if item.kind == "freeze"] == ["streak-freeze"]


GOOD = (
    '[[item]]\nkey = "a"\nkind = "outfit"\nname = "A"\nsays = "B"\ncurrency = "coins"\nprice = 1\nlevel = 1\n'
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + GOOD, "a is used twice"),
        (GOOD.replace('name = "A"\n', ""), "item a: it needs"),
        (GOOD.replace('key = "a"\n', ""), "item without a key"),
        (GOOD + 'colour = "red"\n', "nobody reads colour"),
        (GOOD.replace("outfit", "car"), "no such kind"),
        (GOOD.replace("coins", "xp"), "no such kind or currency"),
        (GOOD.replace("price = 1", "price = 0"), "whole numbers from 1"),
        (GOOD.replace("price = 1", 'price = "1"'), "whole numbers from 1"),
    ],
)
def test_a_shelf_with_a_fault_is_refused(text: str, says: str) -> None:
    assert read_shelf(GOOD)[0].once
    with pytest.raises(ValueError, match=says):
        read_shelf(text)

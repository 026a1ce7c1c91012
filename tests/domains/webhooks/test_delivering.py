"""Deliveries over real HTTP: signed, sent at least once, tried again for a day, replayed, never more than asked."""

import random
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import delivering, jobs
from codyverse.accounts import services as accounts
from codyverse.core.clock import now
from codyverse.core.database import session, unit_of_work
from codyverse.core.errors import Conflict
from codyverse.core.events import publish
from codyverse.gamification.events import LevelReached
from codyverse.webhooks import deliveries as outgoing
from codyverse.webhooks import queries, rules, services
from codyverse.webhooks.deliveries import Delivery
from tests.domains.together import together
from tests.domains.webhooks.hooks import deliveries, operator, proof, register, said
from tests.factories import make_user
from tests.receiver import Receiver, receiver, status

DAY = timedelta(days=1)


def levels(who: int, *numbers: int) -> None:
    with unit_of_work():
        for number in numbers or (2,):
            publish(LevelReached(who, number, "Beginner", number, now(), now().date()))


def claim(limit: int = 16) -> tuple[Delivery, ...]:
    with unit_of_work():
        return outgoing.claim(now(), limit)


@pytest.fixture
def hook(near: Flask, ada: int, other: Receiver) -> int:
    return register(ada, other.url).webhook_id


def test_a_delivery_as_it_arrives(near: Flask, ada: int, other: Receiver) -> None:
    made = register(ada, other.url)
    levels(ada)
    assert jobs.run("webhooks") == "Webhooks: 1 delivered."
    assert jobs.run("webhooks") == ""
    [got] = other.got
    [delivery] = deliveries(ada, made.webhook_id)
    assert said(got.body) == {
        "id": delivery.event,
        "type": "level.reached",
        "createdAt": "2026-06-17T12:00:00.000Z",
        "data": {"userId": ada, "level": 2, "name": "Beginner", "gems": 2, "localDate": "2026-06-17"},
    }
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == delivery.event
    assert got.headers["webhook-timestamp"] == str(int(now().timestamp()))
    assert got.headers["webhook-signature"] == proof(made.secret, got.headers, got.body)
    assert (delivery.state, delivery.tries, delivery.status_code) == ("delivered", 1, 204)
    assert delivery.next_try_at is None


def test_what_fails_is_tried_again_under_the_same_id(ada: int, hook: int, other: Receiver, clock) -> None:
    other.answers = [status(500), status(302, Location="http://127.0.0.1/"), status(404)]
    levels(ada)
    assert jobs.run("webhooks") == "Webhooks: 1 to be tried again."
    [waiting] = deliveries(ada, hook)
    assert (waiting.state, waiting.status_code, waiting.fault) == (
        "pending",
        500,
        "The server answered 500.",
    )
    assert jobs.run("webhooks") == "", "not at once"
    for _ in range(3):
        clock.shift(timedelta(minutes=5))
        jobs.run("webhooks")
    assert len(other.got) == 4
    assert len({got.headers["webhook-id"] for got in other.got}) == 1
    assert len({got.body for got in other.got}) == 1
    assert len({got.headers["webhook-timestamp"] for got in other.got}) == 4, "each try is signed anew"
    assert deliveries(ada, hook)[0].state == "delivered"


def test_after_a_day_it_is_given_up_and_can_be_replayed(ada: int, hook: int, other: Receiver, clock) -> None:
    other.usual = status(503)
    random.seed(1)
    levels(ada)
    began = now()
    while (lost := deliveries(ada, hook)[0]).next_try_at is not None:
        clock.move_to(lost.next_try_at, tick=False)
        jobs.run("webhooks")
    assert lost.state == "failed"
    assert lost.failed_at == began + DAY
    assert 10 < len(other.got) == lost.tries < 25
    other.usual = status(200)
    assert jobs.run("webhooks") == ""
    replay(ada, hook, lost.id)
    assert jobs.run("webhooks") == "Webhooks: 1 delivered."
    assert len({got.headers["webhook-id"] for got in other.got}) == 1
    [found] = deliveries(ada, hook)
    assert (found.state, found.tries, found.failed_at) == ("delivered", 1, None)
    replay(ada, hook, lost.id)
    assert jobs.run("webhooks") == "Webhooks: 1 delivered.", "also what was delivered"


def replay(who: int, hook: int, delivery: int) -> None:
    with unit_of_work():
        services.replay(who, hook, delivery)


def test_a_worker_that_was_down_for_days_tries_for_a_day_from_then(
    ada: int, hook: int, other: Receiver, clock
) -> None:
    other.answers = [status(500)]
    levels(ada)
    clock.shift(3 * DAY)
    assert jobs.run("webhooks") == "Webhooks: 1 to be tried again."
    clock.shift(timedelta(hours=1))
    assert jobs.run("webhooks") == "Webhooks: 1 delivered."


def test_a_server_that_is_gone_is_told_nothing_any_more(ada: int, hook: int, other: Receiver) -> None:
    levels(ada, *range(2, 9))
    other.usual = status(410)
    jobs.run("webhooks")
    sent = len(other.got)
    assert sent <= outgoing.OF_ONE_WEBHOOK
    assert {each.state for each in deliveries(ada, hook)} == {"failed"}
    assert not queries.webhook(ada, hook).active
    levels(ada, 20)
    assert len(deliveries(ada, hook)) == 7
    with pytest.raises(Conflict):
        replay(ada, hook, deliveries(ada, hook)[0].id)
    assert jobs.run("webhooks") == ""
    assert len(other.got) == sent


def test_killed_between_sending_and_writing_down_it_is_sent_again_with_the_same_id(
    ada: int, hook: int, other: Receiver, clock
) -> None:
    levels(ada)
    [taken] = claim()
    delivering.send(taken, delivering.reach(), delivering.seal(), now())
    assert jobs.run("webhooks") == "", "somebody has it"
    clock.shift(rules.CLAIM_HOLDS + timedelta(seconds=1))
    assert jobs.run("webhooks") == "Webhooks: 1 delivered."
    assert [got.headers["webhook-id"] for got in other.got] == [taken.key] * 2
    with unit_of_work():
        outgoing.not_delivered(taken, now(), 500, "late news of a worker that was thought dead")
    assert deliveries(ada, hook)[0].state == "delivered"


def test_while_it_is_being_sent_a_replay_changes_nothing(ada: int, hook: int, other: Receiver) -> None:
    levels(ada)
    [taken] = claim()
    replay(ada, hook, taken.id)
    assert claim() == ()
    with unit_of_work():
        outgoing.delivered(taken, now(), 200)
    assert deliveries(ada, hook)[0].state == "delivered"


def test_fifty_at_once_claim_each_once(near_committed: Flask, other: Receiver) -> None:
    people = [make_user() for _ in range(10)]
    for who in people:
        register(who, other.url)
        levels(who, *range(2, 10))
    taken = together(near_committed, [claim] * 50)
    assert not [each for each in taken if isinstance(each, Exception)]
    ids = [delivery.id for each in taken for delivery in each]
    assert len(ids) == len(set(ids))
    while more := claim():
        ids += [delivery.id for delivery in more]
    assert len(ids) == len(set(ids)) == 80


def test_many_are_sent_and_a_slow_one_keeps_nobody_waiting(near: Flask, other: Receiver, ada: int) -> None:
    bob = make_user()
    with receiver() as gone:
        dead = register(ada, gone.url).webhook_id
    alive = register(bob, other.url).webhook_id
    levels(ada, *range(2, 42))
    levels(bob, *range(2, 42))
    first = claim()
    assert {each.webhook_id for each in first} == {dead, alive}, "both have their share"
    session.execute(text("update webhook_deliveries set claimed_at = null, tries = 0"))
    session.commit()
    assert jobs.run("webhooks") == "Webhooks: 40 delivered, 40 to be tried again."
    assert len({got.headers["webhook-id"] for got in other.got}) == 40
    assert {each.fault for each in deliveries(ada, dead)} == {"Nobody accepts a connection there."}


def test_what_was_public_at_first_is_checked_again(near: Flask, ada: int, hook: int, other: Receiver) -> None:
    levels(ada)
    near.extensions["settings"] = near.extensions["settings"].model_copy(update={"webhook_networks": ""})
    assert jobs.run("webhooks") == "Webhooks: 1 to be tried again."
    assert other.got == []
    assert deliveries(ada, hook)[0].fault == "Not sent: this URL leads to an address that is not public."


def test_staging_and_production_send_over_https_only(
    near: Flask, ada: int, hook: int, other: Receiver
) -> None:
    levels(ada)
    near.extensions["settings"] = near.extensions["settings"].model_copy(update={"environment": "staging"})
    jobs.run("webhooks")
    assert other.got == []
    assert deliveries(ada, hook)[0].fault == "Not sent: this URL has to begin with https://."


def test_after_a_change_of_the_key_nothing_is_sent_unsigned(
    near: Flask, ada: int, hook: int, other: Receiver
) -> None:
    levels(ada)
    near.extensions["settings"] = near.extensions["settings"].model_copy(update={"secret_key": "x" * 64})
    jobs.run("webhooks")
    assert other.got == []
    assert "SECRET_KEY" in deliveries(ada, hook)[0].fault


def test_whoever_lost_the_right_meanwhile_gets_nothing_of_what_waits(
    near: Flask, ada: int, other: Receiver
) -> None:
    olga = make_user(role="operator", email="olga@example.org")
    otto = make_user(email="otto@example.org")
    everybody = register(olga, other.url, scope="all").webhook_id
    own = register(otto, other.url).webhook_id
    levels(ada)
    levels(otto)
    with unit_of_work():
        accounts.set_role("olga@example.org", "learner")
        accounts.deactivate("otto@example.org")
    assert jobs.run("webhooks") == ""
    assert other.got == []
    kept = [*deliveries(olga, everybody), *deliveries(otto, own)]
    assert [each.state for each in kept] == ["failed"] * 3
    with unit_of_work():
        accounts.set_role("olga@example.org", "operator")
    assert jobs.run("webhooks") == ""


def test_a_webhook_that_is_deleted_is_told_nothing(near: Flask, other: Receiver) -> None:
    olga = operator()
    hook = register(olga, other.url).webhook_id
    levels(olga, 2, 3)
    [taken, _] = claim()
    with unit_of_work():
        services.delete_webhook(olga, hook)
    with unit_of_work():
        outgoing.delivered(taken, now(), 200)
    assert jobs.run("webhooks") == ""


def test_old_ones_are_forgotten(ada: int, hook: int, other: Receiver, clock) -> None:
    levels(ada, 2)
    jobs.run("webhooks")
    clock.shift(29 * DAY)
    levels(ada, 3)
    assert jobs.run("forget") == ""
    clock.shift(2 * DAY)
    assert jobs.run("forget") == "Forgot old events of webhooks (1)."
    assert [each.state for each in deliveries(ada, hook)] == ["pending"]


def test_pages_of_deliveries(ada: int, hook: int) -> None:
    levels(ada, *range(2, 9))
    page = queries.deliveries_page(ada, hook, 2, 3)
    whole = [each.id for each in deliveries(ada, hook)]
    assert whole == sorted(whole, reverse=True)
    assert ([each.id for each in page.items], page.total) == (whole[3:6], 7)
    assert queries.delivery(ada, hook, whole[0]) == deliveries(ada, hook)[0]

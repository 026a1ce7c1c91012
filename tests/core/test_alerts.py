"""A change of the site's health reaches those who run it: once each, by notification and webhook, whoever sees it first."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import text

from codyverse import alerting
from codyverse.core.clock import now
from codyverse.core.database import session
from codyverse.core.health import Health, Monitor
from codyverse.core.replicas import ReplicaNow
from codyverse.notifications import queries
from tests.factories import make_user
from tests.receiver import Receiver, receiver, status


@pytest.fixture
def pager() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def health(**more) -> Health:
    well = Health("connected", "optimal", "operational", now(), 0, 1, 1.0, {})
    return replace(well, **more)


def nothing_unwritten() -> alerting.Unwritten:
    return alerting.Unwritten([], threading.Lock())


def titles(user_id: int) -> list[str]:
    return [line.title for line in queries.listing(user_id, frozenset(), 2**62, 20).lines]


def test_the_first_process_tells_every_operator_once(app: Flask) -> None:
    opal, otto = make_user(role="operator"), make_user(role="operator")
    ada = make_user()
    seen = [alerting.change_of(health(), health(memory="critical"), f"web:{n}") for n in range(3)]
    assert [alerting.claim(each) for each in seen if each] == [True, False, False]
    assert titles(opal) == titles(otto) == ["The site is critical"]
    assert titles(ada) == []
    [line] = queries.listing(opal, frozenset(), 2**62, 20).lines
    assert "memory critical" in line.text
    assert "healthy before" in line.text
    assert queries.bell(opal, frozenset()).unread == 1
    assert [(told.overall, told.instance) for told in alerting.latest(5)] == [("critical", "web:0")]


def test_operators_are_told_which_replica_it_is(app: Flask, pager: Receiver) -> None:
    opal = make_user(role="operator")
    away = ReplicaNow("replica-2", "away", None, "connection refused", off=True)
    level = ReplicaNow("replica-1", "level", 0.4, "", off=False)
    change = alerting.change_of(health(replicas=(level,)), health(replicas=(level, away)), "web:0")
    assert change
    alerting.tell(app, pager.url, change, nothing_unwritten())
    [line] = queries.listing(opal, frozenset(), 2**62, 20).lines
    assert line.title == "The site is degraded"
    assert "cache operational, replicas replica-2 away" in line.text
    [told] = alerting.latest(5)
    assert told.details["replicas"] == "replica-2 away"
    assert json.loads(pager.got[0].body)["replicas"] == [
        {"name": "replica-1", "state": "level"},
        {"name": "replica-2", "state": "away"},
    ]


def test_a_start_in_good_health_is_no_news() -> None:
    assert alerting.change_of(None, health(), "web:1") is None
    assert alerting.change_of(None, health(cache="offline"), "web:1") is not None
    assert alerting.change_of(health(cache="offline"), health(), "web:1") is not None


def test_the_webhook_hears_of_it_and_is_asked_again_when_it_fails(app: Flask, pager: Receiver) -> None:
    pager.answers = [status(503)]
    change = alerting.change_of(health(), health(database="timeout"), "web:1")
    assert change
    assert alerting.call(pager.url, change)
    bodies = [json.loads(each.body) for each in pager.got]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert (bodies[1]["overall"], bodies[1]["before"], bodies[1]["database"]) == (
        "critical",
        "healthy",
        "timeout",
    )


def test_a_webhook_that_is_not_there_is_logged_and_no_more(app: Flask, pager: Receiver) -> None:
    pager.answers = [status(404)]
    change = alerting.change_of(health(), health(cache="offline"), "web:1")
    assert change
    assert not alerting.call(pager.url, change)
    assert len(pager.got) == 1


def test_with_the_database_away_the_webhook_is_still_called(app: Flask, pager: Receiver) -> None:
    session.execute(text("alter table health_alerts rename to away"))
    session.commit()
    change = alerting.change_of(health(), health(database="disconnected"), "web:1")
    assert change
    assert alerting.claim(change) is None
    alerting.tell(app, pager.url, change, nothing_unwritten())
    assert len(pager.got) == 1


def test_the_monitor_tells_each_change_of_the_overall_state(app: Flask) -> None:
    states = iter(["operational", "offline", "offline", "operational"])
    heard: list[tuple[str | None, str]] = []
    monitor = Monitor(app, 30, 2**40, lambda: next(states))
    monitor.tell.append(
        lambda before, found: heard.append((before.overall if before else None, found.overall))
    )
    for _ in range(4):
        monitor.look()
    assert heard == [(None, "healthy"), ("healthy", "degraded"), ("degraded", "healthy")]


def test_what_comes_again_after_another_state_is_told_again(app: Flask, time_machine) -> None:
    time_machine.move_to("2026-06-01 12:00", tick=False)
    told = []
    for before, now_ in (("operational", "offline"), ("offline", "operational"), ("operational", "offline")):
        change = alerting.change_of(health(cache=before), health(cache=now_), "web:1")
        assert change
        told.append(alerting.claim(change))
        time_machine.shift(60)
    assert told == [True, True, True]
    assert [each.overall for each in alerting.latest(5)] == ["degraded", "healthy", "degraded"]


def test_two_that_see_it_on_either_side_of_a_full_five_minutes_tell_it_once(app: Flask, time_machine) -> None:
    told = []
    for moment in ("2026-06-01 12:04:59", "2026-06-01 12:05:01"):
        time_machine.move_to(moment, tick=False)
        change = alerting.change_of(health(), health(cache="offline"), moment)
        assert change
        told.append(alerting.claim(change))
    assert told == [True, False]


def test_when_an_outage_began_is_written_once_it_is_over(app: Flask, pager: Receiver, time_machine) -> None:
    time_machine.move_to("2026-06-01 12:00", tick=False)
    session.execute(text("alter table health_alerts rename to away"))
    session.commit()
    unwritten = nothing_unwritten()
    began = alerting.change_of(health(), health(database="disconnected"), "web:1")
    assert began
    alerting.tell(app, None, began, unwritten)
    session.execute(text("alter table away rename to health_alerts"))
    session.commit()
    time_machine.shift(90)
    over = alerting.change_of(health(database="disconnected"), health(), "web:1")
    assert over
    alerting.tell(app, None, over, unwritten)
    assert [each.overall for each in alerting.latest(5)] == ["healthy", "critical"]
    assert unwritten.waiting == []

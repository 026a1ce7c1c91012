"""The breaker before connecting: when it opens, whom it refuses how fast, who probes, when it closes."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
import time_machine

from codyverse.core.resilience import Breaker, DatabaseAway, State

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)


def nobody_there() -> str:
    raise psycopg2.OperationalError("connection refused")


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(psycopg2.OperationalError):
            breaker.connect(nobody_there)


def test_five_failures_open_it_and_a_success_in_between_starts_anew() -> None:
    breaker = Breaker(5, 5)
    fail(breaker, 4)
    assert breaker.connect(lambda: "connected") == "connected"
    fail(breaker, 4)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"


def test_while_it_is_open_nobody_connects_and_the_refusal_says_how_long() -> None:
    breaker = Breaker(5, 5)
    with time_machine.travel(NOON, tick=False) as clock:
        fail(breaker, 5)
        clock.shift(2)
        with pytest.raises(DatabaseAway) as refused:
            breaker.connect(lambda: pytest.fail("somebody connected"))
    assert refused.value.retry_after == 3


def test_after_the_rest_a_probe_that_succeeds_closes_it_and_one_that_fails_does_not() -> None:
    breaker, heard = Breaker(5, 5), []
    breaker.changed.append(heard.append)
    with time_machine.travel(NOON, tick=False) as clock:
        fail(breaker, 5)
        clock.shift(timedelta(seconds=6))
        fail(breaker, 1)
        with pytest.raises(DatabaseAway):
            breaker.connect(lambda: "too early")
        clock.shift(timedelta(seconds=6))
        assert breaker.connect(lambda: "back") == "back"
    assert breaker.state == "closed"
    assert heard == ["open", "half-open", "open", "half-open", "closed"]


def test_one_probes_and_the_others_are_refused_at_once() -> None:
    breaker = Breaker(1, 5)
    probing, over = threading.Event(), threading.Event()
    found: list[str] = []

    def slow() -> str:
        probing.set()
        assert over.wait(30)
        return "back"

    with time_machine.travel(NOON, tick=False) as clock:
        fail(breaker, 1)
        clock.shift(6)
        prober = threading.Thread(target=lambda: found.append(breaker.connect(slow)))
        prober.start()
        assert probing.wait(30)
        state: State = breaker.state
        with pytest.raises(DatabaseAway):
            breaker.connect(lambda: "a second one")
        over.set()
        prober.join(30)
    assert (state, found, breaker.state) == ("half-open", ["back"], "closed")


def test_several_connect_at_once_while_it_is_closed() -> None:
    """Each waits for its own timeout; one after the other, four threads would wait four times as long."""
    breaker = Breaker(5, 5)
    together = threading.Barrier(3)

    def connect() -> None:
        breaker.connect(lambda: together.wait(30))

    threads = [threading.Thread(target=connect) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not together.broken
    assert breaker.state == "closed"
